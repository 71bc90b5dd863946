//! The same at another time: KPIs, alerts and targets as Prometheus kept them, changes and incidents from the journals.
//! What nobody keeps, such as the health of a service, is left out.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::observe::{flags, only_for, prometheus};
use crate::session::Session;
use crate::status::{Gathered, records};
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::error::Result;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::{Answer, Queried};
use liveops_domain::rollout::overview::RolloutOverview;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::status::{Readings, Targets};

/// What cannot be known of another time, in words.
pub const NOT_KEPT: &str = "not kept: health of services, silences, rollouts, error budgets";

/// Everything that is known of that time.
///
/// # Errors
/// Those of the configuration; `Unconfigured` without a Prometheus, which alone keeps values.
pub async fn gather_at(only: &[String], cx: &Session, at: DateTime<Utc>) -> Result<Gathered> {
    let began = Instant::now();
    let http = cx.http()?;
    http.restart();
    let client = Prometheus::new(http, cx.prometheus()?, Effort::Quick);
    let concerns = |kpi: &&Kpi| only.is_empty() || kpi.service.as_ref().is_none_or(|name| only.contains(name));
    let kpis: Vec<Kpi> = cx.kpis()?.iter().filter(concerns).cloned().collect();
    let (said, fired, since, up, flags) = tokio::join!(
        prometheus::ask(cx, &kpis, Some(at)).boxed_local(),
        client.instant("ALERTS", Some(at)),
        client.instant("ALERTS_FOR_STATE", Some(at)),
        client.instant("up", Some(at)),
        flags::changes_until(cx, at),
    );
    let mut warnings = said.warnings;
    let partial = |answer: &Result<Queried>| answer.as_ref().ok().and_then(|answer| Some(answer.partial()?.to_owned()));
    let alert_gaps = match &fired {
        Err(error) => Some(format!("what fired is not known: {error}")),
        Ok(_) => partial(&fired).map(|why| format!("what fired is known in part: {why}")),
    };
    warnings.extend(partial(&up).map(|why| format!("prometheus, on the targets: {why}")));
    let is_up = said.source.state != SourceState::Down;
    let mut readings = Readings {
        kpis: said.kpis,
        alerts: fired.ok().map(|fired| Arc::new(alerts(fired, since.ok()))),
        alert_gaps: alert_gaps.into_iter().collect(),
        targets: up.ok().map(targets).filter(|known| known.up > 0 || !known.down.is_empty()),
        ..Readings::default()
    };
    if !is_up {
        let why = said.source.error.clone().unwrap_or_default();
        let unknown = |kpi| {
            liveops_domain::status::KpiReading::unknown(kpi, liveops_domain::status::Origin::Prometheus, why.clone())
        };
        readings.kpis = kpis.into_iter().map(unknown).collect();
    }
    let has_values = readings.kpis.iter().any(|reading| reading.value.is_some());
    if readings.targets.is_none() && !has_values && readings.alerts.as_ref().is_some_and(|alerts| alerts.is_empty()) {
        // No alert in a time without any sample is no calm.
        readings.alert_gaps.push("Prometheus has no samples of that time".into());
    }
    if cx.are_kpis_presets()? {
        readings.kpis.retain(|reading| reading.value.is_some());
    }
    only_for(only, &mut readings);
    let records = records::read_at(cx, at)?;
    let sources: Vec<Source> = [said.source].into_iter().chain(records.journals).collect();
    Ok(Gathered {
        readings,
        sources,
        warnings,
        alerts_expected: true,
        targets_expected: !is_up,
        presets: cx.are_kpis_presets()?,
        changes: flags::merge(records.changes, flags),
        suspects: Vec::new(),
        incidents: records.incidents,
        postmortem: None,
        rollouts: RolloutOverview::default(),
        slos: Vec::new(),
        took: began.elapsed(),
    })
}

/// The alerts that Prometheus' own series say were pending or firing. What Alertmanager made of them is not kept.
fn alerts(fired: Queried, since: Option<Queried>) -> Vec<Alert> {
    let (Answer::Vector(fired), since) = (fired.answer, since.map(|since| since.answer)) else {
        return Vec::new();
    };
    let began = |labels: &Labels| {
        let Some(Answer::Vector(series)) = &since else {
            return None;
        };
        let same = series.iter().find(|one| {
            let own = |labels: &Labels| -> Labels {
                let rest = labels.iter().filter(|(name, _)| !matches!(name.as_str(), "__name__" | "alertstate"));
                rest.map(|(name, value)| (name.clone(), value.clone())).collect()
            };
            own(&one.labels) == own(labels)
        });
        let seconds = same?.points.last()?.value.float()?;
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a time that is near")]
        DateTime::from_timestamp(seconds as i64, 0)
    };
    let alert = |labels: &Labels| {
        let mut own = labels.clone();
        own.remove("__name__");
        let state = own.remove("alertstate").unwrap_or_default();
        Alert {
            name: labels.get("alertname").cloned().unwrap_or_default(),
            state: if state == "firing" { AlertState::Firing } else { AlertState::Pending },
            severity: labels.get("severity").cloned(),
            since: began(labels),
            labels: own,
            annotations: Labels::new(),
            runbook: None,
            fingerprint: None,
            silenced_by: Vec::new(),
            inhibited_by: Vec::new(),
            muted_by: Vec::new(),
            receivers: Vec::new(),
            delivery: None,
        }
    };
    fired.iter().map(|series| alert(&series.labels)).collect()
}

fn targets(up: Queried) -> Targets {
    let mut counted = Targets::default();
    let Answer::Vector(series) = up.answer else {
        return counted;
    };
    for one in series {
        let label = |name: &str| one.labels.get(name).map_or("?", String::as_str);
        match one.points.last().and_then(|point| point.value.float()) {
            Some(value) if value > 0.5 => counted.up += 1,
            Some(_) => counted.down.push((format!("{} {}", label("job"), label("instance")), String::new())),
            None => {}
        }
    }
    counted.down.sort();
    counted
}

/// So far apart are two looks at what nobody has seen.
pub const STEP: TimeDelta = TimeDelta::minutes(1);
