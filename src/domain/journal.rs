//! The one event type and its hash chain: the audit log and incident journals are lists of these. No IO.
//!
//! A line is the event's JSON with its hash as the last member. The hash is SHA-256 over the previous hash, a
//! newline, and the line's own bytes without the hash, so nothing has to be put in a canonical form to verify it.
//!
//! The chain is that of the lines as they came into this file: `seq` and `hash` say when a line arrived, `at` and `id`
//! when its event happened and which it is. What is merged in from another copy is appended and sealed here, so the
//! chain stays whole and nothing is rewritten. Where git merged two copies line by line, the file has a fork: each
//! line still continues a line above it, which [`Forks::Merged`] accepts.

use std::collections::HashMap;
use std::fmt::Display;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The hash before the first event.
pub(crate) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The kind of event that notes, at the next append, that lines were removed.
pub(crate) const TAMPERED: &str = "journal.tampered";

/// The data of an event: read, or left as text until somebody asks. A long journal is mostly data that nobody asks for.
pub(crate) trait Data: Display {
    /// The data as this type; `None` when it has another shape.
    fn read<T: DeserializeOwned>(&self) -> Option<T>;
}

impl Data for Value {
    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self).ok()
    }
}

impl Data for &RawValue {
    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        // By way of a value, so that the same text is the same data however it is read.
        serde_json::from_str::<Value>(self.get()).ok()?.read()
    }
}

/// Something that happened. Never edited; corrections are further events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event<D = Value> {
    /// Place in the journal, from 1.
    pub(crate) seq: u64,
    /// Which event it is in every copy of the journal, where a journal has copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// When it was written.
    pub(crate) at: DateTime<Utc>,
    /// Who did it.
    pub(crate) by: String,
    /// What kind, such as `change.begun`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What exactly.
    pub(crate) data: D,
    /// The chain.
    pub(crate) hash: String,
}

impl Event<&RawValue> {
    /// The event with its data read.
    pub(crate) fn opened(&self) -> Event {
        Event {
            seq: self.seq,
            id: self.id.clone(),
            at: self.at,
            by: self.by.clone(),
            kind: self.kind.clone(),
            data: self.data.read().unwrap_or_default(),
            hash: self.hash.clone(),
        }
    }
}

/// The end of a chain: what the next event continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.into(),
        }
    }
}

/// What is wrong with a line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// An event that has no place yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: Option<String>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: String,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Entry {
    /// An entry that stands in one journal only.
    pub(crate) fn new(at: DateTime<Utc>, by: &str, kind: &str, data: Value) -> Self {
        Self {
            id: None,
            at,
            by: by.into(),
            kind: kind.into(),
            data,
        }
    }
}

/// May lines continue another line than the one above them?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forks {
    /// No: one file, one writer's machine.
    Faults,
    /// Yes: copies of it are merged line by line, by git.
    Merged,
}

/// Seals the next event: the line to write, without its newline, and the event.
pub(crate) fn seal(head: &Head, entry: Entry) -> (String, Event) {
    #[derive(Serialize)]
    struct Open<'a> {
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        at: String,
        by: &'a str,
        #[serde(rename = "type")]
        kind: &'a str,
        data: &'a Value,
    }
    let seq = head.seq + 1;
    let open = serde_json::to_string(&Open {
        seq,
        id: entry.id.as_deref(),
        at: entry.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        by: &entry.by,
        kind: &entry.kind,
        data: &entry.data,
    })
    .expect("strings and JSON values always serialise");
    let body = &open[..open.len() - 1];
    let hash = link(&head.hash, body);
    let line = format!("{body},\"hash\":\"{hash}\"}}");
    let event = Event {
        seq,
        id: entry.id,
        at: entry.at,
        by: entry.by,
        kind: entry.kind,
        data: entry.data,
        hash,
    };
    (line, event)
}

/// The line without `,"hash":"…"}`.
fn body<'a>(line: &'a str, hash: &str) -> Option<&'a str> {
    line.strip_suffix("\"}")?
        .strip_suffix(hash)?
        .strip_suffix(",\"hash\":\"")
}

