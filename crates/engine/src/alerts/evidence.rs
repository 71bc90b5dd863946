//! What the backends say about one alert, gathered at once: the facts that `alerts explain` reasons from.

use crate::clients::alertmanager::Alertmanager;
use crate::clients::prometheus::Prometheus;
use crate::observe::alerts::{Backends, known, timed};
use crate::session::Session;
use liveops_domain::alert::Alert;
use liveops_domain::alert::filter::AlertFilter;
use liveops_domain::alert::paging::{Facts, Known};
use liveops_domain::alert::probe::{Part, Probed, parts};
use liveops_domain::alert::rule::Rule;
use liveops_domain::alert::unevaluated::Unevaluated;
use liveops_domain::alert::union::Answered;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::promql;
use liveops_domain::metric::series::{Answer, Queried, Series};
use liveops_domain::status::source::{Source, SourceState};

/// The facts, the systems that were asked, and every name that there is.
pub struct Evidence {
    pub facts: Facts,
    pub sources: Vec<Source>,
    pub all_rules: Vec<Rule>,
    pub all_alerts: Vec<Alert>,
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
    let (mut asked, (silences, silences_source)) =
        tokio::join!(backends.query(), timed("alertmanager", alertmanager.map(Alertmanager::silences)),);
    let [alerts_source, rules_source] = asked.sources.clone();
    let (routing, deliveries, delivery) = (asked.routing.clone(), asked.deliveries.clone(), asked.delivery.take());
    let delivery_source = Source {
        state: if matches!(delivery, Some(Err(_))) { SourceState::Down } else { rules_source.state },
        error: delivery.as_ref().and_then(|answer| Some(answer.as_ref().err()?.reason())),
        ..rules_source.clone()
    };
    let no_alertmanager = missing(&asked.held, "Alertmanager");
    let no_rules = missing(&asked.rules, "Prometheus");
    let (alerts, all_rules, unevaluated) = match asked.join(cx.clock.now()) {
        Ok(joined) => (joined.alerts, known(joined.rules, "Prometheus"), joined.unevaluated),
        Err(error) => (Vec::new(), Err(no_rules.unwrap_or_else(|| error.to_string())), Vec::new()),
    };
    let unrecorded: Vec<_> = unevaluated.into_iter().filter(|rule| rule.name == name && rule.reads.is_some()).collect();
    let is_meant = |alert: &Alert| alert.name == name && filter.accepts(alert);
    let left_out = alerts.iter().filter(|alert| alert.name == name && !filter.accepts(alert)).count();
    // As Prometheus sends them: with the labels that it adds, so that one can ask for those, too.
    let sent = |alert: &Alert| {
        is_meant(alert) || alerts.iter().any(|one| is_meant(one) && is_within(&alert.labels, &one.labels))
    };
    let rules = all_rules.as_ref().map(|rules| named(rules, name, sent)).map_err(Clone::clone);
    let probes = match (&rules, prometheus) {
        (Ok(rules), Some(prometheus)) if left_out == 0 => probe(rules, prometheus).await,
        _ => Vec::new(),
    };
    let held = sorted(alerts.iter().filter(|alert| alert.fingerprint.is_some()).cloned().collect());
    let (own, others) = match no_alertmanager {
        None => {
            let (own, others) = held.into_iter().partition(is_meant);
            (Ok(own), others)
        }
        Some(why) => (Err(why), Vec::new()),
    };
    Evidence {
        facts: Facts {
            name: name.to_owned(),
            now: cx.clock.now(),
            rules,
            probes,
            unrecorded: Unevaluated::sentences(&unrecorded).into_iter().next(),
            delivery: known(delivery, "Prometheus").map(|delivery| (delivery.active, delivery.dropped)),
            alerts: own,
            others,
            silences: known(silences, "Alertmanager"),
            routing,
            deliveries,
            matchers: filter.matchers.clone(),
            left_out,
        },
        sources: vec![
            source("prometheus", vec![rules_source, delivery_source]),
            source("alertmanager", vec![alerts_source, silences_source]),
        ],
        all_rules: all_rules.unwrap_or_default(),
        all_alerts: alerts,
    }
}

/// Why there is no answer.
fn missing<T>(answer: &Answered<T>, system: &str) -> Option<String> {
    match answer {
        Some(Ok(_)) => None,
        Some(Err(error)) => Some(error.to_string()),
        None => Some(format!("no {system} is configured")),
    }
}

/// Has the other set every label of this one?
fn is_within(some: &Labels, all: &Labels) -> bool {
    some.iter().all(|(name, value)| all.get(name) == Some(value))
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
        let mut absent = Vec::new();
        if series.as_ref().is_ok_and(Vec::is_empty) {
            for selector in promql::selectors(&part.query) {
                let found = prometheus.instant(&format!("count({selector})"), None).await;
                let is_absent =
                    |queried: Queried| matches!(queried.answer, Answer::Vector(series) if series.is_empty());
                absent.extend(found.is_ok_and(is_absent).then_some(selector));
            }
        }
        probed.push(Probed { part, series, absent });
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
