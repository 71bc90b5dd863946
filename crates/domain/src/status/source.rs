//! Who was asked, and what came of it: the sources of a report, and its verdict.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Exit};

/// What the report found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Asked, and the answer is good.
    #[default]
    Pass,
    /// Worth a look, not worth a page.
    Warn,
    /// Asked, and the answer is bad.
    Fail,
    /// Could not tell, and nothing is known to be bad.
    Unknown,
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass | Verdict::Warn => Self::Good,
            Verdict::Fail => Self::Bad,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

/// Whether liveops could do its job, whatever it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every source answered.
    #[default]
    Success,
    /// Some sources did not answer; the rest is shown.
    Partial,
    /// No source answered.
    Error,
}

/// How an outside system took our questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// Answered everything.
    Ok,
    /// Answered some of it.
    Degraded,
    /// Answered nothing.
    Down,
    /// Nobody said where it is.
    Unconfigured,
}

/// One outside system that was asked for this report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// The system's name, such as `prometheus`.
    pub name: String,
    /// How it answered.
    pub state: SourceState,
    /// Time to its slowest answer.
    pub latency_ms: Option<u64>,
    /// Why it is not `ok`.
    pub error: Option<String>,
}

impl Source {
    /// Who was asked, how long it took, and how it ended.
    pub fn asked<T>(name: impl Into<String>, took: Duration, answer: Result<T, &Error>) -> Self {
        let error = answer.err();
        Self {
            name: name.into(),
            state: match error {
                None => SourceState::Ok,
                Some(Error::Unconfigured { .. }) => SourceState::Unconfigured,
                Some(_) => SourceState::Down,
            },
            latency_ms: error.is_none().then(|| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            error: error.filter(|error| !matches!(error, Error::Unconfigured { .. })).map(Error::reason),
        }
    }

    /// It answered, but for a part.
    pub fn partly(self, failed: Option<String>) -> Self {
        match failed {
            None => self,
            failed => Self { state: SourceState::Degraded, error: failed, ..self },
        }
    }
}

/// A next step, with the command to paste.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// Why, in a few words.
    pub text: String,
    /// What to type.
    pub command: Option<String>,
}

impl Recommendation {
    /// A step with a command.
    pub fn new(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { text: text.into(), command: Some(command.into()) }
    }
}
