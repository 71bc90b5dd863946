//! The next command: the same question in another form.

use liveops_domain::text::shell::word;

/// What was typed beside the question. Endpoint and environment are added by `Output`.
#[derive(Debug)]
pub(crate) struct RepeatQuery {
    at: String,
}

impl RepeatQuery {
    /// What was typed.
    pub(super) fn new(at: Option<&str>) -> Self {
        let at = at.map_or_else(String::new, |at| format!(" --at {}", word(at)));
        Self { at }
    }

    /// The same question in another form.
    pub(super) fn query(&self, question: &str, form: &str) -> String {
        format!("liveops query {question}{form}{}", self.at)
    }

    /// Another command of liveops.
    pub(super) fn command(&self, command: &str) -> String {
        format!("liveops {command}")
    }
}
