//! `liveops rollout history` and `flag ramp history`: the rollouts that were begun from here, and what one of them went
//! through: every transition, and every verdict with its numbers and queries.

use clap::Args;
use serde_json::Value;

use crate::commands::rollout::args::WhichArgs;
use crate::commands::rollout::past::{Moved, PastRow, RolloutHistory, Shown, rows_of};
use crate::context::Context;
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::plan::FLAG;
use liveops_domain::rollout::state::Rollout;
use liveops_engine::rollout::history::Archive;
use liveops_engine::rollout::resolve::{candidates, choose, words};
use liveops_engine::rollout::state_store::{Memory, open as memories};
use liveops_engine::undo::audit::read;

/// The shortest beginning of an id that is taken for it.
const SHORTEST: usize = 4;

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

/// Whose past is told.
pub(crate) struct Subject<'a> {
    /// The service, or the flag.
    pub(crate) name: &'a str,
    pub(crate) is_flag: bool,
}

pub(super) async fn run(args: &HistoryArgs, cx: &Context) -> Result<Exit> {
    let known = |name: &str| -> Result<bool> { Ok(candidates(cx)?.iter().any(|service| service.name == name)) };
    // Where there is one service, its name can be left out.
    let (service, id) = match (args.which.service(), args.id.as_deref()) {
        (Some(id), None) if is_id(id) && !known(id)? => (choose(cx, None)?, Some(id)),
        (service, id) => (choose(cx, service)?, id),
    };
    let subject = Subject { name: &service.name, is_flag: false };
    let mut warnings = Vec::new();
    let latest = match liveops_engine::rollout::regions::lookup::find(cx, Some(&service.name)).await {
        // What is known here can be told all the same.
        Err(error @ Error::At { .. }) => {
            warnings.push(format!("the latest state cannot be read: {error}"));
            Vec::new()
        }
        Err(error) => return Err(error),
        Ok(Some(found)) => {
            let unseen = found.unseen();
            warnings.extend(unseen.map(|(region, error)| format!("{region}: {error}")));
            found.into_rollouts()
        }
        Ok(None) => {
            let memory = memories::open(cx, service)?;
            latest(memory.as_ref(), &mut warnings).await
        }
    };
    let report = tell(cx, &subject, latest, id, warnings)?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// Does it look like the id of a change or a rollout?
fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix(['c', 'r']).unwrap_or_default();
    text.len() >= SHORTEST && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit())
}

/// What is remembered of the latest one.
pub(crate) async fn latest(memory: &dyn Memory, warnings: &mut Vec<String>) -> Vec<Rollout> {
    match memory.load().await {
        Ok(stored) => stored.map(|stored| stored.rollout).into_iter().collect(),
        Err(error) => {
            warnings.push(format!("the latest state cannot be read: {error}"));
            Vec::new()
        }
    }
}

/// What is known here of the past of a service or flag; of the rollout with this id, where one is given.
///
/// # Errors
/// The audit log or what was kept cannot be read; `NotFound`.
pub(crate) fn tell(
    cx: &Context,
    subject: &Subject<'_>,
    latest: Vec<Rollout>,
    id: Option<&str>,
    mut warnings: Vec<String>,
) -> Result<RolloutHistory> {
    let environment = cx.environment()?.to_owned();
    let (log, records) = read(cx)?;
    let moved: Vec<Moved> = log
        .events
        .iter()
        .filter_map(Moved::of)
        .filter(|moved| moved.is_of(subject.name, &environment, subject.is_flag))
        .collect();
    let mut rows: Vec<PastRow> = records
        .iter()
        .rev()
        .filter(|record| record.environment == environment && is_about(record, subject))
        .map(|record| PastRow::new(record, &latest, &moved))
        .collect();
    let shown: Vec<Shown> = match id {
        None => latest.into_iter().map(Shown::from).collect(),
        Some(id) => {
            let archive = Archive::of(cx, &environment, subject.name, subject.is_flag);
            let kept = archive.ids()?;
            let known = Known { rows: &rows, moved: &moved, latest: &latest, kept: &kept };
            let (name, wanted) = known.find(id)?;
            rows.retain(|row| {
                let of_it = |rollout| wanted.contains(rollout);
                row.change == name || row.rollout.as_ref().is_some_and(of_it)
            });
            let whole = |id: &String| {
                if let Some(rollout) = latest.iter().find(|rollout| rollout.id == *id) {
                    return Ok(Shown::from(rollout.clone()));
                }
                if kept.contains(id) {
                    return archive.load(id).map(Shown::from);
                }
                warnings.push(format!(
                    "the verdicts of {id} are not kept here: it ended on another machine, or is not over"
                ));
                Ok(Shown::of(moved.iter().filter(|moved| moved.rollout == *id)))
            };
            wanted.iter().map(whole).collect::<Result<_>>()?
        }
    };
    let target = if subject.is_flag { FLAG } else { "" };
    let (transitions, verdicts) = rows_of(shown);
    Ok(RolloutHistory {
        service: subject.name.to_owned(),
        rollouts: rows,
        transitions,
        verdicts,
        noun: if subject.is_flag { "ramp" } else { "rollout" },
        one: id.is_some(),
        command: cx.command(&words(target, "history", subject.name)),
        environment,
        warnings,
    })
}

