//! The loop: keys, looks and open commands come as they come; nothing waits for the slowest.

use std::future::pending;
use std::path::Path;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::files::recording::Recording;
use liveops_engine::observe::last_good::LastGood;
use liveops_engine::session::cache;
use liveops_engine::status::gather;
use liveops_engine::status::report::StatusReport;
use ratatui_core::terminal::Terminal;
use tokio::time::{Instant, sleep_until};

use crate::commands::watch::board::Board;
use crate::commands::watch::draw::{Look, draw};
use crate::commands::watch::sections::board;
use crate::commands::watch::state::{Action, App, Detail, Mode};
use crate::commands::watch::terminal::{Screen, Taken, copy, dimensions, failed};
use crate::commands::watch::{ansi, completion};
use crate::context::Context;

/// Where the last look of an earlier run is kept.
const LAST: &str = "watch";

/// What is watched.
pub(crate) struct Watch<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) services: &'a [String],
    pub(crate) interval: Duration,
}

/// A look that is under way; the memory of good answers goes through it.
type Looking<'a> = LocalBoxFuture<'a, (LastGood, Result<Board>)>;

/// Commands whose output is waited for.
type Opening<'a> = LocalBoxFuture<'a, Detail>;

impl<'a> Watch<'a> {
    /// Shows looks until the person quits.
    pub(crate) async fn run(&self, recording: Option<&Path>, replay: Option<Vec<Board>>) -> Result<Exit> {
        let mut app = App::new(self.cx.is_read_only()?, replay.is_some());
        let mut writer = recording.map(Recording::begin).transpose()?;
        app.recording = recording.map(|path| path.display().to_string());
        let replaying = replay.is_some();
        match replay {
            Some(looks) => looks.into_iter().for_each(|look| app.push(look)),
            None => cache(self.cx)?.load::<Board>(LAST).into_iter().for_each(|look| app.push(look)),
        }
        let taken = Taken::take()?;
        let mut terminal = Terminal::new(Screen::new()).map_err(failed)?;
        let (columns, rows) = dimensions();
        app.resize(columns, rows);
        let mut events = EventStream::new();
        let mut looking: Option<Looking<'_>> = (!replaying).then(|| self.look(LastGood::default()));
        let mut memory = None;
        let mut opening: Option<Opening<'_>> = None;
        let mut next = Instant::now() + self.interval;
        let mut drawn = None;
        let style =
            Look { colour: self.cx.output.is_coloured(), unicode: self.cx.output.view(self.cx.clock.now()).unicode };
        loop {
            if drawn != Some(app.version) {
                paint(&mut terminal, &app, style)?;
                drawn = Some(app.version);
            }
            let wanted = looking.is_none() && !app.paused && !replaying;
            let action = tokio::select! {
                event = events.next() => match event {
                    Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => app.press(&key),
                    Some(Ok(Event::Resize(columns, rows))) => {
                        app.resize(columns, rows);
                        None
                    }
                    Some(Ok(_)) => None,
                    // The terminal has gone away.
                    Some(Err(_)) | None => Some(Action::Quit),
                },
                (good, look) = arrived(&mut looking) => {
                    looking = None;
                    memory = Some(good);
                    next = Instant::now() + self.interval;
                    let look = look?;
                    if let Some(writer) = &mut writer {
                        writer.append(&look.changed_since(app.newest()))?;
                    }
                    cache(self.cx)?.save(LAST, &look);
                    app.push(look);
                    None
                }
                detail = arrived(&mut opening) => {
                    opening = None;
                    if matches!(app.mode, Mode::Detail(_)) {
                        app.mode = Mode::Detail(detail);
                        app.version += 1;
                    }
                    None
                }
                () = sleep_until(next), if wanted => Some(Action::Refresh),
            };
            match action {
                Some(Action::Refresh) if looking.is_none() && !replaying => {
                    looking = Some(self.look(memory.take().unwrap_or_default()));
                }
                None | Some(Action::Refresh) => {}
                Some(Action::Quit) => return Ok(Exit::Good),
                Some(Action::Interrupt) => return Err(Error::Interrupted { code: 130 }),
                Some(Action::Open(commands)) => {
                    app.mode = Mode::Detail(Detail { commands: commands.clone(), loading: true, ..Detail::default() });
                    opening = Some(self.open(commands, app.size.0));
                }
                Some(Action::Complete) => completion::complete(&mut app, self.cx),
                Some(Action::Copy(words)) => {
                    let command = self.cx.command(&words);
                    copy(&command)?;
                    app.message = Some(format!("copied: {command}"));
                }
                Some(Action::Record(file)) => match file.as_deref().map(Path::new).map(Recording::begin).transpose() {
                    Ok(begun) => {
                        writer = begun;
                        app.recording = file;
                        if let (Some(writer), Some(look)) = (&mut writer, app.newest()) {
                            writer.append(look)?;
                        }
                    }
                    Err(error) => app.message = Some(error.to_string()),
                },
                Some(Action::Suspend) => {
                    drop(events);
                    taken.lend(async { stop() }).await?;
                    events = EventStream::new();
                    self.again(&mut terminal, &mut app)?;
                }
                Some(Action::Run(words)) => {
                    // The command reads the keys itself.
                    drop(events);
                    taken.lend(self.aloud(&words)).await?;
                    events = EventStream::new();
                    self.again(&mut terminal, &mut app)?;
                    if looking.is_none() && !replaying {
                        looking = Some(self.look(memory.take().unwrap_or_default()));
                    }
                }
            }
        }
    }

