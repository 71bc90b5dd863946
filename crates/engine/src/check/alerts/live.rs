//! What a running Prometheus and Alertmanager add: settings before the files are judged, A18 to A21 after it.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use liveops_domain::alert::rule::Rule;
use liveops_domain::check::alerts::live::{self, History, Series};
use liveops_domain::check::alerts::set::{RuleSet, Setting};
use liveops_domain::check::finding::Findings;
use liveops_domain::error::Result;
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
        for id in ["A18", "A19", "A20", "A21"] {
            found.unknown(id, "prometheus", why.clone());
        }
    };
    let rules = match client.rules().await {
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
            found.unknown("A18", "prometheus", error.to_string());
        }
        if let Err(error) = self.past(set, found).await {
            found.unknown("A20", "prometheus", error.to_string());
        }
    }

    async fn series(&self, set: &RuleSet<'_>, found: &mut Findings) -> Result<()> {
        let needed = live::needed(set);
        found.checked("selectors", needed.len());
        let past = duration::to_promql(live::PAST);
        for some in needed.chunks(TOGETHER) {
            let now = self.are_there(some.iter().map(|one| one.selector.clone())).await?;
            let gone: Vec<_> =
                some.iter().zip(&now).filter(|(_, here)| **here == Some(false)).map(|(one, _)| one).collect();
            for (one, here) in some.iter().zip(&now) {
                if here.is_none() {
                    found.unknown("A18", one.selector.clone(), "Prometheus refuses the question");
                }
            }
            let before =
                self.are_there(gone.iter().map(|one| format!("last_over_time({}[{past}])", one.selector))).await?;
            let metric =
                self.are_there(gone.iter().map(|one| format!("last_over_time({}[{past}])", one.metric))).await?;
            for ((one, before), metric) in gone.into_iter().zip(before).zip(metric) {
                let series = match (before, metric) {
                    (Some(true), _) => Series::Gone,
                    (Some(false), Some(true)) if one.is_narrow => Series::OtherLabels,
                    (Some(false), Some(false)) => Series::Never,
                    _ => Series::Here,
                };
                found.findings.extend(live::missing(one, series));
            }
        }
        Ok(())
    }

    /// Has each of them a series? None where Prometheus refuses to say.
    async fn are_there(&self, selectors: impl Iterator<Item = String>) -> Result<Vec<Option<bool>>> {
        let asked: Vec<String> = selectors.map(|selector| format!("count({selector})")).collect();
        let joined = self.client.joined(&asked, None).await?;
        Ok(joined.answers.into_iter().map(|answer| answer.ok().map(|series| !series.is_empty())).collect())
    }

    async fn past(&self, set: &RuleSet<'_>, found: &mut Findings) -> Result<()> {
        let past = duration::to_promql(live::PAST);
        let minutes =
            |state: &str| format!("max by (alertname) (count_over_time(ALERTS{{alertstate=\"{state}\"}}[{past}:1m]))");
        let asked = [
            format!("max(count_over_time(up[{past}:1m]))"),
            minutes("firing"),
            minutes("pending"),
            format!("sum by (alertname) (1 + changes(ALERTS_FOR_STATE[{past}]))"),
        ];
        let joined = self.client.joined(&asked, None).await?;
        let mut answers = Vec::new();
        for answer in joined.answers {
            answers.push(by_alert(answer?));
        }
        let [covered, firing, pending, begun] = answers.as_slice() else { return Ok(()) };
        let of = |values: &BTreeMap<String, f64>, name: &str| values.get(name).copied().unwrap_or_default();
        let covered = of(covered, "");
        if covered < 60.0 {
            found.unknown("A20", "prometheus", "its history is shorter than an hour");
            return Ok(());
        }
        let mut seen = BTreeSet::new();
        for placed in set.alerts().filter(|placed| seen.insert(placed.rule.name.clone())) {
            let name = &placed.rule.name;
            let history =
                History { covered, firing: of(firing, name), pending: of(pending, name), begun: of(begun, name) };
            found.findings.extend(live::history(placed.rule, history));
        }
        Ok(())
    }
}

/// The last value of each alert; of what has no name, under the empty one.
fn by_alert(series: Vec<Sampled>) -> BTreeMap<String, f64> {
    let of = |one: Sampled| {
        let value = one.points.last().and_then(|point| point.value.float())?;
        Some((one.labels.get("alertname").cloned().unwrap_or_default(), value))
    };
    series.into_iter().filter_map(of).collect()
}
