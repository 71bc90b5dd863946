//! `liveops incident note`, `severity`, `role`, `escalate`, `amend`, `handoff`: what is known, and who does what.

use crate::commands::incident::changed::say;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::commands::incident::Which;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::{Amended, Escalated, Field, Graded, HandedOff, Roled, Said, kind};
use liveops_domain::incident::notice::About;
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Action;
use liveops_domain::text::time::rfc3339;
use liveops_engine::incident::record::{Say, occurred};
use liveops_engine::incident::resolve::which;
use liveops_engine::incident::standing;
use liveops_engine::incident::summary::clock;

/// Write something down
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident note \"all of eu, since 03:05\"")]
pub(super) struct NoteArgs {
    /// What the next engineer should know
    #[arg(value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    text: String,

    #[command(flatten)]
    which: Which,
}

/// Raise or lower the severity
///
/// A raise gives the new deadlines from now on, and never more time than there was; a miss stays a miss.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident severity p1 --because \"now us too\"")]
pub(super) struct SeverityArgs {
    /// p1 (critical), p2 (high), p3 (medium) or p4 (low)
    #[arg(value_name = "SEVERITY")]
    severity: Severity,

    #[command(flatten)]
    which: Which,

    /// Why
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
}

/// Give somebody a role
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident role commander ada
  liveops incident role scribe                 yourself")]
pub(super) struct RoleArgs {
    /// commander, scribe, liaison, or a word of your own
    #[arg(value_name = "ROLE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    role: String,

    /// Who [default: you]
    #[arg(value_name = "PERSON")]
    person: Option<String>,

    #[command(flatten)]
    which: Which,
}

/// Call more people
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident escalate --because \"30 minutes, and no idea\"")]
pub(super) struct EscalateArgs {
    #[command(flatten)]
    which: Which,

    /// Who is meant, for those who read it
    #[arg(long, value_name = "WHO")]
    to: Option<String>,

    /// Why
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
}

/// Correct a time or a fact
///
/// The journal keeps what was said before. A corrected time changes the measures of `incident report`, and never makes a
/// missed deadline look kept.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident amend started-at \"03:02\" --because \"first error in the logs\"
  liveops incident amend title \"matchmaking down in eu\"")]
pub(super) struct AmendArgs {
    /// What is corrected
    #[arg(value_name = "FACT", value_enum)]
    field: Amendable,

    /// What it is really; times as `20m ago`, `03:05` (UTC), RFC 3339
    #[arg(value_name = "VALUE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    to: String,

    #[command(flatten)]
    which: Which,

    /// Why
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
}

/// Hand the incident to somebody else
///
/// Makes them the commander, and prints what they have to know: where it stands, what is due, who was told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident handoff bob --note \"watch the queue in us\"")]
pub(super) struct HandoffArgs {
    /// Who takes over
    #[arg(value_name = "PERSON", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    to: String,

    #[command(flatten)]
    which: Which,

    /// What they have to know
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// What can be corrected.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Amendable {
    Title,
    Service,
    Alert,
    StartedAt,
    DetectedAt,
    AcknowledgedAt,
    MitigatedAt,
    ResolvedAt,
}

impl From<Amendable> for Field {
    fn from(field: Amendable) -> Self {
        match field {
            Amendable::Title => Self::Title,
            Amendable::Service => Self::Service,
            Amendable::Alert => Self::Alert,
            Amendable::StartedAt => Self::StartedAt,
            Amendable::DetectedAt => Self::DetectedAt,
            Amendable::AcknowledgedAt => Self::AcknowledgedAt,
            Amendable::MitigatedAt => Self::MitigatedAt,
            Amendable::ResolvedAt => Self::ResolvedAt,
        }
    }
}

async fn fact<T: Serialize>(
    cx: &Context,
    id: String,
    (action, kind): (Action, &'static str),
    data: &T,
    summary: String,
    about: Option<About>,
) -> Result<Exit> {
    let data = serde_json::to_value(data)?;
    say(cx, Say { id, action, kind, data, summary, about, details: Vec::new() }).await
}

fn because(head: String, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("{head}: {text}"),
        None => head,
    }
}

pub(super) async fn note(args: NoteArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "note")?;
    let summary = args.text.clone();
    let said = Said { text: args.text };
    fact(cx, id, (Action::Note, kind::NOTE), &said, summary, Some(About::Note)).await
}

pub(super) async fn severity(args: SeverityArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "severity")?;
    let incident = standing(cx, &id)?.incident;
    if incident.severity == args.severity {
        return Err(Error::Conflict {
            what: format!("{id} is {} already", args.severity),
            hint: format!("look: `{}`", cx.command(&format!("incident show {id}"))),
        });
    }
    // Only what got worse calls anybody.
    let about = (args.severity < incident.severity).then_some(About::Severity);
    let verb = if about.is_some() { "raised" } else { "lowered" };
    let head = format!("{verb} from {} to {}", incident.severity, args.severity);
    let graded = Graded { severity: args.severity, text: args.because.clone() };
    let summary = because(head, args.because.as_deref());
    let action = (Action::Severity, kind::SEVERITY);
    fact(cx, id, action, &graded, summary, about).await
}

