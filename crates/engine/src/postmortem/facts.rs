//! What the template of a postmortem is given: the incident, its timeline, deadlines, and suspects, in words.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::changes::gather;
use crate::incident::timeline::line;
use crate::session::Session;
use liveops_domain::change::journal::Event;
use liveops_domain::change::timeline::breaks::{Break, find};
use liveops_domain::change::timeline::rank::rank;
use liveops_domain::error::Result;
use liveops_domain::incident::deadline::{Deadline, DeadlineState};
use liveops_domain::incident::event::kind;
use liveops_domain::incident::state::without_quick_beginnings;
use liveops_domain::metric::kpi::{Kpi, KpiKind};
use liveops_domain::metric::level::Level;
use liveops_domain::postmortem::impact::{WEEK, extreme};
use liveops_domain::status::source::SourceState;
use liveops_domain::text::count::count;
use liveops_domain::text::gaps::{gaps, grid};
use liveops_domain::text::sparkline::sparkline;
use liveops_domain::text::svg::Chart;
use liveops_domain::text::time::compact;

/// Columns of a sparkline.
const SPARK: usize = 32;

#[derive(Debug, Serialize)]
pub struct TimelineLine {
    at: String,
    by: String,
    what: String,
}

/// A deadline in words.
#[derive(Debug, Serialize)]
pub struct DeadlineLine {
    duty: &'static str,
    due: String,
    result: String,
}

/// A suspect in words.
#[derive(Debug, Serialize)]
pub struct SuspectLine {
    what: String,
    reasons: String,
}

/// What may have done it.
#[derive(Debug, Default)]
pub struct Causes {
    pub broken: Option<String>,
    pub suspects: Vec<SuspectLine>,
    /// What could not be asked.
    pub gaps: Vec<String>,
}

/// A cell of a Markdown table: one line, no column ends.
pub fn cell(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").replace('|', "\\|")
}

/// `2026-01-15 10:30:05`.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.format("%F %T").to_string()
}

/// `12m`, or why it is not known.
pub fn between(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    match (from, to) {
        (Some(from), Some(to)) if to >= from => compact(u64::try_from((to - from).num_seconds()).unwrap_or_default()),
        (Some(_), None) => "not yet".into(),
        _ => "unknown".into(),
    }
}

/// The journal as lines. How messages were delivered is for the journal, unless nobody got one.
pub fn timeline(events: &[Event]) -> Vec<TimelineLine> {
    let told = |event: &&Event| event.kind != kind::NOTIFICATION || event.data["state"] == "given_up";
    let moment =
        |event: &Event| TimelineLine { at: stamp(event.at), by: cell(&event.by), what: cell(&line(event).text) };
    without_quick_beginnings(events).filter(told).map(moment).collect()
}

/// Deadlines, kept and missed.
pub fn duties(deadlines: &[Deadline]) -> Vec<DeadlineLine> {
    let duty = |deadline: &Deadline| {
        let done = deadline.done.map_or_else(String::new, |at| format!(" at {}", stamp(at)));
        let result = match deadline.standing {
            DeadlineState::Kept => format!("kept{done}"),
            DeadlineState::Breached => {
                format!("MISSED{}", if done.is_empty() { ", and still open".into() } else { format!("; done{done}") })
            }
            DeadlineState::Pending => "still open".to_owned(),
        };
        DeadlineLine { duty: deadline.duty.word(), due: stamp(deadline.due), result }
    };
    deadlines.iter().map(duty).collect()
}

