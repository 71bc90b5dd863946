//! What fires, as Prometheus and Alertmanager say: the one place that asks them. Whoever needs to know asks here.

use std::cell::OnceCell;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout};

use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::request::Effort;
use crate::clients::http::target::Target;
use crate::clients::prometheus::wire::Delivery;
use crate::clients::prometheus::{Listed, Prometheus};
use crate::observe::names::remember_alerts;
use crate::session::Session;
use liveops_domain::alert::Alert;
use liveops_domain::alert::deliveries::Deliveries;
use liveops_domain::alert::filter::{KnownWords, service};
use liveops_domain::alert::paging::{Known, Routing};
use liveops_domain::alert::rule::Rule;
use liveops_domain::alert::unevaluated::Unevaluated;
use liveops_domain::alert::union::{Answered, Answers, Origin, Sending, union};
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::level::Level;
use liveops_domain::status::source::{Source, SourceState};

/// The backends that are configured; at least one is.
pub struct Backends<'a> {
    cx: &'a Session,
    pub alertmanager: Option<Alertmanager<'a>>,
    pub prometheus: Option<Prometheus<'a>>,
    /// Who has not answered by then does not, for this look.
    patience: Option<Duration>,
    /// What Prometheus adds on the way changes only when it is set up anew.
    sending: OnceCell<Sending>,
}

/// What fires, and what is known of the way to people.
#[derive(Debug)]
pub struct Alerts {
    pub origin: Origin,
    pub alerts: Vec<Alert>,
    /// What cannot be known, and why. While there is any, that nothing fires is not known.
    pub gaps: Vec<String>,
    /// Those among them that hold for every alert.
    pub source_gaps: Vec<String>,
    /// Rules of which nobody knows whether they would fire.
    pub unevaluated: Vec<Unevaluated>,
    /// What is wrong on the way from the rules to people.
    pub faults: Vec<String>,
    /// What may yet be well.
    pub notes: Vec<String>,
    pub sources: Vec<Source>,
    /// `None` where no Prometheus is configured.
    pub rules: Answered<Vec<Rule>>,
}

impl Alerts {
    /// Is everything known that the configured backends could know?
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// What is known, before one looks at any alert.
    pub fn level(&self) -> Level {
        match (self.gaps.is_empty(), self.faults.is_empty()) {
            (false, _) => Level::Unknown,
            (true, false) => Level::Warn,
            (true, true) => Level::Ok,
        }
    }

    /// The severities that alerts and rules have.
    pub fn severities(&self) -> KnownWords {
        let rules = self.rules.as_ref().and_then(|rules| rules.as_ref().ok());
        let of_rules =
            rules.into_iter().flatten().filter_map(|rule| rule.alerting.as_ref()?.labels.get("severity").cloned());
        let of_alerts = self.alerts.iter().filter_map(|alert| alert.severity.clone());
        KnownWords { words: of_alerts.chain(of_rules).collect(), all: rules.is_some() && self.is_complete() }
    }

    /// The services that are configured, and those that alerts name.
    pub fn services(&self, cx: &Session) -> Result<KnownWords> {
        let configured = cx.services(&[])?;
        let named = self.alerts.iter().filter_map(|alert| Some(service(&alert.labels)?.to_owned()));
        let all = !configured.is_empty() && self.is_complete();
        Ok(KnownWords { words: configured.iter().map(|one| one.name.clone()).chain(named).collect(), all })
    }

    /// Everything that a person should hear beside the alerts.
    pub fn warnings(&self) -> Vec<String> {
        self.gaps.iter().chain(&self.faults).chain(&self.notes).cloned().collect()
    }
}

