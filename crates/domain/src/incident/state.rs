//! The state of an incident: the replay of its journal, whatever the order and number of its events.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::change::journal::{Data, Event, order};
use crate::incident::calls::Call;
use crate::incident::event::{
    Amended, Changed, Delivery, Escalated, Evidence, Field, HandedOff, Opened, PhaseChanged, RoleAssigned,
    SeverityChanged, Signal, kind,
};
use crate::incident::severity::Severity;
use crate::incident::transition::Phase;

/// One of the times that an incident is measured by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When it was written down.
    pub recorded: Option<DateTime<Utc>>,
    /// When it happened, as was said then or corrected later.
    pub stated: Option<DateTime<Utc>>,
}

impl Moment {
    /// When it happened, to the best of what is known.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        self.stated.or(self.recorded)
    }

    fn set(&mut self, at: DateTime<Utc>, stated: Option<DateTime<Utc>>) {
        self.recorded = Some(at);
        self.stated = stated;
    }
}

/// A severity, from when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grade {
    pub at: DateTime<Utc>,
    pub severity: Severity,
}

/// An incident as it stands after its last event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    pub phase: Phase,
    pub environment: String,
    pub service: Option<String>,
    pub alert: Option<String>,
    pub runbook: Option<String>,
    /// What made it, as was said.
    pub cause: Option<String>,
    pub group_key: Option<String>,
    pub opened_by: String,
    pub acked_by: Option<String>,
    /// Users began to feel it.
    pub started: Moment,
    /// It became known: the opening.
    pub detected: Moment,
    pub acknowledged: Moment,
    pub mitigated: Moment,
    pub resolved: Moment,
    /// The postmortem was done.
    pub postmortem: Moment,
    /// When it was reopened last.
    pub reopened: Option<DateTime<Utc>>,
    /// Each severity that it had.
    pub grades: Vec<Grade>,
    /// Role → person.
    pub roles: BTreeMap<String, String>,
    /// Everybody who wrote into the journal.
    pub people: BTreeSet<String>,
    pub escalations: Vec<DateTime<Utc>>,
    /// The last correction of each field, with when it was made.
    pub amended: BTreeMap<Field, DateTime<Utc>>,
    pub evidence: Vec<Evidence>,
    /// The alerts of its group: fingerprint → last signal.
    pub signals: BTreeMap<String, Signal>,
    /// Message → how it went last.
    pub deliveries: BTreeMap<String, Delivery>,
    /// What calls for somebody: the id of the event → where that stands.
    pub calls: BTreeMap<String, Call>,
    pub notes: usize,
    pub events: usize,
    pub last_event: DateTime<Utc>,
}

impl Incident {
    /// The person to talk to: the commander, or who acknowledged.
    pub fn lead(&self) -> Option<&str> {
        self.roles.get("commander").or(self.acked_by.as_ref()).map(String::as_str)
    }
}

/// Puts events in the order in which they happened, each once: the opening, then by [`Event::clock`], then by id.
pub fn in_order<D, S: AsRef<str>>(mut events: Vec<Event<D, S>>) -> Vec<Event<D, S>> {
    fn key<D, S: AsRef<str>>(event: &Event<D, S>) -> (bool, i64, &str) {
        let id = event.id.as_ref().map_or("", AsRef::as_ref);
        (event.kind.as_ref() != kind::OPENED, event.clock(), id)
    }
    if is_in_order(&events) {
        return events;
    }
    events.sort_by(|a, b| key(a).cmp(&key(b)));
    // Copies of an event stand side by side now, unless one was forged with another time; the first is kept.
    let mut seen = HashSet::with_capacity(events.len());
    let keep: Vec<bool> =
        events.iter().map(|event| event.id.as_ref().is_none_or(|id| seen.insert(id.as_ref()))).collect();
    let mut keep = keep.into_iter();
    events.retain(|_| keep.next().unwrap_or(true));
    events
}

