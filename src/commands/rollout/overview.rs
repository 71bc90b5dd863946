//! The rollouts of an environment as they are shown: where each stands, what cannot be seen, what to type next.

use serde::Serialize;

use crate::commands::rollout::regions::report::blocks as report_of_regions;
use crate::commands::rollout::report;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::Exit;
use liveops_domain::rollout::overview::Seen;
use liveops_domain::rollout::row::{RolloutRow, UnseenRow};
use liveops_domain::rollout::state::Phase;
use liveops_domain::status::source::{Outcome, Recommendation, Verdict};
use liveops_engine::rollout::resolve::words;

/// The rollouts of an environment.
#[derive(Debug, Serialize)]
pub(crate) struct RolloutStatus {
    pub(crate) rollouts: Vec<RolloutRow>,
    /// Where it could not be looked: nobody knows whether one is under way there.
    pub(super) unknown: Vec<UnseenRow>,
    #[serde(skip)]
    pub(crate) environment: String,
    /// It is about one region alone, or about a flag.
    #[serde(skip)]
    apart: bool,
    #[serde(skip)]
    pub(super) next: Vec<Recommendation>,
}

impl RolloutStatus {
    /// With what to type next.
    pub(crate) fn new(cx: &Context, seen: Seen) -> liveops_domain::error::Result<Self> {
        let Seen { rollouts, unseen } = seen;
        let apart = cx.region.is_some();
        let mut next: Vec<Recommendation> = Vec::new();
        for step in rollouts.iter().flat_map(|row| steps(cx, row)) {
            // The regions of one rollout are steered by the same commands.
            if !next.iter().any(|known| known.command == step.command) {
                next.push(step);
            }
        }
        let (wholes, _) = liveops_domain::rollout::whole::group(&rollouts, &unseen);
        for whole in wholes.iter().filter(|whole| !apart && whole.is_left()) {
            let step = Recommendation::new(
                "go on with the regions that are left",
                cx.command(&words("", "resume", whole.title().0)),
            );
            if !next.iter().any(|known| known.command == step.command) {
                next.insert(0, step);
            }
        }
        Ok(Self { rollouts, unknown: unseen, environment: cx.environment()?.to_owned(), apart, next })
    }

    /// Of one rollout.
    pub(super) fn one(cx: &Context, row: Option<RolloutRow>) -> liveops_domain::error::Result<Self> {
        let seen = Seen { rollouts: row.into_iter().collect(), ..Seen::default() };
        Self::new(cx, seen)
    }

    /// Was one rolled back, or is it going back? If none was: is there one that cannot be seen?
    pub(crate) fn exit(&self) -> Exit {
        match self.verdict() {
            Verdict::Fail => Exit::Bad,
            Verdict::Unknown => Exit::Unknown,
            Verdict::Warn | Verdict::Pass => Exit::Good,
        }
    }

    fn verdict(&self) -> Verdict {
        if self.rollouts.iter().any(|row| row.phase.is_back()) {
            Verdict::Fail
        } else if !self.unknown.is_empty() {
            Verdict::Unknown
        } else if self.rollouts.iter().any(RolloutRow::needs_somebody) {
            Verdict::Warn
        } else {
            Verdict::Pass
        }
    }
}

/// What can be done with it now.
fn steps(cx: &Context, row: &RolloutRow) -> Vec<Recommendation> {
    let name = &row.service;
    let step = |text: &str, verb: &str| Recommendation::new(text, cx.command(&words(&row.target, verb, name)));
    let mut steps = Vec::new();
    match row.phase {
        Phase::RolledBack => {
            steps.push(step("see every verdict", "history"));
        }
        Phase::RollbackFailed => {
            let abort = format!("{} --yes", words(&row.target, "abort", name));
            steps.push(Recommendation::new("try again", cx.command(&abort)));
        }
        Phase::Succeeded => match (&row.change, row.is_ramp()) {
            (Some(change), true) => {
                steps.push(Recommendation::new("go back to before the ramp", cx.command(&format!("undo {change}"))));
            }
            (None, true) => {}
            (_, false) => steps.push(step("go back to the old version", "undo")),
        },
        _ => {
            if row.phase == Phase::Gate {
                steps.push(step("agree to the step", "approve"));
            }
            if row.orphaned || row.held.is_some() {
                steps.push(step("go on", "resume"));
            } else if row.phase == Phase::Window {
                steps.push(step("end the window now", "promote"));
            } else if row.phase != Phase::RollingBack {
                steps.push(step("stop here", "pause"));
            }
            let abort = format!("{} --yes", words(&row.target, "abort", name));
            steps.push(Recommendation::new("go back now", cx.command(&abort)));
        }
    }
    steps
}

impl Report for RolloutStatus {
    const SCHEMA: &'static str = "liveops.rollout.status/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        let (wholes, rest) = match self.apart {
            true => (Vec::new(), self.rollouts.iter().collect()),
            false => liveops_domain::rollout::whole::group(&self.rollouts, &self.unknown),
        };
        for whole in &wholes {
            blocks.extend(report_of_regions(whole, view));
            blocks.push(Block::Blank);
        }
        for row in rest {
            blocks.extend(report::blocks(row, view));
            blocks.push(Block::Blank);
        }
        let told = |row: &UnseenRow| wholes.iter().any(|whole| whole.tells(row));
        for row in self.unknown.iter().filter(|row| !told(row)) {
            blocks.push(Block::Whole(vec![
                span(format!("{}  ", row.title()), Tone::Strong),
                span("unknown: ", Tone::Unknown),
                plain(row.why.clone()),
            ]));
        }
        // Where several are out of reach, it is mostly for one cause.
        if let Some(hint) = self.unknown.first().and_then(|row| row.hint.as_ref()) {
            blocks.push(Block::Whole(vec![span(hint.clone(), Tone::Dim)]));
            blocks.push(Block::Blank);
        }
        if self.rollouts.is_empty() && self.unknown.is_empty() {
            blocks.push(Block::text(format!("no rollout was ever begun in `{}`", self.environment)));
        }
        for step in &self.next {
            blocks.push(Block::next(&step.text, step.command.clone().unwrap_or_default()));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["service", "id", "image", "phase", "weight", "step", "held", "orphaned", "region"]);
        for row in &self.rollouts {
            let phase = serde_json::to_value(row.phase).ok();
            table.row(
                [
                    row.service.clone(),
                    row.id.clone(),
                    row.image.clone(),
                    phase.and_then(|phase| phase.as_str().map(ToOwned::to_owned)).unwrap_or_default(),
                    row.weight.to_string(),
                    (row.step + 1).to_string(),
                    row.held.as_ref().map(|held| held.text.clone()).unwrap_or_default(),
                    row.orphaned.to_string(),
                    row.region.clone().unwrap_or_default(),
                ]
                .into_iter()
                .map(plain)
                .collect(),
            );
        }
        for row in &self.unknown {
            let mut cells = vec![plain(""); 9];
            cells[0] = plain(row.service.clone());
            cells[3] = plain("unknown");
            cells[6] = plain(row.why.clone());
            cells[8] = plain(row.region.clone().unwrap_or_default());
            table.row(cells);
        }
        Some(table)
    }

    fn meta(&self) -> Meta {
        let outcome = match (self.unknown.is_empty(), self.rollouts.is_empty()) {
            (true, _) => Outcome::Success,
            (false, false) => Outcome::Partial,
            (false, true) => Outcome::Error,
        };
        Meta {
            environment: Some(self.environment.clone()),
            outcome,
            verdict: self.verdict(),
            recommendations: self.next.clone(),
            ..Meta::default()
        }
    }
}
