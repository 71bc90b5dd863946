//! The past of a service or flag: what was begun and said, what happened, and what each condition came to. A rollout that
//! is over is kept as it was stored at its end, since the state beside the traffic is replaced by the next rollout's: one
//! file each, on the machine that saw the end or began the next one. What it shows is never needed to go on or back.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::file::{encoded, write_private};
use crate::files::open;
use crate::session::Session;
use liveops_domain::change::journal::{Data, Line};
use liveops_domain::change::record::{ChangeRecord, NewestFirst};
use liveops_domain::change::scope::Locality;
use liveops_domain::error::{Error, Result};
use liveops_domain::guard::verdict::Verdict;
use liveops_domain::rollout::exposure::Percent;
use liveops_domain::rollout::plan::FLAG;
use liveops_domain::rollout::state::{Phase, Rollout, Transition};

const ENDING: &str = ".json";

/// The shortest beginning of an id that is taken for it.
pub const SHORTEST: usize = 4;

/// The past rollouts of one service, or the past ramps of one flag.
struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// Of this service or flag.
    fn of(cx: &Session, environment: &str, name: &str, is_flag: bool) -> Result<Self> {
        let kind = if is_flag { "past-ramps" } else { "past-rollouts" };
        Ok(Self { folder: cx.project_state(kind)?.join(encoded(environment)).join(encoded(name)) })
    }

    /// The ids of those that are kept.
    fn ids(&self) -> Result<Vec<String>> {
        let failed = |source| Error::Io { action: "read", path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let id = |entry: fs::DirEntry| {
            let name = entry.file_name();
            name.to_str()?.strip_suffix(ENDING).map(ToOwned::to_owned)
        };
        Ok(entries.flatten().filter_map(id).collect())
    }

    /// One of them, by an id that [`Archive::ids`] gave.
    fn load(&self, id: &str) -> Result<Rollout> {
        let path = self.folder.join(format!("{id}{ENDING}"));
        let bytes = open::read(&path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
            what: error.to_string(),
            hint: "was it written by a newer liveops? nothing but the history needs it".into(),
            path,
        })
    }
}

/// Keeps a rollout that is over; one that is taken back after its end is kept again. Nobody waits for it: that it cannot be
/// kept is no reason to fail.
pub fn keep(cx: &Session, rollout: &Rollout) {
    if !rollout.phase.is_terminal() {
        return;
    }
    let (environment, name) = (&rollout.environment, &rollout.service);
    let kept = Archive::of(cx, environment, name, rollout.plan.is_exact()).and_then(|archive| {
        let path = archive.folder.join(format!("{}{ENDING}", rollout.id));
        let bytes = serde_json::to_vec(rollout)?;
        write_private(&path, &bytes).map_err(|source| Error::Io { action: "write", path, source })
    });
    if let Err(error) = kept {
        tracing::info!(%error, "a rollout that is over is not kept for the history");
    }
}

/// Every rollout of services that is over and kept on this machine, whatever service; and what cannot be read.
pub fn all_past(cx: &Session) -> Result<(Vec<Rollout>, Vec<Error>)> {
    let folder = cx.project_state("past-rollouts")?.join(encoded(cx.environment()?));
    let services = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(source) => return Err(Error::Io { action: "read", path: folder, source }),
    };
    let (mut rollouts, mut faults) = (Vec::new(), Vec::new());
    for service in services.flatten() {
        let archive = Archive { folder: service.path() };
        for id in archive.ids()? {
            match archive.load(&id) {
                Ok(rollout) => rollouts.push(rollout),
                Err(error) => faults.push(error),
            }
        }
    }
    Ok((rollouts, faults))
}

/// A transition as the audit log tells of it.
#[derive(Debug, Deserialize)]
struct LoggedTransition {
    change: Option<String>,
    rollout: String,
    service: String,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    target: Option<String>,
    phase: Phase,
    weight: Percent,
    text: String,
    #[serde(skip)]
    at: DateTime<Utc>,
}

impl LoggedTransition {
    /// Of an event, where it is one.
    fn of(event: &Line<'_>) -> Option<Self> {
        if event.kind.as_ref() != "rollout.moved" {
            return None;
        }
        let moved: Self = event.data.read()?;
        Some(Self { at: event.at, ..moved })
    }

    /// Is it one of this service or flag? Where an older liveops has not written what tells them apart, it may be.
    fn is_of(&self, name: &str, environment: &str, is_flag: bool) -> bool {
        let here = self.environment.as_ref();
        let kind = self.target.as_ref();
        self.service == name
            && here.is_none_or(|here| here == environment)
            && kind.is_none_or(|kind| (kind == FLAG) == is_flag)
    }
}

/// A change that began a rollout, or said something to one.
#[derive(Debug, Serialize)]
pub struct HistoryRow {
    pub change: String,
    /// The rollout that it is about; none where it never began.
    pub rollout: Option<String>,
    pub at: DateTime<Utc>,
    pub by: String,
    pub summary: String,
    pub state: &'static str,
    pub phase: Option<Phase>,
    pub reason: Option<String>,
}

