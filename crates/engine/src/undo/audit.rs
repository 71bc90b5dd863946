//! Finding a change in the audit log.

use crate::files::journal::Reading;
use crate::session::Session;
use liveops_domain::change::record::{ChangeRecord, changes};
use liveops_domain::error::{Error, Result};

/// The shortest beginning of an id that is taken for it.
const SHORTEST: usize = 4;

/// Everything that the audit log holds, and the changes in it, oldest first.
pub fn read(cx: &Session) -> Result<(Reading, Vec<ChangeRecord>)> {
    let reading = cx.audit_log().read()?;
    let records = changes(&reading.events);
    Ok((reading, records))
}

/// What is wrong with the log, for commands that go on all the same.
pub fn complaint(reading: &Reading) -> Option<String> {
    match reading.faults.len() {
        0 => None,
        1 => Some("a line of the audit log is not as it was written; `liveops audit verify` shows it".into()),
        n => {
            Some(format!("{n} lines of the audit log are not as they were written; `liveops audit verify` shows them"))
        }
    }
}

/// The change with this id, or the only one whose id begins so.
///
/// # Errors
/// `NotFound`, with the latest ids.
pub fn find<'a>(records: &'a [ChangeRecord], id: &str) -> Result<&'a ChangeRecord> {
    if let Some(exact) = records.iter().find(|record| record.id == id) {
        return Ok(exact);
    }
    let begins = |record: &&ChangeRecord| id.len() >= SHORTEST && record.id.starts_with(id);
    let found: Vec<&ChangeRecord> = records.iter().filter(begins).collect();
    match found.as_slice() {
        [only] => Ok(only),
        _ => Err(Error::NotFound {
            what: "change",
            name: id.to_owned(),
            candidates: records.iter().rev().map(|record| record.id.clone()).collect(),
        }),
    }
}
