//! Which incident is meant, and its document.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::domain::incident::deadline::{Deadline, Duty, deadlines};
use crate::domain::incident::state::Incident;
use crate::domain::incident::transition::Phase;
use crate::error::{Error, Result};
use crate::stores::incidents::{Incidents, Story};

/// The incidents of this project.
///
/// # Errors
/// Those of the configuration.
pub(crate) fn store(cx: &Context) -> Result<Incidents> {
    crate::commands::incident::store(cx)
}

/// The incident that is open in this environment, if exactly one is.
pub(crate) fn open(cx: &Context) -> Result<Option<Story>> {
    let mut open = all(cx)?;
    open.retain(|story| story.incident.phase != Phase::Resolved);
    Ok(if open.len() == 1 { open.pop() } else { None })
}

/// The stories of this environment, the newest last. One that is damaged is left out.
fn all(cx: &Context) -> Result<Vec<Story>> {
    let environment = cx.environment()?;
    let store = store(cx)?;
    let stories = store
        .ids()?
        .into_iter()
        .filter_map(|id| store.story(&id).ok());
    Ok(stories
        .filter(|story| story.incident.environment == environment)
        .collect())
}

/// The incident of this name; without one, the last that was resolved and has no finished postmortem, else the open
/// one.
///
/// # Errors
/// `NotFound`; `Usage` when there is none at all.
pub(crate) fn which(cx: &Context, named: Option<&str>) -> Result<Story> {
    let store = store(cx)?;
    if let Some(named) = named {
        let ids = store.ids()?;
        let fitting: Vec<&String> = ids.iter().filter(|id| id.contains(named)).collect();
        return match fitting.as_slice() {
            [one] => store.story(one),
            _ => store.story(named),
        };
    }
    let mut stories = all(cx)?;
    let waits = |story: &Story| {
        story.incident.phase == Phase::Resolved && story.incident.postmortem.at().is_none()
    };
    let place = stories
        .iter()
        .rposition(waits)
        .or_else(|| {
            stories
                .iter()
                .rposition(|story| story.incident.phase != Phase::Resolved)
        })
        .or_else(|| stories.len().checked_sub(1));
    place
        .map(|place| stories.swap_remove(place))
        .ok_or_else(|| {
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
pub(super) fn duties(
    cx: &Context,
    incident: &Incident,
    now: DateTime<Utc>,
) -> Result<Vec<Deadline>> {
    let table = &cx.config()?.settings.incidents.severities;
    Ok(deadlines(incident, table, now))
}

/// When the postmortem is due; `None` where none is owed, or the incident is not over.
///
/// # Errors
/// Those of the configuration.
pub(super) fn due(
    cx: &Context,
    incident: &Incident,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let mut all = duties(cx, incident, now)?.into_iter();
    let found = all.find(|deadline| deadline.duty == Duty::Postmortem);
    Ok(found.map(|deadline| deadline.due))
}