pub(super) async fn role(args: RoleArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "role")?;
    let roled = Roled { role: args.role.to_lowercase(), person: args.person.unwrap_or_else(|| cx.actor.clone()) };
    let summary = format!("{} is {} now", roled.person, roled.role);
    fact(cx, id, (Action::Role, kind::ROLE), &roled, summary, None).await
}

pub(super) async fn escalate(args: EscalateArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "escalate")?;
    let to = args.to.unwrap_or_default();
    let head = if to.is_empty() { "escalated".to_owned() } else { format!("escalated to {to}") };
    let summary = because(head, args.because.as_deref());
    let escalated = Escalated { to, text: args.because };
    let action = (Action::Escalate, kind::ESCALATED);
    fact(cx, id, action, &escalated, summary, Some(About::Escalated)).await
}

pub(super) async fn handoff(args: HandoffArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "handoff")?;
    let incident = standing(cx, &id)?.incident;
    let head = format!("handed to {}", args.to);
    let summary = because(head, args.note.as_deref());
    let handed = HandedOff { to: args.to, text: args.note };
    let data = serde_json::to_value(handed)?;
    let details = brief(&incident, cx.clock.now());
    say(
        cx,
        Say { id, action: Action::Handoff, kind: kind::HANDOFF, data, summary, about: Some(About::Handoff), details },
    )
    .await
}

/// What the next shift has to know beside the head: the course of it, and the people.
fn brief(one: &Incident, now: DateTime<Utc>) -> Vec<String> {
    let mut lines = Vec::new();
    for (word, moment) in [
        ("began", &one.started),
        ("known", &one.detected),
        ("acknowledged", &one.acknowledged),
        ("mitigated", &one.mitigated),
    ] {
        lines.extend(moment.at().map(|at| format!("{word} {}", clock(at, now))));
    }
    let roles = one.roles.iter().map(|(role, who)| format!("{role} {who}"));
    lines.extend(roles);
    let firing: Vec<&str> =
        one.signals.values().filter(|signal| signal.firing).map(|signal| signal.alert.as_str()).collect();
    if !firing.is_empty() {
        lines.push(format!("still firing: {}", firing.join(", ")));
    }
    lines.push(format!(
        "{} notes, {} pieces of evidence, {} messages in the journal",
        one.notes,
        one.evidence.len(),
        one.deliveries.len()
    ));
    lines
}

pub(super) async fn amend(args: AmendArgs, cx: &Context) -> Result<Exit> {
    let id = which(cx, args.which.incident.as_deref(), "amend")?;
    let incident = standing(cx, &id)?.incident;
    let field = Field::from(args.field);
    let (was, to) = if field.is_time() {
        let moment = occurred(cx, Some(&args.to))?;
        let to = moment.ok_or_else(|| Error::internal("a time that is none"))?;
        check_order(cx, &incident, field, to)?;
        let was = times(&incident).into_iter().find(|(known, _)| *known == field);
        (was.and_then(|(_, at)| at).map(rfc3339), rfc3339(to))
    } else {
        let was = match field {
            Field::Title => Some(incident.title.clone()),
            Field::Service => incident.service.clone(),
            _ => incident.alert.clone(),
        };
        (was, args.to)
    };
    let before = was.as_deref().unwrap_or("nothing");
    let head = format!("{} is {to}, was {before}", field.key());
    let summary = because(head, args.because.as_deref());
    let amended = Amended { field, to, was, text: args.because };
    let action = (Action::Amend, kind::AMENDED);
    fact(cx, id, action, &amended, summary, None).await
}

fn times(one: &Incident) -> [(Field, Option<DateTime<Utc>>); 5] {
    [
        (Field::StartedAt, one.started.at()),
        (Field::DetectedAt, one.detected.at()),
        (Field::AcknowledgedAt, one.acknowledged.at()),
        (Field::MitigatedAt, one.mitigated.at()),
        (Field::ResolvedAt, one.resolved.at()),
    ]
}

/// The five times of an incident follow one another, and one that has not come cannot be corrected.
fn check_order(cx: &Context, one: &Incident, field: Field, to: DateTime<Utc>) -> Result<()> {
    let all = times(one);
    let place = all.iter().position(|(known, _)| *known == field).unwrap_or(0);
    let refused = |message: String| {
        let show = cx.command(&format!("incident show {}", one.id));
        Error::usage(message, format!("`{show}` shows its times"))
    };
    if all[place].1.is_none() {
        return Err(refused(format!("{} is {}: it has no {} yet", one.id, one.phase.word(), field.key())));
    }
    let later = all[..place].iter().find(|(_, at)| at.is_some_and(|at| at > to));
    let earlier = all[place + 1..].iter().find(|(_, at)| at.is_some_and(|at| at < to));
    let wrong =
        later.map(|(other, at)| (*other, *at, "before")).or_else(|| earlier.map(|(other, at)| (*other, *at, "after")));
    match wrong {
        Some((other, Some(at), word)) => Err(refused(format!(
            "{} cannot be {}, {word} {}, which is {}",
            field.key(),
            rfc3339(to),
            other.key(),
            rfc3339(at)
        ))),
        _ => Ok(()),
    }
}
