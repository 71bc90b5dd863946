//! `liveops runbook check`: are the runbooks fit for the night, and does every alert have one?

use liveops_domain::text::count::count;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::ValueHint;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::commands::runbook::verbs;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::runbook::check::{Finding, NamedRunbook, Weight, against_rules};
use liveops_domain::runbook::{Link, Purpose, Runbook};
use liveops_domain::status::source::{Outcome, Recommendation, Source, Verdict};
use liveops_domain::text::markdown::{anchor, percent_decoded};
use liveops_engine::clients::http::request::{Effort, Request};
use liveops_engine::clients::http::target::Target;
use liveops_engine::files::open;
use liveops_engine::runbook::library::{RunbookFile, RunbookLibrary};
use liveops_engine::runbook::rules;
use liveops_engine::runbook::rules::Rules;

/// URLs that are looked at together.
const AT_ONCE: usize = 8;

/// Check the runbooks: sections, steps, links, and that alerts and runbooks match
///
/// Every alerting rule (of Prometheus, of `runbooks.rules`, or of `--rules`) needs its runbook, and every runbook of an
/// alert its rule. Links to files must lead somewhere; URLs are looked at with `--online`. Commands of liveops that it
/// names must exist, with their options. Exit code 1 when something is wrong, 3 when the rules could not be had.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops runbook check
  liveops runbook check GameServerDown
  liveops runbook check --rules alerts/ --strict -o json      in CI, without Prometheus
  liveops runbook check --online")]
pub(crate) struct CheckArgs {
    /// Only this runbook; rules are then not asked for
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Rule file or folder to read instead of asking Prometheus; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    rules: Vec<PathBuf>,

    /// Look at the URLs, too
    #[arg(long)]
    online: bool,

