//! The one event type and its hash chain: the audit log and, later, incident journals are lists of these. No IO.
//!
//! A line is the event's JSON with its hash as the last member. The hash is SHA-256 over the previous hash, a
//! newline, and the line's own bytes without the hash, so nothing has to be put in a canonical form to verify it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The hash before the first event.
pub(crate) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The kind of event that notes, at the next append, that lines were removed.
pub(crate) const TAMPERED: &str = "journal.tampered";

/// Something that happened. Never edited; corrections are further events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// Place in the journal, from 1.
    pub(crate) seq: u64,
    /// When it was written.
    pub(crate) at: DateTime<Utc>,
    /// Who did it.
    pub(crate) by: String,
    /// What kind, such as `change.begun`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What exactly.
    pub(crate) data: Value,
    /// The chain.
    pub(crate) hash: String,
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

/// Seals the next event: the line to write, without its newline, and the event.
pub(crate) fn seal(
    head: &Head,
    at: DateTime<Utc>,
    by: &str,
    kind: &str,
    data: Value,
) -> (String, Event) {
    #[derive(Serialize)]
    struct Open<'a> {
        seq: u64,
        at: String,
        by: &'a str,
        #[serde(rename = "type")]
        kind: &'a str,
        data: &'a Value,
    }
    let at_text = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let seq = head.seq + 1;
    let open = serde_json::to_string(&Open {
        seq,
        at: at_text,
        by,
        kind,
        data: &data,
    })
    .expect("strings and JSON values always serialise");
    let hash = link(&head.hash, open.as_bytes());
    let line = format!("{},\"hash\":\"{hash}\"}}", &open[..open.len() - 1]);
    let event = Event {
        seq,
        at,
        by: by.into(),
        kind: kind.into(),
        data,
        hash,
    };
    (line, event)
}

/// Reads a line and checks that it continues `head`.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn open(head: &Head, line: &str) -> Result<Event, String> {
    let event: Event =
        serde_json::from_str(line).map_err(|error| format!("is not an event: {error}"))?;
    let tail = format!(",\"hash\":\"{}\"}}", event.hash);
    let body = line
        .strip_suffix(&tail)
        .ok_or("does not end with its hash, so it was edited")?;
    if event.seq != head.seq + 1 {
        return Err(format!(
            "has number {}, and {} was expected: lines were removed, added or reordered",
            event.seq,
            head.seq + 1
        ));
    }
    if link(&head.hash, format!("{body}}}").as_bytes()) != event.hash {
        return Err("does not match its hash: it, or the line before it, was edited".into());
    }
    Ok(event)
}

/// Checks a whole journal, and that it has not been cut short of `known`, the head that was last written down.
/// After a fault it goes on from the next line as it stands, so that one edit is reported as one.
pub(crate) fn verify<'a>(
    lines: impl Iterator<Item = &'a str>,
    known: Option<&Head>,
) -> (Vec<Event>, Vec<Fault>) {
    let mut head = Head::default();
    let mut events = Vec::new();
    let mut faults = Vec::new();
    let mut seen = known.is_none_or(|known| known.seq == 0);
    for (index, line) in lines.enumerate() {
        let event = match open(&head, line) {
            Ok(event) => event,
            Err(what) => {
                faults.push(Fault {
                    line: index + 1,
                    what,
                });
                let Ok(event) = serde_json::from_str::<Event>(line) else {
                    continue;
                };
                event
            }
        };
        if event.kind == TAMPERED {
            let what = format!("events before it were removed: {}", event.data);
            faults.push(Fault {
                line: index + 1,
                what,
            });
            seen = true;
        }
        head = Head {
            seq: event.seq,
            hash: event.hash.clone(),
        };
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

fn link(previous: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(previous.as_bytes());
    hash.update(b"\n");
    hash.update(body);
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
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
            let (line, event) = seal(
                &head,
                at,
                "ada",
                "change.done",
                json!({ "n": n, "text": "é \" }" }),
            );
            head = Head {
                seq: event.seq,
                hash: event.hash,
            };
            lines.push(line);
        }
        (lines, head)
    }

    fn faults(lines: &[String], head: &Head) -> Vec<Fault> {
        verify(lines.iter().map(String::as_str), Some(head)).1
    }

    #[test]
    fn an_untouched_journal_has_no_faults() {
        let (lines, head) = journal(5);
        assert_eq!(faults(&lines, &head), []);
        let (events, _) = verify(lines.iter().map(String::as_str), None);
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
}
