//! `liveops rollout history`: the rollouts of a service that this user began, and every verdict of the latest one.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use crate::commands::audit::read;
use crate::commands::rollout::open::{WhichArgs, choose};
use crate::commands::rollout::{fleet, memories};
use crate::context::Context;
use crate::domain::guard::verdict::Verdict;
use crate::domain::quantity::Unit;
use crate::domain::rollout::state::{Phase, Rollout};
use crate::error::{Exit, Result};
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;

/// Show past rollouts, and why the last one went as it did
///
/// Each verdict is kept with its value, count, bound, threshold and the queries that were asked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout history
  liveops rollout history game-backend -o json")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

/// One past rollout.
#[derive(Debug, Serialize)]
struct PastRow {
    change: String,
    at: DateTime<Utc>,
    by: String,
    summary: String,
    state: &'static str,
    phase: Option<Phase>,
    reason: Option<String>,
}

/// A verdict, and where.
#[derive(Debug, Serialize)]
struct VerdictRow {
    region: Option<String>,
    #[serde(flatten)]
    verdict: Verdict,
}

fn verdicts(rollout: Rollout) -> impl Iterator<Item = VerdictRow> {
    let region = rollout.region;
    let row = move |verdict| VerdictRow {
        region: region.clone(),
        verdict,
    };
    rollout.verdicts.into_iter().map(row)
}

/// What `history` shows.
#[derive(Debug, Serialize)]
struct RolloutHistory {
    service: String,
    rollouts: Vec<PastRow>,
    verdicts: Vec<VerdictRow>,
    #[serde(skip)]
    environment: String,
    #[serde(skip)]
    warnings: Vec<String>,
}

pub(super) async fn run(args: &HistoryArgs, cx: &Context) -> Result<Exit> {
    let chosen = choose(cx, args.which.service())?;
    let service = chosen.name.clone();
    let environment = cx.environment()?.to_owned();
    let (_, records) = read(cx)?;
    let mut warnings = Vec::new();
    let latest: Vec<Rollout> = match fleet::find(cx, Some(&service)).await? {
        Some(found) => {
            let unseen = found.unseen();
            warnings.extend(unseen.map(|(region, error)| format!("{region}: {error}")));
            found.into_rollouts()
        }
        None => match memories::open(cx, chosen)?.load().await {
            Ok(stored) => stored.map(|stored| stored.rollout).into_iter().collect(),
            Err(error) => {
                warnings.push(format!("the latest state cannot be read: {error}"));
                Vec::new()
            }
        },
    };
    let mentions = |undo: Option<serde_json::Value>| {
        undo.is_some_and(|undo| undo["service"].as_str() == Some(service.as_str()))
    };
    let rollouts = records
        .into_iter()
        .rev()
        .filter(|record| record.environment == environment && record.action.starts_with("rollout."))
        .filter(|record| {
            mentions(record.result.clone())
                || mentions(
                    record
                        .undo
                        .as_ref()
                        .and_then(|undo| serde_json::to_value(undo).ok()),
                )
        })
        .map(|record| {
            let said = |key: &str| {
                let value = record.result.as_ref()?.get(key)?;
                value.as_str().map(ToOwned::to_owned)
            };
            PastRow {
                // What came of it after that, the state says.
                phase: latest
                    .iter()
                    .filter(|latest| latest.change.as_deref() == Some(&record.id))
                    .map(|latest| latest.phase)
                    .max_by_key(|phase| phase.is_back())
                    .or_else(|| serde_json::from_value(said("phase")?.into()).ok()),
                reason: said("reason").or_else(|| record.error.clone()),
                change: record.id.clone(),
                at: record.at,
                by: record.by.clone(),
                summary: record.summary.clone(),
                state: record.state.word(),
            }
        })
        .collect();
    let report = RolloutHistory {
        service,
        rollouts,
        verdicts: latest.into_iter().flat_map(verdicts).collect(),
        environment,
        warnings,
    };
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

impl Report for RolloutHistory {
    const SCHEMA: &'static str = "liveops.rollout.history/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        if self.rollouts.is_empty() && self.verdicts.is_empty() {
            return vec![Block::text(format!(
                "no rollout of {} is known here",
                self.service
            ))];
        }
        let mut blocks = vec![Block::Table(self.table(view))];
        if !self.verdicts.is_empty() {
            blocks.push(Block::Blank);
            blocks.push(Block::heading("verdicts of the latest rollout"));
        }
        for VerdictRow { region, verdict } in &self.verdicts {
            let place = region
                .as_ref()
                .map_or_else(String::new, |region| format!("{region} "));
            let unit = Unit::from_name(&verdict.unit);
            let tone = match verdict.outcome.word() {
                "pass" => Tone::Good,
                "FAIL" => Tone::Bad,
                _ => Tone::Unknown,
            };
            let value = verdict
                .value
                .map_or_else(String::new, |value| format!("{} ", unit.show(value)));
            blocks.push(Block::Whole(vec![
                span(
                    format!(
                        "{} {place}{:>4}% ",
                        verdict.at.format("%H:%M:%S"),
                        verdict.weight
                    ),
                    Tone::Dim,
                ),
                plain(format!("{}  ", verdict.condition)),
                span(format!("{} ", verdict.outcome.word()), tone),
                span(format!("{value}{}", verdict.reason), Tone::Dim),
            ]));
        }
        blocks
    }

    fn rows(&self, view: &View) -> Option<Table> {
        Some(self.table(view))
    }

    fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.environment.clone()),
            warnings: self.warnings.clone(),
            ..Meta::default()
        }
    }
}

impl RolloutHistory {
    fn table(&self, view: &View) -> Table {
        let mut table = Table::new(["change", "at", "by", "what", "end", "why"]).fixed(&[0, 1]);
        for row in &self.rollouts {
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
}
