//! `liveops incident reopen`: it is not over after all.

use chrono::TimeDelta;
use clap::Args;

use crate::commands::incident::changed::{record, with_reason};
use crate::commands::incident::{WhichIncident, told};
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::PhaseChanged;
use liveops_domain::incident::transition::Action;
use liveops_domain::text::count::count;
use liveops_engine::incident::incidents_here;
use liveops_engine::incident::record::IncidentStep;

/// Say that it is not over after all
///
/// The time to mitigate begins anew; what was missed before stays missed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident reopen -i matchmaking \"errors are back\"")]
pub(super) struct ReopenArgs {
    /// Why
    #[arg(value_name = "TEXT", value_parser = told)]
    text: Option<String>,

    #[command(flatten)]
    pub(super) incident: WhichIncident,
}

pub(super) async fn run(args: ReopenArgs, cx: &Context) -> Result<Exit> {
    let id = match &args.incident.incident {
        Some(_) => args.incident.id(cx, "reopen")?,
        None => last(cx)?,
    };
    let summary = with_reason("reopened".into(), args.text.as_deref());
    let changed = PhaseChanged { text: args.text, ..PhaseChanged::default() };
    record(cx, IncidentStep::new(id, Action::Reopen, &changed, summary)?).await
}

/// What can be reopened is the incident that changed last, when it is the only one of the last day; else it is named.
fn last(cx: &Context) -> Result<String> {
    let since = cx.clock.now() - TimeDelta::hours(24);
    let recent: Vec<String> = incidents_here(cx)?
        .filter(|one| Action::Reopen.is_allowed(one.phase) && one.last_event > since)
        .map(|one| one.id)
        .collect();
    match recent.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Error::usage(
            "no incident was mitigated or resolved in the last day",
            format!("those that are over: `{}`", cx.command("incident list --all")),
        )),
        [first, ..] => Err(Error::usage(
            format!(
                "{} were mitigated or resolved in the last day: {}",
                count(recent.len(), "incident"),
                recent.join(", ")
            ),
            format!("say which: `{}`", cx.command(&format!("incident reopen -i {first}"))),
        )),
    }
}
