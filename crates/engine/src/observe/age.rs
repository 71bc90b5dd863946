//! How old a KPI of Prometheus is: which targets contribute, when their samples were taken, and which parts of its
//! breakdown are gone. A rate goes on for its whole window after the last sample; what it is made of does not.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::clients::prometheus::Prometheus;
use liveops_domain::metric::freshness::{Freshness, GoneMember, oldest_fresh};
use liveops_domain::metric::kpi::{Kpi, KpiKind};
use liveops_domain::metric::labels;
use liveops_domain::metric::series::{Answer, Queried, ScrapeTarget};
use liveops_domain::metric::{promql, series_exist};
use liveops_domain::text::duration;

/// The label that tells the parts of one answer apart.
const WHAT: &str = "liveops";

/// How often each job is scraped.
#[derive(Debug, Default)]
pub struct Intervals(BTreeMap<String, TimeDelta>);

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
        Self(intervals)
    }
}

/// What the series of one selector say of their time.
#[derive(Debug, Default)]
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
}

/// Asks how old the series of the KPI are, at that time.
pub async fn ask(client: &Prometheus<'_>, kpi: &Kpi, at: Option<DateTime<Utc>>) -> KpiAges {
    let selectors = selectors(kpi);
    let ages = join_all(selectors.iter().map(|selector| of_selector(client, selector, at)));
    let members = async {
        match (&kpi.by, selectors.first()) {
            (Some(label), Some(selector)) if !matches!(kpi.kind, KpiKind::PromQl(_)) => {
                client.instant(&last_seen(selector, label, false), at).await.ok().map(|found| (label, found))
            }
            _ => None,
        }
    };
    let (ages, members) = tokio::join!(ages, members);
    let times = |(label, queried): (&String, Queried)| {
        rows(&queried)
            .into_iter()
            .map(|(labels, time)| (labels.get(label).cloned().unwrap_or_default(), time))
            .collect()
    };
    KpiAges { ages: ages.into_iter().flatten().collect(), members: members.map(times).unwrap_or_default() }
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

/// `None` where it cannot be told.
async fn of_selector(client: &Prometheus<'_>, selector: &str, at: Option<DateTime<Utc>>) -> Option<Ages> {
    let times = format!("timestamp({selector})");
    let part =
        |what: &str, expression: &str| format!("label_replace({expression}, \"{WHAT}\", \"{what}\", \"\", \"\")");
    let query = [
        part("newest", &format!("max by (job) ({times})")),
        part("oldest", &format!("min by (job) ({times})")),
        part("targets", &format!("count by (job) (count by (job, instance) ({times}))")),
    ];
    let queried = client.instant(&query.join(" or "), at).await.ok()?;
    let mut ages =
        Ages { is_recorded: selector.split('{').next().is_some_and(|name| name.contains(':')), ..Ages::default() };
    let Answer::Vector(series) = &queried.answer else {
        return None;
    };
    for one in series {
        let value = one.points.last()?.value.float()?;
        let job = one.labels.get("job").cloned().unwrap_or_default();
        let freshness = &mut ages.freshness;
        match one.labels.get(WHAT)?.as_str() {
            "newest" => freshness.newest = freshness.newest.max(time(value)),
            "oldest" => freshness.oldest = freshness.oldest.into_iter().chain(time(value)).min(),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            _ => {
                freshness.targets += value as usize;
                ages.jobs.push(job);
            }
        }
    }
    if series.is_empty() {
        // Whoever fails one scrape has no sample any more; what it had is looked for.
        let last = client.instant(&last_seen(selector, "job", true), at).await.ok()?;
        for (labels, time) in rows(&last) {
            ages.freshness.newest = ages.freshness.newest.max(Some(time));
            ages.jobs.extend(labels.get("job").cloned());
        }
        ages.freshness.oldest = ages.freshness.newest;
    }
    Some(ages)
}

fn time(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a time are far below 2^53")]
    DateTime::from_timestamp_millis((seconds * 1e3) as i64)
}

fn rows(queried: &Queried) -> Vec<(&labels::Labels, DateTime<Utc>)> {
    let Answer::Vector(series) = &queried.answer else {
        return Vec::new();
    };
    series.iter().filter_map(|one| Some((&one.labels, time(one.points.last()?.value.float()?)?))).collect()
}

impl KpiAges {
    /// The whole: as old as the selector whose samples are the oldest; of the user's own PromQL, which may do without
    /// any of them, the newest.
    pub fn freshness(&self, kpi: &Kpi, intervals: &Intervals) -> Option<Freshness> {
        let known = self.ages.iter().map(|ages| {
            let of_jobs = ages.jobs.iter().filter_map(|job| intervals.0.get(job)).max().copied();
            Freshness { interval: of_jobs.filter(|_| !ages.is_recorded), ..ages.freshness.clone() }
        });
        match &kpi.kind {
            KpiKind::PromQl(_) => known.filter(|one| one.newest.is_some()).max_by_key(|one| one.newest),
            _ => known.min_by_key(|one| one.newest),
        }
    }

    /// The parts that have no fresh sample, and had one in the last hour.
    pub fn gone(&self, freshness: &Freshness, now: DateTime<Utc>) -> Vec<GoneMember> {
        let is_gone = |age: TimeDelta| age > oldest_fresh(freshness.interval) && age <= TimeDelta::hours(1);
        let old = self.members.iter().filter(|(_, last)| is_gone(now - **last));
        old.map(|(name, last)| GoneMember { name: name.clone(), was: None, last_seen: *last }).collect()
    }
}
