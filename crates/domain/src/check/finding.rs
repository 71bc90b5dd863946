//! A finding: one thing that a rule has against one subject. What no rule could tell is an `Unknown`, never a pass.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::check::waiver::Waived;
use crate::error::Error;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Could be better.
    Low,
    /// Will hurt one day.
    Medium,
    /// Hurts when it is needed.
    High,
    /// Must not ship.
    Blocker,
}

impl Level {
    /// All, the worst first.
    pub const ALL: [Self; 4] = [Self::Blocker, Self::High, Self::Medium, Self::Low];

    /// As it is shown and serialised.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Blocker => "BLOCKER",
        }
    }
}

/// What a rule is about: one table a gate, for the reports of machines and the chapter of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleInfo {
    /// Stable: `A01`, `K17`, `MIG003` …
    pub id: &'static str,
    /// One line.
    pub title: &'static str,
    /// Why it matters, in a sentence or two.
    pub why: &'static str,
}

/// A line of a table of rules.
pub const fn info(id: &'static str, title: &'static str, why: &'static str) -> RuleInfo {
    RuleInfo { id, title, why }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub id: &'static str,
    pub level: Level,
    /// What it is about: an alert, a table, a workload, a backup.
    pub subject: String,
    /// The file, relative to where liveops was called, where there is one.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<usize>,
    /// From 1.
    pub column: Option<usize>,
    /// What is wrong, with the values that show it.
    pub why: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// What proves it, a line each.
    pub evidence: Vec<String>,
    /// The same in each run, wherever the lines have moved.
    pub fingerprint: String,
    /// Who accepted it, why, and until when.
    pub waived: Option<Waived>,
    /// In the baseline: known before, and not counted.
    pub known: bool,
    /// What `runbook check` and `postmortem check` called it before there were ids, such as `alert_without_runbook`, and
    /// the same as `why`: for the scripts that read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Finding {
    /// Without a place.
    pub fn new(id: &'static str, level: Level, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            id,
            level,
            subject: subject.into(),
            file: None,
            line: None,
            column: None,
            why: why.into(),
            fix: None,
            evidence: Vec::new(),
            fingerprint: String::new(),
            waived: None,
            known: false,
            kind: None,
            message: None,
        }
    }

    /// Also by its older words.
    pub fn kind(mut self, kind: &'static str) -> Self {
        self.message = Some(self.why.clone());
        Self { kind: Some(kind), ..self }
    }

    /// In this file, at this line (from 1; 0 where only the file is known).
    pub fn at(mut self, file: impl Into<String>, line: usize) -> Self {
        self.file = Some(file.into());
        self.line = (line > 0).then_some(line);
        self
    }

    /// At this column, from 1.
    pub fn column(mut self, column: usize) -> Self {
        self.column = (column > 0).then_some(column);
        self
    }

    /// With what to do about it.
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = Some(text.into());
        self
    }

    /// With a line that proves it.
    pub fn evidence(mut self, text: impl Into<String>) -> Self {
        self.evidence.push(text.into());
        self
    }

    /// Does it count: neither waived nor known before?
    pub fn counts(&self) -> bool {
        self.waived.is_none() && !self.known
    }

    /// `FILE:LINE`, `FILE`, or nothing.
    pub fn place(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        Some(self.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
    }
}

/// What a rule could not tell, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// The rule's id.
    pub id: &'static str,
    pub subject: String,
    pub why: String,
}

/// What a gate found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub findings: Vec<Finding>,
    pub unknown: Vec<Unknown>,
    /// A system that was asked gave no answer that can be used: nothing passes then.
    pub silent: bool,
    /// What was looked at, by kind: `files`, `rules`, `statements` … Nothing at all is a usage error.
    pub checked: BTreeMap<&'static str, usize>,
    /// The files that were read, by the name that the findings give them: fingerprints and comments are read from them.
    pub sources: BTreeMap<String, String>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds what could not be told.
    pub fn unknown(&mut self, id: &'static str, subject: impl Into<String>, why: impl Into<String>) {
        self.unknown.push(Unknown { id, subject: subject.into(), why: why.into() });
    }

    /// What could not be told because of this error. What is not configured was not asked.
    pub fn failed(&mut self, id: &'static str, subject: impl Into<String>, error: &Error) {
        self.silent |= !matches!(error, Error::Unconfigured { .. });
        self.unknown(id, subject, error.to_string());
    }

    /// So many more of this kind were looked at.
    pub fn checked(&mut self, kind: &'static str, count: usize) {
        *self.checked.entry(kind).or_default() += count;
    }

    /// Was anything looked at? A file in which nothing was found to look at is none.
    pub fn looked(&self) -> bool {
        !self.findings.is_empty() || self.checked.iter().any(|(kind, count)| *kind != "files" && *count > 0)
    }

    /// Takes over what another part found.
    pub fn merge(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.unknown.extend(other.unknown);
        self.silent |= other.silent;
        for (kind, count) in other.checked {
            self.checked(kind, count);
        }
        self.sources.extend(other.sources);
    }

    /// Sorts (worst first, then by place) and fingerprints: SHA-256 of rule, path, subject, the line's own text, and the
    /// number of the occurrence, so that two findings are never one, and a moved line is none that is new.
    pub(crate) fn settle(&mut self) {
        fn key(one: &Finding) -> impl Ord {
            let place = (one.file.as_deref(), one.line, one.column);
            (std::cmp::Reverse(one.level), place, one.id, &*one.subject, &*one.why)
        }
        self.findings.sort_by(|a, b| key(a).cmp(&key(b)));
        self.unknown.sort_by(|a, b| (a.id, &a.subject).cmp(&(b.id, &b.subject)));
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for finding in &mut self.findings {
            let file = finding.file.as_deref().unwrap_or_default();
            let source = self.sources.get(file);
            let line = finding.line.and_then(|line| source?.lines().nth(line - 1)).unwrap_or_default();
            let snippet: Vec<&str> = line.split_whitespace().collect();
            let path = file.trim_start_matches("./").replace('\\', "/");
            let identity = [finding.id, &path, &finding.subject, &snippet.join(" ")].join("\0");
            let occurrence = seen.entry(identity.clone()).or_default();
            *occurrence += 1;
            let digest = Sha256::digest(format!("{identity}\0{occurrence}"));
            finding.fingerprint = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, lines: &[usize]) -> Vec<String> {
        let mut all = Findings::default();
        all.sources.insert("a.yml".into(), text.into());
        for line in lines {
            all.add(Finding::new("A02", Level::High, "Down", "it always fires").at("a.yml", *line));
        }
        all.settle();
        all.findings.into_iter().map(|one| one.fingerprint).collect()
    }

    #[test]
    fn a_fingerprint_follows_its_line_and_two_findings_are_two() {
        let before = found("expr: up\nexpr: up\n", &[1, 2]);
        assert_ne!(before[0], before[1]);
        let moved = found("# more\n\n  expr:   up\nexpr: up\n", &[3, 4]);
        assert_eq!(before, moved);
        assert_ne!(found("expr: down\n", &[1])[0], before[0]);
    }

    #[test]
    fn the_worst_come_first() {
        let mut all = Findings::default();
        for level in [Level::Low, Level::Blocker, Level::Medium, Level::High] {
            all.add(Finding::new("X", level, "s", "w"));
        }
        all.settle();
        assert_eq!(all.findings.iter().map(|one| one.level).collect::<Vec<_>>(), Level::ALL);
    }
}
