//! The checks of the checklist: each looks at one thing, and says what it found, or why it could not look. What is not
//! configured is a person's to look at; what is dead is unknown, and holds nothing up.

use liveops_domain::text::count as words;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::clients::http::request::{Effort, Request};
use crate::clients::http::target::Target;
use crate::clients::kubectl::failure::Failure;
use crate::clients::kubectl::object::{Object, Resource};
use crate::clients::prometheus::Prometheus;
use crate::incident::summary::clock;
use crate::session::Session;
use crate::triage::facts::TriageFacts;
use crate::triage::figures;
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::change::timeline::Kind;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::incident::state::Incident;
use liveops_domain::kubernetes::deployment;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::series::Answer;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_domain::text::time::relative;
use liveops_domain::triage::logs::digest;
use liveops_domain::triage::{Check, CheckResult, Item, Outcome};

/// Lines of evidence that an item has.
const LINES: usize = 6;

/// Longer than any deadline of a backend: this only ends what ignores its own.
const LIMIT: Duration = Duration::from_secs(20);

/// Services whose logs are read: those of a small game, or the first of a large one.
const SERVICES: usize = 5;

/// How far back logs are read.
const LOGS: Duration = Duration::from_secs(900);

/// Kinds of errors that a service's line names.
const KINDS: usize = 3;

pub async fn make(facts: TriageFacts<'_>, item: &Item) -> CheckResult {
    let look = async {
        match item.check {
            Check::Scope => figures::scope(&facts).await,
            Check::Alerts => alerts(&facts).await,
            Check::Deployments => changed(&facts, &DEPLOYED, &["kubernetes", "deployments"]).await,
            Check::Flags => changed(&facts, &[Kind::Flag, Kind::Config], &["flags"]).await,
            Check::Dependencies => dependencies(facts.cx).await,
            Check::Targets => targets_of(&facts).await,
            Check::Logs => logs(&facts).await,
            Check::Query => query(facts.cx, item).await,
            Check::Told => Ok(told(facts.cx, facts.incident)),
            Check::None => Ok(CheckResult::new(Outcome::Manual, Vec::new())),
        }
    };
    let found = tokio::time::timeout(LIMIT, look).await;
    let mut found = match found {
        Err(_) => CheckResult::unknown(format!("no answer within {} s", LIMIT.as_secs())),
        Ok(Ok(found)) => found,
        Ok(Err(Error::Unconfigured { what, .. })) => {
            CheckResult::new(Outcome::NotLookedAt, vec![format!("no {what} is configured")])
        }
        Ok(Err(error)) => CheckResult::unknown(error.to_string()),
    };
    let more = found.lines.len().saturating_sub(LINES);
    if more > 0 {
        found.lines.truncate(LINES);
        found.lines.push(format!("and {more} more"));
    }
    found
}

const DEPLOYED: [Kind; 4] = [Kind::Deploy, Kind::Migration, Kind::Scale, Kind::Restart];

/// What fires, the first one first.
async fn alerts(facts: &TriageFacts<'_>) -> Result<CheckResult> {
    let status = facts.status.clone().await;
    let gathered = match &*status {
        Ok(gathered) => gathered,
        Err(error) => return Ok(CheckResult::unknown(error.to_string())),
    };
    let Some(known) = &gathered.readings.alerts else {
        if gathered.alerts_expected {
            return Ok(CheckResult::unknown(down(&gathered.sources, "who knows the alerts did not answer")));
        }
        return Err(Error::Unconfigured {
            what: "Prometheus or Alertmanager",
            environment: String::new(),
            hint: String::new(),
        });
    };
    let mut firing: Vec<&Alert> = known.iter().filter(|alert| alert.state.is_loud()).collect();
    firing.sort_by_key(|alert| alert.since);
    let now = facts.cx.clock.now();
    let mut lines: Vec<String> = firing
        .iter()
        .map(|alert| {
            let since = alert.since.map_or_else(String::new, |at| relative(at, now));
            let severity = alert.severity.as_deref().unwrap_or("no severity");
            format!("{} ({severity}) {since}", alert.name)
        })
        .collect();
    if let Some(first) = firing.first() {
        let runbook = match &first.runbook {
            Some(link) => format!("its runbook: {link}"),
            None => format!("`{}`", facts.cx.command(&format!("alerts explain {}", word(&first.name)))),
        };
        lines.insert(1, runbook);
    }
    let readings = &gathered.readings;
    let unknown = known.iter().filter(|alert| alert.state == AlertState::Unknown);
    let unknown: Vec<String> = unknown.map(|alert| format!("whether {} fires is not known", alert.name)).collect();
    let outcome = match (firing.is_empty(), readings.alert_gaps.is_empty() && unknown.is_empty()) {
        (false, _) => Outcome::Suspicious,
        (true, _) if !readings.alert_faults.is_empty() => Outcome::Suspicious,
        (true, false) => Outcome::Unknown,
        (true, true) => Outcome::Clear,
    };
    if lines.is_empty() {
        lines.push("nothing fires".into());
    }
    lines.extend(readings.alert_gaps.iter().chain(&readings.alert_faults).cloned().chain(unknown));
    Ok(CheckResult::new(outcome, lines))
}

