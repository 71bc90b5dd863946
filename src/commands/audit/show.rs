//! `liveops audit show ID`: all that is written of one change.

use clap::Args;
use serde::Serialize;

use crate::commands::audit::{state, tone};
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::change::record::{ChangeRecord, ChangeState};
use liveops_domain::change::undo::Undo;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::time::rfc3339;
use liveops_engine::undo::audit::{complaint, find};

/// Show one change: command, result, and its undo
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops audit show c1a2b3c4d
  liveops audit show c1a2b3c4d -o json")]
pub(crate) struct ShowArgs {
    /// Its id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,
}

/// One change.
#[derive(Debug, Serialize)]
struct ChangeDetails {
    #[serde(flatten)]
    record: ChangeRecord,
}

impl ChangeDetails {
    /// The command that reverts it, or finds out whether there is something to revert.
    fn next(&self) -> String {
        let record = &self.record;
        let there = |words: String| match record.environment.as_str() {
            "default" => format!("liveops {words}"),
            environment => format!("liveops {words} -e {environment}"),
        };
        match (record.state, &record.undone_by, &record.undo) {
            (ChangeState::Undone, Some(by), _) => format!("liveops audit show {by}"),
            (ChangeState::Failed, _, _) => "liveops audit list".into(),
            (_, _, Some(undo)) if !undo.is_possible() => there(undo.by_hand()),
            _ => there(format!("undo {}", record.id)),
        }
    }
}

impl Report for ChangeDetails {
    fn schema(&self) -> &'static str {
        "liveops.audit.show/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let record = &self.record;
        let tone = tone(record);
        let mut blocks = vec![Block::Line(vec![
            mark(tone, view),
            span(format!(" {}", record.id), Tone::Strong),
            span(format!("  {}", state(record)), tone),
        ])];
        let mut field = |name: &str, text: Option<String>| {
            if let Some(text) = text {
                blocks.push(Block::Whole(vec![span(format!("  {name:<12}"), Tone::Dim), plain(text)]));
            }
        };
        field("what", Some(record.summary.clone()));
        field("action", Some(record.action.clone()));
        field("where", Some(record.place()));
        let backend = record.origin.as_ref().and_then(|origin| origin.backend.as_ref());
        field("system", backend.map(|backend| format!("{} {}", backend.kind, backend.fingerprint)));
        field("by", Some(record.by.clone()));
        field("begun", Some(rfc3339(record.at)));
        field("ended", record.ended.map(rfc3339));
        field("command", Some(record.command.clone()));
        field("error", record.error.clone());
        field("result", record.result.as_ref().map(ToString::to_string));
        field("undo", record.undo.as_ref().map(Undo::summary));
        field("undoes", record.undoes.clone());
        field("undone by", record.undone_by.clone());
        blocks
    }
}

pub(super) fn run(args: &ShowArgs, cx: &Context) -> Result<Exit> {
    let (record, log) = find(cx, &args.id)?;
    let report = ChangeDetails { record };
    let meta = Meta {
        environment: Some(report.record.environment.clone()),
        warnings: complaint(log.faults).into_iter().collect(),
        ..Meta::next("next", report.next())
    };
    cx.show(&report, meta)?;
    Ok(Exit::Good)
}
