//! What the backends say about one alert, gathered at once: the facts that `alerts explain` reasons from.

use crate::alerts::gather::{Backends, timed};
use crate::clients::alertmanager::Alertmanager;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use liveops_domain::alert::Alert;
use liveops_domain::alert::filter::AlertFilter;
use liveops_domain::alert::paging::{Facts, Known};
use liveops_domain::alert::probe::{Part, Probed, parts};
use liveops_domain::alert::rule::Rule;
use liveops_domain::error::Result;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::{Answer, Series};
use liveops_domain::status::source::{Source, SourceState};

/// The facts, the systems that were asked, and every name that there is.
pub struct Evidence {
    pub facts: Facts,
    pub sources: Vec<Source>,
    pub all_rules: Vec<Rule>,
    pub all_alerts: Vec<Alert>,
}

/// What was answered, or why it is not known.
fn known<T>(answer: Option<Result<T>>, system: &str) -> Known<T> {
    match answer {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("no {system} is configured")),
    }
}

/// A source that answered only some of its questions is degraded.
fn source(name: &str, parts: Vec<Source>) -> Source {
    let is_down = |part: &Source| part.state == SourceState::Down;
    let state = match (parts.iter().any(is_down), parts.iter().all(is_down)) {
        (true, true) => SourceState::Down,
        (true, false) => SourceState::Degraded,
        (false, _) => parts.first().map_or(SourceState::Unconfigured, |part| part.state),
    };
    Source {
        name: name.to_owned(),
        state,
        latency_ms: parts.iter().filter_map(|part| part.latency_ms).max(),
        error: parts.into_iter().find_map(|part| part.error),
    }
}

/// Asks everything at once, and then what the expression gives, if its condition does not hold.
pub async fn gather(cx: &Session, backends: &Backends<'_>, name: &str, filter: &AlertFilter) -> Evidence {
    let prometheus = backends.prometheus.as_ref();
    let alertmanager = backends.alertmanager.as_ref();
    let (
        (rules, rules_source),
        (delivery, delivery_source),
        (alerts, alerts_source),
        (silences, silences_source),
        (routing, routing_source),
    ) = tokio::join!(
        timed("prometheus", prometheus.map(Prometheus::rules)),
        timed("prometheus", prometheus.map(Prometheus::alertmanagers)),
        timed("alertmanager", alertmanager.map(|client| client.alerts(&[]))),
        timed("alertmanager", alertmanager.map(Alertmanager::silences)),
        timed("alertmanager", alertmanager.map(Alertmanager::routing)),
    );
    let all_rules = known(rules, "Prometheus");
    let all_alerts = known(alerts, "Alertmanager");
    let all_alerts = all_alerts.map(sorted);
    let is_meant = |alert: &Alert| alert.name == name && filter.accepts(alert);
    let rules = all_rules.as_ref().map(|rules| named(rules, name, is_meant)).map_err(Clone::clone);
    let probes = match (&rules, prometheus) {
        (Ok(rules), Some(prometheus)) => probe(rules, prometheus).await,
        _ => Vec::new(),
    };
    let (own, others) = match &all_alerts {
        Ok(alerts) => {
            let (own, others) = alerts.iter().cloned().partition(is_meant);
            (Ok(own), others)
        }
        Err(why) => (Err(why.clone()), Vec::new()),
    };
    Evidence {
        facts: Facts {
            name: name.to_owned(),
            now: cx.clock.now(),
            rules,
            probes,
            delivery: known(delivery, "Prometheus").map(|delivery| (delivery.active, delivery.dropped)),
            alerts: own,
            others,
            silences: known(silences, "Alertmanager"),
            routing: known(routing, "Alertmanager"),
        },
        sources: vec![
            source("prometheus", vec![rules_source, delivery_source]),
            source("alertmanager", vec![alerts_source, silences_source, routing_source]),
        ],
        all_rules: all_rules.unwrap_or_default(),
        all_alerts: all_alerts.unwrap_or_default(),
    }
}

/// In an order that does not change from one run to the next.
fn sorted(mut alerts: Vec<Alert>) -> Vec<Alert> {
    alerts.sort_by(|a, b| (a.state, &a.labels).cmp(&(b.state, &b.labels)));
    alerts
}

/// The alerting rules of this name, each with those of its alerts that are meant.
fn named(rules: &[Rule], name: &str, is_meant: impl Fn(&Alert) -> bool) -> Vec<Rule> {
    let mut found: Vec<Rule> =
        rules.iter().filter(|rule| rule.name == name && rule.alerting.is_some()).cloned().collect();
    for made in found.iter_mut().filter_map(|rule| rule.alerting.as_mut()) {
        made.alerts.retain(&is_meant);
        made.alerts = sorted(std::mem::take(&mut made.alerts));
    }
    found
}

/// What each condition of the first rule gives now, when no rule has an alert.
async fn probe(rules: &[Rule], prometheus: &Prometheus<'_>) -> Vec<Probed> {
    let quiet = rules.iter().all(|rule| rule.alerting.as_ref().is_none_or(|made| made.alerts.is_empty()));
    let Some(rule) = rules.first().filter(|_| quiet) else {
        return Vec::new();
    };
    let mut probed = Vec::new();
    for part in parts(&rule.expression) {
        let series = ask(&part, prometheus).await;
        probed.push(Probed { part, series });
    }
    probed
}

async fn ask(part: &Part, prometheus: &Prometheus<'_>) -> Known<Vec<(Labels, f64)>> {
    let queried = prometheus.instant(&part.query, None).await.map_err(|error| error.to_string())?;
    let value = |series: Series| {
        let last = series.points.last()?.value.float()?;
        let labels = series.labels.into_iter().filter(|(name, _)| name != "__name__").collect();
        Some((labels, last))
    };
    match queried.answer {
        Answer::Vector(series) => Ok(series.into_iter().filter_map(value).collect()),
        Answer::Scalar(point) => Ok(point.value.float().map(|value| (Labels::new(), value)).into_iter().collect()),
        Answer::Matrix(_) | Answer::String { .. } => Err("it gives no instant vector".into()),
    }
}
