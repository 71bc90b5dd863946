//! A runbook as liveops reads it: sections, links and executable steps of a Markdown file. Pure: the text comes in,
//! findings go out; whether a linked file exists is the caller's to say.

pub mod check;
mod parse;
pub mod rule;
pub mod run;
pub mod step;

use serde::Serialize;

use crate::metric::labels::Labels;
use crate::text::markdown::has_phrase;

pub use crate::runbook::step::Step;

/// What stands for "only you know this" in a runbook that was just written.
pub const FILL_IN: &str = "[fill in";

/// Where an alert's annotations, or its labels, say that its runbook is: `runbook_url`, and as other teams call it.
pub fn link_of<'a>(annotations: &'a Labels, labels: &'a Labels) -> Option<&'a str> {
    let bare = |key: &str| key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let is_runbook = |key: &str| {
        ["runbook", "playbook", "opsrecipe", "sop"].iter().any(|word| {
            bare(key).strip_prefix(word).is_some_and(|rest| ["", "s", "url", "link", "uri", "href"].contains(&rest))
        })
    };
    let named = annotations.get("runbook_url").into_iter();
    let others = annotations.iter().chain(labels).filter(|(key, _)| is_runbook(key)).map(|(_, text)| text);
    named.chain(others).map(String::as_str).find(|text| !text.trim().is_empty())
}

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

    /// The sections that must be there, where a team does not say which.
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

/// What public collections of runbooks call a section: phrases of whole words, `*` for any ending.
const SYNONYMS: [(&str, &[&str]); 14] = [
    (
        "description",
        &[
            "meaning",
            "overview",
            "summary",
            "about",
            "introduction",
            "background",
            "alert details",
            "what does this alert mean",
        ],
    ),
    ("severity", &["severity", "priority", "urgency"]),
    ("impact", &["impacts", "effect*", "consequence*", "symptom*", "affected"]),
    (
        "investigation",
        &[
            "investigat*",
            "diagnos*",
            "troubleshoot*",
            "debug*",
            "verif*",
            "check*",
            "triage",
            "find*",
            "identif*",
            "inspect*",
        ],
    ),
    ("common causes", &["cause*", "reason*", "why"]),
    (
        "remediation",
        &[
            "remed*",
            "mitigat*",
            "resol*",
            "fix*",
            "solution*",
            "solv*",
            "recover*",
            "procedure*",
            "action*",
            "steps",
            "restor*",
            "how to",
            "workaround*",
            "what to do",
            "response",
        ],
    ),
    ("escalation", &["escalat*", "contact*", "owner*", "support", "get help", "who"]),
    (
        "related",
        &[
            "link*",
            "reference*",
            "resource*",
            "see also",
            "additional",
            "further",
            "more information",
            "dashboard*",
            "documentation",
            "notes",
            "metrics",
        ],
    ),
    ("detection", &["detect*", "symptom*", "alert*", "when"]),
    ("triage", &["triag*", "first", "assess*", "impact"]),
    ("diagnosis", &["diagnos*", "investigat*", "troubleshoot*", "debug*", "check*", "verif*"]),
    ("mitigation", &["mitigat*", "remed*", "workaround*", "fix*", "steps", "procedure*", "how to"]),
    ("resolution", &["resol*", "recover*", "restor*", "fix*", "solution*", "steps", "procedure*", "how to"]),
    ("post-incident", &["post incident", "after*", "follow up*", "cleanup", "clean up", "postmortem", "lessons"]),
];

/// Is a heading the section that is wanted, or does it mean the same?
pub fn is_section(title: &str, wanted: &str) -> bool {
    let same = SYNONYMS.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, same)| same);
    has_phrase(title, &[&wanted.replace('-', " ")]) || has_phrase(title, same)
}

/// A heading below the title, and whether anything stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    pub title: String,
    pub line: usize,
    /// Of the heading: 1 to 6.
    pub level: u8,
    pub empty: bool,
}

/// Code that is no step: a block or a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub text: String,
    pub line: usize,
    /// Within a sentence.
    pub is_inline: bool,
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

    /// Is it made by a template of the site, so that only the site knows where it leads?
    pub fn is_templated(&self) -> bool {
        ["{{", "{%", "<%", "${"].iter().any(|mark| self.to.contains(mark)) || self.to.starts_with(['<', '{'])
    }

    /// The place in the file, without `#`.
    pub fn anchor(&self) -> Option<&str> {
        self.to.split_once('#').map(|(_, anchor)| anchor).filter(|anchor| !anchor.is_empty())
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
    /// What a link with `#` may lead to, as [`crate::text::markdown::anchor`] has it.
    pub anchors: Vec<String>,
    /// Code that a shell may be given, beside the steps.
    pub code: Vec<Code>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runbook_is_found_under_each_name_that_teams_give_it() {
        let pair = |key: &str| Labels::from([(key.to_owned(), "docs/x.md".to_owned())]);
        let none = Labels::new();
        for key in [
            "runbook_url",
            "runbook",
            "runbookUrl",
            "runbookURL",
            "runbook_link",
            "playbook",
            "playbook_url",
            "sop_url",
        ] {
            assert_eq!(link_of(&pair(key), &none), Some("docs/x.md"), "{key}");
            assert_eq!(link_of(&none, &pair(key)), Some("docs/x.md"), "{key}");
        }
        for key in ["dashboard_url", "runbook_owner", "run", "soptional"] {
            assert_eq!(link_of(&pair(key), &pair(key)), None, "{key}");
        }
        let both = Labels::from(
            [("playbook", "a"), ("runbook_url", "b")].map(|(key, text)| (key.to_owned(), text.to_owned())),
        );
        assert_eq!(link_of(&both, &none), Some("b"));
        assert_eq!(
            link_of(&Labels::from([("runbook_url".to_owned(), " ".to_owned())]), &pair("playbook")),
            Some("docs/x.md")
        );
    }
}
