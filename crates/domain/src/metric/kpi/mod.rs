//! A key figure of a service: what it is, in which unit, from which level on it is bad, and the
//! PromQL that gives it. The same definition is computed from direct scrapes in `scrape`.

mod promql;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::Duration;

use crate::metric::estimate::Estimate;
use crate::metric::labels::Labels;
use crate::metric::level::Level;
use crate::metric::quantity::Unit;
use crate::metric::selector::Selector;
use crate::metric::threshold::{Comparison, Threshold};

/// One key figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Kpi {
    /// Its name in the configuration and in JSON.
    pub name: String,
    /// What a person reads instead of the name.
    pub title: Option<String>,
    /// How it is computed.
    pub kind: KpiKind,
    /// The label by which it is broken down.
    pub by: Option<String>,
    /// The unit of its values.
    pub unit: Unit,
    /// From where on it is a warning.
    pub warn: Option<Threshold>,
    /// From where on it is critical.
    pub critical: Option<Threshold>,
    /// The service it belongs to; all when absent.
    pub service: Option<String>,
}

/// How the values of several series of a gauge become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregation {
    /// All together, such as players over servers.
    #[default]
    Sum,
    /// The mean.
    Avg,
    /// The highest.
    Max,
    /// The lowest.
    Min,
}

impl Aggregation {
    /// The name in PromQL and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Aggregation::Sum => "sum",
            Aggregation::Avg => "avg",
            Aggregation::Max => "max",
            Aggregation::Min => "min",
        }
    }
}

/// How a key figure is computed.
#[derive(Debug, Clone, PartialEq)]
pub enum KpiKind {
    /// What a gauge says now.
    Gauge {
        /// Which series.
        selector: Selector,
        /// How several become one.
        agg: Aggregation,
    },
    /// How fast a counter grows, a second, over a window.
    Rate {
        /// Which counters; they are added up.
        selector: Selector,
        /// The time over which it is measured.
        window: Duration,
    },
    /// The growth of one counter as a part of that of another.
    Ratio {
        /// The part.
        of: Selector,
        /// The whole.
        to: Selector,
        /// The time over which both are measured.
        window: Duration,
    },
    /// A quantile of a classic histogram.
    Quantile {
        /// Which quantile, 0 to 1.
        q: f64,
        /// The histogram, with or without `_bucket`.
        histogram: Selector,
        /// The time over which observations count.
        window: Duration,
    },
    /// PromQL that only Prometheus can answer.
    PromQl(String),
}

impl KpiKind {
    /// The unit of the values as far as the metric's name tells.
    pub fn natural_unit(&self) -> Unit {
        match self {
            KpiKind::Gauge { selector, .. } => Unit::from_metric_name(selector.name()),
            KpiKind::Rate { selector, .. } => Unit::from_metric_name(selector.name()).per_second(),
            KpiKind::Ratio { .. } => Unit::Ratio,
            KpiKind::Quantile { histogram, .. } => {
                let name = histogram.name();
                Unit::from_metric_name(name.strip_suffix("_bucket").unwrap_or(name))
            }
            KpiKind::PromQl(_) => Unit::None,
        }
    }
}

impl Kpi {
    /// The PromQL of the whole figure.
    pub fn promql(&self) -> String {
        self.expression(None)
    }

    /// The PromQL of the figure for each value of its `by` label; nothing without one. The
    /// user's own PromQL is not taken apart.
    pub fn promql_by(&self) -> Option<String> {
        match (&self.kind, &self.by) {
            (KpiKind::PromQl(_), _) | (_, None) => None,
            (_, Some(label)) => Some(self.expression(Some(label))),
        }
    }

    /// The same of the series with these labels only; none where they cannot be added to the user's own PromQL.
    pub fn narrowed(&self, labels: &Labels) -> Option<Self> {
        let kind = match &self.kind {
            KpiKind::Gauge { selector, agg } => KpiKind::Gauge { selector: selector.narrowed(labels), agg: *agg },
            KpiKind::Rate { selector, window } => {
                KpiKind::Rate { selector: selector.narrowed(labels), window: *window }
            }
            KpiKind::Ratio { of, to, window } => {
                KpiKind::Ratio { of: of.narrowed(labels), to: to.narrowed(labels), window: *window }
            }
            KpiKind::Quantile { q, histogram, window } => {
                KpiKind::Quantile { q: *q, histogram: histogram.narrowed(labels), window: *window }
            }
            KpiKind::PromQl(text) => KpiKind::PromQl(crate::metric::promql::narrowed(text, labels)?),
        };
        Some(Self { kind, ..self.clone() })
    }

    /// The title, else the name with spaces: `active_players` is `active players`.
    pub fn title(&self) -> Cow<'_, str> {
        match &self.title {
            Some(title) => Cow::Borrowed(title),
            None => Cow::Owned(self.name.replace('_', " ")),
        }
    }

    /// The series that a scrape must keep to compute it.
    pub fn selectors(&self) -> Vec<Selector> {
        match &self.kind {
            KpiKind::Gauge { selector, .. } | KpiKind::Rate { selector, .. } => {
                vec![selector.clone()]
            }
            KpiKind::Ratio { of, to, .. } => vec![of.clone(), to.clone()],
            KpiKind::Quantile { histogram, .. } => vec![histogram.with_suffix("_bucket")],
            KpiKind::PromQl(_) => Vec::new(),
        }
    }

    /// The time over which it is measured; none of what is true at one moment.
    pub fn window(&self) -> Option<Duration> {
        match &self.kind {
            KpiKind::Rate { window, .. } | KpiKind::Ratio { window, .. } | KpiKind::Quantile { window, .. } => {
                Some(*window)
            }
            KpiKind::Gauge { .. } | KpiKind::PromQl(_) => None,
        }
    }

    /// Which way is worse, where its thresholds say so.
    pub fn worse(&self) -> Option<Ordering> {
        match self.critical.as_ref().or(self.warn.as_ref())?.op {
            Comparison::Above | Comparison::AtLeast => Some(Ordering::Greater),
            Comparison::Below | Comparison::AtMost => Some(Ordering::Less),
            Comparison::Equal | Comparison::NotEqual => None,
        }
    }

    /// The level of a value against its thresholds.
    pub fn level(&self, value: impl Into<Estimate>) -> Level {
        value.into().level(self.warn.as_ref(), self.critical.as_ref())
    }
}
