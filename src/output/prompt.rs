//! Questions to the person, on stderr, and only where a person can answer.

use std::io::{IsTerminal, stderr, stdin};

use dialoguer::console::{Key, Term};
use dialoguer::{FuzzySelect, Input, Select};

use liveops_domain::error::{Error, Result};
use liveops_domain::text::escape::{escape, is_tame};
use liveops_domain::text::secret::mask;

/// A question or a choice holds names that others gave: nothing in it moves the cursor, or shows a secret.
pub(crate) fn shown(text: &str) -> String {
    mask(&text.split('\n').map(escape).collect::<Vec<_>>().join("\n")).into_owned()
}

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
        if typed.is_some() && matches!(key, Key::Backspace | Key::Char(_)) {
            term.clear_chars(1)?;
            typed = None;
        }
        match key {
            Key::Char(letter @ ('y' | 'Y' | 'n' | 'N')) => {
                term.write_str(&letter.to_string())?;
                typed = Some(letter);
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
    let mut input = Input::<String>::new().with_prompt(shown(question));
    // A default that would not be shown as it is, is none.
    if let Some(default) = default.filter(|default| is_tame(default)) {
        input = if default.is_empty() { input.allow_empty(true) } else { input.default(default.into()) };
    }
    input.interact_text_on(&Term::stderr()).map_err(broken)
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
    let (tell, told) = tokio::sync::oneshot::channel();
    // Nothing can take a reading of the terminal back; the thread ends with the process.
    std::thread::spawn(move || {
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
            let _ = tell.send(line.trim().to_lowercase());
        }
    });
    let answer = tokio::time::timeout(limit, told).await.ok()?.ok();
    if answer.is_none() {
        let _ = Term::stderr().write_line("");
    }
    answer
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
