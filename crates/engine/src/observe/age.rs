//! How old a KPI of Prometheus is: which targets contribute, when their samples were taken, and which parts of its
//! breakdown are gone. A rate goes on for its whole window after the last sample; what it is made of does not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clients::prometheus::Prometheus;
use liveops_domain::error::Result;
use liveops_domain::metric::freshness::{Freshness, GoneMember, oldest_fresh};
use liveops_domain::metric::kpi::{Kpi, KpiKind};
use liveops_domain::metric::labels;
use liveops_domain::metric::series::{ScrapeTarget, Series};
use liveops_domain::metric::{promql, series_exist};
use liveops_domain::text::duration;

/// How often each job is scraped.
#[derive(Debug, Default)]
pub struct Intervals {
    jobs: BTreeMap<String, TimeDelta>,
    /// Of a job of which Prometheus does not say it.
    other: Option<TimeDelta>,
}

impl Intervals {
    pub fn of(targets: &[ScrapeTarget]) -> Self {
        let mut intervals = BTreeMap::new();
        for target in targets {
            let interval = target.interval.as_deref().and_then(|text| duration::parse(text).ok());
            let interval = interval.and_then(|interval| TimeDelta::from_std(interval).ok());
            if let (Some(interval), Some(job)) = (interval, target.labels.get("job")) {
                let known = intervals.entry(job.clone()).or_insert(interval);
                *known = interval.max(*known);
            }
        }
        Self { jobs: intervals, other: None }
    }

    /// What is known besides of jobs that Prometheus does not name: query front ends scrape nothing.
    #[must_use]
    pub fn or(self, other: TimeDelta) -> Self {
        Self { other: Some(other), ..self }
    }
}

/// What the series of one selector say of their time.
#[derive(Debug, Clone, Default)]
struct Ages {
    freshness: Freshness,
    jobs: Vec<String>,
    /// What a rule records is as old as its last evaluation, whose interval is not known.
    is_recorded: bool,
}

/// What the series of a KPI say of their time.
#[derive(Debug, Default)]
pub struct KpiAges {
    ages: Vec<Ages>,
    /// When each part of the breakdown had its last sample.
    members: BTreeMap<String, DateTime<Utc>>,
    /// Did Prometheus fail to tell of some of its series?
    pub is_unknown: bool,
}

/// Asks how old the series of the KPIs are, at that time: one answer a KPI, in order. One query for all, since this
/// must not cost more than the values themselves; a second one for what has no sample at all.
pub async fn ask(client: &Prometheus<'_>, kpis: &[&Kpi], at: Option<DateTime<Utc>>) -> Vec<KpiAges> {
    let wanted: Vec<Vec<String>> = kpis.iter().map(|kpi| selectors(kpi)).collect();
    let known: BTreeSet<&String> = wanted.iter().flatten().collect();
    let known: Vec<&String> = known.into_iter().collect();
    let mut expressions: Vec<String> = known.iter().flat_map(|selector| times(selector)).collect();
    let mut members = Vec::new();
    for (kpi, selectors) in kpis.iter().zip(&wanted) {
        let by = kpi.by.as_ref().zip(selectors.first()).filter(|_| !matches!(kpi.kind, KpiKind::PromQl(_)));
        members.push(by.map(|(label, selector)| {
            expressions.push(last_seen(selector, label, false));
            (label, expressions.len() - 1)
        }));
    }
    let Ok(answers) = client.joined(&expressions, at).await.map(|joined| joined.answers) else {
        return kpis.iter().map(|_| KpiAges { is_unknown: true, ..KpiAges::default() }).collect();
    };
    let mut ages: Vec<Option<Ages>> =
        known.iter().zip(answers.chunks(3)).map(|(selector, answers)| Ages::of(selector, answers)).collect();
    // Whoever fails one scrape has no sample any more; what it had is looked for.
    let silent = |ages: &Option<Ages>| ages.as_ref().is_some_and(|ages| ages.freshness.newest.is_none());
    let lost: Vec<usize> = (0..known.len()).filter(|at| silent(&ages[*at])).collect();
    let last: Vec<String> = lost.iter().map(|at| last_seen(known[*at], "job", true)).collect();
    let last = client.joined(&last, at).await.map(|joined| joined.answers);
    for (at, answer) in lost.into_iter().zip(last.into_iter().flatten()) {
        ages[at] = answer.ok().zip(ages[at].take()).map(|(series, ages)| ages.last_seen(&series));
    }
    let of = |(selectors, members): (&Vec<String>, Option<(&String, usize)>)| KpiAges {
        ages: selectors.iter().filter_map(|name| ages[known.binary_search(&name).ok()?].clone()).collect(),
        is_unknown: selectors.iter().any(|name| known.binary_search(&name).is_ok_and(|at| ages[at].is_none())),
        members: members.map_or_else(BTreeMap::new, |(label, at)| {
            let rows = answers[at].as_deref().map(rows).unwrap_or_default();
            rows.into_iter().map(|(labels, time)| (labels.get(label).cloned().unwrap_or_default(), time)).collect()
        }),
    };
    wanted.iter().zip(members).map(of).collect()
}

