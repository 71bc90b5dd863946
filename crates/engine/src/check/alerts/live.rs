//! What a running Prometheus and Alertmanager add: settings before the files are judged, A18 to A21 after it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::clients::http::request::Effort;
use crate::clients::prometheus::{Listed, Prometheus};
use crate::incident::incidents_here;
use crate::session::{Session, alertmanager};
use liveops_domain::alert::rule::Rule;
use liveops_domain::check::alerts::history::{Episode, Hidden, History, PAST, STEP, episodes, history};
use liveops_domain::check::alerts::live::{self, LabelValues, Needed, Series};
use liveops_domain::check::alerts::set::{RuleSet, Setting};
use liveops_domain::check::finding::Findings;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::state::Incident;
use liveops_domain::metric::labels::show_name;
use liveops_domain::metric::series::{Answer, Series as Sampled};
use liveops_domain::text::duration;
use liveops_domain::text::yaml::{self, Node};

/// Selectors that are asked for in one query.
const TOGETHER: usize = 40;

/// A server that answers, and has something to answer from.
pub struct Live<'a> {
    client: Prometheus<'a>,
    pub rules: Vec<Rule>,
}

/// Asks for the rules. Without an answer, or where nothing is scraped, nothing is missing: it is unknown.
pub async fn open<'a>(cx: &'a Session, found: &mut Findings) -> Result<Option<Live<'a>>> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let mut unknown = |why: String| {
        found.silent = true;
        for id in ["A18", "A19", "A20", "A21"] {
            found.unknown(id, "prometheus", why.clone());
        }
    };
    let rules = match client.rules(&cx.clock).await.and_then(Listed::whole) {
        Ok(rules) => rules,
        Err(error) => {
            unknown(error.to_string());
            return Ok(None);
        }
    };
    match client.instant("count(up)", None).await {
        Ok(queried) if matches!(&queried.answer, Answer::Vector(series) if series.is_empty()) => {
            unknown(format!("{} has no series `up`: it scrapes nothing, or is the wrong server", client.url()));
            Ok(None)
        }
        Ok(_) => Ok(Some(Live { client, rules })),
        Err(error) => {
            unknown(error.to_string());
            Ok(None)
        }
    }
}