impl HistoryRow {
    /// Of a change, and of what is known of the rollout.
    fn new(record: &ChangeRecord, latest: &[Rollout], moved: &[LoggedTransition]) -> Self {
        let said = |key: &str| {
            let value = record.result.as_ref()?.get(key)?;
            value.as_str().map(ToOwned::to_owned)
        };
        let begun = |change: &Option<String>| change.as_deref() == Some(&record.id);
        let of_change = || latest.iter().filter(|latest| begun(&latest.change));
        let last = || moved.iter().rev().find(|moved| begun(&moved.change));
        Self {
            rollout: said("rollout")
                .or_else(|| said("ramp"))
                .or_else(|| of_change().next().map(|rollout| rollout.id.clone()))
                .or_else(|| last().map(|moved| moved.rollout.clone())),
            // What came of it after that, the state says.
            phase: of_change()
                .map(|latest| latest.phase)
                .max_by_key(|phase| phase.is_back())
                .or_else(|| last().map(|moved| moved.phase))
                .or_else(|| serde_json::from_value(said("phase")?.into()).ok()),
            reason: said("reason").or_else(|| record.error.clone()),
            change: record.id.clone(),
            at: record.at,
            by: record.by.clone(),
            summary: record.summary.clone(),
            state: record.state.word(),
        }
    }
}

/// What one rollout went through, as far as it is known here.
struct RolloutTrace {
    region: Option<String>,
    transitions: Vec<Transition>,
    verdicts: Vec<Verdict>,
}

impl From<Rollout> for RolloutTrace {
    fn from(rollout: Rollout) -> Self {
        Self { region: rollout.region, transitions: rollout.transitions, verdicts: rollout.verdicts }
    }
}

impl RolloutTrace {
    /// What the audit log tells of it.
    fn of<'a>(moved: impl Iterator<Item = &'a LoggedTransition>) -> Self {
        let mut region = None;
        let transition = |moved: &LoggedTransition| {
            region.clone_from(&moved.region);
            Transition { at: moved.at, phase: moved.phase, weight: moved.weight, text: moved.text.clone() }
        };
        Self { transitions: moved.map(transition).collect(), region, verdicts: Vec::new() }
    }
}

/// Something, and the region that it was in.
#[derive(Debug, Serialize)]
pub struct InRegion<T> {
    pub region: Option<String>,
    #[serde(flatten)]
    pub what: T,
}

/// The transitions and the verdicts of these.
fn in_regions(traces: Vec<RolloutTrace>) -> (Vec<InRegion<Transition>>, Vec<InRegion<Verdict>>) {
    let (mut transitions, mut verdicts) = (Vec::new(), Vec::new());
    for one in traces {
        let region = one.region;
        transitions.extend(one.transitions.into_iter().map(|what| InRegion { region: region.clone(), what }));
        verdicts.extend(one.verdicts.into_iter().map(|what| InRegion { region: region.clone(), what }));
    }
    (transitions, verdicts)
}

/// Whose past it is.
pub struct HistorySubject<'a> {
    /// The service, or the flag.
    pub name: &'a str,
    pub is_flag: bool,
}

/// The past of a service or flag.
#[derive(Debug, Serialize)]
pub struct History {
    pub service: String,
    pub rollouts: Vec<HistoryRow>,
    /// Of the rollout that was asked for, or of the latest.
    pub transitions: Vec<InRegion<Transition>>,
    pub verdicts: Vec<InRegion<Verdict>>,
}

/// What is known here of a service or flag; of the rollout with this id, where one is given.
pub fn history(
    cx: &Session,
    subject: &HistorySubject<'_>,
    latest: Vec<Rollout>,
    id: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<History> {
    let environment = cx.environment()?.to_owned();
    let here = cx.change_scope()?;
    let is_meant = |record: &ChangeRecord| is_about(record, subject) && here.locate(record) != Locality::Elsewhere;
    let (mut records, mut moved): (Vec<ChangeRecord>, Vec<LoggedTransition>) = (Vec::new(), Vec::new());
    let mut changes = NewestFirst::default();
    cx.audit_log().newest_first(DateTime::<Utc>::MIN_UTC, |event| {
        let of_it = |moved: &LoggedTransition| moved.is_of(subject.name, &environment, subject.is_flag);
        moved.extend(LoggedTransition::of(event).filter(of_it));
        records.extend(changes.take(event).filter(is_meant));
    })?;
    records.extend(changes.without_beginning().into_iter().filter(is_meant));
    moved.reverse();
    let mut rows: Vec<HistoryRow> = records.iter().map(|record| HistoryRow::new(record, &latest, &moved)).collect();
    let shown: Vec<RolloutTrace> = match id {
        None => latest.into_iter().map(RolloutTrace::from).collect(),
        Some(id) => {
            let archive = Archive::of(cx, &environment, subject.name, subject.is_flag)?;
            let kept = archive.ids()?;
            let known = RolloutIds { rows: &rows, moved: &moved, latest: &latest, kept: &kept };
            let (name, wanted) = known.find(id)?;
            rows.retain(|row| {
                let of_it = |rollout| wanted.contains(rollout);
                row.change == name || row.rollout.as_ref().is_some_and(of_it)
            });
            let trace = |id: &String| {
                if let Some(rollout) = latest.iter().find(|rollout| rollout.id == *id) {
                    return Ok(RolloutTrace::from(rollout.clone()));
                }
                if kept.contains(id) {
                    return archive.load(id).map(RolloutTrace::from);
                }
                warnings.push(format!(
                    "the verdicts of {id} are not kept here: it ended on another machine, or is not over"
                ));
                Ok(RolloutTrace::of(moved.iter().filter(|moved| moved.rollout == *id)))
            };
            wanted.iter().map(trace).collect::<Result<_>>()?
        }
    };
    let (transitions, verdicts) = in_regions(shown);
    Ok(History { service: subject.name.to_owned(), rollouts: rows, transitions, verdicts })
}

fn is_about(record: &ChangeRecord, subject: &HistorySubject<'_>) -> bool {
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
struct RolloutIds<'a> {
    rows: &'a [HistoryRow],
    moved: &'a [LoggedTransition],
    latest: &'a [Rollout],
    kept: &'a [String],
}

impl RolloutIds<'_> {
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