/// The reason of the first source that is down.
fn down(sources: &[Source], otherwise: &str) -> String {
    let dead = sources.iter().find(|source| source.state == SourceState::Down);
    dead.map_or_else(
        || otherwise.to_owned(),
        |source| {
            let why = source.error.as_deref().unwrap_or("no answer");
            format!("{}: {why}", source.name)
        },
    )
}

/// Changes of some kinds, the suspects first; `asked` are the sources that know them.
async fn changed(facts: &TriageFacts<'_>, kinds: &[Kind], asked: &[&str]) -> Result<CheckResult> {
    let history = facts.history.clone().await;
    let history = match &*history {
        Ok(history) => history,
        Err(error) => return Ok(CheckResult::unknown(error.to_string())),
    };
    let now = facts.cx.clock.now();
    let (suspects, others) = history.of(kinds);
    let mut lines: Vec<String> =
        suspects.iter().map(|one| format!("suspect: {} ({})", one.change.what, one.reasons.join("; "))).collect();
    lines.extend(others.iter().map(|change| format!("{}: {}", relative(change.at, now), change.what)));
    let silent =
        history.sources.iter().filter(|one| one.state == SourceState::Down && asked.contains(&one.name.as_str()));
    let silent: Vec<String> = silent
        .map(|one| {
            let why = one.error.as_deref().unwrap_or("no answer");
            format!("{} is unknown: {why}", one.name)
        })
        .collect();
    let answered = |one: &&Source| one.state == SourceState::Ok && asked.contains(&one.name.as_str());
    let looked: Vec<&str> = history.sources.iter().filter(answered).map(|one| one.name.as_str()).collect();
    let outcome = match (lines.is_empty(), silent.is_empty(), looked.is_empty()) {
        (false, ..) => Outcome::Suspicious,
        (true, false, _) => Outcome::Unknown,
        (true, true, true) => {
            lines.push(match asked.contains(&"flags") {
                true => "no flag store is configured".to_owned(),
                false => "no Kubernetes is configured, and CI records nothing: `liveops changes record`".to_owned(),
            });
            Outcome::NotLookedAt
        }
        (true, true, false) => {
            let since = clock(history.since, now);
            lines.push(format!("none since {since}, says {}", looked.join(", ")));
            Outcome::Clear
        }
    };
    lines.extend(silent);
    Ok(CheckResult::new(outcome, lines))
}

/// The status pages of the configuration.
async fn dependencies(cx: &Session) -> Result<CheckResult> {
    let known = &cx.config()?.settings.documents.dependencies;
    if known.is_empty() {
        let how = "no status page is configured: list them under `dependencies` in liveops.yaml";
        return Ok(CheckResult::new(Outcome::NotLookedAt, vec![how.into()]));
    }
    let http = cx.http()?;
    let asked = known.iter().map(async |one| {
        let target = Target::new(&one.name, &one.url, &[])?;
        let request = Request::get("").effort(Effort::Quick);
        http.send(&target, request).await?.ok()
    });
    let mut lines = Vec::new();
    let mut outcome = Outcome::Clear;
    for (one, answer) in known.iter().zip(join_all(asked).await) {
        let (found, line) = match answer {
            Ok(answer) => {
                let page: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                // Statuspage: none, minor, major, critical, maintenance.
                match page["status"]["indicator"].as_str() {
                    None | Some("none") => (Outcome::Clear, format!("{}: well", one.name)),
                    Some(indicator) => {
                        let words = page["status"]["description"].as_str().unwrap_or_default();
                        let line = format!("{}: {indicator} {words}", one.name);
                        (Outcome::Suspicious, line)
                    }
                }
            }
            Err(error @ Error::Rejected { .. }) => (Outcome::Suspicious, format!("{}: {error}", one.name)),
            Err(error) => (Outcome::Unknown, format!("{}: {error}", one.name)),
        };
        // What is bad stands first.
        if found == Outcome::Suspicious {
            lines.insert(0, line);
        } else {
            lines.push(line);
        }
        outcome = outcome.worse(found);
    }
    Ok(CheckResult::new(outcome, lines))
}

