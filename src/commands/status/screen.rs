//! The screen of `liveops status`: verdict, services, KPIs, alerts, targets, sources, next command. Fits 80×24.

use crate::commands::status::report::StatusReport;
use crate::commands::tone;
use crate::domain::alert::{AlertState, Group, group};
use crate::domain::duration::human;
use crate::domain::health::ServiceState;
use crate::domain::level::Level;
use crate::domain::record::ChangeState;
use crate::domain::status::KpiReading;
use crate::domain::status::ServiceReading;
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::report::{Source, SourceState, Verdict};
use crate::output::sparkline::sparkline;
use crate::output::view::{View, relative};

/// More healthy services than this are counted, not listed.
const LISTED: usize = 6;
const SPARK: usize = 16;
/// More failing sources than this are counted, not listed.
const FAILING: usize = 3;
/// More changes than this are counted, not listed.
const CHANGES: usize = 3;

/// The whole screen.
pub(crate) fn blocks(report: &StatusReport, view: &View) -> Vec<Block> {
    let mut blocks = vec![title(report, view), headline(report), Block::Blank];
    let parts = [
        services(report, view),
        kpis(report, view),
        alerts(report, view),
    ];
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        blocks.extend(part);
        blocks.push(Block::Blank);
    }
    blocks.extend(changes(report, view));
    blocks.extend(targets(report, view));
    blocks.extend(sources(report, view));
    let configured =
        !report.gathered.sources.is_empty() || !report.gathered.readings.services.is_empty();
    for next in report.next.iter().take(if configured { 2 } else { 3 }) {
        let Some(command) = &next.command else {
            continue;
        };
        blocks.push(Block::next("next", command.clone()));
    }
    blocks
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "OK",
        Verdict::Warn => "WARNING",
        Verdict::Fail => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    }
}

fn title(report: &StatusReport, view: &View) -> Block {
    let tone = tone::verdict(report.verdict());
    let place = match &report.project {
        Some(project) => format!("{project} {} {}", view.pick("·", "-"), report.environment),
        None => report.environment.clone(),
    };
    let took = report.gathered.took.as_secs_f64();
    let every = report.watching.map(human);
    let every = every.map_or_else(String::new, |every| format!(", every {every}"));
    Block::Line(vec![
        tone::mark(tone, view),
        span(format!(" {}  ", word(report.verdict())), tone),
        span(place, Tone::Strong),
        span(
            format!("  {} in {took:.1} s{every}", view.now.format("%H:%M:%SZ")),
            Tone::Dim,
        ),
    ])
}

/// Why, on a line of its own: it may be long, and nothing of it may be cut.
fn headline(report: &StatusReport) -> Block {
    Block::Whole(vec![plain(format!("  {}", report.judgement.headline))])
}

fn services(report: &StatusReport, view: &View) -> Vec<Block> {
    let services = &report.gathered.readings.services;
    if services.is_empty() {
        return Vec::new();
    }
    let few = services.len() <= LISTED;
    let shown = |service: &&ServiceReading| few || service.state != ServiceState::Healthy;
    let mut table = Table::new(["", "", "", "", ""])
        .right(&[3])
        .indent(2)
        .fixed(&[0, 2, 3]);
    for service in services.iter().filter(shown) {
        let tone = tone::service(service.state);
        let latency = service
            .latency_ms
            .map_or_else(String::new, |ms| format!("{ms} ms"));
        let detail = if service.detail == service.state.word() {
            ""
        } else {
            &service.detail
        };
        table.row(vec![
            tone::mark(tone, view),
            plain(&service.name),
            span(service.state.word(), tone),
            span(latency, Tone::Dim),
            span(detail, Tone::Dim),
        ]);
    }
    let mut blocks = vec![Block::heading("Services"), Block::Table(table)];
    if !few {
        let healthy: Vec<&ServiceReading> = services
            .iter()
            .filter(|service| service.state == ServiceState::Healthy)
            .collect();
        if let Some(slowest) = healthy.iter().max_by_key(|service| service.latency_ms) {
            let text = format!(
                " {} healthy, the slowest {} in {} ms",
                healthy.len(),
                slowest.name,
                slowest.latency_ms.unwrap_or(0)
            );
            blocks.push(Block::Line(vec![
                plain("  "),
                tone::mark(Tone::Good, view),
                plain(text),
            ]));
        }
    }
    blocks
}

fn kpis(report: &StatusReport, view: &View) -> Vec<Block> {
    let kpis = &report.gathered.readings.kpis;
    if kpis.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(["", "", "", "", ""])
        .right(&[2])
        .indent(2)
        .fixed(&[0, 2, 3]);
    for reading in kpis {
        let tone = tone::level(reading.level);
        let value = reading.value.map_or_else(
            || "unknown".to_owned(),
            |value| reading.kpi.unit.show(value),
        );
        let drawn = if reading.trend.iter().flatten().count() > 1 {
            sparkline(&reading.trend, SPARK, !view.unicode)
        } else {
            String::new()
        };
        table.row(vec![
            tone::mark(tone, view),
            plain(reading.kpi.title()),
            span(
                value,
                if reading.level == Level::Ok {
                    Tone::Strong
                } else {
                    tone
                },
            ),
            span(drawn, Tone::Dim),
            detail(reading, view),
        ]);
    }
    let note = if report.gathered.presets {
        "  the usual ones that have data here"
    } else {
        ""
    };
    let heading = vec![span("KPIs", Tone::Strong), span(note, Tone::Dim)];
    vec![Block::Line(heading), Block::Table(table)]
}