/// A system and its URL.
type Who = (&'static str, Option<String>);

/// The answers before they are joined.
pub struct Asked {
    pub fired: Answered<Vec<Alert>>,
    pub held: Answered<Vec<Alert>>,
    pub rules: Answered<Vec<Rule>>,
    pub routing: Known<Routing>,
    pub deliveries: Vec<Deliveries>,
    /// The Alertmanagers that Prometheus sends alerts to.
    pub delivery: Answered<Delivery>,
    /// Alertmanager first, then Prometheus.
    pub sources: [Source; 2],
    sending: Option<Sending>,
    /// What the answers leave open of any alert: whether it is muted, and what a part of a list does not have.
    unknown: Vec<String>,
    /// What stands in for an answer that did not come.
    instead: Option<String>,
}

/// Finds the backends. One whose secret cannot be had is there, and does not answer.
///
/// # Errors
/// `Unconfigured` when there is neither.
pub fn backends(cx: &Session, effort: Effort) -> Result<Backends<'_>> {
    let http = cx.http()?;
    let is_missing = |target: &Result<_>| matches!(target, Err(Error::Unconfigured { .. }));
    let (alertmanager, prometheus) = (cx.alertmanager(), cx.prometheus());
    let none = is_missing(&alertmanager) && is_missing(&prometheus);
    let backends = Backends {
        cx,
        alertmanager: alertmanager.ok().map(|target| Alertmanager::new(http, target, effort)),
        prometheus: prometheus.ok().map(|target| Prometheus::new(http, target, effort)),
        patience: None,
        sending: OnceCell::new(),
    };
    if none {
        return Err(Error::Unconfigured {
            what: "Alertmanager or Prometheus",
            environment: cx.environment()?.to_owned(),
            hint: "pass `--alertmanager URL` or `--prometheus URL`, or set them in liveops.yaml; `liveops init` writes one".into(),
        });
    }
    Ok(backends)
}

/// Asks one backend, if it is there, and keeps the time.
pub async fn timed<T>(name: &str, call: Option<impl Future<Output = Result<T>>>) -> (Answered<T>, Source) {
    let began = Instant::now();
    let answer = match call {
        Some(call) => Some(call.await),
        None => None,
    };
    let state = match &answer {
        None => SourceState::Unconfigured,
        Some(Ok(_)) => SourceState::Ok,
        Some(Err(_)) => SourceState::Down,
    };
    let source = Source {
        name: name.to_owned(),
        state,
        latency_ms: answer.as_ref().map(|_| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)),
        error: answer.as_ref().and_then(|answer| Some(answer.as_ref().err()?.reason())),
    };
    (answer, source)
}

