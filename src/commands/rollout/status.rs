//! `liveops rollout status`: where each rollout stands, who watches it, and what its conditions came to.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;

use crate::commands::rollout::fleet;
use crate::commands::rollout::memories;
use crate::commands::rollout::open::{WhichArgs, candidates, choose};
use crate::commands::rollout::report::{RolloutRow, RolloutStatus};
use crate::context::Context;
use crate::domain::duration;
use crate::error::{Exit, Result};
use crate::output::format::Format;
use crate::output::report::Report;
use crate::output::screen::Screen;

/// Show where rollouts stand
///
/// Exit code 1 when the last one was rolled back, or is going back.
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
pub(super) async fn watch<R: Report>(
    cx: &Context,
    interval: Duration,
    look: impl AsyncFn() -> Result<R>,
    exit: impl Fn(&R) -> Exit,
) -> Result<Exit> {
    let screen = if cx.output.format() == Format::Table {
        Some(Screen::enter(&cx.output)?)
    } else {
        None
    };
    loop {
        cx.http()?.restart();
        let report = look().await?;
        let now = cx.clock.now();
        match &screen {
            Some(screen) => {
                let view = cx.output.view(now);
                screen.draw(&report.blocks(&view), &view)?;
            }
            None => cx.output.show_line(&report, now)?,
        }
        if cx.output.is_closed() {
            return Ok(exit(&report));
        }
        tokio::time::sleep(interval).await;
    }
}

impl RolloutStatus {
    /// Was one rolled back, or is it going back?
    pub(super) fn exit(&self) -> Exit {
        let bad = |row: &RolloutRow| row.phase.is_back();
        match self.rollouts.iter().any(bad) {
            true => Exit::Bad,
            false => Exit::Good,
        }
    }
}

async fn look(cx: &Context, service: Option<&str>) -> Result<RolloutStatus> {
    let (rows, warnings) = match service {
        Some(name) if cx.region.is_some() || cx.config()?.settings.regions.is_empty() => {
            let memory = memories::open(cx, choose(cx, Some(name))?)?;
            let (stored, holder) = tokio::join!(memory.load(), memory.holder());
            let holder = holder?;
            let row = stored?.map(|stored| RolloutRow::new(&stored.rollout, holder.as_ref()));
            (row.into_iter().collect(), Vec::new())
        }
        Some(name) => {
            let name = &choose(cx, Some(name))?.name;
            let (mut rows, warnings) = fleet::rows(cx).await?;
            rows.retain(|row| row.service == *name);
            (rows, warnings)
        }
        None => fleet::rows(cx).await?,
    };
    RolloutStatus::new(cx, rows, warnings)
}

/// The latest rollout of each service, in every region, and what kept us from knowing one.
///
/// # Errors
/// The configuration.
pub(crate) async fn rows(cx: &Context) -> Result<(Vec<RolloutRow>, Vec<String>)> {
    fleet::rows(cx).await
}

/// The latest rollout of each service here, regions apart.
///
/// # Errors
/// The configuration.
pub(super) async fn rows_here(cx: &Context) -> Result<(Vec<RolloutRow>, Vec<String>)> {
    let looks = candidates(cx)?.into_iter().map(|service| async move {
        let memory = memories::open(cx, service)?;
        let (stored, holder) = tokio::join!(memory.load(), memory.holder());
        let holder = holder.unwrap_or_default();
        Ok(stored?.map(|stored| RolloutRow::new(&stored.rollout, holder.as_ref())))
    });
    let mut rows = Vec::new();
    let mut warnings = Vec::new();
    let found: Vec<Result<Option<RolloutRow>>> = join_all(looks).await;
    for found in found {
        match found {
            Ok(row) => rows.extend(row),
            Err(error) => warnings.push(format!("a rollout cannot be seen: {error}")),
        }
    }
    Ok((rows, warnings))
}