/// Reads a line and checks that it continues `head`.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn open(head: &Head, line: &str) -> Result<Event, String> {
    let event: Event =
        serde_json::from_str(line).map_err(|error| format!("is not an event: {error}"))?;
    follows(head, &event, line)?;
    Ok(event)
}

fn follows<D>(head: &Head, event: &Event<D>, line: &str) -> Result<(), String> {
    let body = body(line, &event.hash).ok_or("does not end with its hash, so it was edited")?;
    if event.seq != head.seq + 1 {
        return Err(format!(
            "has number {}, and {} was expected: lines were removed, added or reordered",
            event.seq,
            head.seq + 1
        ));
    }
    if link(&head.hash, body) != event.hash {
        return Err("does not match its hash: it, or the line before it, was edited".into());
    }
    Ok(())
}

/// The lines above, by their place: made when the first line does not continue the one above it.
#[derive(Default)]
struct Above {
    known: usize,
    by_seq: HashMap<u64, Vec<String>>,
}

impl Above {
    /// Does the line continue one of these events? And is it a second copy of one of them?
    fn admits<D>(&mut self, events: &[Event<D>], event: &Event<D>, line: &str) -> Option<Admitted> {
        for event in &events[self.known..] {
            let hashes = self.by_seq.entry(event.seq).or_default();
            hashes.push(event.hash.clone());
        }
        self.known = events.len();
        let at = |seq: u64| self.by_seq.get(&seq).map_or(&[][..], Vec::as_slice);
        let body = body(line, &event.hash)?;
        let before = event.seq.checked_sub(1)?;
        let genesis = [GENESIS.to_owned()];
        let parents = if before == 0 {
            &genesis[..]
        } else {
            at(before)
        };
        parents.iter().find(|hash| link(hash, body) == event.hash)?;
        Some(if at(event.seq).contains(&event.hash) {
            Admitted::Again
        } else {
            Admitted::Fork
        })
    }
}

enum Admitted {
    Fork,
    Again,
}

/// Checks a whole journal, and that it has not been cut short of `known`, the head that was last written down.
/// After a fault it goes on from the next line as it stands, so that one edit is reported as one.
pub(crate) fn verify<'a, D: Data + Deserialize<'a>>(
    lines: impl Iterator<Item = &'a str>,
    known: Option<&Head>,
    forks: Forks,
) -> (Vec<Event<D>>, Vec<Fault>) {
    let mut head = Head::default();
    let mut events: Vec<Event<D>> = Vec::new();
    let mut faults = Vec::new();
    let mut above = Above::default();
    let mut seen = known.is_none_or(|known| known.seq == 0);
    for (index, line) in lines.enumerate() {
        let fault = |what| Fault {
            line: index + 1,
            what,
        };
        let event: Event<D> = match serde_json::from_str(line) {
            Ok(event) => event,
            Err(error) => {
                faults.push(fault(format!("is not an event: {error}")));
                continue;
            }
        };
        if let Err(what) = follows(&head, &event, line) {
            let admitted = match forks {
                Forks::Merged => above.admits(&events, &event, line),
                Forks::Faults => None,
            };
            match admitted {
                Some(Admitted::Again) => continue,
                Some(Admitted::Fork) => {}
                None => faults.push(fault(what)),
            }
        }
        if event.kind == TAMPERED {
            faults.push(fault(format!(
                "events before it were removed: {}",
                event.data
            )));
            seen = true;
        }
        head.seq = event.seq;
        head.hash.clone_from(&event.hash);
        seen |= known == Some(&head);
        events.push(event);
    }
    if let (false, Some(known)) = (seen, known) {
        let what = format!(
            "event {} was written and is not here any more: lines were removed or rewritten",
            known.seq
        );
        faults.push(Fault {
            line: events.len() + 1,
            what,
        });
    }
    (events, faults)
}

