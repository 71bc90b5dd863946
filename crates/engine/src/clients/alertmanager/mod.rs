//! Alertmanager's API v2: alerts, silences, receivers.
//! Source of the shapes: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml.

pub mod wire;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::alertmanager::wire::{AlertWire, GroupWire, SilenceWire, muted, routing};
use crate::clients::http::Http;
use crate::clients::http::answer::Answer;
use crate::clients::http::request::{Effort, Request};
use crate::clients::http::target::Target;
use crate::clients::loose::Entries;
use crate::clients::prometheus::wire::{each, odd_alert};
use crate::clients::service::scrape;
use liveops_domain::alert::deliveries::{Deliveries, is_counter, read};
use liveops_domain::alert::matcher::Matcher;
use liveops_domain::alert::paging::Routing;
use liveops_domain::alert::silence::{Draft, Silence, SilenceState};
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::error::{Error, Result};

/// One Alertmanager (or one of a cluster; they gossip).
#[derive(Debug)]
pub struct Alertmanager<'a> {
    http: &'a Http,
    target: Target,
    effort: Effort,
}

impl<'a> Alertmanager<'a> {
    /// A client; nothing is sent yet.
    pub fn new(http: &'a Http, target: Target, effort: Effort) -> Self {
        Self { http, target, effort }
    }

    /// Its URL, for messages.
    pub fn url(&self) -> String {
        self.target.url()
    }

    /// Every alert that it holds, the silenced and inhibited ones too; with matchers only those that satisfy them.
    ///
    /// # Errors
    /// As every call.
    pub async fn alerts(&self, matchers: &[Matcher]) -> Result<Vec<Alert>> {
        let filters = matchers.iter().map(|matcher| ("filter".to_owned(), matcher.show())).collect();
        let answer = self.get(Request::get("api/v2/alerts").query(filters)).await?;
        let known = |wire: std::result::Result<AlertWire, Value>| {
            wire.map_or_else(
                // It holds it, whatever else it says.
                |entry| Alert {
                    fingerprint: Some(entry["fingerprint"].as_str().unwrap_or("?").into()),
                    ..odd_alert(&entry)
                },
                AlertWire::into_domain,
            )
        };
        let decode = move |answer: &Answer| {
            let entries: Option<Entries> = answer.json()?;
            Ok(each(entries.unwrap_or_default()).map(known).collect())
        };
        answer.decoded(decode).await
    }

    /// Every silence, the expired ones that it still remembers too.
    ///
    /// # Errors
    /// As every call.
    pub async fn silences(&self) -> Result<Vec<Silence>> {
        let wires: Option<Vec<Option<SilenceWire>>> = self.get(Request::get("api/v2/silences")).await?.json()?;
        Ok(wires.unwrap_or_default().into_iter().flatten().map(SilenceWire::into_domain).collect())
    }

    /// One silence; the beginning of its id is enough where only one begins so.
    ///
    /// # Errors
    /// `NotFound`, with the silences that are not expired; `Usage` when several begin so.
    pub async fn silence(&self, id: &str) -> Result<Silence> {
        pick(&self.silences().await?, id)
    }

    /// Who is told, and when, as far as its configuration says.
    ///
    /// # Errors
    /// As every call.
    pub async fn routing(&self) -> Result<Routing> {
        Ok(routing(&self.get(Request::get("api/v2/status")).await?.json()?))
    }

