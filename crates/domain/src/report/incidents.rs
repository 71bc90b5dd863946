//! What the incidents of a period came to: how long they took, which deadlines were kept, whom they woke, what is left to
//! do, and what came back.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use serde::Serialize;

use crate::incident::deadline::{DeadlineState, Duty, deadlines};
use crate::incident::measures::{Measure, Span, measure};
use crate::incident::severity::{Severities, Severity};
use crate::incident::state::Incident;
use crate::postmortem::check::ActionItem;
use crate::report::Period;
use crate::report::statistics::{Trend, trend};
use crate::zone::Zone;

/// From this hour on a page wakes somebody, until [`MORNING`], by the clocks of whoever is on call.
const NIGHT: u32 = 22;

const MORNING: u32 = 8;

/// A message that was to wake somebody, and was taken by a pager.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// The message, so that a second try of it is no second page.
    pub message: String,
    pub at: DateTime<Utc>,
}

/// An action item, and the incident that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    pub incident: String,
    #[serde(flatten)]
    pub item: ActionItem,
    pub state: ActionState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    Overdue,
    /// Nobody does it, or nobody says until when.
    Unassigned,
    Open,
    Done,
}

impl ActionState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Unassigned => "no owner or date",
            Self::Open => "open",
            Self::Done => "done",
        }
    }
}

impl Action {
    pub fn new(incident: String, item: ActionItem, today: NaiveDate) -> Self {
        let state = match item.due_date() {
            _ if item.is_closed() => ActionState::Done,
            Some(due) if due < today => ActionState::Overdue,
            Some(_) if item.has_owner() => ActionState::Open,
            _ => ActionState::Unassigned,
        };
        Self { incident, item, state }
    }
}

/// Deadlines of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DutyFigures {
    pub duty: Duty,
    pub kept: usize,
    pub breached: usize,
    pub pending: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct SeverityFigures {
    pub severity: Severity,
    pub n: usize,
    pub open: usize,
    pub deadlines_missed: usize,
    pub measures: [Measure; 4],
}

/// One incident, for the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    pub service: Option<String>,
    pub cause: Option<String>,
    pub started: DateTime<Utc>,
    pub mitigated: Option<DateTime<Utc>>,
    pub resolved: Option<DateTime<Utc>>,
    pub mitigate_s: Option<i64>,
    pub alerts: usize,
}

/// What made more than one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeat {
    /// `cause`, as was said; or `alert`, which is the same symptom.
    pub by: &'static str,
    pub name: String,
    pub incidents: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Pages {
    pub n: usize,
    /// Between 22 and 8 o'clock.
    pub at_night: usize,
    pub time_zone: String,
    /// Monday first, each with its 24 hours.
    pub by_hour: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Actions {
    pub open: usize,
    pub overdue: usize,
    pub unassigned: usize,
    pub done: usize,
    /// Those that are not done, the most urgent first.
    pub items: Vec<Action>,
}

#[derive(Debug, Clone, Serialize)]
pub struct IncidentFigures {
    pub n: usize,
    pub open: usize,
    /// Known to be made by no change, or by none that was said.
    pub without_cause: usize,
    pub by_severity: Vec<SeverityFigures>,
    pub deadlines: Vec<DutyFigures>,
    pub pages: Pages,
    pub actions: Actions,
    pub repeats: Vec<Repeat>,
    /// Of the time to mitigate; `null` below eight incidents.
    pub trend: Option<Trend>,
    /// The oldest first.
    pub incidents: Vec<IncidentRow>,
}

/// What is counted.
pub struct Input<'a> {
    /// Those of the period; each counts once.
    pub incidents: &'a [Incident],
    pub pages: &'a [Page],
    /// Of all incidents: what was left to do does not end with the period.
    pub actions: Vec<Action>,
    pub severities: &'a Severities,
    /// Where those who are on call sleep.
    pub zone: Zone,
}

