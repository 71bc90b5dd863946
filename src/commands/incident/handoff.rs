//! `liveops incident handoff`: the next shift takes over, and is told where it stands.

use chrono::{DateTime, Utc};
use clap::Args;

use crate::commands::incident::changed::{record, with_reason};
use crate::commands::incident::view::times;
use crate::commands::incident::{WhichIncident, told};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::HandedOff;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Action;
use liveops_domain::text::count::count;
use liveops_domain::text::said;
use liveops_engine::incident::incident;
use liveops_engine::incident::record::IncidentStep;

/// Hand the incident to somebody else
///
/// Makes them the commander, and prints what they have to know: where it stands, what is due, who was reached.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident handoff bob --note \"watch the queue in us\"")]
pub(super) struct HandoffArgs {
    /// Who takes over
    #[arg(value_name = "PERSON", value_parser = told)]
    to: String,

    #[command(flatten)]
    pub(super) incident: WhichIncident,

    /// What they have to know
    #[arg(long, value_name = "TEXT", value_parser = said)]
    note: Option<String>,
}

pub(super) async fn run(args: HandoffArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "handoff")?;
    let details = brief(&incident(cx, &id)?, cx.clock.now());
    let summary = with_reason(format!("handed to {}", args.to), args.note.as_deref());
    let handed = HandedOff { to: args.to, text: args.note };
    let step = IncidentStep::new(id, Action::Handoff, &handed, summary)?;
    record(cx, IncidentStep { details, ..step }).await
}

/// What the next shift has to know beside the head: the course of it, and the people.
fn brief(one: &Incident, now: DateTime<Utc>) -> Vec<String> {
    let mut lines = times(one, now);
    let roles = one.roles.iter().map(|(role, who)| format!("{role} {who}"));
    lines.extend(roles);
    let firing: Vec<&str> =
        one.signals.values().filter(|signal| signal.firing).map(|signal| signal.alert.as_str()).collect();
    if !firing.is_empty() {
        lines.push(format!("still firing: {}", firing.join(", ")));
    }
    lines.push(format!(
        "{}, {}, {} in the journal",
        count(one.notes, "note"),
        count(one.evidence.len(), "evidence file"),
        count(one.deliveries.len(), "message")
    ));
    lines
}
