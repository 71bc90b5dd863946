//! Questions to the person, on stderr, and only where a person can answer.

use std::io::{IsTerminal, stderr, stdin};
use std::sync::atomic::{AtomicBool, Ordering};

use dialoguer::console::{Key, Term, measure_text_width};
use dialoguer::{FuzzySelect, Select};
use tui_input::{Input, InputRequest};

use liveops_domain::error::{Error, Result};
use liveops_domain::text::escape::{escape, is_tame};
use liveops_domain::text::secret::mask;

/// A question or a choice holds names that others gave: nothing in it moves the cursor, or shows a secret.
pub(crate) fn shown(text: &str) -> String {
    mask(&text.split('\n').map(escape).collect::<Vec<_>>().join("\n")).into_owned()
}

/// Ctrl-Z, as it arrives while keys are read one by one.
const SUSPEND: char = '\x1a';

/// Can somebody answer? Both stdin and stderr must be a terminal.
pub(crate) fn can_prompt() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Yes or no; Enter means no, the safe choice.
///
/// # Errors
/// `Interrupted` on Ctrl-C.
pub(crate) fn confirm(question: &str) -> Result<bool> {
    let term = Term::stderr();
    answered(&term, question).map_err(|source| broken(dialoguer::Error::IO(source)))
}

/// The question stays as it is while one types: what Enter means does not change under the finger.
fn answered(term: &Term, question: &str) -> std::io::Result<bool> {
    if !term.is_term() {
        return Err(std::io::ErrorKind::NotConnected.into());
    }
    term.write_str(&format!("{} [y/N] ", shown(question)))?;
    let mut typed: Option<char> = None;
    loop {
        let key = term.read_key()?;
        if typed.is_some() && matches!(key, Key::Backspace | Key::Char(_)) && key != Key::Char(SUSPEND) {
            term.clear_chars(1)?;
            typed = None;
        }
        match key {
            Key::Char(letter @ ('y' | 'Y' | 'n' | 'N')) => {
                term.write_str(&letter.to_string())?;
                typed = Some(letter);
            }
            Key::Char(SUSPEND) => {
                stop(term)?;
                term.write_str(&format!("{} [y/N] {}", shown(question), typed.map_or_else(String::new, String::from)))?;
            }
            Key::Enter | Key::Escape => {
                let yes = key == Key::Enter && matches!(typed, Some('y' | 'Y'));
                term.write_line(if typed.is_none() { "no" } else { "" })?;
                return Ok(yes);
            }
            _ => {}
        }
    }
}

/// A line of text; Enter takes the default where there is one, and an empty answer is allowed where it is `Some("")`.
///
/// # Errors
/// `Interrupted` on Ctrl-C.
pub(crate) fn text(question: &str, default: Option<&str>) -> Result<String> {
    // A default that would not be shown as it is, is none.
    let default = default.filter(|default| is_tame(default));
    let label = match default {
        Some(text) if !text.is_empty() => format!("{} [{text}]: ", shown(question)),
        _ if question.ends_with('?') => format!("{} ", shown(question)),
        _ => format!("{}: ", shown(question)),
    };
    let term = Term::stderr();
    loop {
        let typed = typed(&term, &label).map_err(|source| broken(dialoguer::Error::IO(source)))?;
        match default {
            Some(default) if typed.is_empty() => return Ok(default.to_owned()),
            None if typed.is_empty() => {}
            _ => return Ok(typed),
        }
    }
}

/// Waits until what stands above was read.
pub(crate) fn wait(text: &str) {
    let term = Term::stderr();
    let _ = term.write_str(text);
    while term.is_term() && term.read_key().is_ok_and(|key| !matches!(key, Key::Enter | Key::Escape)) {}
    let _ = term.write_line("");
}