fn is_about(record: &ChangeRecord, subject: &Subject<'_>) -> bool {
    let (lead, key) = match subject.is_flag {
        true => ("flag.ramp.", "flag"),
        false => ("rollout.", "service"),
    };
    // What people say to a ramp names it as every rollout is named.
    let names = |value: &Value| value[key] == subject.name || value["service"] == subject.name;
    let undo = || serde_json::to_value(record.undo.as_ref()?).ok();
    record.action.starts_with(lead)
        && (record.result.as_ref().is_some_and(names) || undo().is_some_and(|undo| names(&undo)))
}

/// Everything that an id can mean.
struct Known<'a> {
    rows: &'a [PastRow],
    moved: &'a [Moved],
    latest: &'a [Rollout],
    kept: &'a [String],
}

impl Known<'_> {
    /// Ids of changes and of rollouts, the newest first, each with the rollout that it means. One change can begin a
    /// rollout in each of several regions.
    fn names(&self) -> Vec<(&str, Option<&String>)> {
        let rows = self.rows.iter();
        let rows = rows.map(|row| (row.change.as_str(), row.rollout.as_ref()));
        let latest = self.latest.iter().flat_map(|rollout| {
            let change = rollout.change.as_deref();
            change.into_iter().chain([rollout.id.as_str()]).map(move |name| (name, Some(&rollout.id)))
        });
        let moved = self.moved.iter().rev().flat_map(|moved| {
            let change = moved.change.as_deref();
            change.into_iter().chain([moved.rollout.as_str()]).map(move |name| (name, Some(&moved.rollout)))
        });
        let kept = self.kept.iter().map(|id| (id.as_str(), Some(id)));
        rows.chain(latest).chain(moved).chain(kept).collect()
    }

    /// The id in full, and the rollouts that it means.
    ///
    /// # Errors
    /// `NotFound`: no id begins so, or several do.
    fn find(&self, id: &str) -> Result<(String, Vec<String>)> {
        let names = self.names();
        let mut found: Vec<&str> = Vec::new();
        for (name, _) in &names {
            let begins = id.len() >= SHORTEST && name.starts_with(id);
            if (*name == id || begins) && !found.contains(name) {
                found.push(name);
            }
        }
        let name = match found.as_slice() {
            [only] => *only,
            several if several.contains(&id) => id,
            _ => {
                let mut candidates: Vec<String> = Vec::new();
                for (name, _) in names {
                    if !candidates.iter().any(|known| known == name) {
                        candidates.push(name.to_owned());
                    }
                }
                return Err(Error::NotFound { what: "past rollout", name: id.to_owned(), candidates });
            }
        };
        let mut wanted: Vec<String> = Vec::new();
        for (_, rollout) in names.iter().filter(|(known, _)| *known == name) {
            wanted.extend(rollout.filter(|id| !wanted.contains(id)).cloned());
        }
        Ok((name.to_owned(), wanted))
    }
}
