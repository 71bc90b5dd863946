//! `rollout plan --regions`: every region's plan side by side. Changes nothing.

use liveops_engine::session::Session;
use serde::Serialize;

use crate::commands::rollout::args::RegionArgs;
use crate::commands::rollout::plan::{Closing, PlanReport};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::fleet::OnRegionFailure;
use liveops_domain::text::shell::word;
use liveops_engine::rollout::prepare::{Prepared, Request};
use liveops_engine::rollout::regions::{contexts, prepare_all};
use liveops_engine::rollout::resolve::choose;

pub(crate) async fn run(cx: &Context, mut what: Request, regions: &RegionArgs) -> Result<Exit> {
    let waves = regions.waves(cx)?;
    what.service = Some(choose(cx, what.service.as_deref())?.name.clone());
    let contexts = contexts(cx, &regions.regions);
    let prepared = prepare_all(&contexts, &what, false).await?;
    let report = FleetPlan::new(cx, &waves, &contexts, &prepared)?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(if report.is_refused() { Exit::Bad } else { Exit::Good })
}

/// One region's part.
#[derive(Debug, Serialize)]
struct RegionRow {
    region: String,
    /// From 1.
    wave: usize,
    plan: PlanReport,
}

/// What would be done.
#[derive(Debug, Serialize)]
pub(crate) struct FleetPlan {
    service: String,
    image: String,
    on_region_failure: OnRegionFailure,
    regions: Vec<RegionRow>,
    #[serde(skip)]
    closing: Closing,
}

impl FleetPlan {
    /// Of what was prepared in each region.
    pub(crate) fn new(
        cx: &Context,
        waves: &[Vec<String>],
        contexts: &[Session],
        prepared: &[Prepared<'_>],
    ) -> Result<Self> {
        let Some(first) = prepared.first() else {
            return Err(Error::internal("a rollout over no region"));
        };
        let mut regions = Vec::new();
        for (cx, prepared) in contexts.iter().zip(prepared) {
            let region = cx.region.clone().unwrap_or_default();
            let wave = waves.iter().position(|wave| wave.contains(&region));
            regions.push(RegionRow { wave: wave.unwrap_or(0) + 1, region, plan: PlanReport::new(cx, prepared)? });
        }
        let refused = regions.iter().any(|row| row.plan.is_refused());
        let words = (!refused).then(|| {
            let names: Vec<&str> = regions.iter().map(|row| row.region.as_str()).collect();
            let sizes: Vec<String> = waves.iter().map(|wave| wave.len().to_string()).collect();
            format!(
                "rollout canary {} --image {} --policy {} --regions {} --wave {}{}",
                word(&first.place.name),
                word(&first.plan.image),
                word(&first.plan.policy),
                names.join(","),
                sizes.join(","),
                first.again
            )
        });
        Ok(Self {
            service: first.place.name.clone(),
            image: first.plan.image.clone(),
            on_region_failure: first.plan.rules.on_region_failure,
            regions,
            closing: Closing::new(cx, words)?,
        })
    }

    /// Does a gate refuse anywhere?
    pub(crate) fn is_refused(&self) -> bool {
        self.regions.iter().any(|row| row.plan.is_refused())
    }

    /// The plan without what to type next.
    pub(crate) fn preview(&self, view: &View) -> Vec<Block> {
        let mut table =
            Table::new(["WAVE", "REGION", "FROM", "SHARES", "NEEDS", "GATES"]).right(&[0]).fixed(&[0, 1, 4, 5]);
        for row in &self.regions {
            let (word, tone) = if row.plan.is_refused() { ("refused", Tone::Bad) } else { ("pass", Tone::Good) };
            let shares: Vec<String> = row.plan.shares().iter().map(ToString::to_string).collect();
            let needs =
                row.plan.needs().map_or_else(String::new, |(rate, share)| format!("{rate:.1} req/s at {share}"));
            table.row(vec![
                plain(row.wave.to_string()),
                plain(row.region.clone()),
                plain(row.plan.from().unwrap_or("-").to_owned()),
                plain(shares.join(" ")),
                plain(needs),
                span(word, tone),
            ]);
        }
        let back = match self.on_region_failure {
            OnRegionFailure::Region => "goes back alone",
            OnRegionFailure::Wave => "takes its wave back",
            OnRegionFailure::All => "takes every region back",
        };
        let mut blocks = vec![
            Block::Table(table),
            Block::Whole(vec![span(
                format!(
                    "a wave begins when all of the one before are promoted; a bad region stops the rest, and {back}"
                ),
                Tone::Dim,
            )]),
            Block::Blank,
        ];
        // The regions' plans differ in little: the first one in full, then what is other elsewhere.
        for (index, row) in self.regions.iter().enumerate() {
            let first = self.regions.first().map(|first| first.plan.shares());
            let other = first.is_none_or(|first| first != row.plan.shares());
            if index == 0 || row.plan.is_refused() || other {
                blocks.push(Block::heading(format!("in {}", row.region)));
                blocks.extend(row.plan.preview(view));
            }
        }
        blocks
    }
}

impl Report for FleetPlan {
    const SCHEMA: &'static str = "liveops.rollout.regions/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        self.closing.blocks(self.preview(view))
    }

    fn meta(&self) -> Meta {
        self.closing.meta()
    }
}
