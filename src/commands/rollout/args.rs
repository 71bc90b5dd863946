//! The options that several verbs of `rollout` share.

use clap::Args;

use crate::context::Context;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::fleet::waves;
use liveops_domain::text::said;
use liveops_engine::rollout::launch::Stay;
use liveops_engine::rollout::prepare::RolloutSpec;
use liveops_engine::rollout::runner::Until;

/// What is rolled out, and how; shared by `plan` and `canary`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhatArgs {
    /// Service [default: the one that has a `rollout` section]
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<String>,

    /// New version, such as registry.example/game:2.1
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,

    /// Policy of the configuration [default: that of the service]
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,

    /// Shares of the traffic, rising, instead of the policy's
    #[arg(long, value_name = "1,5,25,100")]
    pub(crate) steps: Option<String>,

    /// Take the nearest shares that whole instances can give, however far from those that were asked for
    #[arg(long)]
    pub(crate) allow_coarse: bool,

    /// Pass a preflight gate over; may be repeated
    #[arg(long, value_name = "GATE", requires = "reason")]
    pub(crate) waive: Vec<String>,

    /// Why; it is journalled
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: Option<String>,
}

impl From<WhatArgs> for RolloutSpec {
    fn from(args: WhatArgs) -> Self {
        let WhatArgs { service, image, policy, steps, allow_coarse, waive, reason } = args;
        Self { service, image, policy, steps, allow_coarse, waive, reason }
    }
}

/// How long to stay.
#[derive(Debug, Clone, Args)]
pub(crate) struct StayArgs {
    /// Stay until this: a hold or gate that waits for a person, the promotion, or the end of the window
    #[arg(long, value_enum, default_value_t = UntilArg::Finished, hide_possible_values = true, value_name = "paused|promoted|finished")]
    until: UntilArg,

    /// Only begin, and leave it to `rollout resume` (or to the cluster's own controller)
    #[arg(long)]
    detach: bool,

    /// Take it from a holder that hangs
    #[arg(long)]
    takeover: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum UntilArg {
    Paused,
    Promoted,
    Finished,
}

impl StayArgs {
    pub(crate) fn stay(&self) -> Stay {
        let until = match self.until {
            _ if self.detach => Until::Begun,
            UntilArg::Paused => Until::Paused,
            UntilArg::Promoted => Until::Promoted,
            UntilArg::Finished => Until::Finished,
        };
        Stay { until, takeover: self.takeover }
    }
}

/// Over which regions.
#[derive(Debug, Clone, Args)]
pub(crate) struct RegionArgs {
    /// Regions of the environment, in this order, each on its own evidence; a bad one stops the rest
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    pub(crate) regions: Vec<String>,

    /// Regions at once: so many first, so many then; the last number holds for the rest [default: 1]
    #[arg(long, value_name = "1,2", value_delimiter = ',', requires = "regions")]
    wave: Vec<usize>,
}

impl RegionArgs {
    /// Were any named?
    pub(crate) fn is_given(&self) -> bool {
        !self.regions.is_empty()
    }

    /// The waves of the regions that were named.
    pub(crate) fn waves(&self, cx: &Context) -> Result<Vec<Vec<String>>> {
        for (index, region) in self.regions.iter().enumerate() {
            cx.region(region)?;
            if self.regions[..index].contains(region) {
                return Err(Error::usage(
                    format!("region `{region}` is named twice"),
                    "name each region once, in the order of the rollout",
                ));
            }
        }
        waves(&self.regions, &self.wave)
            .map_err(|message| Error::usage(message, "write how many regions go at once, such as `--wave 1,2`"))
    }
}

/// What begins, over which regions, and for how long to stay; shared by `canary` and `bluegreen`.
#[derive(Debug, Args)]
pub(super) struct BeginArgs {
    #[command(flatten)]
    pub(super) what: WhatArgs,

    #[command(flatten)]
    pub(super) regions: RegionArgs,

    #[command(flatten)]
    pub(super) stay: StayArgs,
}

/// Which rollout is meant.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Service [default: the one that has a `rollout` section]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,

    /// In this region alone, of a rollout over several
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
}

impl WhichArgs {
    /// The service, where it was said.
    pub(crate) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }
}
