//! The value of a KPI, judged by its thresholds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use liveops_domain::error::Result;
use liveops_domain::metric::estimate::Estimate;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::level::Level;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::series::{Answer, Point, Queried, Series};
use liveops_domain::status::{KpiReading, Origin};
use liveops_domain::text::cell;
use liveops_engine::query::ask::QueryAnswer;
use liveops_engine::query::window::Window;

/// A KPI as it is at the time of the question, or at the end of the range.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// Its name in the configuration.
    name: String,
    pub(super) title: String,
    /// The unit of `value`, as [`Unit::name`] writes it.
    #[serde(rename = "unit", serialize_with = "unit_name")]
    pub(super) unit: Unit,
    #[serde(serialize_with = "number")]
    pub(super) value: Option<Estimate>,
    pub(super) level: Level,
    /// Why there is no value, or what to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// From how many targets it comes, and how old its samples are.
    #[serde(skip)]
    pub(super) made_of: Option<String>,
    /// The thresholds as they were written.
    pub(super) warn: Option<String>,
    pub(super) critical: Option<String>,
    /// The label of the breakdown.
    pub(super) by: Option<String>,
    /// Value by label value; empty for a range.
    #[serde(serialize_with = "numbers")]
    pub(super) values: BTreeMap<String, Estimate>,
    #[serde(skip)]
    pub(super) kpi: Kpi,
}

fn unit_name<S: serde::Serializer>(unit: &Unit, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(unit.name())
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn number<S: serde::Serializer>(value: &Option<Estimate>, to: S) -> Result<S::Ok, S::Error> {
    value.map(|value| cell::number(value.value)).serialize(to)
}

fn numbers<S: serde::Serializer>(values: &BTreeMap<String, Estimate>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(values.iter().map(|(label, value)| (label, cell::number(value.value))))
}

impl Figure {
    /// The figure of what was answered.
    pub(super) fn new(kpi: Kpi, asked: &QueryAnswer, window: &Window, now: DateTime<Utc>) -> Self {
        let reading = asked.reading.clone().unwrap_or_else(|| at_the_end(&kpi, asked, window));
        let reasons: Vec<String> = reading.note.iter().cloned().chain(reading.missing(now)).collect();
        Self {
            level: reading.level,
            name: kpi.name.clone(),
            title: kpi.title().into_owned(),
            unit: kpi.unit.clone(),
            value: reading.value,
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
            made_of: reading.freshness.show(now),
            warn: kpi.warn.as_ref().map(ToString::to_string),
            critical: kpi.critical.as_ref().map(ToString::to_string),
            by: kpi.by.clone(),
            values: reading.by,
            kpi,
        }
    }

    /// Its entry among the metrics of the envelope.
    pub(super) fn metric(&self) -> (String, serde_json::Value) {
        let values: serde_json::Map<String, serde_json::Value> =
            self.values.iter().map(|(label, value)| (label.clone(), cell::number(value.value))).collect();
        let entry = serde_json::json!({
            "value": self.value.map(|value| cell::number(value.value)),
            "lower_bound": self.value.is_some_and(|value| value.is_lower_bound),
            "unit": self.unit.name(),
            "level": self.level,
            "source": "prometheus",
            "by": values,
        });
        (self.name.clone(), entry)
    }

    /// The thresholds in words, such as `warn > 16ms, critical > 20ms`.
    pub(super) fn thresholds(&self) -> Option<String> {
        let words = [("warn", &self.warn), ("critical", &self.critical)];
        let words: Vec<String> =
            words.iter().filter_map(|(name, text)| Some(format!("{name} {}", text.as_ref()?))).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// The KPI at the end of a range.
fn at_the_end(kpi: &Kpi, asked: &QueryAnswer, window: &Window) -> KpiReading {
    let reading = match last(&asked.queried, window) {
        Ok(value) => {
            let value = Estimate { value, is_lower_bound: !asked.beyond.is_empty() };
            KpiReading::known(kpi.clone(), Origin::Prometheus, value, BTreeMap::new())
        }
        Err(why) => KpiReading::unknown(kpi.clone(), Origin::Prometheus, why),
    };
    match asked.warnings.first() {
        Some(warning) => reading.doubtful(warning),
        None => reading,
    }
}

/// The one value of an answer, or why there is none.
fn last(queried: &Queried, window: &Window) -> Result<f64, String> {
    let series: &[Series] = match &queried.answer {
        Answer::Scalar(point) => return float(point),
        Answer::String { .. } => return Err("the expression gives a string".into()),
        Answer::Vector(series) | Answer::Matrix(series) => series,
    };
    let [only] = series else {
        return Err(match series.len() {
            0 => "no series matches".into(),
            many => format!("the expression gives {many} series; a KPI needs one"),
        });
    };
    let point = only.points.last().ok_or("no sample")?;
    if let Window::Range { end, step, .. } = window
        && point.at + *step <= *end
    {
        return Err("its series ended before the end of the range".into());
    }
    float(point)
}

fn float(point: &Point) -> Result<f64, String> {
    point.value.float().ok_or_else(|| "its value is a native histogram".into())
}
