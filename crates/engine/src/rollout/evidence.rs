//! What the conditions of a rollout come to now: asks Prometheus (or scrapes the service where there is none) and
//! Alertmanager, all at once, and has the answers judged.

mod ages;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::clients::http::request::Effort;
use crate::clients::http::target::Target;
use crate::clients::prometheus::Prometheus;
use crate::clients::service::scrape;
use crate::config::endpoint::Endpoint;
use crate::config::policy::metrics;
use crate::config::service::Service;
use crate::observe::age::Intervals;
use crate::observe::alerts::{Alerts, Backends, backends};
use crate::rollout::evidence::ages::{Age, Metrics, ages};
use crate::session::Session;
use liveops_domain::alert::union::Origin;
use liveops_domain::error::{Error, Result};
use liveops_domain::guard::alert::{AlertLook, judge_alert};
use liveops_domain::guard::evidence::{Fault, Measurement, Queries};
use liveops_domain::guard::expression::{AlertCondition, Bound, Condition};
use liveops_domain::guard::judge::{Evidence, Requirements, judge, left_open};
use liveops_domain::guard::no_data::OnNoData;
use liveops_domain::guard::scraped;
use liveops_domain::guard::scraped::Scrapes;
use liveops_domain::guard::verdict::{Outcome, Role, Verdict};
use liveops_domain::metric::kpi::{Kpi, KpiKind};
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::scrape::{Snapshot, keep};
use liveops_domain::metric::series::{Answer, Queried};
use liveops_domain::rollout::plan::Rules;
use liveops_domain::rollout::state::{Phase, Rollout};

/// Scrapes that a short window holds: fewer give no rate to speak of.
const SHORT: u32 = 4;

/// How far back a histogram is asked for its buckets, before a rollout.
const HISTOGRAM: Duration = Duration::from_secs(300);

/// Whoever has not answered by then does not, for this look: the lock is renewed between two looks, every five seconds, and
/// must not be lost over a backend that hangs.
const PATIENCE: Duration = Duration::from_secs(4);

/// The answer, if it comes in time.
async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// A condition that is looked at.
#[derive(Debug, Clone)]
enum WatchedCondition {
    Metric(Role, Box<Bound>),
    Alert(Role, AlertCondition),
}

/// Where a rollout is looked at: whose metrics, and how both versions are told apart in them.
#[derive(Debug, Clone)]
pub struct EvidenceScope {
    /// The service, which alerts may bear as a label.
    pub service: Option<String>,
    /// The metrics that conditions may name.
    pub metrics: Vec<Kpi>,
    /// Where they can be scraped, each with whose it is, where there is no Prometheus.
    pub endpoints: Vec<(String, Endpoint)>,
    pub canary: Labels,
    /// None where nobody without the new version can be told apart.
    pub stable: Option<Labels>,
}

impl EvidenceScope {
    /// Of a service.
    pub fn of(cx: &Session, service: &Service) -> Result<Self> {
        let rollout = service.rollout.as_ref().ok_or_else(|| Error::internal("a rollout without its section"))?;
        let endpoints = service.metrics.iter().cloned();
        Ok(Self {
            service: Some(service.name.clone()),
            metrics: metrics(service, &cx.kpis()?),
            endpoints: endpoints.map(|one| (service.name.clone(), one)).collect(),
            canary: rollout.tracks.canary.clone(),
            stable: Some(rollout.tracks.stable.clone()),
        })
    }

    fn tracks(&self) -> impl Iterator<Item = &Labels> {
        std::iter::once(&self.canary).chain(&self.stable)
    }
}

/// Asks what the conditions of a rollout come to.
pub struct EvidenceCollector<'a> {
    cx: &'a Session,
    scope: EvidenceScope,
    watched: Vec<WatchedCondition>,
    backends: Option<Backends<'a>>,
    /// The metrics endpoints of the service, where there is no Prometheus.
    endpoints: Vec<Target>,
    history: Vec<Scrapes>,
    scrape_interval: Duration,
    /// How often Prometheus scrapes each job, once it was asked.
    intervals: Option<Intervals>,
    min_samples: u64,
    significance: f64,
    on_no_data: BTreeMap<String, OnNoData>,
}

/// What Prometheus said at one look.
#[derive(Default)]
struct Answers {
    queries: BTreeMap<String, Result<Queried, String>>,
    /// Of each metric, by its name, in each version: what its age leaves unknown.
    ages: BTreeMap<ages::Key, Age>,
    /// How often each job is scraped, where that is new.
    intervals: Option<Intervals>,
}

