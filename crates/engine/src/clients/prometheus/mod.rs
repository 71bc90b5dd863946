//! Prometheus' HTTP API v1 (also Thanos, Mimir, VictoriaMetrics): queries by POST form, alerts, rules, targets.
//! Source of the shapes: https://prometheus.io/docs/prometheus/latest/querying/api/.

pub mod joined;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::clients::http::Http;
use crate::clients::http::answer::Answer as HttpAnswer;
use crate::clients::http::request::{Effort, Request};
use crate::clients::http::target::Target;
use crate::clients::prometheus::wire::{
    AlertsWire, BuildWire, ConfigWire, DataWire, Delivery, ManagersWire, RulesWire, TargetsWire, or_empty,
};
use crate::clock::Clock;
use liveops_domain::alert::Alert;
use liveops_domain::alert::rule::Rule;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::series::{Queried, ScrapeTarget};
use liveops_domain::status::skew::skew;
use liveops_domain::text::count::count;
use liveops_domain::text::duration;

/// One Prometheus.
#[derive(Debug)]
pub struct Prometheus<'a> {
    http: &'a Http,
    target: Target,
    effort: Effort,
}

/// The envelope of every answer.
#[derive(Debug, Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default, deserialize_with = "or_empty")]
    error: String,
    #[serde(default, deserialize_with = "or_empty")]
    warnings: Vec<String>,
    #[serde(default, deserialize_with = "or_empty")]
    infos: Vec<String>,
    /// VictoriaMetrics: a part of the storage did not answer.
    #[serde(default, deserialize_with = "or_empty", rename = "isPartial")]
    is_partial: bool,
}

impl<'a> Prometheus<'a> {
    /// A client; nothing is sent yet.
    pub fn new(http: &'a Http, target: Target, effort: Effort) -> Self {
        Self { http, target, effort }
    }

    /// Its URL, for messages.
    pub fn url(&self) -> String {
        self.target.url()
    }

    /// Evaluates an expression at one time; without a time, now by Prometheus' own clock.
    ///
    /// # Errors
    /// As every call: unreachable, timeout, rejected (with Prometheus' own words), malformed.
    pub async fn instant(&self, query: &str, at: Option<DateTime<Utc>>) -> Result<Queried> {
        let mut form = vec![("query".to_owned(), query.to_owned())];
        form.extend(at.map(|at| ("time".to_owned(), seconds(at))));
        self.query("api/v1/query", form).await
    }

    /// Evaluates an expression at each step between two times, both included.
    ///
    /// # Errors
    /// As [`Prometheus::instant`]; more than 11,000 points a series are rejected by Prometheus.
    pub async fn range(
        &self,
        query: &str,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        step: std::time::Duration,
    ) -> Result<Queried> {
        let form = vec![
            ("query".to_owned(), query.to_owned()),
            ("start".to_owned(), seconds(start)),
            ("end".to_owned(), seconds(end)),
            ("step".to_owned(), step.as_secs_f64().to_string()),
        ];
        self.query("api/v1/query_range", form).await
    }

    async fn query(&self, path: &str, form: Vec<(String, String)>) -> Result<Queried> {
        let asked = self.http.send(&self.target, Request::ask(path, form.clone()).effort(self.effort)).await?;
        let answer = if asked.status == 405 {
            // A proxy that lets only GET through.
            self.http.send(&self.target, Request::get(path).query(form).effort(self.effort)).await?
        } else {
            asked
        };
        let envelope: Envelope<DataWire> = decode(&answer)?;
        let data = envelope.data.ok_or_else(|| answer.malformed("success without data"))?;
        let (answer, left_out) = data.into_domain().map_err(|what| answer.malformed(what))?;
        // Prometheus 2.4x and 2.5x send their remarks among the warnings.
        let (mut infos, mut warnings): (Vec<_>, Vec<_>) =
            envelope.warnings.into_iter().partition(|text| text.starts_with("PromQL info:"));
        infos.extend(envelope.infos);
        if left_out > 0 {
            warnings.push(format!(
                "{} of the answer left out: not of the shape that Prometheus gives",
                count(left_out, "series")
            ));
        }
        if envelope.is_partial {
            warnings.push("the answer is partial: a part of the storage did not answer".to_owned());
        }
        Ok(Queried { answer, warnings, infos })
    }

    /// The alerts that its own rules make: pending and firing.
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn alerts(&self) -> Result<Listed<Alert>> {
        let answer = self.http.send(&self.target, Request::get("api/v1/alerts").effort(self.effort)).await?;
        answer.decoded(|answer| Listed::of(answer, AlertsWire::into_domain)).await
    }

    /// All rules, in their groups' order. When each was evaluated is told by this clock, however wrong the server's is.
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn rules(&self, clock: &Clock) -> Result<Listed<Rule>> {
        let answer = self.http.send(&self.target, Request::get("api/v1/rules").effort(self.effort)).await?;
        let off = answer.date.filter(|_| !clock.is_fixed()).map(|date| skew(date, clock.now(), answer.elapsed));
        let mut rules = answer.decoded(|answer| Listed::of(answer, RulesWire::into_domain)).await?;
        for at in rules.all.iter_mut().filter_map(|rule| rule.last_evaluation.as_mut()) {
            *at -= off.unwrap_or_default();
        }
        Ok(rules)
    }

