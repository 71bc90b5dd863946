//! From readings to a verdict, a headline, and the next command. Pure.

use crate::slo::status::SloStatus;
use crate::status::Gathered;
use liveops_domain::alert::{Alert, group};
use liveops_domain::metric::level::Level;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::Phase;
use liveops_domain::slo::burn::Tier;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{Recommendation, Source, SourceState, Verdict};
use liveops_domain::status::{FlagsReading, Origin, Readings, worst_level};
use liveops_domain::text::shell::word;

/// The verdict and its reasons.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub verdict: Verdict,
    pub warnings: usize,
    /// `1 service down, 2 alerts firing`.
    pub headline: String,
}

/// Judges everything that was read.
pub fn judge(gathered: &Gathered) -> Judgement {
    let Gathered { readings, sources, alerts_expected, rollouts, slos, .. } = gathered;
    let alerts_expected = *alerts_expected;
    // Who answers only in part may keep back the one thing that matters.
    let down =
        sources.iter().filter(|source| matches!(source.state, SourceState::Down | SourceState::Degraded)).count();
    let mut levels = readings.levels(alerts_expected, down);
    levels.extend(rollouts.rollouts.iter().map(level));
    levels.extend(rollouts.unseen.iter().map(|_| Level::Unknown));
    levels.extend(slos.iter().map(slo_level));
    let verdict = match worst_level::of_all(levels.iter().copied()) {
        Level::Critical => Verdict::Fail,
        Level::Unknown => Verdict::Unknown,
        Level::Warn => Verdict::Warn,
        Level::Ok => Verdict::Pass,
    };
    let warnings = levels.iter().filter(|level| **level == Level::Warn).count();
    Judgement { verdict, warnings, headline: headline(gathered, levels.len()) }
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
fn slo_level(one: &SloStatus) -> Level {
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

fn headline(gathered: &Gathered, looked_at: usize) -> String {
    let Gathered { readings, sources, alerts_expected, rollouts, slos, .. } = gathered;
    let alerts_expected = *alerts_expected;
    let services = |state| readings.services.iter().filter(|service| service.state == state).count();
    let kpis = |level| readings.kpis.iter().filter(|reading| reading.level == level).count();
    let alerts =
        |level| readings.alerts.iter().flatten().filter(|alert| worst_level::of_alert(alert) == Some(level)).count();
    let (journals, sources): (Vec<&Source>, Vec<&Source>) =
        sources.iter().partition(|source| source.name == "incidents");
    let down: Vec<&str> =
        sources.iter().filter(|source| source.state == SourceState::Down).map(|source| source.name.as_str()).collect();
    let partly: Vec<&str> = sources
        .iter()
        .filter(|source| source.state == SourceState::Degraded)
        .map(|source| source.name.as_str())
        .collect();
    let mut parts = Vec::new();
    let mut add = |n: usize, one: &str, many: &str| {
        if n > 0 {
            parts.push(format!("{n} {}", if n == 1 { one } else { many }));
        }
    };
    add(services(ServiceState::Down), "service down", "services down");
    let rolled = |wanted: fn(&RolloutRow) -> bool| {
        let all = rollouts.rollouts.iter();
        all.filter(|row| wanted(row)).count()
    };
    add(rolled(|row| row.phase == Phase::RollbackFailed), "rollback failed", "rollbacks failed");
    add(alerts(Level::Critical), "critical alert", "critical alerts");
    let lost = readings.alerts.iter().flatten().filter(|alert| alert.is_undelivered()).count();
    add(lost, "alert not in Alertmanager", "alerts not in Alertmanager");
    add(kpis(Level::Critical), "KPI critical", "KPIs critical");
    add(services(ServiceState::Degraded), "service degraded", "services degraded");
    add(alerts(Level::Warn), "alert firing", "alerts firing");
    add(kpis(Level::Warn), "KPI in warning", "KPIs in warning");
    let burning = slos.iter().filter(|one| slo_level(one) == Level::Critical).count();
    add(burning, "error budget burns fast", "error budgets burn fast");
    let spent = slos.iter().filter(|one| one.budget.remaining.as_ref().is_ok_and(|left| *left <= 0.0)).count();
    add(spent, "error budget spent", "error budgets spent");
    let slow = slos.iter().filter(|one| one.budget.level == Level::Warn).count();
    add(slow, "error budget burns slowly", "error budgets burn slowly");
    add(readings.targets.as_ref().map_or(0, |targets| targets.down.len()), "target down", "targets down");
    add(readings.flags.as_ref().map_or(0, |flags| flags.gone.len()), "flag gone", "flags gone");
    let flags = readings.flags.as_ref().map_or(0, FlagsReading::broken);
    add(flags, "flag that services cannot read", "flags that services cannot read");
    add(services(ServiceState::Unknown), "service unknown", "services unknown");
    add(kpis(Level::Unknown), "KPI unknown", "KPIs unknown");
    add(alerts(Level::Unknown), "alert in an unknown state", "alerts in an unknown state");
    add(
        rolled(|row| row.phase.is_back() && row.phase != Phase::RollbackFailed),
        "rollout rolled back",
        "rollouts rolled back",
    );
    add(
        rolled(|row| !row.phase.is_back() && row.needs_somebody()),
        "rollout waits for somebody",
        "rollouts wait for somebody",
    );
    add(rollouts.unseen.len(), "rollout unknown", "rollouts unknown");
    let unknown = slos.iter().filter(|one| one.budget.level == Level::Unknown).count();
    add(unknown, "SLO unknown", "SLOs unknown");
    if alerts_expected && (readings.alerts.is_none() || readings.alerts_as_of.is_some()) {
        parts.push("alerts unknown".into());
    } else if !readings.alert_gaps.is_empty() && down.is_empty() {
        parts.push("alerts known in part".into());
    }
    if readings.alert_faults.len() > usize::from(lost > 0) {
        parts.push("notifications fail".into());
    }
    if !journals.is_empty() {
        parts.push("an incident cannot be read".into());
    }
    if !down.is_empty() {
        parts.push(format!("{} not answering", named(&down)));
    }
    if !partly.is_empty() {
        parts.push(format!("{} answering in part", named(&partly)));
    }
    if !parts.is_empty() {
        parts.join(", ")
    } else if looked_at == 0 {
        "nothing to look at".into()
    } else {
        "nothing wrong in sight".into()
    }
}

/// A few sources by name, many as a number.
fn named(sources: &[&str]) -> String {
    match sources.len() {
        0..=3 => sources.join(", "),
        n => format!("{n} sources"),
    }
}

/// What to do next, the most urgent first.
pub fn next(readings: &Readings, sources: &[Source], presets: bool, configured: bool) -> Vec<Recommendation> {
    let mut next = Vec::new();
    if !configured {
        for (why, command) in [
            ("nothing is configured yet", "liveops init"),
            ("look without any file", "liveops status --prometheus URL"),
            ("try it on a simulated service", "liveops demo"),
        ] {
            next.push(Recommendation::new(why, command));
        }
        return next;
    }
    let loud: Vec<Alert> =
        readings.alerts.iter().flatten().filter(|alert| worst_level::of_alert(alert).is_some()).cloned().collect();
    if let Some(first) = group(&loud).first() {
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
        let command = match reading.origin {
            Origin::Prometheus => {
                format!("liveops query --kpi {} --plot", word(&reading.kpi.name))
            }
            Origin::Scrape => "liveops health metrics".into(),
        };
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
    if presets {
        next.push(Recommendation::new("name your own KPIs and thresholds", "liveops init"));
    }
    if next.is_empty() {
        next.push(Recommendation::new("keep looking", "liveops status --watch"));
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
