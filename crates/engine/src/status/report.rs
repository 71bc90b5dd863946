//! The status of an environment as data.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::session::Session;
use crate::slo::status::SloStatus;
use crate::status::Gathered;
use crate::status::judge::{Judgement, judge, next, slo_step};
use liveops_domain::alert::{Alert, group};
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::change::timeline::rank::Suspect;
use liveops_domain::error::Result;
use liveops_domain::metric::level::Level;
use liveops_domain::rollout::row::{RolloutRow, UnseenRow};
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{Recommendation, SourceState, Verdict};
use liveops_domain::status::{FlagsReading, KpiReading, Readings, worst_level};
use liveops_domain::text::cell::number;
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;

/// One look at everything.
pub struct StatusReport {
    pub project: Option<String>,
    pub environment: String,
    pub gathered: Gathered,
    pub judgement: Judgement,
    pub next: Vec<Recommendation>,
    /// The time that it is about, if that is not now.
    pub at: Option<DateTime<Utc>>,
    /// When a `--watch` looks again.
    pub watching: Option<std::time::Duration>,
}

impl StatusReport {
    /// Judges what was gathered.
    pub fn new(gathered: Gathered, cx: &Session) -> Result<Self> {
        let settings = &cx.config()?.settings;
        let judgement = judge(&gathered);
        let rollouts = &gathered.rollouts.rollouts;
        let configured = gathered.alerts_expected
            || !settings.services.is_empty()
            || !gathered.sources.is_empty()
            || !rollouts.is_empty();
        let has_file = cx.config()?.layers.project.is_some();
        let mut next = next(&gathered.readings, &gathered.sources, gathered.presets, configured, has_file);
        if let Some(step) = slo_step(&gathered.slos) {
            let place = next.len().min(1);
            next.insert(place, step);
        }
        next.splice(0..0, rollouts.iter().find(|row| row.needs_somebody()).map(waiting));
        if let Some(first) = gathered.incidents.first() {
            next.splice(0..0, first.next().into_iter().take(2));
        } else {
            // What is wrong now comes first, and a screen has few lines.
            let place = next.len().min(1);
            next.splice(place..place, gathered.postmortem.clone());
            next.splice(0..0, opening(&gathered.readings, judgement.verdict));
        }
        Ok(Self {
            project: settings.project.clone(),
            environment: settings.environment.clone(),
            gathered,
            judgement,
            next,
            at: None,
            watching: None,
        })
    }

    /// What was found.
    pub fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// Each KPI by its name, as the envelope has them.
    pub fn metrics(&self) -> Map<String, Value> {
        self.gathered.readings.kpis.iter().map(|reading| (reading.kpi.name.clone(), metric(reading))).collect()
    }

    /// A note without what its source says of itself: that is said there, once.
    pub fn beside_source<'a>(&self, note: &'a str) -> Option<&'a str> {
        let silent = self.gathered.sources.iter().filter(|source| source.state != SourceState::Ok);
        let rest = silent.map(|source| {
            let why = source.error.as_deref().unwrap_or("down");
            let rest = note.strip_suffix(why)?;
            let rest = rest.strip_suffix(": ").and_then(|rest| rest.strip_suffix(source.name.as_str())).unwrap_or(rest);
            (rest.is_empty() || rest.ends_with("; ")).then(|| rest.trim_end_matches("; "))
        });
        Some(rest.flatten().next().unwrap_or(note)).filter(|rest| !rest.is_empty())
    }

    /// Is anything in warning, beside what is unknown?
    pub fn has_warnings(&self) -> bool {
        self.judgement.warnings > 0
    }
}

/// Who has left a rollout or a ramp in the middle, or is asked by it, has to look at it first.
fn waiting(row: &RolloutRow) -> Recommendation {
    let command = if row.is_ramp() { "flag ramp status" } else { "rollout status" };
    let text = format!("the rollout of {} waits for somebody", row.service);
    Recommendation::new(text, format!("liveops {command} {}", word(&row.service)))
}

/// What a colleague would say first when something is critical, and no incident is open.
fn opening(readings: &Readings, verdict: Verdict) -> Option<Recommendation> {
    let step = |command: String| Recommendation::new("people should know", command);
    let critical = |alert: &&Alert| worst_level::of_alert(alert) == Some(Level::Critical);
    let critical = group(readings.alerts().filter(critical));
    let alert = critical.first();
    let service = readings.services.iter().find(|service| service.state == ServiceState::Down);
    match (verdict, alert, service) {
        (Verdict::Fail, Some(alert), _) => {
            Some(step(format!("liveops incident open --from-alert {}", word(alert.name))))
        }
        (Verdict::Fail, None, Some(service)) => Some(step(format!(
            "liveops incident open --sev p1 --service {} --title {}",
            word(&service.name),
            word(&format!("{} down", service.name))
        ))),
        _ => None,
    }
}

