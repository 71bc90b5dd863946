//! Which incident is meant, and its document.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::files::incidents::IncidentLog;
use crate::incident::{incidents_here, resolve};
use crate::session::{Session, store};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::deadline::{Deadline, Duty, deadlines};
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;

/// The incident that is open in this environment, if exactly one is.
pub fn open(cx: &Session) -> Result<Option<String>> {
    let mut open = resolve::open_incidents(cx)?;
    Ok(if open.len() == 1 { open.pop().map(|one| one.id) } else { None })
}

/// The incident of this name; without one, the last that was resolved and has no finished postmortem, else the last
/// that is open, else the last.
///
/// # Errors
/// `NotFound`; `Usage` when there is none at all, or when the name fits several.
pub fn which(cx: &Session, named: Option<&str>) -> Result<IncidentLog> {
    let id = match named {
        Some(named) => resolve::id_of(cx, Some(named), "postmortem new")?,
        None => waiting(cx)?,
    };
    store(cx)?.log(&id)
}

fn waiting(cx: &Session) -> Result<String> {
    let here: Vec<Incident> = incidents_here(cx)?.collect();
    let is_over = |one: &&Incident| one.phase == Phase::Resolved;
    let owed = |one: &&Incident| is_over(one) && one.postmortem.at().is_none();
    let found = here.iter().rfind(owed).or_else(|| here.iter().rfind(|one| !is_over(one))).or(here.last());
    match found {
        Some(one) => Ok(one.id.clone()),
        None => Err(resolve::unreadable(cx)?.unwrap_or_else(|| {
            Error::usage(
                "there is no incident in this environment yet",
                "`liveops incident list` shows them; `-e NAME` looks in another environment",
            )
        })),
    }
}

/// Where the document of an incident is.
pub fn document(cx: &Session, id: &str) -> Result<PathBuf> {
    Ok(store(cx)?.folder_of(id).join("postmortem.md"))
}

pub fn duties(cx: &Session, incident: &Incident, now: DateTime<Utc>) -> Result<Vec<Deadline>> {
    let table = &cx.config()?.settings.incidents.severities;
    Ok(deadlines(incident, table, now))
}

/// When the postmortem is due; `None` where none is owed, or the incident is not over.
pub fn due(cx: &Session, incident: &Incident, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let mut all = duties(cx, incident, now)?.into_iter();
    let found = all.find(|deadline| deadline.duty == Duty::Postmortem);
    Ok(found.map(|deadline| deadline.due))
}
