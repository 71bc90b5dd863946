//! Two incidents of one name in one journal: two people opened them in two clones, and git merged the files line by
//! line. They stay two: each gets a folder of its own.

use std::fs;

use crate::files::file::write_private;
use crate::files::incidents::Incidents;
use crate::files::journal::Pages;
use crate::files::open;
use liveops_domain::change::journal::{Event, Head, open as unseal};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::kind;
use liveops_domain::incident::name::numbered;

/// What every opening has in its line.
const OPENING: &[u8] = b"\"type\":\"incident.opened\"";

impl Incidents {
    /// The pages of an incident alone, and what is to be said where another one stands in its journal.
    pub(super) fn pages(&self, id: &str) -> Result<(Pages, Option<String>)> {
        let journal = self.journal(id);
        let pages = journal.pages()?;
        if memchr::memmem::find_iter(pages.text().as_bytes(), OPENING).nth(1).is_none() {
            return Ok((pages, None));
        }
        match self.split(id) {
            Ok(()) => Ok((journal.pages()?, None)),
            Err(error) => {
                let first = divide(pages.text()).swap_remove(0);
                let said = format!("another incident of this name is in it, and cannot be moved out: {error}");
                Ok((pages.only(first), Some(said)))
            }
        }
    }

    /// Gives each opening but the first a folder of its own, with the lines that go on from it, as they are.
    fn split(&self, id: &str) -> Result<()> {
        let journal = self.journal(id);
        let _lock = journal.lock()?;
        let io = |source| Error::Io { action: "split", path: journal.path().to_owned(), source };
        let text = open::read_text(journal.path()).map_err(io)?;
        let mut parts = divide(&text).into_iter();
        let Some(first) = parts.next() else {
            return Ok(());
        };
        let mut moved = false;
        for part in parts {
            let free = (2..=10_000).map(|n| numbered(id, n)).find(|id| !self.folder_of(id).exists());
            let free = free.ok_or_else(|| Error::internal("ten thousand incidents of one name"))?;
            write_private(self.journal(&free).path(), part.as_bytes()).map_err(io)?;
            moved = true;
        }
        if moved {
            write_private(journal.path(), first.as_bytes()).map_err(io)?;
            // It may name an event that stands elsewhere now.
            let _ = fs::remove_file(journal.beside("head"));
        }
        Ok(())
    }

    /// Are these events of the incident that has this name here?
    pub(super) fn must_be_same(&self, id: &str, events: &[Event]) -> Result<()> {
        if !self.journal(id).path().is_file() {
            return Ok(());
        }
        let here = self.log(id)?.events;
        let Some(theirs) = events.iter().find(|event| event.kind == kind::OPENED) else {
            return Ok(());
        };
        if here.iter().any(|event| event.kind == kind::OPENED && event.id != theirs.id) {
            return Err(Error::Conflict {
                what: format!("another incident of the name {id} was opened by {} at {}", theirs.by, theirs.at),
                hint: "its events are not mixed with those here; open one of the two again under another title".into(),
            });
        }
        Ok(())
    }
}

/// The lines that go on from one opening.
struct Part {
    /// When it was opened, and what tells it from another of that moment.
    opened: (i64, String),
    heads: Vec<Head>,
    lines: String,
}

/// The lines of each incident, the first that was opened first; a line that goes on from none of them stays with that.
fn divide(text: &str) -> Vec<String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut stray = String::new();
    for line in text.lines() {
        let event = serde_json::from_str::<Event>(line).ok();
        let before = event.as_ref().map(|event| event.seq.saturating_sub(1));
        let continues = |head: &Head| Some(head.seq) == before && unseal(head, line).is_ok();
        let mut place = parts.iter().rposition(|part| part.heads.iter().rev().any(continues));
        if let (Some(event), None) = (&event, place)
            && event.kind == kind::OPENED
            && event.seq == 1
        {
            if parts.iter().any(|part| part.opened.1 == event.hash) {
                continue;
            }
            let opened = (event.clock(), event.hash.clone());
            parts.push(Part { opened, heads: Vec::new(), lines: String::new() });
            place = Some(parts.len() - 1);
        }
        let lines = match place {
            Some(place) => {
                parts[place].heads.extend(event.map(|event| Head { seq: event.seq, hash: event.hash }));
                &mut parts[place].lines
            }
            None => &mut stray,
        };
        lines.push_str(line);
        lines.push('\n');
    }
    parts.sort_by(|a, b| a.opened.cmp(&b.opened));
    let mut texts: Vec<String> = parts.into_iter().map(|part| part.lines).collect();
    match texts.first_mut() {
        Some(first) => first.push_str(&stray),
        None => texts.push(stray),
    }
    texts
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use liveops_domain::incident::event::{Note, Opened};
    use liveops_domain::incident::severity::Severity;

    #[test]
    fn two_openings_that_git_put_together_are_two_incidents_again() {
        let at: DateTime<Utc> = "2026-11-22T03:00:00Z".parse().expect("a time");
        let dir = tempfile::tempdir().expect("temp dir");
        let opened = |environment: &str| Opened {
            severity: Severity::P1,
            title: "db down".into(),
            environment: environment.into(),
            service: None,
            alert: None,
            runbook: None,
            started_at: None,
            group_key: None,
        };
        let (ours, theirs) = (Incidents::at(dir.path().join("a")), Incidents::at(dir.path().join("b")));
        let id = ours.open(at, "ada", &opened("prod")).expect("open");
        assert_eq!(theirs.open(at + chrono::TimeDelta::minutes(1), "bob", &opened("staging")).expect("open"), id);
        let note = Note { text: "x".into() };
        for store in [&ours, &theirs] {
            store.append(&id, at, "eve", kind::NOTE, &note).expect("append");
        }
        theirs.append(&id, at, "bob", kind::MITIGATED, &serde_json::json!({})).expect("append");
        let error = ours.merge(&id, theirs.log(&id).expect("log").events).expect_err("another incident");
        assert!(error.to_string().contains("opened by bob"), "{error}");
        let text = |store: &Incidents| fs::read_to_string(store.journal(&id).path()).expect("read");
        for merged in [text(&ours) + &text(&theirs), text(&theirs) + &text(&ours)] {
            let store = Incidents::at(dir.path().join("merged"));
            write_private(store.journal(&id).path(), merged.as_bytes()).expect("write");
            let first = store.log(&id).expect("log");
            let second = store.log(&format!("{id}-2")).expect("log");
            assert_eq!((first.incident.environment.as_str(), first.events.len()), ("prod", 2));
            assert_eq!((second.incident.environment.as_str(), second.events.len()), ("staging", 3));
            assert!(first.faults.is_empty() && second.faults.is_empty(), "{:?} {:?}", first.faults, second.faults);
            fs::remove_dir_all(dir.path().join("merged")).expect("remove");
        }
    }
}
