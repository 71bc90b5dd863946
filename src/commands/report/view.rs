//! What the reports draw alike: shares, spreads, incidents as bars, action items, the frame of a page.

use crate::context::Context;
use crate::output::block::{Span, Table, Tone, plain, span};
use crate::output::page::{Chart, Page, Part, Plot, SpanRow, length, moment};
use liveops_domain::error::Result;
use liveops_domain::incident::measures::Measure;
use liveops_domain::incident::severity::Severity;
use liveops_domain::report::Period;
use liveops_domain::report::dora::{ServiceDora, Share};
use liveops_domain::report::incidents::{Action, ActionState, IncidentRow};
use liveops_domain::report::statistics::Spread;
use liveops_domain::text::count::count;

/// Incidents that a picture has room for.
const BARS: usize = 20;

/// A page of this environment and period.
pub(super) fn page(cx: &Context, title: &str, verb: &str, period: &Period) -> Result<Page> {
    let project = cx.config()?.project().map_or_else(String::new, |project| format!("{project} · "));
    Ok(Page {
        title: title.to_owned(),
        subtitle: format!("{project}{} · {} to {} UTC", cx.environment()?, moment(period.since), moment(period.until)),
        notes: vec![format!("Written by `liveops report {verb}`. Times are UTC unless a zone is named.")],
        ..Page::default()
    })
}

/// `17 % (2 of 12)`.
pub(super) fn share(share: &Share) -> Span {
    match share.share {
        Some(value) => plain(format!("{:.0} % ({} of {})", value * 100.0, share.known, share.n)),
        None => span("unknown", Tone::Unknown),
    }
}

/// What is guessed beside it.
pub(super) fn inferred(share: &Share) -> String {
    match (share.inferred, share.share_with_inferred) {
        (0, _) | (_, None) => String::new(),
        (n, Some(value)) => format!("{:.0} % with {n} inferred", value * 100.0),
    }
}

/// `3h 20m / 1d 2h`.
pub(super) fn spread(spread: &Spread) -> Span {
    match spread.n {
        0 => span("unknown", Tone::Unknown),
        1 => plain(length(spread.median_s)),
        _ => plain(format!("{} / {}", length(spread.median_s), length(spread.p90_s))),
    }
}

pub(super) fn measure(one: &Measure) -> Span {
    match one.n {
        0 => span("-", Tone::Dim),
        1 => plain(format!("{} (n 1)", length(one.median_s))),
        _ => plain(format!("{} / {} (n {})", length(one.median_s), length(one.p90_s), one.n)),
    }
}

pub(super) fn severity(severity: Severity) -> Tone {
    match severity {
        Severity::P1 => Tone::Bad,
        Severity::P2 => Tone::Warn,
        Severity::P3 | Severity::P4 => Tone::Plain,
    }
}

/// Deployments by week, failed ones apart.
pub(super) fn deployments(service: &ServiceDora) -> Option<Part> {
    let weeks = &service.weeks;
    if weeks.iter().all(|week| week.deployments == 0) {
        return None;
    }
    let mut data = Table::new(["week from", "deployments", "failed"]).right(&[1, 2]);
    for week in weeks {
        data.row(vec![
            plain(week.from.format("%F").to_string()),
            plain(week.deployments.to_string()),
            plain(week.failed.to_string()),
        ]);
    }
    let good = weeks.iter().map(|week| week.deployments - week.failed).collect();
    let failed = weeks.iter().map(|week| week.failed).collect();
    let all: usize = weeks.iter().map(|week| week.deployments).sum();
    Some(Part::Chart(Chart {
        title: format!("Deployments of {} by week", service.service),
        description: format!("{} in {}", count(all, "deployment"), count(weeks.len(), "week")),
        plot: Plot::Columns {
            labels: weeks.iter().map(|week| week.from.format("%d %b").to_string()).collect(),
            series: vec![("good", Tone::Plain, good), ("failed", Tone::Bad, failed)],
        },
        data,
    }))
}

/// Incidents as bars on the time.
pub(super) fn timeline(all: &[IncidentRow], period: &Period) -> Option<Part> {
    if all.is_empty() {
        return None;
    }
    let shown = &all[all.len().saturating_sub(BARS)..];
    let row = |one: &IncidentRow| SpanRow {
        label: format!("{} {}", one.severity, one.title),
        from: one.started,
        to: one.mitigated.or(one.resolved),
        tone: severity(one.severity),
    };
    let left_out = match all.len() - shown.len() {
        0 => String::new(),
        n => format!(", {n} older left out"),
    };
    Some(Part::Chart(Chart {
        title: format!("Incidents, from the first harm to the mitigation{left_out}"),
        description: format!("{} as bars on the time of the report", count(shown.len(), "incident")),
        plot: Plot::Spans { rows: shown.iter().map(row).collect(), span: (period.since, period.until) },
        data: Table::default(),
    }))
}

/// The incidents as a list, the newest first.
pub(super) fn incident_table(all: &[IncidentRow]) -> Table {
    let mut table = Table::new(["incident", "severity", "began", "to mitigate", "cause"]).fixed(&[1, 2, 3]);
    for one in all.iter().rev() {
        let state = match (one.mitigate_s, one.resolved) {
            (Some(seconds), _) => plain(length(Some(seconds))),
            (None, Some(_)) => span("unknown", Tone::Unknown),
            (None, None) => span("open", Tone::Bad),
        };
        table.row(vec![
            plain(&one.title),
            span(one.severity.word(), severity(one.severity)),
            plain(moment(one.started)),
            state,
            one.cause.as_ref().map_or_else(|| span("not said", Tone::Dim), plain),
        ]);
    }
    table
}

/// What is left to do, the most urgent first.
pub(super) fn action_table(all: &[Action], most: usize) -> Table {
    let mut table = Table::new(["action item", "owner", "due", "state", "incident"]).fixed(&[2, 3]);
    for one in all.iter().take(most) {
        let tone = match one.state {
            ActionState::Overdue => Tone::Bad,
            ActionState::Unassigned => Tone::Warn,
            ActionState::Open | ActionState::Done => Tone::Plain,
        };
        let or_none = |text: &str| if text.is_empty() { span("nobody", Tone::Dim) } else { plain(text) };
        table.row(vec![
            plain(&one.item.action),
            or_none(&one.item.owner),
            plain(&one.item.due),
            span(one.state.word(), tone),
            plain(&one.incident),
        ]);
    }
    table
}