/// Are they in order, and each of them once? That is what a journal without copies is, and what is to be seen at one look.
fn is_in_order<D, S: AsRef<str>>(events: &[Event<D, S>]) -> bool {
    let mut last: Option<(i64, &str)> = None;
    events.iter().enumerate().all(|(at, event)| {
        let id = event.id.as_ref().map(AsRef::as_ref);
        let Some(now) = id.and_then(|id| Some((order::clock_of(id)?, id))) else { return false };
        let follows = last.is_none_or(|last| last < now);
        last = Some(now);
        follows && (at == 0 || event.kind.as_ref() != kind::OPENED)
    })
}

/// A change that took longer has a line for its beginning and one for its end.
const QUICK: TimeDelta = TimeDelta::minutes(1);

/// The events that people read: of a change that ended soon, only its end.
pub fn without_quick_beginnings<D: Data, S: AsRef<str>>(events: &[Event<D, S>]) -> impl Iterator<Item = &Event<D, S>> {
    let id = |event: &Event<D, S>| Some(event.data.read::<Changed>()?.change);
    let is = |event: &Event<D, S>, kinds: &[&str]| kinds.contains(&event.kind.as_ref());
    let ends = events.iter().filter(|event| is(event, &[kind::CHANGE_DONE, kind::CHANGE_FAILED]));
    let ends: HashMap<String, DateTime<Utc>> = ends.filter_map(|event| Some((id(event)?, event.at))).collect();
    events.iter().filter(move |event| {
        let end = is(event, &[kind::CHANGE_BEGUN]).then(|| ends.get(&id(event)?)).flatten();
        end.is_none_or(|end| *end - event.at > QUICK)
    })
}

/// The incident that these events make; they must be [`in_order`]. `None` without an opening.
pub fn replay<D: Data, S: AsRef<str>>(id: &str, events: &[Event<D, S>]) -> Option<Incident> {
    let mut incident =
        events.iter().filter(|event| event.kind.as_ref() == kind::OPENED).find_map(|event| begin(id, event))?;
    for event in events {
        incident.apply(event);
    }
    Some(incident)
}

fn begin<D: Data, S: AsRef<str>>(id: &str, event: &Event<D, S>) -> Option<Incident> {
    let opened: Opened = event.data.read()?;
    let moment = |recorded, stated| Moment { recorded, stated };
    Some(Incident {
        id: id.to_owned(),
        title: opened.title,
        severity: opened.severity,
        phase: Phase::Open,
        environment: opened.environment,
        service: opened.service,
        alert: opened.alert,
        runbook: opened.runbook,
        cause: None,
        group_key: opened.group_key,
        opened_by: event.by.as_ref().to_owned(),
        acked_by: None,
        started: moment(Some(event.at), opened.started_at),
        detected: moment(Some(event.at), None),
        acknowledged: Moment::default(),
        mitigated: Moment::default(),
        resolved: Moment::default(),
        postmortem: Moment::default(),
        reopened: None,
        grades: vec![Grade { at: event.at, severity: opened.severity }],
        roles: BTreeMap::new(),
        people: BTreeSet::new(),
        escalations: Vec::new(),
        amended: BTreeMap::new(),
        evidence: Vec::new(),
        signals: BTreeMap::new(),
        deliveries: BTreeMap::new(),
        calls: BTreeMap::new(),
        notes: 0,
        events: 0,
        last_event: event.at,
    })
}

