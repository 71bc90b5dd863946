//! The first line of a status: what is wrong, by its names.

use std::collections::HashMap;

use crate::incident::summary::IncidentSummary;
use crate::slo::status::SloStatus;
use crate::status::Gathered;
use crate::status::judge::slo_level;
use liveops_domain::alert::union::TELLS_NOBODY;
use liveops_domain::alert::{Alert, group};
use liveops_domain::incident::deadline::Duty;
use liveops_domain::metric::level::Level;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::Phase;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::status::{FlagsReading, KpiReading, worst_level};
use liveops_domain::text::count::count;

/// As many things are named; the rest is counted.
const NAMED: usize = 3;

/// What is wrong, the worst first.
#[derive(Default)]
struct Headline {
    parts: Vec<String>,
    named: usize,
}

impl Headline {
    /// Things of one kind: by their names while there is room, the others as a number.
    fn add(&mut self, names: Vec<String>, one: &str, many: &str) {
        self.add_all(names.into_iter().map(|name| (name, 1)).collect(), one, many);
    }

    /// The same, where a name may stand for several.
    fn add_all(&mut self, mut names: Vec<(String, usize)>, one: &str, many: &str) {
        let others = names.split_off(names.len().min(NAMED - self.named));
        let n: usize = others.iter().map(|(_, n)| n).sum();
        let more = if names.is_empty() { "" } else { "more " };
        self.named += names.len();
        self.parts.extend(names.into_iter().map(|(name, _)| name));
        self.count(n, &format!("{more}{one}"), &format!("{more}{many}"));
    }

    fn count(&mut self, n: usize, one: &str, many: &str) {
        if n > 0 {
            self.parts.push(format!("{n} {}", if n == 1 { one } else { many }));
        }
    }

    /// Alerts of one name are one thing; those that stand first in the lists are named.
    fn alerts(&mut self, alerts: &[&Alert], what: &str, one: &str, many: &str) {
        let mut names: Vec<(&str, usize)> = Vec::new();
        let mut places = HashMap::new();
        for group in group(alerts.iter().copied()) {
            let place = *places.entry(group.name).or_insert(names.len());
            match names.get_mut(place) {
                Some((_, times)) => *times += group.alerts.len(),
                None => names.push((group.name, group.alerts.len())),
            }
        }
        let named = |(name, times): (&str, usize)| match times {
            1 => (format!("{name} {what}"), 1),
            _ => (format!("{name} {what} ({})", count(times, "time")), times),
        };
        self.add_all(names.into_iter().map(named).collect(), one, many);
    }
}

