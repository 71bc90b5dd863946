//! `liveops query --explain`: what would be asked, without asking it.

use serde::Serialize;

use crate::output::block::{Block, Span, Tone, plain, span};
use crate::output::report::Report;
use crate::output::view::View;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::promql::Expression;

/// The PromQL that a KPI becomes, or what is known of an expression.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    /// The PromQL of the whole.
    query: String,
    /// `scalar`, `string`, `instant vector`, `range vector`; absent when liveops cannot read it.
    gives: Option<&'static str>,
    /// The metrics that it selects by name.
    metrics: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kpi: Option<Definition>,
    #[serde(skip)]
    pretty: Option<String>,
}

/// What the configuration says about the KPI.
#[derive(Debug, Serialize)]
struct Definition {
    name: String,
    title: String,
    unit: String,
    /// The label of the breakdown, and the PromQL for it.
    by: Option<String>,
    query_by: Option<String>,
    warn: Option<String>,
    critical: Option<String>,
    service: Option<String>,
}

impl Explanation {
    pub(super) fn new(promql: &str, kpi: Option<&Kpi>, known: Option<Expression>) -> Self {
        let kpi = kpi.map(|kpi| Definition {
            name: kpi.name.clone(),
            title: kpi.title().into_owned(),
            unit: kpi.unit.name().to_owned(),
            by: kpi.by.clone(),
            query_by: kpi.promql_by(),
            warn: kpi.warn.as_ref().map(ToString::to_string),
            critical: kpi.critical.as_ref().map(ToString::to_string),
            service: kpi.service.clone(),
        });
        Self {
            query: promql.to_owned(),
            gives: known.as_ref().map(|known| known.gives.name()),
            metrics: known.as_ref().map(|known| known.metrics.clone()).unwrap_or_default(),
            pretty: known.map(|known| known.pretty),
            kpi,
        }
    }
}

/// A label in a column of its own, and text that is never cut.
fn field(name: &str, text: impl Into<String>) -> Block {
    Block::Whole(vec![span(format!("{name:<10} "), Tone::Dim), plain(text)])
}

impl Report for Explanation {
    fn schema(&self) -> &'static str {
        "liveops.query.explain/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        if let Some(kpi) = &self.kpi {
            let unit = if kpi.unit.is_empty() { String::new() } else { format!("  in {}", kpi.unit) };
            let head: Vec<Span> = vec![span(&*kpi.title, Tone::Strong), span(unit, Tone::Dim)];
            blocks.push(Block::Line(head));
            blocks.push(field("promql", &*self.query));
            if let (Some(by), Some(query)) = (&kpi.by, &kpi.query_by) {
                blocks.push(field(&format!("by {by}"), &**query));
            }
            let thresholds = [("warn", &kpi.warn), ("critical", &kpi.critical)];
            for (name, text) in thresholds {
                blocks.push(field(name, text.as_deref().unwrap_or("none set")));
            }
            if let Some(service) = &kpi.service {
                blocks.push(field("service", &**service));
            }
        } else {
            let mut lines = self.pretty.as_deref().unwrap_or(&self.query).lines();
            blocks.push(field("promql", lines.next().unwrap_or_default()));
            blocks.extend(lines.map(|line| field("", line)));
        }
        blocks.push(field("gives", self.gives.unwrap_or("unknown without Prometheus")));
        if !self.metrics.is_empty() {
            blocks.push(field("metrics", self.metrics.join(", ")));
        }
        if let Some(kpi) = &self.kpi {
            blocks.push(Block::Blank);
            blocks.push(Block::next("next", format!("liveops query --kpi {}", kpi.name)));
        }
        blocks
    }
}
