//! The terminal while the screen has it: raw, on the other buffer, and given back however the command ends.

use std::cell::RefCell;
use std::io::{Result as IoResult, Stdout, Write, stdout};
use std::rc::Rc;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, Color as Paint, Print, SetAttribute, SetBackgroundColor, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType as Part, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size, window_size,
};
use crossterm::{execute, queue};
use liveops_domain::error::{Error, Result};
use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};

use crate::commands::watch::ansi::Link;

/// The links of a screen, which drawing and sending share.
pub(crate) type Links = Rc<RefCell<Vec<Link>>>;

/// What ratatui draws on.
pub(crate) struct Screen {
    out: Stdout,
    links: Links,
}

/// The terminal is ours until this is dropped.
pub(crate) struct Taken;

impl Taken {
    /// Takes the terminal over. A panic gives it back before it prints.
    pub(crate) fn take() -> Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let _ = give_back();
            before(info);
        }));
        let taken = Self;
        enter().map_err(failed)?;
        Ok(taken)
    }

    /// Runs `work` with the terminal as the shell has it.
    pub(crate) async fn lend<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        give_back().map_err(failed)?;
        let done = work.await;
        enter().map_err(failed)?;
        Ok(done)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let _ = give_back();
    }
}

fn enter() -> IoResult<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, Hide, Clear(Part::All))
}

fn give_back() -> IoResult<()> {
    execute!(stdout(), Show, LeaveAlternateScreen)?;
    disable_raw_mode()
}

/// An error of the terminal.
pub(crate) fn failed(source: std::io::Error) -> Error {
    Error::Io { action: "draw on", path: "the terminal".into(), source }
}

/// Puts text into the person's clipboard, also through ssh (xterm control sequence OSC 52).
pub(crate) fn copy(text: &str) -> Result<()> {
    execute!(stdout(), CopyToClipboard::to_clipboard_from(text)).map_err(failed)
}

/// The columns and rows.
pub(crate) fn dimensions() -> (u16, u16) {
    size().unwrap_or((80, 24))
}

impl Screen {
    pub(crate) fn new(links: Links) -> Self {
        Self { out: stdout(), links }
    }

    /// The address that the cell leads to.
    fn link(&self, x: u16, y: u16) -> Option<String> {
        let (x, y) = (usize::from(x), usize::from(y));
        let links = self.links.borrow();
        let here = |link: &&Link| link.row == y && (link.column..link.column + link.width).contains(&x);
        links.iter().find(here).map(|link| link.url.clone())
    }
}

impl Backend for Screen {
    type Error = std::io::Error;

    fn draw<'a, I>(&mut self, content: I) -> IoResult<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        queue!(self.out, BeginSynchronizedUpdate)?;
        let mut last: Option<(u16, u16)> = None;
        let mut style = None;
        let mut led = None;
        for (x, y, cell) in content {
            // Hyperlinks as terminals agreed on them (OSC 8).
            let link = self.link(x, y);
            if link != led {
                queue!(self.out, Print(format!("\x1b]8;;{}\x1b\\", link.as_deref().unwrap_or_default())))?;
                led = link;
            }
            if last.is_none_or(|(left, row)| left + 1 != x || row != y) {
                queue!(self.out, MoveTo(x, y))?;
            }
            last = Some((x, y));
            let wanted = (cell.fg, cell.bg, cell.modifier);
            if style != Some(wanted) {
                queue!(self.out, SetAttribute(Attribute::Reset))?;
                let attributes = [
                    (Modifier::BOLD, Attribute::Bold),
                    (Modifier::DIM, Attribute::Dim),
                    (Modifier::UNDERLINED, Attribute::Underlined),
                    (Modifier::REVERSED, Attribute::Reverse),
                ];
                for (_, attribute) in attributes.into_iter().filter(|(modifier, _)| cell.modifier.contains(*modifier)) {
                    queue!(self.out, SetAttribute(attribute))?;
                }
                if cell.fg != Color::Reset {
                    queue!(self.out, SetForegroundColor(paint(cell.fg)))?;
                }
                if cell.bg != Color::Reset {
                    queue!(self.out, SetBackgroundColor(paint(cell.bg)))?;
                }
                style = Some(wanted);
            }
            queue!(self.out, Print(cell.symbol()))?;
        }
        if led.is_some() {
            queue!(self.out, Print("\x1b]8;;\x1b\\"))?;
        }
        queue!(self.out, SetAttribute(Attribute::Reset), EndSynchronizedUpdate)
    }

    fn hide_cursor(&mut self) -> IoResult<()> {
        execute!(self.out, Hide)
    }

    fn show_cursor(&mut self) -> IoResult<()> {
        execute!(self.out, Show)
    }

    fn get_cursor_position(&mut self) -> IoResult<Position> {
        // Asking the terminal would take its answer from the keys that are read meanwhile; the cursor is hidden.
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> IoResult<()> {
        let Position { x, y } = position.into();
        execute!(self.out, MoveTo(x, y))
    }

    fn clear(&mut self) -> IoResult<()> {
        execute!(self.out, Clear(Part::All))
    }

    fn clear_region(&mut self, region: ClearType) -> IoResult<()> {
        let part = match region {
            ClearType::All => Part::All,
            ClearType::AfterCursor => Part::FromCursorDown,
            ClearType::BeforeCursor => Part::FromCursorUp,
            ClearType::CurrentLine => Part::CurrentLine,
            ClearType::UntilNewLine => Part::UntilNewLine,
        };
        execute!(self.out, Clear(part))
    }

    fn size(&self) -> IoResult<Size> {
        size().map(|(width, height)| Size { width, height })
    }

    fn window_size(&mut self) -> IoResult<WindowSize> {
        let window = window_size()?;
        Ok(WindowSize {
            columns_rows: Size { width: window.columns, height: window.rows },
            pixels: Size { width: window.width, height: window.height },
        })
    }

    fn flush(&mut self) -> IoResult<()> {
        self.out.flush()
    }
}

/// The sixteen colours of the terminal's own theme, and the indexed ones.
fn paint(colour: Color) -> Paint {
    match colour {
        Color::Green => Paint::DarkGreen,
        Color::Yellow => Paint::DarkYellow,
        Color::Red => Paint::DarkRed,
        Color::Magenta => Paint::DarkMagenta,
        Color::Cyan => Paint::DarkCyan,
        Color::Indexed(n) => Paint::AnsiValue(n),
        _ => Paint::Reset,
    }
}
