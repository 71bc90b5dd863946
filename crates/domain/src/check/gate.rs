//! A gate's answer: findings after waivers and baseline, and whether it is open.

use chrono::NaiveDate;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::check::baseline::{Baseline, BaselineCount};
use crate::check::finding::{Finding, Findings, Level, RuleInfo, Unknown};
use crate::check::waiver::{self, Waiver, WaiverCount};
use crate::status::source::Verdict;
use crate::text::count::count;

/// When a gate is shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Findings from this level on fail.
    pub fail_on: Level,
    /// What could not be told fails, too.
    pub strict: bool,
}

/// The answer of one gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    pub findings: Vec<Finding>,
    pub unknown: Vec<Unknown>,
    pub checked: BTreeMap<&'static str, usize>,
    pub waivers: WaiverCount,
    pub baseline: Option<BaselineCount>,
    #[serde(flatten)]
    pub policy: Policy,
    /// Was anything looked at? Where all is unknown, nothing passes.
    #[serde(skip)]
    pub looked: bool,
    /// A system that was asked gave no answer: what is unknown does not pass then.
    #[serde(skip)]
    pub silent: bool,
    /// What the rules are about.
    #[serde(skip)]
    pub rules: &'static [RuleInfo],
    /// `check alerts` …: the tool's category in machine formats.
    #[serde(skip)]
    pub name: &'static str,
}

/// What is known beside the findings.
#[derive(Debug, Default)]
pub struct Around {
    pub waivers: Vec<Waiver>,
    /// What is wrong with the waivers.
    pub wrong: Vec<Finding>,
    pub baseline: Option<Baseline>,
}

impl Gate {
    /// Weighs what was found.
    pub fn weigh(
        name: &'static str,
        rules: &'static [RuleInfo],
        mut found: Findings,
        around: Around,
        policy: Policy,
        today: NaiveDate,
    ) -> Self {
        let (looked, silent) = (found.looked(), found.silent);
        let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
        let waivers = waiver::apply(&mut found, &around.waivers, &ids, today);
        found.findings.extend(around.wrong);
        found.settle();
        let baseline = around.baseline.map(|baseline| baseline.apply(&mut found));
        let Findings { findings, unknown, checked, .. } = found;
        Self { findings, unknown, checked, waivers, baseline, policy, looked, silent, rules, name }
    }

    /// Those that count.
    pub fn counting(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.counts())
    }

    /// How many count, at each level from the worst.
    pub fn levels(&self) -> [(Level, usize); 4] {
        Level::ALL.map(|level| (level, self.counting().filter(|finding| finding.level == level).count()))
    }

    /// Fail: something counts at or above the level. Unknown: not that, and something could not be told.
    pub fn verdict(&self) -> Verdict {
        if self.counting().any(|finding| finding.level >= self.policy.fail_on) {
            Verdict::Fail
        } else if !self.unknown.is_empty() {
            Verdict::Unknown
        } else if self.counting().next().is_some() {
            Verdict::Warn
        } else {
            Verdict::Pass
        }
    }

    /// The title and the reason of a rule, its own or about waivers.
    pub fn rule(&self, id: &str) -> Option<&'static RuleInfo> {
        self.rules.iter().chain(waiver::RULES).find(|rule| rule.id == id)
    }

    /// One line: what was looked at, and what came of it.
    pub fn summary(&self) -> String {
        let looked: Vec<String> =
            self.checked.iter().map(|(kind, n)| count(*n, kind.strip_suffix('s').unwrap_or(kind))).collect();
        let found: Vec<String> =
            self.levels().iter().filter(|(_, n)| *n > 0).map(|(level, n)| format!("{n} {}", level.name())).collect();
        let mut parts = vec![match found.is_empty() {
            true => "no findings".to_owned(),
            false => found.join(", "),
        }];
        if !self.unknown.is_empty() {
            parts.push(format!("{} unknown", self.unknown.len()));
        }
        let waived = self.findings.iter().filter(|finding| finding.waived.is_some()).count();
        if waived > 0 {
            let end = self.waivers.next_end.map_or_else(String::new, |end| format!(" (the next ends on {end})"));
            parts.push(format!("{waived} waived{end}"));
        }
        if let Some(BaselineCount { known, gone }) = &self.baseline {
            parts.push(format!("{known} in the baseline"));
            if *gone > 0 {
                parts.push(format!("{gone} of the baseline fixed"));
            }
        }
        format!("{}: {}", looked.join(", "), parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[RuleInfo] = &[RuleInfo { id: "A01", title: "t", why: "w" }];

    fn gate(levels: &[Level], unknown: bool, fail_on: Level) -> Gate {
        let mut found = Findings::default();
        found.checked("files", 2);
        for level in levels {
            found.add(Finding::new("A01", *level, "s", "w"));
        }
        if unknown {
            found.unknown("A01", "s", "Prometheus is down");
        }
        let policy = Policy { fail_on, strict: false };
        Gate::weigh("check alerts", RULES, found, Around::default(), policy, NaiveDate::default())
    }

    #[test]
    fn unknown_is_never_a_pass_and_a_level_below_never_fails() {
        for (levels, unknown, fail_on, verdict) in [
            (&[][..], false, Level::High, Verdict::Pass),
            (&[], true, Level::High, Verdict::Unknown),
            (&[Level::Medium], false, Level::High, Verdict::Warn),
            (&[Level::Medium], true, Level::High, Verdict::Unknown),
            (&[Level::High], true, Level::High, Verdict::Fail),
            (&[Level::Low], false, Level::Low, Verdict::Fail),
        ] {
            assert_eq!(gate(levels, unknown, fail_on).verdict(), verdict, "{levels:?} {unknown} {fail_on:?}");
        }
    }

    #[test]
    fn the_summary_counts() {
        let one = gate(&[Level::High, Level::Low, Level::Low], true, Level::High);
        assert_eq!(one.summary(), "2 files: 1 HIGH, 2 LOW, 1 unknown");
        assert_eq!(gate(&[], false, Level::High).summary(), "2 files: no findings");
    }
}
