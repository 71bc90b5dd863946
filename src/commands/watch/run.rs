//! The loop: keys, looks and open commands come as they come; nothing waits for the slowest.

use std::cell::RefCell;
use std::future::pending;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::text::shell::words as words_of;
use liveops_engine::files::recording::Recording;
use liveops_engine::query::window::time;
use liveops_engine::session::cache;
use liveops_engine::status::past::gather_at;
use liveops_engine::status::report::StatusReport;
use ratatui_core::terminal::Terminal;
use tokio::time::Instant;

use crate::commands::watch::board::Board;
use crate::commands::watch::draw::{Look, draw};
use crate::commands::watch::sections::{Standing, board};
use crate::commands::watch::sources::Sources;
use crate::commands::watch::state::{Action, App, Detail, Mode};
use crate::commands::watch::terminal::{Links, Screen, Taken, copy, dimensions, failed};
use crate::commands::watch::{ansi, completion};
use crate::context::Context;
use crate::output::terminal::stop;

/// How long a signal takes from the terminal to us.
const LATE: Duration = Duration::from_millis(30);

/// What an interrupt ends with.
const CTRL_C: u8 = 130;

/// The last look is kept for the next run this often, after the first moments: a large one is not written in the time
/// that a key may wait.
const KEEP: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_secs(2);

/// Where the last look of an earlier run is kept.
const LAST: &str = "watch";

/// What is watched.
pub(crate) struct Watch<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) services: &'a [String],
    pub(crate) interval: Duration,
}

/// How it was at another time.
type Looking<'a> = LocalBoxFuture<'a, Result<Board>>;

/// Commands whose output is waited for.
type Opening<'a> = LocalBoxFuture<'a, Detail>;

impl<'a> Watch<'a> {
    /// Shows looks until the person quits.
    pub(crate) async fn run(&self, recording: Option<&Path>, replay: Option<Vec<Board>>) -> Result<Exit> {
        let mut app = App::new(self.cx.is_read_only()?, replay.is_some());
        app.knows_past = self.cx.prometheus().is_ok();
        let mut writer = recording.map(Recording::begin).transpose()?;
        app.recording = recording.map(|path| path.display().to_string());
        let replaying = replay.is_some();
        let mut warm = false;
        match replay {
            Some(looks) => looks.into_iter().for_each(|look| app.push(look)),
            None => {
                let last = cache(self.cx)?.load::<Board>(LAST);
                warm = last.is_some();
                app.remembered = last.map(Board::remembered);
            }
        }
        let taken = Taken::take()?;
        let links: Links = Rc::new(RefCell::new(Vec::new()));
        let mut terminal = Terminal::new(Screen::new(Rc::clone(&links))).map_err(failed)?;
        let (columns, rows) = dimensions();
        app.resize(columns, rows);
        let mut events = EventStream::new();
        let mut sources = Sources::new(self.cx, self.services, self.interval, warm);
        let mut looking: Option<Looking<'_>> = None;
        let mut opening: Option<Opening<'_>> = None;
        let mut drawn = None;
        let (began, mut kept) = (Instant::now(), Instant::now());
        let style =
            Look { colour: self.cx.output.is_coloured(), unicode: self.cx.output.view(self.cx.clock.now()).unicode };
        loop {
            if drawn != Some(app.version) {
                paint(&mut terminal, &app, style, &links)?;
                drawn = Some(app.version);
            }
            let paused = app.paused;
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
                look = sources.look(paused), if !replaying => {
                    let look = look?;
                    if let Some(writer) = &mut writer {
                        writer.append(&look.changed_since(app.newest()))?;
                    }
                    if began.elapsed() < FIRST || kept.elapsed() >= KEEP {
                        cache(self.cx)?.save(LAST, &look);
                        kept = Instant::now();
                    }
                    app.push(look);
                    None
                }
                look = arrived(&mut looking) => {
                    looking = None;
                    app.message = None;
                    match look {
                        Ok(look) => app.insert(look),
                        Err(error) => app.say(format!("how it was then is unknown: {error}")),
                    }
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
            };
            match action {
                Some(Action::Refresh) => sources.refresh(),
                None => {}
                Some(Action::Past(at)) => {
                    app.say(format!("asking how it was at {}", at.format("%H:%M:%SZ")));
                    looking = Some(self.past(at));
                }
                Some(Action::GoTo(text)) => match time(&text, app.then().unwrap_or_else(|| self.cx.clock.now())) {
                    Ok(at) if replaying => app.go_to(at),
                    Ok(at) => {
                        app.say(format!("asking how it was at {}", at.format("%Y-%m-%d %H:%M:%SZ")));
                        looking = Some(self.past(at));
                    }
                    Err(_) => app.say(format!("`{text}` is not a time: 03:12, -2h, 2026-01-15 10:30")),
                },
                Some(Action::Quit) => {
                    if let Some(look) = app.newest().filter(|_| !replaying) {
                        cache(self.cx)?.save(LAST, look);
                    }
                    return Ok(Exit::Good);
                }
                Some(Action::Interrupt) => return Err(Error::Interrupted { code: 130 }),
                Some(Action::Open(commands)) => {
                    let not_of = app.then().filter(|_| !commands[0].contains(" --at "));
                    let asked = Detail { commands: commands.clone(), loading: true, not_of, ..Detail::default() };
                    app.mode = Mode::Detail(asked);
                    app.version += 1;
                    opening = Some(self.open(commands, not_of, app.size.0));
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
                    sources.restart();
                    self.again(&mut terminal, &mut app)?;
                }
                Some(Action::Run(words)) if self.is_watch(&words) => app.say("this is the watch; q ends it".into()),
                Some(Action::Run(words)) => {
                    // The command reads the keys itself.
                    drop(events);
                    taken.lend(self.aloud(&words)).await??;
                    events = EventStream::new();
                    sources.restart();
                    self.again(&mut terminal, &mut app)?;
                }
            }
        }
    }