/// The figures of a period.
pub fn figures(input: Input<'_>, period: &Period, now: DateTime<Utc>) -> IncidentFigures {
    let mut once = BTreeSet::new();
    let mut all: Vec<&Incident> = input.incidents.iter().filter(|one| once.insert(one.id.as_str())).collect();
    all.retain(|one| one.detected.at().is_some_and(|at| period.contains(at)));
    all.sort_by_key(|one| (one.detected.at(), one.id.clone()));
    let due = |one: &Incident| deadlines(one, input.severities, now);
    let by_severity = |severity: Severity| {
        let some: Vec<&Incident> = all.iter().copied().filter(|one| one.severity == severity).collect();
        let missed = |one: &&Incident| due(one).iter().filter(|one| one.standing == DeadlineState::Breached).count();
        (!some.is_empty()).then(|| SeverityFigures {
            severity,
            n: some.len(),
            open: some.iter().filter(|one| one.phase.is_open()).count(),
            deadlines_missed: some.iter().map(missed).sum(),
            measures: measure(&some),
        })
    };
    let all_due: Vec<_> = all.iter().flat_map(|one| due(one)).collect();
    let duty = |duty: Duty| {
        let of = |state| all_due.iter().filter(|one| one.duty == duty && one.standing == state).count();
        DutyFigures {
            duty,
            kept: of(DeadlineState::Kept),
            breached: of(DeadlineState::Breached),
            pending: of(DeadlineState::Pending),
        }
    };
    let rows: Vec<IncidentRow> = all.iter().map(|one| row(one)).collect();
    let lengths: Vec<i64> = rows.iter().filter_map(|one| one.mitigate_s).collect();
    IncidentFigures {
        n: all.len(),
        open: all.iter().filter(|one| one.phase.is_open()).count(),
        without_cause: all.iter().filter(|one| one.cause.is_none()).count(),
        by_severity: Severity::ALL.into_iter().filter_map(by_severity).collect(),
        deadlines: [Duty::Acknowledge, Duty::Mitigate, Duty::Postmortem].map(duty).to_vec(),
        pages: pages(input.pages, input.zone, period),
        actions: actions(input.actions),
        repeats: repeats(&all),
        trend: trend(&lengths),
        incidents: rows,
    }
}

fn row(one: &Incident) -> IncidentRow {
    let detected = one.detected.at().unwrap_or(one.last_event);
    IncidentRow {
        id: one.id.clone(),
        title: one.title.clone(),
        severity: one.severity,
        service: one.service.clone(),
        cause: one.cause.clone(),
        started: one.started.at().unwrap_or(detected),
        mitigated: one.mitigated.at(),
        resolved: one.resolved.at(),
        mitigate_s: Span::Mitigate.of(one).map(|length| length.num_seconds()),
        alerts: one.signals.len(),
    }
}

fn pages(all: &[Page], zone: Zone, period: &Period) -> Pages {
    // The first time that it was taken is when it rang.
    let mut first: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    for page in all.iter().filter(|page| period.contains(page.at)) {
        let at = first.entry(&page.message).or_insert(page.at);
        *at = page.at.min(*at);
    }
    let mut by_hour = vec![vec![0; 24]; 7];
    let mut at_night = 0;
    for at in first.values() {
        let local = zone.local(*at);
        at_night += usize::from(local.hour() >= NIGHT || local.hour() < MORNING);
        by_hour[local.weekday().num_days_from_monday() as usize][local.hour() as usize] += 1;
    }
    Pages { n: first.len(), at_night, time_zone: zone.to_string(), by_hour }
}

fn actions(mut all: Vec<Action>) -> Actions {
    let of = |state| all.iter().filter(|one| one.state == state).count();
    let (overdue, unassigned, done) = (of(ActionState::Overdue), of(ActionState::Unassigned), of(ActionState::Done));
    let open = all.len() - done;
    all.retain(|one| one.state != ActionState::Done);
    all.sort_by(|a, b| {
        let key = |one: &Action| (one.state, one.item.due_date(), one.incident.clone(), one.item.line);
        key(a).cmp(&key(b))
    });
    Actions { open, overdue, unassigned, done, items: all }
}

