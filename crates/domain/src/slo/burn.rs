//! Pairs of windows and the burn rate from which each alerts (multi-window, multi-burn-rate: SRE Workbook, chapter 5).

use std::time::Duration;

use crate::slo::objective::{Factor, Objective};

const MINUTE: u64 = 60;

const HOUR: u64 = 3_600;

const DAY: u64 = 86_400;

/// From this length of the window on, a pair spends a fixed share of the budget; below, its factor would sink under 1
/// and alert a service that keeps its objective.
const SHORTEST: Duration = Duration::from_secs(28 * DAY);

/// The windows over which the burn is shown and recorded.
pub const WINDOWS: [Duration; 7] = [
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(HOUR),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(6 * HOUR),
    Duration::from_secs(DAY),
    Duration::from_secs(3 * DAY),
];

/// Who is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Ticket,
    Page,
}

impl Tier {
    /// The value of label `severity`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

/// An alert: both windows burn faster than the factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub tier: Tier,
    pub long: Duration,
    pub short: Duration,
    pub factor: Factor,
}

/// Tier, long, short, share of the budget in millionths, factor for a short window in millionths.
const TABLE: [(Tier, u64, u64, u64, u64); 4] = [
    (Tier::Page, HOUR, 5 * MINUTE, 20_000, 14_400_000),
    (Tier::Page, 6 * HOUR, 30 * MINUTE, 50_000, 6_000_000),
    (Tier::Ticket, DAY, 2 * HOUR, 100_000, 3_000_000),
    (Tier::Ticket, 3 * DAY, 6 * HOUR, 100_000, 1_000_000),
];

/// The pairs for a window of this length.
pub fn pairs(window: Duration) -> [Pair; 4] {
    TABLE.map(|(tier, long, short, share, fixed)| Pair {
        tier,
        long: Duration::from_secs(long),
        short: Duration::from_secs(short),
        factor: match window >= SHORTEST {
            true => Factor::of(share, window.as_secs(), long),
            false => Factor::millionths(fixed),
        },
    })
}

impl Pair {
    /// The share of the budget of the window that is spent before it alerts.
    pub fn spends(&self, window: Duration) -> f64 {
        self.factor.get() * self.long.as_secs_f64() / window.as_secs_f64()
    }

    /// Can it alert at all? Not where everything may fail and the burn is still below the factor.
    pub fn can_fire(&self, objective: Objective) -> bool {
        self.factor.get() * objective.budget() < 1.0
    }

    /// The half of the long window must be covered, or a young series alerts on a window that it does not have.
    pub fn least_history(&self) -> Duration {
        self.long / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_workbook_and_never_lower_than_it_for_short_windows() {
        for (days, want) in [
            (7, ["14.4", "6", "3", "1"]),
            (28, ["13.44", "5.6", "2.8", "0.933333"]),
            (30, ["14.4", "6", "3", "1"]),
            (90, ["43.2", "18", "9", "3"]),
        ] {
            let window = Duration::from_secs(days * DAY);
            assert_eq!(pairs(window).map(|pair| pair.factor.to_string()), want, "{days}");
        }
        let week = Duration::from_secs(7 * DAY);
        let spent = pairs(week).map(|pair| format!("{:.1}", pair.spends(week) * 100.0));
        assert_eq!(spent, ["8.6", "21.4", "42.9", "42.9"]);
    }

    #[test]
    fn a_pair_that_cannot_fire_says_so() {
        let page = pairs(Duration::from_secs(30 * DAY))[0];
        for (objective, want) in [("99%", true), ("90%", false), ("50%", false)] {
            assert_eq!(page.can_fire(Objective::parse(objective).unwrap()), want, "{objective}");
        }
    }
}
