//! `liveops report incidents`: how long they took, which deadlines were kept, whom they woke, and what is left to do.

use std::time::Duration;

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::commands::report::view::{action_table, incident_table, measure as cell, page, severity, timeline};
use crate::commands::report::{OutArgs, period, show};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::format::Format;
use crate::output::page::{Chart, Page, Part, Plot, Section, Tile, length, moment};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::measures::Span;
use liveops_domain::report::incidents::{Actions, IncidentFigures, Pages};
use liveops_domain::report::statistics::FEW;
use liveops_domain::status::source::Outcome;
use liveops_domain::text::count::count;
use liveops_domain::text::duration::parse_positive;
use liveops_engine::report::incidents::{IncidentsReport, measure};

/// Action items on the screen; programs have all.
const ITEMS: usize = 20;

/// Report on incidents: durations, deadlines, pages, action items, causes that repeat
///
/// Durations are median and 90th percentile by severity, each with the number of incidents that it rests on; below eight
/// there is no trend, and the dots are shown. Causes are what `incident amend cause` said; the same alert again counts as
/// the same symptom. Pages at night are those between 22 and 8 o'clock in the zone of the on-call schedule.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops report incidents
  liveops report incidents --since 30d --service game-backend
  liveops report incidents --out incidents.html")]
pub(super) struct IncidentsArgs {
    /// Of the incidents that were opened in this time
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = parse_positive)]
    since: Duration,

    /// Only of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Also list each incident on the screen
    #[arg(long)]
    explain: bool,

    #[command(flatten)]
    pub(super) out: OutArgs,
}

struct Incidents {
    report: IncidentsReport,
    page: Page,
}

pub(super) fn run(args: &IncidentsArgs, cx: &Context) -> Result<Exit> {
    args.service.as_deref().map_or(Ok(()), |name| cx.check_service(name))?;
    let period = period(cx, args.since)?;
    let report = measure(cx, period, args.service.as_deref())?;
    let listed = args.explain || cx.output.format().is_document();
    let page = draw(page(cx, "Incidents", "incidents", &period)?, &report, listed);
    let meta = Meta {
        outcome: if report.warnings.is_empty() { Outcome::Success } else { Outcome::Partial },
        warnings: report.warnings.clone(),
        ..match report.figures.n {
            0 => Meta::next("all of them", "liveops incident list --all"),
            _ if !args.explain => Meta::next("each incident", "liveops report incidents --explain"),
            _ => Meta::next("the deployments", "liveops report dora"),
        }
    };
    show(cx, &Incidents { report, page }, meta, &args.out)?;
    Ok(Exit::Good)
}

fn draw(mut page: Page, report: &IncidentsReport, listed: bool) -> Page {
    let figures = &report.figures;
    let missed: usize = figures.deadlines.iter().map(|one| one.breached).sum();
    page.verdict = match figures.n {
        0 if !report.warnings.is_empty() => vec![plain("no incident that can be read was opened in this time")],
        0 => vec![plain("no incident was opened in this time")],
        n => vec![
            plain(count(n, "incident")),
            plain(", "),
            span(format!("{} open", figures.open), if figures.open > 0 { Tone::Bad } else { Tone::Plain }),
            plain(", "),
            span(format!("{} missed", count(missed, "deadline")), if missed > 0 { Tone::Warn } else { Tone::Plain }),
        ],
    };
    page.tiles = tiles(figures);
    if figures.n > 0 {
        page.sections.push(durations(report, listed));
        page.sections.push(deadlines(figures));
    }
    // Of what cannot be read, it is not known whether it woke anybody.
    if figures.pages.n > 0 || report.warnings.is_empty() {
        page.sections.push(pages(&figures.pages));
    }
    page.sections.push(actions(&figures.actions));
    if figures.n > 0 {
        page.sections.push(causes(figures));
    }
    if let Some(lost) = report.warnings.first() {
        let mut section = Section { title: "What cannot be read".into(), ..Section::default() };
        section.parts.push(Part::Missing(lost.clone()));
        section.parts.extend(report.warnings.iter().skip(1).map(|one| Part::Missing(one.clone())));
        page.sections.push(section);
    }
    let definitions = Span::ALL.map(|span| format!("{}: {}", span.word(), span.definition()));
    page.notes.insert(0, format!("Durations are median / p90. {}.", definitions.join("; ")));
    page
}

