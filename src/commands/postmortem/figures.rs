//! The figures of an incident: each KPI over its time and the same time of the week before, as impact, words and plots.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::context::Context;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::{Kpi, KpiKind};
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::series::Answer;
use liveops_domain::postmortem::impact::{WEEK, loss};
use liveops_domain::text::duration::to_promql;
use liveops_engine::changes::suspects::series;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::clients::prometheus::Prometheus;
use liveops_engine::observe::kpis;
use liveops_engine::postmortem::facts::{IncidentWindow, KpiSeries};

/// How much is shown before and after.
const MARGIN: TimeDelta = TimeDelta::minutes(30);

/// A measure of the impact.
#[derive(Debug, serde::Serialize)]
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) evidence: String,
    pub(super) known: bool,
    /// The number by itself, in `unit`.
    pub(super) amount: Option<f64>,
    pub(super) unit: &'static str,
}

/// A measure's number, words and evidence.
type Told = (f64, String, String);

/// Every KPI, and what it was a week before; all at once.
pub(super) async fn look(cx: &Context, kpis: &[Kpi], span: IncidentWindow) -> Vec<KpiSeries> {
    let (from, to) = (span.from - MARGIN, (span.to + MARGIN).min(cx.clock.now()));
    let mut figures = asked(cx, kpis, (from, to)).await;
    if figures.iter().all(|figure| figure.points.is_err()) {
        // Who looked meanwhile has left the last hour behind.
        for reading in kpis::ask(cx, &[]).await.unwrap_or_default().readings {
            let mut points = reading.points(cx.clock.now());
            points.retain(|(at, _)| *at >= from && *at <= to);
            let figure = figures.iter_mut().find(|figure| figure.kpi.name == reading.kpi.name);
            if let Some(figure) = figure.filter(|_| points.len() > 1) {
                figure.points = Ok(points);
                figure.remembered = true;
            }
        }
    }
    figures
}

async fn asked(cx: &Context, kpis: &[Kpi], (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Vec<KpiSeries> {
    join_all(kpis.iter().map(async |kpi| {
        let (points, before) = tokio::join!(series(cx, kpi, from, to), series(cx, kpi, from - WEEK, to - WEEK));
        let points = points.map_err(|error| error.to_string());
        KpiSeries {
            kpi: kpi.clone(),
            points: points.and_then(|points| match points.len() {
                0 => Err("the metrics have no such series for this time".into()),
                _ => Ok(points),
            }),
            before: before.unwrap_or_default(),
            remembered: false,
        }
    }))
    .await
}

/// What it cost: players and purchases against the week before, errors served.
pub(super) async fn impact(cx: &Context, figures: &[KpiSeries], span: IncidentWindow) -> Vec<Measure> {
    let players = figures.iter().find(|figure| figure.counts_players());
    let purchases = figures.iter().find(|figure| figure.counts_purchases());
    let errors = figures.iter().find(|figure| matches!(figure.kpi.kind, KpiKind::Ratio { .. }));
    vec![
        measured("players lost", "player_minutes", players, |figure| {
            lost(figure, span).map(|lost| {
                let minutes = Unit::None.show((lost.total / 60.0).round());
                let worst = Unit::None.show(lost.worst.round());
                (
                    lost.total / 60.0,
                    format!("{worst} at the worst, {minutes} player-minutes"),
                    evidence(figure, lost.covered),
                )
            })
        }),
        served(cx, errors, span).await,
        measured("purchases missed", "purchases", purchases, |figure| {
            lost(figure, span)
                .map(|lost| (lost.total, Unit::None.show(lost.total.round()), evidence(figure, lost.covered)))
        }),
    ]
}

fn evidence(figure: &KpiSeries, covered: f64) -> String {
    let part = if covered < 0.95 {
        format!("; both weeks have values for {:.0} % of it", covered * 100.0)
    } else {
        String::new()
    };
    format!("`{}` against the same time last week{part}", figure.kpi.name)
}

fn lost(figure: &KpiSeries, span: IncidentWindow) -> Result<liveops_domain::postmortem::impact::Loss, String> {
    let points = figure.points.as_ref().map_err(Clone::clone)?;
    loss(points, &figure.before, span.from, span.to)
        .ok_or_else(|| "there are no metrics of the same time last week".into())
}

fn measured(
    name: &'static str,
    unit: &'static str,
    figure: Option<&KpiSeries>,
    measure: impl Fn(&KpiSeries) -> Result<Told, String>,
) -> Measure {
    let found = figure.ok_or_else(|| "no KPI of this is configured".to_owned()).and_then(measure);
    Measure::new(name, unit, found)
}

impl Measure {
    /// What was found; or why it is unknown, which is never zero.
    fn new(name: &'static str, unit: &'static str, found: Result<Told, String>) -> Self {
        let known = found.is_ok();
        let (amount, value, evidence) = match found {
            Ok((amount, value, evidence)) => (Some(amount), value, evidence),
            Err(why) => (None, "unknown".into(), why),
        };
        Self { name, value, evidence, known, amount, unit }
    }
}

/// Errors that were served: the growth of the counter above the line.
async fn served(cx: &Context, figure: Option<&KpiSeries>, span: IncidentWindow) -> Measure {
    let asked = async {
        let figure = figure.ok_or_else(|| "no KPI of this is configured".to_owned())?;
        let KpiKind::Ratio { of, .. } = &figure.kpi.kind else {
            return Err("no KPI of this is configured".to_owned());
        };
        let length = (span.to - span.from).to_std().unwrap_or_default();
        let window = to_promql(length.max(Duration::from_secs(60)));
        let query = format!("sum(increase({of}[{window}]))");
        let value = number(cx, &query, span.to)
            .await
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "the metrics have no such series for this time".to_owned())?;
        let shown = Unit::None.show(value.round());
        Ok((value, shown, format!("`{query}`")))
    };
    Measure::new("errors served", "errors", asked.await)
}

async fn number(cx: &Context, query: &str, at: DateTime<Utc>) -> Result<Option<f64>, Error> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let answer = client.instant(query, Some(at)).await?.answer;
    let Answer::Vector(series) = answer else {
        return Ok(None);
    };
    let value = series.first().and_then(|series| series.points.first()?.value.float());
    Ok(value.filter(|value| value.is_finite()))
}
