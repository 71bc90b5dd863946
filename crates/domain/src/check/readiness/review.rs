//! The document of an operational review: what stands in the way of a deployment, and what it costs to leave it.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::check::finding::{Finding, Level};
use crate::check::manifest::outcome::Outcomes;
use crate::check::readiness::score::Score;
use crate::check::readiness::{RULES, rule_of};

/// How a document of ours begins: only such a one is written over.
pub const MARK: &str = "<!-- liveops check readiness -->";

/// Chapters, and the rules that belong in them.
const CHAPTERS: &[(&str, &[&str])] = &[
    ("Deployment safety", &["K01", "K02", "K03", "K04", "K06", "K09", "K10", "K13", "Q03", "O05"]),
    ("Configuration", &["K11", "K12", "K15", "K16", "Q05"]),
    ("Resources and availability", &["K05", "K07", "K08", "K14", "K17", "K18", "Q04", "Q06"]),
    ("Error handling", &["Q01", "Q02"]),
    ("Operations", &["O01", "O02", "O03", "O06", "O07"]),
    ("Rollback", &["K10", "O04"]),
    ("Cost", &["Q07"]),
];

/// The document.
pub fn document(subject: &str, outcomes: &Outcomes, score: Option<&Score>, now: DateTime<Utc>) -> String {
    let mut text = format!("{MARK}\n# Operational review: {subject}\n\n");
    let counting = || outcomes.found.findings.iter().filter(|finding| finding.counts());
    let _ = writeln!(text, "Reviewed {} by `liveops check readiness`.\n", now.format("%Y-%m-%d %H:%M UTC"));
    let _ = writeln!(text, "## Summary\n");
    match score {
        Some(score) => {
            let _ = writeln!(text, "Score: **{}**.", score.text());
        }
        None => text.push_str("No rule applied.\n"),
    }
    let numbers: Vec<String> = Level::ALL
        .iter()
        .map(|level| format!("{} {}", counting().filter(|finding| finding.level == *level).count(), level.name()))
        .collect();
    let _ = writeln!(text, "Findings: {}; {} unknown.\n", numbers.join(", "), outcomes.found.unknown.len());
    text.push_str("| area | state |\n|---|---|\n");
    for (chapter, rules) in CHAPTERS {
        let _ = writeln!(text, "| {chapter} | {} |", state(outcomes, rules));
    }
    for level in Level::ALL {
        let found: Vec<&Finding> = counting().filter(|finding| finding.level == level).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n## {} ({})", level.name(), found.len());
        for finding in found {
            let place = finding.place().map_or_else(String::new, |place| format!(" (`{place}`)"));
            let title = rule_of(finding.id).map_or("", |rule| rule.info.title);
            let _ = writeln!(text, "\n### {} {title}: {}{place}\n", finding.id, plain(&finding.subject));
            let _ = writeln!(text, "- **Risk:** {}", plain(&finding.why));
            if let Some(rule) = rule_of(finding.id) {
                let _ = writeln!(text, "- **Impact:** {}", rule.info.why);
            }
            if let Some(fix) = &finding.fix {
                let _ = writeln!(text, "- **Fix:** {}", plain(fix));
            }
        }
    }
    if !outcomes.found.unknown.is_empty() {
        text.push_str("\n## Not known\n\n");
        for unknown in &outcomes.found.unknown {
            let _ = writeln!(text, "- {} {}: {}", unknown.id, plain(&unknown.subject), plain(&unknown.why));
        }
    }
    let accepted: Vec<_> = outcomes.found.findings.iter().filter_map(|one| Some((one, one.waived.as_ref()?))).collect();
    if !accepted.is_empty() {
        text.push_str("\n## Accepted\n\n");
        for (finding, by) in accepted {
            let _ = writeln!(
                text,
                "- {} {}: {} until {}: {}",
                finding.id,
                plain(&finding.subject),
                by.owner,
                by.until,
                by.reason
            );
        }
    }
    let _ = writeln!(text, "\n## Recommendation\n\n{}", recommendation(outcomes, score));
    text
}

/// Text of others in Markdown: no line of it begins something.
fn plain(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('<', "&lt;")
}

fn state(outcomes: &Outcomes, rules: &[&str]) -> String {
    let tallies = || rules.iter().filter_map(|id| outcomes.rules.get(id));
    match tallies().filter_map(|tally| tally.failed).max() {
        Some(level) => level.name().to_owned(),
        None if tallies().any(|tally| tally.unknown > 0) => "unknown".into(),
        None if tallies().any(|tally| tally.passed > 0) => "good".into(),
        None => "does not apply".into(),
    }
}

fn recommendation(outcomes: &Outcomes, score: Option<&Score>) -> String {
    let blockers: Vec<&str> = RULES
        .iter()
        .filter(|rule| outcomes.rules.get(rule.info.id).is_some_and(|tally| tally.failed == Some(Level::Blocker)))
        .map(|rule| rule.info.title)
        .collect();
    match score {
        _ if !blockers.is_empty() => format!("**Do not deploy.** First: {}.", blockers.join("; ").to_lowercase()),
        Some(score) if score.low >= 90 => "Deploy.".into(),
        Some(score) if score.high >= 90 => "Find out what is not known, then deploy.".into(),
        Some(score) if score.low >= 70 => "Deploy, and close the gaps above on a date.".into(),
        Some(_) => "Close what is HIGH first.".into(),
        None => "Nothing was judged.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocker_is_what_the_review_recommends_against() {
        let mut out = Outcomes::default();
        out.pass("K01");
        out.add(
            Finding::new("K02", Level::Blocker, "Deployment/game", "no <probe>\n# x").at("a.yaml", 7).fix("add one"),
        );
        out.unknown("O03", "game", "slo files cannot be read");
        let now = "2026-11-30T12:00:00Z".parse().expect("a time");
        let text = document("game", &out, Score::of(&out).as_ref(), now);
        for part in [
            "# Operational review: game",
            "1 BLOCKER, 0 HIGH",
            "### K02 Health checks: Deployment/game (`a.yaml:7`)",
            "- **Risk:** no &lt;probe> # x",
            "| Deployment safety | BLOCKER |",
            "- O03 game: slo files cannot be read",
            "**Do not deploy.** First: health checks.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