/// The hash of a line: over the hash before it and its body, which is given without the closing brace.
fn link(previous: &str, body: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hash = Sha256::new();
    hash.update(previous.as_bytes());
    hash.update(b"\n");
    hash.update(body.as_bytes());
    hash.update(b"}");
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn journal(count: u64) -> (Vec<String>, Head) {
        let mut head = Head::default();
        let mut lines = Vec::new();
        for n in 0..count {
            let at = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
            let data = json!({ "n": n, "text": "é \" }" });
            let (line, event) = seal(&head, Entry::new(at, "ada", "change.done", data));
            head = Head {
                seq: event.seq,
                hash: event.hash,
            };
            lines.push(line);
        }
        (lines, head)
    }

    fn faults(lines: &[String], head: &Head) -> Vec<Fault> {
        verify::<Value>(lines.iter().map(String::as_str), Some(head), Forks::Faults).1
    }

    #[test]
    fn an_untouched_journal_has_no_faults() {
        let (lines, head) = journal(5);
        assert_eq!(faults(&lines, &head), []);
        let (events, _) = verify::<Value>(lines.iter().map(String::as_str), None, Forks::Faults);
        assert_eq!(events[4].data["n"], 4);
    }

    #[test]
    fn every_tampering_is_found() {
        let (lines, head) = journal(5);
        for at in 0..5 {
            let mut edited = lines.clone();
            edited[at] = edited[at].replace("ada", "bob");
            assert_eq!(faults(&edited, &head)[0].line, at + 1, "edited {at}");
            let mut removed = lines.clone();
            removed.remove(at);
            assert!(!faults(&removed, &head).is_empty(), "removed {at}");
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert!(!faults(&doubled, &head).is_empty(), "doubled {at}");
        }
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        assert!(!faults(&swapped, &head).is_empty());
        let mut spaced = lines;
        spaced[2] = spaced[2].replacen("\"seq\":", "\"seq\": ", 1);
        assert!(
            !faults(&spaced, &head).is_empty(),
            "even white space counts"
        );
        assert!(!faults(&[], &head).is_empty(), "all removed");
    }

    fn extend(lines: &[String], by: &str, count: usize) -> Vec<String> {
        let mut lines = lines.to_vec();
        let last: Event = serde_json::from_str(&lines[lines.len() - 1]).expect("an event");
        let mut head = Head {
            seq: last.seq,
            hash: last.hash,
        };
        for n in 0..count {
            let (line, event) = seal(&head, Entry::new(last.at, by, "note", json!(n)));
            head = Head {
                seq: event.seq,
                hash: event.hash,
            };
            lines.push(line);
        }
        lines
    }

    #[test]
    fn copies_that_git_merged_line_by_line_are_whole_and_edits_in_them_are_found() {
        let (base, _) = journal(3);
        let (ada, bob) = (extend(&base, "ada", 2), extend(&base, "bob", 3));
        let mut merged = ada;
        merged.extend_from_slice(&bob[3..]);
        let merged = extend(&merged, "eve", 1);
        let faults = |lines: &[String], forks| {
            verify::<Value>(lines.iter().map(String::as_str), None, forks)
                .1
                .len()
        };
        assert_eq!(faults(&merged, Forks::Merged), 0);
        assert!(faults(&merged, Forks::Faults) > 0);
        for at in 0..merged.len() {
            let mut edited = merged.clone();
            edited[at] = edited[at].replacen("\"by\":\"", "\"by\":\"x", 1);
            assert!(faults(&edited, Forks::Merged) > 0, "edited {at}");
            let mut removed = merged.clone();
            removed.remove(at);
            // The end of a side that nothing continues can be cut unseen; the head beside the file tells of one.
            let is_tip = at == 4 || at == merged.len() - 1;
            assert_eq!(faults(&removed, Forks::Merged) == 0, is_tip, "removed {at}");
        }
        let mut doubled = merged.clone();
        doubled.insert(4, merged[3].clone());
        let (events, found) =
            verify::<Value>(doubled.iter().map(String::as_str), None, Forks::Merged);
        assert_eq!((events.len(), found.len()), (merged.len(), 0));
    }
}
