//! The status report: the JSON contract of `liveops status`, and the verdict that goes with it.

use crate::commands::status::screen;
use crate::output::block::Block;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::status::source::{Outcome, SourceState};
use liveops_engine::incident::summary::Shown;
use liveops_engine::status::report::StatusReport;

impl Report for StatusReport {
    const SCHEMA: &'static str = "liveops.status/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        screen::blocks(self, view)
    }

    fn meta(&self) -> Meta {
        let sources = &self.gathered.sources;
        let readings = &self.gathered.readings;
        let silent = sources.iter().filter(|source| source.state != SourceState::Ok).count();
        let unheard = readings.services.iter().filter(|service| service.latency_ms.is_none()).count();
        let outcome = match (silent + unheard, sources.len() + readings.services.len()) {
            (0, _) => Outcome::Success,
            (bad, all) if bad == all => Outcome::Error,
            _ => Outcome::Partial,
        };
        Meta {
            environment: Some(self.environment.clone()),
            outcome,
            verdict: self.verdict(),
            metrics: self.metrics(),
            incidents: self.gathered.incidents.iter().map(Shown::json).collect(),
            recommendations: self.next.clone(),
            sources: sources.clone(),
            warnings: self.gathered.warnings.clone(),
            ..Meta::default()
        }
    }
}
