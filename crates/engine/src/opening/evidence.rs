//! What can be seen at the opening, kept with its values, so that the story outlives the metrics' retention. Each
//! dependency that is dead is noted as unknown, and holds nothing up.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::changes as changed;
use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::{Session, store};
use crate::status::report::StatusReport;
use crate::status::{Gathered, gather_all};
use liveops_domain::alert::{Alert, AlertState, rank};
use liveops_domain::change::journal::Entry;
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::error::Result;
use liveops_domain::incident::event::{Evidence, kind};
use liveops_domain::metric::series::Answer;
use liveops_domain::rollout::row::{RolloutRow, UnseenRow};
use liveops_domain::status::source::SourceState;
use liveops_domain::text::cell::number;
use liveops_domain::text::count::count;
use liveops_domain::text::time::rfc3339;

/// How far back KPIs are kept.
const BACK: TimeDelta = TimeDelta::hours(1);

const STEP: Duration = Duration::from_secs(30);

/// How far back changes are kept.
const CHANGES: TimeDelta = TimeDelta::hours(6);

/// One thing that was looked at: what was found, or why it is not known.
struct EvidenceItem {
    name: &'static str,
    /// The line for people, and what is kept.
    found: std::result::Result<(String, Value), String>,
}

/// Looks at everything at once, and keeps it. Returns the line of each for the person, and the firing alerts.
pub async fn capture(cx: &Session, id: &str) -> (Vec<String>, Vec<Alert>) {
    let ((status, alerts, now), mut kpis, changes) = tokio::join!(status(cx), kpis(cx), changes(cx, id));
    let gap = kpis.found.as_ref().err().cloned();
    if let (Some(why), Some((text, values))) = (gap, now) {
        // What the status shows, from the services themselves, is known all the same.
        kpis.found = Ok((format!("{text}; their last hour is unknown: {why}"), values));
    }
    let kept: Vec<Evidence> = status.into_iter().chain([kpis, changes]).map(|item| keep(cx, id, item)).collect();
    let at = cx.clock.now();
    let entry = |one: &Evidence| Ok(Entry::new(at, &cx.actor, kind::EVIDENCE, serde_json::to_value(one)?));
    let entries: Result<Vec<Entry>> = kept.iter().map(entry).collect();
    if let Err(error) = entries.and_then(|entries| store(cx)?.append_all(id, entries)) {
        cx.voice.warn(&format!("not in the journal: {error}"));
    }
    (kept.into_iter().map(|one| format!("{}: {}", one.name, one.text)).collect(), alerts)
}

fn keep(cx: &Session, id: &str, item: EvidenceItem) -> Evidence {
    let (file, text) = match item.found {
        Ok((text, value)) => {
            let bytes = serde_json::to_vec_pretty(&value).unwrap_or_default();
            let kept = store(cx).and_then(|store| store.keep(id, &format!("{}.json", item.name), &bytes));
            match kept {
                Ok(file) => (Some(file), text),
                Err(error) => (None, format!("{text}; not kept: {error}")),
            }
        }
        Err(why) => (None, format!("unknown: {why}")),
    };
    Evidence { name: item.name.to_owned(), file, text }
}

/// The status report, and of it what people ask for first: the alerts, and the rollouts under way.
async fn status(cx: &Session) -> (Vec<EvidenceItem>, Vec<Alert>, Option<(String, Value)>) {
    let name = "status";
    let gathered = match gather_all(cx).await {
        Ok(gathered) => gathered,
        Err(error) => {
            let found = Err(error.to_string());
            return (vec![EvidenceItem { name, found }], Vec::new(), None);
        }
    };
    let values: serde_json::Map<String, Value> = gathered
        .readings
        .kpis
        .iter()
        .filter_map(|one| Some((one.kpi.name.clone(), json!(number(one.value?.value)))))
        .collect();
    let known = (!values.is_empty()).then(|| {
        let text = format!("{} of {} now", values.len(), count(gathered.readings.kpis.len(), "KPI"));
        (text, json!({ "at": rfc3339(cx.clock.now()), "now": values }))
    });
    let firing = firing(&gathered);
    let rollouts = rollouts(&gathered);
    let alerts: Vec<Alert> = gathered.readings.alerts().cloned().collect();
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
            let metrics = report.metrics();
            let data = serde_json::to_value(&report)?;
            let at = rfc3339(cx.clock.now());
            Ok((text, json!({ "at": at, "data": data, "metrics": metrics })))
        })
        .map_err(|error| error.to_string());
    let items = [Some(EvidenceItem { name, found }), firing, rollouts];
    (items.into_iter().flatten().collect(), alerts, known)
}

