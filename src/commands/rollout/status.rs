//! `liveops rollout status`: where each rollout stands, who watches it, and what its conditions came to.

use std::time::Duration;

use clap::Args;

use crate::commands::rollout::args::WhichArgs;
use crate::commands::rollout::overview::RolloutStatus;
use crate::context::Context;
use crate::output::report::Report;
use crate::watch::Look;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::duration;
use liveops_engine::rollout::resolve::choose;

/// Show where rollouts stand
///
/// Exit code 1 when the last one was rolled back, or is going back; 3 when it could not be seen somewhere.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout status
  liveops rollout status game-backend --watch
  liveops rollout status -o json")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// Look again and again
    #[arg(long)]
    watch: bool,

    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse_positive)]
    interval: Duration,
}

pub(super) async fn run(args: StatusArgs, cx: &Context) -> Result<Exit> {
    let look = async || look(cx, args.which.service()).await;
    if args.watch {
        return watch(cx, args.interval, look, RolloutStatus::exit).await;
    }
    let report = look().await?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(report.exit())
}

/// Looks again and again: a screen that is redrawn, or a report a line.
///
/// # Errors
/// Those of the look.
pub(crate) async fn watch<R: Report>(
    cx: &Context,
    interval: Duration,
    look: impl AsyncFn() -> Result<R>,
    exit: impl Fn(&R) -> Exit,
) -> Result<Exit> {
    crate::watch::watch(cx, interval, async || {
        let report = look().await?;
        Ok(Look { meta: report.meta(), exit: exit(&report), report, head: Vec::new(), is_last: false })
    })
    .await
}

async fn look(cx: &Context, service: Option<&str>) -> Result<RolloutStatus> {
    let mut seen = liveops_engine::rollout::regions::lookup::rows(cx).await?;
    if let Some(name) = service {
        let name = &choose(cx, Some(name))?.name;
        seen.rollouts.retain(|row| row.service == *name);
        seen.unseen.retain(|row| row.service == *name);
    }
    RolloutStatus::new(cx, seen)
}
