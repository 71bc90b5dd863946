//! A screen that is redrawn in place (`--watch`) and always given back as it was.

use std::cell::RefCell;
use std::io::{Write, stdout};

use console::measure_text_width;

use crate::output::Output;
use crate::output::block::{Block, Tone, span};
use crate::output::terminal::stop;
use crate::output::view::View;
use liveops_domain::error::Result;
use liveops_domain::text::count::count;
use liveops_domain::text::secret::mask;

/// Enter: other buffer, hidden cursor. Leave: the reverse (xterm control sequences, DEC private modes 1049 and 25).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";

const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Synchronized output (mode 2026): terminals that know it show each frame whole; the others ignore it.
const BEGIN: &str = "\x1b[?2026h\x1b[H";

const END: &str = "\x1b[J\x1b[?2026l";

/// The alternate screen. Dropping it restores the terminal, however the command ends.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    output: &'a Output,
    /// The lines of the last frame.
    last: RefCell<Vec<String>>,
}

impl<'a> Screen<'a> {
    /// Takes the terminal over; in a pipe there is nothing to take.
    pub(crate) fn enter(output: &'a Output) -> Result<Self> {
        if output.can_redraw() {
            raw(ENTER)?;
        }
        Ok(Self { output, last: RefCell::default() })
    }

    /// Draws a frame over the last one: each line is cleared to its end only after its text, so nothing flickers.
    /// What does not fit is counted on the last line, never scrolled away.
    pub(crate) fn draw(&self, blocks: &[Block], view: &View) -> Result<()> {
        let mut lines = self.output.lines(blocks, view);
        if !self.output.can_redraw() {
            lines.push(String::new());
            return self.output.write(&lines.join("\n"));
        }
        let room = view.height.unwrap_or(24).max(2);
        let fitting = fitting(&lines, view.width, room);
        if fitting < lines.len() {
            // What to do next stays in sight.
            let is_next = |line: &&String| console::strip_ansi_codes(line).starts_with("next: ");
            let mut tail: Vec<String> = lines.iter().rev().take_while(is_next).take(2).cloned().collect();
            tail.reverse();
            let rows: usize = tail.iter().map(|line| rows(line, view.width)).sum();
            if rows > room / 2 {
                tail.clear();
            }
            let taken = if tail.is_empty() { 0 } else { rows };
            let fitting = self::fitting(&lines, view.width, room - taken);
            let hidden = lines.len() - fitting - tail.len();
            lines.truncate(fitting);
            let note = span(
                format!("{} {}; make the window taller", view.pick("…", "..."), count(hidden, "more line")),
                Tone::Dim,
            );
            lines.extend(self.output.lines(&[Block::Line(vec![note])], view));
            lines.extend(tail);
        }
        self.last.replace(lines.clone());
        let body: Vec<String> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
        raw(&format!("{BEGIN}{}{END}", body.join("\r\n")))
    }
}

/// The rows that a line takes.
fn rows(line: &str, width: usize) -> usize {
    measure_text_width(line).div_ceil(width.max(1)).max(1)
}

/// How many of the lines fit into `room` rows, with a row left for the note when not all do. Lines that are kept whole
/// (a headline, a command to paste) may take several rows; one too many would scroll the screen at each frame.
pub(super) fn fitting(lines: &[String], width: usize, room: usize) -> usize {
    if lines.iter().map(|line| rows(line, width)).sum::<usize>() <= room {
        return lines.len();
    }
    let mut used = 0;
    lines
        .iter()
        .take_while(|line| {
            used += rows(line, width);
            used < room
        })
        .count()
}

impl Screen<'_> {
    /// Gives the terminal back with the last frame on it: above a question stands what it is about.
    pub(crate) fn keep(self) -> Result<()> {
        let (output, mut lines) = (self.output, self.last.take());
        lines.push(String::new());
        drop(self);
        output.write(&lines.join("\n"))
    }

    /// Gives the terminal back while this process is stopped (Ctrl-Z), and takes it again afterwards.
    pub(crate) fn stop(&self) -> Result<()> {
        if self.output.can_redraw() {
            raw(LEAVE)?;
        }
        stop();
        if self.output.can_redraw() { raw(ENTER) } else { Ok(()) }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if self.output.can_redraw() {
            let _ = raw(LEAVE);
        }
    }
}

fn raw(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(mask(text).as_bytes()).and_then(|()| out.flush()).map_err(|source| liveops_domain::error::Error::Io {
        action: "write",
        path: "stdout".into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_take_the_rows_that_they_take() {
        let lines = ["title", "0123456789abcdef", "", "\x1b[1mnext\x1b[0m"].map(ToOwned::to_owned);
        for (width, room, want) in [(20, 4, 4), (20, 3, 2), (8, 5, 4), (8, 4, 2), (8, 3, 1), (4, 2, 0), (0, 99, 4)] {
            assert_eq!(fitting(&lines, width, room), want, "{width}x{room}");
        }
    }
}
