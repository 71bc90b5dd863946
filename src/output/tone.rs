//! How the domain's words look: one place for colours and marks, so that every screen speaks the same.

use crate::output::block::{Span, Tone, span};
use crate::output::view::View;
use liveops_domain::alert::{AlertState, Urgency, urgency};
use liveops_domain::metric::level::Level;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{SourceState, Verdict};

/// The tone of a KPI's level.
pub(crate) fn level(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Good,
        Level::Warn => Tone::Warn,
        Level::Critical => Tone::Bad,
        Level::Unknown => Tone::Unknown,
    }
}

/// The word for a level.
pub(crate) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Critical => "critical",
        Level::Unknown => "unknown",
    }
}

/// The tone of a service's state.
pub(crate) fn service(state: ServiceState) -> Tone {
    match state {
        ServiceState::Healthy => Tone::Good,
        ServiceState::Degraded => Tone::Warn,
        ServiceState::Down => Tone::Bad,
        ServiceState::Unknown => Tone::Unknown,
    }
}

/// The tone of an alert: quiet ones are dim whatever their severity.
pub(crate) fn alert(state: AlertState, severity: Option<&str>) -> Tone {
    match (state, urgency(severity)) {
        (AlertState::Unknown, _) => Tone::Unknown,
        (AlertState::Firing, Urgency::Page) => Tone::Bad,
        (AlertState::Firing | AlertState::Pending, Urgency::Page | Urgency::Notice) => Tone::Warn,
        _ => Tone::Dim,
    }
}

/// The tone of a source.
pub(crate) fn source(state: SourceState) -> Tone {
    match state {
        SourceState::Ok => Tone::Good,
        SourceState::Degraded => Tone::Warn,
        SourceState::Down => Tone::Bad,
        SourceState::Unconfigured => Tone::Dim,
    }
}

/// The tone of a verdict.
pub(crate) fn verdict(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Warn => Tone::Warn,
        Verdict::Fail => Tone::Bad,
        Verdict::Unknown => Tone::Unknown,
    }
}

/// A mark that tells the tone without colour.
pub(crate) fn mark(tone: Tone, view: &View) -> Span {
    let text = match tone {
        Tone::Good => view.pick("●", "+"),
        Tone::Warn => view.pick("▲", "!"),
        Tone::Bad => view.pick("✖", "x"),
        Tone::Unknown => "?",
        _ => view.pick("·", "-"),
    };
    span(text, tone)
}
