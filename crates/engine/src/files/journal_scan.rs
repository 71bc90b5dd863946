//! Long journals without holding them: their end, and all of their lines in blocks.

use std::io::{self, Read, Seek, SeekFrom};

use chrono::{DateTime, Utc};

use crate::files::backwards::Backwards;
use crate::files::journal::{Journal, Reading};
use crate::files::open;
use liveops_domain::change::journal::{Chain, Event, Fault, Head, Line};
use liveops_domain::change::record::{ChangeRecord, NewestFirst};
use liveops_domain::error::Result;

/// So much is held of a journal that is read as a whole.
const BLOCK: usize = 4 << 20;

/// The end of a journal, from a line on.
#[derive(Debug)]
pub struct JournalEnd {
    text: String,
    known: Option<Head>,
    /// Is it all that there is?
    pub is_whole: bool,
}

impl JournalEnd {
    /// Verifies the lines and reads the events. Of a part, the first line is taken as it stands.
    pub fn read(&self) -> Reading {
        let (whole, torn) = match self.text.rfind('\n') {
            Some(end) => self.text.split_at(end + 1),
            None => ("", self.text.as_str()),
        };
        let first = whole.split_inclusive('\n').next().unwrap_or_default();
        let start = match self.is_whole {
            true => Some((Head::default(), whole)),
            false => serde_json::from_str::<Event>(first)
                .ok()
                .map(|event| (Head { seq: event.seq, hash: event.hash }, &whole[first.len()..])),
        };
        let (head, lines) = start.unwrap_or_else(|| (Head::default(), whole));
        let mut chain = Chain::new(head, self.known.as_ref());
        let events = chain.block(lines);
        Reading { events, faults: chain.finish(), torn: (!torn.is_empty()).then(|| torn.to_owned()) }
    }
}

/// Older lines in a row after which [`Journal::newest_first`] looks no further: a clock that is behind writes some among
/// newer ones.
const OLDER_IN_A_ROW: usize = 64;

impl Journal {
    /// Hands out the events since a time, the newest first and not verified: for a screen that is drawn often, and for a
    /// stretch of a log that is longer than what one wants to hold. Lines that are no events are left out.
    pub fn newest_first(&self, since: DateTime<Utc>, mut each: impl FnMut(&Line<'_>)) -> Result<()> {
        let lines = match open::open(self.path()).and_then(Backwards::of) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(self.io("open", source)),
        };
        let mut older = 0;
        for line in lines {
            let line = line.map_err(|source| self.io("read", source))?;
            match serde_json::from_slice::<Line<'_>>(&line) {
                Ok(event) if event.at < since => older += 1,
                Ok(event) => {
                    older = 0;
                    each(&event);
                }
                Err(_) => {}
            }
            if older >= OLDER_IN_A_ROW {
                break;
            }
        }
        Ok(())
    }

    /// As [`Journal::newest_first`], the changes that the events tell of.
    pub fn changes_since(&self, since: DateTime<Utc>, mut each: impl FnMut(ChangeRecord)) -> Result<()> {
        let mut changes = NewestFirst::default();
        self.newest_first(since, |event| changes.take(event).into_iter().for_each(&mut each))?;
        changes.without_beginning().into_iter().for_each(each);
        Ok(())
    }

    /// The last lines, of about so many bytes and at least one.
    pub fn end(&self, bytes: u64) -> Result<JournalEnd> {
        let _lock = self.lock_shared();
        let known = self.known_head();
        let mut file = match open::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(JournalEnd { text: String::new(), known, is_whole: true });
            }
            Err(source) => return Err(self.io("open", source)),
        };
        let length = file.metadata().map_err(|source| self.io("read", source))?.len();
        let mut wanted = bytes.min(length);
        loop {
            let mut text = Vec::new();
            file.seek(SeekFrom::Start(length - wanted))
                .and_then(|_| file.by_ref().take(wanted).read_to_end(&mut text))
                .map_err(|source| self.io("read", source))?;
            if wanted == length {
                return Ok(JournalEnd { text: utf8(text), known, is_whole: true });
            }
            // The first line is likely to be cut; the one after it is whole, and one more stands after that.
            let begin = memchr::memchr(b'\n', &text).map(|at| at + 1);
            if let Some(begin) = begin.filter(|begin| memchr::memchr_iter(b'\n', &text[*begin..]).nth(1).is_some()) {
                return Ok(JournalEnd { text: utf8(text.split_off(begin)), known, is_whole: false });
            }
            wanted = (wanted * 4).min(length);
        }
    }

    /// Hands out all whole lines in blocks, oldest first, and then what a crash has left of a last one.
    pub fn blocks(&self, mut each: impl FnMut(&str)) -> Result<Option<String>> {
        let _lock = self.lock_shared();
        let mut file = match open::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io("open", source)),
        };
        let mut rest = Vec::new();
        loop {
            let read = file.by_ref().take(BLOCK as u64).read_to_end(&mut rest);
            if read.map_err(|source| self.io("read", source))? == 0 {
                return Ok((!rest.is_empty()).then(|| utf8(rest)));
            }
            if let Some(end) = memchr::memrchr(b'\n', &rest) {
                let after = rest.split_off(end + 1);
                match std::str::from_utf8(&rest) {
                    Ok(text) => each(text),
                    Err(_) => each(&String::from_utf8_lossy(&rest)),
                }
                rest = after;
            }
        }
    }

    /// Verifies all lines without holding them, and hands out their events; the half-written last line, if there is one,
    /// comes back.
    pub fn verify(&self, mut each: impl FnMut(&Line<'_>)) -> Result<(Vec<Fault>, Option<String>)> {
        // The head comes first: a line that is appended meanwhile must not look like one that was removed.
        let known = self.known_head();
        let mut chain = Chain::new(Head::default(), known.as_ref());
        let torn = self.blocks(|block| chain.block::<Line<'_>>(block).iter().for_each(&mut each))?;
        Ok((chain.finish(), torn))
    }
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
