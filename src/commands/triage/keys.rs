//! One choice by a key: letters act at once, arrows and Enter choose; in plain mode a letter and Enter. It blocks, and
//! is therefore asked aside ([`prompt::aside`](crate::output::prompt::aside)).

use std::io::BufRead;

use dialoguer::console::{Key, Term};

use crate::output::prompt::shown;
use crate::output::terminal::stop;
use liveops_domain::error::{Error, Result};

/// A choice: its letter, and its word.
pub(super) type Choice = (char, &'static str);

/// Asks until one of the choices is made. `preset` is what Enter means at first.
///
/// # Errors
/// `Interrupted` on Ctrl-C, Escape, or the end of the input.
pub(super) fn choose(choices: &[Choice], preset: usize, plain: bool) -> Result<char> {
    let term = Term::stderr();
    if plain {
        return by_line(&term, choices, preset);
    }
    let mut at = preset;
    loop {
        draw(&term, choices, at)?;
        let key = term.read_key().map_err(|error| broken(&term, error))?;
        match key {
            Key::ArrowLeft | Key::ArrowUp | Key::BackTab => {
                at = (at + choices.len() - 1) % choices.len();
            }
            Key::ArrowRight | Key::ArrowDown | Key::Tab => at = (at + 1) % choices.len(),
            Key::Enter => {
                end(&term)?;
                return Ok(choices[at].0);
            }
            // The terminal is raw while a key is awaited, so that Ctrl-Z is a key as well.
            Key::Char('\u{1a}') => {
                end(&term)?;
                stop();
            }
            Key::Char(letter) => {
                let letter = letter.to_ascii_lowercase();
                if let Some(place) = choices.iter().position(|choice| choice.0 == letter) {
                    draw(&term, choices, place)?;
                    end(&term)?;
                    return Ok(letter);
                }
            }
            Key::Escape | Key::CtrlC => {
                end(&term)?;
                return Err(Error::Interrupted { code: 130 });
            }
            _ => {}
        }
    }
}

/// A line of text; empty is allowed.
///
/// # Errors
/// `Interrupted` on Ctrl-C, or at the end of the input.
pub(super) fn line(question: &str, plain: bool) -> Result<String> {
    if !plain {
        return crate::output::prompt::text(question, Some(""));
    }
    let term = Term::stderr();
    term.write_line(&format!("{}:", shown(question))).map_err(|error| broken(&term, error))?;
    read_line()
}

/// One line, drawn over itself: `[f]ine  >[p]roblem<  …`.
fn draw(term: &Term, choices: &[Choice], at: usize) -> Result<()> {
    let parts = choices.iter().enumerate().map(|(index, (letter, word))| {
        let rest = word.strip_prefix(*letter).unwrap_or(word);
        if index == at { format!(">[{letter}]{rest}<") } else { format!(" [{letter}]{rest} ") }
    });
    let line: String = parts.collect();
    term.clear_line().and_then(|()| term.write_str(&line)).map_err(|error| broken(term, error))
}

fn end(term: &Term) -> Result<()> {
    term.write_line("").map_err(|error| broken(term, error))
}

fn by_line(term: &Term, choices: &[Choice], preset: usize) -> Result<char> {
    let words: Vec<String> = choices.iter().map(|(letter, word)| format!("{letter}={word}")).collect();
    loop {
        let line = format!("{} (Enter: {})", words.join(" "), choices[preset].1);
        term.write_line(&line).map_err(|error| broken(term, error))?;
        let typed = read_line()?.to_lowercase();
        if typed.is_empty() {
            return Ok(choices[preset].0);
        }
        let found = choices.iter().find(|(letter, word)| typed == letter.to_string() || typed == *word);
        if let Some((letter, _)) = found {
            return Ok(*letter);
        }
    }
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => Err(Error::Interrupted { code: 130 }),
        Ok(_) => Ok(line.trim().to_owned()),
    }
}

fn broken(term: &Term, source: std::io::Error) -> Error {
    if source.kind() == std::io::ErrorKind::Interrupted {
        let _ = term.show_cursor();
        return Error::Interrupted { code: 130 };
    }
    Error::Io { action: "read an answer from", path: "the terminal".into(), source }
}