/// What a tired person needs beside the value: why it is bad, why it is unknown, or how it splits.
fn detail(reading: &KpiReading, view: &View) -> Span {
    let threshold = |level: &str, text: Option<&str>| text.map(|text| format!("{level} {text}"));
    let text = |threshold: &Option<crate::domain::threshold::Threshold>| {
        threshold.as_ref().map(|threshold| threshold.text.clone())
    };
    let mut parts: Vec<String> = Vec::new();
    match reading.level {
        Level::Critical => parts.extend(threshold(
            "critical",
            text(&reading.kpi.critical).as_deref(),
        )),
        Level::Warn => parts.extend(threshold("warn", text(&reading.kpi.warn).as_deref())),
        Level::Unknown | Level::Ok => {}
    }
    if let Some(at) = reading.as_of {
        parts.push(format!("last known, {}", relative(at, view.now)));
    }
    parts.extend(reading.note.clone());
    let dot = view.pick(" · ", ", ");
    if !reading.by.is_empty() {
        let mut by: Vec<(&String, &f64)> = reading.by.iter().collect();
        by.sort_by(|a, b| b.1.total_cmp(a.1));
        let more = by.len().saturating_sub(5);
        let shown = by.iter().take(5).map(|(label, value)| {
            let label = if label.is_empty() { "(none)" } else { label };
            format!("{label} {}", reading.kpi.unit.show(**value))
        });
        let rest = (more > 0).then(|| format!("{more} more"));
        parts.push(shown.chain(rest).collect::<Vec<_>>().join(dot));
    }
    let tone = if matches!(reading.level, Level::Warn | Level::Critical) {
        tone::level(reading.level)
    } else {
        Tone::Dim
    };
    span(parts.join("; "), tone)
}

fn alerts(report: &StatusReport, view: &View) -> Vec<Block> {
    let readings = &report.gathered.readings;
    let Some(alerts) = &readings.alerts else {
        if !report.gathered.alerts_expected {
            return Vec::new();
        }
        let line = vec![
            plain("  "),
            tone::mark(Tone::Unknown, view),
            plain(" unknown: nobody who knows the alerts answers"),
        ];
        return vec![Block::heading("Alerts"), Block::Line(line)];
    };
    let groups = group(alerts);
    let loud: Vec<&Group<'_>> = groups
        .iter()
        .filter(|group| group.state == AlertState::Firing)
        .collect();
    let quiet: usize = groups
        .iter()
        .filter(|group| !group.state.is_loud())
        .map(|group| group.alerts.len())
        .sum();
    let mut heading = vec![span("Alerts", Tone::Strong)];
    if let Some(at) = readings.alerts_as_of {
        heading.push(span(
            format!("  last known, {}", relative(at, view.now)),
            Tone::Unknown,
        ));
    }
    let mut blocks = vec![Block::Line(heading)];
    if loud.is_empty() {
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(
                if readings.alerts_as_of.is_some() {
                    Tone::Unknown
                } else {
                    Tone::Good
                },
                view,
            ),
            plain(" none firing"),
        ]));
    }
    for group in &loud {
        blocks.extend(alert_lines(group, view));
    }
    let mut also = Vec::new();
    if quiet > 0 {
        also.push(format!(
            "{quiet} kept quiet by silences, inhibition or time"
        ));
    }
    if readings.alerts_elsewhere > 0 {
        also.push(format!("{} of other services", readings.alerts_elsewhere));
    }
    if !also.is_empty() {
        blocks.push(Block::Line(vec![span(
            format!("    and {}: liveops alerts", also.join(", ")),
            Tone::Dim,
        )]));
    }
    blocks
}

fn alert_lines(group: &Group<'_>, view: &View) -> Vec<Block> {
    let tone = tone::alert(group.state, group.severity);
    let count = if group.alerts.len() > 1 {
        format!(" {}{}", view.pick("×", "x"), group.alerts.len())
    } else {
        String::new()
    };
    let since = group.since.map_or_else(String::new, |at| {
        let seconds = (view.now - at).num_seconds().max(0).unsigned_abs();
        format!("for {}", crate::output::view::compact(seconds))
    });
    let labels = group
        .labels()
        .into_iter()
        .map(|(name, values)| match values.as_slice() {
            [only] => format!("{name}={only}"),
            several => format!("{} {name}s", several.len()),
        });
    let head = Block::Line(vec![
        plain("  "),
        tone::mark(tone, view),
        span(format!(" {}{count}", group.name), Tone::Strong),
        span(
            format!("  {}", group.severity.unwrap_or("no severity")),
            tone,
        ),
        plain(format!("  {since}")),
        span(
            format!("  {}", labels.collect::<Vec<_>>().join(" ")),
            Tone::Dim,
        ),
    ]);
    let runbook = group
        .runbook
        .map(|link| Block::Line(vec![span(format!("      runbook {link}"), Tone::Dim)]));
    std::iter::once(head).chain(runbook).collect()
}

