//! `liveops flag ramp status`: where each ramp stands, who watches it, and what its guards came to.

use std::time::Duration;

use clap::Args;

use crate::commands::rollout::status::{RampStatus, RolloutStatus, watch};
use crate::context::Context;
use crate::output::block::{Block, Table};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::name::FlagName;
use liveops_domain::rollout::overview::RolloutOverview;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::text::duration;
use liveops_engine::rollout::ramp::ramps;
use liveops_engine::rollout::state_store::open;

/// Show where ramps of flags stand
///
/// Exit code 1 when the last one was rolled back, or is rolling back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp status
  liveops flag ramp status new_matchmaking --watch
  liveops flag ramp status -o json")]
pub(crate) struct StatusArgs {
    /// The flag [default: all that have, or had, a ramp]
    #[arg(value_name = "NAME", value_parser = crate::commands::flag::name)]
    name: Option<FlagName>,

    /// Look again and again
    #[arg(long)]
    watch: bool,

    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse_interval)]
    interval: Duration,
}

pub(crate) async fn run(args: StatusArgs, cx: &Context) -> Result<Exit> {
    let look = async || look(cx, args.name.as_ref()).await.map(RampStatus);
    if args.watch {
        return watch(cx, args.interval, look, |report| report.0.exit()).await;
    }
    let report = look().await?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(report.0.exit())
}

async fn look(cx: &Context, name: Option<&FlagName>) -> Result<RolloutStatus> {
    let rows = match name {
        Some(name) => {
            let store = open::of_flag(cx, name)?;
            let (stored, holder) = tokio::join!(store.load(), store.holder());
            let holder = holder?;
            let row = stored?.map(|stored| RolloutRow::new(&stored.rollout, holder.as_ref()));
            row.into_iter().collect()
        }
        None => ramps(cx).await?,
    };
    RolloutStatus::new(cx, RolloutOverview { rollouts: rows, ..RolloutOverview::default() })
}

impl Report for RampStatus {
    fn schema(&self) -> &'static str {
        "liveops.flag.ramp.status/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        if self.0.rollouts.is_empty() {
            return vec![Block::text(format!("no ramp of a flag was ever begun in `{}`", self.0.environment))];
        }
        self.0.blocks(view)
    }

    fn rows(&self, view: &View) -> Option<Table> {
        self.0.rows(view)
    }

    fn meta(&self) -> Meta {
        self.0.meta()
    }
}
