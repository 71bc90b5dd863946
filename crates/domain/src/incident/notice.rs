//! Who is told of what: the rules, and what they come to for one event. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::incident::severity::Severity;

/// What a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    Opened,
    /// Another alert, or one that fires anew, when somebody has the incident already.
    Alert,
    Acked,
    Escalated,
    Severity,
    Mitigated,
    Resolved,
    Reopened,
    Handoff,
    Note,
    /// Nothing happened: the chain is tried.
    Test,
}

impl About {
    /// All that a rule can name.
    pub const ALL: [Self; 10] = [
        Self::Opened,
        Self::Alert,
        Self::Acked,
        Self::Escalated,
        Self::Severity,
        Self::Mitigated,
        Self::Resolved,
        Self::Reopened,
        Self::Handoff,
        Self::Note,
    ];

    /// As it is written in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Alert => "alert",
            Self::Acked => "acked",
            Self::Escalated => "escalated",
            Self::Severity => "severity",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Handoff => "handoff",
            Self::Note => "note",
            Self::Test => "test",
        }
    }

    /// Does it matter as much as an opening? Who is paged for that is paged for this.
    fn begins_anew(self) -> bool {
        matches!(self, Self::Alert | Self::Reopened | Self::Severity)
    }

    /// Does it call for somebody to come?
    fn calls_somebody(self) -> bool {
        matches!(self, Self::Opened | Self::Escalated) || self.begins_anew()
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for About {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|about| about.word() == text).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.into_iter().map(Self::word).collect();
            format!("`{text}` is nothing to tell of: {}", words.join(", "))
        })
    }
}

/// What a channel is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It wakes people: a pager, a program, mail.
    Pager,
    /// People read it when they look.
    Room,
}

/// One rule of the configuration. Empty lists of `on` and `severity` mean all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    pub on: Vec<About>,
    pub severity: Vec<Severity>,
    /// Who is to come: the channels of the first group at once; the next group when none of them took it.
    pub page: Vec<Vec<String>>,
    /// Who should know.
    pub tell: Vec<String>,
}

/// Who is to be told of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    pub page: Vec<Vec<String>>,
    pub tell: Vec<String>,
}

impl Recipients {
    /// Is nobody to be told?
    pub fn is_empty(&self) -> bool {
        self.page.is_empty() && self.tell.is_empty()
    }
}

/// Who is told of an event, by all rules that fit it. Without any rule: pagers are called in the order of the
/// configuration for what calls somebody at P1 to P3, rooms when no pager takes it, and rooms are told of everything
/// but notes.
pub fn recipients(rules: &[Rule], channels: &[(String, Reach)], about: About, severity: Severity) -> Recipients {
    if rules.is_empty() {
        return by_default(channels, about, severity);
    }
    let mut calls = Recipients::default();
    for rule in rules {
        if !rule.severity.is_empty() && !rule.severity.contains(&severity) {
            continue;
        }
        let is_meant = rule.on.is_empty() || rule.on.contains(&about);
        // What is over wakes nobody; what calls nobody does so only where a rule names it.
        let may_wake = about.calls_somebody() || (rule.on.contains(&about) && about != About::Resolved);
        if may_wake && (is_meant || (about.begins_anew() && rule.on.contains(&About::Opened))) {
            calls.page.extend(rule.page.iter().cloned());
        } else if is_meant {
            // Who is called first is told.
            calls.tell.extend(rule.page.first().into_iter().flatten().cloned());
        }
        if is_meant {
            calls.tell.extend(rule.tell.iter().cloned());
        }
    }
    calls.tell.sort();
    calls.tell.dedup();
    calls
}

fn by_default(channels: &[(String, Reach)], about: About, severity: Severity) -> Recipients {
    let of = |reach| channels.iter().filter(move |(_, known)| *known == reach).map(|(name, _)| name.clone());
    let rooms: Vec<String> = of(Reach::Room).collect();
    let mut calls = Recipients::default();
    if about.calls_somebody() && severity < Severity::P4 {
        calls.page = of(Reach::Pager).map(|name| vec![name]).collect();
        if !rooms.is_empty() {
            calls.page.push(rooms.clone());
        }
    }
    if about != About::Note {
        calls.tell = rooms;
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels() -> Vec<(String, Reach)> {
        vec![("team".into(), Reach::Room), ("oncall".into(), Reach::Pager), ("mail".into(), Reach::Pager)]
    }

    #[test]
    fn without_rules_pagers_are_called_and_rooms_are_told() {
        let groups = |names: &[&[&str]]| -> Vec<Vec<String>> {
            names.iter().map(|group| group.iter().map(ToString::to_string).collect()).collect()
        };
        for (about, severity, page, tell) in [
            (About::Opened, Severity::P1, groups(&[&["oncall"], &["mail"], &["team"]]), vec!["team"]),
            (About::Opened, Severity::P4, vec![], vec!["team"]),
            (About::Resolved, Severity::P1, vec![], vec!["team"]),
            (About::Note, Severity::P1, vec![], vec![]),
        ] {
            let calls = recipients(&[], &channels(), about, severity);
            assert_eq!(calls.page, page, "{about} {severity}");
            assert_eq!(calls.tell, tell, "{about} {severity}");
        }
        assert!(recipients(&[], &[], About::Opened, Severity::P1).is_empty());
    }

    #[test]
    fn rules_add_up() {
        let rule = |on: &[About], severity: &[Severity], page: &str, tell: &str| Rule {
            on: on.to_vec(),
            severity: severity.to_vec(),
            page: if page.is_empty() { Vec::new() } else { vec![vec![page.into()]] },
            tell: vec![tell.into()],
        };
        let rules = [rule(&[], &[], "", "team"), rule(&[About::Opened], &[Severity::P1], "oncall", "team")];
        let first = recipients(&rules, &channels(), About::Opened, Severity::P1);
        assert_eq!(first.page, [["oncall".to_owned()]]);
        assert_eq!(first.tell, ["team"]);
        assert!(recipients(&rules, &channels(), About::Opened, Severity::P2).page.is_empty());
        let worse = recipients(&rules, &channels(), About::Severity, Severity::P1);
        assert_eq!((worse.page.len(), worse.tell.len()), (1, 1), "who is paged for an opening is for what is as bad");
        assert!(recipients(&rules, &channels(), About::Acked, Severity::P1).page.is_empty());
        let all = [rule(&[], &[], "oncall", "team"), rule(&[About::Handoff], &[], "mail", "team")];
        let of = |about| recipients(&all, &channels(), about, Severity::P1);
        assert_eq!(of(About::Opened).page.len(), 1);
        for about in [About::Acked, About::Mitigated, About::Resolved, About::Note] {
            assert!(of(about).page.is_empty(), "{about} wakes nobody");
            assert_eq!(of(about).tell, ["oncall", "team"]);
        }
        assert_eq!(of(About::Handoff).page, [["mail".to_owned()]], "but where a rule names it");
        assert!("closed".parse::<About>().is_err());
    }
}