pub(super) fn tiles(figures: &IncidentFigures) -> Vec<Tile> {
    let tone = |n: usize, bad: Tone| if n > 0 { bad } else { Tone::Plain };
    let note_tone = |n: usize, bad: Tone| if n > 0 { bad } else { Tone::Dim };
    let missed: usize = figures.deadlines.iter().map(|one| one.breached).sum();
    let kept: usize = figures.deadlines.iter().map(|one| one.kept).sum();
    let worst = figures.by_severity.first().map_or_else(String::new, |one| format!(", {} {}", one.n, one.severity));
    vec![
        Tile {
            label: "Incidents",
            value: figures.n.to_string(),
            tone: Tone::Plain,
            note: format!("{} open{worst}", figures.open),
            note_tone: note_tone(figures.open, Tone::Bad),
        },
        Tile {
            label: "Deadlines missed",
            value: missed.to_string(),
            tone: tone(missed, Tone::Warn),
            note: format!("{kept} kept"),
            note_tone: Tone::Dim,
        },
        Tile {
            label: "Pages at night",
            value: figures.pages.at_night.to_string(),
            tone: tone(figures.pages.at_night, Tone::Warn),
            note: format!("of {}", count(figures.pages.n, "page")),
            note_tone: Tone::Dim,
        },
        Tile {
            label: "Action items open",
            value: figures.actions.open.to_string(),
            tone: Tone::Plain,
            note: format!("{} overdue, {} done", figures.actions.overdue, figures.actions.done),
            note_tone: note_tone(figures.actions.overdue, Tone::Bad),
        },
    ]
}

fn durations(report: &IncidentsReport, listed: bool) -> Section {
    let figures = &report.figures;
    let mut table = Table::new(["severity", "n", "open", "MTTD", "MTTA", "mitigate", "MTTR"]).right(&[1, 2]);
    for one in &figures.by_severity {
        let mut row = vec![
            span(one.severity.word(), severity(one.severity)),
            plain(one.n.to_string()),
            plain(one.open.to_string()),
        ];
        row.extend(one.measures.iter().map(cell));
        table.row(row);
    }
    let mut parts = vec![Part::Table(table)];
    let mitigated = figures.incidents.iter().filter(|one| one.mitigate_s.is_some()).count();
    parts.push(Part::Line(vec![plain(match figures.trend {
        None => format!("time to mitigate: {} of {FEW} that a trend needs", count(mitigated, "incident")),
        Some(trend) => format!("time to mitigate: {} over {}", trend.word(), count(mitigated, "incident")),
    })]));
    parts.extend(timeline(&figures.incidents, &report.period));
    let points: Vec<_> = figures.incidents.iter().filter_map(|one| Some((one.started, one.mitigate_s?))).collect();
    if !points.is_empty() {
        let mut data = Table::new(["incident", "began", "to mitigate"]).right(&[2]);
        for one in figures.incidents.iter().filter(|one| one.mitigate_s.is_some()) {
            data.row(vec![plain(&one.title), plain(moment(one.started)), plain(length(one.mitigate_s))]);
        }
        parts.push(Part::Chart(Chart {
            title: "Time to mitigate, a dot an incident".into(),
            description: format!("{} by the time that they began", count(points.len(), "incident")),
            plot: Plot::Dots { points, levels: Vec::new(), span: (report.period.since, report.period.until) },
            data,
        }));
    }
    if listed {
        parts.push(Part::Table(incident_table(&figures.incidents)));
    }
    Section { title: "How long they took".into(), source: None, parts }
}

fn deadlines(figures: &IncidentFigures) -> Section {
    let mut table = Table::new(["deadline", "kept", "missed", "pending"]).right(&[1, 2, 3]);
    for one in &figures.deadlines {
        table.row(vec![
            plain(one.duty.word()),
            plain(one.kept.to_string()),
            span(one.breached.to_string(), if one.breached > 0 { Tone::Warn } else { Tone::Plain }),
            plain(one.pending.to_string()),
        ]);
    }
    Section { title: "Deadlines".into(), source: None, parts: vec![Part::Table(table)] }
}

