//! Who is suspected of a break: each change by how soon before it, how often its kind breaks things, whether it is of
//! the same service, and how many players it reached. The reasons are given with the score.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::change::timeline::breaks::Break;
use crate::change::timeline::{Change, Kind};

/// A change that may have done it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    pub change: Change,
    /// 0 to 1; comparable within one ranking only.
    pub score: f64,
    pub reasons: Vec<String>,
}

/// Suspects below this are not worth a look.
const LEAST: f64 = 0.02;

/// How likely a kind is to break something, and how long its effect takes to show, in seconds.
fn habits(kind: Kind) -> (f64, f64) {
    match kind {
        Kind::Deploy => (1.0, 600.0),
        Kind::Migration => (0.9, 900.0),
        // Readers cache a flag for half a minute.
        Kind::Flag => (0.9, 240.0),
        Kind::Config => (0.8, 300.0),
        Kind::Scale => (0.4, 300.0),
        Kind::Restart => (0.3, 180.0),
        Kind::Other => (0.3, 300.0),
        Kind::Tag => (0.1, 900.0),
        Kind::Rules => (0.05, 120.0),
        Kind::Silence | Kind::Incident => (0.0, 60.0),
    }
}

/// The suspects of a break, the likeliest first. `service` is the one that the KPI is of.
pub fn rank(changes: &[Change], broken: &Break, service: Option<&str>) -> Vec<Suspect> {
    let mut suspects: Vec<Suspect> = changes
        .iter()
        .filter_map(|change| judge(change, broken, service))
        .filter(|suspect| suspect.score >= LEAST)
        .collect();
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.change.at.cmp(&a.change.at)));
    suspects
}

fn judge(change: &Change, broken: &Break, service: Option<&str>) -> Option<Suspect> {
    let (habit, slowness) = habits(change.kind);
    // What came after the break cannot have made it; within a step of the series nobody can tell. Where nothing was
    // measured, the break may be at the begin of that.
    let is_in_gap = broken.is_in_a_gap();
    let step = if is_in_gap { TimeDelta::zero() } else { broken.at - broken.after };
    if change.at > broken.at + step / 2 {
        return None;
    }
    let begin = if is_in_gap { broken.after } else { broken.at };
    let before = seconds(begin, change.at).max(0.0);
    let mut score = habit * (-before / slowness).exp();
    let mut reasons = vec![match (change.at > begin, is_in_gap) {
        (true, true) => "while nothing was measured".to_owned(),
        (true, false) => "at the break".to_owned(),
        (false, _) => format!("{} before the break", compact(before)),
    }];
    match (service, &change.service) {
        (Some(wanted), Some(found)) if wanted == found => reasons.push("same service".into()),
        (Some(_), Some(found)) => {
            score *= 0.35;
            reasons.push(format!("another service: {found}"));
        }
        _ => score *= 0.8,
    }
    if let Some(share) = change.share {
        // A change that nobody sees does nothing; one that a tenth sees can do much.
        score *= (share / 100.0).clamp(0.0, 1.0).powf(0.25);
        reasons.push(format!("player share {share} %"));
    }
    Some(Suspect { change: change.clone(), score, reasons })
}

/// `12s`, `4m 10s`: no more than is known.
fn compact(seconds: f64) -> String {
    let whole = std::time::Duration::from_secs_f64(seconds.max(0.0).round());
    crate::text::duration::human(whole)
}

