//! What is due when, and what was missed. Judged by when things were written down: an amendment corrects the measures,
//! and never makes a missed deadline look kept.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::incident::severity::{Limit, Severities, Terms};
use crate::incident::state::{Grade, Incident, Moment};
use crate::incident::transition::Phase;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    Acknowledge,
    Mitigate,
    Postmortem,
}

impl Duty {
    pub fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Mitigate => "mitigate",
            Self::Postmortem => "postmortem",
        }
    }
}

/// How a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadlineState {
    /// There is time.
    Pending,
    /// Done in time.
    Kept,
    /// Not done in time, whether it was done later or not.
    Breached,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deadline {
    pub duty: Duty,
    pub due: DateTime<Utc>,
    pub standing: DeadlineState,
    /// When it was done, as written down.
    pub done: Option<DateTime<Utc>>,
    /// It was missed as written down, and is said to have been done in time.
    pub disputed: bool,
}

impl Deadline {
    /// Is it still to be done?
    pub fn is_open(&self) -> bool {
        self.done.is_none()
    }
}

/// The deadlines of an incident, in the order of its life.
pub fn deadlines(incident: &Incident, table: &Severities, now: DateTime<Utc>) -> Vec<Deadline> {
    let opened = incident.detected.recorded.unwrap_or(incident.last_event);
    let mut all = vec![judge(
        Duty::Acknowledge,
        opened,
        &incident.grades,
        |terms| Some(terms.acknowledge),
        &incident.acknowledged,
        (table, now),
    )];
    // A reopened incident has its time to mitigate anew.
    let from = incident.reopened.unwrap_or(opened);
    all.push(judge(
        Duty::Mitigate,
        from,
        &incident.grades,
        |terms| Some(terms.mitigate),
        &incident.mitigated,
        (table, now),
    ));
    if let (Phase::Resolved, Some(resolved)) = (incident.phase, incident.resolved.recorded) {
        all.push(judge(
            Duty::Postmortem,
            resolved,
            &incident.grades,
            |terms| terms.postmortem,
            &incident.postmortem,
            (table, now),
        ));
    }
    all.into_iter().flatten().collect()
}

/// The open deadline that comes first; one that is missed and still to be done comes before all.
pub fn next(deadlines: &[Deadline]) -> Option<&Deadline> {
    deadlines.iter().filter(|deadline| deadline.is_open()).min_by_key(|deadline| deadline.due)
}

