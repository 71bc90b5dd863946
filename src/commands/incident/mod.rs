//! `liveops incident`: an incident from the page to its end. The journal is written first; whatever else fails, what a
//! person said is kept.

pub(crate) mod changed;
mod facts;
mod list;
mod open;
pub(crate) mod receive;
mod report;
mod show;
mod step;
pub(crate) mod sync;
pub(crate) mod timeline;
pub(crate) mod view;
mod watch;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Exit, Result};

/// Open an incident, say what happens, and end it
///
/// Every step goes into the incident's own journal first (`incidents/<id>/journal.jsonl` beside liveops.yaml), and only
/// then to the people. Nothing that is down can hinder it: what cannot be known is noted as unknown, what cannot be
/// delivered stays in the outbox. No step asks for confirmation: a wrong one is put right with `amend` or `reopen`.
///
/// With one open incident its id can be left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident open --sev p1 --title \"matchmaking down\"
  liveops incident ack
  liveops incident note \"all of eu, since 03:05\"
  liveops incident mitigate \"rolled back 1.42\"
  liveops incident resolve \"queue is normal\"")]
pub(crate) struct IncidentArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Open(open::OpenArgs),
    Ack(step::AckArgs),
    Note(facts::NoteArgs),
    Severity(facts::SeverityArgs),
    Role(facts::RoleArgs),
    Escalate(facts::EscalateArgs),
    Mitigate(step::MitigateArgs),
    Resolve(step::ResolveArgs),
    Reopen(step::ReopenArgs),
    Amend(facts::AmendArgs),
    Handoff(facts::HandoffArgs),
    Timeline(timeline::TimelineArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Watch(watch::WatchArgs),
    Report(report::ReportArgs),
    Receive(receive::ReceiveArgs),
    Sync(sync::SyncArgs),
}

/// Which incident.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Incident, or a part of its id [default: the one that is open]
    #[arg(short = 'i', long, value_name = "ID")]
    pub(crate) incident: Option<String>,
}

pub(crate) async fn run(args: IncidentArgs, cx: &Context) -> Result<Exit> {
    if !matches!(args.verb, Verb::Open(_) | Verb::Receive(_) | Verb::Sync(_)) {
        liveops_engine::incident::sync::refresh(cx).await?;
    }
    match args.verb {
        Verb::Open(args) => open::run(args, cx).await,
        Verb::Ack(args) => step::ack(args, cx).await,
        Verb::Note(args) => facts::note(args, cx).await,
        Verb::Severity(args) => facts::severity(args, cx).await,
        Verb::Role(args) => facts::role(args, cx).await,
        Verb::Escalate(args) => facts::escalate(args, cx).await,
        Verb::Mitigate(args) => step::mitigate(args, cx).await,
        Verb::Resolve(args) => step::resolve(args, cx).await,
        Verb::Reopen(args) => step::reopen(args, cx).await,
        Verb::Amend(args) => facts::amend(args, cx).await,
        Verb::Handoff(args) => facts::handoff(args, cx).await,
        Verb::Timeline(args) => timeline::run(&args, cx),
        Verb::List(args) => list::run(&args, cx),
        Verb::Show(args) => show::run(&args, cx),
        Verb::Watch(args) => watch::run(args, cx).await,
        Verb::Report(args) => report::run(&args, cx),
        Verb::Receive(args) => receive::run(args, cx).await,
        Verb::Sync(args) => sync::run(args, cx).await,
    }
}
