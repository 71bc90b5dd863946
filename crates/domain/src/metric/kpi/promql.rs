//! The PromQL that a key figure becomes.

use std::time::Duration;

use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::labels;
use crate::metric::selector::Selector;
use crate::text::duration;

impl Kpi {
    /// The PromQL of the whole, or for each value of a label.
    pub fn expression(&self, by: Option<&str>) -> String {
        let by = by.map(labels::show_name);
        match &self.kind {
            KpiKind::Gauge { selector, agg } => {
                format!("{}{} ({selector})", agg.name(), grouping(by.as_deref()))
            }
            KpiKind::Rate { selector, window } => sum_of_rate(selector, *window, by.as_deref()),
            KpiKind::Ratio { of, to, window } => {
                let part = sum_of_rate(of, *window, by.as_deref());
                let whole = sum_of_rate(to, *window, by.as_deref());
                // A counter with a label for the outcome has no series for an outcome that never
                // happened, which is 0. A metric of another name that is not there may be a
                // misspelling, and has no value.
                if of.name() == to.name() {
                    format!("({part} or {whole} * 0) / {whole}")
                } else {
                    format!("{part} / {whole}")
                }
            }
            KpiKind::Quantile { q, histogram, window } => {
                let groups = match &by {
                    Some(label) => format!("le, {label}"),
                    None => "le".to_owned(),
                };
                let buckets = histogram.with_suffix("_bucket");
                let rates = sum_of_rate(&buckets, *window, Some(&groups));
                format!("histogram_quantile({q}, {rates})")
            }
            KpiKind::PromQl(promql) => promql.clone(),
        }
    }
}

fn grouping(by: Option<&str>) -> String {
    by.map_or_else(String::new, |by| format!(" by ({by})"))
}

fn sum_of_rate(selector: &Selector, window: Duration, by: Option<&str>) -> String {
    let window = duration::to_promql(window);
    format!("sum{} (rate({selector}[{window}]))", grouping(by))
}
