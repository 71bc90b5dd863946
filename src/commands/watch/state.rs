//! What the screen is in: the looks that were taken, the chosen line, what is open. Keys change it; nothing here draws,
//! asks or waits.

mod time;

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui_core::text::Line;
use tui_input::{Input, InputRequest};

use crate::commands::watch::ansi::Link;
use crate::commands::watch::board::{Board, Item, Kind, Section, Subject};
use crate::commands::watch::filter::matches;
use crate::commands::watch::keys::{CHANGES, Key, Place, key};

/// Looks that can be gone back to; a line of each is worth about 200 bytes.
const LOOKS: usize = 720;

/// Answers that come one by one within this time make one look of those that can be gone back to.
const MOMENT: TimeDelta = TimeDelta::seconds(3);

/// Lines that all looks may have together.
const LINES: usize = 30_000;

/// Columns from which on there are two panes.
pub(crate) const TWO_PANES: u16 = 120;

/// What is on top of the lists.
#[derive(Debug, Default)]
pub(crate) enum Mode {
    #[default]
    Lists,
    Detail(Detail),
    Help,
}

/// The output of commands, to scroll in.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    /// The commands, without `liveops`.
    pub(crate) commands: Vec<String>,
    pub(crate) lines: Vec<Line<'static>>,
    pub(crate) links: Vec<Link>,
    pub(crate) top: usize,
    pub(crate) loading: bool,
    /// The time that is looked at, where the commands tell of now.
    pub(crate) not_of: Option<DateTime<Utc>>,
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Command,
    Filter,
    Note,
    Record,
    /// A time to go to.
    Time,
}

/// What the loop is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Show the output of these commands.
    Open(Vec<String>),
    /// Run this as if it had been typed in the shell.
    Run(String),
    /// Show what may follow.
    Complete,
    Copy(String),
    /// Show how it was then.
    Past(DateTime<Utc>),
    /// The same, as it was typed.
    GoTo(String),
    Record(Option<String>),
    Refresh,
    Suspend,
    Interrupt,
    Quit,
}

/// The whole screen.
#[derive(Debug, Default)]
pub(crate) struct App {
    looks: VecDeque<Board>,
    /// The last look of an earlier run, until there is one of this.
    pub(crate) remembered: Option<Board>,
    /// The look that is shown, where it is not the newest.
    back: Option<usize>,
    pub(crate) mode: Mode,
    pub(crate) prompt: Option<(Purpose, Input)>,
    pub(crate) filter: String,
    pub(crate) by_name: bool,
    pub(crate) unfolded: bool,
    pub(crate) paused: bool,
    /// Is a recording shown?
    pub(crate) replaying: bool,
    pub(crate) read_only: bool,
    /// Is there a Prometheus, which can be asked how it was?
    pub(crate) knows_past: bool,
    pub(crate) recording: Option<String>,
    /// What the last key came to, until the next one.
    pub(crate) message: Option<String>,
    /// The pane with the cursor.
    pub(crate) focus: usize,
    /// In each pane: the chosen line.
    pub(crate) chosen: [usize; 2],
    /// In each pane: what that line is about, and its name, so that the cursor stays on it while lines come and go.
    anchors: [Option<(Subject, String)>; 2],
    pub(crate) size: (u16, u16),
    /// Grows with every change that can be seen.
    pub(crate) version: u64,
}

/// A line of a pane.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    Title(&'a Section),
    Item(&'a Item),
    /// So many lines are folded.
    Folded(usize),
    Blank,
}

impl Row<'_> {
    pub(crate) fn can_be_chosen(&self) -> bool {
        matches!(self, Self::Item(_) | Self::Folded(_))
    }
}

impl App {
    pub(crate) fn new(read_only: bool, replaying: bool) -> Self {
        Self { read_only: read_only || replaying, replaying, paused: replaying, ..Self::default() }
    }

    /// The look that is shown.
    pub(crate) fn board(&self) -> Option<&Board> {
        let newest = || self.looks.back().or(self.remembered.as_ref());
        self.back.map_or_else(newest, |at| self.looks.get(at))
    }

    /// Says something until the next key.
    pub(crate) fn say(&mut self, message: String) {
        self.message = Some(message);
        self.version += 1;
    }

    /// Is an earlier look shown?
    pub(crate) fn is_back(&self) -> bool {
        self.back.is_some()
    }