    /// Its configuration, as YAML, without secrets; empty where it is not shown.
    ///
    /// # Errors
    /// As every call.
    pub async fn configuration(&self) -> Result<String> {
        let status: Value = self.get(Request::get("api/v2/status")).await?.json()?;
        Ok(status.pointer("/config/original").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Marks the alerts that a time interval mutes. Since 0.28 it says so of its groups; of its alerts, which have no
    /// route, it does not.
    ///
    /// # Errors
    /// As every call.
    pub async fn mark_muted(&self, alerts: &mut [Alert]) -> Result<()> {
        let groups: Vec<GroupWire> = self.get(Request::get("api/v2/alerts/groups")).await?.json()?;
        let mut muted = muted(groups);
        for alert in alerts {
            let Some((told, by)) = alert.fingerprint.as_ref().and_then(|fingerprint| muted.remove(fingerprint)) else {
                continue;
            };
            if !told.is_empty() {
                alert.receivers.retain(|name| told.contains(name));
            } else if alert.state == AlertState::Firing {
                alert.state = AlertState::Muted;
            }
            alert.muted_by = by;
        }
        Ok(())
    }

    /// What it has counted of its notifications.
    ///
    /// # Errors
    /// As every call; hosted services show no metrics.
    pub async fn deliveries(&self) -> Result<Vec<Deliveries>> {
        let (exposition, _) = scrape(self.http, &self.target, "metrics", self.effort, is_counter).await?;
        Ok(read(&exposition.samples))
    }

    /// Its version, and the answer for latency and clock.
    ///
    /// # Errors
    /// As every call.
    pub async fn version(&self) -> Result<(String, Answer)> {
        let answer = self.get(Request::get("api/v2/status")).await?;
        let value: Value = answer.json()?;
        let version = value.pointer("/versionInfo/version").and_then(Value::as_str);
        Ok((version.ok_or_else(|| answer.malformed("a status without version"))?.to_owned(), answer))
    }

    /// Adds a silence, or with `id` changes one, and returns its id. When the answer is lost it looks whether the
    /// silence is there before it tries again, and once more afterwards, so that there is never a second one.
    ///
    /// # Errors
    /// As every call. After `Timeout`, `Unreachable` or `Malformed` it is not there as far as can be seen, or could
    /// not be looked for.
    pub async fn set_silence(&self, draft: &Draft, id: Option<&str>, _confirmed: &Confirmed) -> Result<String> {
        let lost = match self.post_silence(draft, id).await {
            Err(error) if is_open(&error) => error,
            answered => return answered,
        };
        // Not to know is worse than to be late.
        self.http.restart();
        match self.live_like(draft).await {
            Ok(found) if !found.is_empty() => return Ok(found[0].clone()),
            // It did not arrive; what was answered senselessly once would be so again.
            Ok(_) if !matches!(lost, Error::Malformed { .. }) => {}
            _ => return Err(lost),
        }
        let second = self.post_silence(draft, id).await;
        self.http.restart();
        let found = self.live_like(draft).await.unwrap_or_default();
        let kept = match (second, found.first()) {
            (Ok(id), _) => id,
            (Err(_), Some(id)) => id.clone(),
            (Err(error), None) if is_open(&error) => return Err(lost),
            (Err(error), None) => return Err(error),
        };
        // The first may have been under way all the time.
        for twin in found.iter().filter(|id| **id != kept) {
            self.delete_silence(twin).await?;
        }
        Ok(kept)
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
        for (name, value) in &draft.other {
            body[name] = value.clone();
        }
        if let Some(id) = id {
            body["id"] = json!(id);
        }
        let answer =
            self.http.send(&self.target, Request::change(Method::POST, "api/v2/silences", Some(body))).await?.ok()?;
        let value: Value = answer.json()?;
        let id = value.get("silenceID").and_then(Value::as_str);
        Ok(id.ok_or_else(|| answer.malformed("no `silenceID`"))?.to_owned())
    }

    /// Ids of the silences that are not expired and are the same as this one.
    async fn live_like(&self, draft: &Draft) -> Result<Vec<String>> {
        let same = |silence: &Silence| silence.state != SilenceState::Expired && silence.draft.is_same(draft);
        let silences = self.silences().await?.into_iter();
        Ok(silences.filter(same).map(|silence| silence.id).collect())
    }

    /// Expires a silence: its alerts page again at once. Expiring twice is no error.
    ///
    /// # Errors
    /// As every call.
    pub async fn expire_silence(&self, id: &str, _confirmed: &Confirmed) -> Result<()> {
        // To be expired is the same once or twice, so a lost answer is simply asked for again.
        let answered = match self.delete_silence(id).await {
            Err(error) if is_open(&error) => {
                self.http.restart();
                self.delete_silence(id).await
            }
            answered => answered,
        };
        match answered {
            // Alertmanager refuses to expire what is expired (500 before 0.27, 404 or 400 since).
            Err(error @ Error::Rejected { .. }) => match self.silence(id).await {
                Ok(silence) if silence.state == SilenceState::Expired => Ok(()),
                _ => Err(error),
            },
            answered => answered,
        }
    }

    async fn delete_silence(&self, id: &str) -> Result<()> {
        let request = Request::change(Method::DELETE, format!("api/v2/silence/{id}"), None);
        self.http.send(&self.target, request).await?.ok().map(drop)
    }

    async fn get(&self, request: Request) -> Result<Answer> {
        self.http.send(&self.target, request.effort(self.effort)).await?.ok()
    }
}

/// Does the error leave open whether the request was carried out?
fn is_open(error: &Error) -> bool {
    matches!(error, Error::Timeout { .. } | Error::Unreachable { .. } | Error::Malformed { .. })
}

/// The shortest beginning of an id that is taken for it.
const SHORTEST: usize = 4;

/// The silence with this id, or the only one whose id begins so.
///
/// # Errors
/// As [`Alertmanager::silence`].
pub fn pick(silences: &[Silence], id: &str) -> Result<Silence> {
    if let Some(exact) = silences.iter().find(|silence| silence.id == id) {
        return Ok(exact.clone());
    }
    let begins = |silence: &&Silence| id.len() >= SHORTEST && silence.id.starts_with(id);
    let found: Vec<&Silence> = silences.iter().filter(begins).collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Error::NotFound {
            what: "silence",
            name: id.to_owned(),
            candidates: silences
                .iter()
                .filter(|silence| silence.state != SilenceState::Expired)
                .map(|silence| silence.id.clone())
                .collect(),
        }),
        several => Err(Error::usage(
            format!("the ids of {} silences begin with `{id}`", several.len()),
            format!("type more of it, such as `{}`", several[0].id),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_shortened_while_it_is_the_only_one() {
        let silence = |id: &str| Silence {
            id: id.into(),
            state: SilenceState::Active,
            draft: Draft {
                matchers: Vec::new(),
                starts_at: DateTime::default(),
                ends_at: DateTime::default(),
                created_by: String::new(),
                comment: String::new(),
                other: serde_json::Map::new(),
            },
        };
        let all = || vec![silence("abcd-1"), silence("abcd-2"), silence("efgh-3")];
        assert_eq!(pick(&all(), "efgh").expect("the only one").id, "efgh-3");
        assert_eq!(pick(&all(), "abcd-1").expect("exact").id, "abcd-1");
        assert_eq!(pick(&all(), "abcd").unwrap_err().kind(), "usage");
        assert_eq!(pick(&all(), "efg").unwrap_err().kind(), "not_found");
    }
}
