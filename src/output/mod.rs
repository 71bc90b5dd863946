//! What you see. `Output` is the only door to stdout and stderr; it knows reports, not what they mean.

pub(crate) mod block;
pub(crate) mod format;
pub(crate) mod markdown;
pub(crate) mod page;
pub(crate) mod paste;
pub(crate) mod plot;
pub(crate) mod progress;
pub(crate) mod prompt;
mod render;
pub(crate) mod report;
pub(crate) mod screen;
pub(crate) mod terminal;
pub(crate) mod tone;
pub(crate) mod view;
mod wrap;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdin, stdout};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use console::Term;

use crate::output::block::{Block, Span, Table, Tone, span};
use crate::output::format::{Format, csv, envelope, names};
use crate::output::paste::repeated;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::count::count;
use liveops_domain::text::escape::{escape, escape_json, is_tame};
use liveops_domain::text::paste::Repeat;
use liveops_domain::text::secret::{mask, mask_bytes};

/// When to colour: `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` or `TERM=dumb` says no; in a pipe only with `CLICOLOR_FORCE`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the environment says about the terminal. Read once, in `config::terminal`.
#[derive(Debug, Clone, Default)]
pub(crate) struct TerminalHints {
    /// `NO_COLOR` is set and not empty.
    pub(crate) no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`.
    pub(crate) force_color: bool,
    /// `TERM=dumb`.
    pub(crate) dumb: bool,
    /// The locale speaks UTF-8.
    pub(crate) utf8: bool,
    /// `COLUMNS`, for pipes and tests.
    pub(crate) columns: Option<usize>,
}

/// The report and the last lines of its frame.
pub(crate) fn framed(report: &dyn Report, meta: &Meta, view: &View) -> Vec<Block> {
    let mut blocks = report.blocks(view);
    blocks.extend(meta.tail.iter().cloned());
    blocks
}

/// What `-v` writes to.
pub(crate) fn masked_stderr() -> impl Write {
    struct Masked;
    impl Write for Masked {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            stderr().lock().write_all(&mask_bytes(bytes)).map(|()| bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            stderr().flush()
        }
    }
    Masked
}

fn no_rows() -> Error {
    Error::usage("this report has no rows, so it has no `csv` or `name` form", "use `-o table`, `-o json` or `-o yaml`")
}

/// Only some reports are documents of this format.
pub(crate) fn no_document(format: Format) -> Error {
    let name =
        clap::ValueEnum::to_possible_value(&format).map_or_else(String::new, |value| value.get_name().to_owned());
    let whose = match format {
        Format::Markdown | Format::Html => "`markdown` and `html` are for `liveops report …`",
        _ => "`sarif`, `github`, `gitlab` and `junit` are for gates, such as `liveops check …`",
    };
    let hint = format!("{whose}; use `-o table`, `-o json` or `-o yaml`");
    Error::usage(format!("this command has no `{name}` form"), hint)
}

/// Format, colour, size, quietness: the one thing that prints.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    colour_out: bool,
    colour_err: bool,
    quiet: bool,
    repeat: Repeat,
    hints: TerminalHints,
    out_is_terminal: bool,
    /// The reader of stdout went away: stay quiet, keep the verdict, let work in progress finish.
    closed: Cell<bool>,
    warned: RefCell<BTreeSet<String>>,
    /// What would be printed is kept here, in so many columns: the output of a command inside of a screen.
    kept: Option<(Rc<RefCell<String>>, usize)>,
    /// What this run has changed: when it can no longer be said, it is half done.
    changed: RefCell<Option<(String, String)>>,
}

impl Output {
    /// Decides once what the streams can do.
    pub(crate) fn new(format: Format, colour: Colour, quiet: bool, hints: TerminalHints) -> Self {
        let decide = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => !hints.no_color && (hints.force_color || (terminal && !hints.dumb)),
        };
        let out_is_terminal = stdout().is_terminal();
        Self {
            format,
            colour_out: decide(out_is_terminal) && !format.is_machine(),
            colour_err: decide(stderr().is_terminal()),
            quiet,
            repeat: Repeat::default(),
            hints,
            out_is_terminal,
            closed: Cell::new(false),
            warned: RefCell::default(),
            kept: None,
            changed: RefCell::default(),
        }
    }

    /// A door that prints nothing: both streams are kept as they would look in so many columns.
    pub(crate) fn keeping(&self, columns: usize) -> (Self, Rc<RefCell<String>>) {
        let kept = Rc::new(RefCell::new(String::new()));
        let output = Self {
            format: Format::Table,
            colour_err: self.colour_out,
            quiet: true,
            repeat: Repeat::default(),
            hints: self.hints.clone(),
            out_is_terminal: false,
            closed: Cell::new(false),
            warned: RefCell::default(),
            kept: Some((Rc::clone(&kept), columns)),
            changed: RefCell::default(),
            ..*self
        };
        (output, kept)
    }

    /// May the whole screen be taken: a terminal that obeys control sequences, with keys?
    pub(crate) fn has_screen(&self) -> bool {
        self.out_is_terminal && !self.hints.dumb && self.format == Format::Table && stdin().is_terminal()
    }

    /// Can what stands on the terminal be drawn over? A dumb one has no cursor to move.
    pub(crate) fn can_redraw(&self) -> bool {
        self.out_is_terminal && !self.hints.dumb
    }

    /// Is stdout coloured?
    pub(crate) fn is_coloured(&self) -> bool {
        self.colour_out
    }

    /// The same door once more, for a second context of the same run.
    pub(crate) fn again(&self) -> Self {
        Self {
            hints: self.hints.clone(),
            repeat: Repeat::default(),
            closed: Cell::new(self.closed.get()),
            warned: RefCell::default(),
            kept: self.kept.clone(),
            changed: RefCell::default(),
            ..*self
        }
    }

    /// Commands to paste carry these flags.
    pub(crate) fn repeating(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// The flags that commands to paste carry.
    pub(crate) fn repeat(&self) -> &Repeat {
        &self.repeat
    }

    /// The format that was asked for. For streams and errors; commands have no need of it.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Does stdout show on a terminal?
    pub(crate) fn is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Something was changed; this command says what.
    pub(crate) fn has_changed(&self, what: &str, command: &str) {
        self.changed.replace(Some((what.to_owned(), self.repeat.apply(command))));
    }

    /// Has the reader of stdout gone away?
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// The place that stdout is.
    pub(crate) fn view(&self, now: DateTime<Utc>) -> View {
        if let Some((_, columns)) = &self.kept {
            return View {
                width: *columns,
                height: None,
                unicode: self.hints.utf8 && !self.hints.dumb,
                terminal: true,
                now,
            };
        }
        let size = self.out_is_terminal.then(|| Term::stdout().size());
        let width = size.map(|(_, columns)| usize::from(columns)).filter(|width| *width > 0);
        View {
            width: width.or(self.hints.columns).unwrap_or(if self.out_is_terminal { 80 } else { 160 }),
            height: size.map(|(rows, _)| usize::from(rows)).filter(|rows| *rows > 0),
            unicode: self.hints.utf8 && !self.hints.dumb,
            terminal: self.out_is_terminal,
            now,
        }
    }

    /// Prints a report that knows its frame.
    pub(crate) fn show(&self, report: &dyn Report, now: DateTime<Utc>) -> Result<()> {
        self.print(report, report.meta(), now)
    }

    /// Prints the report in the format that was asked for.
    pub(crate) fn print(&self, report: &dyn Report, meta: Meta, now: DateTime<Utc>) -> Result<()> {
        // JSON and YAML hold them.
        if !matches!(self.format, Format::Json | Format::Yaml) {
            for warning in &meta.warnings {
                self.warn(warning);
            }
            for note in &meta.notes {
                self.note(&format!("note: {note}"));
            }
        }
        let text = self.text(report, meta, now)?;
        self.write(&text)
    }

    /// One report of a stream that knows its frame.
    pub(crate) fn show_line(&self, report: &dyn Report, now: DateTime<Utc>) -> Result<()> {
        self.print_line(report, report.meta(), now)
    }

    /// One report of a stream: an object a line with `-o json`, a document with `-o yaml`, the blocks otherwise.
    pub(crate) fn print_line(&self, report: &dyn Report, meta: Meta, now: DateTime<Utc>) -> Result<()> {
        match self.format {
            Format::Json => {
                self.write(&escape_json(&serde_json::to_string(&envelope(report, meta, &self.repeat, now)?)?))
            }
            Format::Yaml => {
                let text = self.text(report, meta, now)?;
                self.write(&format!("---\n{text}"))
            }
            _ => self.print(report, meta, now),
        }
    }

    /// For reports that have no rows: says so before anybody is asked.
    pub(crate) fn refuse_rows(&self) -> Result<()> {
        match self.format {
            Format::Csv | Format::Name => Err(no_rows()),
            _ => Ok(()),
        }
    }

    /// What would be printed, for a file.
    pub(crate) fn rendered(&self, report: &dyn Report, meta: Meta, now: DateTime<Utc>) -> Result<String> {
        Ok(mask(&self.text(report, meta, now)?).into_owned())
    }

    fn text(&self, report: &dyn Report, meta: Meta, now: DateTime<Utc>) -> Result<String> {
        let view = self.view(now);
        let rows = || {
            let machine = View { terminal: false, ..view.clone() };
            report.rows(&machine).or_else(|| report.names().map(Table::of_names)).ok_or_else(no_rows)
        };
        Ok(match self.format {
            Format::Table => self.drawn(framed(report, &meta, &view), &view).join("\n"),
            Format::Json => escape_json(&serde_json::to_string_pretty(&envelope(report, meta, &self.repeat, now)?)?),
            Format::Yaml => {
                let envelope = envelope(report, meta, &self.repeat, now)?;
                let text = serde_yaml::to_string(&envelope).map_err(|error| Error::internal(&error.to_string()))?;
                match is_tame(&text) {
                    true => text.trim_end().to_owned(),
                    // JSON is YAML, and can say every character.
                    false => escape_json(&serde_json::to_string_pretty(&envelope)?),
                }
            }
            Format::Csv => csv(&rows()?),
            Format::Name => match report.names() {
                Some(names) => names.iter().map(|name| escape(name)).collect::<Vec<_>>().join("\n"),
                None => names(&rows()?),
            },
            Format::Sarif | Format::Github | Format::Gitlab | Format::Junit | Format::Markdown | Format::Html => {
                report.document(self.format).ok_or_else(|| no_document(self.format))?
            }
        })
    }

    /// Blocks as coloured lines for stdout: what `screen` redraws.
    pub(crate) fn lines(&self, blocks: &[Block], view: &View) -> Vec<String> {
        self.drawn(blocks.to_vec(), view)
    }

    fn drawn(&self, blocks: Vec<Block>, view: &View) -> Vec<String> {
        render::lines(&repeated(&self.repeat, blocks), view, self.colour_out)
    }

    /// Writes raw text and a newline to stdout. Only for what is itself a file format: completions, CSV, config.
    /// A closed pipe is remembered, not reported.
    pub(crate) fn write(&self, text: &str) -> Result<()> {
        if self.closed.get() || text.is_empty() {
            return Ok(());
        }
        let text = &*mask(text);
        if self.keep(text) {
            return Ok(());
        }
        let mut out = stdout().lock();
        let done = out
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") })
            .and_then(|()| out.flush());
        match done {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed.set(true);
                Ok(())
            }
            Err(error) => Err(match self.changed.borrow().clone() {
                Some((done, command)) => {
                    Error::HalfDone { done, left: format!("stdout cannot be written: {error}"), command }
                }
                None => Error::Io { action: "write", path: "stdout".into(), source: error },
            }),
            Ok(()) => Ok(()),
        }
    }

    /// A note to the person, on stderr; silent with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.to_stderr(&[span(text, Tone::Dim)]);
        }
    }

    /// Something went less than well, and the work goes on. The same is said once.
    pub(crate) fn warn(&self, text: &str) {
        if !self.warned.borrow_mut().insert(text.to_owned()) {
            return;
        }
        self.to_stderr(&[span("warning: ", Tone::Warn), span(text, Tone::Plain)]);
    }

    /// Blocks on stderr: a plan before its confirmation. Shown even with `--quiet`, since a question follows.
    pub(crate) fn show_plan(&self, blocks: &[Block], now: DateTime<Utc>) {
        let view = View { terminal: stderr().is_terminal(), ..self.view(now) };
        self.line_to_stderr(&render::lines(blocks, &view, self.colour_err).join("\n"));
    }

    /// A plan that is asked about: what is longer than the terminal is shown page by page, so that none of it is
    /// scrolled away before it was seen.
    pub(crate) fn show_plan_to_read(&self, blocks: &[Block], now: DateTime<Utc>) -> Result<()> {
        let view = View { terminal: stderr().is_terminal(), ..self.view(now) };
        let lines = render::lines(blocks, &view, self.colour_err);
        let (rows, columns) = Term::stderr().size();
        // A row for the question; lines that are kept whole may take several.
        let room = usize::from(rows).saturating_sub(2).max(4);
        let mut rest = &lines[..];
        loop {
            let fits = screen::fitting(rest, usize::from(columns), room).max(1);
            let (page, left) = rest.split_at(fits.min(rest.len()));
            self.line_to_stderr(&page.join("\n"));
            if left.is_empty() {
                return Ok(());
            }
            prompt::text(&format!("{} to read, Enter shows them", count(left.len(), "more line")), Some(""))?;
            rest = left;
        }
    }

    /// An error, once, at the end: message, causes, hint; one JSON object with `-o json`.
    pub(crate) fn error(&self, error: &Error) {
        if self.format == Format::Json {
            return self.line_to_stderr(&escape_json(&error.to_json().to_string()));
        }
        self.to_stderr(&[span("error: ", Tone::Bad), span(error.to_string(), Tone::Plain)]);
        let mut cause = std::error::Error::source(error);
        while let Some(current) = cause {
            self.to_stderr(&[span("caused by: ", Tone::Dim), span(current.to_string(), Tone::Plain)]);
            cause = current.source();
        }
        if let Some(hint) = error.hint() {
            self.to_stderr(&[span("\nhint: ", Tone::Command), span(hint, Tone::Plain)]);
        }
    }

    fn to_stderr(&self, spans: &[Span]) {
        self.line_to_stderr(&render::message(spans, self.colour_err, terminal_width()));
    }

    fn line_to_stderr(&self, text: &str) {
        let text = &*mask(text);
        if !self.keep(text) {
            prompt::end_row();
            // Nothing can be done about a closed stderr.
            let _ = writeln!(stderr().lock(), "{text}");
        }
    }

    /// Keeps a text that nothing is to print.
    fn keep(&self, text: &str) -> bool {
        let Some((kept, _)) = &self.kept else {
            return false;
        };
        let mut kept = kept.borrow_mut();
        kept.push_str(text.trim_end_matches('\n'));
        kept.push('\n');
        true
    }
}

/// The width of the terminal that messages go to, where they go to one.
fn terminal_width() -> Option<usize> {
    console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns))
}