    /// Asks everything once.
    fn look<'w>(&'w self, mut memory: LastGood) -> Looking<'w> {
        Box::pin(async move {
            let look = async {
                let report = StatusReport::new(gather(self.services, self.cx, &mut memory).await?, self.cx)?;
                Ok(board(&report, &self.cx.output.view(self.cx.clock.now())))
            };
            let look = look.await;
            (memory, look)
        })
    }

    /// The output of commands that change nothing.
    fn open<'w>(&'w self, commands: Vec<String>, columns: u16) -> Opening<'w> {
        Box::pin(async move {
            let mut lines = Vec::new();
            for words in &commands {
                let (output, kept) = self.cx.output.keeping(usize::from(columns));
                (self.cx.grammar.line)(words, self.cx, Some(output)).await;
                if !lines.is_empty() {
                    lines.push(ratatui_core::text::Line::default());
                }
                lines.extend(ansi::lines(&kept.borrow(), usize::from(columns)));
            }
            Detail { commands, lines, top: 0, loading: false }
        })
    }

    /// Runs a command on the plain terminal, with its own plan and question, and waits until it was read.
    async fn aloud(&self, words: &str) {
        self.cx.output.note(&format!("liveops {words}"));
        self.cx.interrupts.claim(String::new());
        let mut line = (self.cx.grammar.line)(words, self.cx, None);
        loop {
            tokio::select! {
                _ = &mut line => break,
                _ = self.cx.interrupts.delivered() => if !self.cx.interrupts.is_held() { break },
            }
        }
        self.cx.interrupts.unclaim();
        // Whatever is typed: the screen comes back.
        let _ = crate::output::prompt::text("\nEnter returns to the screen", Some(""));
    }

    fn again(&self, terminal: &mut Terminal<Screen>, app: &mut App) -> Result<()> {
        let (columns, rows) = dimensions();
        app.resize(columns, rows);
        terminal.clear().map_err(failed)
    }
}

fn paint(terminal: &mut Terminal<Screen>, app: &App, style: Look) -> Result<()> {
    let done = terminal.draw(|frame| {
        let area = frame.area();
        if let Some(place) = draw(app, area, frame.buffer_mut(), style) {
            frame.set_cursor_position(place);
        }
    });
    done.map(drop).map_err(failed)
}

/// What an optional future comes to; never, where there is none.
async fn arrived<T>(future: &mut Option<LocalBoxFuture<'_, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Ctrl-Z: stops this process group, as a terminal would; the shell's `fg` goes on behind it.
#[cfg(unix)]
fn stop() {
    use rustix::process::{Signal, kill_current_process_group};
    let _ = kill_current_process_group(Signal::STOP);
}

#[cfg(not(unix))]
fn stop() {}

/// The screen cannot be taken.
pub(crate) fn no_screen() -> Error {
    Error::usage(
        "there is no screen: stdin or stdout is no terminal, or it is smaller than 60x15",
        "`liveops status --watch -o json` streams what is seen, an object a line",
    )
}
