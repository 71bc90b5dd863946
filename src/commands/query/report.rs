//! The report of `liveops query`: its JSON contract, its CSV rows, and the outline of its screen.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::commands::query::absence::Absence;
use crate::commands::query::again::Again;
use crate::commands::query::figure::Figure;
use crate::commands::query::found::{Found, full_name};
use crate::commands::query::value::exact;
use crate::commands::query::window::Window;
use crate::commands::query::{picture, table};
use crate::commands::tone;
use crate::domain::duration;
use crate::domain::labels::Labels;
use crate::domain::level::Level;
use crate::domain::quantity::Unit;
use crate::domain::series::Point;
use crate::domain::shell::word;
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::report::{Meta, Recommendation, Report, Source, SourceState, Verdict};
use crate::output::view::View;

/// Expressions longer than this are not repeated in the next command.
const LONGEST_NEXT: usize = 200;

/// What `liveops query` found: `{query, kpi?, start?, end?, step_seconds?, type, result}`.
#[derive(Debug)]
pub(super) struct QueryResult {
    /// The PromQL that was sent.
    pub(super) query: String,
    pub(super) kpi: Option<Figure>,
    pub(super) window: Window,
    pub(super) result: Found,
    pub(super) plot: bool,
    /// The order of the series means something.
    pub(super) ordered: bool,
    /// The unit that a plot is drawn in.
    pub(super) unit: Unit,
    pub(super) again: Again,
    /// Why there may be nothing.
    pub(super) absence: Absence,
    pub(super) environment: String,
    pub(super) latency: Duration,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Serialize for QueryResult {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Data<'a> {
            query: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            kpi: Option<&'a Figure>,
            #[serde(flatten)]
            range: Option<Range>,
            #[serde(flatten)]
            result: &'a Found,
        }
        #[derive(Serialize)]
        struct Range {
            start: DateTime<Utc>,
            end: DateTime<Utc>,
            step_seconds: f64,
        }
        let range = match self.window {
            Window::Instant(_) => None,
            Window::Range { start, end, step } => Some(Range { start, end, step_seconds: step.as_secs_f64() }),
        };
        Data { query: &self.query, kpi: self.kpi.as_ref(), range, result: &self.result }.serialize(to)
    }
}

impl QueryResult {
    fn verdict(&self) -> Verdict {
        match &self.kpi {
            Some(figure) => match figure.level {
                Level::Ok => Verdict::Pass,
                Level::Warn => Verdict::Warn,
                Level::Critical => Verdict::Fail,
                Level::Unknown => Verdict::Unknown,
            },
            None if self.result.is_empty() => Verdict::Unknown,
            None => Verdict::Pass,
        }
    }

    /// The next useful command, and what for.
    fn next(&self) -> Option<(&'static str, String)> {
        if self.result.is_empty() {
            let command = match &self.absence.next {
                Some(corrected) => self.again.query(&word(corrected), ""),
                None => self.again.command("doctor"),
            };
            return Some(("next", command));
        }
        if self.plot && self.kpi.is_some() {
            return Some(("all KPIs", self.again.command("status")));
        }
        let question = match &self.kpi {
            Some(figure) => format!("--kpi {}", word(&figure.kpi.name)),
            None if self.query.chars().count() <= LONGEST_NEXT => word(&self.query),
            None => return None,
        };
        let range = match self.window {
            Window::Range { start, end, .. } => {
                let range = (end - start).to_std().unwrap_or_default();
                format!(" --range {}", duration::to_promql(range))
            }
            Window::Instant(_) => String::new(),
        };
        match (&self.result, self.plot) {
            (Found::String { .. }, _) => None,
            (_, true) => {
                let form = format!("{range} -o csv");
                Some(("as data", self.again.query(&question, &form)))
            }
            (_, false) => {
                let form = format!("{range} --plot");
                Some(("over time", self.again.query(&question, &form)))
            }
        }
    }

