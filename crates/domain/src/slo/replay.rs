//! What the alerts would have done: counts of the past, step by step, through the same windows, factors and guards.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::slo::burn::{Pair, Tier, pairs};
use crate::slo::expression::Component;
use crate::slo::objective::Objective;

/// Two firings that are no further apart are one episode.
const GAP: TimeDelta = TimeDelta::minutes(5);

/// A page so long before an incident was seen to begin still belongs to it.
const EARLY: TimeDelta = TimeDelta::minutes(15);

/// The growth of the counters at even steps; nothing where there was no data.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The end of the first step.
    pub start: DateTime<Utc>,
    pub step: Duration,
    /// By component: bad and all events of each step.
    pub counts: Vec<Vec<Option<(f64, f64)>>>,
}

/// What decides whether an alert fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub components: Vec<Component>,
    pub objective: Objective,
    pub window: Duration,
    pub min_bad: u32,
}

/// A time in which at least one pair fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    pub tier: Tier,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

/// An incident, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub id: String,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    /// When people knew.
    pub detected: Option<DateTime<Utc>>,
}

/// A component's sums up to each step.
struct Sums {
    bad: Vec<f64>,
    total: Vec<f64>,
    seen: Vec<usize>,
}

impl Sums {
    fn of(counts: &[Option<(f64, f64)>]) -> Self {
        let mut sums = Self { bad: vec![0.0], total: vec![0.0], seen: vec![0] };
        let (mut bad, mut total, mut seen) = (0.0, 0.0, 0);
        for count in counts {
            if let Some((b, t)) = count {
                bad += b;
                total += t;
                seen += 1;
            }
            sums.bad.push(bad);
            sums.total.push(total);
            sums.seen.push(seen);
        }
        sums
    }

    /// Bad, all, and steps with data of the window that ends with step `end`.
    fn window(&self, end: usize, steps: usize) -> (f64, f64, usize) {
        let from = (end + 1).saturating_sub(steps);
        let to = end + 1;
        (self.bad[to] - self.bad[from], self.total[to] - self.total[from], self.seen[to] - self.seen[from])
    }
}

/// The episodes of each tier, in order.
pub fn replay(history: &History, policy: &Policy) -> Vec<Episode> {
    let sums: Vec<Sums> = history.counts.iter().map(|counts| Sums::of(counts)).collect();
    let steps = history.counts.first().map_or(0, Vec::len);
    let able: Vec<Pair> = pairs(policy.window).into_iter().filter(|pair| pair.can_fire(policy.objective)).collect();
    let mut episodes = Vec::new();
    for tier in [Tier::Page, Tier::Ticket] {
        let mut open: Option<Episode> = None;
        for step in 0..steps {
            let fires =
                able.iter().filter(|pair| pair.tier == tier).any(|pair| fires(&sums, policy, pair, step, history.step));
            if !fires {
                continue;
            }
            let at = history.start + time(history.step, step);
            match &mut open {
                // A coarse step is no pause.
                Some(episode) if at - episode.end <= GAP.max(time(history.step, 2)) => episode.end = at,
                _ => {
                    episodes.extend(open.take());
                    open = Some(Episode { tier, start: at, end: at });
                }
            }
        }
        episodes.extend(open);
    }
    episodes.sort_by_key(|episode| (episode.start, episode.tier));
    episodes
}

fn time(step: Duration, n: usize) -> TimeDelta {
    let n = i32::try_from(n).unwrap_or(i32::MAX);
    TimeDelta::from_std(step).unwrap_or_default() * n
}

fn fires(sums: &[Sums], policy: &Policy, pair: &Pair, step: usize, length: Duration) -> bool {
    let steps = |window: Duration| usize::try_from(window.as_secs() / length.as_secs().max(1)).unwrap_or(1).max(1);
    let burn = |window: Duration| {
        let mut burn = 0.0;
        let mut weight = 0.0;
        for (component, sums) in policy.components.iter().zip(sums) {
            let (bad, total, _) = sums.window(step, steps(window));
            if total > 0.0 {
                burn += component.weight * (bad / total) / component.objective.budget();
                weight += component.weight;
            }
        }
        if weight > 0.0 { burn / weight } else { 0.0 }
    };
    let long = steps(pair.long);
    let bad: f64 = sums.iter().map(|sums| sums.window(step, long).0).sum();
    let covered = sums.iter().all(|sums| sums.window(step, long).2 * 2 >= long);
    bad > f64::from(policy.min_bad) - 0.5
        && covered
        && burn(pair.short) > pair.factor.get()
        && burn(pair.long) > pair.factor.get()
}

