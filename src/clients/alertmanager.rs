//! Alertmanager's API v2: alerts, silences, receivers.
//! Source of the shapes: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::change::Confirmed;
use crate::clients::http::{Answer, Effort, Http, Request, Target};
use crate::clients::prometheus_wire::runbook;
use crate::domain::alert::{Alert, AlertState};
use crate::domain::labels::Labels;
use crate::domain::matcher::Matcher;
use crate::domain::silence::{Draft, Silence, SilenceState};
use crate::error::{Error, Result};

/// One Alertmanager (or one of a cluster; they gossip).
#[derive(Debug)]
pub(crate) struct Alertmanager<'a> {
    http: &'a Http,
    target: Target,
    effort: Effort,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlertWire {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    starts_at: DateTime<Utc>,
    fingerprint: String,
    status: StatusWire,
    #[serde(default)]
    receivers: Vec<ReceiverWire>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusWire {
    #[serde(default)]
    silenced_by: Vec<String>,
    #[serde(default)]
    inhibited_by: Vec<String>,
    /// Since 0.28.
    #[serde(default)]
    muted_by: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ReceiverWire {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SilenceWire {
    id: String,
    status: SilenceStatusWire,
    matchers: Vec<Matcher>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    created_by: String,
    comment: String,
}

#[derive(Debug, Deserialize)]
struct SilenceStatusWire {
    state: String,
}

impl AlertWire {
    fn into_domain(self) -> Alert {
        let state = if !self.status.silenced_by.is_empty() {
            AlertState::Silenced
        } else if !self.status.inhibited_by.is_empty() {
            AlertState::Inhibited
        } else if !self.status.muted_by.is_empty() {
            AlertState::Muted
        } else {
            AlertState::Firing
        };
        Alert {
            name: self.labels.get("alertname").cloned().unwrap_or_default(),
            state,
            severity: self.labels.get("severity").cloned(),
            runbook: runbook(&self.annotations),
            since: Some(self.starts_at),
            labels: self.labels,
            annotations: self.annotations,
            fingerprint: Some(self.fingerprint),
            silenced_by: self.status.silenced_by,
            inhibited_by: self.status.inhibited_by,
            receivers: self
                .receivers
                .into_iter()
                .map(|receiver| receiver.name)
                .collect(),
        }
    }
}

impl SilenceWire {
    fn into_domain(self) -> Silence {
        let state = match self.status.state.as_str() {
            "pending" => SilenceState::Pending,
            "expired" => SilenceState::Expired,
            _ => SilenceState::Active,
        };
        let draft = Draft {
            matchers: self.matchers,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            created_by: self.created_by,
            comment: self.comment,
        };
        Silence {
            id: self.id,
            state,
            draft,
        }
    }
}

impl<'a> Alertmanager<'a> {
    /// A client; nothing is sent yet.
    pub(crate) fn new(http: &'a Http, target: Target, effort: Effort) -> Self {
        Self {
            http,
            target,
            effort,
        }
    }

    /// Its URL, for messages.
    pub(crate) fn url(&self) -> String {
        self.target.url()
    }

    /// Every alert that it holds, the silenced and inhibited ones too; with matchers only those that satisfy them.
    ///
    /// # Errors
    /// As every call.
    pub(crate) async fn alerts(&self, matchers: &[Matcher]) -> Result<Vec<Alert>> {
        let filters = matchers
            .iter()
            .map(|matcher| ("filter".to_owned(), matcher.show()))
            .collect();
        let wires: Vec<AlertWire> = self
            .get(Request::get("api/v2/alerts").query(filters))
            .await?
            .json()?;
        Ok(wires.into_iter().map(AlertWire::into_domain).collect())
    }

    /// Every silence, the expired ones that it still remembers too.
    ///
    /// # Errors
    /// As every call.
    pub(crate) async fn silences(&self) -> Result<Vec<Silence>> {
        let wires: Vec<SilenceWire> = self.get(Request::get("api/v2/silences")).await?.json()?;
        Ok(wires.into_iter().map(SilenceWire::into_domain).collect())
    }

    /// One silence.
    ///
    /// # Errors
    /// `NotFound`, with the silences that are not expired.
    pub(crate) async fn silence(&self, id: &str) -> Result<Silence> {
        let silences = self.silences().await?;
        let candidates = || {
            silences
                .iter()
                .filter(|silence| silence.state != SilenceState::Expired)
                .map(|silence| silence.id.clone())
        };
        let missing = Error::NotFound {
            what: "silence",
            name: id.to_owned(),
            candidates: candidates().collect(),
        };
        // The beginning of an id is enough, when it is the beginning of one only.
        let mut found = silences
            .iter()
            .filter(|silence| silence.id == id || (id.len() >= 4 && silence.id.starts_with(id)));
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only.clone()),
            _ => Err(missing),
        }
    }

    /// Its version, and the answer for latency and clock.
    ///
    /// # Errors
    /// As every call.
    pub(crate) async fn version(&self) -> Result<(String, Answer)> {
        let answer = self.get(Request::get("api/v2/status")).await?;
        let value: Value = answer.json()?;
        let version = value
            .pointer("/versionInfo/version")
            .and_then(Value::as_str);
        Ok((
            version
                .ok_or_else(|| answer.malformed("a status without version"))?
                .to_owned(),
            answer,
        ))
    }

    /// Adds a silence, or with `id` changes one, and returns its id. When the answer is lost it looks whether the
    /// silence is there before it would try again, so that there is never a second one.
    ///
    /// # Errors
    /// As every call; the silence is then surely not there, or the error says that this is not known.
    pub(crate) async fn set_silence(
        &self,
        draft: &Draft,
        id: Option<&str>,
        confirmed: &Confirmed,
    ) -> Result<String> {
        match self.post_silence(draft, id).await {
            Err(
                error @ (Error::Timeout { .. }
                | Error::Unreachable { .. }
                | Error::Malformed { .. }),
            ) => match self.find(draft).await {
                Ok(Some(found)) => Ok(found),
                // It did not arrive. One more try; the same look follows if that is lost, too.
                Ok(None) if !matches!(error, Error::Malformed { .. }) => {
                    self.retry_silence(draft, id, confirmed, error).await
                }
                _ => Err(error),
            },
            done => done,
        }
    }

    async fn retry_silence(
        &self,
        draft: &Draft,
        id: Option<&str>,
        _confirmed: &Confirmed,
        first: Error,
    ) -> Result<String> {
        match self.post_silence(draft, id).await {
            Ok(id) => Ok(id),
            Err(_) => Ok(self.find(draft).await.ok().flatten().ok_or(first)?),
        }
    }

    async fn post_silence(&self, draft: &Draft, id: Option<&str>) -> Result<String> {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Nanos, true);
        let mut body = json!({
            "matchers": draft.matchers,
            "startsAt": time(draft.starts_at),
            "endsAt": time(draft.ends_at),
            "createdBy": draft.created_by,
            "comment": draft.comment,
        });
        if let Some(id) = id {
            body["id"] = json!(id);
        }
        let answer = self
            .http
            .send(
                &self.target,
                Request::change(Method::POST, "api/v2/silences", Some(body)),
            )
            .await?
            .ok()?;
        let value: Value = answer.json()?;
        let id = value.get("silenceID").and_then(Value::as_str);
        Ok(id
            .ok_or_else(|| answer.malformed("no `silenceID`"))?
            .to_owned())
    }

    async fn find(&self, draft: &Draft) -> Result<Option<String>> {
        let silences = self.silences().await?;
        let same = |silence: &&Silence| {
            silence.state != SilenceState::Expired && silence.draft.is_same(draft)
        };
        Ok(silences.iter().find(same).map(|silence| silence.id.clone()))
    }

    /// Expires a silence: its alerts page again at once. Expiring twice is no error.
    ///
    /// # Errors
    /// As every call.
    pub(crate) async fn expire_silence(&self, id: &str, _confirmed: &Confirmed) -> Result<()> {
        let request = || Request::change(Method::DELETE, format!("api/v2/silence/{id}"), None);
        match self.http.send(&self.target, request()).await {
            // Expiring is the same once or twice, so a lost answer is simply asked for again.
            Err(Error::Timeout { .. } | Error::Unreachable { .. }) => {}
            answered => return answered?.ok().map(drop),
        }
        match self.http.send(&self.target, request()).await?.ok() {
            Err(Error::Rejected { .. })
                if self.silence(id).await?.state == SilenceState::Expired =>
            {
                Ok(())
            }
            done => done.map(drop),
        }
    }

    async fn get(&self, request: Request) -> Result<Answer> {
        self.http
            .send(&self.target, request.effort(self.effort))
            .await?
            .ok()
    }
}
