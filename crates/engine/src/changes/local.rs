//! Changes that files of this machine and this project know of: audit log, incidents, recorded deployments, git tags.

use chrono::{DateTime, TimeDelta, Utc};

use crate::changes::record::{Entry, RECORDED, journal};
use crate::clients::git;
use crate::session::Session;
use liveops_domain::change::journal::Data;
use liveops_domain::change::record::{ChangeRecord, ChangeState, LOOK};
use liveops_domain::change::scope::Locality;
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::change::undo::Undo;
use liveops_domain::error::{Error, Result};

/// What was done through liveops here, and holds or may hold; with `everywhere`, elsewhere too, where no command of this
/// place takes it back.
pub fn audit(cx: &Session, since: DateTime<Utc>, everywhere: bool) -> Result<Vec<Change>> {
    let here = cx.change_scope()?;
    let mut changes = Vec::new();
    cx.audit_log().changes_since(since, |mut record| {
        let is_change = record.state != ChangeState::Failed && record.action != LOOK;
        if everywhere && here.locate(&record) == Locality::Elsewhere {
            record.summary = format!("{} (in {})", record.summary, record.place());
            record.undo = None;
        } else if !here.keeps(&mut record) {
            return;
        }
        changes.extend(is_change.then(|| change_of(record)));
    })?;
    Ok(changes)
}

fn change_of(record: ChangeRecord) -> Change {
    let noun = record.action.split('.').next().unwrap_or_default();
    let kind = match noun {
        "flag" => Kind::Flag,
        "rollout" => Kind::Deploy,
        "scale" => Kind::Scale,
        "silence" => Kind::Silence,
        "incident" => Kind::Incident,
        _ => Kind::Other,
    };
    // A silence is known to Alertmanager by its own id.
    let own = record.result.as_ref().and_then(|result| Some(result.get("silence")?.as_str()?.to_owned()));
    let undoable = record.undo.as_ref().is_some_and(Undo::is_possible);
    let holds = record.state != ChangeState::Undone;
    Change {
        by: Some(record.by),
        revert: (undoable && holds).then(|| format!("liveops undo {}", record.id)),
        reference: Some(own.unwrap_or(record.id)),
        ..Change::new(record.at, kind, "audit", record.summary)
    }
}

/// Where it was, if that is not here.
fn elsewhere(environment: &str, here: &str) -> String {
    if environment == here { String::new() } else { format!(" (in {environment})") }
}

/// Incidents of this environment, or of all of the project: opened, mitigated, resolved.
pub fn incidents(cx: &Session, since: DateTime<Utc>, everywhere: bool) -> Result<Vec<Change>> {
    let environment = cx.environment()?;
    let store = crate::session::store(cx)?;
    // Ids begin with the day of the opening; one that lasted longer than a month is no news.
    let oldest = (since - TimeDelta::days(31)).format("%Y-%m-%d").to_string();
    let mut changes = Vec::new();
    for id in store.ids()?.into_iter().filter(|id| *id >= oldest) {
        // A damaged journal is its own command's to report.
        let Ok(summary) = store.summary(&id) else {
            continue;
        };
        let one = summary.incident;
        if one.environment != environment && !everywhere {
            continue;
        }
        let place = elsewhere(&one.environment, environment);
        let moments = [("opened", &one.detected), ("mitigated", &one.mitigated), ("resolved", &one.resolved)];
        for (word, moment) in moments {
            if let Some(at) = moment.at() {
                let what = format!("{} {id} {word}: {}{place}", one.severity, one.title);
                changes.push(Change {
                    service: one.service.clone(),
                    by: (word == "opened").then(|| one.opened_by.clone()),
                    ..Change::new(at, Kind::Incident, "incidents", what)
                });
            }
        }
    }
    Ok(changes)
}

/// What `changes record` wrote.
pub fn deployments(cx: &Session, since: DateTime<Utc>, everywhere: bool) -> Result<Vec<Change>> {
    let environment = cx.environment()?;
    let journal = journal(cx)?;
    if !journal.path().exists() {
        return Err(Error::Unconfigured {
            what: "journal of deployments",
            environment: environment.to_owned(),
            hint: "let CI run `liveops changes record --kind deploy --service NAME --version VERSION`".into(),
        });
    }
    // It may have happened long before it was written down, but not after.
    let mut changes = Vec::new();
    journal.newest_first(since, |event| {
        let entry = (event.kind.as_ref() == RECORDED).then(|| event.data.read::<Entry>()).flatten();
        let entry = entry.filter(|entry| everywhere || entry.environment == environment);
        changes.extend(entry.map(|entry| Change {
            service: entry.service.clone(),
            by: Some(event.by.as_ref().to_owned()),
            reference: entry.version.clone(),
            ..Change::new(
                entry.occurred_at,
                entry.kind.kind(),
                "deployments",
                entry.words() + &elsewhere(&entry.environment, environment),
            )
        }));
    })?;
    Ok(changes)
}

/// Tags of the project's repository.
pub async fn tags(cx: &Session, since: DateTime<Utc>) -> Result<Vec<Change>> {
    let config = cx.config()?;
    let tags = git::tags(&config.folder(), config.settings.call_timeout).await?;
    let recent = tags.into_iter().filter(|tag| tag.at >= since);
    Ok(recent
        .map(|tag| Change {
            by: tag.by,
            reference: Some(tag.name.clone()),
            ..Change::new(tag.at, Kind::Tag, "git", format!("tag {}", tag.name))
        })
        .collect())
}
