//! A run of a runbook as its journal tells it: which steps are done, which are left, and whether it may be resumed.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::change::journal::Event;
use crate::runbook::step::Step;

/// How far a step came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Open,
    /// Begun, and its end is not known: liveops died, or was killed.
    Unfinished,
    /// It ran, and its check held.
    Done,
    /// Left out on purpose.
    Skipped,
    /// It, or its check, failed.
    Failed,
    /// Taken back.
    RolledBack,
}

impl StepState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unfinished => "end unknown",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
        }
    }

    /// Does a resumed run pass it over?
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

/// A run so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunState {
    pub runbook: String,
    pub environment: String,
    pub begun: Option<DateTime<Utc>>,
    pub ended: bool,
    /// State by the step's digest, in the order of the journal.
    steps: Vec<(String, StepState)>,
}

impl RunState {
    /// The replay of a run's journal.
    pub fn replay(events: &[Event]) -> Self {
        let mut run = Self::default();
        let text = |data: &Value, key: &str| data[key].as_str().unwrap_or_default().to_owned();
        for event in events {
            let state = match event.kind.as_str() {
                "run.begun" => {
                    run.runbook = text(&event.data, "runbook");
                    run.environment = text(&event.data, "environment");
                    run.begun = Some(event.at);
                    continue;
                }
                "run.ended" => {
                    run.ended = true;
                    continue;
                }
                "step.begun" => StepState::Unfinished,
                "step.done" => StepState::Done,
                "step.skipped" => StepState::Skipped,
                "step.failed" => StepState::Failed,
                "step.rolled_back" => StepState::RolledBack,
                _ => continue,
            };
            let digest = text(&event.data, "digest");
            match run.steps.iter_mut().find(|(known, _)| *known == digest) {
                Some((_, known)) => *known = state,
                None => run.steps.push((digest, state)),
            }
        }
        run
    }

    pub fn of(&self, step: &Step) -> StepState {
        let digest = step.digest();
        self.steps.iter().find(|(known, _)| *known == digest).map_or(StepState::Open, |(_, state)| *state)
    }

    /// Steps that were touched and are not in the runbook any more as they were.
    pub fn strangers(&self, steps: &[Step]) -> usize {
        let digests: Vec<String> = steps.iter().map(Step::digest).collect();
        self.steps.iter().filter(|(known, _)| !digests.contains(known)).count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::runbook::Runbook;

    fn event(kind: &str, data: Value) -> Event {
        Event {
            id: None,
            seq: 1,
            at: DateTime::default(),
            by: "ada".into(),
            kind: kind.into(),
            data,
            hash: String::new(),
        }
    }

    #[test]
    fn the_last_word_about_a_step_counts() {
        let text = "```sh liveops step=A\na\n```\n```sh liveops step=B\nb\n```\n```sh liveops step=C\nc\n```\n";
        let steps = Runbook::parse(text).steps;
        let say = |kind: &str, step: &Step| event(kind, json!({ "digest": step.digest() }));
        let run = RunState::replay(&[
            event("run.begun", json!({"runbook": "x", "environment": "prod"})),
            say("step.begun", &steps[0]),
            say("step.failed", &steps[0]),
            say("step.begun", &steps[0]),
            say("step.done", &steps[0]),
            say("step.begun", &steps[1]),
        ]);
        let states: Vec<StepState> = steps.iter().map(|step| run.of(step)).collect();
        assert_eq!(states, [StepState::Done, StepState::Unfinished, StepState::Open]);
        assert_eq!((run.runbook.as_str(), run.ended), ("x", false));
        assert_eq!(run.strangers(&steps), 0);
        assert_eq!(run.strangers(&steps[1..]), 1);
    }
}
