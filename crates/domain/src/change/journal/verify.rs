//! The check of a whole journal: that each line goes on from one above it, and that nothing is missing at the end.

use std::collections::HashMap;

use serde::Deserialize;

use crate::change::journal::{Fault, Forks, GENESIS, Head, Sealed, TAMPERED, body, follows, link};

/// Bytes from which on a text is worth more than one processor.
const PARALLEL: usize = 1 << 20;

/// The lines above, by their place: made when the first line does not continue the one above it.
#[derive(Default)]
struct Above {
    known: usize,
    by_seq: HashMap<u64, Vec<String>>,
}

impl Above {
    /// Does the line continue one of these events? And is it a second copy of one of them?
    fn admits<E: Sealed>(&mut self, events: &[E], event: &E, line: &str) -> Option<Admitted> {
        for event in &events[self.known..] {
            let hashes = self.by_seq.entry(event.seq()).or_default();
            hashes.push(event.hash().to_owned());
        }
        self.known = events.len();
        let at = |seq: u64| self.by_seq.get(&seq).map_or(&[][..], Vec::as_slice);
        let body = body(line, event.hash())?;
        let before = event.seq().checked_sub(1)?;
        let genesis = [GENESIS.to_owned()];
        let parents = if before == 0 { &genesis[..] } else { at(before) };
        parents.iter().find(|hash| link(hash, body) == *event.hash().as_bytes())?;
        Some(if at(event.seq()).iter().any(|hash| hash == event.hash()) { Admitted::Again } else { Admitted::Fork })
    }
}

enum Admitted {
    Fork,
    Again,
}

/// A line as it was read, whatever stands above it.
struct Read<'a, E> {
    line: &'a str,
    event: Result<E, String>,
    /// The event above it, and what is wrong with going on from there.
    above: Option<(u64, Result<(), String>)>,
}

/// Reads lines, each with the one above it. Every line can be checked by itself, since its hash covers what the line
/// above *says* its hash is.
fn read<'a, E: Sealed + Deserialize<'a> + Send>(text: &'a str) -> Vec<Read<'a, E>> {
    let mut all: Vec<Read<'a, E>> = Vec::with_capacity(memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1);
    let mut last = None;
    for line in text.lines() {
        let event: Result<E, String> = serde_json::from_str(line).map_err(|error| stray(line, &error));
        let above = last.and_then(|at: usize| {
            let above = all[at].event.as_ref().ok()?;
            let event = event.as_ref().ok()?;
            let followed = follows((above.seq(), above.hash()), event, line);
            Some((above.seq(), followed))
        });
        if event.is_ok() {
            last = Some(all.len());
        }
        all.push(Read { line, event, above });
    }
    all
}

/// What a line is that is no event.
fn stray(line: &str, error: &serde_json::Error) -> String {
    let is_marker = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|marker| line.starts_with(marker));
    if line.trim().is_empty() {
        "is blank".into()
    } else if is_marker {
        "is a conflict marker of git: delete the line".into()
    } else {
        format!("is not an event: {error}")
    }
}

