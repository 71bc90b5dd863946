//! `liveops rollout plan`: what a rollout would do, what it needs, and what speaks against it. Changes nothing.

use clap::Args;
use serde::Serialize;

use crate::commands::rollout::args::{RegionArgs, WhatArgs};
use crate::commands::rollout::regions as fleet;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::rollout::exposure::Percent;
use liveops_domain::rollout::plan::Rules;
use liveops_domain::rollout::schedule;
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::duration::human;
use liveops_domain::text::shell::word;
use liveops_engine::rollout::preflight::{GateRow, GateState};
use liveops_engine::rollout::prepare::{Prepared, prepare};
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
    if args.regions.is_given() {
        return fleet::plan::run(cx, args.what.into(), &args.regions).await;
    }
    let prepared = prepare(cx, args.what.into(), false).await?;
    let report = PlanReport::new(cx, &prepared)?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(if report.is_refused() { Exit::Bad } else { Exit::Good })
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
    ///
    /// # Errors
    /// The configuration.
    pub(super) fn new(cx: &Session, words: Option<String>) -> Result<Self> {
        Ok(Self {
            environment: cx.environment()?.to_owned(),
            begin: words.map(|words| Recommendation::new("begin", cx.command(&words))),
        })
    }

    /// The plan with what to type next.
    pub(super) fn blocks(&self, mut plan: Vec<Block>) -> Vec<Block> {
        let begin = self.begin.iter();
        plan.extend(begin.filter_map(|step| Some(Block::next(&step.text, step.command.clone()?))));
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
        let (plan, place) = (&prepared.plan, &prepared.place);
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
                    effective: place.target.effective(*step, Some(&prepared.originals)),
                    needs_per_second: schedule::traffic_needed(rules.min_samples, *step, rules.interval),
                    approval,
                }
            })
            .collect();
        let takes = rules.interval.as_secs_f64() * steps.len() as f64;
        let service = &place.name;
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
            place: place.target.place(),
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

    /// Does a gate refuse?
    pub(super) fn is_refused(&self) -> bool {
        is_refused(&self.gates)
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

    /// The plan without what to type next.
    pub(super) fn preview(&self, view: &View) -> Vec<Block> {
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
            "each for {} at least, {} samples of the canary; {} to all of the traffic, then {} to go back at once",
            human(self.rules.interval),
            self.min_samples,
            human(std::time::Duration::from_secs_f64(self.takes_s)),
            human(self.rules.window)
        )));
        for (lead, texts) in [("goes on while", &self.success), ("goes back if", &self.rollback)] {
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
    const SCHEMA: &'static str = "liveops.rollout.plan/1";

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