    /// Warnings count as errors
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct RunbookCheck {
    runbooks: usize,
    /// Alerting rules that runbooks were held against; none when that was not possible, or not asked for.
    rules: Option<usize>,
    errors: usize,
    /// Findings that do not fail the check, unless `--strict`.
    cautions: usize,
    findings: Vec<Finding>,
    #[serde(skip)]
    strict: bool,
    #[serde(skip)]
    gap: Option<String>,
}

/// What was looked at, and what is wrong with it.
pub(crate) struct Looked {
    pub(crate) findings: Vec<Finding>,
    pub(crate) runbooks: usize,
    /// Alerting rules that they were held against; none when that was not possible, or not asked for.
    pub(crate) rules: Option<usize>,
    /// Why they could not be held against the rules.
    pub(crate) gap: Option<String>,
    pub(crate) sources: Vec<Source>,
}

/// Looks at one runbook, or at all of them and the rules.
pub(crate) async fn look_at(name: Option<&str>, files: &[PathBuf], online: bool, cx: &Context) -> Result<Looked> {
    let library = RunbookLibrary::open(cx)?;
    let (books, known) = match name {
        Some(name) => (vec![library.find(name)?], None),
        None => (library.all()?, Some(rules::gather(cx, files).await?)),
    };
    let mut urls: BTreeMap<String, Option<String>> = BTreeMap::new();
    if online {
        let linked = books
            .iter()
            .flat_map(|book| &book.filed.book.links)
            .filter(|link| link.is_url())
            .map(|link| link.to.clone());
        let annotated = known
            .iter()
            .filter_map(|known| known.rules.as_ref())
            .flatten()
            .filter_map(liveops_domain::runbook::rule::AlertRule::runbook)
            .filter(|link| link.starts_with("http"));
        urls = look(linked.chain(annotated).collect(), cx).await?;
    }
    let documents = &cx.config()?.settings.documents;
    let grammar = (cx.grammar.command)();
    let mut findings = Vec::new();
    for book in &books {
        let required = documents.sections_of(book.filed.purpose);
        findings.extend(book.filed.check(required, |link| dead(link, book, &library.root, &urls)));
        findings.extend(verbs::check(book, &grammar));
    }
    let mut looked =
        Looked { findings: Vec::new(), runbooks: books.len(), rules: None, gap: None, sources: Vec::new() };
    if let Some(known) = known {
        looked.gap = known.gap();
        findings.extend(matched(&known, &books, &library, &urls));
        looked.rules = known.rules.as_ref().map(Vec::len);
        looked.sources.extend(known.source);
    }
    findings.sort_by(|a, b| (a.weight, &a.file, a.line, &a.alert).cmp(&(b.weight, &b.file, b.line, &b.alert)));
    Ok(Looked { findings, ..looked })
}

pub(super) async fn run(args: CheckArgs, cx: &Context) -> Result<Exit> {
    let Looked { findings, runbooks, rules, gap, sources } =
        look_at(args.name.as_deref(), &args.rules, args.online, cx).await?;
    let errors = findings.iter().filter(|finding| finding.weight == Weight::Error).count();
    let report =
        RunbookCheck { runbooks, rules, errors, cautions: findings.len() - errors, findings, strict: args.strict, gap };
    let meta = Meta {
        outcome: if report.gap.is_some() { Outcome::Partial } else { Outcome::Success },
        verdict: report.verdict(),
        sources,
        warnings: report.gap.clone().into_iter().collect(),
        ..Meta::steps(vec![report.next()])
    };
    cx.show_anywhere(&report, meta)?;
    Ok(report.verdict().into())
}

/// The rules against the runbooks, and the pages that rules link.
fn matched(
    known: &Rules,
    books: &[RunbookFile],
    library: &RunbookLibrary,
    urls: &BTreeMap<String, Option<String>>,
) -> Vec<Finding> {
    let Some(rules) = &known.rules else {
        return Vec::new();
    };
    let filed: Vec<NamedRunbook> = books.iter().map(|book| book.filed.clone()).collect();
    let mut findings = against_rules(&filed, rules, &library.shown(Purpose::Alert));
    let mut seen = Vec::new();
    for rule in rules {
        let Some(link) = rule.runbook() else { continue };
        let Some(Some(why)) = urls.get(&link) else {
            continue;
        };
        if seen.contains(&link) {
            continue;
        }
        findings.push(Finding {
            weight: Weight::Error,
            kind: "dead_annotation",
            file: None,
            line: None,
            alert: Some(rule.name.clone()),
            message: format!("alert `{}` links {link}, which is dead: {why}", rule.name),
            command: None,
        });
        seen.push(link);
    }
    findings
}

/// Why a link is dead; `None` when it is not, or was not looked at.
fn dead(link: &Link, book: &RunbookFile, root: &Path, urls: &BTreeMap<String, Option<String>>) -> Option<String> {
    if link.is_url() {
        return urls.get(&link.to).cloned().flatten();
    }
    if link.is_templated() {
        return None;
    }
    let Some(file) = link.file() else {
        return link.to.starts_with('#').then(|| no_anchor(link, &book.filed.book)).flatten();
    };
    let file = percent_decoded(file);
    let target = match file.strip_prefix('/') {
        // `/x` is the root of a repository or of a site, which may lie above this project, or be made from it.
        Some(below) => root
            .ancestors()
            .map(|folder| folder.join(below))
            .find_map(|path| page_file(&path))
            .or_else(|| page_file(&root.join(below)))?,
        None => {
            let Some(target) = page_file(&book.path.parent().unwrap_or(root).join(&file)) else {
                return Some("there is no such file".into());
            };
            target
        }
    };
    let is_page = target.extension().is_some_and(|extension| extension == "md");
    if link.anchor().is_none() || !is_page {
        return None;
    }
    let text = open::read_text(&target).ok()?;
    no_anchor(link, &Runbook::parse(&text))
}

/// Why there is no such place in a page.
fn no_anchor(link: &Link, page: &Runbook) -> Option<String> {
    let wanted = anchor(&percent_decoded(link.anchor()?));
    // A heading that stands there twice gets a number.
    let bare = wanted.trim_end_matches(|c: char| c.is_ascii_digit());
    let found = wanted == "top" || page.anchors.iter().any(|known| *known == wanted || *known == bare);
    (!found).then(|| "there is no such heading".into())
}

/// The file that a link means: itself, or the page that a site makes from it.
fn page_file(path: &Path) -> Option<PathBuf> {
    let text = path.to_string_lossy();
    let text = text.trim_end_matches('/');
    let bare = text.strip_suffix(".html").unwrap_or(text);
    let names = [text.to_owned(), format!("{bare}.md"), format!("{bare}/index.md"), format!("{bare}/_index.md")];
    names.into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// Asks every URL once; the value says why it is dead.
async fn look(mut urls: Vec<String>, cx: &Context) -> Result<BTreeMap<String, Option<String>>> {
    urls.sort();
    urls.dedup();
    let http = cx.http()?;
    let one = async |url: String| {
        let why = match page(&url) {
            Ok((target, request)) => match http.send(&target, request).await {
                // A page that wants a login is there.
                Ok(answer) if answer.status < 400 || matches!(answer.status, 401 | 403) => None,
                Ok(answer) => Some(format!("it answers {}", answer.status)),
                Err(error) => Some(error.to_string()),
            },
            Err(error) => Some(error.to_string()),
        };
        (url, why)
    };
    Ok(stream::iter(urls.into_iter().map(one)).buffer_unordered(AT_ONCE).collect().await)
}

/// The site of a URL, and what is asked of it.
fn page(text: &str) -> Result<(Target, Request)> {
    let bad = || Error::usage(format!("`{text}` is no URL"), "mend the link");
    let mut url = url::Url::parse(text).map_err(|_| bad())?;
    let request =
        Request::get(url.path()).query(url.query_pairs().into_owned().collect()).accept("*/*").effort(Effort::Quick);
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    Ok((Target::new("link", url.as_str(), &[])?, request))
}

impl RunbookCheck {
    fn verdict(&self) -> Verdict {
        if self.errors > 0 || (self.strict && self.cautions > 0) {
            Verdict::Fail
        } else if self.gap.is_some() {
            Verdict::Unknown
        } else if self.cautions > 0 {
            Verdict::Warn
        } else {
            Verdict::Pass
        }
    }

    fn headline(&self) -> String {
        let against = match self.rules {
            Some(rules) => format!(" against {}", count(rules, "rule")),
            None => String::new(),
        };
        let found = match (self.errors, self.cautions) {
            (0, 0) => "nothing is wrong".to_owned(),
            (errors, 0) => count(errors, "error"),
            (0, warnings) => count(warnings, "warning"),
            (errors, warnings) => {
                format!("{}, {}", count(errors, "error"), count(warnings, "warning"))
            }
        };
        format!("{}{against}: {found}", count(self.runbooks, "runbook"))
    }

    fn next(&self) -> Recommendation {
        let mended = self.findings.iter().find_map(|finding| {
            let command = finding.command.clone()?;
            Some(Recommendation::new("write what is missing", command))
        });
        mended.unwrap_or_else(|| Recommendation::new("read them", "liveops runbook list"))
    }
}

impl Report for RunbookCheck {
    const SCHEMA: &'static str = "liveops.runbook.check/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let tone = tone::verdict(self.verdict());
        let mut blocks = vec![Block::Line(vec![tone::mark(tone, view), span(format!(" {}", self.headline()), tone)])];
        if let Some(gap) = &self.gap {
            blocks.push(Block::Whole(vec![span(
                format!("  alerts and runbooks could not be matched: {gap}"),
                Tone::Unknown,
            )]));
        }
        let mut place = None;
        for finding in &self.findings {
            let here = finding.file.as_deref().unwrap_or("rules");
            if place != Some((here, finding.weight)) {
                blocks.push(Block::Blank);
                blocks.push(Block::heading(here));
                place = Some((here, finding.weight));
            }
            let tone = match finding.weight {
                Weight::Error => Tone::Bad,
                Weight::Warning => Tone::Warn,
            };
            let line = finding.line.map_or_else(String::new, |line| format!("line {line}: "));
            blocks.push(Block::Whole(vec![
                plain("  "),
                tone::mark(tone, view),
                plain(format!(" {line}{}", finding.message)),
            ]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["kind", "weight", "file", "line", "alert", "message"]);
        for finding in &self.findings {
            let text = |text: &Option<String>| plain(text.clone().unwrap_or_default());
            table.row(vec![
                plain(finding.kind),
                plain(match finding.weight {
                    Weight::Error => "error",
                    Weight::Warning => "warning",
                }),
                text(&finding.file),
                plain(finding.line.map_or_else(String::new, |n| n.to_string())),
                text(&finding.alert),
                plain(&finding.message),
            ]);
        }
        Some(table)
    }
}
