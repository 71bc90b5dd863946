//! `liveops incident timeline`: everything that was written down, in the order in which it happened.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::commands::incident::IncidentOrId;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::change::journal::Event;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::kind;
use liveops_domain::incident::recovery::Recovery;
use liveops_domain::incident::state::without_quick_beginnings;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::count::count;
use liveops_domain::text::time::rfc3339;
use liveops_engine::incident::summary::clock;
use liveops_engine::incident::timeline::{Line, line};
use liveops_engine::session::store;

/// Print an incident's journal in the order in which things happened
///
/// With `--notifications` also how each message went.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident timeline
  liveops incident timeline matchmaking -o csv > timeline.csv
  liveops incident timeline -o json | jq -r '.data.events[] | [.at, .by, .text] | @tsv'")]
pub(super) struct TimelineArgs {
    #[command(flatten)]
    pub(super) incident: IncidentOrId,

    /// Also how each message went
    #[arg(long)]
    notifications: bool,
}

/// `03:12Z ada  opened P1: matchmaking down`.
pub(super) fn block(line: &Line, view: &View) -> Block {
    let tone = match line.kind.as_str() {
        kind::OPENED | kind::REOPENED | kind::ESCALATED => Tone::Bad,
        kind::ACKED | kind::MITIGATED | kind::SEVERITY => Tone::Warn,
        // Somebody said that it is over; what the metrics said to it stands in the same line.
        kind::RESOLVED => match line.data.get("check").and_then(Value::as_str).map(Recovery::read) {
            None | Some(Some(true)) => Tone::Good,
            Some(None) => Tone::Warn,
            Some(Some(false)) => Tone::Bad,
        },
        kind::NOTIFICATION | kind::EVIDENCE => Tone::Dim,
        kind::CHANGE_FAILED => Tone::Bad,
        _ => Tone::Plain,
    };
    Block::Whole(vec![
        span(clock(line.at, view.now), Tone::Dim),
        plain(format!("  {}  ", line.by)),
        span(line.text.clone(), tone),
    ])
}

/// The whole journal.
#[derive(Debug, Serialize)]
struct Timeline {
    incident: String,
    events: Vec<Line>,
    /// Messages that are not shown.
    left_out: usize,
    faults: Vec<String>,
}

pub(super) fn run(args: &TimelineArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "timeline")?;
    let log = store(cx)?.log(&id)?;
    let shown = |event: &&Event| args.notifications || event.kind != kind::NOTIFICATION;
    let told: Vec<&Event> = without_quick_beginnings(&log.events).collect();
    let events: Vec<Line> = told.iter().copied().filter(shown).map(line).collect();
    let report = Timeline { left_out: told.len() - events.len(), events, faults: log.faults, incident: id };
    let meta = Meta {
        environment: Some(log.incident.environment),
        verdict: if report.faults.is_empty() { Verdict::Pass } else { Verdict::Warn },
        warnings: report.faults.clone(),
        ..Meta::next("next", format!("liveops incident show {}", report.incident))
    };
    cx.show(&report, meta)?;
    Ok(Exit::Good)
}

impl Report for Timeline {
    fn schema(&self) -> &'static str {
        "liveops.incident.timeline/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks: Vec<Block> = self.events.iter().map(|line| block(line, view)).collect();
        for fault in &self.faults {
            let text = format!("JOURNAL: {fault}");
            blocks.push(Block::Whole(vec![span(text, Tone::Bad)]));
        }
        if self.left_out > 0 {
            let text = format!("{} left out; `--notifications` shows them", count(self.left_out, "message"));
            blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["id", "at", "by", "type", "text"]);
        for line in &self.events {
            table.row(vec![
                plain(line.id.clone().unwrap_or_default()),
                plain(rfc3339(line.at)),
                plain(&line.by),
                plain(&line.kind),
                plain(&line.text),
            ]);
        }
        Some(table)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_that_the_metrics_contradict_is_not_green() {
        let view = View { width: 80, height: None, unicode: true, terminal: true, now: DateTime::default() };
        for (recovery, want) in [
            (Recovery::Recovered("the one KPI is normal".into()), Tone::Good),
            (Recovery::Unknown("nothing is measured".into()), Tone::Warn),
            (Recovery::Not("tick is 35".into()), Tone::Bad),
        ] {
            let event = Event {
                seq: 1,
                id: None,
                at: DateTime::default(),
                by: "ada".into(),
                kind: kind::RESOLVED.into(),
                data: json!({"check": recovery.text()}),
                hash: String::new(),
            };
            let Block::Whole(spans) = block(&line(&event), &view) else { panic!("a whole line") };
            assert_eq!(spans.last().map(|span| span.tone), Some(want), "{}", recovery.text());
        }
    }
}