    /// Takes a new look.
    pub(crate) fn push(&mut self, mut board: Board) {
        if let Some(last) = self.looks.back_mut()
            && last.shows_same(&board)
            && !self.replaying
        {
            // Nothing is drawn again for the time alone; what was recorded has its own times.
            last.at = board.at;
            return;
        }
        if let Some(last) = self.looks.back() {
            board.share(last);
        }
        let before = self.looks.len().checked_sub(2).map(|at| self.looks[at].at);
        if before.is_some_and(|before| board.at - before < MOMENT) && !self.replaying {
            self.looks.pop_back();
        }
        self.looks.push_back(board);
        let lines = |board: &Board| board.sections.iter().map(|section| section.items.len()).sum::<usize>();
        while self.looks.len() > LOOKS || (self.looks.len() > 2 && self.looks.iter().map(lines).sum::<usize>() > LINES)
        {
            self.looks.pop_front();
            self.back = self.back.map(|at| at.saturating_sub(1));
        }
        self.follow();
    }

    /// The newest look.
    pub(crate) fn newest(&self) -> Option<&Board> {
        self.looks.back()
    }

    pub(crate) fn panes(&self) -> usize {
        if self.size.0 >= TWO_PANES { 2 } else { 1 }
    }

    /// The lines of a pane, filtered and sorted.
    pub(crate) fn rows(&self, pane: usize) -> Vec<Row<'_>> {
        let Some(board) = self.board() else {
            return Vec::new();
        };
        let here = |section: &&Section| self.panes() == 1 || section.kind.is_aside() == (pane == 1);
        let mut rows = Vec::new();
        for section in board.sections.iter().map(AsRef::as_ref).filter(here) {
            let mut items: Vec<&Item> = section
                .items
                .iter()
                .filter(|item| self.filter.is_empty() || matches(&self.filter, &item.text()))
                .collect();
            if items.is_empty() {
                continue;
            }
            if self.by_name {
                items.sort_by(|a, b| a.name.cmp(&b.name));
            }
            if !rows.is_empty() {
                rows.push(Row::Blank);
            }
            rows.push(Row::Title(section));
            if section.kind == Kind::Normal && !self.unfolded && self.filter.is_empty() {
                rows.push(Row::Folded(items.len()));
            } else {
                rows.extend(items.into_iter().map(Row::Item));
            }
        }
        rows
    }

    /// Keeps the cursor on the line that it was on, wherever that is now.
    fn follow(&mut self) {
        for pane in 0..self.panes() {
            let Some((subject, name)) = &self.anchors[pane] else { continue };
            let rows = self.rows(pane);
            let is_it =
                |row: &Row<'_>| matches!(row, Row::Item(item) if item.subject == *subject && item.name == *name);
            if let Some(place) = rows.iter().position(is_it) {
                self.chosen[pane] = place;
            }
        }
        self.settle();
    }

    /// Keeps the cursor on a line that can be chosen.
    pub(crate) fn settle(&mut self) {
        self.focus = self.focus.min(self.panes() - 1);
        for pane in 0..self.panes() {
            let rows = self.rows(pane);
            let at = self.chosen[pane].min(rows.len().saturating_sub(1));
            let down = (at..rows.len()).find(|at| rows[*at].can_be_chosen());
            let place = down.or_else(|| (0..at).rev().find(|at| rows[*at].can_be_chosen()));
            let place = place.unwrap_or(0);
            let anchor = match rows.get(place) {
                Some(Row::Item(item)) => Some((item.subject.clone(), item.name.clone())),
                _ => None,
            };
            self.chosen[pane] = place;
            self.anchors[pane] = anchor;
        }
        self.version += 1;
    }

    /// What the cursor is on.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self.rows(self.focus).get(self.chosen[self.focus]) {
            Some(Row::Item(item)) => Some(item.subject.clone()),
            _ => None,
        }
    }

    /// The incident that a key is about: the chosen one, or the first open one.
    fn incident(&self) -> Option<String> {
        if let Some(Subject::Incident(id)) = self.subject() {
            return Some(id);
        }
        let open = self.newest()?.section(Kind::Incidents)?;
        open.items.iter().find_map(|item| match &item.subject {
            Subject::Incident(id) => Some(id.clone()),
            _ => None,
        })
    }

    /// The terminal has another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.size = (columns, rows);
        self.settle();
    }

    /// A key was pressed.
    pub(crate) fn press(&mut self, event: &KeyEvent) -> Option<Action> {
        self.version += 1;
        self.message = None;
        if self.prompt.is_some() {
            return self.type_in(event);
        }
        let place = if matches!(self.mode, Mode::Detail(_)) { Place::Detail } else { Place::Board };
        let pressed = key(event, place)?;
        if self.read_only && CHANGES.contains(&pressed) {
            let why = if self.replaying { "a recording is of then" } else { "read-only" };
            self.message = Some(format!("{why}: nothing can be changed"));
            return None;
        }
        match pressed {
            Key::Quit => return Some(Action::Quit),
            Key::Interrupt => return Some(Action::Interrupt),
            Key::Suspend => return Some(Action::Suspend),
            Key::Refresh => match &self.mode {
                Mode::Detail(detail) => return Some(Action::Open(detail.commands.clone())),
                _ => return Some(Action::Refresh),
            },
            Key::Help => self.mode = if matches!(self.mode, Mode::Help) { Mode::Lists } else { Mode::Help },
            Key::Filter => self.ask(Purpose::Filter, self.filter.clone()),
            Key::Command => self.ask(Purpose::Command, String::new()),
            Key::Pause => self.paused = self.replaying || !self.paused,
            Key::Copy => return self.copied().map(Action::Copy),
            Key::Undo => match self.undo() {
                Some(command) => return Some(Action::Run(command)),
                // Never the newest change of something else.
                None => self.message = Some("no change belongs to this line; choose one, or `:undo` the last".into()),
            },
            Key::Next if self.then().is_some() => {
                self.message = Some("that was proposed then, not now".into());
            }
            Key::Next => match self.board().and_then(|board| board.next.clone()) {
                // It may call people: it is read before it runs.
                Some(next) => self.ask(Purpose::Command, next.trim_start_matches("liveops ").to_owned()),
                None => self.message = Some("nothing is proposed; `:` runs any command".into()),
            },
            Key::GoTo => self.ask(Purpose::Time, String::new()),
            Key::Acknowledge | Key::Note if self.incident().is_none() => {
                self.message = Some("no incident is open; `:incident open` opens one".into());
            }
            Key::Acknowledge => return self.incident().map(|id| Action::Run(format!("incident ack -i {id}"))),
            Key::Note => self.ask(Purpose::Note, String::new()),
            Key::Record if self.recording.is_some() => return Some(Action::Record(None)),
            Key::Record => self.ask(Purpose::Record, "liveops-watch.jsonl".into()),
            _ => return self.move_about(pressed),
        }
        None
    }

    fn move_about(&mut self, pressed: Key) -> Option<Action> {
        let page = usize::from(self.size.1).saturating_sub(5).max(1);
        if let Mode::Detail(detail) = &mut self.mode {
            let last = detail.lines.len().saturating_sub(page);
            detail.top = match pressed {
                Key::Up => detail.top.saturating_sub(1),
                Key::Down => (detail.top + 1).min(last),
                Key::PageUp => detail.top.saturating_sub(page),
                Key::PageDown => (detail.top + page).min(last),
                Key::First => 0,
                Key::Last => last,
                _ => {
                    self.mode = Mode::Lists;
                    return None;
                }
            };
            return None;
        }
        match pressed {
            Key::Back if matches!(self.mode, Mode::Help) => self.mode = Mode::Lists,
            Key::Back if !self.filter.is_empty() => self.filter.clear(),
            Key::Back if self.is_back() => self.back = None,
            Key::Back => self.unfolded = false,
            Key::Pane => self.focus = (self.focus + 1) % self.panes(),
            Key::Sort => self.by_name = !self.by_name,
            Key::Open => return self.open(),
            Key::Earlier | Key::Later => {
                let action = self.travel(pressed == Key::Later);
                self.settle();
                return action;
            }
            _ => self.step(pressed, page),
        }
        self.settle();
        None
    }

    /// The command that takes back the chosen change, or what made the chosen line wrong.
    fn undo(&self) -> Option<String> {
        match self.rows(self.focus).get(self.chosen[self.focus]) {
            Some(Row::Item(item)) => item.undo.clone(),
            _ => None,
        }
    }

    /// Moves the cursor over lines that can be chosen.
    fn step(&mut self, pressed: Key, page: usize) {
        let rows = self.rows(self.focus);
        let places: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].can_be_chosen()).collect();
        let at = places.iter().position(|place| *place >= self.chosen[self.focus]).unwrap_or(0);
        let last = places.len().saturating_sub(1);
        let to = match pressed {
            Key::Up => at.saturating_sub(1),
            Key::Down => at + 1,
            Key::PageUp => at.saturating_sub(page),
            Key::PageDown => at + page,
            Key::Last => last,
            _ => 0,
        };
        self.chosen[self.focus] = places.get(to.min(last)).copied().unwrap_or(0);
    }

    fn open(&mut self) -> Option<Action> {
        match self.rows(self.focus).get(self.chosen[self.focus]) {
            Some(&Row::Folded(n)) => {
                // As many of them as fit between head and foot are in sight, from the first on.
                self.chosen[self.focus] += n.saturating_sub(1).min(usize::from(self.size.1).saturating_sub(9));
                self.unfolded = true;
                self.settle();
                None
            }
            Some(Row::Item(item)) => {
                let mut commands = item.subject.commands();
                if let (Some(at), Subject::Kpi(_), true) = (self.then(), &item.subject, self.knows_past) {
                    commands[0].push_str(&format!(" --at {}", at.format("%Y-%m-%dT%H:%M:%SZ")));
                }
                Some(Action::Open(commands))
            }
            _ => None,
        }
    }

    /// The command that shows what is in front of the person.
    fn copied(&self) -> Option<String> {
        if let Mode::Detail(detail) = &self.mode {
            return detail.commands.first().cloned();
        }
        self.subject().and_then(|subject| subject.commands().into_iter().next()).or_else(|| Some("status".into()))
    }

    fn ask(&mut self, purpose: Purpose, text: String) {
        self.prompt = Some((purpose, Input::new(text)));
    }

    /// A key while a line is typed.
    fn type_in(&mut self, event: &KeyEvent) -> Option<Action> {
        let (purpose, input) = self.prompt.as_mut()?;
        let purpose = *purpose;
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        match event.code {
            KeyCode::Esc => {
                self.prompt = None;
                if purpose == Purpose::Filter {
                    self.filter.clear();
                }
            }
            KeyCode::Char('c') if control => self.prompt = None,
            KeyCode::Enter => {
                let text = input.value().trim().to_owned();
                self.prompt = None;
                return self.typed(purpose, text);
            }
            KeyCode::Tab if purpose == Purpose::Command => return Some(Action::Complete),
            code => {
                let request = match code {
                    KeyCode::Char('u') if control => Some(InputRequest::DeleteLine),
                    KeyCode::Char('w') if control => Some(InputRequest::DeletePrevWord),
                    KeyCode::Char('a') if control => Some(InputRequest::GoToStart),
                    KeyCode::Char('e') if control => Some(InputRequest::GoToEnd),
                    KeyCode::Char(c) if !control => Some(InputRequest::InsertChar(c)),
                    KeyCode::Backspace => Some(InputRequest::DeletePrevChar),
                    KeyCode::Delete => Some(InputRequest::DeleteNextChar),
                    KeyCode::Left => Some(InputRequest::GoToPrevChar),
                    KeyCode::Right => Some(InputRequest::GoToNextChar),
                    KeyCode::Home => Some(InputRequest::GoToStart),
                    KeyCode::End => Some(InputRequest::GoToEnd),
                    _ => None,
                };
                if let Some(request) = request {
                    input.handle(request);
                }
                if purpose == Purpose::Filter {
                    self.filter = input.value().to_owned();
                }
            }
        }
        self.settle();
        None
    }

    /// A line was typed to its end.
    fn typed(&mut self, purpose: Purpose, text: String) -> Option<Action> {
        self.settle();
        if text.is_empty() {
            return None;
        }
        match purpose {
            Purpose::Filter => None,
            Purpose::Command => Some(Action::Run(text.trim_start_matches("liveops ").to_owned())),
            Purpose::Record => Some(Action::Record(Some(text))),
            Purpose::Time => Some(Action::GoTo(text)),
            Purpose::Note => {
                let note = liveops_domain::text::shell::word(&text);
                self.incident().map(|id| Action::Run(format!("incident note {note} -i {id}")))
            }
        }
    }
}
