//! `liveops incident watch`: the open incidents and their clocks, redrawn; what is in the outbox is tried again.

use std::time::Duration;

use clap::Args;

use crate::commands::incident::show::IncidentReport;
use crate::commands::incident::{IncidentOrId, show};
use crate::context::Context;
use crate::watch::{Look, watch_and};
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::duration::parse_interval;
use liveops_engine::incident::record::flush_outbox;

/// Watch an incident and its deadlines
///
/// Until it is over or interrupted. Messages that are still in the outbox are tried again meanwhile. Exit code 1 when a
/// deadline is overdue at the last look.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident watch
  liveops incident watch -o json | jq -c .data.incident.next_deadline")]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub(super) incident: IncidentOrId,

    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_interval)]
    interval: Duration,
}

pub(super) async fn run(args: WatchArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "watch")?;
    cx.output.refuse_rows()?;
    let look = async || {
        let report = show::gather(cx, &id)?;
        let is_last = !report.shown.incident.phase.is_open();
        Ok(Look { meta: report.meta(), exit: exit(&report), report, head: Vec::new(), is_last })
    };
    let deliver = async || {
        if !cx.is_read_only()?
            && let Some(confirmed) = cx.unasked("deliver what is in the outbox")?
        {
            flush_outbox(cx, &confirmed).await;
        }
        Ok(())
    };
    watch_and(cx, args.interval, look, deliver).await
}

fn exit(report: &IncidentReport) -> Exit {
    if report.shown.overdue().is_some() { Exit::Bad } else { Exit::Good }
}