impl<'a> EvidenceCollector<'a> {
    /// Finds out whom to ask.
    pub fn open(cx: &'a Session, scope: &EvidenceScope, rules: &Rules) -> Result<Self> {
        let mut watched = Vec::new();
        let all = [(Role::Success, &rules.success), (Role::Rollback, &rules.rollback)];
        for (role, texts) in all {
            for text in texts {
                watched.push(watch(role, text, &scope.metrics)?);
            }
        }
        let backends = match backends(cx, Effort::Look) {
            Ok(backends) => Some(backends.within(PATIENCE)),
            Err(Error::Unconfigured { .. }) => None,
            Err(error) => return Err(error),
        };
        let alerts = watched.iter().any(|one| matches!(one, WatchedCondition::Alert(..)));
        if alerts && backends.is_none() {
            return Err(Error::Unconfigured {
                what: "Alertmanager or Prometheus",
                environment: cx.environment()?.to_owned(),
                hint: "the policy looks at an alert; configure who knows of alerts, or use a policy without".into(),
            });
        }
        let mut endpoints = Vec::new();
        if backends.as_ref().is_none_or(|backends| backends.prometheus.is_none()) {
            for (name, endpoint) in &scope.endpoints {
                endpoints.push(cx.target(name, endpoint)?);
            }
            if endpoints.is_empty() {
                return Err(Error::Unconfigured {
                    what: "Prometheus",
                    environment: cx.environment()?.to_owned(),
                    hint: match &scope.service {
                        Some(service) => format!(
                            "pass `--prometheus URL`, or give `{service}` its `metrics` endpoints in liveops.yaml"
                        ),
                        None => {
                            "pass `--prometheus URL`, or give services their `metrics` endpoints in liveops.yaml".into()
                        }
                    },
                });
            }
        }
        Ok(Self {
            cx,
            scope: scope.clone(),
            watched,
            backends,
            endpoints,
            history: Vec::new(),
            scrape_interval: rules.scrape_interval,
            intervals: None,
            min_samples: rules.min_samples,
            significance: rules.significance(),
            on_no_data: rules.on_no_data.clone(),
        })
    }

    /// Can it be asked what was before now?
    pub fn has_history(&self) -> bool {
        self.prometheus().is_some()
    }

