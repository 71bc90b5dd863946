//! Changes as the audit log tells of them: `begun`, `done` and `failed` events paired by the change's id. No IO.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::change::journal::{Event, Line};
use crate::change::scope::ChangeOrigin;
use crate::change::undo::Undo;

/// Errors after which nobody knows whether the change happened.
const UNCLEAR: [&str; 4] = ["timeout", "unreachable", "malformed", "half_done"];

/// After an error of this kind, does nobody know whether the change happened?
pub fn is_unclear(kind: &str) -> bool {
    UNCLEAR.contains(&kind)
}

/// The action of a step that only looks: it is in the log, and changes nothing.
pub const LOOK: &str = "runbook.look";

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeState {
    /// It happened, and holds.
    Done,
    /// It happened, and was reverted by another change.
    Undone,
    /// It did not happen.
    Failed,
    /// It failed in a way that leaves open whether it happened.
    Unclear,
    /// It was begun, and nothing is known of its end: liveops died, or is still at it.
    Unfinished,
}

impl ChangeState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Undone => "undone",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
            Self::Unfinished => "unfinished",
        }
    }

    /// Is it known to have happened?
    pub fn is_certain(self) -> bool {
        matches!(self, Self::Done | Self::Undone)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeRecord {
    pub id: String,
    pub state: ChangeState,
    /// When it was begun.
    pub at: DateTime<Utc>,
    pub ended: Option<DateTime<Utc>>,
    pub by: String,
    pub environment: String,
    /// Where it was made; an old record does not say.
    #[serde(flatten)]
    pub origin: Option<ChangeOrigin>,
    /// Such as `silence.add`.
    pub action: String,
    pub summary: String,
    /// What was typed.
    pub command: String,
    pub result: Option<Value>,
    pub error: Option<String>,
    pub undo: Option<Undo>,
    /// The change that this one reverts.
    pub undoes: Option<String>,
    /// The change that reverted this one.
    pub undone_by: Option<String>,
}

impl ChangeRecord {
    /// Where it was made, for people: `prod of starfall`.
    pub fn place(&self) -> String {
        match &self.origin {
            Some(ChangeOrigin { project: Some(project), .. }) => format!("{} of {project}", self.environment),
            Some(_) => self.environment.clone(),
            None => format!("{}, place unknown", self.environment),
        }
    }
}

fn text(data: &Value, key: &str) -> Option<String> {
    data.get(key)?.as_str().map(ToOwned::to_owned)
}

fn undo(data: &Value) -> Option<Undo> {
    serde_json::from_value(data.get("undo")?.clone()).ok()
}

/// The changes, oldest first. Events of other kinds are passed over; an end without a beginning is kept, since it is
/// evidence all the same.
pub fn changes(events: &[Event]) -> Vec<ChangeRecord> {
    let mut all: Vec<ChangeRecord> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for event in events {
        let ends = matches!(event.kind.as_str(), "change.done" | "change.failed");
        if !ends && event.kind != "change.begun" {
            continue;
        }
        let Some(id) = text(&event.data, "id") else {
            continue;
        };
        let place = *places.entry(id.clone()).or_insert_with(|| {
            all.push(begun(id, event));
            all.len() - 1
        });
        if ends {
            end(&mut all[place], event);
        }
    }
    let reverted: Vec<(String, String)> = all
        .iter()
        .filter(|record| record.state == ChangeState::Done)
        .filter_map(|record| Some((record.undoes.clone()?, record.id.clone())))
        .collect();
    for (id, by) in reverted {
        if let Some(place) = places.get(&id) {
            all[*place].state = ChangeState::Undone;
            all[*place].undone_by = Some(by);
        }
    }
    all
}

/// Changes put together from events that come the newest first: no more is held than ends that wait for their beginning.
#[derive(Debug, Default)]
pub struct NewestFirst {
    ends: HashMap<String, Event>,
    /// What was reverted, and by which change.
    reverted: HashMap<String, String>,
}

impl NewestFirst {
    /// The change that this event began; events of other kinds are passed over.
    pub fn take(&mut self, event: &Line<'_>) -> Option<ChangeRecord> {
        let ends = matches!(event.kind.as_ref(), "change.done" | "change.failed");
        if !ends && event.kind.as_ref() != "change.begun" {
            return None;
        }
        let event = event.opened();
        let id = text(&event.data, "id")?;
        if ends {
            self.ends.entry(id).or_insert(event);
            return None;
        }
        let mut record = begun(id, &event);
        if let Some(last) = self.ends.remove(&record.id) {
            end(&mut record, &last);
        }
        Some(self.finished(record))
    }

    /// The ends that have no beginning among the events: they are evidence all the same.
    pub fn without_beginning(mut self) -> Vec<ChangeRecord> {
        let mut ends: Vec<(String, Event)> = self.ends.drain().collect();
        ends.sort_by_key(|(_, event)| std::cmp::Reverse(event.seq));
        let one = |(id, event): (String, Event)| {
            let mut record = begun(id, &event);
            end(&mut record, &event);
            self.finished(record)
        };
        ends.into_iter().map(one).collect()
    }

    fn finished(&mut self, mut record: ChangeRecord) -> ChangeRecord {
        if let (ChangeState::Done, Some(reverted)) = (record.state, &record.undoes) {
            self.reverted.entry(reverted.clone()).or_insert_with(|| record.id.clone());
        }
        if let Some(by) = self.reverted.remove(&record.id) {
            record.state = ChangeState::Undone;
            record.undone_by = Some(by);
        }
        record
    }
}

fn begun(id: String, event: &Event) -> ChangeRecord {
    let said = |key: &str| text(&event.data, key).unwrap_or_default();
    ChangeRecord {
        id,
        state: ChangeState::Unfinished,
        at: event.at,
        ended: None,
        by: event.by.clone(),
        environment: said("environment"),
        // Whoever writes where it was made always names the project, if only as none.
        origin: event.data.get("project").and_then(|_| serde_json::from_value(event.data.clone()).ok()),
        action: said("action"),
        summary: said("summary"),
        command: said("command"),
        result: None,
        error: None,
        undo: undo(&event.data),
        undoes: text(&event.data, "undoes"),
        undone_by: None,
    }
}

fn end(record: &mut ChangeRecord, event: &Event) {
    record.ended = Some(event.at);
    if event.kind == "change.done" {
        record.state = ChangeState::Done;
        record.result = event.data.get("result").cloned();
        record.undo = undo(&event.data);
        return;
    }
    record.error = text(&event.data, "error");
    let kind = text(&event.data, "kind").unwrap_or_default();
    record.state = if is_unclear(&kind) { ChangeState::Unclear } else { ChangeState::Failed };
}

/// What `undo` without an id may revert of those that are `eligible`, the latest first: changes that hold, and those of
/// which it is not known whether they happened. An undo is no candidate, but an undo of an undo is: it does again what
/// the first change did.
pub fn undoable(records: &[ChangeRecord], eligible: impl Fn(&ChangeRecord) -> bool) -> Vec<&ChangeRecord> {
    let reverts: HashMap<&str, &str> =
        records.iter().filter_map(|record| Some((record.id.as_str(), record.undoes.as_deref()?))).collect();
    // A journal that was tampered with may hold a circle.
    let is_undo = |id: &str| {
        std::iter::successors(reverts.get(id), |id| reverts.get(**id)).take(records.len() + 1).count() % 2 == 1
    };
    let open = |record: &&ChangeRecord| {
        eligible(record)
            && record.undo.is_some()
            && !is_undo(&record.id)
            && !matches!(record.state, ChangeState::Undone | ChangeState::Failed)
    };
    records.iter().rev().filter(open).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A change that was begun.
    pub(crate) fn record(id: &str) -> ChangeRecord {
        changes(&[begin(id, None)]).remove(0)
    }

    fn here(environment: &'static str) -> impl Fn(&ChangeRecord) -> bool {
        move |record| record.environment == environment
    }

    fn event(kind: &str, data: Value) -> Event {
        Event {
            seq: 1,
            id: None,
            at: DateTime::from_timestamp(1_700_000_000, 0).expect("in range"),
            by: "ada".into(),
            kind: kind.into(),
            data,
            hash: String::new(),
        }
    }

    fn begin(id: &str, undoes: Option<&str>) -> Event {
        let undo = json!({ "do": "expire_silence", "id": "s", "expected": "2026-01-01T00:00:00Z" });
        event(
            "change.begun",
            json!({ "id": id, "action": "silence.add", "environment": "staging", "project": null, "summary": "x",
                "command": "liveops x", "undo": undo, "undoes": undoes }),
        )
    }

    fn done(id: &str) -> Event {
        let undo = json!({ "do": "expire_silence", "id": "s", "expected": "2026-01-01T00:00:00Z" });
        event("change.done", json!({ "id": id, "result": { "n": 1 }, "undo": undo }))
    }

    fn failed(id: &str, kind: &str) -> Event {
        event("change.failed", json!({ "id": id, "error": "no", "kind": kind }))
    }

    #[test]
    fn events_become_changes_with_their_state() {
        let events = [
            begin("a", None),
            begin("b", None),
            done("a"),
            failed("b", "rejected"),
            begin("c", None),
            failed("c", "timeout"),
            begin("d", None),
            event("journal.repaired", json!({})),
            begin("e", Some("a")),
            done("e"),
        ];
        let states: Vec<(String, &str)> =
            changes(&events).into_iter().map(|record| (record.id, record.state.word())).collect();
        let want = [("a", "undone"), ("b", "failed"), ("c", "unclear"), ("d", "unfinished"), ("e", "done")];
        assert_eq!(states, want.map(|(id, state)| (id.to_owned(), state)));
    }

    #[test]
    fn the_newest_first_are_the_same_changes() {
        let mut events =
            vec![begin("a", None), begin("b", None), done("a"), failed("b", "timeout"), begin("u", Some("a"))];
        events.extend([done("u"), begin("r", Some("u")), failed("r", "conflict"), begin("d", None), done("lost")]);
        for (n, event) in events.iter_mut().enumerate() {
            event.seq = n as u64;
        }
        let lines: Vec<String> = events.iter().map(|event| serde_json::to_string(event).expect("JSON")).collect();
        let mut pairs = NewestFirst::default();
        let taken = lines.iter().rev().filter_map(|line| pairs.take(&serde_json::from_str(line).expect("a line")));
        let mut found: Vec<ChangeRecord> = taken.collect();
        found.extend(pairs.without_beginning());
        found.sort_by(|a, b| a.id.cmp(&b.id));
        let mut want = changes(&events);
        want.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(found, want);
    }

    #[test]
    fn an_undo_that_failed_undoes_nothing() {
        let records = changes(&[begin("a", None), done("a"), begin("u", Some("a")), failed("u", "conflict")]);
        assert_eq!(records[0].state, ChangeState::Done);
        assert_eq!(undoable(&records, here("staging"))[0].id, "a");
    }

    #[test]
    fn the_next_to_undo_is_the_latest_that_holds() {
        let ids = |events: &[Event]| -> Vec<String> {
            undoable(&changes(events), here("staging")).iter().map(|record| record.id.clone()).collect()
        };
        let mut events = vec![begin("a", None), done("a"), begin("b", None), done("b")];
        assert_eq!(ids(&events), ["b", "a"]);
        events.extend([begin("u", Some("b")), done("u")]);
        assert_eq!(ids(&events), ["a"], "neither what is undone nor the undo");
        events.extend([begin("r", Some("u")), done("r")]);
        assert_eq!(ids(&events), ["r", "a"], "the undo of an undo is a change");
        assert!(undoable(&changes(&events), here("prod")).is_empty());
    }

    #[test]
    fn a_circle_does_not_hang() {
        let records = changes(&[begin("a", Some("b")), begin("b", Some("a"))]);
        assert!(undoable(&records, here("staging")).len() <= 2);
    }
}
