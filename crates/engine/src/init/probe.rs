//! Looks at every place that was given, all at once: is it there, and which KPIs of the preset have data in it?

use liveops_domain::text::count::count;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;
use futures_util::stream;
use futures_util::stream::StreamExt;
use serde::Serialize;
use tokio::join;

use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::Http;
use crate::clients::http::request::Effort;
use crate::clients::http::target::Target;
use crate::clients::prometheus::Prometheus;
use crate::clients::service;
use crate::config::node::{Layer, Origin};
use crate::config::presets::candidates;
use crate::config::secret::{Secret, Source};
use crate::init::given::Given;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::exposition::Sample;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::Answer;
use liveops_domain::metric::series_exist;
use liveops_domain::status::health;
use liveops_domain::status::health::ServiceState;
use liveops_domain::text::redact::redact_url;

/// Queries at a time.
const AT_ONCE: usize = 8;

/// How a place was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is what it was said to be.
    Found,
    /// Something answers, but not that.
    Absent,
    /// Nothing answers.
    Unreachable,
}

/// What was found at a place.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// `prometheus`, `alertmanager`, `health of NAME`, `metrics of NAME`.
    pub what: String,
    pub url: String,
    pub state: State,
    pub detail: String,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Findings {
    pub places: Vec<Finding>,
    /// KPIs that have data, or why they have none.
    pub data: BTreeMap<String, Result<(), String>>,
    /// Metrics endpoints that are not where the health API has them, by service.
    pub metrics: BTreeMap<String, String>,
}

/// Looks everywhere at once.
pub async fn all(http: &Http, given: &Given, cx: &Session) -> Findings {
    let work = &cx.dirs.work;
    let kpis = candidates(given.preset);
    let services = given.services.iter().map(|(name, url)| look_at_service(http, work, name, url));
    let (prometheus, alertmanager, services) = join!(
        look_at_prometheus(http, work, given.prometheus.as_deref(), &kpis),
        look_at_alertmanager(http, work, given.alertmanager.as_deref()),
        join_all(services),
    );
    let mut all = Findings::default();
    let asked = prometheus.is_some();
    if let Some((finding, data)) = prometheus {
        all.places.push(finding);
        all.data = data;
    }
    all.places.extend(alertmanager);
    let mut samples = Vec::new();
    for found in services {
        all.places.extend(found.places);
        samples.extend(found.samples);
        if let Some((name, url)) = found.elsewhere {
            all.metrics.insert(name, url);
        }
    }
    if !asked && !samples.is_empty() {
        let samples: Vec<(&str, &Labels)> =
            samples.iter().map(|sample| (sample.name.as_str(), &sample.labels)).collect();
        let names: BTreeSet<String> = samples.iter().map(|(name, _)| (*name).to_owned()).collect();
        for kpi in &kpis {
            if let Some(there) = series_exist::is_among(kpi, &samples) {
                let reason = || format!("not in the services' metrics yet: {}", series_exist::reason(kpi, &names));
                all.data.insert(kpi.name.clone(), there.then_some(()).ok_or_else(reason));
            }
        }
    }
    all
}

fn target(system: &str, url: &str, work: &Path) -> Result<Target> {
    let secret =
        Secret { source: Source::Template(url.to_owned()), origin: Origin::of(Layer::Flag("the command line".into())) };
    Target::new(system, secret.reveal(work)?.expose(), &[])
}

fn finding(what: impl Into<String>, url: &str, done: Result<String>) -> Finding {
    let (state, detail) = match done {
        Ok(detail) => (State::Found, detail),
        Err(Error::Unreachable { reason, .. }) => (State::Unreachable, reason),
        Err(error @ Error::Timeout { .. }) => (State::Unreachable, error.to_string()),
        Err(Error::Rejected { status, .. }) if matches!(status, 401 | 403) => {
            (State::Absent, format!("answers {status}: it wants credentials; add `headers` to the file"))
        }
        Err(Error::Rejected { status, .. }) => (State::Absent, format!("answers {status}")),
        Err(Error::Malformed { what, .. }) => (State::Absent, format!("answers {what}")),
        Err(error) => (State::Unreachable, error.to_string()),
    };
    Finding { what: what.into(), url: redact_url(url), state, detail }
}

type Data = BTreeMap<String, Result<(), String>>;

