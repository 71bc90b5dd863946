//! `liveops incident severity`: how bad it is now.

use clap::Args;

use crate::commands::incident::WhichIncident;
use crate::commands::incident::changed::{record, with_reason};
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::SeverityChanged;
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::transition::Action;
use liveops_domain::text::said;
use liveops_engine::incident::incident;
use liveops_engine::incident::record::IncidentStep;

/// Raise or lower the severity
///
/// A raise gives the new deadlines from now on, and never more time than there was; a miss stays a miss.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident severity p1 --reason \"now us too\"")]
pub(super) struct SeverityArgs {
    /// p1 (critical), p2 (high), p3 (medium) or p4 (low)
    #[arg(value_name = "SEVERITY")]
    severity: Severity,

    #[command(flatten)]
    pub(super) incident: WhichIncident,

    /// Why
    #[arg(long, alias = "because", value_name = "TEXT", value_parser = said)]
    reason: Option<String>,
}

pub(super) async fn run(args: SeverityArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "severity")?;
    let incident = incident(cx, &id)?;
    if incident.severity == args.severity {
        return Err(Error::Conflict {
            what: format!("{id} is {} already", args.severity),
            hint: format!("look: `{}`", cx.command(&format!("incident show {id}"))),
        });
    }
    let is_worse = args.severity < incident.severity;
    let verb = if is_worse { "raised" } else { "lowered" };
    let head = format!("{verb} from {} to {}", incident.severity, args.severity);
    let summary = with_reason(head, args.reason.as_deref());
    let changed = SeverityChanged { severity: args.severity, text: args.reason };
    let step = IncidentStep::new(id, Action::Severity, &changed, summary)?;
    // Only what got worse calls anybody.
    record(cx, IncidentStep { about: step.about.filter(|_| is_worse), seen: Some(incident.severity), ..step }).await
}
