//! The second at which an alert fires when a known part of all requests begins to fail: what a rule test claims.
//!
//! Events come at a constant rate, counters are scraped and rules evaluated together. The share of bad events in the
//! long window grows linearly from the first bad sample on, and the alert fires at the first evaluation at which it is
//! strictly above the threshold and enough events are bad. Where the history is shorter than the window, there is
//! nothing before it to extrapolate to: the counters began at zero.

use crate::slo::burn::Pair;
use crate::slo::objective::Objective;

/// Counters that grow evenly; from some moment on a part of what they count is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scene {
    /// Seconds between two scrapes, and between two evaluations.
    pub scrape: u64,
    /// Events between two scrapes.
    pub events: u64,
    /// How many of them are bad.
    pub bad: u64,
    /// Intervals between scrapes before the failure.
    pub history: u64,
}

/// How the good side is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Bad events have a counter, which was zero before.
    Bad,
    /// They are all events less the good ones.
    Rest,
}

impl Scene {
    /// Seconds from the first sample with bad events, exclusive of that interval, to the firing alert; none when it
    /// never fires, or when rounding or the version of Prometheus decides which sample it is.
    ///
    /// A full window holds `n` intervals between samples for Prometheus 2 (closed on the left), and `n - 1` for
    /// Prometheus 3 (open), which extrapolates: where the bad counter was zero, that cancels out.
    pub fn fires_after(&self, pair: &Pair, objective: Objective, min_bad: u32, counting: Counting) -> Option<u64> {
        let intervals = pair.long.as_secs() / self.scrape;
        let closed = self.first(pair, objective, min_bad, intervals)?;
        let open = match counting {
            Counting::Bad => closed,
            Counting::Rest => self.first(pair, objective, min_bad, intervals - 1)?,
        };
        (closed == open).then_some(closed * self.scrape)
    }

    /// The first scrape at which all conditions hold.
    fn first(&self, pair: &Pair, objective: Objective, min_bad: u32, intervals: u64) -> Option<u64> {
        let threshold: f64 = objective.threshold(pair.factor).parse().ok()?;
        for scrapes in 1..=intervals {
            let bad = self.bad * scrapes;
            let total = self.events.checked_mul(intervals.min(self.history + scrapes))?;
            #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
            let share = bad as f64 / total as f64;
            if (share - threshold).abs() < threshold * 1e-9 {
                // Equal: which way it falls is the rounding's.
                return None;
            }
            if share > threshold && bad >= u64::from(min_bad) {
                return Some(scrapes);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::slo::burn::pairs;

    /// Measured with promtool 2.42: 99.9 %, 1h/5m, 14.4 times, a hundred requests a second.
    #[test]
    fn the_second_is_that_of_promtool() {
        let pair = pairs(Duration::from_secs(30 * 86_400))[0];
        let objective = Objective::parse("99.9%").expect("an objective");
        for (scrape, share, want) in
            [(15, 100, 60), (30, 100, 60), (60, 100, 60), (5, 100, 55), (15, 50, 105), (15, 10, 525)]
        {
            let events = 100 * scrape;
            let scene = Scene { scrape, events, bad: events * share / 100, history: 3_600 / scrape };
            assert_eq!(scene.fires_after(&pair, objective, 0, Counting::Bad), Some(want), "{scrape} {share}");
        }
        // One request in ten seconds: the third that fails.
        let scene = Scene { scrape: 10, events: 1, bad: 1, history: 360 };
        assert_eq!(scene.fires_after(&pair, objective, 3, Counting::Bad), Some(60));
        assert_eq!(scene.fires_after(&pair, objective, 9, Counting::Bad), Some(90));
        // Half an hour of history: half as many bad ones are as large a share.
        assert_eq!(Scene { history: 180, ..scene }.fires_after(&pair, objective, 0, Counting::Bad), Some(30));
        assert_eq!(Scene { bad: 0, ..scene }.fires_after(&pair, objective, 3, Counting::Bad), None);
    }
}