    /// How it was then, by what Prometheus and the journals keep.
    fn past<'w>(&'w self, at: DateTime<Utc>) -> Looking<'w> {
        Box::pin(async move {
            let gathered = gather_at(self.services, self.cx, at).await?;
            let report = StatusReport { at: Some(at), ..StatusReport::new(gathered, self.cx)? };
            Ok(Board { next: None, ..board(&report, &self.cx.output.view(at), &Standing::default()) })
        })
    }

    /// The output of commands that change nothing.
    fn open<'w>(&'w self, commands: Vec<String>, not_of: Option<DateTime<Utc>>, columns: u16) -> Opening<'w> {
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
            let links = ansi::links(&lines, usize::from(columns));
            Detail { commands, lines, links, top: 0, loading: false, not_of }
        })
    }

    /// Runs a command on the plain terminal, with its own plan and question, and waits until it was read. Ctrl-C ends
    /// the command; whatever else ends a program ends the watch, too.
    async fn aloud(&self, words: &str) -> Result<()> {
        let interrupts = &self.cx.interrupts;
        self.cx.output.note(&format!("liveops {words}"));
        interrupts.claim(String::new());
        let mut line = (self.cx.grammar.line)(words, self.cx, None);
        let mut end = None;
        loop {
            tokio::select! {
                _ = &mut line => break,
                code = interrupts.delivered() => {
                    end = end.or(Some(code).filter(|code| *code != CTRL_C));
                    if !interrupts.is_held() {
                        break;
                    }
                }
            }
        }
        if end.is_none() {
            // Whatever is typed, Ctrl-C, too: the screen comes back.
            crate::output::prompt::wait("\nEnter returns to the screen ");
            // What was typed at a question arrives as a signal after it.
            let late = tokio::time::timeout(LATE, interrupts.delivered()).await;
            end = late.ok().filter(|code| *code != CTRL_C);
        }
        interrupts.unclaim();
        end.map_or(Ok(()), |code| Err(Error::Interrupted { code }))
    }

    /// Would this open a screen in the screen?
    fn is_watch(&self, words: &str) -> bool {
        let words = std::iter::once("liveops".to_owned()).chain(words_of(words));
        let Ok(read) = (self.cx.grammar.command)().try_get_matches_from(words) else { return false };
        match read.subcommand() {
            Some(("watch", _)) => true,
            Some(("status", args)) => args.get_flag("watch"),
            _ => false,
        }
    }

    fn again(&self, terminal: &mut Terminal<Screen>, app: &mut App) -> Result<()> {
        let (columns, rows) = dimensions();
        app.resize(columns, rows);
        terminal.clear().map_err(failed)
    }
}

fn paint(terminal: &mut Terminal<Screen>, app: &App, style: Look, links: &Links) -> Result<()> {
    let done = terminal.draw(|frame| {
        let area = frame.area();
        if let Some(place) = draw(app, area, frame.buffer_mut(), style, &mut links.borrow_mut()) {
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

/// The screen cannot be taken.
pub(crate) fn no_screen() -> Error {
    Error::usage(
        "there is no screen: stdin or stdout is no terminal, or it is smaller than 60x15",
        "`liveops status --watch -o json` streams what is seen, an object a line",
    )
}
