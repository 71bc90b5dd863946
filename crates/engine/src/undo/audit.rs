//! Finding changes in the audit log, which may be longer than what one wants to hold: the newest from its end, one by its
//! id in the lines that name it, and all of it in passing.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::session::{Session, store};
use liveops_domain::change::journal::{Event, Fault, Line};
use liveops_domain::change::record::{ChangeRecord, changes};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::count::count;

/// The shortest beginning of an id that is taken for it.
const SHORTEST: usize = 4;

/// Bytes of the end of the log that are looked at, as long as that is not enough.
const ENDS: [u64; 2] = [1 << 20, 3 << 20];

/// Lines that name a change: it and what undid it.
const NAMED: usize = 1000;

/// Changes of the log, oldest first.
#[derive(Debug)]
pub struct AuditLog {
    pub records: Vec<ChangeRecord>,
    /// Lines that are not as they were written, of those that were looked at.
    pub faults: usize,
    /// Are older ones not among them?
    pub has_older: bool,
}

/// The newest changes, as many as it takes to be enough, or as are worth holding.
pub fn newest(cx: &Session, enough: impl Fn(&[ChangeRecord]) -> bool) -> Result<AuditLog> {
    let log = cx.audit_log();
    let mut found = AuditLog { records: Vec::new(), faults: 0, has_older: false };
    for bytes in ENDS {
        let end = log.end(bytes)?;
        let reading = end.read();
        let mut records = changes(&reading.events);
        if !end.is_whole {
            // Of these the beginning is not among the lines.
            records.retain(|record| !record.command.is_empty());
        }
        found = AuditLog { records, faults: reading.faults.len(), has_older: !end.is_whole };
        if end.is_whole || enough(&found.records) {
            break;
        }
    }
    Ok(found)
}

/// How many changes there are.
pub fn total(cx: &Session) -> Result<usize> {
    let begun = memchr::memmem::Finder::new("\"type\":\"change.begun\"");
    let mut total = 0;
    cx.audit_log().blocks(|block| total += begun.find_iter(block.as_bytes()).count())?;
    Ok(total)
}

/// What is wrong with the log, for commands that go on all the same.
pub fn complaint(faults: usize) -> Option<String> {
    match faults {
        0 => None,
        1 => Some("a line of the audit log is not as it was written; `liveops audit verify` shows it".into()),
        n => {
            let lines = count(n, "line");
            Some(format!("{lines} of the audit log are not as they were written; `liveops audit verify` shows them"))
        }
    }
}

/// The change with this id, or the only one whose id begins so, with those that undid it.
///
/// # Errors
/// `NotFound`, with the latest ids.
pub fn find(cx: &Session, id: &str) -> Result<(ChangeRecord, AuditLog)> {
    // An older one is found by its lines, without reading those of others.
    let latest = newest(cx, |_| true)?;
    if let Some(record) = pick(&latest.records, id) {
        let record = record.clone();
        return Ok((record, latest));
    }
    let older = if latest.has_older && id.len() >= SHORTEST { naming(cx, id)? } else { Vec::new() };
    match pick(&older, id) {
        Some(record) => {
            let record = record.clone();
            Ok((record, AuditLog { records: older, ..latest }))
        }
        None => Err(Error::NotFound {
            what: "change",
            name: id.to_owned(),
            candidates: latest.records.iter().rev().map(|record| record.id.clone()).collect(),
        }),
    }
}

fn pick<'a>(records: &'a [ChangeRecord], id: &str) -> Option<&'a ChangeRecord> {
    if let Some(exact) = records.iter().find(|record| record.id == id) {
        return Some(exact);
    }
    let begins = |record: &&ChangeRecord| id.len() >= SHORTEST && record.id.starts_with(id);
    let mut found = records.iter().filter(begins);
    found.next().filter(|_| found.next().is_none())
}

/// The changes of all lines that name one whose id begins so.
fn naming(cx: &Session, id: &str) -> Result<Vec<ChangeRecord>> {
    let quoted = format!("\"{id}");
    let finder = memchr::memmem::Finder::new(&quoted);
    let mut events: Vec<Event> = Vec::new();
    cx.audit_log().blocks(|block| {
        let mut from = 0;
        while let Some(at) = finder.find(&block.as_bytes()[from..]).map(|at| from + at) {
            let begin = block[..at].rfind('\n').map_or(0, |at| at + 1);
            let end = block[at..].find('\n').map_or(block.len(), |end| at + end);
            if events.len() < NAMED {
                events.extend(serde_json::from_str::<Event>(&block[begin..end]).ok());
            }
            from = end;
        }
    })?;
    let mut records = changes(&events);
    records.retain(|record| !record.command.is_empty());
    Ok(records)
}

/// All of the log, checked.
#[derive(Debug, Default)]
pub struct AuditCheck {
    pub events: usize,
    pub changes: usize,
    /// Changes that were begun and have no end.
    pub unfinished: Vec<String>,
    pub faults: Vec<Fault>,
    /// The half-written last line.
    pub torn: Option<String>,
    /// The journals of incidents that are not as they were written, by id with what is wrong.
    pub incidents: Vec<(String, Vec<String>)>,
}

/// Verifies every line, in passing.
pub fn verify(cx: &Session) -> Result<AuditCheck> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let mut check = AuditCheck::default();
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut without_beginning: HashSet<String> = HashSet::new();
    let (faults, torn) = cx.audit_log().verify(|event: &Line<'_>| {
        check.events += 1;
        let ends = match event.kind.as_ref() {
            "change.begun" => false,
            "change.done" | "change.failed" => true,
            _ => return,
        };
        let Some(Named { id }) = serde_json::from_str(event.data.get()).ok() else {
            return;
        };
        match ends {
            false => check.changes += usize::from(open.insert(id, check.events).is_none()),
            true if open.remove(&id).is_some() => {}
            true => check.changes += usize::from(without_beginning.insert(id)),
        }
    })?;
    let mut open: Vec<(usize, String)> = open.into_iter().map(|(id, place)| (place, id)).collect();
    open.sort_unstable();
    let unfinished = open.into_iter().map(|(_, id)| id).collect();
    Ok(AuditCheck { unfinished, faults, torn, incidents: odd_incidents(cx), ..check })
}

/// As the steps of an incident complain of it.
fn odd_incidents(cx: &Session) -> Vec<(String, Vec<String>)> {
    let Ok(store) = store(cx) else { return Vec::new() };
    let odd = |id: String| match store.log(&id) {
        Ok(log) => (!log.faults.is_empty()).then_some((id, log.faults)),
        Err(error) => Some((id, vec![error.to_string()])),
    };
    store.ids().unwrap_or_default().into_iter().filter_map(odd).collect()
}