/// The line; `looked_at` things were judged.
pub(super) fn headline(gathered: &Gathered, looked_at: usize) -> String {
    let Gathered { readings, sources, alerts_expected, rollouts, slos, incidents, .. } = gathered;
    let services = |state: ServiceState| {
        let all = readings.services.iter().filter(|service| service.state == state);
        all.map(|service| format!("{} {}", service.name, state.word())).collect::<Vec<_>>()
    };
    let kpis = |level| {
        let all = readings.kpis.iter().filter(|reading| reading.level == level);
        all.map(kpi).collect::<Vec<_>>()
    };
    let alerts = |level| {
        let all = readings.alerts();
        all.filter(|alert| worst_level::of_alert(alert) == Some(level)).collect::<Vec<_>>()
    };
    let rolled = |what: &str, wanted: fn(&RolloutRow) -> bool| {
        let mut places: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in rollouts.rollouts.iter().filter(|row| wanted(row)) {
            let region = row.region.as_deref();
            match places.iter_mut().find(|(service, _)| *service == row.service) {
                Some((_, regions)) => regions.extend(region),
                None => places.push((&row.service, region.into_iter().collect())),
            }
        }
        let said = |(service, regions): (&str, Vec<&str>)| {
            let place = if regions.is_empty() { String::new() } else { format!(" in {}", regions.join(", ")) };
            format!("rollout of {service} {what}{place}")
        };
        places.into_iter().map(said).collect::<Vec<_>>()
    };
    let budgets = |what: &str, wanted: fn(&SloStatus) -> bool| {
        let all = slos.iter().filter(|one| wanted(one));
        all.map(|one| format!("{} {what}", one.slo.name)).collect::<Vec<_>>()
    };
    let handled = |level, what: fn(&IncidentSummary) -> &'static str| {
        let all = incidents.iter().filter(|one| one.level() == level);
        all.map(|one| format!("incident {} {}", one.incident.id, what(one))).collect::<Vec<_>>()
    };
    let mut line = Headline::default();
    line.add(services(ServiceState::Down), "service down", "services down");
    let failed = rolled("cannot be rolled back", |row| row.phase == Phase::RollbackFailed);
    line.add(failed, "rollback failed", "rollbacks failed");
    line.alerts(&alerts(Level::Critical), "critical", "critical alert", "critical alerts");
    let lost: Vec<&Alert> = readings.alerts().filter(|alert| alert.is_undelivered()).collect();
    line.alerts(&lost, "not in Alertmanager", "alert not in Alertmanager", "alerts not in Alertmanager");
    let unpaged = handled(Level::Critical, |_| "paged nobody");
    line.add(unpaged, "incident paged nobody", "incidents paged nobody");
    line.add(kpis(Level::Critical), "KPI critical", "KPIs critical");
    line.add(services(ServiceState::Degraded), "service degraded", "services degraded");
    line.alerts(&alerts(Level::Warn), "firing", "warning alert", "warning alerts");
    line.add(kpis(Level::Warn), "KPI in warning", "KPIs in warning");
    let late = handled(Level::Warn, |one| match one.overdue().map(|due| due.duty) {
        Some(Duty::Acknowledge) => "not acknowledged in time",
        _ => "not mitigated in time",
    });
    line.add(late, "incident overdue", "incidents overdue");
    let burning = budgets("burns its error budget fast", |one| slo_level(one) == Level::Critical);
    line.add(burning, "error budget burns fast", "error budgets burn fast");
    let spent = budgets("error budget spent", |one| one.budget.remaining.as_ref().is_ok_and(|left| *left <= 0.0));
    line.add(spent, "error budget spent", "error budgets spent");
    let slow = budgets("burns its error budget slowly", |one| one.budget.level == Level::Warn);
    line.add(slow, "error budget burns slowly", "error budgets burn slowly");
    line.count(readings.targets.as_ref().map_or(0, |targets| targets.down.len()), "target down", "targets down");
    let gone = readings.flags.iter().flat_map(|flags| &flags.gone);
    line.add(gone.map(|gone| format!("flag {} gone", gone.flag)).collect(), "flag gone", "flags gone");
    let broken = readings.flags.as_ref().map_or(0, FlagsReading::broken);
    line.count(broken, "flag that services cannot read", "flags that services cannot read");
    line.add(services(ServiceState::Unknown), "service unknown", "services unknown");
    // Whoever is silent is named at the end; what hangs on that is a number.
    let silent = sources.iter().any(|source| source.state == SourceState::Down);
    let hanging = |line: &mut Headline, names: Vec<String>, one: &str, many: &str| match silent && names.len() > 1 {
        true => line.count(names.len(), one, many),
        false => line.add(names, one, many),
    };
    hanging(&mut line, kpis(Level::Unknown), "KPI unknown", "KPIs unknown");
    line.alerts(
        &alerts(Level::Unknown),
        "in an unknown state",
        "alert in an unknown state",
        "alerts in an unknown state",
    );
    let back = rolled("rolled back", |row| row.phase.is_back() && row.phase != Phase::RollbackFailed);
    line.add(back, "rollout rolled back", "rollouts rolled back");
    let waiting = rolled("waits for somebody", |row| !row.phase.is_back() && row.needs_somebody());
    line.add(waiting, "rollout waits for somebody", "rollouts wait for somebody");
    line.count(rollouts.unseen.len(), "rollout unknown", "rollouts unknown");
    let unknown = budgets("unknown", |one| one.budget.level == Level::Unknown);
    let unknown = unknown.iter().map(|one| format!("SLO {one}")).collect();
    hanging(&mut line, unknown, "SLO unknown", "SLOs unknown");
    let mut parts = line.parts;
    let (journals, sources): (Vec<&Source>, Vec<&Source>) =
        sources.iter().partition(|source| source.name == "incidents");
    let in_state = |state| {
        let all = sources.iter().filter(|source| source.state == state);
        all.map(|source| source.name.as_str()).collect::<Vec<_>>()
    };
    let (down, partly) = (in_state(SourceState::Down), in_state(SourceState::Degraded));
    if *alerts_expected && (readings.alerts.is_none() || readings.alerts_as_of.is_some()) {
        parts.push("alerts unknown".into());
    } else if !readings.alert_gaps.is_empty() && down.is_empty() {
        parts.push("alerts known in part".into());
    }
    if readings.alert_faults.len() > usize::from(!lost.is_empty()) {
        let tells_nobody = readings.alert_faults.iter().any(|fault| fault == TELLS_NOBODY);
        parts.push(if tells_nobody { "nobody is paged" } else { "notifications fail" }.into());
    }
    if !journals.is_empty() {
        parts.push("an incident cannot be read".into());
    }
    if !down.is_empty() {
        parts.push(format!("{} not answering", few(&down)));
    }
    if !partly.is_empty() {
        parts.push(format!("{} answering in part", few(&partly)));
    }
    if !parts.is_empty() {
        parts.join(", ")
    } else if looked_at == 0 {
        "nothing to look at".into()
    } else if incidents.is_empty() {
        "nothing wrong in sight".into()
    } else {
        format!("nothing measured is wrong, {} open", count(incidents.len(), "incident"))
    }
}

