//! `liveops rollout status`: where each rollout stands, who watches it, what cannot be seen, and what to type next.

use std::time::Duration;

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::commands::rollout::args::WhichArgs;
use crate::commands::rollout::regions::report::blocks as report_of_regions;
use crate::commands::rollout::report;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use crate::watch::Look;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::overview::RolloutOverview;
use liveops_domain::rollout::plan::FLAG;
use liveops_domain::rollout::regional::group;
use liveops_domain::rollout::row::{RolloutRow, UnseenRow};
use liveops_domain::rollout::state::Phase;
use liveops_domain::status::source::{Outcome, Recommendation, Verdict};
use liveops_domain::text::duration;
use liveops_engine::rollout::overview::rows;
use liveops_engine::rollout::ramp::ramp;
use liveops_engine::rollout::resolve::{choose, words};
use liveops_engine::rollout::steering::Scope;

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
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse_interval)]
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
    let mut overview = rows(cx).await?;
    if let Some(name) = service {
        let name = &choose(cx, Some(name))?.name;
        overview.rollouts.retain(|row| row.service == *name);
        overview.unseen.retain(|row| row.service == *name);
    }
    RolloutStatus::new(cx, overview)
}

/// The end of a rollout: where it stands in one place, or in every region, with the exit code that belongs to it.
pub(crate) async fn show_end(cx: &Context, scope: &Scope<'_>) -> Result<Exit> {
    let subject = match scope {
        Scope::One(subject) => subject,
        Scope::Regions(regional) => return show_regions(cx, &regional.service).await,
    };
    let Some(stored) = subject.store.load().await? else {
        return Err(Error::internal("it has left no state"));
    };
    let holder = subject.store.holder().await.unwrap_or_default();
    let row = RolloutRow::new(&stored.rollout, holder.as_ref());
    let phase = row.phase;
    let report = RolloutStatus::new(cx, RolloutOverview { rollouts: vec![row], ..RolloutOverview::default() })?;
    match subject.target.kind() {
        FLAG => cx.output.show_line(&RampStatus(report), cx.clock.now())?,
        _ => cx.output.show_line(&report, cx.clock.now())?,
    }
    Ok(if phase.is_back() { Exit::Bad } else { Exit::Good })
}

/// Where every region stands, with the exit code of all.
pub(super) async fn show_regions(cx: &Context, service: &str) -> Result<Exit> {
    let mut overview = rows(cx).await?;
    overview.rollouts.retain(|row| row.service == service && row.region.is_some());
    overview.unseen.retain(|row| row.service == service);
    let report = RolloutStatus::new(cx, overview)?;
    cx.output.show_line(&report, cx.clock.now())?;
    Ok(report.exit())
}

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
    pub(crate) fn new(cx: &Context, seen: RolloutOverview) -> Result<Self> {
        let RolloutOverview { rollouts, unseen } = seen;
        let apart = cx.region.is_some();
        let mut next: Vec<Recommendation> = Vec::new();
        for step in rollouts.iter().flat_map(|row| steps(cx, row)) {
            // The regions of one rollout are steered by the same commands.
            if !next.iter().any(|known| known.command == step.command) {
                next.push(step);
            }
        }
        let (regional, _) = group(&rollouts, &unseen);
        for overview in regional.iter().filter(|overview| !apart && overview.is_left()) {
            let step = Recommendation::new(
                "go on with the regions that are left",
                cx.command(&words("", "resume", overview.title().0)),
            );
            if !next.iter().any(|known| known.command == step.command) {
                next.insert(0, step);
            }
        }
        Ok(Self { rollouts, unknown: unseen, environment: cx.environment()?.to_owned(), apart, next })
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
    fn schema(&self) -> &'static str {
        "liveops.rollout.status/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        let (regional, rest) = match self.apart {
            true => (Vec::new(), self.rollouts.iter().collect()),
            false => group(&self.rollouts, &self.unknown),
        };
        for overview in &regional {
            blocks.extend(report_of_regions(overview, view));
            blocks.push(Block::Blank);
        }
        for row in rest {
            blocks.extend(report::blocks(row, view));
            blocks.push(Block::Blank);
        }
        let told = |row: &UnseenRow| regional.iter().any(|overview| overview.tells(row));
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
            blocks.push(Block::next("next", step.command.clone().unwrap_or_default()));
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

/// The ramps of an environment.
#[derive(Debug)]
pub(crate) struct RampStatus(pub(crate) RolloutStatus);

impl Serialize for RampStatus {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let ramps: Vec<Value> = self.0.rollouts.iter().map(ramp).collect();
        json!({ "ramps": ramps }).serialize(to)
    }
}
