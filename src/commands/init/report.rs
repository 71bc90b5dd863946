//! What `init` wrote, and what it found on the way.

use std::path::Path;

use serde::Serialize;

use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::status::source::{Outcome, Source, SourceState, Verdict};
use liveops_engine::config::presets::{Answers, optional};
use liveops_engine::init::given::Given;
use liveops_engine::init::probe::{Finding, Findings, State};

/// A KPI that was written commented out.
#[derive(Debug, Serialize)]
struct Left {
    kpi: String,
    reason: String,
}

/// The written file.
#[derive(Debug, Serialize)]
pub(crate) struct Init {
    path: String,
    preset: &'static str,
    project: String,
    environment: String,
    found: Vec<Finding>,
    kpis_with_data: Vec<String>,
    kpis_without_data: Vec<Left>,
    /// Environment variables that the file refers to in the place of passwords.
    variables: Vec<String>,
}

impl Init {
    /// From all that came together.
    pub(crate) fn new(
        path: &Path,
        given: &Given,
        answers: &Answers,
        findings: Findings,
        variables: Vec<String>,
    ) -> Self {
        let with = |(name, known): (&String, &Result<(), String>)| known.is_ok().then(|| name.clone());
        let optional = optional(given.preset);
        let without = |(name, known): (&String, &Result<(), String>)| {
            if optional.contains(&name.as_str()) {
                return None;
            }
            Some(Left { kpi: name.clone(), reason: known.as_ref().err()?.clone() })
        };
        Self {
            path: path.display().to_string(),
            preset: given.preset.name(),
            project: given.project.clone(),
            environment: given.environment.clone(),
            kpis_with_data: answers.data.iter().filter_map(with).collect(),
            kpis_without_data: answers.data.iter().filter_map(without).collect(),
            found: findings.places,
            variables,
        }
    }

    fn is_all_found(&self) -> bool {
        self.found.iter().all(|found| found.state == State::Found)
    }

    pub(crate) fn meta(&self) -> Meta {
        let source = |found: &Finding| Source {
            name: found.what.clone(),
            state: match found.state {
                State::Found => SourceState::Ok,
                State::Absent => SourceState::Degraded,
                State::Unreachable => SourceState::Down,
            },
            latency_ms: None,
            error: (found.state != State::Found).then(|| found.detail.clone()),
        };
        Meta {
            environment: Some(self.environment.clone()),
            outcome: if self.is_all_found() { Outcome::Success } else { Outcome::Partial },
            verdict: if self.is_all_found() { Verdict::Pass } else { Verdict::Warn },
            sources: self.found.iter().map(source).collect(),
            ..Meta::next("see what it shows", self.next())
        }
    }

    /// The next thing to type, with the file where it would not be found.
    fn next(&self) -> String {
        let verb = if self.is_all_found() && !self.found.is_empty() {
            "status"
        } else if self.found.is_empty() {
            "config validate"
        } else {
            "doctor"
        };
        if self.path == liveops_engine::config::layers::FILE_NAME {
            format!("liveops {verb}")
        } else {
            format!("liveops --config {} {verb}", self.path)
        }
    }
}

fn place(found: &Finding, view: &View) -> Vec<Block> {
    let (mark, tone, word) = match found.state {
        State::Found => (view.pick("●", "+"), Tone::Good, "found"),
        State::Absent => (view.pick("▲", "!"), Tone::Warn, "absent"),
        State::Unreachable => (view.pick("✖", "x"), Tone::Bad, "unreachable"),
    };
    vec![
        Block::Whole(vec![
            span(format!("{mark} "), tone),
            plain(format!("{} ", found.what)),
            span(word, tone),
            span(format!("  {}", found.url), Tone::Dim),
        ]),
        Block::Whole(vec![plain(format!("    {}", found.detail))]),
    ]
}

impl Report for Init {
    fn schema(&self) -> &'static str {
        "liveops.init/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.path.clone()])
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks: Vec<Block> = self.found.iter().flat_map(|found| place(found, view)).collect();
        if !blocks.is_empty() {
            blocks.push(Block::Blank);
        }
        blocks.push(Block::Whole(vec![
            plain("wrote "),
            span(self.path.clone(), Tone::Strong),
            plain(format!(": project `{}`, environment `{}`, preset {}", self.project, self.environment, self.preset)),
        ]));
        let names = |list: &mut dyn Iterator<Item = &str>| list.collect::<Vec<_>>().join(", ");
        if !self.kpis_without_data.is_empty() {
            let left = names(&mut self.kpis_without_data.iter().map(|left| left.kpi.as_str()));
            blocks.push(Block::Whole(vec![plain(format!("commented out, since they have no data yet: {left}"))]));
        }
        if !self.variables.is_empty() {
            let all = names(&mut self.variables.iter().map(String::as_str));
            blocks.push(Block::Whole(vec![
                span("set ", Tone::Warn),
                plain(format!("{all}: the file refers to it instead of the secret that was given")),
            ]));
        }
        blocks
    }
}
