//! Where the budget went: the counts of the window step by step, months, and the arithmetic with its queries.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use crate::slo::batch::{Batch, NO_SERIES};
use crate::slo::status::SloStatus;
use liveops_domain::error::Result;
use liveops_domain::metric::promql::Span;
use liveops_domain::metric::series::Answer;
use liveops_domain::slo::Slo;
use liveops_domain::slo::budget::{Figure, Tallies, Tally, spent};
use liveops_domain::slo::expression::{components, counts};
use liveops_domain::slo::window::{Period, last_months};
use liveops_domain::text::duration::to_promql;

/// Points of the plot.
const POINTS: u32 = 120;

/// One month.
#[derive(Debug, Clone)]
pub struct Month {
    pub name: String,
    pub period: Period,
    pub tally: Result<Tally, String>,
    /// 1 is all of the budget.
    pub spent: Figure,
    pub attained: Figure,
}

/// One query, and what it gave.
#[derive(Debug, Clone)]
pub struct Explained {
    pub what: String,
    pub promql: String,
    pub value: Figure,
}

fn client(cx: &Session) -> Result<Prometheus<'_>> {
    Ok(Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Full))
}

/// The share of the budget that was left, over the period up to now.
///
/// # Errors
/// As every question to Prometheus.
pub async fn burn_down(cx: &Session, slo: &Slo) -> Result<Vec<(DateTime<Utc>, f64)>> {
    let now = cx.clock.now();
    let period = slo.window.elapsed(now);
    let step = Duration::from_secs((period.length() / POINTS).as_secs().max(300));
    let client = client(cx)?;
    let parts = components(slo);
    let Ok(counted) = counts(slo, Span::last(step)) else {
        return Ok(Vec::new());
    };
    let start = period.start + TimeDelta::from_std(step).unwrap_or_default();
    let mut shares: Vec<(DateTime<Utc>, f64)> = Vec::new();
    for (part, counted) in parts.iter().zip(counted) {
        let (bad, total) =
            tokio::join!(client.range(&counted.bad, start, now, step), client.range(&counted.total, start, now, step));
        let points = |answer: Answer| match answer {
            Answer::Matrix(series) if series.len() == 1 => series.into_iter().next().map(|one| one.points),
            _ => None,
        };
        let (Some(bad), Some(total)) = (points(bad?.answer), points(total?.answer)) else {
            return Ok(Vec::new());
        };
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite()).unwrap_or(0.0);
        let all: f64 = total.iter().map(|point| finite(point.value.float())).sum();
        if all <= 0.0 {
            continue;
        }
        let mut sum = 0.0;
        let mut rest = bad.iter().peekable();
        for (index, point) in total.iter().enumerate() {
            if let Some(next) = rest.next_if(|next| next.at == point.at) {
                sum += finite(next.value.float());
            }
            let share = part.weight * sum / all / part.objective.budget();
            match shares.get_mut(index) {
                Some((_, before)) => *before += share,
                None => shares.push((point.at, share)),
            }
        }
    }
    Ok(shares.into_iter().map(|(at, share)| (at, 1.0 - share)).collect())
}

/// The last months, the current one first; those before any data are left out, but not those between.
///
/// # Errors
/// As every question to Prometheus.
pub async fn by_month(cx: &Session, slo: &Slo, n: u32) -> Result<Vec<Month>> {
    let now = cx.clock.now();
    let months = last_months(slo.window.zone(), now, n);
    let mut batch = Batch::default();
    let ids: Vec<Vec<(usize, usize)>> = months
        .iter()
        .map(|(_, period)| {
            let span = Span {
                length: Duration::from_secs(period.length().as_secs().max(60)),
                end: (period.end < now).then(|| period.end.timestamp()),
            };
            let counted = counts(slo, span).unwrap_or_default();
            counted.into_iter().map(|one| (batch.add(one.bad), batch.add(one.total))).collect()
        })
        .collect();
    let answers = batch.ask(&client(cx)?, now).await?;
    let parts = components(slo);
    let mut all: Vec<Month> = Vec::new();
    for ((name, period), ids) in months.into_iter().zip(ids) {
        let tally =
            |(bad, total): &(usize, usize)| Tally { bad: answers.value(*bad)?, total: answers.value(*total)? }.check();
        let tallies: Tallies = ids.iter().map(tally).collect();
        let tallies = tallies.map_err(|why| if why == NO_SERIES { "no data".into() } else { why });
        let tallies = match &answers.doubt {
            Some(why) => Err(format!("not everything answered: {why}")),
            None => tallies,
        };
        let spent = spent(&parts, &tallies);
        all.push(Month {
            name,
            period,
            attained: spent.clone().map(|spent| 1.0 - spent * slo.objective.budget()),
            spent,
            tally: tallies.map(|all| {
                all.iter().fold(Tally { bad: 0.0, total: 0.0 }, |sum, one| Tally {
                    bad: sum.bad + one.bad,
                    total: sum.total + one.total,
                })
            }),
        });
    }
    let known = all.iter().rposition(|month| month.tally.as_ref().err().is_none_or(|why| why != "no data"));
    all.truncate(known.map_or(1, |last| last + 1));
    Ok(all)
}

/// The queries of the period, each with its value.
///
/// # Errors
/// As every question to Prometheus.
pub async fn explain(cx: &Session, status: &SloStatus) -> Result<Vec<Explained>> {
    let slo = &status.slo;
    let now = cx.clock.now();
    let elapsed = Duration::from_secs(slo.window.elapsed(now).length().as_secs().max(60));
    let mut batch = Batch::default();
    let mut asked = Vec::new();
    let parts = components(slo);
    let spans = std::iter::once((to_promql(elapsed), Span::last(elapsed))).chain(
        slo.excluded(slo.window.elapsed(now).start, now).into_iter().map(|(from, to)| {
            let length = Duration::from_secs((to - from).unsigned_abs());
            (format!("{} excluded", to_promql(length)), Span { length, end: Some(to) })
        }),
    );
    for (name, span) in spans {
        for (part, counted) in parts.iter().zip(counts(slo, span).unwrap_or_default()) {
            let part = if part.name.is_empty() { String::new() } else { format!(" of {}", part.name) };
            for (side, promql) in [("bad", counted.bad), ("total", counted.total)] {
                asked.push((format!("{side}{part} in {name}"), promql.clone(), batch.add(promql)));
            }
        }
    }
    let answers = batch.ask(&client(cx)?, now).await?;
    Ok(asked.into_iter().map(|(what, promql, id)| Explained { what, promql, value: answers.value(id) }).collect())
}