/// One duty under each severity that the incident had while the duty was open. What was raised must be done within
/// the new limit from the raise on, and never later than before; what was lowered has the longer limit from the start.
fn judge(
    duty: Duty,
    from: DateTime<Utc>,
    grades: &[Grade],
    limit: impl Fn(&Terms) -> Option<Limit>,
    moment: &Moment,
    (table, now): (&Severities, DateTime<Utc>),
) -> Option<Deadline> {
    let done = moment.recorded;
    let until = done.unwrap_or(now);
    let mut due: Option<DateTime<Utc>> = None;
    let mut breached: Option<DateTime<Utc>> = None;
    for (place, grade) in grades.iter().enumerate() {
        if place > 0 && grade.at > until {
            break;
        }
        let end = grades.get(place + 1).map_or(until, |next| next.at.min(until));
        let raised = place > 0 && grade.severity < grades[place - 1].severity;
        let new = limit(table.terms(grade.severity)).map(|limit| {
            let start = if raised { grade.at.max(from) } else { from };
            let new = limit.after(start, &table.business_days);
            match due {
                Some(old) if raised => new.min(old),
                _ => new,
            }
        });
        due = new;
        if let Some(due) = due.filter(|due| *due < end) {
            breached.get_or_insert(due);
        }
    }
    let due = breached.or(due)?;
    let standing = match (breached, done) {
        (Some(_), _) => DeadlineState::Breached,
        (None, Some(_)) => DeadlineState::Kept,
        (None, None) => DeadlineState::Pending,
    };
    Some(Deadline {
        duty,
        due,
        standing,
        done,
        disputed: standing == DeadlineState::Breached && moment.stated.is_some_and(|stated| stated <= due),
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::{Value, json};

    use super::*;
    use crate::change::journal::Event;
    use crate::incident::event::kind;
    use crate::incident::state::replay;

    fn start() -> DateTime<Utc> {
        "2026-11-22T03:00:00Z".parse().expect("a time")
    }

    fn minute(n: i64) -> DateTime<Utc> {
        start() + TimeDelta::minutes(n)
    }

    fn event(n: i64, kind: &str, data: Value) -> Event {
        Event {
            seq: 1,
            id: Some(format!("{n}-{kind}")),
            at: minute(n),
            by: "ada".into(),
            kind: kind.into(),
            data,
            hash: String::new(),
        }
    }

    fn stand(events: &[(i64, &str, Value)], severity: &str, now: i64) -> Vec<String> {
        let mut all = vec![event(0, kind::OPENED, json!({ "severity": severity, "title": "x" }))];
        all.extend(events.iter().map(|(n, kind, data)| event(*n, kind, data.clone())));
        let incident = replay("i", &all).expect("opened");
        deadlines(&incident, &Severities::default(), minute(now))
            .iter()
            .map(|one| {
                let due = (one.due - start()).num_minutes();
                let disputed = if one.disputed { ", disputed" } else { "" };
                format!("{} {due} {:?}{disputed}", one.duty.word(), one.standing)
            })
            .collect()
    }

    #[test]
    fn deadlines_follow_the_table() {
        let ack = |n| (n, kind::ACKED, json!({}));
        assert_eq!(stand(&[], "p1", 3), ["acknowledge 5 Pending", "mitigate 30 Pending"]);
        assert_eq!(stand(&[], "p1", 6), ["acknowledge 5 Breached", "mitigate 30 Pending"]);
        assert_eq!(stand(&[ack(4)], "p1", 40), ["acknowledge 5 Kept", "mitigate 30 Breached"]);
        assert_eq!(
            stand(&[ack(7), (20, kind::RESOLVED, json!({}))], "p2", 40),
            ["acknowledge 15 Kept", "mitigate 30 Kept", "postmortem 2900 Pending"]
        );
        assert_eq!(
            stand(&[(20, kind::RESOLVED, json!({}))], "p3", 40),
            ["acknowledge 60 Kept", "mitigate 120 Kept"],
            "a P3 needs no postmortem"
        );
    }

    #[test]
    fn a_raise_gives_the_new_limit_from_then_and_never_more_time() {
        let grade = |n, severity: &str| (n, kind::SEVERITY, json!({ "severity": severity }));
        assert_eq!(stand(&[grade(50, "p1")], "p3", 52), ["acknowledge 55 Pending", "mitigate 80 Pending"]);
        assert_eq!(stand(&[grade(58, "p2")], "p3", 59), ["acknowledge 60 Pending", "mitigate 88 Pending"]);
        assert_eq!(
            stand(&[grade(3, "p3")], "p1", 40),
            ["acknowledge 60 Pending", "mitigate 120 Pending"],
            "lowered in time"
        );
        assert_eq!(
            stand(&[grade(10, "p3")], "p1", 40),
            ["acknowledge 5 Breached", "mitigate 120 Pending"],
            "lowering does not undo a miss"
        );
    }

    #[test]
    fn a_miss_stays_whatever_is_said_later() {
        let amend = json!({ "field": "acknowledged_at", "to": "2026-11-22T03:04:00Z" });
        assert_eq!(
            stand(&[(9, kind::ACKED, json!({})), (60, kind::AMENDED, amend)], "p1", 70)[0],
            "acknowledge 5 Breached, disputed"
        );
        let late = json!({ "occurred_at": "2026-11-22T03:20:00Z" });
        assert_eq!(stand(&[(40, kind::MITIGATED, late)], "p1", 70)[1], "mitigate 30 Breached, disputed");
    }

    #[test]
    fn a_reopened_incident_is_mitigated_anew() {
        let events = [(2, kind::ACKED, json!({})), (20, kind::MITIGATED, json!({})), (60, kind::REOPENED, json!({}))];
        assert_eq!(stand(&events, "p1", 70), ["acknowledge 5 Kept", "mitigate 90 Pending"]);
    }
}