impl Backends<'_> {
    /// Waits for none of them longer than this, and asks nothing about the way to people: for a rollout, which looks
    /// every few seconds.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Asks everything at once.
    pub async fn query(&self) -> Asked {
        let (alertmanager, prometheus) = (self.alertmanager.as_ref(), self.prometheus.as_ref());
        let both = alertmanager.filter(|_| prometheus.is_some()).and(prometheus);
        let unknown = both.filter(|_| self.sending.get().is_none());
        let people = alertmanager.filter(|_| self.patience.is_none());
        let told = prometheus.filter(|_| self.patience.is_none());
        let of_alertmanager = || ("alertmanager", alertmanager.map(Alertmanager::url));
        let of_prometheus = || ("prometheus", prometheus.map(Prometheus::url));
        let ((held, routing, deliveries), ((fired, source), rules, config, delivery)) = tokio::join!(
            async {
                tokio::join!(
                    timed(
                        "alertmanager",
                        alertmanager.map(|client| self.limited(of_alertmanager(), client.alerts(&[])))
                    ),
                    self.asked(of_alertmanager(), alertmanager.map(Alertmanager::routing)),
                    self.asked(of_alertmanager(), people.map(Alertmanager::deliveries)),
                )
            },
            async {
                tokio::join!(
                    timed("prometheus", prometheus.map(|client| self.limited(of_prometheus(), client.alerts()))),
                    self.asked(of_prometheus(), prometheus.map(|client| client.rules(&self.cx.clock))),
                    self.asked(of_prometheus(), unknown.map(Prometheus::configuration)),
                    self.asked(of_prometheus(), told.map(Prometheus::alertmanagers)),
                )
            },
        );
        let (held, alertmanager_source) = or_blocked(held, self.cx.alertmanager());
        let ((fired, unfired), (rules, unlisted)) = (unlist(fired), unlist(rules));
        let (mut fired, mut prometheus_source) = or_blocked((fired, source), self.cx.prometheus());
        let mut instead = None;
        if let Some(Err(error)) = &fired
            && (matches!(rules, Some(Ok(_))) || has_none(error) && matches!(held, Some(Ok(_))))
        {
            prometheus_source.state = SourceState::Degraded;
            let says = format!("Prometheus does not list its alerts ({error}): what its rules say is shown");
            instead = Some(says).filter(|_| !has_none(error));
            fired = rules.as_ref().filter(|rules| rules.is_ok()).map(|_| Ok(Vec::new()));
        }
        if let Some(sending) = config.and_then(Result::ok).and_then(|config| Sending::of_config(&config)) {
            // Set once, since it was not there when it was asked for.
            let _ = self.sending.set(sending);
        }
        let mut asked = Asked {
            fired,
            held,
            rules,
            routing: known(routing, "Alertmanager"),
            deliveries: deliveries.and_then(Result::ok).unwrap_or_default(),
            delivery,
            sources: [alertmanager_source, prometheus_source],
            sending: self.sending.get().cloned(),
            unknown: unfired.into_iter().chain(unlisted).collect(),
            instead,
        };
        let may_mute = |routing: &Routing| routing.reports_muting && routing.has_intervals != Some(false);
        if let (Some(Ok(held)), Some(client), true) =
            (&mut asked.held, alertmanager, asked.routing.as_ref().is_ok_and(may_mute))
            && let Err(error) = self.limited(of_alertmanager(), client.mark_muted(held)).await
        {
            asked.unknown.push(format!("which alerts a time interval mutes is not known: {error}"));
        }
        asked
    }

    /// What fires.
    ///
    /// # Errors
    /// When no backend answered: what the first of them failed with.
    pub async fn ask(&self, now: DateTime<Utc>) -> Result<Alerts> {
        let alerts = self.query().await.join(now)?;
        if self.patience.is_none() {
            remember_alerts(self.cx, &alerts.alerts, alerts.rules.as_ref().and_then(|rules| rules.as_deref().ok()));
        }
        Ok(alerts)
    }

    async fn asked<T>(&self, who: Who, call: Option<impl Future<Output = Result<T>>>) -> Answered<T> {
        match call {
            Some(call) => Some(self.limited(who, call).await),
            None => None,
        }
    }

    async fn limited<T>(&self, (system, url): Who, call: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(patience) = self.patience else {
            return call.await;
        };
        let late = || Error::Timeout { system: system.into(), url: url.unwrap_or_default(), after: patience };
        timeout(patience, call).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Asked {
    /// Joins the answers.
    ///
    /// # Errors
    /// As [`Backends::ask`].
    pub fn join(self, now: DateTime<Utc>) -> Result<Alerts> {
        let rules = match &self.rules {
            Some(Err(error)) if has_none(error) => None,
            Some(rules) => Some(rules.as_deref()),
            None => None,
        };
        let tells_nobody = matches!(&self.delivery, Some(Ok(delivery)) if delivery.active.is_empty());
        let found = union(
            Answers {
                fired: self.fired,
                rules,
                held: self.held,
                sending: self.sending,
                alertmanager_since: self.routing.as_ref().ok().and_then(|routing| routing.since),
                tells_nobody: tells_nobody && self.sources[0].state != SourceState::Unconfigured,
            },
            now,
        )?;
        let failing = self.deliveries.iter().filter(|one| one.fails());
        let failing = failing.map(|one| format!("Alertmanager's notifications fail, by {}", one.show()));
        let source_gaps: Vec<String> = found.gaps.into_iter().chain(self.unknown).collect();
        let of_rules = Unevaluated::sentences(&found.unevaluated);
        Ok(Alerts {
            origin: found.origin,
            alerts: found.alerts,
            gaps: source_gaps.iter().cloned().chain(of_rules).collect(),
            source_gaps,
            unevaluated: found.unevaluated,
            faults: found.faults.into_iter().chain(failing).collect(),
            notes: found.notes.into_iter().chain(self.instead).collect(),
            sources: self.sources.into(),
            rules: self.rules,
        })
    }
}

/// A list, and why it is not whole.
fn unlist<T>(answer: Answered<Listed<T>>) -> (Answered<Vec<T>>, Option<String>) {
    match answer {
        Some(Ok(Listed { all, partial })) => (Some(Ok(all)), partial.map(|why| why.to_string())),
        Some(Err(error)) => (Some(Err(error)), None),
        None => (None, None),
    }
}

/// Front ends of other makes answer queries only: they have no rules and no alerts, and that is no fault.
fn has_none(error: &Error) -> bool {
    matches!(error, Error::Rejected { status: 404 | 405 | 501, .. })
}

/// An endpoint that is configured and cannot be asked, such as for want of a secret, is no endpoint that is missing.
fn or_blocked<T>(asked: (Answered<T>, Source), target: Result<Target>) -> (Answered<T>, Source) {
    match target {
        Err(error) if !matches!(error, Error::Unconfigured { .. }) => {
            let source = Source { state: SourceState::Down, error: Some(error.reason()), ..asked.1 };
            (Some(Err(error)), source)
        }
        _ => asked,
    }
}

/// What was answered, or why it is not known.
pub fn known<T>(answer: Answered<T>, system: &str) -> Known<T> {
    match answer {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("no {system} is configured")),
    }
}
