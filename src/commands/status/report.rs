//! The status report: the JSON contract of `liveops status`, and the verdict that goes with it.

use std::cmp::Reverse;

use crate::commands::status::screen;
use crate::output::block::{Block, Table, plain};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::metric::level::Level;
use liveops_domain::status::source::{Outcome, SourceState};
use liveops_domain::status::worst_level;
use liveops_engine::incident::summary::IncidentSummary;
use liveops_engine::status::report::StatusReport;

impl Report for StatusReport {
    fn schema(&self) -> &'static str {
        "liveops.status/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        // Ages are those of that time.
        let then = self.at.map(|now| View { now, ..view.clone() });
        screen::blocks(self, then.as_ref().unwrap_or(view))
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        Some(rows(self))
    }
}

/// A row a thing that was looked at: its name first, and what is wrong before the rest.
fn rows(report: &StatusReport) -> Table {
    let readings = &report.gathered.readings;
    let mut rows: Vec<(Level, [String; 5])> = Vec::new();
    let mut add = |level: Level, name: &str, kind: &str, value: String, detail: &str| {
        rows.push((level, [name, kind, level.name(), value.as_str(), detail].map(ToOwned::to_owned)));
    };
    for one in &readings.services {
        add(one.level(), &one.name, "service", one.state.word().to_owned(), &one.detail);
    }
    for one in &readings.kpis {
        let value = one.value.map_or_else(String::new, |value| value.show(&one.kpi.unit));
        add(one.level, &one.kpi.name, "kpi", value, one.note.as_deref().unwrap_or_default());
    }
    for one in readings.alerts() {
        let level = worst_level::of_alert(one).unwrap_or(Level::Ok);
        let summary = one.annotations.get("summary").map_or("", String::as_str);
        add(level, &one.name, "alert", one.state.word().to_owned(), summary);
    }
    for (name, error) in readings.targets.iter().flat_map(|targets| &targets.down) {
        add(Level::Warn, name, "target", "down".into(), error);
    }
    for one in &report.gathered.slos {
        let left =
            one.budget.remaining.as_ref().map_or_else(|_| String::new(), |left| format!("{:.1} %", left * 100.0));
        add(one.budget.level, &one.slo.name, "slo", left, one.budget.reason.as_deref().unwrap_or_default());
    }
    for one in report.gathered.sources.iter().filter(|source| source.state != SourceState::Ok) {
        add(Level::Unknown, &one.name, "source", "down".into(), one.error.as_deref().unwrap_or_default());
    }
    rows.sort_by_key(|(level, _)| Reverse(*level));
    let mut table = Table::new(["name", "kind", "level", "value", "detail"]);
    rows.into_iter().for_each(|(_, row)| table.row(row.into_iter().map(plain).collect()));
    table
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
        tail: shown
            .filter(|_| report.at.is_none())
            .filter_map(|step| Some(Block::next("next", step.command.as_ref()?)))
            .collect(),
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
