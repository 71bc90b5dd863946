//! `liveops incident note`: what the next engineer should know.

use clap::Args;

use crate::commands::incident::changed::record;
use crate::commands::incident::{WhichIncident, told};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::Note;
use liveops_domain::incident::transition::Action;
use liveops_engine::incident::record::IncidentStep;

/// Write something down
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident note \"all of eu, since 03:05\"")]
pub(super) struct NoteArgs {
    /// What the next engineer should know
    #[arg(value_name = "TEXT", value_parser = told)]
    text: String,

    #[command(flatten)]
    pub(super) incident: WhichIncident,
}

pub(super) async fn run(args: NoteArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "note")?;
    let note = Note { text: args.text.clone() };
    record(cx, IncidentStep::new(id, Action::Note, &note, args.text)?).await
}