impl Live<'_> {
    /// What the server says of itself, where nothing else was said.
    pub async fn settle(&self, setting: &mut Setting, scrape_is_given: bool) {
        setting.recorded_elsewhere =
            Some(self.rules.iter().filter(|rule| rule.alerting.is_none()).map(|rule| rule.name.clone()).collect());
        if let Ok(types) = self.client.metric_types().await {
            setting.types = types;
        }
        if setting.retention.is_none() {
            setting.retention = self.client.retention().await.ok().flatten();
        }
        let Ok(text) = self.client.configuration().await else { return };
        let Ok(documents) = yaml::read(&text) else { return };
        let Some(global) = documents.first().and_then(|document| document.root.get("global")) else { return };
        let time = |key| global.get(key).and_then(Node::text).and_then(|text| duration::parse(text).ok());
        if let Some(interval) = time("scrape_interval").filter(|_| !scrape_is_given) {
            setting.scrape_interval = interval;
        }
        setting.evaluation_interval = time("evaluation_interval").unwrap_or(setting.evaluation_interval);
        for (key, value) in global.get("external_labels").map_or(&[][..], Node::entries) {
            setting.external_labels.insert(key.name.clone(), value.text().unwrap_or_default().to_owned());
        }
    }

    /// A18 to A21. `of_files`: the rules are those of files, and not the loaded ones themselves.
    pub async fn check(&self, cx: &Session, set: &RuleSet<'_>, of_files: bool, found: &mut Findings) {
        found.findings.extend(live::health(&self.rules, cx.clock.now()));
        if of_files {
            found.findings.extend(live::drift(set, &self.rules));
        }
        if let Err(error) = self.series(set, found).await {
            found.failed("A18", "prometheus", &error);
        }
        if let Err(error) = self.past(cx, set, found).await {
            found.failed("A20", "prometheus", &error);
        }
    }

    async fn series(&self, set: &RuleSet<'_>, found: &mut Findings) -> Result<()> {
        let needed = live::needed(set);
        found.checked("selectors", needed.len());
        for some in needed.chunks(TOGETHER) {
            let now = self.are_there(some.iter().map(|one| one.selector.clone())).await?;
            let gone: Vec<_> =
                some.iter().zip(&now).filter(|(_, here)| **here == Some(false)).map(|(one, _)| one).collect();
            for (one, here) in some.iter().zip(&now) {
                if here.is_none() {
                    found.unknown("A18", one.selector.clone(), "Prometheus refuses the question");
                }
            }
            let before = self.had(gone.iter().map(|one| one.selector.as_str())).await?;
            let metric = self.had(gone.iter().map(|one| one.metric.as_str())).await?;
            for ((one, before), metric) in gone.into_iter().zip(before).zip(metric) {
                let series = match (before, metric) {
                    (Some(true), _) => Series::Gone,
                    (Some(false), Some(true)) if !one.matchers.is_empty() => self.labels(one).await?,
                    (Some(false), Some(false)) => Series::Never,
                    _ => Series::Here,
                };
                found.findings.extend(live::missing(one, &series));
            }
        }
        Ok(())
    }

    /// Which of the labels that a selector asks for are on its metric, and with which values?
    async fn labels(&self, needed: &Needed<'_>) -> Result<Series> {
        let past = duration::to_promql(PAST);
        let asked: Vec<String> = needed
            .matchers
            .iter()
            .map(|matcher| {
                format!("group by ({}) (last_over_time({}[{past}]))", show_name(&matcher.name), needed.metric)
            })
            .collect();
        let mut labels = Vec::new();
        for (matcher, series) in needed.matchers.iter().zip(self.whole(&asked).await?) {
            let values =
                series.unwrap_or_default().into_iter().filter_map(|one| one.labels.get(&matcher.name).cloned());
            labels.push(LabelValues::of(matcher, values.collect()));
        }
        Ok(Series::OtherLabels(labels))
    }

    /// Had each of them a series of late?
    async fn had<'s>(&self, selectors: impl Iterator<Item = &'s str>) -> Result<Vec<Option<bool>>> {
        let past = duration::to_promql(PAST);
        self.are_there(selectors.map(|selector| format!("last_over_time({selector}[{past}])"))).await
    }

    /// Has each of them a series? None where Prometheus refuses to say.
    async fn are_there(&self, selectors: impl Iterator<Item = String>) -> Result<Vec<Option<bool>>> {
        let asked: Vec<String> = selectors.map(|selector| format!("count({selector})")).collect();
        Ok(self.whole(&asked).await?.into_iter().map(|answer| answer.map(|series| !series.is_empty())).collect())
    }

    /// The answers, where they are whole; none for a question that Prometheus refuses. What a part of the storage did not
    /// say is not missing.
    async fn whole(&self, asked: &[String]) -> Result<Vec<Option<Vec<Sampled>>>> {
        let joined = self.client.joined(asked, None).await?;
        match joined.warnings.first() {
            Some(warning) => Err(self.partial(warning)),
            None => Ok(joined.answers.into_iter().map(Result::ok).collect()),
        }
    }

    fn partial(&self, warning: &str) -> Error {
        Error::Malformed {
            system: "prometheus".into(),
            url: self.client.url(),
            what: format!("only a part: {warning}"),
        }
    }

    async fn past(&self, cx: &Session, set: &RuleSet<'_>, found: &mut Findings) -> Result<()> {
        let past = duration::to_promql(PAST);
        let asked = [
            format!("max(count_over_time(up[{past}:1m]))"),
            format!("max by (alertname) (count_over_time(ALERTS{{alertstate=\"pending\"}}[{past}:1m]))"),
            format!("sum by (alertname) (1 + changes(ALERTS_FOR_STATE[{past}]))"),
        ];
        let mut answers = self.whole(&asked).await?.into_iter().map(|answer| by_alert(answer.unwrap_or_default()));
        let (covered, pending, begun) = (answers.next(), answers.next(), answers.next());
        let of = |values: Option<&BTreeMap<String, f64>>, name: &str| {
            values.and_then(|values| values.get(name)).copied().unwrap_or_default()
        };
        let covered = of(covered.as_ref(), "");
        if covered < 60.0 {
            found.unknown("A20", "prometheus", "its history is shorter than an hour");
        }
        let now = cx.clock.now();
        let mut fired = self.fired(now).await?;
        let incidents = incidents(cx, now, found);
        let mut hidden = hidden(cx, found).await;
        let mut seen = BTreeSet::new();
        for placed in set.alerts().filter(|placed| seen.insert(placed.rule.name.clone())) {
            let name = &placed.rule.name;
            let past = History {
                covered,
                episodes: episodes(&fired.remove(name).unwrap_or_default()),
                pending: of(pending.as_ref(), name),
                begun: of(begun.as_ref(), name),
                incidents: incidents.clone(),
                hidden: hidden.remove(name),
            };
            found.findings.extend(history(placed.rule, &past, now));
        }
        Ok(())
    }

    /// The minutes in which each alert fired.
    async fn fired(&self, now: DateTime<Utc>) -> Result<BTreeMap<String, Vec<DateTime<Utc>>>> {
        let query = "max by (alertname) (ALERTS{alertstate=\"firing\"})";
        let queried = self.client.range(query, now - PAST, now, STEP).await?;
        if let Some(warning) = queried.partial() {
            return Err(self.partial(warning));
        }
        let Answer::Matrix(series) = queried.answer else { return Ok(BTreeMap::new()) };
        let of = |one: Sampled| {
            let name = one.labels.get("alertname").cloned().unwrap_or_default();
            (name, one.points.iter().map(|point| point.at).collect())
        };
        Ok(series.into_iter().map(of).collect())
    }
}

