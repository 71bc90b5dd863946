//! The result of a query as a report.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::commands::query::again::RepeatQuery;
use crate::commands::query::figure::Figure;
use crate::commands::query::report::LONGEST_NEXT;
use crate::output::block::{Block, Span, Tone, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::change::timeline::Change;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::level::Level;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::duration;
use liveops_domain::text::shell::word;
use liveops_engine::query::no_data::NoDataHints;
use liveops_engine::query::result::QueryData;
use liveops_engine::query::window::Window;

/// What `liveops query` found: `{query, kpi?, start?, end?, step_seconds?, type, result}`.
#[derive(Debug)]
pub(crate) struct QueryResult {
    /// The PromQL that was sent.
    pub(crate) query: String,
    pub(crate) kpi: Option<Figure>,
    pub(crate) window: Window,
    pub(crate) result: QueryData,
    /// The series whose quantile is only known to lie above its value.
    pub(crate) lower_bounds: Vec<Labels>,
    pub(crate) plot: bool,
    /// The order of the series means something.
    pub(crate) ordered: bool,
    /// The unit that a plot is drawn in.
    pub(crate) unit: Unit,
    pub(crate) again: RepeatQuery,
    /// Prometheus warns that the answer is not whole.
    pub(crate) is_partial: bool,
    /// Why there may be nothing.
    pub(crate) absence: NoDataHints,
    /// What changed in the range, the oldest first, where that was asked for.
    pub(crate) changes: Vec<Change>,
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
            result: &'a QueryData,
            #[serde(skip_serializing_if = "<[Labels]>::is_empty")]
            lower_bounds: &'a [Labels],
            #[serde(skip_serializing_if = "<[Change]>::is_empty")]
            changes: &'a [Change],
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
        let (kpi, lower_bounds) = (self.kpi.as_ref(), self.lower_bounds.as_slice());
        Data { query: &self.query, kpi, range, result: &self.result, lower_bounds, changes: &self.changes }
            .serialize(to)
    }
}

impl QueryResult {
    pub(crate) fn verdict(&self) -> Verdict {
        match &self.kpi {
            Some(figure) => match figure.level {
                Level::Ok => Verdict::Pass,
                Level::Warn => Verdict::Warn,
                Level::Critical => Verdict::Fail,
                Level::Unknown => Verdict::Unknown,
            },
            None if self.result.is_empty() || self.is_partial => Verdict::Unknown,
            None => Verdict::Pass,
        }
    }

    /// The next useful command, and what for.
    pub(crate) fn next(&self) -> Option<(&'static str, String)> {
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
            (QueryData::String { .. }, _) => None,
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

    pub(crate) fn heading(&self, view: &View) -> Vec<Block> {
        let Some(figure) = &self.kpi else {
            return Vec::new();
        };
        let tone = tone::level(figure.level);
        let value = figure.value.map_or(String::new(), |value| format!("{}  ", value.show(&figure.unit)));
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
            .extend(figure.made_of.as_ref().map(|made_of| Block::Line(vec![span(format!("  {made_of}"), Tone::Dim)])));
        blocks
    }
}

/// A time with as many digits of a second as it has.
pub(crate) fn exact_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
