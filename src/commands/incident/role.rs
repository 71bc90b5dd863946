//! `liveops incident role`: who does what.

use clap::Args;

use crate::commands::incident::WhichIncident;
use crate::commands::incident::changed::record;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::RoleAssigned;
use liveops_domain::incident::transition::Action;
use liveops_domain::text::said;
use liveops_engine::incident::record::IncidentStep;

/// Give somebody a role
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident role commander ada
  liveops incident role scribe                 # yourself")]
pub(super) struct RoleArgs {
    /// commander, scribe, liaison, or a word of your own
    #[arg(value_name = "ROLE", value_parser = said)]
    role: String,

    /// Who [default: you]
    #[arg(value_name = "PERSON", value_parser = said)]
    person: Option<String>,

    #[command(flatten)]
    pub(super) incident: WhichIncident,
}

pub(super) async fn run(args: RoleArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "role")?;
    let person = args.person.unwrap_or_else(|| cx.actor.clone());
    let assigned = RoleAssigned { role: args.role.to_lowercase(), person };
    let summary = format!("{} is {} now", assigned.person, assigned.role);
    record(cx, IncidentStep::new(id, Action::Role, &assigned, summary)?).await
}