/// `data` of the envelope. Rollouts are there from the start: scripts can rely on the key.
#[derive(Serialize)]
struct Data<'a> {
    headline: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    services: Vec<Value>,
    alerts: Vec<Value>,
    alerts_as_of: Option<String>,
    alerts_unknown: &'a [String],
    alerts_faults: &'a [String],
    targets: Option<Value>,
    flags: Option<&'a FlagsReading>,
    changes: Vec<Value>,
    /// As `changes --around` has them.
    suspects: &'a [Suspect],
    rollouts: Vec<Value>,
    slos: Vec<Value>,
    /// Where it could not be looked whether there is one.
    rollouts_unknown: &'a [UnseenRow],
}

fn services(readings: &Readings) -> Vec<Value> {
    let service = |service: &liveops_domain::status::ServiceReading| json!({ "name": service.name, "state": service.state, "latency_ms": service.latency_ms, "latency": service.latency, "detail": service.detail });
    readings.services.iter().map(service).collect()
}

fn alert(alert: &Alert) -> Value {
    json!({
        "name": alert.name,
        "state": alert.state,
        "severity": alert.severity,
        "since": alert.since.map(rfc3339),
        "runbook": alert.runbook,
        "delivery": alert.delivery,
        "labels": alert.labels,
        "annotations": alert.annotations,
    })
}

fn change(change: &ChangeRecord) -> Value {
    json!({
        "id": change.id,
        "at": rfc3339(change.at),
        "by": change.by,
        "action": change.action,
        "summary": change.summary,
        "reason": reason(change),
        "state": change.state,
        "undone_by": change.undone_by,
    })
}

fn rollout(row: &RolloutRow) -> Value {
    json!({
        "id": row.id,
        "service": row.service,
        "region": row.region,
        "waves": row.fleet.as_ref().map(|fleet| &fleet.waves),
        "image": row.image,
        "phase": row.phase,
        "weight": row.weight,
        "step": row.step,
        "steps": row.steps,
        "since": rfc3339(row.since),
        "held": row.held.as_ref().map(|held| &held.text),
        "stuck": row.stuck.as_ref().map(|stuck| &stuck.text),
        "orphaned": row.orphaned,
        "holder": row.holder,
    })
}

fn metric(reading: &KpiReading) -> Value {
    let by: Map<String, Value> = reading.by.iter().map(|(label, one)| (label.clone(), number(one.value))).collect();
    let lower_bounds: Vec<&String> =
        reading.by.iter().filter(|(_, one)| one.is_lower_bound).map(|(label, _)| label).collect();
    let time = |at: Option<DateTime<Utc>>| at.map(rfc3339);
    json!({
        "title": reading.kpi.title(),
        "value": reading.value.map(|value| number(value.value)),
        "lower_bound": reading.value.is_some_and(|value| value.is_lower_bound),
        "unit": reading.kpi.unit.name(),
        "level": reading.level,
        "source": reading.origin.word(),
        "by": by,
        "by_lower_bound": lower_bounds,
        "gone": reading.gone,
        "targets": reading.freshness.newest.map(|_| reading.freshness.targets),
        "newest_sample": time(reading.freshness.newest),
        "oldest_sample": time(reading.freshness.oldest),
        "warn": reading.kpi.warn.as_ref().map(|threshold| threshold.text.clone()),
        "critical": reading.kpi.critical.as_ref().map(|threshold| threshold.text.clone()),
        "reason": reading.note,
        "as_of": time(reading.as_of),
    })
}

impl Serialize for StatusReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readings = &self.gathered.readings;
        Data {
            headline: &self.judgement.headline,
            at: self.at.map(rfc3339),
            services: services(readings),
            alerts: group(readings.alerts())
                .iter()
                .flat_map(|group| group.alerts.iter().map(|one| alert(one)))
                .collect(),
            alerts_as_of: readings.alerts_as_of.map(rfc3339),
            alerts_unknown: &readings.alert_gaps,
            alerts_faults: &readings.alert_faults,
            targets: readings.targets.as_ref().map(|targets| {
                let down = targets.down.iter().map(|(target, error)| json!({ "target": target, "error": error }));
                json!({ "up": targets.up, "unknown": targets.unknown, "down": down.collect::<Vec<_>>() })
            }),
            flags: readings.flags.as_ref(),
            changes: self.gathered.changes.iter().map(change).collect(),
            suspects: &self.gathered.suspects,
            rollouts: self.gathered.rollouts.rollouts.iter().map(rollout).collect(),
            slos: self.gathered.slos.iter().map(SloStatus::json).collect(),
            rollouts_unknown: &self.gathered.rollouts.unseen,
        }
        .serialize(serializer)
    }
}

/// Why it was made, where that was said.
pub fn reason(change: &ChangeRecord) -> Option<&str> {
    change.result.as_ref()?.get("reason")?.as_str()
}