/// Scrape targets that are not up, and services that are not well.
async fn targets_of(facts: &TriageFacts<'_>) -> Result<CheckResult> {
    let status = facts.status.clone().await;
    let gathered = match &*status {
        Ok(gathered) => gathered,
        Err(error) => return Ok(CheckResult::unknown(error.to_string())),
    };
    let mut lines = Vec::new();
    let mut good = Vec::new();
    let mut outcome = Outcome::Clear;
    for service in &gathered.readings.services {
        match service.state {
            ServiceState::Healthy => good.push(service.name.as_str()),
            state => {
                let bad = state != ServiceState::Unknown;
                outcome = outcome.worse(if bad { Outcome::Suspicious } else { Outcome::Unknown });
                lines.push(format!("{} is {}: {}", service.name, state.word(), service.detail));
            }
        }
    }
    match &gathered.readings.targets {
        Some(targets) => {
            if !targets.down.is_empty() {
                outcome = outcome.worse(Outcome::Suspicious);
            }
            let down = targets.down.iter();
            lines.extend(down.map(|(name, error)| format!("target {name} is down: {error}")));
            lines.push(format!("{} up", count(targets.up, "target")));
            if targets.unknown > 0 {
                outcome = outcome.worse(Outcome::Unknown);
                lines.push(format!("{} were never scraped", targets.unknown));
            }
        }
        None if gathered.targets_expected => {
            outcome = outcome.worse(Outcome::Unknown);
            lines.push(format!("targets: {}", down(&gathered.sources, "Prometheus did not say")));
        }
        None => {}
    }
    match good.len() {
        0 => {}
        1 => lines.push(format!("{} says it is well", good[0])),
        n => lines.push(format!("{} say that they are well", count(n, "service"))),
    }
    if lines.is_empty() {
        return Err(Error::Unconfigured {
            what: "Prometheus and no service with a health API",
            environment: String::new(),
            hint: String::new(),
        });
    }
    Ok(CheckResult::new(outcome, lines))
}

/// The errors in the last lines of the services, the incident's own first.
async fn logs(facts: &TriageFacts<'_>) -> Result<CheckResult> {
    let cx = facts.cx;
    let kubectl = crate::session::kubectl(cx)?;
    let mut services: Vec<&crate::config::service::Service> = cx.config()?.settings.services.iter().collect();
    let hit = facts.incident.and_then(|one| one.service.as_deref());
    services.sort_by_key(|service| hit != Some(service.name.as_str()));
    let asked = services.iter().take(SERVICES).map(async |service| {
        let workload = service.workload.as_ref();
        let object = Object::new(Resource::Deployment, service.deployment())?;
        let failed = |failure: Failure| failure.about(&kubectl.place(&object));
        let found = kubectl.get(std::slice::from_ref(&object)).await.map_err(failed)?;
        let Some(found) = found.first() else {
            return Ok(None);
        };
        let container = workload.and_then(|one| one.container.as_deref());
        let selector = deployment::selector(found);
        let text = kubectl.logs(&selector, container, LOGS).await;
        Ok(Some((selector, digest(&text.map_err(failed)?))))
    });
    let reads = join_all(asked).await;
    let read_on = services.first().zip(reads.first()).map(|(service, read)| match read {
        Ok(Some((selector, _))) => format!("-l {}", word(selector)),
        _ => word(&format!("deployment/{}", service.deployment())),
    });
    let mut lines = Vec::new();
    let mut outcome = Outcome::Clear;
    for (service, read) in services.iter().zip(reads) {
        let name = &service.name;
        let (found, line) = match read.map(|found| found.map(|(_, read)| read)) {
            Err(error) => (Outcome::Unknown, Error::to_string(&error)),
            Ok(None) => (Outcome::Unknown, format!("{name}: there is no such Deployment")),
            Ok(Some(read)) if read.lines == 0 => (Outcome::Unknown, format!("{name}: no line in 15 minutes")),
            Ok(Some(read)) if read.errors.is_empty() => {
                (Outcome::Clear, format!("{name}: no error in {}", words::count(read.lines, "line")))
            }
            Ok(Some(read)) => {
                let count: usize = read.errors.iter().map(|group| group.count).sum();
                let kinds = read.errors.iter().take(KINDS);
                let kinds: Vec<String> = kinds.map(|group| format!("{}x {}", group.count, group.what)).collect();
                let line = format!(
                    "{name}: {} in {}: {}",
                    words::count(count, "error"),
                    words::count(read.lines, "line"),
                    kinds.join(" · ")
                );
                (Outcome::Suspicious, line)
            }
        };
        lines.push(line);
        outcome = outcome.worse(found);
    }
    if let Some(which) = read_on {
        lines.push(format!("read on: {}", kubectl.by_hand(&format!("logs {which} --tail=200 --prefix"))));
    }
    Ok(CheckResult::new(outcome, lines))
}

