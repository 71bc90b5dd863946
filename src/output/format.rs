//! One report in each format: the envelope as JSON or YAML, the rows as CSV or names.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::block::Table;
use crate::output::escape::escape;
use crate::output::paste::Repeat;
use crate::output::report::{Outcome, Recommendation, Report, Source, Verdict};
use crate::output::view::rfc3339;

/// What `-o` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One envelope, pretty-printed; streams give one object a line.
    Json,
    /// The same envelope as YAML.
    Yaml,
    /// The rows, where the report is a list.
    Csv,
    /// The first column only, one a line, for xargs.
    Name,
}

impl Format {
    /// Is this read by a program?
    pub(crate) fn is_machine(self) -> bool {
        self != Self::Table
    }
}

/// What stands around `data` in every JSON report (contracts: Output).
#[derive(Serialize)]
pub(crate) struct Envelope {
    schema: &'static str,
    environment: Option<String>,
    time: String,
    status: Outcome,
    verdict: Verdict,
    data: Value,
    metrics: Map<String, Value>,
    incidents: Vec<Value>,
    recommendations: Vec<Recommendation>,
    sources: Vec<Source>,
    warnings: Vec<String>,
}

/// The report in its envelope.
///
/// # Errors
/// When a report's keys are not strings, which is a bug.
pub(crate) fn envelope<R: Report>(
    report: &R,
    repeat: &Repeat,
    now: DateTime<Utc>,
) -> Result<Envelope, serde_json::Error> {
    let meta = report.meta();
    Ok(Envelope {
        schema: R::SCHEMA,
        environment: meta.environment,
        time: rfc3339(now),
        status: meta.outcome,
        verdict: meta.verdict,
        data: serde_json::to_value(report)?,
        metrics: meta.metrics,
        incidents: meta.incidents,
        recommendations: repeat.steps(meta.recommendations),
        sources: meta.sources,
        warnings: meta.warnings.into_iter().chain(meta.notes).collect(),
    })
}

/// A number for JSON: finite ones as they are, the others as Prometheus spells them.
pub(crate) fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(
        || {
            Value::String(
                if value.is_nan() {
                    "NaN"
                } else if value > 0.0 {
                    "+Inf"
                } else {
                    "-Inf"
                }
                .into(),
            )
        },
        Value::Number,
    )
}

/// The rows as CSV (RFC 4180, with `\n`), header first. A cell that a spreadsheet would run as a formula is quoted by `'`.
pub(crate) fn csv(table: &Table) -> String {
    let line = |cells: Vec<String>| cells.join(",");
    let mut out = vec![line(table.columns.iter().map(|title| cell(title)).collect())];
    out.extend(table.rows.iter().map(|row| line(row.iter().map(|span| cell(&span.text)).collect())));
    out.join("\n")
}

/// One cell of CSV.
pub(crate) fn cell(text: &str) -> String {
    // As on a terminal: a row stays one line, and obeys nobody.
    let text = &*escape(text);
    let formula =
        text.starts_with(['=', '@', '\t', '\r']) || (text.starts_with(['+', '-']) && text.parse::<f64>().is_err());
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The first column, one value a line.
pub(crate) fn names(table: &Table) -> String {
    let first = |row: &Vec<crate::output::block::Span>| row.first().map(|cell| escape(&cell.text).into_owned());
    table.rows.iter().filter_map(first).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::block::plain;

    #[test]
    fn numbers_keep_what_json_cannot_say() {
        assert_eq!(number(1.5), serde_json::json!(1.5));
        assert_eq!(number(f64::NAN), serde_json::json!("NaN"));
        assert_eq!(number(f64::NEG_INFINITY), serde_json::json!("-Inf"));
    }

    #[test]
    fn csv_quotes_and_disarms() {
        let mut table = Table::new(["a", "b"]);
        table.row(vec![plain("x,\"y\""), plain("=cmd()")]);
        table.row(vec![plain("-1.5"), plain("-x")]);
        assert_eq!(csv(&table), "a,b\n\"x,\"\"y\"\"\",'=cmd()\n-1.5,'-x");
        assert_eq!(names(&table), "x,\"y\"\n-1.5");
    }
}
