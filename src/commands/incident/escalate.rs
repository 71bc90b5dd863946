//! `liveops incident escalate`: more people are called.

use clap::Args;

use crate::commands::incident::WhichIncident;
use crate::commands::incident::changed::{record, with_reason};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::Escalated;
use liveops_domain::incident::transition::Action;
use liveops_domain::text::said;
use liveops_engine::incident::record::IncidentStep;

/// Call more people
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident escalate --reason \"30 minutes, and no idea\"")]
pub(super) struct EscalateArgs {
    #[command(flatten)]
    pub(super) incident: WhichIncident,

    /// Who is meant, for those who read it
    #[arg(long, value_name = "WHO")]
    to: Option<String>,

    /// Why
    #[arg(long, alias = "because", value_name = "TEXT", value_parser = said)]
    reason: Option<String>,
}

pub(super) async fn run(args: EscalateArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "escalate")?;
    let to = args.to.unwrap_or_default();
    let head = if to.is_empty() { "escalated".to_owned() } else { format!("escalated to {to}") };
    let summary = with_reason(head, args.reason.as_deref());
    let escalated = Escalated { to, text: args.reason };
    record(cx, IncidentStep::new(id, Action::Escalate, &escalated, summary)?).await
}
