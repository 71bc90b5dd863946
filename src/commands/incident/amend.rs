//! `liveops incident amend`: a time or a fact is corrected; the journal keeps the old one.

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use crate::commands::incident::WhichIncident;
use crate::commands::incident::changed::{record, with_reason};
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::{Amended, Field};
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Action;
use liveops_domain::text::said;
use liveops_domain::text::time::rfc3339;
use liveops_engine::incident::incident;
use liveops_engine::incident::record::{IncidentStep, occurred};

/// Correct a time or a fact
///
/// The journal keeps what was said before. A corrected time changes the measures of `incident report`, and never makes a
/// missed deadline look kept.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident amend started-at \"03:02\" --reason \"first error in the logs\"
  liveops incident amend title \"matchmaking down in eu\"
  liveops incident amend cause 1.42 --reason \"its migration locked the table\"")]
pub(super) struct AmendArgs {
    /// What is corrected
    #[arg(value_name = "FACT", value_enum)]
    field: Amendable,

    /// What it is really; times as `20m ago`, `03:05` (UTC), RFC 3339
    #[arg(value_name = "VALUE", value_parser = said)]
    to: String,

    #[command(flatten)]
    pub(super) incident: WhichIncident,

    /// Why
    #[arg(long, alias = "because", value_name = "TEXT", value_parser = said)]
    reason: Option<String>,
}

/// What can be corrected.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Amendable {
    Title,
    Service,
    Alert,
    /// What made it: a word of yours, or a deployment's version
    Cause,
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
            Amendable::Cause => Self::Cause,
            Amendable::StartedAt => Self::StartedAt,
            Amendable::DetectedAt => Self::DetectedAt,
            Amendable::AcknowledgedAt => Self::AcknowledgedAt,
            Amendable::MitigatedAt => Self::MitigatedAt,
            Amendable::ResolvedAt => Self::ResolvedAt,
        }
    }
}

pub(super) async fn run(args: AmendArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "amend")?;
    let incident = incident(cx, &id)?;
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
            Field::Cause => incident.cause.clone(),
            _ => incident.alert.clone(),
        };
        (was, args.to)
    };
    let before = was.as_deref().unwrap_or("nothing");
    let head = format!("{} is {to}, was {before}", field.key());
    let summary = with_reason(head, args.reason.as_deref());
    let amended = Amended { field, to, was, text: args.reason };
    record(cx, IncidentStep::new(id, Action::Amend, &amended, summary)?).await
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