/// The alerts that fire; nothing where nobody is configured to tell of any.
fn firing(gathered: &Gathered) -> Option<EvidenceItem> {
    let found = match &gathered.readings.alerts {
        None if !gathered.alerts_expected => return None,
        None => Err("neither Alertmanager nor Prometheus answers".to_owned()),
        Some(alerts) => {
            let mut firing: Vec<&Alert> = alerts.iter().filter(|alert| alert.state == AlertState::Firing).collect();
            firing.sort_by_key(|alert| (rank(alert.severity.as_deref()), alert.since));
            let names: Vec<&str> = firing.iter().map(|alert| alert.name.as_str()).collect();
            let doubtful: Vec<&str> =
                alerts.iter().filter(|one| one.state == AlertState::Unknown).map(|one| one.name.as_str()).collect();
            let mut text = match firing.len() {
                // A state that nobody knows is not good news.
                0 if !doubtful.is_empty() => format!("whether {} fires is not known", grouped(&doubtful)),
                0 => "none fires".to_owned(),
                1 => format!("1 fires: {}", names[0]),
                n => format!("{n} fire: {}", grouped(&names)),
            };
            for gap in gathered.readings.alert_gaps.iter().chain(&gathered.readings.alert_faults) {
                text.push_str(&format!("; {gap}"));
            }
            serde_json::to_value(&firing)
                .map(|alerts| (text, json!({ "firing": alerts })))
                .map_err(|error| error.to_string())
        }
    };
    Some(EvidenceItem { name: "alerts", found })
}

/// The rollouts under way; nothing where there is none.
fn rollouts(gathered: &Gathered) -> Option<EvidenceItem> {
    let seen = &gathered.rollouts;
    if seen.rollouts.is_empty() && seen.unseen.is_empty() {
        return None;
    }
    let one = |row: &RolloutRow| format!("{} at {} % ({})", row.title(), row.weight, row.image);
    let unknown = |row: &UnseenRow| format!("{} unknown: {}", row.title(), row.why);
    let all: Vec<String> = (seen.rollouts.iter().map(one)).chain(seen.unseen.iter().map(unknown)).collect();
    let found = serde_json::to_value((&seen.rollouts, &seen.unseen))
        .map(|found| (all.join("; "), json!({ "rollouts": found[0], "unknown": found[1] })))
        .map_err(|error| error.to_string());
    Some(EvidenceItem { name: "rollouts", found })
}

/// The first three names, each with how often it fires, and how much that leaves: the numbers add up.
fn grouped(names: &[&str]) -> String {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match groups.iter_mut().find(|(known, _)| known == name) {
            Some((_, times)) => *times += 1,
            None => groups.push((name, 1)),
        }
    }
    let one = |(name, times): &(&str, usize)| match times {
        1 => (*name).to_owned(),
        times => format!("{name} ×{times}"),
    };
    let shown: Vec<String> = groups.iter().take(3).map(one).collect();
    let rest: usize = groups.iter().skip(3).map(|(_, times)| times).sum();
    match groups.len().saturating_sub(3) {
        0 => shown.join(", "),
        more => format!("{}, and {rest} of {}", shown.join(", "), count(more, "other alert")),
    }
}

/// The series of each KPI over the last hour.
async fn kpis(cx: &Session) -> EvidenceItem {
    let found = series(cx).await.map_err(|error| error.to_string());
    EvidenceItem { name: "kpis", found }
}

async fn series(cx: &Session) -> Result<(String, Value)> {
    let kpis = cx.kpis()?;
    let prometheus = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let end = cx.clock.now();
    let asked = kpis.iter().map(async |kpi| {
        let answer = prometheus.range(&kpi.promql(), end - BACK, end, STEP).await;
        (kpi.name.clone(), answer)
    });
    let mut all = serde_json::Map::new();
    let (mut failed, mut partial) = (None, None);
    for (name, answer) in futures_util::future::join_all(asked).await {
        match answer {
            Ok(queried) => {
                partial = partial.or(queried.partial().map(str::to_owned));
                all.insert(name, points(&queried.answer));
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if all.is_empty() => Err(error),
        failed => {
            let known = all.values().filter(|one| one.as_array().is_some_and(|all| !all.is_empty()));
            let known = known.count();
            let mut text = format!("{known} of {} KPIs over the last hour", kpis.len());
            if let Some(error) = failed {
                text = format!("{text}; the others are unknown: {error}");
            }
            if let Some(why) = partial {
                text = format!("{text}; a part is missing: {why}");
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

/// What changed, whoever changed it: rollouts, flags, scale, silences, restarts, deployments.
async fn changes(cx: &Session, id: &str) -> EvidenceItem {
    let since = cx.clock.now() - CHANGES;
    let found = changed::gather(cx, since, false).await.and_then(|mut found| {
        // The incident itself is no news to it.
        found.changes.retain(|change| change.kind != Kind::Incident || !change.what.contains(id));
        let silent: Vec<&str> = found
            .sources
            .iter()
            .filter(|source| source.state == SourceState::Down)
            .map(|source| source.name.as_str())
            .collect();
        let mut text = last_of(&found.changes);
        if !silent.is_empty() {
            text = format!("{text}; unknown: {}", silent.join(", "));
        }
        let value = json!({
            "since": rfc3339(since),
            "changes": serde_json::to_value(&found.changes)?,
            "sources": serde_json::to_value(&found.sources)?,
        });
        Ok((text, value))
    });
    EvidenceItem { name: "changes", found: found.map_err(|error| error.to_string()) }
}

fn last_of(changes: &[Change]) -> String {
    let Some(last) = changes.last() else {
        return "none in 6 h".to_owned();
    };
    let by = last.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
    format!("{} in 6 h, the last {}: {}{by}", changes.len(), rfc3339(last.at), last.what)
}
