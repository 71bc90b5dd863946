//! `liveops incident mitigate`: users are well again.

use clap::Args;

use crate::commands::incident::changed::{asked, record, with_reason};
use crate::commands::incident::{WhichIncident, told};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::PhaseChanged;
use liveops_domain::incident::transition::Action;
use liveops_engine::incident::record::{IncidentStep, occurred};

/// Say that users are well again
///
/// The cause may still be there. Who mitigates has acknowledged too, if nobody had.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident mitigate \"rolled back 1.42\"
  liveops incident mitigate \"flag new_matchmaking off\" --at \"10m ago\"")]
pub(super) struct MitigateArgs {
    /// What helped
    #[arg(value_name = "TEXT", value_parser = told)]
    text: Option<String>,

    #[command(flatten)]
    pub(super) incident: WhichIncident,

    /// When it happened, if not now: `10m ago`, `03:05`, RFC 3339
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

pub(super) async fn run(args: MitigateArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "mitigate")?;
    let occurred_at = occurred(cx, args.at.as_deref())?;
    let text = asked(cx, &id, Action::Mitigate, args.text, "what helped?")?;
    let summary = with_reason("mitigated".into(), text.as_deref());
    let changed = PhaseChanged { text, occurred_at, check: None };
    record(cx, IncidentStep::new(id, Action::Mitigate, &changed, summary)?).await
}