/// PromQL against its limit, series by series.
async fn query(cx: &Session, item: &Item) -> Result<CheckResult> {
    let text = item.query.as_deref().unwrap_or_default();
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let mut values: Vec<(String, f64)> = match client.instant(text, None).await?.answer {
        Answer::Vector(series) => series
            .iter()
            .filter_map(|one| {
                let labels: Vec<String> = one.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Some((labels.join(" "), one.points.first()?.value.float()?))
            })
            .collect(),
        Answer::Scalar(point) => point.value.float().map(|value| (String::new(), value)).into_iter().collect(),
        _ => Vec::new(),
    };
    values.retain(|(_, value)| value.is_finite());
    if values.is_empty() {
        return Ok(CheckResult::unknown(format!("the metrics have no value of {text}")));
    }
    values.sort_by(|a, b| b.1.total_cmp(&a.1));
    let breached = |value: f64| item.limit.as_ref().is_some_and(|limit| limit.is_breached(value));
    let bad = values.iter().any(|(_, value)| breached(*value));
    let mut lines: Vec<String> = values
        .iter()
        .map(|(labels, value)| {
            let shown = Unit::None.show(*value);
            let tail = match &item.limit {
                Some(limit) if breached(*value) => format!(", limit {}", limit.text),
                _ => String::new(),
            };
            let head = if labels.is_empty() { String::new() } else { format!("{labels}: ") };
            format!("{head}{shown}{tail}")
        })
        .collect();
    lines.push(text.to_owned());
    Ok(CheckResult::new(
        match (&item.limit, bad) {
            (_, true) => Outcome::Suspicious,
            (Some(_), false) => Outcome::Clear,
            (None, false) => Outcome::Manual,
        },
        lines,
    ))
}

/// Who was told of the incident. Whether they are the right ones is for a person to say.
fn told(cx: &Session, incident: Option<&Incident>) -> CheckResult {
    let Some(incident) = incident else {
        let how = cx.command("incident open --sev p2");
        let line = format!("no incident is open, so nobody was paged: `{how}`");
        return CheckResult::new(Outcome::Manual, vec![line]);
    };
    if incident.deliveries.is_empty() {
        let line = "liveops paged nobody: `notify` in liveops.yaml has no channel for this";
        return CheckResult::new(Outcome::Manual, vec![line.into()]);
    }
    let lines = incident.deliveries.values().map(|one| {
        let state = match one.state {
            DeliveryState::Accepted => "accepted",
            DeliveryState::GivenUp => "NOT DELIVERED",
            _ => "not delivered yet",
        };
        let why = one.reason.as_deref().filter(|_| one.state != DeliveryState::Accepted);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        format!("{} ({}) {state}{why}", one.channel, one.about)
    });
    let outcome = if incident.is_paged() == Some(false) { Outcome::Suspicious } else { Outcome::Manual };
    CheckResult::new(outcome, lines.collect())
}
