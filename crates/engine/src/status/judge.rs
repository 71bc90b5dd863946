//! From readings to a verdict, a headline, and the next command. Pure.

use crate::incident::summary::IncidentSummary;
use crate::slo::status::SloStatus;
use crate::status::Gathered;
use crate::status::headline::headline;
use liveops_domain::alert::group;
use liveops_domain::metric::level::Level;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::Phase;
use liveops_domain::slo::burn::Tier;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{Recommendation, Source, SourceState, Verdict};
use liveops_domain::status::{Readings, worst_level};
use liveops_domain::text::shell::word;

/// What is proposed where nothing is wrong.
pub const KEEP_LOOKING: &str = "liveops status --watch";

/// The verdict and its reasons.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub verdict: Verdict,
    pub warnings: usize,
    /// `game-us down, tick p99 18 ms (> 16ms), 2 alerts firing`.
    pub headline: String,
}

/// Judges everything that was read.
pub fn judge(gathered: &Gathered) -> Judgement {
    let Gathered { readings, sources, alerts_expected, rollouts, slos, incidents, .. } = gathered;
    let alerts_expected = *alerts_expected;
    // Who answers only in part may keep back the one thing that matters.
    let down =
        sources.iter().filter(|source| matches!(source.state, SourceState::Down | SourceState::Degraded)).count();
    let mut levels = readings.levels(alerts_expected, down);
    levels.extend(rollouts.rollouts.iter().map(level));
    levels.extend(rollouts.unseen.iter().map(|_| Level::Unknown));
    levels.extend(slos.iter().map(slo_level));
    let looked_at = levels.len();
    // One that is seen to is nothing that was measured, and makes nothing green.
    levels.extend(incidents.iter().map(IncidentSummary::level).filter(|level| *level > Level::Ok));
    let verdict = match worst_level::of_all(levels.iter().copied()) {
        Level::Critical => Verdict::Fail,
        Level::Unknown => Verdict::Unknown,
        Level::Warn => Verdict::Warn,
        Level::Ok => Verdict::Pass,
    };
    let warnings = levels.iter().filter(|level| **level == Level::Warn).count();
    Judgement { verdict, warnings, headline: headline(gathered, looked_at) }
}

/// How bad a rollout under way is by itself: what its users see, alerts and KPIs say.
fn level(row: &RolloutRow) -> Level {
    match row.phase {
        Phase::RollbackFailed => Level::Critical,
        phase if phase.is_back() => Level::Warn,
        _ if row.needs_somebody() => Level::Warn,
        _ => Level::Ok,
    }
}

/// A budget that is spent wakes nobody by itself; one that burns fast enough to page does.
pub fn slo_level(one: &SloStatus) -> Level {
    let pages = one.budget.alerting.iter().any(|pair| pair.tier == Tier::Page);
    match one.budget.level {
        Level::Critical if !pages => Level::Warn,
        level => level,
    }
}

/// What helps with the objective that stands worst.
pub fn slo_step(slos: &[SloStatus]) -> Option<Recommendation> {
    let bad = slos.iter().filter(|one| matches!(one.budget.level, Level::Critical | Level::Warn));
    let worst = bad.max_by_key(|one| slo_level(one))?;
    let command = format!("liveops slo budget {} --explain", word(&worst.slo.name));
    Some(Recommendation::new(format!("{} loses its error budget", worst.slo.name), command))
}

/// What to do next, the most urgent first. Where there is a file, nothing writes one over it.
pub fn next(
    readings: &Readings,
    sources: &[Source],
    presets: bool,
    configured: bool,
    has_file: bool,
) -> Vec<Recommendation> {
    let mut next = Vec::new();
    if !configured {
        for (why, command) in [
            match has_file {
                true => ("liveops.yaml names nothing to look at", "liveops config show --origin"),
                false => ("nothing is configured yet", "liveops init"),
            },
            ("look without any file", "liveops status --prometheus URL"),
            ("try it on a simulated service", "liveops demo"),
        ] {
            next.push(Recommendation::new(why, command));
        }
        return next;
    }
    let loud = readings.alerts().filter(|alert| worst_level::of_alert(alert).is_some());
    if let Some(first) = group(loud).first() {
        next.push(Recommendation::new(
            "the first alert to fire",
            format!("liveops alerts explain {}", word(first.name)),
        ));
    }
    if let Some(service) = worst_service(readings) {
        next.push(Recommendation::new(
            format!("{service} is not healthy"),
            format!("liveops health detailed --service {}", word(service)),
        ));
    }
    let bad = readings
        .kpis
        .iter()
        .filter(|reading| matches!(reading.level, Level::Critical | Level::Warn))
        .max_by_key(|reading| reading.level);
    if let Some(reading) = bad {
        let command = format!("liveops query --kpi {} --plot --changes", word(&reading.kpi.name));
        next.push(Recommendation::new(format!("{} is above its threshold", reading.kpi.title()), command));
    }
    let faulty = readings.flags.as_ref().and_then(|flags| flags.errors.first());
    if let Some(error) = faulty {
        next.push(Recommendation::new(
            format!("flag {} does not do what it says", error.flag),
            format!("liveops flag lint {}", word(&error.flag)),
        ));
    }
    if readings.flags.as_ref().is_some_and(|flags| !flags.gone.is_empty()) {
        next.push(Recommendation::new("flags are gone that nobody removed", "liveops flag list"));
    }
    let trouble = sources.iter().any(|source| source.state != SourceState::Ok);
    let gaps = readings.kpis.iter().any(|reading| reading.level == Level::Unknown)
        || !readings.alert_gaps.is_empty()
        || !readings.alert_faults.is_empty();
    let targets = readings.targets.as_ref().is_some_and(|targets| !targets.down.is_empty());
    if trouble || gaps || targets {
        next.push(Recommendation::new("some sources do not answer, or lack data", "liveops doctor"));
    }
    if presets && !has_file {
        next.push(Recommendation::new("name your own KPIs and thresholds", "liveops init"));
    }
    if next.is_empty() {
        next.push(Recommendation::new("keep looking", KEEP_LOOKING));
    }
    next
}

fn worst_service(readings: &Readings) -> Option<&str> {
    let worst = readings
        .services
        .iter()
        .filter(|service| service.state != ServiceState::Healthy)
        .max_by_key(|service| service.level());
    worst.map(|service| service.name.as_str())
}
