//! Which incident is meant: the one that was named, or the only one that is open. Never a guess.

use crate::incident::{incidents_here, index};
use crate::session::{Session, store};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;
use liveops_domain::text::count::count;

/// The incidents of this environment that are over and have no finished postmortem.
pub fn without_postmortem(cx: &Session) -> Result<Vec<Incident>> {
    let is_owed = |one: &Incident| one.phase == Phase::Resolved && one.postmortem.at().is_none();
    Ok(incidents_here(cx)?.filter(is_owed).collect())
}

/// The id of the incident that is meant. `command` is what an error proposes the id to.
///
/// # Errors
/// `Usage` when none is open, or several; `NotFound`.
pub fn id_of(cx: &Session, named: Option<&str>, command: &str) -> Result<String> {
    if let Some(named) = named {
        return by_name(cx, named);
    }
    let open = open_incidents(cx)?;
    // What was typed, with the incident behind it.
    let again = |id: &str| match command.rsplit_once(' ') {
        Some((_, option)) if option.starts_with('-') => format!("{} {option} {id}", cx.command_line),
        _ => cx.command(&format!("{command} {id}")),
    };
    match open.as_slice() {
        [] => {
            let (text, elsewhere) = nothing_open(cx)?;
            unreadable(cx)?.map_or(Ok(()), Err)?;
            let hint = match elsewhere {
                Some(id) => format!("do you mean that one? `{}`", again(&id)),
                None => format!(
                    "`{}` begins one; `{}` shows those that are over",
                    cx.command("incident open --sev p2"),
                    cx.command("incident list --all")
                ),
            };
            Err(Error::usage(text, hint))
        }
        [one] => Ok(one.id.clone()),
        several => {
            let list = several.iter().fold(format!("{} are open:", count(several.len(), "incident")), |text, one| {
                let severity = one.severity;
                format!("{text}\n  {severity} {}  {} ({})", one.id, one.title, one.phase.word())
            });
            Err(Error::usage(list, format!("say which: `{}`", again(&several[0].id))))
        }
    }
}

/// That an incident which may be meant cannot be read, where there is one.
pub fn unreadable(cx: &Session) -> Result<Option<Error>> {
    let index = index(cx)?;
    let more = match index.broken.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    Ok(index.broken.into_iter().next().map(|(id, error)| Error::Damaged {
        path: store_path(cx, &id),
        what: format!(
            "{}; whether it is the one that is meant is not known{more}",
            match error {
                Error::Damaged { what, .. } => what,
                other => other.to_string(),
            }
        ),
        hint: format!(
            "restore it, from git or another copy, or move its folder away; `{}` lists what can be read",
            cx.command("incident list --all")
        ),
    }))
}

fn store_path(cx: &Session, id: &str) -> std::path::PathBuf {
    store(cx).map_or_else(|_| id.into(), |store| store.journal(id).path().to_owned())
}

/// That none is open here, with those that are open elsewhere: one of them may be meant. And the first of these.
fn nothing_open(cx: &Session) -> Result<(String, Option<String>)> {
    let mut text = format!("no incident is open in `{}`", cx.environment()?);
    let index = index(cx)?;
    let mut elsewhere = None;
    for one in index.incidents().filter(|one| one.phase.is_open()) {
        text.push_str(&format!("\n  {} is open in `{}`", one.id, one.environment));
        elsewhere.get_or_insert_with(|| one.id.clone());
    }
    Ok((text, elsewhere))
}

/// The incidents of this environment that are not over, the worst first.
pub fn open_incidents(cx: &Session) -> Result<Vec<Incident>> {
    let mut open: Vec<Incident> = incidents_here(cx)?.filter(|one| one.phase.is_open()).collect();
    open.sort_by(|a, b| (a.severity, &a.id).cmp(&(b.severity, &b.id)));
    Ok(open)
}

/// The environment of the incident that is named, where that is not the one of this session: whoever names an incident
/// means the place where it is.
///
/// # Errors
/// `Usage` where another environment was named beside it.
pub fn environment_of(cx: &Session, named: &str) -> Result<Option<String>> {
    let Ok(id) = by_name(cx, named) else {
        return Ok(None);
    };
    let Ok(incident) = crate::incident::incident(cx, &id) else {
        return Ok(None);
    };
    let known = incident.environment;
    if known.is_empty() || known == cx.environment()? {
        return Ok(None);
    }
    match cx.named_environment() {
        Some(other) => Err(Error::usage(
            format!("{id} is an incident of `{known}`, not of `{other}`"),
            format!("leave `-e {other}` out"),
        )),
        None => Ok(Some(known)),
    }
}

/// An id, or a part of one that fits no other.
fn by_name(cx: &Session, named: &str) -> Result<String> {
    let ids = store(cx)?.ids()?;
    if ids.iter().any(|id| id == named) {
        return Ok(named.to_owned());
    }
    let fitting: Vec<&String> = ids.iter().filter(|id| id.contains(named)).collect();
    match fitting.as_slice() {
        [one] if !named.is_empty() => Ok((*one).clone()),
        [] | [_] => Err(Error::NotFound { what: "incident", name: named.to_owned(), candidates: ids }),
        several => Err(Error::usage(
            format!("`{named}` fits {}", count(several.len(), "incident")),
            format!("there is `{}`, `{}` …", several[0], several[1]),
        )),
    }
}
