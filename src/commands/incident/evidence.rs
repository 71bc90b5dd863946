//! What can be seen at the opening, kept with its values, so that the story outlives the metrics' retention; and whether
//! things have recovered at the end. Each dependency that is dead is noted as unknown, and holds nothing up.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::change::audit_log;
use crate::clients::http::Effort;
use crate::clients::prometheus::Prometheus;
use crate::commands::incident::store;
use crate::commands::status::gather::{Gathered, gather};
use crate::commands::status::memory::Memory;
use crate::commands::status::report::StatusReport;
use crate::commands::status::{FailOn, StatusArgs};
use crate::context::Context;
use crate::domain::alert::{Alert, AlertState};
use crate::domain::incident::event::{Evidence, kind};
use crate::domain::incident::state::Incident;
use crate::domain::level::Level;
use crate::domain::record;
use crate::domain::series::Answer;
use crate::domain::threshold::Threshold;
use crate::error::Result;
use crate::output::format::number;
use crate::output::report::{Report, SourceState};
use crate::output::view::rfc3339;

/// How far back KPIs are kept.
const BACK: TimeDelta = TimeDelta::hours(1);
/// Their step.
const STEP: Duration = Duration::from_secs(30);
/// How far back changes are kept.
const CHANGES: TimeDelta = TimeDelta::hours(6);

/// One thing that was looked at: what was found and in which file, or why it is not known.
struct Seen {
    name: &'static str,
    found: std::result::Result<(String, Value), String>,
}

fn args() -> StatusArgs {
    StatusArgs {
        service: Vec::new(),
        fail_on: FailOn::Never,
        watch: false,
        interval: Duration::from_secs(5),
        nagios: false,
    }
}

/// Looks at everything at once, and keeps it. Returns the line of each for the person, and the firing alerts.
pub(super) async fn capture(cx: &Context, id: &str) -> (Vec<String>, Vec<Alert>) {
    let (status, kpis) = tokio::join!(status(cx), kpis(cx));
    let (status, alerts) = status;
    let mut lines = Vec::new();
    for seen in [status, kpis, changes(cx)] {
        lines.push(keep(cx, id, seen));
    }
    (lines, alerts)
}

fn keep(cx: &Context, id: &str, seen: Seen) -> String {
    let (file, text) = match seen.found {
        Ok((text, value)) => {
            let bytes = serde_json::to_vec_pretty(&value).unwrap_or_default();
            let kept =
                store(cx).and_then(|store| store.keep(id, &format!("{}.json", seen.name), &bytes));
            match kept {
                Ok(file) => (Some(file), text),
                Err(error) => (None, format!("{text}; not kept: {error}")),
            }
        }
        Err(why) => (None, format!("unknown: {why}")),
    };
    let line = format!("{}: {text}", seen.name);
    let evidence = Evidence {
        name: seen.name.to_owned(),
        file,
        text,
    };
    let written = store(cx)
        .and_then(|store| store.append(id, cx.clock.now(), &cx.actor, kind::EVIDENCE, &evidence));
    if let Err(error) = written {
        cx.output.warn(&format!("not in the journal: {error}"));
    }
    line
}

async fn look(cx: &Context) -> Result<Gathered> {
    gather(&args(), cx, &mut Memory::default()).await
}

async fn status(cx: &Context) -> (Seen, Vec<Alert>) {
    let name = "status";
    let gathered = match look(cx).await {
        Ok(gathered) => gathered,
        Err(error) => {
            let found = Err(error.to_string());
            return (Seen { name, found }, Vec::new());
        }
    };
    let alerts: Vec<Alert> = gathered.readings.alerts.iter().flatten().cloned().collect();
    let silent: Vec<String> = gathered
        .sources
        .iter()
        .filter(|source| matches!(source.state, SourceState::Down | SourceState::Degraded))
        .map(|source| source.name.clone())
        .collect();
    let found = StatusReport::new(gathered, cx)
        .and_then(|report| {
            let mut text = report.judgement.headline.clone();
            if !silent.is_empty() {
                text = format!("{text}; unknown: {}", silent.join(", "));
            }
            let metrics = report.meta().metrics;
            let data = serde_json::to_value(&report)?;
            let at = rfc3339(cx.clock.now());
            Ok((text, json!({ "at": at, "data": data, "metrics": metrics })))
        })
        .map_err(|error| error.to_string());
    (Seen { name, found }, alerts)
}

/// The series of each KPI over the last hour.
async fn kpis(cx: &Context) -> Seen {
    let found = series(cx).await.map_err(|error| error.to_string());
    Seen {
        name: "kpis",
        found,
    }
}

