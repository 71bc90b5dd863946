//! `liveops incident watch`: the open incidents and their clocks, redrawn; what is in the outbox is tried again.

use std::time::Duration;

use clap::Args;

use crate::commands::incident::show::IncidentReport;
use crate::commands::incident::{Which, show};
use crate::context::Context;
use crate::watch::{Look, watch_and};
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::deadline::Standing;
use liveops_domain::text::duration::parse_positive;
use liveops_engine::change::unasked;
use liveops_engine::incident::record::left_over;
use liveops_engine::incident::resolve::which;
use liveops_engine::incident::summary::Shown;

/// Watch an incident and its deadlines
///
/// Until it is over or interrupted. Messages that are still in the outbox are tried again meanwhile. Exit code 1 when a
/// deadline is overdue at the last look.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident watch
  liveops incident watch -o json | jq -c .data.incident.next_deadline")]
pub(super) struct WatchArgs {
    /// Incident, or a part of its id [default: the one that is open]
    #[arg(value_name = "ID")]
    id: Option<String>,

    #[command(flatten)]
    which: Which,

    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_positive)]
    interval: Duration,
}

pub(super) async fn run(args: WatchArgs, cx: &Context) -> Result<Exit> {
    let named = args.id.as_deref().or(args.which.incident.as_deref());
    let id = which(cx, named, "watch")?;
    cx.output.refuse_rows()?;
    let look = async || {
        let report = show::gather(cx, &id)?;
        let is_last = !report.shown.incident.phase.is_open();
        Ok(Look { meta: report.meta(), exit: exit(&report), report, head: Vec::new(), is_last })
    };
    let deliver = async || {
        if !cx.is_read_only()?
            && let Some(confirmed) = unasked(cx, "deliver what is in the outbox")?
        {
            left_over(cx, &confirmed).await;
        }
        Ok(())
    };
    watch_and(cx, args.interval, look, deliver).await
}

fn exit(report: &IncidentReport) -> Exit {
    let overdue = |shown: &Shown| shown.deadlines.iter().any(|due| due.is_open() && due.standing == Standing::Breached);
    if overdue(&report.shown) { Exit::Bad } else { Exit::Good }
}
