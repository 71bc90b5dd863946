//! Asks Alertmanager and Prometheus at once what fires, and makes one list of their answers.

use serde::Serialize;
use tokio::time::Instant;

use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::error::{Error, Result};
use liveops_domain::status::source::{Source, SourceState};

/// Who said what fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Alertmanager, with what Prometheus has pending.
    Alertmanager,
    /// Prometheus alone: nothing is known of silences and inhibitions.
    Prometheus,
}

/// What the backends know.
#[derive(Debug)]
pub struct Gathered {
    pub origin: Origin,
    pub alerts: Vec<Alert>,
    pub sources: Vec<Source>,
    pub warnings: Vec<String>,
}

impl Gathered {
    /// Did every configured backend answer?
    pub fn is_complete(&self) -> bool {
        self.sources.iter().all(|source| matches!(source.state, SourceState::Ok | SourceState::Unconfigured))
    }
}

/// The backends that are configured; at least one is.
pub struct Backends<'a> {
    pub alertmanager: Option<Alertmanager<'a>>,
    pub prometheus: Option<Prometheus<'a>>,
}

/// Finds them.
///
/// # Errors
/// `Unconfigured` when there is neither; a secret that cannot be had.
pub fn backends(cx: &Session, effort: Effort) -> Result<Backends<'_>> {
    let http = cx.http()?;
    let found = |target: Result<_>| match target {
        Ok(target) => Ok(Some(target)),
        Err(Error::Unconfigured { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let backends = Backends {
        alertmanager: found(cx.alertmanager())?.map(|target| Alertmanager::new(http, target, effort)),
        prometheus: found(cx.prometheus())?.map(|target| Prometheus::new(http, target, effort)),
    };
    if backends.alertmanager.is_none() && backends.prometheus.is_none() {
        return Err(Error::Unconfigured {
            what: "Alertmanager or Prometheus",
            environment: cx.environment()?.to_owned(),
            hint: "pass `--alertmanager URL` or `--prometheus URL`, or set them in liveops.yaml; `liveops init` writes one".into(),
        });
    }
    Ok(backends)
}

/// Asks one backend, if it is there, and keeps the time.
pub async fn timed<T>(name: &str, call: Option<impl Future<Output = Result<T>>>) -> (Option<Result<T>>, Source) {
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
        error: answer.as_ref().and_then(|answer| Some(answer.as_ref().err()?.to_string())),
    };
    (answer, source)
}

/// What fires, is pending, silenced, inhibited.
///
/// # Errors
/// When no backend answered: what the first of them failed with.
pub async fn gather(backends: &Backends<'_>) -> Result<Gathered> {
    let ((held, first), (made, second)) = tokio::join!(
        timed("alertmanager", backends.alertmanager.as_ref().map(|client| client.alerts(&[]))),
        timed("prometheus", backends.prometheus.as_ref().map(Prometheus::alerts)),
    );
    let sources = vec![first, second];
    let (origin, alerts, warnings) = merge(held, made)?;
    Ok(Gathered { origin, alerts, sources, warnings })
}

type Answered = Option<Result<Vec<Alert>>>;

/// One list of both answers. Alertmanager is asked first, since it knows who is told.
fn merge(held: Answered, made: Answered) -> Result<(Origin, Vec<Alert>, Vec<String>)> {
    match (held, made) {
        (Some(Ok(held)), made) => {
            let mut warnings = Vec::new();
            let mut alerts = held;
            match made {
                None => {}
                Some(Err(error)) => {
                    warnings.push(format!("what is pending is not known, and alerts may be missing: {error}"));
                }
                Some(Ok(made)) => alerts = complete(alerts, made, &mut warnings),
            }
            Ok((Origin::Alertmanager, alerts, warnings))
        }
        (Some(Err(error)), Some(Ok(made))) => {
            let warning = format!("silences are not known, these are Prometheus' own alerts: {error}");
            Ok((Origin::Prometheus, made, vec![warning]))
        }
        (None, Some(Ok(made))) => Ok((Origin::Prometheus, made, Vec::new())),
        (Some(Err(error)), _) | (None, Some(Err(error))) => Err(error),
        (None, None) => Err(Error::internal("no backend was asked")),
    }
}

/// Adds what only Prometheus knows: the pending ones, and those that fire and did not arrive.
fn complete(mut held: Vec<Alert>, made: Vec<Alert>, warnings: &mut Vec<String>) -> Vec<Alert> {
    let mut lost: Vec<String> = Vec::new();
    for alert in made {
        let arrived = held.iter().any(|known| known.name == alert.name);
        if alert.state == AlertState::Firing && arrived {
            continue;
        }
        if alert.state == AlertState::Firing && !lost.contains(&alert.name) {
            lost.push(alert.name.clone());
        }
        held.push(alert);
    }
    for name in lost {
        warnings.push(format!("Alertmanager does not have `{name}` (yet), which Prometheus fires: nobody may be told"));
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveops_domain::metric::labels::Labels;

    fn alert(name: &str, state: AlertState) -> Alert {
        Alert {
            name: name.into(),
            state,
            severity: None,
            labels: Labels::new(),
            annotations: Labels::new(),
            since: None,
            runbook: None,
            fingerprint: None,
            silenced_by: Vec::new(),
            inhibited_by: Vec::new(),
            receivers: Vec::new(),
        }
    }

    fn down() -> Answered {
        Some(Err(Error::internal("down")))
    }

    #[test]
    fn both_answers_become_one_list() {
        use AlertState::{Firing, Pending, Silenced};
        let held = vec![alert("A", Silenced)];
        let made = vec![alert("A", Firing), alert("B", Pending), alert("C", Firing)];
        let (origin, alerts, warnings) = merge(Some(Ok(held)), Some(Ok(made))).expect("both answered");
        let names: Vec<(&str, AlertState)> = alerts.iter().map(|alert| (alert.name.as_str(), alert.state)).collect();
        assert_eq!(origin, Origin::Alertmanager);
        assert_eq!(names, [("A", Silenced), ("B", Pending), ("C", Firing)]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("does not have `C`"), "{warnings:?}");
    }

    #[test]
    fn one_answer_is_enough_and_none_is_an_error() {
        let one = || Some(Ok(vec![alert("A", AlertState::Firing)]));
        let (origin, _, warnings) = merge(down(), one()).expect("prometheus answered");
        assert_eq!((origin, warnings.len()), (Origin::Prometheus, 1));
        let (origin, _, warnings) = merge(one(), down()).expect("alertmanager answered");
        assert_eq!((origin, warnings.len()), (Origin::Alertmanager, 1));
        let (_, _, warnings) = merge(None, one()).expect("prometheus answered");
        assert!(warnings.is_empty(), "what is not configured is not missed");
        assert!(merge(down(), down()).is_err() && merge(None, down()).is_err());
    }
}
