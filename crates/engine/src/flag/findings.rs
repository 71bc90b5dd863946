//! What is wrong with a flag.

use chrono::{DateTime, Utc};

use crate::flag::catalog::Held;
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::lint::{Finding, Severity, Surroundings, lint_read};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;

/// What is wrong with a flag, by itself and against its newest revision, where that is known.
pub fn findings(held: &Held, reader: Reader, newest: Option<(&Revision, DateTime<Utc>)>) -> Vec<Finding> {
    let around = Surroundings { newest, ..Surroundings::default() };
    of(held, reader, around)
}

/// What is wrong with a flag. A name that no flag can have is no flag's, and one finding.
pub fn of(held: &Held, reader: Reader, around: Surroundings<'_>) -> Vec<Finding> {
    match held.name.parse::<FlagName>() {
        Ok(name) => lint_read(&name, (&held.raw, &held.read), reader, around),
        Err(error) => vec![Finding { code: "W20", severity: Severity::Warning, message: error.to_string() }],
    }
}