impl Incident {
    /// What an event makes of it.
    pub fn apply<D: Data, S: AsRef<str>>(&mut self, event: &Event<D, S>) {
        self.events += 1;
        // A clock that is behind does not write before what it follows.
        self.last_event = self.last_event.max(event.at);
        let at = self.last_event;
        if !self.people.contains(event.by.as_ref()) {
            self.people.insert(event.by.as_ref().to_owned());
        }
        self.follow_calls(event);
        match event.kind.as_ref() {
            kind::NOTE => self.notes += 1,
            kind::ACKED => self.ack(event.by.as_ref(), at, &moved(event)),
            kind::MITIGATED => self.mitigate(event.by.as_ref(), at, &moved(event)),
            kind::RESOLVED => self.resolve(event.by.as_ref(), at, &moved(event)),
            kind::REOPENED => self.reopen(at),
            kind::SEVERITY => {
                if let Some(graded) = event.data.read::<SeverityChanged>() {
                    self.severity = graded.severity;
                    self.grades.push(Grade { at, severity: graded.severity });
                }
            }
            kind::ROLE => {
                if let Some(roled) = event.data.read::<RoleAssigned>() {
                    self.roles.insert(roled.role, roled.person);
                }
            }
            kind::HANDOFF => {
                if let Some(handed) = event.data.read::<HandedOff>() {
                    self.roles.insert("commander".into(), handed.to);
                }
            }
            kind::ESCALATED if event.data.read::<Escalated>().is_some() => {
                self.escalations.push(at);
            }
            kind::AMENDED => {
                if let Some(amended) = event.data.read::<Amended>() {
                    self.amend(at, &amended);
                }
            }
            kind::EVIDENCE => self.evidence.extend(event.data.read::<Evidence>()),
            kind::SIGNAL => {
                if let Some(signal) = event.data.read::<Signal>() {
                    self.signals.insert(signal.fingerprint.clone(), signal);
                }
            }
            kind::NOTIFICATION => {
                if let Some(delivery) = event.data.read::<Delivery>() {
                    self.deliver(delivery);
                }
            }
            kind::POSTMORTEM => self.postmortem.set(at, None),
            _ => {}
        }
    }

    fn ack(&mut self, by: &str, at: DateTime<Utc>, moved: &PhaseChanged) {
        if self.acked_by.is_none() {
            self.acked_by = Some(by.to_owned());
            self.acknowledged.set(at, moved.occurred_at);
        }
        self.phase = self.phase.max(Phase::Acknowledged);
    }

    fn mitigate(&mut self, by: &str, at: DateTime<Utc>, moved: &PhaseChanged) {
        if self.phase >= Phase::Mitigated {
            return;
        }
        // Who mitigates has seen it.
        self.ack(by, at, moved);
        self.mitigated.set(at, moved.occurred_at);
        self.phase = Phase::Mitigated;
    }

    fn resolve(&mut self, by: &str, at: DateTime<Utc>, moved: &PhaseChanged) {
        if self.phase == Phase::Resolved {
            return;
        }
        self.mitigate(by, at, moved);
        self.resolved.set(at, moved.occurred_at);
        self.phase = Phase::Resolved;
    }

    fn reopen(&mut self, at: DateTime<Utc>) {
        if self.phase < Phase::Mitigated {
            return;
        }
        self.phase = Phase::Acknowledged;
        self.mitigated = Moment::default();
        self.resolved = Moment::default();
        self.reopened = Some(at);
    }

    fn amend(&mut self, at: DateTime<Utc>, amended: &Amended) {
        if amended.field.is_time() {
            let Ok(to) = amended.to.parse::<DateTime<Utc>>() else {
                return;
            };
            let moment = match amended.field {
                Field::StartedAt => &mut self.started,
                Field::DetectedAt => &mut self.detected,
                Field::AcknowledgedAt => &mut self.acknowledged,
                Field::MitigatedAt => &mut self.mitigated,
                Field::ResolvedAt => &mut self.resolved,
                Field::Title | Field::Service | Field::Alert | Field::Runbook | Field::Cause => return,
            };
            // A time of something that has not happened is none.
            if moment.recorded.is_none() {
                return;
            }
            moment.stated = Some(to);
        } else {
            match amended.field {
                Field::Title => self.title.clone_from(&amended.to),
                Field::Service => self.service = Some(amended.to.clone()),
                Field::Runbook => self.runbook = Some(amended.to.clone()),
                Field::Cause => self.cause = Some(amended.to.clone()),
                _ => self.alert = Some(amended.to.clone()),
            }
        }
        self.amended.insert(amended.field, at);
    }
}

fn moved<D: Data, S: AsRef<str>>(event: &Event<D, S>) -> PhaseChanged {
    event.data.read().unwrap_or_default()
}
