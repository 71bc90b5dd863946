//! `liveops rollout plan`: what a rollout would do, here or in several regions side by side, what it needs, and what speaks against it. Changes nothing.

use clap::Args;
use serde::Serialize;

use crate::commands::rollout::args::{RegionArgs, WhatArgs};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::exposure::Percent;
use liveops_domain::rollout::fleet::OnRegionFailure;
use liveops_domain::rollout::plan::Rules;
use liveops_domain::rollout::schedule;
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::duration::human;
use liveops_domain::text::shell::word;
use liveops_engine::rollout::preflight::{GateRow, GateState};
use liveops_engine::rollout::prepare::{Prepared, RolloutSpec, prepare};
use liveops_engine::rollout::regions::{contexts, prepare_all};
use liveops_engine::rollout::resolve::choose;
use liveops_engine::session::Session;

/// Show the steps, the traffic that each needs, and the preflight gates
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout plan --image game:2.1
  liveops rollout plan game-backend --image game:2.1 --steps 1,5,25
  liveops rollout plan --image game:2.1 --regions eu,us,asia --wave 1,2")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    what: WhatArgs,

    #[command(flatten)]
    regions: RegionArgs,
}

pub(super) async fn run(args: PlanArgs, cx: &Context) -> Result<Exit> {
    let mut spec: RolloutSpec = args.what.into();
    if !args.regions.is_given() {
        let prepared = prepare(cx, spec, false).await?;
        return show(cx, &PlanReport::new(cx, &prepared)?);
    }
    let waves = args.regions.waves(cx)?;
    spec.service = Some(choose(cx, spec.service.as_deref())?.name.clone());
    let contexts = contexts(cx, &args.regions.regions);
    let prepared = prepare_all(&contexts, &spec, false).await?;
    show(cx, &FleetPlan::new(cx, &waves, &contexts, &prepared)?)
}

fn show(cx: &Context, plan: &impl RolloutPlan) -> Result<Exit> {
    cx.output.show(plan, cx.clock.now())?;
    Ok(if plan.is_refused() { Exit::Bad } else { Exit::Good })
}

/// What would be done, here or in several regions.
pub(super) trait RolloutPlan: Report {
    /// Does a gate refuse anywhere?
    fn is_refused(&self) -> bool;

    /// The plan without what to type next.
    fn preview(&self, view: &View) -> Vec<Block>;
}

#[derive(Debug, Clone, Serialize)]
struct StepRow {
    percent: Percent,
    /// After rounding to what the target can do.
    effective: Percent,
    /// Requests a second, in all, that this step needs for its evidence.
    needs_per_second: f64,
    approval: bool,
}

/// What would be done.
#[derive(Debug, Serialize)]
pub(crate) struct PlanReport {
    service: String,
    image: String,
    from: Option<String>,
    policy: String,
    target: String,
    place: String,
    steps: Vec<StepRow>,
    /// Shares that were asked for, and come to no more than the step before.
    merged: Vec<Percent>,
    interval_s: f64,
    /// At the least, to everything.
    takes_s: f64,
    window_s: f64,
    min_samples: u64,
    success: Vec<String>,
    rollback: Vec<String>,
    gates: Vec<GateRow>,
    #[serde(skip)]
    rules: Rules,
    #[serde(skip)]
    closing: Closing,
}

/// How a plan ends: by the command that begins it, unless it is refused.
#[derive(Debug)]
pub(crate) struct Closing {
    environment: String,
    begin: Option<Recommendation>,
}

impl Closing {
    /// Of a plan that nothing refuses, with the words that begin it; or of one that is refused.
    pub(super) fn new(cx: &Session, words: Option<String>) -> Result<Self> {
        Ok(Self {
            environment: cx.environment()?.to_owned(),
            begin: words.map(|words| Recommendation::new("begin", cx.command(&words))),
        })
    }

    /// The plan with what to type next.
    pub(super) fn blocks(&self, mut plan: Vec<Block>) -> Vec<Block> {
        let begin = self.begin.iter();
        plan.extend(begin.filter_map(|step| Some(Block::next("next", step.command.clone()?))));
        plan
    }

    /// What its envelope says.
    pub(super) fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.environment.clone()),
            verdict: match self.begin {
                Some(_) => Verdict::Pass,
                None => Verdict::Fail,
            },
            recommendations: self.begin.iter().cloned().collect(),
            ..Meta::default()
        }
    }
}

impl PlanReport {
    pub(super) fn new(cx: &Session, prepared: &Prepared<'_>) -> Result<Self> {
        let (plan, subject) = (&prepared.plan, &prepared.subject);
        let rules = &plan.rules;
        let mut below = Percent::ZERO;
        let steps: Vec<StepRow> = rules
            .steps
            .iter()
            .map(|step| {
                let approval = rules.approval.as_ref().is_some_and(|rule| {
                    rule.before
                        .iter()
                        .any(|share| *step >= *share && (below < *share || share.is_zero() && below.is_zero()))
                });
                below = *step;
                StepRow {
                    percent: *step,
                    effective: subject.target.effective(*step, Some(&prepared.originals)),
                    needs_per_second: schedule::traffic_needed(rules.min_samples, *step, rules.interval),
                    approval,
                }
            })
            .collect();
        let takes = rules.interval.as_secs_f64() * steps.len() as f64;
        let service = &subject.name;
        let words = (!is_refused(&prepared.gates)).then(|| {
            format!(
                "rollout canary {} --image {} --policy {}{}",
                word(service),
                word(&plan.image),
                word(&plan.policy),
                prepared.again
            )
        });
        let closing = Closing::new(cx, words)?;
        Ok(Self {
            service: service.clone(),
            image: plan.image.clone(),
            from: prepared.originals.stable_image.clone(),
            policy: plan.policy.clone(),
            target: plan.target.clone(),
            place: subject.target.location(),
            steps,
            merged: prepared.merged.clone(),
            interval_s: rules.interval.as_secs_f64(),
            takes_s: takes,
            window_s: rules.window.as_secs_f64(),
            min_samples: rules.min_samples,
            success: rules.success.clone(),
            rollback: rules.rollback.clone(),
            gates: prepared.gates.clone(),
            rules: rules.clone(),
            closing,
        })
    }

