//! `liveops incident`: an incident from the page to its end. The journal is written first; whatever else fails, what a
//! person said is kept.

mod ack;
mod amend;
pub(crate) mod changed;
mod escalate;
mod handoff;
mod list;
mod mitigate;
mod note;
mod open;
mod receive;
mod reopen;
mod report;
mod resolve;
mod role;
mod severity;
mod show;
mod sync;
mod timeline;
pub(crate) mod view;
mod watch;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::name::is_made;
use liveops_domain::text::said;
use liveops_engine::incident::resolve::id_of;
use liveops_engine::incident::sync::refresh;

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
    Ack(ack::AckArgs),
    Note(note::NoteArgs),
    Severity(severity::SeverityArgs),
    Role(role::RoleArgs),
    Escalate(escalate::EscalateArgs),
    Mitigate(mitigate::MitigateArgs),
    Resolve(resolve::ResolveArgs),
    Reopen(reopen::ReopenArgs),
    Amend(amend::AmendArgs),
    Handoff(handoff::HandoffArgs),
    Timeline(timeline::TimelineArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Watch(watch::WatchArgs),
    Report(report::ReportArgs),
    Receive(receive::ReceiveArgs),
    Sync(sync::SyncArgs),
}

impl Verb {
    /// The incident that is named.
    fn named(&self) -> Option<&str> {
        let which = match self {
            Self::Ack(args) => return args.incident.named(),
            Self::Show(args) => return args.incident.named(),
            Self::Timeline(args) => return args.incident.named(),
            Self::Watch(args) => return args.incident.named(),
            Self::Role(args) => &args.incident,
            Self::Reopen(args) => &args.incident,
            Self::Note(args) => &args.incident,
            Self::Severity(args) => &args.incident,
            Self::Escalate(args) => &args.incident,
            Self::Mitigate(args) => &args.incident,
            Self::Resolve(args) => &args.incident,
            Self::Amend(args) => &args.incident,
            Self::Handoff(args) => &args.incident,
            _ => return None,
        };
        which.incident.as_deref()
    }
}

/// Which incident, by `-i`.
#[derive(Debug, Clone, Args)]
struct WhichIncident {
    /// Incident, or a part of its id [default: the one that is open]
    #[arg(short = 'i', long, value_name = "ID")]
    incident: Option<String>,
}

impl WhichIncident {
    /// The id; `verb` is for the commands that an error proposes.
    fn id(&self, cx: &Context, verb: &str) -> Result<String> {
        id_of(cx, self.incident.as_deref(), &format!("incident {verb} -i"))
    }
}

/// What a person says of a step. An incident's id is no such thing: whoever types one there means that incident.
fn told(text: &str) -> Result<String, String> {
    match text.trim() {
        id if is_made(id) => Err(format!("it is an incident's id: `-i {id}` names the incident")),
        text => said(text),
    }
}

/// Which incident, by its id or by `-i`.
#[derive(Debug, Clone, Args)]
struct IncidentOrId {
    /// Incident, or a part of its id [default: the one that is open]
    #[arg(value_name = "ID")]
    id: Option<String>,

    #[command(flatten)]
    which: WhichIncident,
}

impl IncidentOrId {
    fn named(&self) -> Option<&str> {
        self.id.as_deref().or(self.which.incident.as_deref())
    }

    fn id(&self, cx: &Context, verb: &str) -> Result<String> {
        let named = self.id.clone().or_else(|| self.which.incident.clone());
        WhichIncident { incident: named }.id(cx, verb)
    }
}

pub(crate) async fn run(args: IncidentArgs, cx: &Context) -> Result<Exit> {
    if !matches!(args.verb, Verb::Open(_) | Verb::Receive(_) | Verb::Sync(_)) {
        refresh(cx).await?;
    }
    let elsewhere = cx.where_incident(args.verb.named())?;
    let cx = elsewhere.as_ref().unwrap_or(cx);
    match args.verb {
        Verb::Open(args) => open::run(args, cx).await,
        Verb::Ack(args) => ack::run(args, cx).await,
        Verb::Note(args) => note::run(args, cx).await,
        Verb::Severity(args) => severity::run(args, cx).await,
        Verb::Role(args) => role::run(args, cx).await,
        Verb::Escalate(args) => escalate::run(args, cx).await,
        Verb::Mitigate(args) => mitigate::run(args, cx).await,
        Verb::Resolve(args) => resolve::run(args, cx).await,
        Verb::Reopen(args) => reopen::run(args, cx).await,
        Verb::Amend(args) => amend::run(args, cx).await,
        Verb::Handoff(args) => handoff::run(args, cx).await,
        Verb::Timeline(args) => timeline::run(&args, cx),
        Verb::List(args) => list::run(&args, cx),
        Verb::Show(args) => show::run(&args, cx),
        Verb::Watch(args) => watch::run(args, cx).await,
        Verb::Report(args) => report::run(&args, cx),
        Verb::Receive(args) => receive::run(args, cx).await,
        Verb::Sync(args) => sync::run(args, cx).await,
    }
}
