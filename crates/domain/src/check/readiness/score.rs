//! The score of a service: an interval, since what is not known may be good or bad.

use serde::Serialize;

use crate::check::finding::Level;
use crate::check::manifest::outcome::{Outcomes, Tally};
use crate::check::readiness::RULES;

/// What a reader makes of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Band {
    Unacceptable,
    MajorRisks,
    Concerns,
    MinorGaps,
    Excellent,
}

impl Band {
    fn of(score: u32) -> Self {
        match score {
            90.. => Self::Excellent,
            70..90 => Self::MinorGaps,
            50..70 => Self::Concerns,
            30..50 => Self::MajorRisks,
            _ => Self::Unacceptable,
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Unacceptable => "unacceptable to deploy",
            Self::MajorRisks => "major risks",
            Self::Concerns => "concerns",
            Self::MinorGaps => "minor gaps",
            Self::Excellent => "excellent",
        }
    }
}

/// From the lowest that it can be to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Score {
    pub low: u32,
    pub high: u32,
    /// Rules of which nobody knows.
    pub unknown: usize,
    /// Rules that do not hold with something that blocks.
    pub blockers: usize,
    pub band: Band,
}

fn weight(level: Level) -> u32 {
    match level {
        Level::Blocker => 10,
        Level::High => 6,
        Level::Medium => 3,
        Level::Low => 1,
    }
}

impl Score {
    /// Of the rules that apply; `None` when none does.
    pub fn of(outcomes: &Outcomes) -> Option<Self> {
        let (mut all, mut lost, mut open, mut unknown, mut blockers) = (0, 0, 0, 0, 0);
        for rule in RULES {
            let Some(Tally { passed, failed, unknown: missing }) = outcomes.rules.get(rule.info.id).copied() else {
                continue;
            };
            if passed == 0 && failed.is_none() && missing == 0 {
                continue;
            }
            let full = weight(rule.weight);
            all += full;
            let gone = failed.map_or(0, |level| weight(level).min(full));
            lost += gone;
            if missing > 0 {
                unknown += 1;
                open += full - gone;
            }
            blockers += usize::from(failed == Some(Level::Blocker));
        }
        Self::of_points((all, lost, open), unknown, blockers)
    }

    /// Of checks that hold or do not, each with its weight.
    pub fn of_checks(checks: impl Iterator<Item = (Level, bool)>) -> Option<Self> {
        let (mut all, mut lost, mut blockers) = (0, 0, 0);
        for (level, holds) in checks {
            all += weight(level);
            lost += if holds { 0 } else { weight(level) };
            blockers += usize::from(!holds && level == Level::Blocker);
        }
        Self::of_points((all, lost, 0), 0, blockers)
    }

    fn of_points((all, lost, open): (u32, u32, u32), unknown: usize, blockers: usize) -> Option<Self> {
        if all == 0 {
            return None;
        }
        let percent = |points: u32| (points * 100 + all / 2) / all;
        let (low, high) = (percent(all - lost - open), percent(all - lost));
        let band = if blockers > 0 { Band::Unacceptable } else { Band::of(low) };
        Some(Self { low, high, unknown, blockers, band })
    }

    /// `74–86 of 100 (3 unknown): minor gaps`.
    pub fn text(&self) -> String {
        let number = match self.low == self.high {
            true => format!("{} of 100", self.low),
            false => format!("{}–{} of 100 ({} unknown)", self.low, self.high, self.unknown),
        };
        format!("{number}: {}", self.band.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(rules: &[(&'static str, usize, Option<Level>, usize)]) -> Outcomes {
        let tally = |(id, passed, failed, unknown): &(&'static str, usize, Option<Level>, usize)| {
            (*id, Tally { passed: *passed, failed: *failed, unknown: *unknown })
        };
        Outcomes { rules: rules.iter().map(tally).collect(), ..Outcomes::default() }
    }

    #[test]
    fn a_score_is_an_interval_and_a_blocker_cannot_be_averaged_away() {
        let all: Vec<(&str, usize, Option<Level>, usize)> =
            RULES.iter().map(|rule| (rule.info.id, 1, None, 0)).collect();
        let perfect = Score::of(&outcomes(&all)).expect("rules");
        assert_eq!((perfect.low, perfect.high, perfect.band), (100, 100, Band::Excellent));
        let mut blocked = all.clone();
        blocked[1].2 = Some(Level::Blocker);
        let blocked = Score::of(&outcomes(&blocked)).expect("rules");
        assert!(blocked.low > 90 && blocked.band == Band::Unacceptable, "{blocked:?}");
        let mut open = all.clone();
        open[1] = ("K02", 0, None, 1);
        let open = Score::of(&outcomes(&open)).expect("rules");
        assert!(open.low < 100 && open.high == 100 && open.unknown == 1, "{open:?}");
        assert_eq!(Score::of(&outcomes(&[])), None);
        let checks = |blocker: bool| [(Level::Blocker, blocker), (Level::High, true), (Level::Medium, false)];
        let score = |blocker| Score::of_checks(checks(blocker).into_iter()).map(|score| score.text());
        assert_eq!(score(true).as_deref(), Some("84 of 100: minor gaps"));
        assert_eq!(score(false).as_deref(), Some("32 of 100: unacceptable to deploy"));
        assert_eq!(Score::of_checks(std::iter::empty()), None);
        // A small finding of a heavy rule costs little.
        let minor = Score::of(&outcomes(&[("K05", 1, Some(Level::Low), 0)])).expect("rules");
        assert_eq!((minor.low, minor.text().as_str()), (90, "90 of 100: excellent"));
    }
}
