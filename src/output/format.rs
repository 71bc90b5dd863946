//! One report in each format: the envelope as JSON or YAML, the rows as CSV or names.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::block::Table;
use crate::output::report::{Meta, Report};
use liveops_domain::status::source::{Outcome, Recommendation, Source, Verdict};
use liveops_domain::text::cell::cell;
use liveops_domain::text::escape::escape;
use liveops_domain::text::paste::Repeat;
use liveops_domain::text::time::rfc3339;

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
    /// Findings as SARIF 2.1.0, for code scanning.
    Sarif,
    /// Findings as annotations of GitHub Actions.
    Github,
    /// Findings as GitLab's Code Quality report.
    Gitlab,
    /// Findings as JUnit's XML.
    Junit,
    /// The page for a chat, an issue or a wiki.
    Markdown,
    /// The page as one file for a browser, with charts.
    Html,
}

impl Format {
    /// Is this read by a program?
    pub(crate) fn is_machine(self) -> bool {
        self != Self::Table
    }

    /// Is it a document that only some reports can be?
    pub(crate) fn is_document(self) -> bool {
        matches!(self, Self::Sarif | Self::Github | Self::Gitlab | Self::Junit | Self::Markdown | Self::Html)
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
pub(crate) fn envelope(
    report: &dyn Report,
    meta: Meta,
    repeat: &Repeat,
    now: DateTime<Utc>,
) -> Result<Envelope, serde_json::Error> {
    Ok(Envelope {
        schema: report.schema(),
        environment: meta.environment,
        time: rfc3339(now),
        status: meta.outcome,
        verdict: meta.verdict,
        data: report.data()?,
        metrics: meta.metrics,
        incidents: meta.incidents,
        recommendations: repeat.steps(meta.recommendations),
        sources: meta.sources,
        warnings: meta.warnings.into_iter().chain(meta.notes).collect(),
    })
}

/// The rows as CSV (RFC 4180, with `\n`), header first. A cell that a spreadsheet would run as a formula is quoted by `'`.
pub(crate) fn csv(table: &Table) -> String {
    let line = |cells: Vec<String>| cells.join(",");
    let mut out = vec![line(table.columns.iter().map(|title| cell(title)).collect())];
    out.extend(table.rows.iter().map(|row| line(row.iter().map(|span| cell(&span.text)).collect())));
    out.join("\n")
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
    fn csv_quotes_and_disarms() {
        let mut table = Table::new(["a", "b"]);
        table.row(vec![plain("x,\"y\""), plain("=cmd()")]);
        table.row(vec![plain("-1.5"), plain("-x")]);
        assert_eq!(csv(&table), "a,b\n\"x,\"\"y\"\"\",'=cmd()\n-1.5,'-x");
        assert_eq!(names(&table), "x,\"y\"\n-1.5");
    }
}