fn selectors(kpi: &Kpi) -> Vec<String> {
    match &kpi.kind {
        KpiKind::PromQl(text) => promql::selectors(text),
        _ => series_exist::needed(kpi).iter().map(liveops_domain::metric::selector::Selector::show).collect(),
    }
}

/// When the series of each value of the label had their last sample in the last hour, or in the last day: of the last
/// minutes to 5 s.
fn last_seen(selector: &str, label: &str, is_long_ago: bool) -> String {
    let over = |range: &str| format!("max_over_time(timestamp({selector})[{range}])");
    // What is there now is as old as it says; the steps of a subquery lie at round times.
    let mut looks = vec![format!("timestamp({selector})"), over("2m:5s"), over("10m:15s"), over("1h:1m")];
    looks.extend(is_long_ago.then(|| over("1d:5m")));
    format!("max by ({}) ({})", labels::show_name(label), looks.join(" or "))
}

/// Newest and oldest sample, and the targets, of each job.
fn times(selector: &str) -> [String; 3] {
    let times = format!("timestamp({selector})");
    [
        format!("max by (job) ({times})"),
        format!("min by (job) ({times})"),
        format!("count by (job) (count by (job, instance) ({times}))"),
    ]
}

impl Ages {
    /// Of the answers to [`times`]; `None` where it cannot be told.
    fn of(selector: &str, answers: &[Result<Vec<Series>>]) -> Option<Self> {
        let [Ok(newest), Ok(oldest), Ok(targets)] = answers else { return None };
        let freshness = Freshness {
            newest: rows(newest).into_iter().map(|(_, time)| time).max(),
            oldest: rows(oldest).into_iter().map(|(_, time)| time).min(),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            targets: targets.iter().filter_map(last).map(|value| value as usize).sum(),
            ..Freshness::default()
        };
        let jobs = targets.iter().map(|one| one.labels.get("job").cloned().unwrap_or_default()).collect();
        let is_recorded = selector.split('{').next().is_some_and(|name| name.contains(':'));
        Some(Self { freshness, jobs, is_recorded })
    }

    /// With what was seen last of series that have no sample now.
    fn last_seen(mut self, series: &[Series]) -> Self {
        for (labels, time) in rows(series) {
            self.freshness.newest = self.freshness.newest.max(Some(time));
            self.jobs.extend(labels.get("job").cloned());
        }
        self.freshness.oldest = self.freshness.newest;
        self
    }
}

fn last(one: &Series) -> Option<f64> {
    one.points.last()?.value.float()
}

fn time(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a time are far below 2^53")]
    DateTime::from_timestamp_millis((seconds * 1e3) as i64)
}

fn rows(series: &[Series]) -> Vec<(&labels::Labels, DateTime<Utc>)> {
    series.iter().filter_map(|one| Some((&one.labels, time(last(one)?)?))).collect()
}

impl KpiAges {
    /// The whole: as old as the selector whose samples are the oldest, of those that have any; of the user's own PromQL, which may do without
    /// any of them, the newest.
    pub fn freshness(&self, kpi: &Kpi, intervals: &Intervals) -> Option<Freshness> {
        let known = self.ages.iter().map(|ages| {
            let of_jobs = ages.jobs.iter().filter_map(|job| intervals.jobs.get(job)).max().copied().or(intervals.other);
            Freshness { interval: of_jobs.filter(|_| !ages.is_recorded), ..ages.freshness.clone() }
        });
        match &kpi.kind {
            KpiKind::PromQl(_) => known.filter(|one| one.newest.is_some()).max_by_key(|one| one.newest),
            // A counter that nothing counts in has no series, and the other counters have an age.
            _ => known.min_by_key(|one| (one.targets == 0, one.newest)),
        }
    }

    /// The parts that have no fresh sample, and had one in the last hour.
    pub fn gone(&self, freshness: &Freshness, now: DateTime<Utc>) -> Vec<GoneMember> {
        let is_gone = |age: TimeDelta| age > oldest_fresh(freshness.interval) && age <= TimeDelta::hours(1);
        let old = self.members.iter().filter(|(_, last)| is_gone(now - **last));
        old.map(|(name, last)| GoneMember { name: name.clone(), was: None, last_seen: *last }).collect()
    }
}