/// Cuts a text into about so many pieces, at the ends of lines.
fn pieces(text: &str, count: usize) -> Vec<&str> {
    let mut rest = text;
    let mut pieces = Vec::new();
    for left in (2..=count).rev() {
        let wish = rest.len() / left;
        let Some(end) = rest.as_bytes()[wish..].iter().position(|b| *b == b'\n') else {
            break;
        };
        let (piece, after) = rest.split_at(wish + end + 1);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// Checks a whole journal, and that it has not been cut short of `known`, the head that was last written down.
/// After a fault it goes on from the next line as it stands, so that one edit is reported as one. A long journal is
/// read by all processors at once.
pub fn verify<'a, E: Sealed + Deserialize<'a> + Send>(
    text: &'a str,
    known: Option<&Head>,
    forks: Forks,
) -> (Vec<E>, Vec<Fault>) {
    let processors = match text.len() {
        0..PARALLEL => 1,
        _ => std::thread::available_parallelism().map_or(1, |count| count.get().min(8)),
    };
    verify_in(processors, text, known, forks)
}

fn verify_in<'a, E: Sealed + Deserialize<'a> + Send>(
    processors: usize,
    text: &'a str,
    known: Option<&Head>,
    forks: Forks,
) -> (Vec<E>, Vec<Fault>) {
    let mut chain = Chain { forks, ..Chain::new(Head::default(), known) };
    let events = chain.judge(read_in(processors, text));
    (events, chain.finish())
}

fn read_in<'a, E: Sealed + Deserialize<'a> + Send>(processors: usize, text: &'a str) -> Vec<Vec<Read<'a, E>>> {
    let pieces = pieces(text, processors);
    match pieces.as_slice() {
        [whole] => vec![read(whole)],
        pieces => std::thread::scope(|scope| {
            let work: Vec<_> = pieces.iter().map(|piece| scope.spawn(|| read(piece))).collect();
            work.into_iter().zip(pieces).map(|(work, piece)| work.join().unwrap_or_else(|_| read(piece))).collect()
        }),
    }
}

/// The check of a journal as far as it has been read: a long one is read in blocks, and a part of one from a line that is
/// taken as it stands.
pub struct Chain<'k> {
    head: Head,
    known: Option<&'k Head>,
    seen: bool,
    lines: usize,
    events: usize,
    above: Above,
    faults: Vec<Fault>,
    /// Lines that say what was missing when they were written.
    missed: Vec<(usize, Option<Missed>)>,
    forks: Forks,
}

impl<'k> Chain<'k> {
    /// From this head on, and not cut short of the one that was last written down.
    pub fn new(start: Head, known: Option<&'k Head>) -> Self {
        let seen = known.is_none_or(|known| known.seq == 0 || *known == start);
        let (above, faults, missed) = (Above::default(), Vec::new(), Vec::new());
        Self { head: start, known, seen, lines: 0, events: 0, above, faults, missed, forks: Forks::Faults }
    }

    /// Reads the next whole lines.
    pub fn block<'a, E: Sealed + Deserialize<'a> + Send>(&mut self, text: &'a str) -> Vec<E> {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
        let processors = if text.len() < PARALLEL { 1 } else { processors };
        self.judge(read_in(processors, text))
    }

    /// What is wrong with all of it.
    pub fn finish(mut self) -> Vec<Fault> {
        if let (false, Some(known)) = (self.seen, self.known) {
            self.faults.push(Fault { line: self.events + 1, what: absent(Some(known), self.forks) });
        }
        for (line, missed) in self.missed {
            let expected = missed.map(|missed| missed.expected);
            self.faults.push(Fault { line, what: absent(expected.as_ref(), self.forks) });
        }
        self.faults.sort_by_key(|fault| fault.line);
        self.faults
    }

    fn judge<'a, E: Sealed + 'a>(&mut self, lines: Vec<Vec<Read<'a, E>>>) -> Vec<E> {
        let mut events: Vec<E> = Vec::with_capacity(lines.iter().map(Vec::len).sum());
        for read in lines.into_iter().flatten() {
            self.lines += 1;
            let line = self.lines;
            let fault = |what| Fault { line, what };
            let event = match read.event {
                Ok(event) => event,
                Err(what) => {
                    self.faults.push(fault(what));
                    continue;
                }
            };
            let followed = match read.above {
                Some((seq, followed)) if seq == self.head.seq => followed,
                _ => follows((self.head.seq, &self.head.hash), &event, read.line),
            };
            if let Err(what) = followed {
                let admitted = match self.forks {
                    Forks::Merged => self.above.admits(&events, &event, read.line),
                    Forks::Faults => None,
                };
                match admitted {
                    Some(Admitted::Again) => continue,
                    Some(Admitted::Fork) => {}
                    None => self.faults.push(fault(what)),
                }
            }
            if event.kind() == TAMPERED {
                self.seen = true;
                self.missed.push((line, serde_json::from_str(&event.said()).ok()));
            }
            self.head.seq = event.seq();
            event.hash().clone_into(&mut self.head.hash);
            self.seen |= self.known == Some(&self.head);
            self.events += 1;
            events.push(event);
        }
        // What another branch had is here again once the branches are merged.
        let is_here = |head: &Head| events.iter().any(|event: &E| event.seq() == head.seq && event.hash() == head.hash);
        self.missed.retain(|(_, missed)| !missed.as_ref().is_some_and(|missed| is_here(&missed.expected)));
        events
    }
}

/// The data of an event of the kind [`TAMPERED`].
#[derive(Deserialize)]
struct Missed {
    expected: Head,
}

/// An event was written on this machine and is not in the file.
fn absent(head: Option<&Head>, forks: Forks) -> String {
    let event = head.map_or_else(|| "an event".to_owned(), |head| format!("event {}", head.seq));
    let why = match forks {
        Forks::Merged => "another branch of git is checked out, or lines were removed or rewritten",
        Forks::Faults => "lines were removed or rewritten",
    };
    format!("{event} was written and is not here: {why}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::journal::{Entry, Event, seal};
    use chrono::DateTime;

    fn journal(count: u64) -> (Vec<String>, Head) {
        let mut head = Head::default();
        let mut lines = Vec::new();
        for n in 0..count {
            let at = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
            let data = json!({ "n": n, "text": "é \" }" });
            let (line, event) = seal(&head, Entry::new(at, "ada", "change.done", data));
            head = Head { seq: event.seq, hash: event.hash };
            lines.push(line);
        }
        (lines, head)
    }

    fn faults(lines: &[String], head: &Head) -> Vec<Fault> {
        verify::<Event>(&lines.join("\n"), Some(head), Forks::Faults).1
    }

    #[test]
    fn an_untouched_journal_has_no_faults() {
        let (lines, head) = journal(5);
        assert_eq!(faults(&lines, &head), []);
        let (events, _) = verify::<Event>(&lines.join("\n"), None, Forks::Faults);
        assert_eq!(events[4].data["n"], 4);
    }

    #[test]
    fn every_tampering_is_found() {
        let (lines, head) = journal(5);
        for at in 0..5 {
            let mut edited = lines.clone();
            edited[at] = edited[at].replace("ada", "bob");
            assert_eq!(faults(&edited, &head)[0].line, at + 1, "edited {at}");
            let mut removed = lines.clone();
            removed.remove(at);
            assert!(!faults(&removed, &head).is_empty(), "removed {at}");
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert!(!faults(&doubled, &head).is_empty(), "doubled {at}");
        }
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        assert!(!faults(&swapped, &head).is_empty());
        let mut spaced = lines;
        spaced[2] = spaced[2].replacen("\"seq\":", "\"seq\": ", 1);
        assert!(!faults(&spaced, &head).is_empty(), "even white space counts");
        assert!(!faults(&[], &head).is_empty(), "all removed");
    }

    #[test]
    fn in_however_many_pieces_it_is_read_the_verdict_is_the_same() {
        let (lines, head) = journal(7);
        let (ada, bob) = (extend(&lines, "ada", 2), extend(&lines, "bob", 3));
        let mut merged = ada;
        merged.extend_from_slice(&bob[7..]);
        merged.insert(9, merged[8].clone());
        for at in 0..merged.len() {
            let mut edited = merged.clone();
            edited[at] = edited[at].replacen("\"by\":\"", "\"by\":\"x", 1);
            let mut broken = merged.clone();
            broken[at].truncate(20);
            for lines in [&merged, &edited, &broken] {
                let text = lines.join("\n") + "\n";
                for forks in [Forks::Faults, Forks::Merged] {
                    let whole = verify_in::<Event>(1, &text, Some(&head), forks);
                    for count in 2..=text.lines().count() + 2 {
                        let cut = verify_in::<Event>(count, &text, Some(&head), forks);
                        assert_eq!(cut, whole, "{count} pieces, line {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn in_blocks_and_from_the_middle_the_verdict_is_the_same() {
        let (lines, head) = journal(9);
        let mut edited = lines.clone();
        edited[6] = edited[6].replace("ada", "bob");
        for (lines, wrong) in [(&lines, vec![]), (&edited, vec![7])] {
            for size in 1..=9 {
                let mut chain = Chain::new(Head::default(), Some(&head));
                for block in lines.chunks(size) {
                    chain.block::<Event>(&(block.join("\n") + "\n"));
                }
                let found: Vec<usize> = chain.finish().into_iter().map(|fault| fault.line).collect();
                assert_eq!(found, wrong, "blocks of {size}");
            }
            let first: Event = serde_json::from_str(&lines[3]).expect("an event");
            let mut chain = Chain::new(Head { seq: first.seq, hash: first.hash }, Some(&head));
            chain.block::<Event>(&lines[4..].join("\n"));
            assert_eq!(chain.finish().len(), wrong.len());
        }
    }

    fn extend(lines: &[String], by: &str, count: usize) -> Vec<String> {
        let mut lines = lines.to_vec();
        let last: Event = serde_json::from_str(&lines[lines.len() - 1]).expect("an event");
        let mut head = Head { seq: last.seq, hash: last.hash };
        for n in 0..count {
            let (line, event) = seal(&head, Entry::new(last.at, by, "note", json!(n)));
            head = Head { seq: event.seq, hash: event.hash };
            lines.push(line);
        }
        lines
    }

    #[test]
    fn copies_that_git_merged_line_by_line_are_whole_and_edits_in_them_are_found() {
        let (base, _) = journal(3);
        let (ada, bob) = (extend(&base, "ada", 2), extend(&base, "bob", 3));
        let mut merged = ada;
        merged.extend_from_slice(&bob[3..]);
        let merged = extend(&merged, "eve", 1);
        let faults = |lines: &[String], forks| verify::<Event>(&lines.join("\n"), None, forks).1.len();
        assert_eq!(faults(&merged, Forks::Merged), 0);
        assert!(faults(&merged, Forks::Faults) > 0);
        for at in 0..merged.len() {
            let mut edited = merged.clone();
            edited[at] = edited[at].replacen("\"by\":\"", "\"by\":\"x", 1);
            assert!(faults(&edited, Forks::Merged) > 0, "edited {at}");
            let mut removed = merged.clone();
            removed.remove(at);
            // The end of a side that nothing continues can be cut unseen; the head beside the file tells of one.
            let is_tip = at == 4 || at == merged.len() - 1;
            assert_eq!(faults(&removed, Forks::Merged) == 0, is_tip, "removed {at}");
        }
        let mut doubled = merged.clone();
        doubled.insert(4, merged[3].clone());
        let (events, found) = verify::<Event>(&doubled.join("\n"), None, Forks::Merged);
        assert_eq!((events.len(), found.len()), (merged.len(), 0));
    }
}
