//! `liveops rollout history` and `flag ramp history`: the rollouts that were begun from here, and what one of them went
//! through: every transition, and every verdict with its numbers and queries.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use crate::commands::rollout::args::WhichArgs;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::guard::verdict::{Outcome, Verdict};
use liveops_domain::metric::quantity::Unit;
use liveops_domain::rollout::plan::FLAG;
use liveops_domain::rollout::row::{outcome_word, role_prefix, share};
use liveops_domain::rollout::state::{Phase, Rollout, Transition};
use liveops_engine::rollout::history::{History, HistoryRow, HistorySubject, InRegion, SHORTEST, history};
use liveops_engine::rollout::regions::lookup::find;
use liveops_engine::rollout::resolve::{candidates, choose, words};
use liveops_engine::rollout::state_store::{StateStore, open as stores};

/// Show past rollouts, and why one of them went as it did
///
/// Each verdict is kept with its value, count, bound, threshold and the queries that were asked. Without an id they are
/// those of the latest rollout.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout history
  liveops rollout history game-backend c1a2b3c4d
  liveops rollout history game-backend -o json | jq '.data.verdicts[].queries'")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// One of them, by the id of its change or its own; a beginning is enough
    #[arg(value_name = "ID")]
    id: Option<String>,
}

pub(super) async fn run(args: &HistoryArgs, cx: &Context) -> Result<Exit> {
    let known = |name: &str| -> Result<bool> { Ok(candidates(cx)?.iter().any(|service| service.name == name)) };
    // Where there is one service, its name can be left out.
    let (service, id) = match (args.which.service(), args.id.as_deref()) {
        (Some(id), None) if is_id(id) && !known(id)? => (choose(cx, None)?, Some(id)),
        (service, id) => (choose(cx, service)?, id),
    };
    let subject = HistorySubject { name: &service.name, is_flag: false };
    let mut warnings = Vec::new();
    let latest = match find(cx, Some(&service.name)).await {
        // What is known here can be told all the same.
        Err(error @ Error::At { .. }) => {
            warnings.push(format!("the latest state cannot be read: {error}"));
            Vec::new()
        }
        Err(error) => return Err(error),
        Ok(Some(found)) => {
            warnings.extend(found.unseen.iter().map(|(region, error)| format!("{region}: {error}")));
            found.rollouts.into_values().collect()
        }
        Ok(None) => {
            let store = stores::open(cx, service)?;
            latest(store.as_ref(), &mut warnings).await
        }
    };
    let report = RolloutHistory::new(cx, &subject, latest, id, warnings)?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// Does it look like the id of a change or a rollout?
fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix(['c', 'r']).unwrap_or_default();
    text.len() >= SHORTEST && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit())
}

/// What is remembered of the latest one.
pub(crate) async fn latest(store: &dyn StateStore, warnings: &mut Vec<String>) -> Vec<Rollout> {
    match store.load().await {
        Ok(stored) => stored.map(|stored| stored.rollout).into_iter().collect(),
        Err(error) => {
            warnings.push(format!("the latest state cannot be read: {error}"));
            Vec::new()
        }
    }
}

/// Columns from which on six columns of text fit beside each other.
const WIDE: usize = 120;

/// What `history` shows.
#[derive(Debug, Serialize)]
pub(crate) struct RolloutHistory {
    #[serde(flatten)]
    history: History,
    #[serde(skip)]
    noun: &'static str,
    /// One was asked for.
    #[serde(skip)]
    one: bool,
    /// What was typed, but for the id.
    #[serde(skip)]
    command: String,
    #[serde(skip)]
    environment: String,
    #[serde(skip)]
    warnings: Vec<String>,
}

impl RolloutHistory {
    /// Of a service or flag, and of the rollout with this id, where one is given.
    pub(crate) fn new(
        cx: &Context,
        subject: &HistorySubject<'_>,
        latest: Vec<Rollout>,
        id: Option<&str>,
        mut warnings: Vec<String>,
    ) -> Result<Self> {
        let history = history(cx, subject, latest, id, &mut warnings)?;
        let (target, noun) = if subject.is_flag { (FLAG, "ramp") } else { ("", "rollout") };
        let command = cx.command(&words(target, "history", subject.name));
        let environment = cx.environment()?.to_owned();
        Ok(Self { history, noun, one: id.is_some(), command, environment, warnings })
    }
}

