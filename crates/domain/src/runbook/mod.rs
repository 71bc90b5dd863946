//! A runbook as liveops reads it: sections, links and executable steps of a Markdown file. Pure: the text comes in,
//! findings go out; whether a linked file exists is the caller's to say.

pub mod check;
mod parse;
pub mod rule;
pub mod run;
pub mod step;

use serde::Serialize;

pub use crate::runbook::step::Step;

/// What stands for "only you know this" in a runbook that was just written.
pub const FILL_IN: &str = "[fill in";

/// What a runbook is for, which decides the sections that it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// One alert: `alerts/<Alert>.md`.
    Alert,
    /// A kind of incident, such as a full outage: `<scenario>.md`.
    Scenario,
}

impl Purpose {
    pub fn word(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Scenario => "scenario",
        }
    }

    /// The sections that must be there: what is looked for in a heading, in lower case.
    pub fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Alert => &[
                "description",
                "severity",
                "impact",
                "investigation",
                "common causes",
                "remediation",
                "escalation",
                "related",
            ],
            Self::Scenario => &["detection", "triage", "diagnosis", "mitigation", "resolution", "post-incident"],
        }
    }
}

/// A heading of level 2, and whether anything stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    pub title: String,
    pub line: usize,
    pub empty: bool,
}

/// Where a link or an image points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    pub to: String,
    pub line: usize,
}

impl Link {
    /// Is it on the web?
    pub fn is_url(&self) -> bool {
        self.to.starts_with("http://") || self.to.starts_with("https://")
    }

    /// The path of a file, without its anchor; none for URLs, mail addresses, and places in the same file.
    pub fn file(&self) -> Option<&str> {
        let has_scheme = self
            .to
            .split_once(':')
            .is_some_and(|(scheme, _)| scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric()));
        if has_scheme {
            return None;
        }
        let path = self.to.split(['#', '?']).next().unwrap_or_default();
        (!path.is_empty()).then_some(path)
    }
}

/// Something wrong at a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub line: usize,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    /// The first heading; empty when there is none.
    pub title: String,
    pub sections: Vec<Section>,
    pub links: Vec<Link>,
    pub steps: Vec<Step>,
    /// Steps that cannot be read.
    pub faults: Vec<Fault>,
    /// Lines that wait for somebody to fill them in.
    pub unfilled: Vec<usize>,
}

impl Runbook {
    /// Reads Markdown; whatever it is, it can be read, and what is wrong is in `faults`.
    pub fn parse(text: &str) -> Self {
        parse::parse(text)
    }
}