    /// What runs now.
    pub(super) fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// The shares of its steps, as they will be.
    pub(super) fn shares(&self) -> Vec<Percent> {
        self.steps.iter().map(|step| step.effective).collect()
    }

    /// The first step, which needs the most traffic for its evidence: requests a second in all, and its share.
    pub(super) fn needs(&self) -> Option<(f64, Percent)> {
        let first = self.steps.first()?;
        Some((first.needs_per_second, first.percent))
    }
}

impl RolloutPlan for PlanReport {
    fn is_refused(&self) -> bool {
        is_refused(&self.gates)
    }

    fn preview(&self, view: &View) -> Vec<Block> {
        let dim = |text: String| Block::Whole(vec![span(text, Tone::Dim)]);
        let from = self.from.as_deref().map_or_else(String::new, |from| format!("{from} to "));
        let mut blocks = vec![
            Block::Whole(vec![
                span(format!("{}: ", self.service), Tone::Strong),
                plain(format!("{from}{}", self.image)),
                span(format!("  by policy {}, {} at {}", self.policy, self.target, self.place), Tone::Dim),
            ]),
            Block::Blank,
        ];
        let mut table = Table::new(["STEP", "SHARE", "REAL", "NEEDS", ""]).right(&[0, 1, 2, 3]).fixed(&[0, 1, 2, 3]);
        for (index, step) in self.steps.iter().enumerate() {
            let off = !step.percent.is_about(step.effective);
            table.row(vec![
                plain((index + 1).to_string()),
                plain(step.percent.to_string()),
                span(step.effective.to_string(), if off { Tone::Warn } else { Tone::Plain }),
                plain(format!("{:.1} req/s", step.needs_per_second)),
                span(if step.approval { "after approval" } else { "" }, Tone::Warn),
            ]);
        }
        blocks.push(Block::Table(table));
        if !self.merged.is_empty() {
            let merged: Vec<String> = self.merged.iter().map(ToString::to_string).collect();
            blocks.push(Block::Whole(vec![
                span("left out: ", Tone::Warn),
                plain(format!(
                    "{} would be no more than the step before; shares here are those of whole instances, at most as many as stable has",
                    merged.join(", ")
                )),
            ]));
        }
        blocks.push(dim(format!(
            "each for {} at least, {} samples of the canary; {} to all of the traffic, then {} in which it can be rolled back at once",
            human(self.rules.interval),
            self.min_samples,
            human(std::time::Duration::from_secs_f64(self.takes_s)),
            human(self.rules.window)
        )));
        for (lead, texts) in [("goes on while", &self.success), ("rolls back if", &self.rollback)] {
            if !texts.is_empty() {
                blocks.push(Block::Whole(vec![span(format!("{lead}: "), Tone::Dim), plain(texts.join(", "))]));
            }
        }
        if !self.gates.is_empty() {
            blocks.push(Block::Blank);
        }
        for row in &self.gates {
            let (mark, tone) = match row.state {
                GateState::Pass => (view.pick("✓", "ok"), Tone::Good),
                GateState::Refused => (view.pick("✗", "NO"), Tone::Bad),
                GateState::Waived | GateState::Warning => ("!", Tone::Warn),
            };
            blocks.push(Block::Whole(vec![
                span(format!("{mark} {}: ", row.gate), tone),
                plain(row.text.clone()),
                span(row.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})")), Tone::Dim),
            ]));
        }
        if self.is_refused() {
            blocks.push(Block::Whole(vec![
                span("refused. ", Tone::Bad),
                plain("Satisfy the gates, or pass one over: --waive GATE --reason TEXT"),
            ]));
        }
        blocks.push(Block::Blank);
        blocks
    }
}

impl Report for PlanReport {
    fn schema(&self) -> &'static str {
        "liveops.rollout.plan/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        self.closing.blocks(self.preview(view))
    }

    fn meta(&self) -> Meta {
        self.closing.meta()
    }
}

fn is_refused(gates: &[GateRow]) -> bool {
    gates.iter().any(|row| row.state == GateState::Refused)
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
pub(super) struct FleetPlan {
    service: String,
    image: String,
    on_region_failure: OnRegionFailure,
    regions: Vec<RegionRow>,
    #[serde(skip)]
    closing: Closing,
}

impl FleetPlan {
    /// Of what was prepared in each region.
    pub(super) fn new(
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
                word(&first.subject.name),
                word(&first.plan.image),
                word(&first.plan.policy),
                names.join(","),
                sizes.join(","),
                first.again
            )
        });
        Ok(Self {
            service: first.subject.name.clone(),
            image: first.plan.image.clone(),
            on_region_failure: first.plan.rules.on_region_failure,
            regions,
            closing: Closing::new(cx, words)?,
        })
    }
}

impl RolloutPlan for FleetPlan {
    fn is_refused(&self) -> bool {
        self.regions.iter().any(|row| row.plan.is_refused())
    }

    fn preview(&self, view: &View) -> Vec<Block> {
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
            OnRegionFailure::Region => "rolls back alone",
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
    fn schema(&self) -> &'static str {
        "liveops.rollout.regions/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        self.closing.blocks(self.preview(view))
    }

    fn meta(&self) -> Meta {
        self.closing.meta()
    }
}
