//! `check alerts`: what is wrong with alerting rules, as far as their files tell.

pub mod bounds;
pub mod duplicates;
pub mod file;
pub mod fires;
pub mod functions;
pub mod history;
pub mod infer;
pub mod live;
pub mod proof;
pub mod reach;
pub mod routes;
pub mod set;
pub mod shape;
pub mod template;
pub mod timing;
pub mod words;

use std::collections::BTreeSet;

use crate::check::alerts::file::RuleFile;
use crate::check::alerts::fires::Claim;
use crate::check::alerts::set::{Placed, RuleSet};
use crate::check::finding::{Findings, RuleInfo, info};

/// The rules of the gate.
pub const RULES: &[RuleInfo] = &[
    info("A01", "Prometheus would not load it", "One fault refuses the whole file, and with it every alert in it."),
    info("A02", "It fires always", "An alert that is always on is soon ignored, and hides the one that matters."),
    info("A03", "It can never fire", "It looks like protection and is none."),
    info(
        "A04",
        "A quantile without its buckets",
        "`histogram_quantile` without `le` has no result: the alert is silent.",
    ),
    info(
        "A05",
        "A rate of a gauge, or a slope of a counter",
        "Restarts of counters and falls of gauges become nonsense.",
    ),
    info(
        "A06",
        "A counter without its rate",
        "A counter only grows: once over the threshold, it fires until a restart.",
    ),
    info(
        "A07",
        "A division that one zero poisons",
        "NaN compares with nothing, so the alert is silent; Inf always fires.",
    ),
    info("A08", "Two conditions that are taken for each other", "When both hold, only one of them is told."),
    info("A09", "A range or interval that does not fit", "Too few samples give no result, and the alert is silent."),
    info("A10", "It fires at a single odd scrape", "A restart of Prometheus or one missed scrape pages somebody."),
    info(
        "A11",
        "A template shows what does not exist",
        "Whoever is paged reads an empty word where the name should be.",
    ),
    info("A12", "Severity, summary or owner is missing", "Routes and people go by them."),
    info("A13", "The runbook is missing", "Whoever is paged needs the page that says what to do."),
    info(
        "A14",
        "The number does not fit the unit",
        "Milliseconds for seconds, percent for shares: it fires never or always.",
    ),
    info("A15", "It is there twice", "Two pages for one cause, or two conditions that nobody can tell apart."),
    info("A16", "It is recorded late, or nowhere", "The alert sees old values, or none."),
    info("A17", "It reaches nobody who can act", "A page that no receiver gets is no page."),
    info("A18", "Its series do not exist", "Without series the condition cannot hold: the alert is silent."),
    info("A19", "Its evaluation fails or is late", "A rule that fails is a rule that does not exist."),
    info(
        "A20",
        "Its past speaks against it",
        "Alerts that never fire, always fire, or flap teach people to look away.",
    ),
    info("A21", "The file is not what is loaded", "What is reviewed is not what runs."),
];

/// What the files tell, and what of it can be put to the test.
#[derive(Debug, Default)]
pub struct Judged<'a> {
    pub found: Findings,
    /// Each with the index of its finding.
    pub claims: Vec<(usize, Placed<'a>, Claim)>,
}

/// Everything that the files alone tell: A01 to A12, A14 to A16.
pub fn judge<'a>(files: &[RuleFile], set: &RuleSet<'a>) -> Judged<'a> {
    let mut judged = Judged::default();
    let found = &mut judged.found;
    for file in files {
        found.findings.extend(file.findings.iter().cloned());
        found.unknown.extend(file.unknown.iter().cloned());
    }
    found.checked("alerts", set.alerts().count());
    found.checked("rules", set.rules.len());
    for placed in set.rules.iter().copied() {
        let mut wrong = functions::check(set, placed);
        // What an expression says twice is wrong once.
        let mut seen = BTreeSet::new();
        wrong.retain(|one| seen.insert((one.id, one.why.clone())));
        found.findings.extend(wrong);
        found.findings.extend(timing::ranges(set, placed));
        found.findings.extend(timing::interval(placed));
        let (late, unknown) = timing::recorded(set, placed);
        found.findings.extend(late);
        found.unknown.extend(unknown);
        if !placed.rule.is_alert {
            continue;
        }
        let (fires, unknown) = fires::check(set, placed);
        found.unknown.extend(unknown);
        let is_never = fires.as_ref().is_some_and(|(_, claim)| *claim == Claim::NeverFires);
        if let Some((finding, claim)) = fires {
            judged.claims.push((found.findings.len(), placed, claim));
            found.add(finding);
        }
        if !is_never {
            found.findings.extend(fires::too_short(placed));
        }
        found.findings.extend(timing::hold(set, placed).filter(|_| !is_never));
        found.findings.extend(words::labels(set, placed));
        found.findings.extend(words::annotations(set, placed));
        found.findings.extend(words::units(placed));
    }
    found.findings.extend(words::vocabulary(set));
    found.findings.extend(duplicates::check(set));
    judged
}
