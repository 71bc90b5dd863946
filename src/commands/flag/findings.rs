//! What lint finds, as a screen shows it.

use chrono::{DateTime, Utc};

use crate::commands::flag::shelf::Held;
use crate::commands::tone;
use crate::domain::flag::history::Revision;
use crate::domain::flag::lint::{Finding, Severity, Surroundings, lint_read};
use crate::domain::flag::name::FlagName;
use crate::domain::flag::reader::Reader;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::view::View;

/// What is wrong with a flag, by itself and against its newest revision, where that is known.
pub(super) fn findings(held: &Held, reader: Reader, newest: Option<(&Revision, DateTime<Utc>)>) -> Vec<Finding> {
    let around = Surroundings { newest, ..Surroundings::default() };
    of(held, reader, around)
}

/// What is wrong with a flag. A name that no flag can have is no flag's, and one finding.
pub(super) fn of(held: &Held, reader: Reader, around: Surroundings<'_>) -> Vec<Finding> {
    match held.name.parse::<FlagName>() {
        Ok(name) => lint_read(&name, (&held.raw, &held.read), reader, around),
        Err(error) => vec![Finding { code: "W20", severity: Severity::Warning, message: error.to_string() }],
    }
}

/// How a finding looks.
pub(super) fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Warn,
    }
}

/// The tone of the worst.
pub(super) fn worst(findings: &[Finding]) -> Option<Tone> {
    let severities = findings.iter().map(|finding| finding.severity);
    severities.min().map(tone)
}

/// A finding on a line of its own.
pub(super) fn block(finding: &Finding, view: &View) -> Block {
    let tone = tone(finding.severity);
    Block::Whole(vec![
        plain("  "),
        tone::mark(tone, view),
        span(format!(" {}  ", finding.code), tone),
        plain(&finding.message),
    ])
}
