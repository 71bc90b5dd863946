//! What is said to the person, and what they are asked, while an operation works. The terminal implements both; tests
//! implement them with lists.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use liveops_domain::error::Result;

/// What stdout shows on.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Is it a terminal at all?
    pub is_terminal: bool,
    /// Columns.
    pub width: usize,
    /// Rows, where they are known.
    pub height: Option<usize>,
    /// It can show more than ASCII.
    pub unicode: bool,
}

/// Says what is worth knowing while the work goes on.
pub trait Voice: Debug {
    /// A note; silent with `--quiet`.
    fn note(&self, text: &str);

    /// Something went less than well, and the work goes on.
    fn warn(&self, text: &str);

    /// Has the reader gone away?
    fn is_closed(&self) -> bool;

    /// Where it is shown.
    fn terminal(&self) -> Terminal;
}

/// Asks the person.
pub trait Ask: Debug {
    /// Can somebody answer?
    fn can_ask(&self) -> bool;

    /// Yes or no; Enter means no, the safe choice.
    ///
    /// # Errors
    /// `Interrupted` on Ctrl-C.
    fn confirm(&self, question: &str) -> Result<bool>;

    /// A line of text; Enter takes the default where there is one, and an empty answer is allowed where it is
    /// `Some("")`.
    ///
    /// # Errors
    /// `Interrupted` on Ctrl-C.
    fn text(&self, question: &str, default: Option<&str>) -> Result<String>;

    /// One of several; the first is the default. Gives its index.
    ///
    /// # Errors
    /// `Interrupted` on Ctrl-C or Escape.
    fn choose(&self, question: &str, items: &[&str]) -> Result<usize>;

    /// A line, if one comes within the time.
    fn answer_within<'a>(&'a self, question: &'a str, limit: Duration) -> LocalBoxFuture<'a, Option<String>>;
}

/// Nobody: for tests of what is neither said nor asked.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Voice for Nobody {
    fn note(&self, _text: &str) {}

    fn warn(&self, _text: &str) {}

    fn is_closed(&self) -> bool {
        false
    }

    fn terminal(&self) -> Terminal {
        Terminal { is_terminal: false, width: 80, height: None, unicode: false }
    }
}

#[cfg(test)]
impl Ask for Nobody {
    fn can_ask(&self) -> bool {
        false
    }

    fn confirm(&self, _question: &str) -> Result<bool> {
        Ok(false)
    }

    fn text(&self, _question: &str, _default: Option<&str>) -> Result<String> {
        Ok(String::new())
    }

    fn choose(&self, _question: &str, _items: &[&str]) -> Result<usize> {
        Ok(0)
    }

    fn answer_within<'a>(&'a self, _question: &'a str, _limit: Duration) -> LocalBoxFuture<'a, Option<String>> {
        Box::pin(std::future::ready(None))
    }
}
