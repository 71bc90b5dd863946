//! `liveops incident ack`: somebody has it.

use clap::Args;

use crate::commands::incident::IncidentOrId;
use crate::commands::incident::changed::{record, with_reason};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::PhaseChanged;
use liveops_domain::incident::transition::Action;
use liveops_engine::incident::record::IncidentStep;

/// Say that you have it
///
/// Stops the clock of the acknowledgement, and tells the pager and the rooms. An acknowledgement is no silence: alerts
/// go on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident ack
  liveops incident ack matchmaking")]
pub(super) struct AckArgs {
    #[command(flatten)]
    pub(super) incident: IncidentOrId,

    /// What you know so far
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

pub(super) async fn run(args: AckArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "ack")?;
    let summary = with_reason(format!("acknowledged by {}", cx.actor), args.message.as_deref());
    let changed = PhaseChanged { text: args.message, ..PhaseChanged::default() };
    record(cx, IncidentStep::new(id, Action::Ack, &changed, summary)?).await
}
