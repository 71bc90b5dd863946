//! `liveops runbook check`: are the runbooks fit for the night, and does every alert have one?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::ValueHint;
use futures_util::{StreamExt, stream};

use crate::commands::runbook::verbs;
use crate::context::Context;
use crate::gate::{Extra, GateArgs, finish};
use liveops_domain::check::finding::{Finding, Findings};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::runbook::check::{NamedRunbook, RULES, against_rules, finding};
use liveops_domain::runbook::{Link, Purpose, Runbook};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::markdown::{anchor, percent_decoded};
use liveops_domain::text::shell::word;
use liveops_engine::check::gate::About;
use liveops_engine::clients::http::request::{Effort, Request};
use liveops_engine::clients::http::target::Target;
use liveops_engine::files::open;
use liveops_engine::runbook::library::{RunbookFile, RunbookLibrary};
use liveops_engine::runbook::rules::Rules;
use liveops_engine::runbook::{filled, rules};

/// URLs that are looked at together.
const AT_ONCE: usize = 8;

/// Check the runbooks: sections, steps, links, and that alerts and runbooks match
///
/// Every alerting rule (of Prometheus, of `runbooks.rules`, or of `--rules`) needs its runbook, and every runbook of an
/// alert its rule. Links to files must lead somewhere; URLs are looked at with `--online`. Commands of liveops that it
/// names must exist, with their options. `runbook check` and `check runbooks` are one command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops runbook check
  liveops runbook check GameServerDown
  liveops runbook check --rules alerts/ --strict    # in CI, without Prometheus
  liveops runbook check --fail-on medium            # also what could be better
  liveops runbook check --online -o github")]
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

    #[command(flatten)]
    gate: GateArgs,
}

const ABOUT: About = About {
    name: "check runbooks",
    rules: RULES,
    nothing: "write one: `liveops runbook new NAME`, or name rules: `liveops check runbooks --rules FOLDER`",
};

pub(crate) async fn run(args: CheckArgs, cx: &Context) -> Result<Exit> {
    let library = RunbookLibrary::open(cx)?;
    let (books, known) = match &args.name {
        Some(name) => (vec![filled::find(cx, name)?], None),
        None => (library.all()?, Some(rules::gather(cx, &args.rules).await?)),
    };
    let mut urls: BTreeMap<String, Option<String>> = BTreeMap::new();
    if args.online {
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
    let mut found = Findings::default();
    let mut extra = Extra::default();
    found.checked("runbooks", books.len());
    for book in &books {
        let required = documents.sections_of(book.filed.purpose);
        found.findings.extend(book.filed.check(required, |link| dead(link, book, &library.root, &urls)));
        found.findings.extend(verbs::check(book, &grammar));
        found.sources.insert(book.filed.path.clone(), book.text.clone());
    }
    if let Some(known) = known {
        found.findings.extend(matched(&known, &books, &library, &urls));
        found.checked("rules", known.rules.as_ref().map_or(0, Vec::len));
        if let Some(gap) = known.gap() {
            found.unknown("R01", "alerting rules", gap);
        }
        extra.sources.extend(known.source);
    }
    let missing = found.findings.iter().find(|one| one.id == "R01");
    let open = || found.findings.iter().find(|one| books.iter().any(|book| book.filed.name == one.subject));
    extra.next = Some(match missing {
        Some(one) => Recommendation::new("write it", cx.command(&format!("runbook new {}", word(&one.subject)))),
        None => match open() {
            Some(one) => Recommendation::new("read it", cx.command(&format!("runbook show {}", word(&one.subject)))),
            None => Recommendation::new("read them", cx.command("runbook list")),
        },
    });
    finish(ABOUT, found, &args.gate, extra, cx).await
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
    let mut findings = against_rules(&filed, rules, &library.shown(Purpose::Alert), |link| library.exists(link));
    findings.retain(|one| one.id != "R02" || known.is_complete);
    let mut seen = Vec::new();
    for rule in rules {
        let Some(link) = rule.runbook() else { continue };
        let Some(Some(why)) = urls.get(&link) else {
            continue;
        };
        if seen.contains(&link) {
            continue;
        }
        let why = format!("alert `{}` links {link}, which is dead: {why}", rule.name);
        findings.push(rule.placed(finding("R05", &rule.name, why)).fix("correct the link"));
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
