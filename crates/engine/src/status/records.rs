//! What this machine's own files know: the open incidents, the postmortem that is owed, and what was changed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::summary::IncidentSummary;
use crate::incident::{incidents_here, index, resolve};
use crate::session::{Session, store};
use liveops_domain::change::record;
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::error::Result;
use liveops_domain::incident::state::{Incident, replay};
use liveops_domain::status::source::{Recommendation, Source};
use liveops_domain::text::shell::word;

/// What the files hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) incidents: Vec<IncidentSummary>,
    /// The journals, where some cannot be read.
    pub(super) journals: Option<Source>,
    pub(super) postmortem: Option<Recommendation>,
    pub(super) changes: Vec<ChangeRecord>,
    pub(super) warnings: Vec<String>,
}

/// Reads them as they are now.
pub(super) fn read(cx: &Session) -> Result<Records> {
    let mut warnings = Vec::new();
    let (incidents, journals) = incidents_of(cx, &mut warnings)?;
    let (postmortem, changes) = (postmortem_of(cx)?, changes_until(cx, cx.clock.now(), &mut warnings)?);
    Ok(Records { incidents, journals, postmortem, changes, warnings })
}

/// What they held at that time: the journals are replayed until then.
pub(super) fn read_at(cx: &Session, at: DateTime<Utc>) -> Result<Records> {
    let (store, table) = (store(cx)?, &cx.config()?.settings.incidents.severities);
    let mut found = Records::default();
    found.changes = changes_until(cx, at, &mut found.warnings)?;
    let was_open = |one: &Incident| one.started.at().is_none_or(|began| began <= at);
    let was_open = |one: &Incident| was_open(one) && one.resolved.at().is_none_or(|ended| ended >= at);
    for one in incidents_here(cx)?.filter(was_open) {
        let mut log = store.log(&one.id)?;
        log.events.retain(|event| event.at <= at);
        let then = replay(&one.id, &log.events).filter(|then| then.phase.is_open());
        found.incidents.extend(then.map(|then| IncidentSummary::new(then, table, at)));
    }
    Ok(found)
}

/// The open incidents, from their journals, and the journals as a source where some cannot be read: one of those may be
/// open. What cannot be read hides nothing else.
fn incidents_of(cx: &Session, warnings: &mut Vec<String>) -> Result<(Vec<IncidentSummary>, Option<Source>)> {
    let known = index(cx).and_then(|index| {
        warnings.extend(index.warnings());
        Ok((index.source(), resolve::open_incidents(cx)?))
    });
    match known {
        Ok((source, open)) => {
            Ok((open.into_iter().map(|one| IncidentSummary::of(cx, one)).collect::<Result<_>>()?, source))
        }
        Err(error) => {
            warnings.push(format!("open incidents are not known: {error}"));
            Ok((Vec::new(), Some(Source::asked("incidents", Duration::ZERO, Err::<(), _>(&error)))))
        }
    }
}

/// The postmortem that is owed and due first. What cannot be read was said of the open ones.
fn postmortem_of(cx: &Session) -> Result<Option<Recommendation>> {
    let over = resolve::without_postmortem(cx).unwrap_or_default().into_iter();
    let mut owed = over.map(|one| IncidentSummary::of(cx, one)).collect::<Result<Vec<_>>>()?;
    owed.sort_by_key(|one| one.incident.resolved.at());
    let Some((one, next)) = owed.iter().find_map(|one| Some((one, one.postmortem()?))) else {
        return Ok(None);
    };
    let id = &one.incident.id;
    if !store(cx)?.folder_of(id).join("postmortem.md").exists() {
        return Ok(Some(next));
    }
    let text = next.text.replacen("write the postmortem", "finish the postmortem", 1);
    Ok(Some(Recommendation::new(text, format!("liveops postmortem check {}", word(id)))))
}

/// The hour of the audit log in this environment until that time, the newest first.
fn changes_until(cx: &Session, at: DateTime<Utc>, warnings: &mut Vec<String>) -> Result<Vec<ChangeRecord>> {
    let (here, mut changes) = (cx.change_scope()?, Vec::new());
    let read = cx.audit_log().changes_since(at - TimeDelta::hours(1), |mut change| {
        let is_meant = change.at <= at && change.action != record::LOOK;
        changes.extend((is_meant && here.keeps(&mut change)).then_some(change));
    });
    warnings.extend(read.err().map(|error| format!("what was changed through liveops is not known: {error}")));
    Ok(changes)
}