impl Report for RolloutHistory {
    fn schema(&self) -> &'static str {
        "liveops.rollout.history/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        if self.history.rollouts.is_empty() && self.history.transitions.is_empty() {
            return vec![Block::text(format!("no {} of {} is known here", self.noun, self.history.service))];
        }
        let mut blocks = if view.width < WIDE { self.entries(view) } else { vec![Block::Table(self.table(view))] };
        if self.one && !self.history.transitions.is_empty() {
            blocks.push(Block::Blank);
            blocks.push(Block::heading("what happened"));
            blocks.extend(self.history.transitions.iter().map(transition_line));
        }
        if !self.history.verdicts.is_empty() {
            blocks.push(Block::Blank);
            let heading = match self.one {
                true => "verdicts",
                false => "verdicts of the latest one",
            };
            blocks.push(Block::heading(heading));
            blocks.extend(self.history.verdicts.iter().map(came_to));
        }
        blocks.push(Block::Blank);
        blocks.extend(self.next());
        blocks
    }

    fn rows(&self, view: &View) -> Option<Table> {
        Some(self.table(view))
    }

    fn meta(&self) -> Meta {
        Meta { environment: Some(self.environment.clone()), warnings: self.warnings.clone(), ..Meta::default() }
    }
}

/// The line of a transition.
fn transition_line(row: &InRegion<Transition>) -> Block {
    let Transition { at, weight, text, .. } = &row.what;
    Block::Whole(vec![span(when(*at, row.region.as_deref(), &weight.to_string()), Tone::Dim), plain(text.clone())])
}

/// The line of a verdict.
fn came_to(row: &InRegion<Verdict>) -> Block {
    let verdict = &row.what;
    let unit = Unit::from_name(&verdict.unit);
    let tone = match verdict.outcome {
        Outcome::Pass => Tone::Good,
        Outcome::Fail => Tone::Bad,
        Outcome::NoEvidence | Outcome::Error => Tone::Unknown,
    };
    let value = verdict.value.map_or_else(String::new, |value| format!("{} ", unit.show(value)));
    let weight = share(verdict.weight);
    Block::Whole(vec![
        span(when(verdict.at, row.region.as_deref(), &weight), Tone::Dim),
        plain(format!("{}{}  ", role_prefix(verdict), verdict.condition)),
        span(format!("{} ", outcome_word(verdict)), tone),
        span(format!("{value}{}", verdict.reason), Tone::Dim),
    ])
}

fn when(at: DateTime<Utc>, region: Option<&str>, weight: &str) -> String {
    let place = region.map_or_else(String::new, |region| format!("{region} "));
    format!("{} {place}{weight:>5} ", at.format("%H:%M:%S"))
}

impl RolloutHistory {
    fn table(&self, view: &View) -> Table {
        let mut table = Table::new(["change", "at", "by", "what", "end", "why"]).fixed(&[0, 1]);
        for row in &self.history.rollouts {
            let end = row.phase.map_or(row.state, Phase::word);
            table.row(vec![
                plain(row.change.clone()),
                plain(view.time(row.at)),
                plain(row.by.clone()),
                plain(row.summary.clone()),
                plain(end.to_owned()),
                plain(row.reason.clone().unwrap_or_default()),
            ]);
        }
        table
    }

    /// A line for each, and what it was about below it: where a table would break its words.
    fn entries(&self, view: &View) -> Vec<Block> {
        let entry = |row: &HistoryRow| {
            let end = row.phase.map_or(row.state, Phase::word);
            let why = row.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            [
                Block::Whole(vec![
                    span(row.change.clone(), Tone::Strong),
                    plain(format!("  {}, {}, ", view.time(row.at), row.by)),
                    span(end.to_owned(), Tone::Strong),
                ]),
                Block::Whole(vec![plain(format!("  {}{why}", row.summary))]),
            ]
        };
        self.history.rollouts.iter().flat_map(entry).collect()
    }

    /// An earlier one, and the queries of this one.
    fn next(&self) -> Vec<Block> {
        let mut next = Vec::new();
        let latest = self.history.rollouts.iter().find_map(|row| row.rollout.as_ref());
        let earlier = self.history.rollouts.iter().find(|row| row.rollout.is_some() && row.rollout.as_ref() != latest);
        if let Some(row) = earlier {
            let command = format!("{} {}", self.command, row.change);
            next.push(Block::next("next", command));
        }
        let shown = self.history.rollouts.first().filter(|_| self.one);
        let id = shown.map_or_else(String::new, |row| format!(" {}", row.change));
        if !self.history.verdicts.is_empty() {
            let command = format!("{}{id} -o json", self.command);
            next.push(Block::next("next", command));
        }
        next
    }
}