/// What was changed through liveops in the last hour: often the cause, and undone by one command.
fn changes(report: &StatusReport, view: &View) -> Vec<Block> {
    let changes = &report.gathered.changes;
    if changes.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::heading("Changed in the last hour")];
    for change in changes.iter().take(CHANGES) {
        let tone = match change.state {
            ChangeState::Done | ChangeState::Undone => Tone::Dim,
            ChangeState::Failed => Tone::Warn,
            ChangeState::Unclear | ChangeState::Unfinished => Tone::Unknown,
        };
        let state = match change.state {
            ChangeState::Done => String::new(),
            state => format!("{}: ", state.word()),
        };
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(tone, view),
            plain(format!(" {}  ", view.time(change.at))),
            span(format!("{} {}  ", change.id, change.by), Tone::Dim),
            span(state, tone),
            plain(&change.summary),
        ]));
    }
    if changes.len() > CHANGES {
        let text = format!(
            "    and {} more: liveops audit list",
            changes.len() - CHANGES
        );
        blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
    }
    blocks.push(Block::Blank);
    blocks
}

fn targets(report: &StatusReport, view: &View) -> Vec<Block> {
    let Some(targets) = &report.gathered.readings.targets else {
        if !report.gathered.targets_expected {
            return Vec::new();
        }
        let text = plain(" unknown: prometheus does not say");
        return vec![Block::Line(vec![
            span("Targets ", Tone::Strong),
            tone::mark(Tone::Unknown, view),
            text,
        ])];
    };
    if targets.down.is_empty() && targets.unknown == 0 {
        let tone = if targets.up == 0 {
            Tone::Unknown
        } else {
            Tone::Good
        };
        let text = if targets.up == 0 {
            " none: Prometheus scrapes nothing".to_owned()
        } else {
            format!(" all {} up", targets.up)
        };
        return vec![Block::Line(vec![
            span("Targets ", Tone::Strong),
            tone::mark(tone, view),
            plain(text),
        ])];
    }
    let counts = format!(
        " {} up, {} down{}",
        targets.up,
        targets.down.len(),
        if targets.unknown > 0 {
            format!(", {} not scraped yet", targets.unknown)
        } else {
            String::new()
        }
    );
    let mark = tone::mark(
        if targets.down.is_empty() {
            Tone::Unknown
        } else {
            Tone::Warn
        },
        view,
    );
    let mut blocks = vec![Block::Line(vec![
        span("Targets ", Tone::Strong),
        mark,
        plain(counts),
    ])];
    for (name, error) in targets.down.iter().take(3) {
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(Tone::Bad, view),
            plain(format!(" {name}  ")),
            span(error, Tone::Dim),
        ]));
    }
    if targets.down.len() > 3 {
        blocks.push(Block::Line(vec![span(
            format!("    and {} more: liveops doctor", targets.down.len() - 3),
            Tone::Dim,
        )]));
    }
    blocks
}

/// Those that answer on one line, each that does not on its own, with the reason.
fn sources(report: &StatusReport, view: &View) -> Vec<Block> {
    let (good, bad): (Vec<&Source>, Vec<&Source>) = report
        .gathered
        .sources
        .iter()
        .partition(|source| source.state == SourceState::Ok);
    let mut blocks = Vec::new();
    for source in bad.iter().take(FAILING) {
        let tone = tone::source(source.state);
        let state = match source.state {
            SourceState::Degraded => "partly",
            _ => "down",
        };
        let reason = source.error.as_deref().unwrap_or("no answer");
        blocks.push(Block::Line(vec![
            span("Sources ", Tone::Strong),
            tone::mark(tone, view),
            plain(format!(" {} ", source.name)),
            span(format!("{state}: {reason}"), tone),
        ]));
    }
    let mut spans = vec![span("Sources ", Tone::Strong)];
    if bad.len() > FAILING {
        let more = format!(
            "and {} more are down{}",
            bad.len() - FAILING,
            view.pick(" · ", ", ")
        );
        spans.push(span(more, Tone::Bad));
    }
    match good.as_slice() {
        [] => return blocks,
        [_, _, _, _, _, ..] => {
            spans.push(tone::mark(Tone::Good, view));
            spans.push(plain(format!(" {} answer", good.len())));
        }
        few => {
            for (index, source) in few.iter().enumerate() {
                let dot = if index > 0 {
                    view.pick(" · ", ", ")
                } else {
                    ""
                };
                let latency = source.latency_ms.map(|ms| format!(" {ms} ms"));
                spans.push(plain(dot));
                spans.push(tone::mark(Tone::Good, view));
                spans.push(plain(format!(" {}", source.name)));
                spans.push(span(latency.unwrap_or_default(), Tone::Dim));
            }
        }
    }
    blocks.push(Block::Line(spans));
    blocks
}