/// From when to when the incidents of late were open.
fn incidents(cx: &Session, now: DateTime<Utc>, found: &mut Findings) -> Vec<Episode> {
    let all = match incidents_here(cx) {
        Ok(all) => all,
        Err(error) => {
            found.failed("A20", "incidents", &error);
            return Vec::new();
        }
    };
    let of = |one: Incident| Some(Episode { from: one.detected.at()?, to: one.resolved.at().unwrap_or(now) });
    all.filter_map(of).filter(|one| one.to >= now - PAST).collect()
}

/// The silence that ends last, of each alert that fires now and is hidden.
async fn hidden(cx: &Session, found: &mut Findings) -> BTreeMap<String, Hidden> {
    let asked = async {
        let client = alertmanager(cx)?;
        Ok::<_, Error>((client.alerts(&[]).await?, client.silences().await?))
    };
    let (alerts, silences) = match asked.await {
        Ok(both) => both,
        Err(Error::Unconfigured { .. }) => return BTreeMap::new(),
        Err(error) => {
            found.failed("A20", "silences", &error);
            return BTreeMap::new();
        }
    };
    let mut all: BTreeMap<String, Hidden> = BTreeMap::new();
    for alert in &alerts {
        let mine = silences.iter().filter(|silence| alert.silenced_by.contains(&silence.id));
        let Some(last) = mine.max_by_key(|silence| silence.draft.ends_at) else { continue };
        let draft = &last.draft;
        let hidden = Hidden { silence: last.id.clone(), by: draft.created_by.clone(), until: draft.ends_at };
        if all.get(&alert.name).is_none_or(|known| known.until < hidden.until) {
            all.insert(alert.name.clone(), hidden);
        }
    }
    all
}

/// The last value of each alert; of what has no name, under the empty one.
fn by_alert(series: Vec<Sampled>) -> BTreeMap<String, f64> {
    let of = |one: Sampled| {
        let value = one.points.last().and_then(|point| point.value.float())?;
        Some((one.labels.get("alertname").cloned().unwrap_or_default(), value))
    };
    series.into_iter().filter_map(of).collect()
}
