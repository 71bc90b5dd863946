//! How an incident is shown: its JSON, and the lines that every screen begins with.

use chrono::{DateTime, Utc};

use crate::output::block::{Block, Span, Tone, plain, span};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::incident::deadline::{Deadline, DeadlineState};
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;
use liveops_domain::text::time::compact;
use liveops_engine::incident::summary::{IncidentSummary, clock, seconds};

/// One deadline as people read it.
pub(crate) fn deadline_line(deadline: &Deadline, view: &View) -> Vec<Span> {
    let due = clock(deadline.due, view.now);
    let duty = deadline.duty.word();
    let past = compact(seconds(deadline.done.unwrap_or(view.now) - deadline.due));
    let (tone, text) = match (deadline.standing, deadline.done) {
        (DeadlineState::Pending, _) => {
            (Tone::Strong, format!("{duty} in {} (by {due})", compact(seconds(deadline.due - view.now))))
        }
        (DeadlineState::Kept, _) => (Tone::Good, format!("{duty}: in time (by {due})")),
        (DeadlineState::Breached, None) => {
            (Tone::Bad, format!("{} OVERDUE by {past} (was due {due})", duty.to_uppercase()))
        }
        (DeadlineState::Breached, Some(_)) if deadline.disputed => (
            Tone::Warn,
            format!("{duty}: missed as recorded (due {due}, written down {past} late); an earlier time was stated"),
        ),
        // What was lowered after the miss may have been done before the last due time.
        (DeadlineState::Breached, Some(_)) => (Tone::Warn, format!("{duty}: missed, done {past} late (due {due})")),
    };
    vec![plain("  "), mark(tone, view), span(format!(" {text}"), tone)]
}

/// The word for how a message went.
pub(crate) fn delivery_word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued => "in the outbox",
        DeliveryState::Accepted => "accepted",
        DeliveryState::Failed => "failed, will be tried again",
        DeliveryState::Retried => "tried again",
        DeliveryState::GivenUp => "NOT DELIVERED",
    }
}

/// What happened when: `began 03:12Z`.
pub(super) fn times(one: &Incident, now: DateTime<Utc>) -> Vec<String> {
    let moments = [
        ("began", &one.started),
        ("known", &one.detected),
        ("acknowledged", &one.acknowledged),
        ("mitigated", &one.mitigated),
        ("resolved", &one.resolved),
    ];
    moments.into_iter().filter_map(|(word, moment)| Some(format!("{word} {}", clock(moment.at()?, now)))).collect()
}

/// Severity and title; phase, age and who has it; each deadline that is open or was missed; a page that did not
/// arrive, in capitals.
pub(crate) fn head(shown: &IncidentSummary, view: &View) -> Vec<Block> {
    let one = &shown.incident;
    let tone = tone(shown);
    let mut blocks = vec![Block::Line(vec![
        mark(tone, view),
        span(format!(" {} ", one.severity), tone),
        span(one.title.clone(), Tone::Strong),
        span(format!("  {}", one.id), Tone::Dim),
    ])];
    let mut line = vec![plain(format!("  {} {}", one.phase.word(), shown.since(view.now)))];
    match one.lead() {
        Some(lead) => line.push(plain(format!(", led by {lead}"))),
        None if one.phase == Phase::Open => line.push(span(", NOT ACKNOWLEDGED", Tone::Bad)),
        None => {}
    }
    if let Some(service) = &one.service {
        line.push(span(format!(", service {service}"), Tone::Dim));
    }
    blocks.push(Block::Line(line));
    for deadline in &shown.deadlines {
        if deadline.is_open() || deadline.standing == DeadlineState::Breached {
            blocks.push(Block::Line(deadline_line(deadline, view)));
        }
    }
    blocks.extend(unpaged(shown));
    blocks
}

/// The line in capitals, while it is true.
pub(crate) fn unpaged(shown: &IncidentSummary) -> Option<Block> {
    let why = shown.unpaged()?;
    Some(Block::Whole(vec![span("  NOBODY WAS PAGED", Tone::Bad), plain(format!(" ({why}); CALL SOMEBODY"))]))
}

/// How the incident looks.
pub(crate) fn tone(shown: &IncidentSummary) -> Tone {
    match (shown.incident.phase, shown.incident.severity) {
        (Phase::Resolved, _) => Tone::Good,
        (Phase::Mitigated, _) => Tone::Warn,
        (_, Severity::P1 | Severity::P2) => Tone::Bad,
        (_, Severity::P3 | Severity::P4) => Tone::Warn,
    }
}