    /// The active scrape targets.
    ///
    /// # Errors
    /// As [`Prometheus::instant`]. Query front ends (Thanos, Mimir) answer 404: they have none.
    pub async fn targets(&self) -> Result<Vec<ScrapeTarget>> {
        let request = Request::get("api/v1/targets").query(vec![("state".into(), "active".into())]);
        let answer = self.http.send(&self.target, request.effort(self.effort)).await?;
        Ok(data::<TargetsWire>(&answer)?.into_domain())
    }

    /// The names of all metrics that it has, ever since it keeps; of a list, those among it.
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn metric_names(&self, among: &[String]) -> Result<BTreeSet<String>> {
        let only =
            (!among.is_empty()).then(|| ("match[]".to_owned(), format!("{{__name__=~\"{}\"}}", among.join("|"))));
        let request =
            Request::get("api/v1/label/__name__/values").query(only.into_iter().collect()).effort(self.effort);
        let answer = self.http.send(&self.target, request).await?;
        // Some say `null` for no name at all.
        Ok(decode(&answer)?.data.unwrap_or_default())
    }

    /// Where it sends its alerts.
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn alertmanagers(&self) -> Result<Delivery> {
        Ok(self.get::<ManagersWire>("api/v1/alertmanagers").await?.into_domain())
    }

    /// Its configuration, as YAML, without secrets.
    ///
    /// # Errors
    /// As [`Prometheus::instant`]. Other makes answer 404.
    pub async fn configuration(&self) -> Result<String> {
        Ok(self.get::<ConfigWire>("api/v1/status/config").await?.yaml)
    }

    /// What each metric is, as its exporters say: `counter`, `gauge` …
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn metric_types(&self) -> Result<BTreeMap<String, String>> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type")]
            kind: String,
        }
        let all = self.get::<BTreeMap<String, Vec<Kind>>>("api/v1/metadata").await?;
        // Where exporters do not agree, nobody knows.
        let one = |(name, kinds): (String, Vec<Kind>)| {
            let first = kinds.first()?.kind.clone();
            kinds.iter().all(|kind| kind.kind == first).then_some((name, first))
        };
        Ok(all.into_iter().filter_map(one).collect())
    }

    /// How long it keeps samples; none where it does not say, or only how many.
    ///
    /// # Errors
    /// As [`Prometheus::instant`]. Other makes answer 404.
    pub async fn retention(&self) -> Result<Option<Duration>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Runtime {
            #[serde(default)]
            storage_retention: String,
        }
        let said = self.get::<Runtime>("api/v1/status/runtimeinfo").await?.storage_retention;
        Ok(said.split_whitespace().find_map(|word| duration::parse(word).ok()))
    }

    /// Its version, and the answer itself for latency and clock.
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn version(&self) -> Result<(String, HttpAnswer)> {
        let answer = self.http.send(&self.target, Request::get("api/v1/status/buildinfo").effort(self.effort)).await?;
        Ok((data::<BuildWire>(&answer)?.version, answer))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.http.send(&self.target, Request::get(path).effort(self.effort)).await?;
        data(&answer)
    }
}

fn data<T: DeserializeOwned>(answer: &HttpAnswer) -> Result<T> {
    decode::<T>(answer)?.data.ok_or_else(|| answer.malformed("success without data"))
}

/// A list, of which a part may be missing.
#[derive(Debug)]
pub struct Listed<T> {
    pub all: Vec<T>,
    /// Why it is not whole: who did not answer the front end.
    pub partial: Option<Error>,
}

impl<T> Listed<T> {
    fn of<W: DeserializeOwned>(answer: &HttpAnswer, into_domain: fn(W) -> Vec<T>) -> Result<Self> {
        let envelope = decode::<W>(answer)?;
        let partial = envelope.warnings.first().map(|why| answer.malformed(format!("the list is not whole: {why}")));
        let data = envelope.data.ok_or_else(|| answer.malformed("success without data"))?;
        Ok(Self { all: into_domain(data), partial })
    }

    /// For whom a part is not enough.
    ///
    /// # Errors
    /// `Malformed`, where it is a part.
    pub fn whole(self) -> Result<Vec<T>> {
        self.partial.map_or(Ok(self.all), Err)
    }
}

/// Prometheus says what is wrong in the body of a 400 or 422 too.
fn decode<T: DeserializeOwned>(answer: &HttpAnswer) -> Result<Envelope<T>> {
    if answer.status >= 400 {
        #[derive(Deserialize)]
        struct Failure {
            error: String,
        }
        let said =
            serde_json::from_slice::<Failure>(&answer.body).map_or_else(|_| answer.excerpt(), |failure| failure.error);
        return Err(answer.rejected(&said));
    }
    let envelope: Envelope<T> = answer.json()?;
    if envelope.status == "success" { Ok(envelope) } else { Err(answer.rejected(&envelope.error)) }
}

fn seconds(at: DateTime<Utc>) -> String {
    format!("{}.{:03}", at.timestamp(), at.timestamp_subsec_millis())
}
