//! Whatever happened in whatever order, and however often it was merged: the state is the same, and whole.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;

use crate::change::journal::Event;
use crate::incident::deadline::{DeadlineState, deadlines};
use crate::incident::event::kind;
use crate::incident::severity::Severities;
use crate::incident::state::{Incident, in_order, replay};
use crate::incident::transition::Phase;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("in range")
}

fn event(n: usize, seconds: i64, what: usize) -> Event {
    let kinds = [
        (kind::NOTE, json!({ "text": "x" })),
        (kind::ACKED, json!({})),
        (kind::MITIGATED, json!({ "text": "rolled back" })),
        (kind::RESOLVED, json!({})),
        (kind::REOPENED, json!({})),
        (kind::SEVERITY, json!({ "severity": "p1" })),
        (kind::SEVERITY, json!({ "severity": "p4" })),
        (kind::ROLE, json!({ "role": "commander", "person": "eve" })),
        (kind::ESCALATED, json!({ "to": "lead" })),
        (kind::AMENDED, json!({ "field": "acknowledged_at", "to": "2026-09-21T14:13:25Z" })),
        (kind::AMENDED, json!({ "field": "title", "to": "y" })),
        ("triage.answered", json!({ "text": "of somebody else" })),
        (kind::SEVERITY, json!("of no known shape")),
    ];
    let (kind, data) = kinds[what % kinds.len()].clone();
    Event {
        seq: n as u64,
        id: Some(format!("{n:08x}")),
        at: start() + TimeDelta::seconds(seconds),
        by: ["ada", "bob"][n % 2].into(),
        kind: kind.into(),
        data,
        hash: String::new(),
    }
}

/// A history: its opening, then anything at any time, before the opening too.
fn history() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((-100_i64..10_000, 0_usize..13), 0..40).prop_map(|steps| {
        let mut all = vec![Event {
            kind: kind::OPENED.into(),
            data: json!({ "severity": "p2", "title": "x" }),
            ..event(0, 0, 0)
        }];
        all.extend(steps.into_iter().enumerate().map(|(n, (seconds, what))| event(n + 1, seconds, what)));
        all
    })
}

fn state(events: &[Event]) -> Incident {
    replay("i", &in_order(events.to_vec())).expect("opened")
}

proptest! {
    #[test]
    fn order_and_copies_do_not_matter(
        (events, shuffled, copies) in history().prop_flat_map(|events| {
            let some = prop::sample::subsequence(events.clone(), 0..=events.len());
            (Just(events.clone()), Just(events).prop_shuffle(), some)
        })
    ) {
        let want = state(&events);
        prop_assert_eq!(&state(&shuffled), &want);
        let mut doubled = shuffled;
        doubled.extend(copies);
        prop_assert_eq!(&state(&doubled), &want);
        prop_assert_eq!(want.events, events.len());
    }

    #[test]
    fn copies_that_were_merged_either_way_agree(
        (events, ours, theirs) in history().prop_flat_map(|events| {
            let part = || prop::sample::subsequence(events.clone(), 0..=events.len());
            (Just(events.clone()), part(), part())
        })
    ) {
        let opening = &events[..1];
        let join = |a: &[Event], b: &[Event]| in_order([opening, a, b].concat());
        prop_assert_eq!(join(&ours, &theirs), join(&theirs, &ours));
        let once = join(&ours, &theirs);
        prop_assert_eq!(in_order([&once[..], &ours[..]].concat()), once);
    }

    #[test]
    fn a_state_is_whole(events in history()) {
        let incident = state(&events);
        let has = |phase| incident.phase >= phase;
        prop_assert_eq!(has(Phase::Acknowledged), incident.acknowledged.recorded.is_some());
        prop_assert_eq!(has(Phase::Mitigated), incident.mitigated.recorded.is_some());
        prop_assert_eq!(has(Phase::Resolved), incident.resolved.recorded.is_some());
        prop_assert_eq!(incident.grades.last().map(|grade| grade.severity), Some(incident.severity));
    }

    #[test]
    fn what_was_missed_stays_missed(events in history(), later in 0_i64..100_000) {
        let table = Severities::default();
        let now = start() + TimeDelta::seconds(10_000);
        let incident = state(&events);
        let before = deadlines(&incident, &table, now);
        let mut after = events;
        for (n, field) in ["acknowledged_at", "mitigated_at", "detected_at", "started_at"].iter().enumerate() {
            let mut amended = event(1000 + n, 10_000, 0);
            amended.kind = kind::AMENDED.into();
            amended.data = json!({ "field": field, "to": start() - TimeDelta::hours(1) });
            after.push(amended);
        }
        let after = deadlines(&state(&after), &table, now + TimeDelta::seconds(later));
        for (old, new) in before.iter().zip(&after) {
            prop_assert_eq!(old.duty, new.duty);
            if old.standing == DeadlineState::Breached {
                prop_assert_eq!(new.standing, DeadlineState::Breached);
                prop_assert_eq!(new.due, old.due);
            }
        }
    }
}
