//! The end of a journal's file, read backwards, however long the file is.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};

use crate::files::backwards::Backwards;
use liveops_domain::change::journal::Event;

/// More than this behind the last event is no torn line and no marker of git: the whole file is then another one.
const LONGEST_TAIL: u64 = 4 << 20;

/// How a file ends.
pub(super) struct Ending {
    /// The last event.
    pub last: Option<Event>,
    /// What stands behind it, and where that begins.
    pub after: Option<(u64, Vec<u8>)>,
}

/// The last event of a file, and what stands behind it.
pub(super) fn ending(file: &mut File) -> Result<Ending> {
    let length = file.metadata()?.len();
    let mut start = length;
    let mut last = None;
    // Bytes behind the last newline are no event yet.
    let mut lines = Backwards::of(file.try_clone()?)?;
    start -= lines.next().transpose()?.map_or(0, |torn| torn.len() as u64);
    while start > 0 && length - start <= LONGEST_TAIL {
        let Some(line) = lines.next().transpose()? else {
            break;
        };
        if let Some(event) = event(&line) {
            last = Some(event);
            break;
        }
        start -= line.len() as u64 + 1;
    }
    let mut after = vec![0; usize::try_from(length - start).unwrap_or_default()];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut after)?;
    Ok(Ending { last, after: (!after.is_empty()).then_some((start, after)) })
}

fn event(line: &[u8]) -> Option<Event> {
    serde_json::from_slice(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)).ok()
}
