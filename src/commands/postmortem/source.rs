//! Which incident is meant, and its document.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::commands::incident::{index, pick, store};
use crate::context::Context;
use crate::domain::incident::deadline::{Deadline, Duty, deadlines};
use crate::domain::incident::state::Incident;
use crate::domain::incident::transition::Phase;
use crate::error::{Error, Result};
use crate::stores::incidents::Story;

/// The incident that is open in this environment, if exactly one is.
///
/// # Errors
/// Those of the configuration.
pub(crate) fn open(cx: &Context) -> Result<Option<String>> {
    let mut open = pick::open_ones(cx)?;
    Ok(if open.len() == 1 { open.pop().map(|one| one.id) } else { None })
}

/// The incident of this name; without one, the last that was resolved and has no finished postmortem, else the last
/// that is open, else the last.
///
/// # Errors
/// `NotFound`; `Usage` when there is none at all, or when the name fits several.
pub(super) fn which(cx: &Context, named: Option<&str>) -> Result<Story> {
    let id = match named {
        Some(named) => pick::which_of(cx, Some(named), "postmortem new")?,
        None => waiting(cx)?,
    };
    store(cx)?.story(&id)
}

fn waiting(cx: &Context) -> Result<String> {
    let environment = cx.environment()?;
    let all = index(cx)?.summaries;
    let here: Vec<&Incident> =
        all.iter().map(|summary| &summary.incident).filter(|one| one.environment == environment).collect();
    let is_over = |one: &&&Incident| one.phase == Phase::Resolved;
    let owed = |one: &&&Incident| is_over(one) && one.postmortem.at().is_none();
    let found = here.iter().rfind(owed).or_else(|| here.iter().rfind(|one| !is_over(one))).or(here.last());
    found.map(|one| one.id.clone()).ok_or_else(|| {
        Error::usage(
            "there is no incident in this environment yet",
            "`liveops incident list` shows them; `-e NAME` looks in another environment",
        )
    })
}

/// Where the document of an incident is.
pub(super) fn document(cx: &Context, id: &str) -> Result<PathBuf> {
    Ok(store(cx)?.folder_of(id).join("postmortem.md"))
}

/// The deadlines of an incident.
///
/// # Errors
/// Those of the configuration.
pub(super) fn duties(cx: &Context, incident: &Incident, now: DateTime<Utc>) -> Result<Vec<Deadline>> {
    let table = &cx.config()?.settings.incidents.severities;
    Ok(deadlines(incident, table, now))
}

/// When the postmortem is due; `None` where none is owed, or the incident is not over.
///
/// # Errors
/// Those of the configuration.
pub(super) fn due(cx: &Context, incident: &Incident, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let mut all = duties(cx, incident, now)?.into_iter();
    let found = all.find(|deadline| deadline.duty == Duty::Postmortem);
    Ok(found.map(|deadline| deadline.due))
}