/// A line as it is typed, in the keys of a shell; what is longer than its row moves along.
fn typed(term: &Term, label: &str) -> std::io::Result<String> {
    if !term.is_term() {
        return Err(std::io::ErrorKind::NotConnected.into());
    }
    let columns = usize::from(term.size().1).max(2);
    let room = (columns - measure_text_width(label) % columns).saturating_sub(1).max(1);
    let mut input = Input::default();
    term.write_str(label)?;
    loop {
        let before = input.visual_cursor() - input.visual_scroll(room);
        let request = match term.read_key()? {
            Key::Enter => {
                term.write_line("")?;
                return Ok(input.value().to_owned());
            }
            Key::Char(SUSPEND) => {
                stop(term)?;
                term.write_str(label)?;
                show(term, &input, room, 0)?;
                continue;
            }
            Key::Char('\x15') => InputRequest::DeleteLine,
            Key::Char('\x17') => InputRequest::DeletePrevWord,
            Key::Char(letter) if !letter.is_control() => InputRequest::InsertChar(letter),
            Key::Backspace => InputRequest::DeletePrevChar,
            Key::Del => InputRequest::DeleteNextChar,
            Key::ArrowLeft => InputRequest::GoToPrevChar,
            Key::ArrowRight => InputRequest::GoToNextChar,
            Key::Home => InputRequest::GoToStart,
            Key::End => InputRequest::GoToEnd,
            _ => continue,
        };
        if input.handle(request).is_some() {
            show(term, &input, room, before)?;
        }
    }
}

/// Writes the part of the line that has room over what stood there; the cursor is `before` cells behind its begin.
fn show(term: &Term, input: &Input, room: usize, before: usize) -> std::io::Result<()> {
    let scroll = input.visual_scroll(room);
    let text: String = input.value().chars().skip(scroll).take(room).collect();
    term.move_cursor_left(before)?;
    term.write_str(&format!("{text}\x1b[K"))?;
    term.move_cursor_left(measure_text_width(&text).saturating_sub(input.visual_cursor() - scroll))
}

/// Ctrl-Z at a question: it stands on its row when the shell goes on below it.
fn stop(term: &Term) -> std::io::Result<()> {
    term.write_line("")?;
    crate::output::terminal::stop();
    Ok(())
}

/// One of several; the first is the default.
///
/// # Errors
/// `Interrupted` on Ctrl-C or Escape.
pub(crate) fn choose(question: &str, items: &[&str]) -> Result<usize> {
    Select::new()
        .with_prompt(shown(question))
        .items(items.iter().map(|item| shown(item)).collect::<Vec<_>>())
        .default(0)
        .interact_on_opt(&Term::stderr())
        .map_err(broken)?
        .ok_or(Error::Interrupted { code: 130 })
}

/// One of many, found by typing some of its letters.
///
/// # Errors
/// `Interrupted` on Ctrl-C or Escape.
pub(crate) fn search(question: &str, items: &[String]) -> Result<usize> {
    FuzzySelect::new()
        .with_prompt(shown(question))
        .items(items.iter().map(|item| shown(item)).collect::<Vec<_>>())
        .default(0)
        .max_length(12)
        .interact_on_opt(&Term::stderr())
        .map_err(broken)?
        .ok_or(Error::Interrupted { code: 130 })
}

/// Asks in a thread of its own, so that what is under way goes on while the person thinks.
///
/// # Errors
/// Those of the question.
pub(crate) async fn aside<T: Send + 'static>(ask: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    // Nothing can take a reading of the terminal back; the thread ends with the process.
    std::thread::spawn(move || {
        // Nobody listens any more after an interrupt.
        let _ = tell.send(ask());
    });
    told.await.unwrap_or_else(|_| Err(Error::internal("a question without an answer")))
}

/// A line, if one comes within the time; none otherwise. The text of the question stays on its line.
pub(crate) async fn answer_within(question: &str, limit: std::time::Duration) -> Option<String> {
    let _ = Term::stderr().write_str(&shown(question));
    WAITING.store(true, Ordering::Relaxed);
    let (tell, told) = tokio::sync::oneshot::channel();
    // Nothing can take a reading of the terminal back; the thread ends with the process.
    std::thread::spawn(move || {
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
            let _ = tell.send(line.trim().to_lowercase());
        }
    });
    let answer = tokio::time::timeout(limit, told).await.ok().and_then(std::result::Result::ok);
    if answer.is_some() {
        // Enter has ended it.
        WAITING.store(false, Ordering::Relaxed);
    }
    end_row();
    answer
}

/// Does a question wait on an open row?
static WAITING: AtomicBool = AtomicBool::new(false);

/// What is printed next has a row of its own, whatever ended the wait for an answer.
pub(crate) fn end_row() {
    if WAITING.swap(false, Ordering::Relaxed) {
        let _ = Term::stderr().write_line("");
    }
}

fn broken(error: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(source) = error;
    if source.kind() == std::io::ErrorKind::Interrupted {
        // The library hides the cursor while it asks.
        let _ = Term::stderr().show_cursor();
        return Error::Interrupted { code: 130 };
    }
    Error::Io { action: "read an answer from", path: "the terminal".into(), source }
}
