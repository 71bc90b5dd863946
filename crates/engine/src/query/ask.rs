//! Asking Prometheus, and turning what it says about the expression into what the user can act on.

use std::time::{Duration, Instant};

use crate::clients::prometheus::Prometheus;
use crate::observe::quantile::beyond;
use crate::observe::{kpis, prometheus};
use crate::query::caret;
use crate::query::window::Window;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::promql;
use liveops_domain::metric::series::{Answer, Measured, Point, Queried, Series};
use liveops_domain::status::KpiReading;

/// What Prometheus answered.
pub struct QueryAnswer {
    pub queried: Queried,
    /// The KPI as it was at the time of the question; none of a range.
    pub reading: Option<KpiReading>,
    /// The series whose quantile is only known to lie above its value.
    pub beyond: Vec<Labels>,
    pub warnings: Vec<String>,
    pub latency: Duration,
    /// Who answered.
    pub source: &'static str,
}

const PROMETHEUS: &str = "prometheus";

impl QueryAnswer {
    /// The last hour of a KPI as the services' own metrics gave it, where there is no Prometheus.
    ///
    /// # Errors
    /// Those of the configuration.
    pub async fn scraped(cx: &Session, kpi: &Kpi) -> Result<Self> {
        let (began, now) = (Instant::now(), cx.clock.now());
        let found = kpis::ask(cx, &[]).await?;
        let reading = found.readings.into_iter().find(|reading| reading.kpi.name == kpi.name);
        let values = reading.iter().flat_map(|reading| reading.points(now));
        let points: Vec<Point> = values.map(|(at, value)| Point { at, value: Measured::Float(value) }).collect();
        let series = Series { labels: Labels::new(), points };
        let series = if series.points.is_empty() { Vec::new() } else { vec![series] };
        let queried = Queried { answer: Answer::Matrix(series), warnings: Vec::new(), infos: Vec::new() };
        let warnings = found.warnings;
        Ok(Self { queried, reading, beyond: Vec::new(), warnings, latency: began.elapsed(), source: "scrape" })
    }

    /// Evaluates the expression, and the KPI with all that judges it.
    pub async fn ask(
        cx: &Session,
        client: &Prometheus<'_>,
        promql: &str,
        kpi: Option<&Kpi>,
        window: &Window,
    ) -> Result<Self> {
        let began = Instant::now();
        let refused = |error| explain(error, promql, cx);
        if let (Some(kpi), Window::Instant(at)) = (kpi, window) {
            let asked = prometheus::value(client, kpi, *at, cx.clock.now()).await;
            let (reading, warnings) = (Some(asked.reading), asked.warnings);
            let queried = asked.total.map_err(refused)?;
            return Ok(Self {
                queried,
                reading,
                beyond: Vec::new(),
                warnings,
                latency: began.elapsed(),
                source: PROMETHEUS,
            });
        }
        let at = match window {
            Window::Instant(at) => *at,
            Window::Range { end, .. } => Some(*end),
        };
        let (queried, beyond) = tokio::join!(evaluate(client, promql, window), beyond(client, promql, at));
        let queried = queried.map_err(refused)?;
        let warnings = queried.warnings.clone();
        Ok(Self { queried, reading: None, beyond, warnings, latency: began.elapsed(), source: PROMETHEUS })
    }

    /// Was nothing found?
    pub fn is_empty(&self) -> bool {
        match &self.queried.answer {
            Answer::Vector(series) | Answer::Matrix(series) => series.is_empty(),
            Answer::Scalar(_) | Answer::String { .. } => false,
        }
    }
}

async fn evaluate(client: &Prometheus<'_>, promql: &str, window: &Window) -> Result<Queried> {
    match window {
        Window::Instant(at) => client.instant(promql, *at).await,
        Window::Range { start, end, step } => client.range(promql, *start, *end, *step).await,
    }
}

/// Says what the user can do about an expression that Prometheus does not take.
fn explain(error: Error, promql: &str, cx: &Session) -> Error {
    match error {
        Error::Rejected { status: 400 | 422, message, .. } if !message.is_empty() => {
            if let Some(mut syntax) = promql::from_server(promql, &message) {
                syntax.hint = Some("this is Prometheus' own answer; `liveops doctor` shows its version".into());
                return caret::error(promql, &syntax, cx);
            }
            let hint = hint(&message);
            Error::usage(format!("Prometheus refuses the query: {message}"), hint)
        }
        Error::Malformed { what, .. } if what.starts_with("more than ") => Error::usage(
            format!("the result is too large: {what}"),
            "aggregate it (`sum by (…) (…)`, `topk(20, …)`), or take a shorter `--range` or a longer `--step`",
        ),
        other => other,
    }
}

fn hint(message: &str) -> &'static str {
    if message.contains("too many samples") {
        "select fewer series, take a shorter `--range` or a longer `--step`"
    } else if message.contains("many-to-many")
        || message.contains("many-to-one")
        || message.contains("duplicate series")
    {
        "aggregate one side so that its series are unique, or say which labels match: `on (…) group_left`"
    } else if message.contains("timed out") {
        "select fewer series, take a shorter `--range`, or record the expression as a rule"
    } else {
        "the expression parses, and cannot be computed; try its parts"
    }
}
