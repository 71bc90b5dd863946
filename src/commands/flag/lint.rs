//! `liveops flag lint`: what is wrong with flags, and what will surprise somebody.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use clap::Args;

use crate::commands::flag::{labels, name};
use crate::context::Context;
use crate::gate::{Extra, GateArgs, finish};
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::lint::{LintContext, RULES, Severity};
use liveops_domain::flag::name::FlagName;
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_engine::check::gate::About;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag, newest};
use liveops_engine::flag::findings;
use liveops_engine::flag::stale::AFTER_DAYS;
use liveops_engine::flagstore::FlagStore as _;

/// Find what is wrong with flags
///
/// HIGH are flags that a reader cannot take or that do nothing at all, such as one that is on for nobody. MEDIUM are
/// flags that do something else than they look like: a tester on the allowlist who is off, an edit past liveops, a flag
/// that has been the same for everybody for a month. They fail with --fail-on medium.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag lint
  liveops flag lint new_matchmaking
  liveops flag lint --fail-on medium -o csv        # in CI")]
pub(super) struct LintArgs {
    /// Flags to look at; all of them when none is named
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<FlagName>,

    /// All flags, as without a name
    #[arg(long, conflicts_with = "names")]
    all: bool,

    #[command(flatten)]
    gate: GateArgs,
}

const ABOUT: About =
    About { name: "flag lint", rules: RULES, nothing: "there is no flag yet: `liveops flag set NAME --pct 10`" };

/// Is it on for some, by its percentage?
fn is_partial(stored: &StoredFlag, reader: liveops_domain::flag::reader::Reader) -> bool {
    stored.read.as_ref().is_ok_and(|flag| {
        let gate = flag.gate_share(reader);
        flag.enabled() && flag.default_value() && gate > 0.0 && gate < 1.0
    })
}

pub(super) async fn run(args: LintArgs, cx: &Context) -> Result<Exit> {
    let store = cx.flags()?;
    let (catalog, history, expiring) = tokio::join!(FlagCatalog::of(cx, &store), store.newest(), store.expiring());
    let mut catalog = catalog?;
    let mut found = Findings::default();
    if let Err(error) = &history {
        ["W16", "W19"].into_iter().for_each(|id| found.unknown(id, "history", error.to_string()));
    }
    let expiring: HashSet<String> = expiring.map_or_else(
        |error| {
            found.unknown("W17", "time to live", error.to_string());
            HashSet::new()
        },
        |expiring| expiring.into_iter().collect(),
    );
    labels::partly(&mut catalog.source, history.as_ref().err());
    let history = history.unwrap_or_default();
    let last = newest(&history);
    let partial = catalog.flags.iter().filter(|stored| is_partial(stored, catalog.reader));
    let partial: Vec<String> = partial.map(|stored| stored.name.clone()).collect();
    let catalog = catalog.only(&args.names)?;
    let now = cx.clock.now();
    found.checked("flags", catalog.flags.len());
    for stored in &catalog.flags {
        let around = LintContext {
            newest: last.get(stored.name.as_str()).map(|newest| (*newest, now)),
            stale_after: Some(Duration::from_secs(AFTER_DAYS * 86_400)),
            partial: &partial,
            expires: expiring.contains(&stored.name),
        };
        for one in findings::of(stored, catalog.reader, around) {
            let level = if one.severity == Severity::Error { Level::High } else { Level::Medium };
            found.add(Finding::new(one.code, level, stored.name.clone(), one.message));
        }
    }
    let (text, command) = match found.findings.iter().min_by_key(|one| (Reverse(one.level), one.id)) {
        Some(first) => ("the flag itself", format!("flag get {}", word(&first.subject))),
        None => ("all flags", "flag list".to_owned()),
    };
    let next = Some(Recommendation::new(text, cx.command(&command)));
    finish(ABOUT, found, &args.gate, Extra { sources: vec![catalog.source], next, ..Extra::default() }, cx).await
}