/// `tick p99 18.4 ms (> 16ms)`, `error rate unknown`.
fn kpi(reading: &KpiReading) -> String {
    let title = reading.kpi.title();
    let limit = match reading.level {
        Level::Critical => reading.kpi.critical.as_ref(),
        Level::Warn => reading.kpi.warn.as_ref(),
        Level::Unknown | Level::Ok => None,
    };
    let limit = limit.map_or_else(String::new, |limit| format!(" ({})", limit.text));
    match reading.value.filter(|_| reading.level != Level::Unknown) {
        Some(value) => format!("{title} {}{limit}", value.show(&reading.kpi.unit)),
        None => format!("{title} unknown"),
    }
}

/// A few sources by name, many as a number.
fn few(sources: &[&str]) -> String {
    match sources.len() {
        0..=3 => sources.join(", "),
        n => count(n, "source"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_are_named_and_the_others_counted() {
        let names = |n: usize| (0..n).map(|n| format!("s{n} down")).collect::<Vec<_>>();
        let alerts: Vec<Alert> =
            (0..100).map(|n| Alert { name: format!("A{:02}", n % 50), ..Alert::default() }).collect();
        let alerts: Vec<&Alert> = alerts.iter().collect();
        let mut line = Headline::default();
        line.add(names(1), "service down", "services down");
        line.alerts(&alerts, "critical", "critical alert", "critical alerts");
        line.add(names(4), "service degraded", "services degraded");
        assert_eq!(
            line.parts,
            [
                "s0 down",
                "A00 critical (2 times)",
                "A01 critical (2 times)",
                "96 more critical alerts",
                "4 services degraded"
            ]
        );
        let mut line = Headline::default();
        line.add(names(4), "service down", "services down");
        assert_eq!(line.parts.join(", "), "s0 down, s1 down, s2 down, 1 more service down");
    }
}