/// Pages and incidents that belong together, and those that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// Incident, its first page, and by how much that was ahead of the people, where that is known.
    pub paged: Vec<(Incident, Episode, Option<TimeDelta>)>,
    pub without_incident: Vec<Episode>,
    pub without_page: Vec<Incident>,
}

/// Joins pages with incidents.
pub fn matched(episodes: &[Episode], incidents: &[Incident]) -> Matched {
    let pages: Vec<&Episode> = episodes.iter().filter(|episode| episode.tier == Tier::Page).collect();
    let belongs =
        |page: &Episode, incident: &Incident| page.start <= incident.end && page.end >= incident.start - EARLY;
    let mut matched = Matched::default();
    for incident in incidents {
        match pages.iter().find(|page| belongs(page, incident)) {
            Some(page) => {
                let lead = incident.detected.map(|detected| detected - page.start);
                matched.paged.push((incident.clone(), **page, lead));
            }
            None => matched.without_page.push(incident.clone()),
        }
    }
    let alone = pages.iter().filter(|page| !incidents.iter().any(|incident| belongs(page, incident)));
    matched.without_incident = alone.map(|page| **page).collect();
    matched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::expression::components;
    use crate::slo::sample;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 / 60 * 60 + minute * 60, 0).expect("in range")
    }

    fn policy(min_bad: u32) -> Policy {
        let slo = sample::slo("99.9%", "30d");
        Policy { components: components(&slo), objective: slo.objective, window: slo.window.nominal(), min_bad }
    }

    fn history(minutes: usize, count: impl FnMut(usize) -> Option<(f64, f64)>) -> History {
        let counts = vec![(0..minutes).map(count).collect()];
        History { start: at(0), step: Duration::from_secs(60), counts }
    }

    #[test]
    fn an_outage_is_one_page_at_the_minute_that_the_rule_has() {
        let outage = history(1_440, |m| Some((if (600..630).contains(&m) { 600.0 } else { 0.0 }, 600.0)));
        let episodes = replay(&outage, &policy(3));
        let pages: Vec<&Episode> = episodes.iter().filter(|episode| episode.tier == Tier::Page).collect();
        assert_eq!(pages.len(), 1, "{episodes:?}");
        assert_eq!(pages[0].start, at(600));
        let incident = |id: &str, from: i64, to: i64| Incident {
            id: id.into(),
            start: at(from),
            end: at(to),
            detected: Some(at(from + 5)),
        };
        let matched = matched(&episodes, &[incident("a", 602, 640), incident("b", 900, 910)]);
        assert_eq!(matched.paged[0].2, Some(TimeDelta::minutes(7)));
        assert_eq!(matched.without_page[0].id, "b");
        assert!(matched.without_incident.is_empty());
    }

    #[test]
    fn without_data_nothing_fires_and_a_young_series_neither() {
        assert!(replay(&history(1_440, |_| None), &policy(3)).is_empty());
        let young = history(1_440, |m| (m >= 1_430).then_some((600.0, 600.0)));
        assert!(replay(&young, &policy(3)).is_empty());
    }

    /// The simulation of the SRE practice at low traffic: a healthy service at half of its budget, 36 requests an
    /// hour, 30 days, six runs.
    #[test]
    fn a_healthy_service_with_little_traffic_pages_nobody() {
        let runs = |min_bad: u32| -> usize {
            let run = |seed: u64| {
                let mut random = fastrand::Rng::with_seed(seed);
                let counts = history(30 * 1_440, |_| {
                    // 0.6 a minute, so that a minute may have none or several.
                    let all = (0..6).filter(|_| random.f64() < 0.1).count();
                    let bad = (0..all).filter(|_| random.f64() < 0.000_5).count();
                    #[expect(clippy::cast_precision_loss, reason = "at most six")]
                    Some((bad as f64, all as f64))
                });
                replay(&counts, &policy(min_bad)).iter().filter(|episode| episode.tier == Tier::Page).count()
            };
            (1..=6).map(run).sum()
        };
        // Three bad ones within six hours happen by chance once in fourteen months.
        assert!(runs(3) <= 1);
        let unguarded = runs(0);
        assert!(unguarded >= 30, "{unguarded} false pages in six months without the guard");
    }
}