/// The KPI that broke most clearly near the beginning, and who is suspected of it.
pub async fn causes(
    cx: &Session,
    figures: &[KpiSeries],
    service: Option<&str>,
    span: IncidentWindow,
) -> Result<Causes> {
    let found = gather(cx, span.from - TimeDelta::hours(2), false).await?;
    let mut causes = Causes::default();
    for source in &found.sources {
        if source.state == SourceState::Down {
            let why = source.error.as_deref().unwrap_or("no answer");
            causes.gaps.push(format!("changes of {}: {why}", source.name));
        }
    }
    let near = |one: &Break| one.at >= span.from - TimeDelta::minutes(30);
    // The end of the harm is a break, too, and often the clearer one.
    let harmed = |figure: &KpiSeries| {
        let points = figure.points.as_ref().ok()?.iter().copied();
        let points: Vec<_> = points.filter(|(at, _)| *at < span.harm).collect();
        find(&points, figure.kpi.worse()).filter(|broken| broken.hurts != Some(false))
    };
    let broken = figures
        .iter()
        .filter_map(|figure| Some((figure, harmed(figure)?)))
        .filter(|(_, one)| near(one))
        // It must have passed a limit, or moved far: the smooth ones break at anything.
        .filter(|(figure, one)| {
            let (from, to) = (figure.kpi.level(one.from), figure.kpi.level(one.to));
            let passed = to != from && matches!(to, Level::Warn | Level::Critical);
            passed || (one.to - one.from).abs() > 0.1 * one.from.abs()
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
        .map(|suspect| SuspectLine { what: cell(&suspect.change.what), reasons: suspect.reasons.join("; ") })
        .collect();
    Ok(causes)
}

#[derive(Debug, Clone, Copy)]
pub struct IncidentWindow {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Until when users were harmed.
    pub harm: DateTime<Utc>,
}

/// A KPI over the incident.
#[derive(Debug)]
pub struct KpiSeries {
    pub kpi: Kpi,
    pub points: Result<Vec<(DateTime<Utc>, f64)>, String>,
    /// The week before, at its own times.
    pub before: Vec<(DateTime<Utc>, f64)>,
    /// The metrics did not say; this is what looks at the status left behind.
    pub remembered: bool,
}

impl KpiSeries {
    /// A plot, and its file's name.
    pub fn plot(&self, marks: &[(DateTime<Utc>, &str)]) -> Option<(String, String)> {
        let points = self.points.as_ref().ok()?;
        let moved: Vec<_> = self.before.iter().map(|(at, value)| (*at + WEEK, *value)).collect();
        let mut levels = Vec::new();
        for (threshold, name) in [(&self.kpi.warn, "warning"), (&self.kpi.critical, "critical")] {
            levels.extend(threshold.as_ref().map(|threshold| (threshold.value, name)));
        }
        let title = format!("{}{}", self.kpi.title(), if moved.is_empty() { "" } else { " (dashed: a week before)" });
        let svg = Chart {
            title: &title,
            points,
            before: &moved,
            marks,
            levels: &levels,
            show: &|value| self.kpi.unit.show(value),
        }
        .draw()?;
        let sound: String =
            self.kpi.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        Some((format!("{sound}.svg"), svg))
    }

    /// `▁▂▇█▂`, and what it says.
    pub fn words(&self, span: IncidentWindow) -> (String, String) {
        let points = match &self.points {
            Ok(points) => points,
            Err(why) => return (String::new(), format!("unknown: {why}")),
        };
        let spark = sparkline(&grid(points, span.from, span.to), SPARK, false);
        let highest = self.rises();
        let words = match extreme(points, span.from, span.to, highest) {
            None => "unknown: no value while it lasted".to_owned(),
            Some((at, value)) => {
                let level = match self.kpi.level(value) {
                    Level::Critical => ", critical",
                    Level::Warn => ", above the warning",
                    Level::Ok | Level::Unknown => "",
                };
                format!(
                    "{} {}{level} at {}",
                    if highest { "at most" } else { "at least" },
                    self.kpi.unit.show(value),
                    at.format("%H:%M")
                )
            }
        };
        let silent: Vec<String> = gaps(points, span.from, span.to)
            .iter()
            .map(|(from, to)| format!("{} to {}", from.format("%H:%M"), to.format("%H:%M")))
            .collect();
        let silent = match silent.as_slice() {
            [] => String::new(),
            [first, second, third, rest @ ..] if !rest.is_empty() => {
                format!("; no data {first}, {second}, {third} and {}", count(rest.len(), "more time"))
            }
            all => format!("; no data {}", all.join(", ")),
        };
        (spark, format!("{words}{silent}"))
    }

    /// Is more of it worse?
    fn rises(&self) -> bool {
        self.kpi.worse() == Some(Ordering::Greater)
    }

    /// Players are what a gauge of that name counts.
    pub fn counts_players(&self) -> bool {
        matches!(self.kpi.kind, KpiKind::Gauge { .. }) && self.kpi.name.contains("player")
    }

    pub fn counts_purchases(&self) -> bool {
        matches!(self.kpi.kind, KpiKind::Rate { .. }) && self.kpi.name.contains("purchase")
    }
}
