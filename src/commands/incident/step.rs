//! `liveops incident ack`, `mitigate`, `resolve`, `reopen`: the steps from one phase to the next.

use crate::commands::incident::changed::say;
use clap::Args;

use crate::commands::incident::Which;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::{Moved, kind};
use liveops_domain::incident::notice::About;
use liveops_domain::incident::transition::Action;
use liveops_engine::incident::record::{Say, occurred};
use liveops_engine::incident::recovery::{Recovery, recovery};
use liveops_engine::incident::resolve::which;

/// Say that you have it
///
/// Stops the clock of the acknowledgement, and tells the pager and the rooms. An acknowledgement is no silence: alerts
/// go on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident ack
  liveops incident ack matchmaking")]
pub(super) struct AckArgs {
    /// Incident, or a part of its id [default: the one that is open]
    #[arg(value_name = "ID")]
    id: Option<String>,

    #[command(flatten)]
    which: Which,

    /// What you know so far
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

/// Say that users are well again
///
/// The cause may still be there. Who mitigates has acknowledged too, if nobody had.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident mitigate \"rolled back 1.42\"
  liveops incident mitigate \"flag new_matchmaking off\" --at \"10m ago\"")]
pub(super) struct MitigateArgs {
    /// What helped
    #[arg(value_name = "TEXT")]
    text: Option<String>,

    #[command(flatten)]
    which: Which,

    /// When it happened, if not now: `10m ago`, `03:05`, RFC 3339
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// Say that it is over
///
/// Looks whether the KPIs and the alert have really recovered, and says so when they have not, or when that cannot be
/// told. The incident is resolved either way: you decide, and the journal keeps what the metrics said.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident resolve \"queue is normal for 15 minutes\"
  liveops incident resolve -i 2026-11-22-p1-matchmaking-down -o json | jq .data.details")]
pub(super) struct ResolveArgs {
    /// Why it is over
    #[arg(value_name = "TEXT")]
    text: Option<String>,

    #[command(flatten)]
    which: Which,

    /// When it happened, if not now: `10m ago`, `03:05`, RFC 3339
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// Say that it is not over after all
///
/// The time to mitigate begins anew; what was missed before stays missed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident reopen -i matchmaking \"errors are back\"")]
pub(super) struct ReopenArgs {
    /// Why
    #[arg(value_name = "TEXT")]
    text: Option<String>,

    #[command(flatten)]
    which: Which,
}

/// `mitigated: rolled back`.
fn summary(word: &str, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("{word}: {text}"),
        None => word.to_owned(),
    }
}

pub(super) async fn ack(args: AckArgs, cx: &Context) -> Result<Exit> {
    let named = args.id.or(args.which.incident);
    let id = which(cx, named.as_deref(), "ack")?;
    let text = args.message;
    let moved = Moved { text: text.clone(), ..Moved::default() };
    let summary = summary(&format!("acknowledged by {}", cx.actor), text.as_deref());
    step(cx, (id, Action::Ack, kind::ACKED, About::Acked), moved, summary, Vec::new()).await
}

pub(super) async fn mitigate(args: MitigateArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "mitigate")?;
    let moved = Moved { text: args.text.clone(), occurred_at: occurred(cx, args.at.as_deref())?, check: None };
    let summary = summary("mitigated", args.text.as_deref());
    step(cx, (id, Action::Mitigate, kind::MITIGATED, About::Mitigated), moved, summary, Vec::new()).await
}

pub(super) async fn resolve(args: ResolveArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "resolve")?;
    let occurred_at = occurred(cx, args.at.as_deref())?;
    let incident = liveops_engine::incident::standing(cx, &id)?.incident;
    liveops_engine::incident::record::must_allow(cx, &incident, Action::Resolve)?;
    let recovery = recovery(cx, &incident).await;
    let said = recovery.text();
    if !matches!(recovery, Recovery::Recovered(_)) {
        cx.output.warn(&said);
    }
    let moved = Moved { text: args.text.clone(), occurred_at, check: Some(said.clone()) };
    let summary = summary("resolved", args.text.as_deref());
    step(cx, (id, Action::Resolve, kind::RESOLVED, About::Resolved), moved, summary, vec![said]).await
}

pub(super) async fn reopen(args: ReopenArgs, cx: &Context) -> Result<Exit> {
    let id = match &args.which.incident {
        Some(_) => which(cx, args.which.incident.as_deref(), "reopen")?,
        None => last(cx)?,
    };
    let moved = Moved { text: args.text.clone(), ..Moved::default() };
    let summary = summary("reopened", args.text.as_deref());
    step(cx, (id, Action::Reopen, kind::REOPENED, About::Reopened), moved, summary, Vec::new()).await
}

/// What can be reopened is the incident that changed last, when it is the only one of the last day; else it is named.
fn last(cx: &Context) -> Result<String> {
    let now = cx.clock.now();
    let environment = cx.environment()?;
    let recent: Vec<String> = liveops_engine::incident::index(cx)?
        .summaries
        .into_iter()
        .map(|summary| summary.incident)
        .filter(|one| {
            Action::Reopen.is_allowed(one.phase)
                && one.environment == environment
                && now - one.last_event < chrono::TimeDelta::hours(24)
        })
        .map(|one| one.id)
        .collect();
    match recent.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(liveops_domain::error::Error::usage(
            match recent.len() {
                0 => "no incident was mitigated or resolved in the last day".to_owned(),
                n => format!("{n} incidents were mitigated or resolved in the last day: {}", recent.join(", ")),
            },
            format!("say which: `{}`", cx.command("incident reopen -i ID")),
        )),
    }
}

async fn step(
    cx: &Context,
    (id, action, kind, about): (String, Action, &'static str, About),
    moved: Moved,
    summary: String,
    details: Vec<String>,
) -> Result<Exit> {
    let data = serde_json::to_value(moved)?;
    say(cx, Say { id, action, kind, data, summary, about: Some(about), details }).await
}