    fn heading(&self, view: &View) -> Vec<Block> {
        let Some(figure) = &self.kpi else {
            return Vec::new();
        };
        let tone = tone::level(figure.level);
        let value = figure.value.map_or(String::new(), |value| format!("{}  ", figure.unit.show(value)));
        let mut line: Vec<Span> = vec![
            tone::mark(tone, view),
            span(format!(" {}  ", figure.title), Tone::Strong),
            span(value, tone),
            span(tone::level_word(figure.level), tone),
        ];
        line.extend(figure.thresholds().map(|text| span(format!("  ({text})"), Tone::Dim)));
        let mut blocks = vec![Block::Line(line)];
        let reason = figure.reason.as_ref().filter(|_| !self.result.is_empty());
        blocks.extend(reason.map(|reason| Block::text(format!("  {reason}"))));
        blocks
    }
}

/// A time with as many digits of a second as it has.
pub(super) fn exact_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl Report for QueryResult {
    const SCHEMA: &'static str = "liveops.query/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = self.heading(view);
        if self.result.is_empty() {
            blocks.push(Block::Line(vec![
                span("no data", Tone::Unknown),
                plain(match self.window {
                    Window::Instant(None) => " now".into(),
                    Window::Instant(Some(at)) => format!(" at {}", exact_time(at)),
                    Window::Range { start, end, .. } => {
                        format!(" from {} to {}", exact_time(start), exact_time(end))
                    }
                }),
            ]));
            let hint = |hint: &String| Block::Whole(vec![plain(format!("  {hint}"))]);
            blocks.extend(self.absence.hints.iter().map(hint));
        } else if self.plot {
            blocks.extend(picture::blocks(self, view));
        } else {
            blocks.extend(table::blocks(self, view));
        }
        if let Some((what, command)) = self.next() {
            blocks.push(Block::Blank);
            blocks.push(Block::next(what, command));
        }
        blocks
    }

    /// A row a sample: `timestamp`, `value`, then a column a label.
    fn rows(&self, _view: &View) -> Option<Table> {
        let mut names: Vec<&String> = self.result.labels().iter().flat_map(|l| l.keys()).collect();
        names.sort();
        names.dedup();
        let mut table = Table::default();
        let fixed = ["timestamp", "value"].into_iter().map(ToOwned::to_owned);
        table.columns.extend(fixed);
        let labels = names.iter().map(|name| (*name).clone());
        table.columns.extend(labels);
        let mut add = |point: &Point, labels: &Labels| {
            let mut row = vec![plain(exact_time(point.at)), plain(exact(&point.value))];
            let label = |name: &&String| plain(labels.get(*name).cloned().unwrap_or_default());
            row.extend(names.iter().map(label));
            table.rows.push(row);
        };
        match &self.result {
            Found::Vector(samples) => samples.iter().for_each(|one| add(&one.point, &one.labels)),
            Found::Matrix(series) => {
                for one in series {
                    one.points.iter().for_each(|point| add(point, &one.labels));
                }
            }
            Found::Scalar(point) => add(point, &Labels::new()),
            Found::String { at, text } => {
                table.row(vec![plain(exact_time(*at)), plain(text.clone())]);
            }
        }
        Some(table)
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.result.labels().into_iter().map(full_name).collect())
    }

    fn meta(&self) -> Meta {
        let verdict = self.verdict();
        Meta {
            environment: Some(self.environment.clone()),
            verdict,
            metrics: self.kpi.iter().map(Figure::metric).collect(),
            recommendations: self
                .next()
                .map(|(what, command)| Recommendation::new(what, command))
                .into_iter()
                .collect(),
            sources: vec![Source {
                name: "prometheus".into(),
                state: SourceState::Ok,
                latency_ms: u64::try_from(self.latency.as_millis()).ok(),
                error: None,
            }],
            warnings: self.warnings.clone(),
            notes: self.notes.clone(),
            ..Meta::default()
        }
    }
}
