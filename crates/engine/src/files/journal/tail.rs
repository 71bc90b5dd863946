//! The end of a journal's file, read backwards, however long the file is.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};

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
    // Bytes behind the last newline are no event yet.
    let mut line = line_before(file, length)?;
    let mut last = None;
    loop {
        start = start.min(line.0);
        if start == 0 || length - start > LONGEST_TAIL {
            break;
        }
        line = line_before(file, start - 1)?;
        if let Some(event) = event(&line.1) {
            last = Some(event);
            break;
        }
    }
    let mut after = vec![0; usize::try_from(length - start).unwrap_or_default()];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut after)?;
    Ok(Ending { last, after: (!after.is_empty()).then_some((start, after)) })
}

fn event(line: &[u8]) -> Option<Event> {
    serde_json::from_slice(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)).ok()
}

/// The bytes between the last newline before `end` and `end`, and where they begin.
pub(super) fn line_before(file: &mut File, end: u64) -> Result<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut start = end;
    while start > 0 {
        let size = start.min(8192);
        let mut chunk = vec![0; usize::try_from(size).unwrap_or(8192)];
        file.seek(SeekFrom::Start(start - size))?;
        file.read_exact(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            let mut bytes = chunk.split_off(at + 1);
            bytes.append(&mut found);
            return Ok((start - size + at as u64 + 1, bytes));
        }
        chunk.append(&mut found);
        found = chunk;
        start -= size;
    }
    Ok((0, found))
}
