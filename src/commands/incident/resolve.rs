//! `liveops incident resolve`: it is over, and what the metrics say to that.

use clap::Args;

use crate::commands::incident::changed::{asked, record, with_reason};
use crate::commands::incident::{WhichIncident, told};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::event::PhaseChanged;
use liveops_domain::incident::recovery::Recovery;
use liveops_domain::incident::transition::Action;
use liveops_engine::incident::incident;
use liveops_engine::incident::record::{IncidentStep, must_allow, occurred};
use liveops_engine::status::gather_all;

/// Say that it is over
///
/// Looks whether the KPIs and the alert have really recovered, and says so when they have not, or when that is
/// unknown. The incident is resolved either way: you decide, and the journal keeps what the metrics said.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident resolve \"queue is normal for 15 minutes\"
  liveops incident resolve -i 2026-11-22-p1-matchmaking-down -o json | jq .data.details")]
pub(super) struct ResolveArgs {
    /// Why it is over
    #[arg(value_name = "TEXT", value_parser = told)]
    text: Option<String>,

    #[command(flatten)]
    pub(super) incident: WhichIncident,

    /// When it happened, if not now: `10m ago`, `03:05`, RFC 3339
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

pub(super) async fn run(args: ResolveArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "resolve")?;
    let occurred_at = occurred(cx, args.at.as_deref())?;
    let incident = incident(cx, &id)?;
    must_allow(cx, &incident, Action::Resolve)?;
    let recovery = match gather_all(cx).await {
        Ok(gathered) => Recovery::of(&incident, &gathered.readings),
        Err(error) => Recovery::Unknown(error.to_string()),
    };
    let check = recovery.text();
    if !matches!(recovery, Recovery::Recovered(_)) {
        cx.output.warn(&check);
    }
    let text = asked(cx, &id, Action::Resolve, args.text, "why is it over?")?;
    let summary = with_reason("resolved".into(), text.as_deref());
    let changed = PhaseChanged { text, occurred_at, check: Some(check.clone()) };
    let step = IncidentStep::new(id, Action::Resolve, &changed, summary)?;
    record(cx, IncidentStep { details: vec![check], ..step }).await
}
