//! `liveops flag lint`: what is wrong with flags, and what will surprise somebody.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::commands::flag::{findings, labels, name};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::lint::{Finding, LintContext, Severity};
use liveops_domain::flag::name::FlagName;
use liveops_domain::status::source::{Outcome, Verdict};
use liveops_domain::text::count;
use liveops_domain::text::escape::escape;
use liveops_domain::text::shell::word;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag, newest};
use liveops_engine::flag::stale::AFTER_DAYS;
use liveops_engine::flagstore::FlagStore as _;

/// Find what is wrong with flags
///
/// Errors are flags that a reader cannot take or that do nothing at all, such as one that is on for nobody. Warnings are
/// flags that do something else than they look like: a tester on the allowlist who is off, an edit past liveops, a flag
/// that has been the same for everybody for a month.
///
/// Exit code: 0 no errors, 1 errors (with --strict also warnings).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag lint
  liveops flag lint new_matchmaking
  liveops flag lint --strict -o csv                in CI")]
pub(super) struct LintArgs {
    /// Flags to look at; all of them when none is named
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<FlagName>,

    /// All flags, as without a name
    #[arg(long, conflicts_with = "names")]
    all: bool,

    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

/// The findings of one flag.
#[derive(Debug, Serialize)]
struct FlagFindings {
    flag: String,
    findings: Vec<Finding>,
}

/// All findings.
#[derive(Debug, Serialize)]
struct LintReport {
    /// Flags that were looked at.
    flags: usize,
    errors: usize,
    warnings: usize,
    /// Those with findings, errors first.
    found: Vec<FlagFindings>,
    strict: bool,
    #[serde(skip)]
    environment: String,
}

impl LintReport {
    fn verdict(&self) -> Verdict {
        match (self.errors, self.warnings) {
            (0, 0) => Verdict::Pass,
            (0, _) if !self.strict => Verdict::Warn,
            _ => Verdict::Fail,
        }
    }
}

impl Report for LintReport {
    const SCHEMA: &'static str = "liveops.flag.lint/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let looked = count::count(self.flags, "flag");
        let mut blocks = vec![Block::Line(vec![plain(match (self.errors, self.warnings) {
            (0, 0) => format!("{looked} in {}: nothing to find", self.environment),
            (errors, warnings) => format!(
                "{looked} in {}: {}, {}",
                self.environment,
                count::count(errors, "error"),
                count::count(warnings, "warning")
            ),
        })])];
        for one in &self.found {
            blocks.push(Block::Line(vec![span(&one.flag, Tone::Strong)]));
            blocks.extend(one.findings.iter().map(|finding| findings::block(finding, view)));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["flag", "code", "severity", "message"]);
        for one in &self.found {
            for finding in &one.findings {
                table.row(vec![
                    plain(&one.flag),
                    plain(finding.code),
                    plain(match finding.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    }),
                    plain(&finding.message),
                ]);
            }
        }
        Some(table)
    }

    fn names(&self) -> Option<Vec<String>> {
        let name = |one: &FlagFindings| escape(&one.flag).into_owned();
        Some(self.found.iter().map(name).collect())
    }
}

/// Is it on for some, by its percentage?
fn is_partial(stored: &StoredFlag, reader: liveops_domain::flag::reader::Reader) -> bool {
    stored.read.as_ref().is_ok_and(|flag| {
        let gate = flag.gate_share(reader);
        flag.enabled() && flag.default_value() && gate > 0.0 && gate < 1.0
    })
}

pub(super) async fn run(args: LintArgs, cx: &Context) -> Result<Exit> {
    let store = cx.flags()?;
    let (catalog, history, expiring) =
        tokio::join!(FlagCatalog::of(cx, &store), store.history(None, None), store.expiring());
    let mut catalog = catalog?;
    let mut lost = labels::partly(&mut catalog.source, history.as_ref().err());
    let expiring: HashSet<String> = match expiring {
        Ok(expiring) => expiring.into_iter().collect(),
        Err(error) => {
            lost.push(format!("whether flags expire is not known: {error}"));
            HashSet::new()
        }
    };
    let history = history.unwrap_or_default();
    let last = newest(&history);
    let partial = catalog.flags.iter().filter(|stored| is_partial(stored, catalog.reader));
    let partial: Vec<String> = partial.map(|stored| stored.name.clone()).collect();
    let catalog = catalog.only(&args.names)?;
    let now = cx.clock.now();
    let lint = |stored: &StoredFlag| {
        let around = LintContext {
            newest: last.get(stored.name.as_str()).map(|newest| (*newest, now)),
            stale_after: Some(Duration::from_secs(AFTER_DAYS * 86_400)),
            partial: &partial,
            expires: expiring.contains(&stored.name),
        };
        FlagFindings {
            findings: liveops_engine::flag::findings::of(stored, catalog.reader, around),
            flag: stored.name.clone(),
        }
    };
    let mut found: Vec<FlagFindings> = catalog.flags.iter().map(lint).collect();
    found.retain(|one| !one.findings.is_empty());
    found.sort_by_key(|one| one.findings.iter().map(|finding| finding.severity).min());
    let count = |severity: Severity| {
        let all = found.iter().flat_map(|one| &one.findings);
        all.filter(|finding| finding.severity == severity).count()
    };
    let next = match found.first() {
        Some(first) => labels::command(cx, "the flag itself", &format!("flag get {}", word(&first.flag))),
        None => labels::command(cx, "all flags", "flag list"),
    };
    let report = LintReport {
        flags: catalog.flags.len(),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        found,
        strict: args.strict,
        environment: catalog.environment,
    };
    let meta = Meta {
        outcome: if lost.is_empty() { Outcome::Success } else { Outcome::Partial },
        verdict: report.verdict(),
        warnings: lost,
        ..labels::frame(next, catalog.source)
    };
    cx.show(&report, meta)?;
    Ok(match report.verdict() {
        Verdict::Fail => Exit::Bad,
        _ => Exit::Good,
    })
}