fn repeats(all: &[&Incident]) -> Vec<Repeat> {
    let mut groups: BTreeMap<(&'static str, String), Vec<String>> = BTreeMap::new();
    for one in all {
        let said = one.cause.iter().map(|cause| ("cause", cause.to_lowercase()));
        for key in said.chain(one.alert.iter().map(|alert| ("alert", alert.clone()))) {
            groups.entry(key).or_default().push(one.id.clone());
        }
    }
    let again = groups.into_iter().filter(|(_, incidents)| incidents.len() > 1);
    let mut again: Vec<Repeat> = again.map(|((by, name), incidents)| Repeat { by, name, incidents }).collect();
    again.sort_by_key(|one| (one.by != "cause", std::cmp::Reverse(one.incidents.len())));
    again
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::journal::Event;
    use crate::incident::event::kind;
    use crate::incident::state::{in_order, replay};
    use crate::report::deployment::tests::at;

    /// Opened at a minute, mitigated so many minutes later.
    fn incident(id: &str, minutes: i64, length: i64, cause: Option<&str>) -> Incident {
        let event = |seq: u64, at, kind: &str, data| Event {
            seq,
            id: Some(format!("{seq}")),
            at,
            by: "ada".to_owned(),
            kind: kind.to_owned(),
            data,
            hash: String::new(),
        };
        let mut events = vec![
            event(1, at(minutes), kind::OPENED, json!({"severity": "p2", "title": id, "alert": "TickSlow"})),
            event(2, at(minutes + 1), kind::ACKED, json!({})),
            event(3, at(minutes + length), kind::MITIGATED, json!({})),
        ];
        let amend = |cause| event(4, at(minutes + length), kind::AMENDED, json!({"field": "cause", "to": cause}));
        events.extend(cause.map(amend));
        replay(id, &in_order(events)).expect("an incident")
    }

    fn told(incidents: &[Incident], pages: &[Page], zone: &str) -> IncidentFigures {
        let input = Input {
            incidents,
            pages,
            actions: Vec::new(),
            severities: &Severities::default(),
            zone: zone.parse().expect("a zone"),
        };
        figures(input, &Period { since: at(0), until: at(10_000) }, at(20_000))
    }

    #[test]
    fn figures_have_their_number_and_causes_that_repeat() {
        let all = [
            incident("a", 0, 10, Some("capacity")),
            incident("b", 100, 20, Some("Capacity")),
            incident("c", 200, 90, None),
            incident("d", 10_000, 5, None),
        ];
        let found = told(&all, &[], "UTC");
        assert_eq!((found.n, found.without_cause, found.trend), (3, 1, None));
        let p2 = &found.by_severity[0];
        assert_eq!((p2.measures[2].n, p2.measures[2].median_s, p2.measures[2].p90_s), (3, Some(1200), Some(5400)));
        assert_eq!((found.deadlines[1].kept, found.deadlines[1].breached), (2, 1));
        let repeats: Vec<_> =
            found.repeats.iter().map(|one| (one.by, one.name.as_str(), one.incidents.len())).collect();
        assert_eq!(repeats, [("cause", "capacity", 2), ("alert", "TickSlow", 3)]);
        // Order and duplicates change nothing.
        let other: Vec<Incident> = all.iter().rev().chain(&all).cloned().collect();
        assert_eq!(json!(told(&other, &[], "UTC")), json!(found));
        let many: Vec<Incident> = (0..8).map(|n| incident(&format!("i{n}"), n * 100, 10 + n, None)).collect();
        assert_eq!(told(&many, &[], "UTC").trend, Some(Trend::Rising));
    }

    #[test]
    fn a_page_counts_once_and_at_night_by_the_clocks_of_those_on_call() {
        let page = |message: &str, minutes| Page { message: message.into(), at: at(minutes) };
        // 10:00 UTC on a Thursday is 2 in the morning in Los Angeles.
        let pages = [page("m1", 0), page("m1", 3), page("m2", 12 * 60)];
        let utc = told(&[], &pages, "UTC").pages;
        assert_eq!((utc.n, utc.at_night, utc.by_hour[3][10], utc.by_hour[3][22]), (2, 1, 1, 1));
        let west = told(&[], &pages, "America/Los_Angeles").pages;
        assert_eq!((west.n, west.at_night, west.by_hour[3][2]), (2, 1, 1));
    }

    #[test]
    fn action_items_are_open_until_they_are_done() {
        let today = at(0).date_naive();
        let item = |owner: &str, due: &str, status: &str| ActionItem {
            action: "x".into(),
            owner: owner.into(),
            due: due.into(),
            status: status.into(),
            line: 1,
        };
        for (owner, due, status, want) in [
            ("ada", "2026-02-01", "open", ActionState::Open),
            ("ada", "2026-01-01", "open", ActionState::Overdue),
            ("", "2026-02-01", "open", ActionState::Unassigned),
            ("ada", "soon", "", ActionState::Unassigned),
            ("ada", "2026-01-01", "done", ActionState::Done),
        ] {
            assert_eq!(Action::new("i".into(), item(owner, due, status), today).state, want, "{owner} {due} {status}");
        }
    }
}
