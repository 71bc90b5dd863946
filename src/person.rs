//! The terminal as the engine knows it: what is said, and what is asked.

use std::time::Duration;

use chrono::DateTime;
use futures_util::future::LocalBoxFuture;

use crate::output::{Output, prompt};
use liveops_domain::error::Result;
use liveops_engine::voice::{Ask, Terminal, Voice};

impl Voice for Output {
    fn note(&self, text: &str) {
        Self::note(self, text);
    }

    fn warn(&self, text: &str) {
        Self::warn(self, text);
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn terminal(&self) -> Terminal {
        let view = self.view(DateTime::UNIX_EPOCH);
        Terminal { is_terminal: view.terminal, width: view.width, height: view.height, unicode: view.unicode }
    }
}

impl Ask for Output {
    fn can_ask(&self) -> bool {
        prompt::can_prompt()
    }

    fn confirm(&self, question: &str) -> Result<bool> {
        prompt::confirm(question)
    }

    fn text(&self, question: &str, default: Option<&str>) -> Result<String> {
        prompt::text(question, default)
    }

    fn choose(&self, question: &str, items: &[&str]) -> Result<usize> {
        prompt::choose(question, items)
    }

    fn answer_within<'a>(&'a self, question: &'a str, limit: Duration) -> LocalBoxFuture<'a, Option<String>> {
        Box::pin(prompt::answer_within(question, limit))
    }
}