fn seconds(later: DateTime<Utc>, earlier: DateTime<Utc>) -> f64 {
    let between: TimeDelta = later - earlier;
    between.num_milliseconds() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::timeline::breaks::find;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_768_473_000 + seconds, 0).expect("in range")
    }

    fn change(seconds: i64, kind: Kind, service: Option<&str>, share: Option<f64>) -> Change {
        Change {
            service: service.map(ToOwned::to_owned),
            share,
            ..Change::new(at(seconds), kind, "test", format!("{kind:?} at {seconds}"))
        }
    }

    fn broken(seconds: i64) -> Break {
        Break { at: at(seconds), after: at(seconds - 30), from: 1.0, to: 2.0, sigmas: 9.0, hurts: None, over: false }
    }

    #[test]
    fn the_near_change_of_the_same_service_leads_with_its_reasons() {
        let changes = [
            change(-1800, Kind::Deploy, Some("game"), None),
            change(-12, Kind::Flag, Some("game"), Some(10.0)),
            change(-20, Kind::Deploy, Some("lobby"), None),
            change(-5, Kind::Silence, Some("game"), None),
            change(60, Kind::Deploy, Some("game"), None),
        ];
        let suspects = rank(&changes, &broken(0), Some("game"));
        assert_eq!(suspects[0].change.kind, Kind::Flag);
        assert_eq!(suspects[0].reasons, ["12s before the break", "same service", "player share 10 %"]);
        assert!(suspects.iter().all(|s| s.change.kind != Kind::Silence && s.change.at <= at(0)));
    }

    #[test]
    fn a_flag_that_nobody_has_is_no_suspect() {
        let changes = [change(-12, Kind::Flag, Some("game"), Some(0.0))];
        assert_eq!(rank(&changes, &broken(0), Some("game")), []);
    }

    /// Generated histories: two hours at 30 s, noise, one break of 5 to 12 deviations that one change made, and a dozen
    /// other changes. Prints the rates; the floors are well below what is measured.
    #[test]
    fn the_culprit_is_found_in_generated_histories() {
        const RUNS: u32 = 400;
        let mut random = fastrand::Rng::with_seed(20_260_115);
        let kinds = [Kind::Deploy, Kind::Flag, Kind::Config, Kind::Scale, Kind::Restart, Kind::Rules, Kind::Silence];
        let services = ["game", "lobby", "chat"];
        let (mut found, mut first, mut third) = (0, 0, 0);
        for _ in 0..RUNS {
            let cause = random.i64(2_400..6_000);
            let culprit_kind = kinds[random.usize(..3)];
            let delay = random.i64(5..120);
            let noise = 0.5 + random.f64();
            let shift = noise * (5.0 + 7.0 * random.f64());
            let points: Vec<_> = (0..240)
                .map(|n| {
                    let second = n * 30;
                    // The sum of twelve uniform numbers is close to normal, with variance 1.
                    let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
                    let level = if second >= cause + delay { shift } else { 0.0 };
                    (at(second), 20.0 + level + normal * noise)
                })
                .collect();
            let mut changes = vec![Change {
                what: "culprit".into(),
                ..change(cause, culprit_kind, Some("game"), (culprit_kind == Kind::Flag).then_some(25.0))
            }];
            for _ in 0..12 {
                let service = services[random.usize(..3)];
                let kind = kinds[random.usize(..kinds.len())];
                changes.push(change(random.i64(0..7_200), kind, Some(service), None));
            }
            let Some(broken) = find(&points, None) else {
                continue;
            };
            if (broken.at - at(cause + delay)).num_seconds().abs() <= 60 {
                found += 1;
            }
            let suspects = rank(&changes, &broken, Some("game"));
            let place = suspects.iter().position(|s| s.change.what == "culprit");
            first += u32::from(place == Some(0));
            third += u32::from(place.is_some_and(|place| place < 3));
        }
        let share = |n: u32| f64::from(n) * 100.0 / f64::from(RUNS);
        println!(
            "suspects of a break ({RUNS} generated histories, 13 changes each): break within 60 s {:.1} %, culprit first {:.1} %, among the first three {:.1} %",
            share(found),
            share(first),
            share(third)
        );
        assert!(share(found) >= 90.0, "{found}");
        assert!(share(first) >= 70.0, "{first}");
        assert!(share(third) >= 90.0, "{third}");
    }
}