async fn look_at_prometheus(http: &Http, work: &Path, url: Option<&str>, kpis: &[Kpi]) -> Option<(Finding, Data)> {
    let url = url?;
    let found = async {
        let client = Prometheus::new(http, target("prometheus", url, work)?, Effort::Quick);
        // Query front ends (Thanos, VictoriaMetrics) may not say a version.
        let version = match client.version().await {
            Ok((version, _)) => version,
            Err(Error::Rejected { status: 404, .. }) => {
                client.instant("vector(1)", None).await?;
                "of unknown version".into()
            }
            Err(error) => return Err(error),
        };
        let data = data(&client, kpis).await;
        let with = data.values().filter(|known| known.is_ok()).count();
        let counted = if data.is_empty() {
            "it did not say which KPIs have data".into()
        } else {
            format!("{with} of the preset's KPIs have data")
        };
        Ok((format!("{version}; {counted}"), data))
    };
    Some(match found.await {
        Ok((detail, data)) => (finding("prometheus", url, Ok(detail)), data),
        Err(error) => (finding("prometheus", url, Err(error)), Data::new()),
    })
}

/// Which KPIs have data. A query that fails says nothing about its KPI.
async fn data(client: &Prometheus<'_>, kpis: &[Kpi]) -> Data {
    let asked = stream::iter(kpis).map(async |kpi| {
        let queried = client.instant(&series_exist::query(kpi), None).await.ok()?;
        let has = match queried.answer {
            Answer::Vector(series) | Answer::Matrix(series) => !series.is_empty(),
            Answer::Scalar(_) | Answer::String { .. } => true,
        };
        Some((kpi, has))
    });
    let known: Vec<(&Kpi, bool)> = asked.buffer_unordered(AT_ONCE).filter_map(async |found| found).collect().await;
    let names = if known.iter().all(|(_, has)| *has) {
        BTreeSet::new()
    } else {
        client.metric_names(&[]).await.unwrap_or_default()
    };
    let state = |kpi: &Kpi, has: bool| {
        let reason = || format!("not in Prometheus yet: {}", series_exist::reason(kpi, &names));
        has.then_some(()).ok_or_else(reason)
    };
    known.into_iter().map(|(kpi, has)| (kpi.name.clone(), state(kpi, has))).collect()
}

async fn look_at_alertmanager(http: &Http, work: &Path, url: Option<&str>) -> Option<Finding> {
    let url = url?;
    let found = async {
        let client = Alertmanager::new(http, target("alertmanager", url, work)?, Effort::Quick);
        Ok(client.version().await?.0)
    };
    Some(finding("alertmanager", url, found.await))
}

/// What a service has.
struct Looked {
    places: Vec<Finding>,
    samples: Vec<Sample>,
    elsewhere: Option<(String, String)>,
}

async fn look_at_service(http: &Http, work: &Path, name: &str, url: &str) -> Looked {
    let asked = async {
        let answer = service::health(http, &target(name, url, work)?, Effort::Quick).await?;
        let reading = health::read(answer.status, &answer.body);
        if reading.state == ServiceState::Unknown {
            return Err(answer.malformed(reading.detail.trim_start_matches("answers ")));
        }
        Ok(format!("{}, in {} ms", reading.detail, answer.elapsed.as_millis()))
    };
    let (health, metrics) = join!(asked, scrape(http, work, name, url));
    let health = finding(format!("health of {name}"), url, health);
    // One word is enough about a service that is not there.
    let silent = health.state == State::Unreachable;
    let (place, samples, moved) = match metrics {
        Ok((place, samples)) => {
            let detail = count(samples.len(), "sample");
            let usual = place == format!("{}/api/health/metrics", url.trim_end_matches('/'));
            let moved = (!usual).then(|| (name.to_owned(), place.clone()));
            (Some(finding(format!("metrics of {name}"), &place, Ok(detail))), samples, moved)
        }
        Err(_) if silent => (None, Vec::new(), None),
        Err(error) => (Some(finding(format!("metrics of {name}"), url, Err(error))), Vec::new(), None),
    };
    Looked { places: std::iter::once(health).chain(place).collect(), samples, elsewhere: moved }
}

/// The metrics endpoint: where the health API has it, or at the usual `/metrics`.
async fn scrape(http: &Http, work: &Path, name: &str, url: &str) -> Result<(String, Vec<Sample>)> {
    let base = target(name, url, work)?;
    let mut first = None;
    for path in ["api/health/metrics", "metrics"] {
        match service::scrape(http, &base, path, Effort::Quick, |_| true).await {
            Ok((found, _)) => {
                return Ok((format!("{}/{path}", url.trim_end_matches('/')), found.samples));
            }
            Err(error @ (Error::Unreachable { .. } | Error::Timeout { .. })) => return Err(error),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| Error::internal("no path was tried")))
}
