//! The one event type and its hash chain: the audit log and incident journals are lists of these. No IO.
//!
//! A line is the event's JSON with its hash as the last member. The hash is SHA-256 over the previous hash, a
//! newline, and the line's own bytes without the hash, so nothing has to be put in a canonical form to verify it.
//!
//! The chain is that of the lines as they came into this file: `seq` and `hash` say when a line arrived, `at` and `id`
//! when its event happened and which it is. What is merged in from another copy is appended and sealed here, so the
//! chain stays whole and nothing is rewritten. Where git merged two copies line by line, the file has a fork: each
//! line still continues a line above it, which [`Forks::Merged`] accepts.
//!
//! The order of events is in their ids: each begins with a clock that is later than that of every event before it, and
//! that is the wall clock where the wall clock is later ([`order`]).

pub mod order;
mod verify;

use std::borrow::Cow;
use std::fmt::Display;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

pub use crate::change::journal::verify::{Chain, verify};

/// The hash before the first event.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The kind of event that notes, at the next append, that lines were removed.
pub const TAMPERED: &str = "journal.tampered";

/// The data of an event: read, or left as text until somebody asks. A long journal is mostly data that nobody asks for.
pub trait Data: Display {
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

/// Text of an event that stays in the pages it was read from, unless it has escapes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// An event as it stands in the pages: nothing is copied, and the data is not read.
pub type Line<'a> = Event<&'a RawValue, Text<'a>>;

/// Something that happened. Never edited; corrections are further events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event<D = Value, S = String> {
    /// Place in the journal, from 1.
    pub seq: u64,
    /// Which event it is in every copy of the journal, where a journal has copies.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub id: Option<S>,
    /// When it was written.
    #[serde(deserialize_with = "moment")]
    pub at: DateTime<Utc>,
    /// Who did it.
    pub by: S,
    /// What kind, such as `change.begun`.
    #[serde(rename = "type")]
    pub kind: S,
    /// What exactly.
    pub data: D,
    /// The chain.
    pub hash: S,
}

fn none<S>() -> Option<S> {
    None
}

/// A time as it is written here, by the reader that knows only that form; and as others may write it.
fn moment<'de, D: Deserializer<'de>>(text: D) -> Result<DateTime<Utc>, D::Error> {
    let text = Text::deserialize(text)?;
    let at = DateTime::parse_from_rfc3339(text.as_ref()).map_or_else(|_| text.as_ref().parse(), |at| Ok(at.to_utc()));
    at.map_err(D::Error::custom)
}

/// What the chain is made of, however much of the event was read.
pub trait Sealed {
    /// [`Event::seq`].
    fn seq(&self) -> u64;
    /// [`Event::hash`].
    fn hash(&self) -> &str;
    /// [`Event::kind`].
    fn kind(&self) -> &str;
    /// [`Event::data`], as text.
    fn said(&self) -> String;
}

impl<D: Data, S: AsRef<str>> Sealed for Event<D, S> {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn hash(&self) -> &str {
        self.hash.as_ref()
    }

    fn kind(&self) -> &str {
        self.kind.as_ref()
    }

    fn said(&self) -> String {
        self.data.to_string()
    }
}

impl<D, S: AsRef<str>> Event<D, S> {
    /// The place of the event in the order of all copies: see [`order`].
    pub fn clock(&self) -> i64 {
        let of_id = self.id.as_ref().and_then(|id| order::clock_of(id.as_ref()));
        of_id.unwrap_or_else(|| self.at.timestamp_millis())
    }
}

impl Line<'_> {
    /// The event with its data read.
    pub fn opened(&self) -> Event {
        let owned = |text: &Text<'_>| text.as_ref().to_owned();
        Event {
            seq: self.seq,
            id: self.id.as_ref().map(owned),
            at: self.at,
            by: owned(&self.by),
            kind: owned(&self.kind),
            data: self.data.read().unwrap_or_default(),
            hash: owned(&self.hash),
        }
    }
}

/// The end of a chain: what the next event continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub seq: u64,
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: GENESIS.into() }
    }
}

/// What is wrong with a line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub line: usize,
    pub what: String,
}

/// An event that has no place yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: Option<String>,
    pub at: DateTime<Utc>,
    pub by: String,
    pub kind: String,
    pub data: Value,
}

impl Entry {
    /// An entry that stands in one journal only.
    pub fn new(at: DateTime<Utc>, by: &str, kind: &str, data: Value) -> Self {
        Self { id: None, at, by: by.into(), kind: kind.into(), data }
    }
}

/// May lines continue another line than the one above them?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forks {
    /// No: one file, one writer's machine.
    Faults,
    /// Yes: copies of it are merged line by line, by git.
    Merged,
}

/// Seals the next event: the line to write, without its newline, and the event.
pub fn seal(head: &Head, entry: Entry) -> (String, Event) {
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
    let hash = String::from_utf8_lossy(&link(&head.hash, body)).into_owned();
    let line = format!("{body},\"hash\":\"{hash}\"}}");
    let event = Event { seq, id: entry.id, at: entry.at, by: entry.by, kind: entry.kind, data: entry.data, hash };
    (line, event)
}

/// The line without `,"hash":"…"}`.
fn body<'a>(line: &'a str, hash: &str) -> Option<&'a str> {
    line.strip_suffix("\"}")?.strip_suffix(hash)?.strip_suffix(",\"hash\":\"")
}

/// Reads a line and checks that it continues `head`.
///
/// # Errors
/// What is wrong, in words.
pub fn open(head: &Head, line: &str) -> Result<Event, String> {
    let event: Event = serde_json::from_str(line).map_err(|error| format!("is not an event: {error}"))?;
    follows((head.seq, &head.hash), &event, line)?;
    Ok(event)
}

fn follows<E: Sealed>((seq, hash): (u64, &str), event: &E, line: &str) -> Result<(), String> {
    let body = body(line, event.hash()).ok_or("does not end with its hash, so it was edited")?;
    if event.seq() != seq + 1 {
        return Err(format!(
            "has number {}, and {} was expected: lines were removed, added or reordered",
            event.seq(),
            seq + 1
        ));
    }
    if link(hash, body) != *event.hash().as_bytes() {
        return Err("does not match its hash: it, or the line before it, was edited".into());
    }
    Ok(())
}

/// The hash of a line, in hexadecimal digits: over the hash before it and its body, which is given without the closing
/// brace.
fn link(previous: &str, body: &str) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hash = Sha256::new();
    hash.update(previous.as_bytes());
    hash.update(b"\n");
    hash.update(body.as_bytes());
    hash.update(b"}");
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.finalize()) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    digits
}
