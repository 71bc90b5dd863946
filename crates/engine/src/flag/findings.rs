//! What is wrong with a flag.

use chrono::{DateTime, Utc};

use crate::flag::catalog::StoredFlag;
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::lint::{Finding, LintContext, Severity, lint_read};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;

/// What is wrong with a flag, by itself and against its newest revision, where that is known.
pub fn findings(stored: &StoredFlag, reader: Reader, newest: Option<(&Revision, DateTime<Utc>)>) -> Vec<Finding> {
    let around = LintContext { newest, ..LintContext::default() };
    of(stored, reader, around)
}

/// What is wrong with a flag. A name that no flag can have is no flag's, and one finding.
pub fn of(stored: &StoredFlag, reader: Reader, around: LintContext<'_>) -> Vec<Finding> {
    match stored.name.parse::<FlagName>() {
        Ok(name) => lint_read(&name, (&stored.raw, &stored.read), reader, around),
        Err(error) => vec![Finding { code: "W20", severity: Severity::Warning, message: error.to_string() }],
    }
}
