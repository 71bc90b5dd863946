//! The status report: the JSON contract of `liveops status`, and the verdict that goes with it.

use crate::commands::status::screen;
use crate::output::block::Block;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::status::source::{Outcome, SourceState};
use liveops_engine::incident::summary::IncidentSummary;
use liveops_engine::status::report::StatusReport;

impl Report for StatusReport {
    const SCHEMA: &'static str = "liveops.status/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        screen::blocks(self, view)
    }
}

/// Its frame. A screen has few lines for what comes next.
pub(crate) fn meta(report: &StatusReport) -> Meta {
    let sources = &report.gathered.sources;
    let readings = &report.gathered.readings;
    let silent = sources.iter().filter(|source| source.state != SourceState::Ok).count();
    let unheard = readings.services.iter().filter(|service| service.latency_ms.is_none()).count();
    let outcome = match (silent + unheard, sources.len() + readings.services.len()) {
        (0, _) => Outcome::Success,
        (bad, all) if bad == all => Outcome::Error,
        _ => Outcome::Partial,
    };
    let configured = !sources.is_empty() || !readings.services.is_empty();
    let shown = report.next.iter().take(if configured { 2 } else { 3 });
    Meta {
        tail: shown.filter_map(|step| Some(Block::next("next", step.command.as_ref()?))).collect(),
        outcome,
        verdict: report.verdict(),
        metrics: report.metrics(),
        incidents: report.gathered.incidents.iter().map(IncidentSummary::json).collect(),
        recommendations: report.next.clone(),
        sources: sources.clone(),
        warnings: report.gathered.warnings.clone(),
        ..Meta::default()
    }
}