pub(super) fn pages(pages: &Pages) -> Section {
    if pages.n == 0 {
        let parts = vec![Part::Line(vec![plain("nobody was paged")])];
        return Section { title: "Pages".into(), source: None, parts };
    }
    let mut parts = vec![Part::Line(vec![
        plain(format!("{}, ", count(pages.n, "page"))),
        span(format!("{} at night", pages.at_night), if pages.at_night > 0 { Tone::Warn } else { Tone::Plain }),
        span(format!(" (22 to 8 o'clock, {})", pages.time_zone), Tone::Dim),
    ])];
    let hours = pages.by_hour.iter().map(|day| day.iter().sum::<usize>().to_string());
    let mut data = Table::new(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
    data.row(hours.map(plain).collect());
    parts.push(Part::Chart(Chart {
        title: "Pages by weekday and hour".into(),
        description: format!("{} of {} at night", pages.at_night, count(pages.n, "page")),
        plot: Plot::Heat(pages.by_hour.clone()),
        data,
    }));
    Section { title: "Pages".into(), source: None, parts }
}

pub(super) fn actions(actions: &Actions) -> Section {
    let tone = |n: usize, bad: Tone| if n > 0 { bad } else { Tone::Plain };
    if actions.open + actions.done == 0 {
        let parts = vec![Part::Line(vec![plain("no postmortem has one")])];
        return Section { title: "Action items".into(), source: None, parts };
    }
    let mut parts = vec![Part::Line(vec![
        plain(format!("{} open, ", actions.open)),
        span(format!("{} overdue", actions.overdue), tone(actions.overdue, Tone::Bad)),
        plain(", "),
        span(format!("{} without owner or date", actions.unassigned), tone(actions.unassigned, Tone::Warn)),
        plain(format!(", {} done", actions.done)),
    ])];
    if !actions.items.is_empty() {
        parts.push(Part::Table(action_table(&actions.items, ITEMS)));
    }
    if actions.items.len() > ITEMS {
        let text = format!("… and {} more (-o json has all)", actions.items.len() - ITEMS);
        parts.push(Part::Line(vec![span(text, Tone::Dim)]));
    }
    Section { title: "Action items".into(), source: None, parts }
}

fn causes(figures: &IncidentFigures) -> Section {
    let mut parts = Vec::new();
    if figures.repeats.is_empty() {
        parts.push(Part::Line(vec![plain("no cause and no alert came back")]));
    } else {
        let mut table = Table::new(["what came back", "as", "times", "incidents"]).right(&[2]);
        for one in &figures.repeats {
            table.row(vec![
                plain(&one.name),
                plain(one.by),
                plain(one.incidents.len().to_string()),
                plain(one.incidents.join(", ")),
            ]);
        }
        parts.push(Part::Table(table));
    }
    if figures.without_cause > 0 {
        let text = format!(
            "{} without a cause: `liveops incident amend cause WORD -i ID`",
            count(figures.without_cause, "incident")
        );
        parts.push(Part::Line(vec![span(text, Tone::Dim)]));
    }
    Section { title: "Causes that repeat".into(), source: None, parts }
}

impl Serialize for Incidents {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut data = serde_json::to_value(&self.report).map_err(serde::ser::Error::custom)?;
        let definitions =
            Span::ALL.map(|span| (json!(span).as_str().unwrap_or_default().to_owned(), json!(span.definition())));
        data["definitions"] = serde_json::Value::Object(definitions.into_iter().collect());
        data.serialize(serializer)
    }
}

impl Report for Incidents {
    fn schema(&self) -> &'static str {
        "liveops.report.incidents/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        self.page.blocks(view)
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new([
            "id",
            "title",
            "severity",
            "service",
            "cause",
            "started",
            "mitigated",
            "resolved",
            "mitigate_s",
            "alerts",
        ]);
        let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
            plain(at.map(liveops_domain::text::time::rfc3339).unwrap_or_default())
        };
        for one in &self.report.figures.incidents {
            table.row(vec![
                plain(&one.id),
                plain(&one.title),
                plain(one.severity.key()),
                plain(one.service.clone().unwrap_or_default()),
                plain(one.cause.clone().unwrap_or_default()),
                time(Some(one.started)),
                time(one.mitigated),
                time(one.resolved),
                plain(one.mitigate_s.map(|seconds| seconds.to_string()).unwrap_or_default()),
                plain(one.alerts.to_string()),
            ]);
        }
        Some(table)
    }

    fn document(&self, format: Format) -> Option<String> {
        self.page.document(format)
    }
}