async fn series(cx: &Context) -> Result<(String, Value)> {
    let settings = &cx.config()?.settings;
    let presets = crate::config::presets::kpis();
    let kpis = if settings.kpis.is_empty() {
        &presets
    } else {
        &settings.kpis
    };
    let prometheus = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let end = cx.clock.now();
    let asked = kpis.iter().map(async |kpi| {
        let answer = prometheus.range(&kpi.promql(), end - BACK, end, STEP).await;
        (kpi.name.clone(), answer)
    });
    let mut all = serde_json::Map::new();
    let mut failed = None;
    for (name, answer) in futures_util::future::join_all(asked).await {
        match answer {
            Ok(queried) => {
                all.insert(name, points(&queried.answer));
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if all.is_empty() => Err(error),
        failed => {
            let known = all
                .values()
                .filter(|one| one.as_array().is_some_and(|all| !all.is_empty()));
            let known = known.count();
            let mut text = format!("{known} of {} KPIs over the last hour", kpis.len());
            if let Some(error) = failed {
                text = format!("{text}; the others are unknown: {error}");
            }
            let span = json!({ "start": rfc3339(end - BACK), "end": rfc3339(end), "step_s": STEP.as_secs() });
            Ok((text, json!({ "range": span, "kpis": all })))
        }
    }
}

fn points(answer: &Answer) -> Value {
    let Answer::Matrix(series) = answer else {
        return json!([]);
    };
    series
        .first()
        .into_iter()
        .flat_map(|series| &series.points)
        .filter_map(|point| Some(json!([rfc3339(point.at), number(point.value.float()?)])))
        .collect()
}

/// What was changed through liveops: flags, rollouts, silences.
fn changes(cx: &Context) -> Seen {
    let since = cx.clock.now() - CHANGES;
    let found = cx.environment().map(|environment| {
        let mut all = record::changes(&audit_log(cx).recent(since));
        all.retain(|change| change.environment == environment);
        let text = match all.last() {
            None => "nothing was changed through liveops in 6 h".to_owned(),
            Some(last) => format!(
                "{} in 6 h through liveops, the last: {} ({})",
                match all.len() {
                    1 => "1 change".to_owned(),
                    n => format!("{n} changes"),
                },
                last.summary,
                rfc3339(last.at)
            ),
        };
        (text, json!({ "since": rfc3339(since), "changes": all }))
    });
    Seen {
        name: "changes",
        found: found.map_err(|error| error.to_string()),
    }
}

/// What the metrics say to "it is over".
pub(super) enum Recovery {
    Recovered(String),
    Not(String),
    Unknown(String),
}

impl Recovery {
    /// The line for journal and person.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Recovered(what) => format!("recovered: {what}"),
            Self::Not(what) => format!("NOT RECOVERED: {what}"),
            Self::Unknown(why) => format!("recovery unknown: {why}"),
        }
    }
}

/// Have the KPIs and the alert of this incident recovered?
pub(super) async fn recovery(cx: &Context, incident: &Incident) -> Recovery {
    let gathered = match look(cx).await {
        Ok(gathered) => gathered,
        Err(error) => return Recovery::Unknown(error.to_string()),
    };
    let readings = &gathered.readings;
    let concerns = |service: &Option<String>| {
        incident.service.is_none() || service.is_none() || *service == incident.service
    };
    let kpis: Vec<_> = readings
        .kpis
        .iter()
        .filter(|one| concerns(&one.kpi.service))
        .collect();
    let mut bad: Vec<String> = kpis
        .iter()
        .filter(|one| matches!(one.level, Level::Critical | Level::Warn))
        .map(|one| {
            let limit = if one.level == Level::Critical {
                &one.kpi.critical
            } else {
                &one.kpi.warn
            };
            over(&one.kpi.name, one.value, limit.as_ref())
        })
        .collect();
    let of_incident = |alert: &&Alert| {
        let grouped = incident
            .signals
            .values()
            .any(|signal| signal.alert == alert.name);
        alert.state == AlertState::Firing
            && (grouped || incident.alert.as_deref() == Some(&alert.name))
    };
    let firing = readings.alerts.iter().flatten().filter(of_incident);
    let mut names: Vec<&str> = firing.map(|alert| alert.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    bad.extend(
        names
            .into_iter()
            .map(|name| format!("`{name}` still fires")),
    );
    if !bad.is_empty() {
        return Recovery::Not(bad.join("; "));
    }
    let known = kpis.iter().filter(|one| one.level == Level::Ok).count();
    let unknown: Vec<&str> = kpis
        .iter()
        .filter(|one| one.level == Level::Unknown)
        .map(|one| one.kpi.name.as_str())
        .collect();
    let alert_unknown = incident.alert.is_some() && readings.alerts.is_none();
    match (known, unknown.len(), alert_unknown) {
        (0, 0, false) if incident.alert.is_some() => {
            Recovery::Recovered("its alert fires no more; no KPI is measured".into())
        }
        (0, 0, _) => Recovery::Unknown("nothing is measured".into()),
        (_, 0, true) => Recovery::Unknown("whether its alert still fires is not known".into()),
        (n, 0, false) => Recovery::Recovered(match n {
            1 => "the one KPI is normal".into(),
            n => format!("all {n} KPIs are normal"),
        }),
        (_, n, _) if n > 4 => Recovery::Unknown(format!("{n} KPIs cannot be told")),
        _ => Recovery::Unknown(format!("{} cannot be told", unknown.join(", "))),
    }
}

fn over(name: &str, value: Option<f64>, limit: Option<&Threshold>) -> String {
    match (value, limit) {
        (Some(value), Some(limit)) => format!("{name} is {}, limit {}", short(value), limit.text),
        _ => format!("{name} is not normal"),
    }
}

/// Three significant digits, as a sentence has them.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
