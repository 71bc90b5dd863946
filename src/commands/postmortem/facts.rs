//! What the template of a postmortem is given: the incident, its timeline, deadlines, and suspects, in words.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::commands::changes::gather::gather;
use crate::commands::incident::timeline::line;
use crate::commands::postmortem::figures::{Figure, Span};
use crate::context::Context;
use crate::domain::changes::breaks::{Break, find};
use crate::domain::changes::rank::rank;
use crate::domain::incident::deadline::{Deadline, Standing};
use crate::domain::incident::event::kind;
use crate::domain::journal::Event;
use crate::error::Result;
use crate::output::report::SourceState;
use crate::output::view::compact;

/// A line of the timeline.
#[derive(Debug, Serialize)]
pub(super) struct Moment {
    at: String,
    by: String,
    what: String,
}

/// A deadline in words.
#[derive(Debug, Serialize)]
pub(super) struct Duty {
    duty: &'static str,
    due: String,
    result: String,
}

/// A suspect in words.
#[derive(Debug, Serialize)]
pub(super) struct Suspected {
    what: String,
    reasons: String,
}

/// What may have done it.
#[derive(Debug, Default)]
pub(super) struct Causes {
    pub(super) broken: Option<String>,
    pub(super) suspects: Vec<Suspected>,
    /// What could not be asked.
    pub(super) gaps: Vec<String>,
}

/// A cell of a Markdown table: one line, no column ends.
pub(super) fn cell(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").replace('|', "\\|")
}

/// `2026-01-15 10:30:05`.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.format("%F %T").to_string()
}

/// `12m`, or why it is not known.
pub(super) fn between(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    match (from, to) {
        (Some(from), Some(to)) if to >= from => compact(u64::try_from((to - from).num_seconds()).unwrap_or_default()),
        (Some(_), None) => "not yet".into(),
        _ => "unknown".into(),
    }
}

/// The journal as lines. How messages were delivered is for the journal, unless nobody got one.
pub(super) fn timeline(events: &[Event]) -> Vec<Moment> {
    let told = |event: &&Event| event.kind != kind::NOTIFICATION || event.data["state"] == "given_up";
    let moment = |event: &Event| Moment { at: stamp(event.at), by: cell(&event.by), what: cell(&line(event).text) };
    events.iter().filter(told).map(moment).collect()
}

/// Deadlines, kept and missed.
pub(super) fn duties(deadlines: &[Deadline]) -> Vec<Duty> {
    let duty = |deadline: &Deadline| {
        let done = deadline.done.map_or_else(String::new, |at| format!(" at {}", stamp(at)));
        let result = match deadline.standing {
            Standing::Kept => format!("kept{done}"),
            Standing::Breached => {
                format!("MISSED{}", if done.is_empty() { ", and still open".into() } else { format!("; done{done}") })
            }
            Standing::Pending => "still open".to_owned(),
        };
        Duty { duty: deadline.duty.word(), due: stamp(deadline.due), result }
    };
    deadlines.iter().map(duty).collect()
}

/// The KPI that broke most clearly near the beginning, and who is suspected of it.
///
/// # Errors
/// Those of the configuration.
pub(super) async fn causes(cx: &Context, figures: &[Figure], service: Option<&str>, span: Span) -> Result<Causes> {
    let found = gather(cx, span.from - TimeDelta::hours(2)).await?;
    let mut causes = Causes::default();
    for source in &found.sources {
        if source.state == SourceState::Down {
            let why = source.error.as_deref().unwrap_or("no answer");
            causes.gaps.push(format!("changes of {}: {why}", source.name));
        }
    }
    let near = |one: &Break| one.at >= span.from - TimeDelta::minutes(30);
    // The end of the harm is a break, too, and often the clearer one.
    let harmed = |figure: &Figure| {
        let points = figure.points.as_ref().ok()?.iter().copied();
        let points: Vec<_> = points.filter(|(at, _)| *at < span.harm).collect();
        find(&points)
    };
    let broken = figures
        .iter()
        .filter_map(|figure| Some((figure, harmed(figure)?)))
        .filter(|(_, one)| near(one))
        // A figure without thresholds must have moved far, for the smooth ones break at anything.
        .filter(|(figure, one)| {
            let judged = figure.kpi.warn.is_some() || figure.kpi.critical.is_some();
            judged || (one.to - one.from).abs() > 0.1 * one.from.abs()
        })
        .max_by(|a, b| a.1.sigmas.total_cmp(&b.1.sigmas));
    let Some((figure, broken)) = broken else {
        causes.gaps.push("no figure has a clear break near the beginning, so changes are not ranked".into());
        return Ok(causes);
    };
    let unit = &figure.kpi.unit;
    causes.broken = Some(format!(
        "{} went from {} to {} at {}.",
        figure.kpi.title(),
        unit.show(broken.from),
        unit.show(broken.to),
        stamp(broken.at)
    ));
    let before: Vec<_> = found.changes.into_iter().filter(|change| change.at <= span.to).collect();
    let suspects = rank(&before, &broken, service.or(figure.kpi.service.as_deref()));
    causes.suspects = suspects
        .into_iter()
        .take(5)
        .map(|suspect| Suspected { what: cell(&suspect.change.what), reasons: suspect.reasons.join("; ") })
        .collect();
    Ok(causes)
}