    fn prometheus(&self) -> Option<&Prometheus<'a>> {
        self.backends.as_ref()?.prometheus.as_ref()
    }

    /// May the series with these labels be born while it is looked at?
    fn is_new(&self, track: &Labels) -> bool {
        *track == self.scope.canary && self.scope.stable.as_ref() != Some(track)
    }

    /// Are those without the new version told apart?
    pub fn distinguishes_versions(&self) -> bool {
        self.scope.stable.is_some()
    }

    /// The conditions whose histograms leave open what they ask, as far as the stable version's tell.
    pub async fn coarse_conditions(&self, now: DateTime<Utc>) -> Vec<(String, String)> {
        let (Some(prometheus), Some(stable)) = (self.prometheus(), &self.scope.stable) else {
            return Vec::new();
        };
        let bound = self.watched.iter().filter_map(|watched| match watched {
            WatchedCondition::Metric(_, bound) if matches!(bound.metric.kind, KpiKind::Quantile { .. }) => Some(bound),
            _ => None,
        });
        let asked = bound.map(|bound| async move {
            let queries = Queries::new(&bound.metric, stable, HISTOGRAM, false).ok()?;
            let part = in_time(prometheus.instant(&queries.part, Some(now))).await.ok()?;
            let seen = queries.read(&bound.metric, &part, None).ok()?;
            Some((bound.text.clone(), left_open(bound, &seen)?))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// What time it is for the one who measures.
    pub async fn server_time(&self) -> Option<DateTime<Utc>> {
        let queried = in_time(self.prometheus()?.instant("time()", None)).await.ok()?;
        match queried.answer {
            Answer::Scalar(point) => Some(point.at),
            _ => None,
        }
    }

    /// Judges every condition, and says what time it was for the one who measures.
    pub async fn collect(&mut self, rollout: &Rollout, now: DateTime<Utc>) -> (Vec<Verdict>, Option<DateTime<Utc>>) {
        let age = (now - rollout.started_at).to_std().unwrap_or_default();
        let short = (self.scrape_interval * SHORT).min(age);
        let long = (rollout.phase == Phase::Observe).then(|| (now - rollout.since).to_std().unwrap_or_default());
        let windows: Vec<Duration> = std::iter::once(short).chain(long).collect();
        let has_alerts = self.watched.iter().any(|one| matches!(one, WatchedCondition::Alert(..)));
        let (mut answers, scrapes, alerts, server) =
            tokio::join!(self.ask(&windows, now), self.scrape(now), self.alerts(has_alerts, now), self.server_time());
        if let Some(intervals) = answers.intervals.take() {
            self.intervals = Some(intervals);
        }
        if let Some(scrapes) = scrapes {
            // What lies before every window is looked at no more, but for the last of it: windows begin there.
            let from = rollout.since.min(now - TimeDelta::from_std(short).unwrap_or_default());
            let first = self.history.iter().rposition(|old| old.at <= from);
            self.history.drain(..first.unwrap_or(0));
            self.history.push(scrapes);
        }
        let mut verdicts = Vec::new();
        for watched in &self.watched {
            let verdict = match watched {
                WatchedCondition::Alert(role, condition) => self.alert(*role, condition, alerts.as_ref(), rollout, now),
                WatchedCondition::Metric(Role::Success, bound) => match long {
                    Some(long) => self.metric(Role::Success, bound, long, &answers, rollout, now),
                    // Outside of an observation nothing is asked of it.
                    None => continue,
                },
                WatchedCondition::Metric(role, bound) => {
                    let quick = self.metric(*role, bound, short, &answers, rollout, now);
                    match long {
                        // Too few in a short window may be enough in the whole step.
                        Some(long) if quick.outcome == Outcome::NoEvidence && long > short => {
                            self.metric(*role, bound, long, &answers, rollout, now)
                        }
                        _ => quick,
                    }
                }
            };
            verdicts.push(Verdict { step: rollout.step, weight: rollout.applied.get(), ..verdict });
        }
        (verdicts, server)
    }

    fn metric(
        &self,
        role: Role,
        bound: &Bound,
        window: Duration,
        answers: &Answers,
        rollout: &Rollout,
        now: DateTime<Utc>,
    ) -> Verdict {
        let seen = |track: &Labels| self.seen(&bound.metric, track, window, answers, now);
        let (canary, queries) = seen(&self.scope.canary);
        let stable = match &self.scope.stable {
            Some(stable) => seen(stable).0,
            None => Err(Fault::NoSeries),
        };
        let blank = Verdict { queries, ..Verdict::bare(&bound.text, role, Outcome::NoEvidence, now, "") };
        let evidence =
            Evidence { canary: &canary, stable: &stable, before: rollout.baselines.get(&bound.text).copied() };
        // A new version's first samples are there after a scrape, and a rate needs two.
        let age = (now - rollout.since).to_std().unwrap_or_default();
        let demand = Requirements {
            min_samples: self.min_samples,
            significance: self.significance,
            on_no_data: self.on_no_data.get(&bound.metric.name).copied().unwrap_or_default(),
            due: rollout.phase == Phase::Observe && age >= self.scrape_interval * 2,
        };
        let verdict = judge(bound, evidence, demand, blank);
        let lacks = match answers.age(&bound.metric, &self.scope.canary) {
            Some(Age::Lacks(why)) if verdict.outcome == Outcome::Pass => why,
            _ => return verdict,
        };
        Verdict { outcome: Outcome::NoEvidence, reason: format!("canary: {lacks}"), ..verdict }
    }

    fn seen(
        &self,
        metric: &Kpi,
        track: &Labels,
        window: Duration,
        answers: &Answers,
        now: DateTime<Utc>,
    ) -> (Result<Measurement, Fault>, Vec<String>) {
        if self.prometheus().is_none() {
            let from = now - TimeDelta::from_std(window).unwrap_or_default();
            return (scraped::measure(metric, track, &self.history, from), Vec::new());
        }
        let queries = match Queries::new(metric, track, window, self.is_new(track)) {
            Ok(queries) => queries,
            Err(fault) => return (Err(fault), Vec::new()),
        };
        let answer = |query: &String| match answers.queries.get(query) {
            Some(Ok(queried)) => Ok(queried),
            Some(Err(reason)) => Err(Fault::Failed { reason: reason.clone() }),
            None => Err(Fault::NoSeries),
        };
        let read = || {
            let part = answer(&queries.part)?;
            let whole = queries.whole.as_ref().map(answer).transpose()?;
            match answers.age(metric, track) {
                Some(Age::Unknown(fault)) => Err(fault.clone()),
                _ => queries.read(metric, part, whole),
            }
        };
        (read(), queries.all())
    }

    /// Each metric that is looked at, of each version.
    fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::new();
        for watched in &self.watched {
            if let WatchedCondition::Metric(_, bound) = watched {
                let only = self.scope.tracks().filter_map(|track| Some((track.clone(), bound.metric.narrowed(track)?)));
                metrics.extend(only.map(|(track, kpi)| ((bound.metric.name.clone(), track), kpi)));
            }
        }
        metrics
    }

    async fn ask(&self, windows: &[Duration], now: DateTime<Utc>) -> Answers {
        let Some(prometheus) = self.prometheus() else {
            return Answers::default();
        };
        let mut texts = BTreeSet::new();
        for watched in &self.watched {
            let WatchedCondition::Metric(role, bound) = watched else {
                continue;
            };
            // A success condition is asked over the whole step only.
            let windows = match role {
                Role::Success => windows.get(1..).unwrap_or_default(),
                Role::Rollback => windows,
            };
            for window in windows {
                for track in self.scope.tracks() {
                    if let Ok(queries) = Queries::new(&bound.metric, track, *window, self.is_new(track)) {
                        texts.extend(queries.all());
                    }
                }
            }
        }
        let asked = texts.into_iter().map(|text| async move {
            let answer = in_time(prometheus.instant(&text, Some(now))).await;
            (text, answer)
        });
        let usual = TimeDelta::from_std(self.scrape_interval).unwrap_or_default();
        let ages = ages(prometheus, self.metrics(), self.intervals.as_ref(), usual, now);
        let (queries, (ages, intervals)) = tokio::join!(join_all(asked), ages);
        Answers { queries: queries.into_iter().collect(), ages, intervals }
    }

    async fn scrape(&self, now: DateTime<Utc>) -> Option<Scrapes> {
        if self.endpoints.is_empty() {
            return None;
        }
        let http = self.cx.http().ok()?;
        let kpis: Vec<Kpi> = self
            .watched
            .iter()
            .filter_map(|watched| match watched {
                WatchedCondition::Metric(_, bound) => Some(bound.metric.clone()),
                WatchedCondition::Alert(..) => None,
            })
            .collect();
        let scraped = self.endpoints.iter().map(|target| async {
            let (parsed, _) = in_time(scrape(http, target, "", Effort::Look, |_| true)).await.ok()?;
            Some(keep(Snapshot::new(now, parsed.samples), &kpis))
        });
        Some(Scrapes { at: now, endpoints: join_all(scraped).await })
    }

    async fn alerts(&self, wanted: bool, now: DateTime<Utc>) -> Option<Result<Alerts>> {
        let backends = self.backends.as_ref().filter(|_| wanted)?;
        Some(backends.ask(now).await)
    }

    fn alert(
        &self,
        role: Role,
        condition: &AlertCondition,
        alerts: Option<&Result<Alerts>>,
        rollout: &Rollout,
        now: DateTime<Utc>,
    ) -> Verdict {
        let verdict = |outcome, reason: String| Verdict {
            certain: true,
            ..Verdict::bare(&condition.text, role, outcome, now, reason)
        };
        let known = match alerts {
            Some(Ok(known)) => known,
            Some(Err(error)) => return verdict(Outcome::Error, error.to_string()),
            None => return verdict(Outcome::Error, "nobody knows of alerts".into()),
        };
        let look = AlertLook {
            alerts: &known.alerts,
            rules: known.rules.as_ref().and_then(|rules| rules.as_deref().ok()),
            unevaluated: &known.unevaluated,
            gaps: &known.source_gaps,
            others_may_send: known.origin == Origin::Alertmanager,
        };
        let (outcome, reason) = judge_alert(condition, self.scope.service.as_deref(), rollout.started_at, &look);
        verdict(outcome, reason)
    }
}

impl Answers {
    fn age(&self, metric: &Kpi, track: &Labels) -> Option<&Age> {
        self.ages.get(&(metric.name.clone(), track.clone()))
    }
}

fn watch(role: Role, text: &str, known: &[Kpi]) -> Result<WatchedCondition> {
    let refuse = |error: String| {
        Error::usage(
            error,
            "conditions stand in the policy (`policies` of liveops.yaml), metrics in `rollout.metrics` of the service",
        )
    };
    match Condition::parse(text).map_err(|error| refuse(error.to_string()))? {
        Condition::Alert(alert) => Ok(WatchedCondition::Alert(role, alert)),
        Condition::Metric(written) => {
            let bound = written.bind(known).map_err(|error| refuse(error.to_string()))?;
            Ok(WatchedCondition::Metric(role, Box::new(bound)))
        }
    }
}
