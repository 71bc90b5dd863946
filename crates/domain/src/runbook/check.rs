//! What is wrong with runbooks: each by itself, and all of them against the alerting rules. Whether a linked file or
//! page is there comes in from outside.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::runbook::rule::AlertRule;
use crate::runbook::{Link, Purpose, Runbook, is_section};
use crate::text::suggest::nearest;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// At 3 am it would fail.
    Error,
    /// It works, and could be better.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub weight: Weight,
    /// Machine name, such as `missing_sections`.
    pub kind: &'static str,
    /// The file, as it is shown.
    pub file: Option<String>,
    pub line: Option<usize>,
    pub alert: Option<String>,
    pub message: String,
    /// The command that mends it.
    pub command: Option<String>,
}

/// A runbook in its place.
#[derive(Debug, Clone)]
pub struct NamedRunbook {
    /// File name without `.md`.
    pub name: String,
    /// Path as it is shown.
    pub path: String,
    pub purpose: Purpose,
    pub book: Runbook,
}

impl NamedRunbook {
    fn finding(&self, weight: Weight, kind: &'static str, line: Option<usize>, message: String) -> Finding {
        Finding {
            weight,
            kind,
            file: Some(self.path.clone()),
            line,
            alert: (self.purpose == Purpose::Alert).then(|| self.name.clone()),
            message,
            command: None,
        }
    }

    /// What is wrong with it by itself. `dead` says why a link is dead, if it is.
    pub fn check(&self, required: &[String], dead: impl Fn(&Link) -> Option<String>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.book.title.is_empty() {
            let message = "has no title: begin with `# …`".into();
            findings.push(self.finding(Weight::Error, "no_title", Some(1), message));
        }
        let mut missing: Vec<String> = Vec::new();
        for wanted in required {
            let mut found = self.book.sections.iter().filter(|section| is_section(&section.title, wanted)).peekable();
            if found.peek().is_none() {
                missing.push(format!("`{wanted}`"));
            }
        }
        let is_required = |title: &str| required.iter().any(|wanted| is_section(title, wanted));
        for section in self.book.sections.iter().filter(|section| section.empty && is_required(&section.title)) {
            let message = format!("section `{}` is empty", section.title);
            findings.push(self.finding(Weight::Error, "empty_section", Some(section.line), message));
        }
        if !missing.is_empty() {
            let message = format!("sections are missing: {}", missing.join(", "));
            findings.push(self.finding(Weight::Error, "missing_sections", None, message));
        }
        for fault in &self.book.faults {
            let message = format!("step cannot be read: {}", fault.what);
            findings.push(self.finding(Weight::Error, "bad_step", Some(fault.line), message));
        }
        for step in self.book.steps.iter().filter(|step| step.confirm) {
            if step.check.is_none() {
                let message = format!(
                    "step `{}` changes something and has no `check`: nobody will know whether it worked",
                    step.name
                );
                findings.push(self.finding(Weight::Warning, "step_without_check", Some(step.line), message));
            }
        }
        for link in &self.book.links {
            if let Some(why) = dead(link) {
                let message = format!("link `{}` is dead: {why}", link.to);
                findings.push(self.finding(Weight::Error, "dead_link", Some(link.line), message));
            }
        }
        for line in &self.book.unfilled {
            let message = "something is left to fill in".into();
            findings.push(self.finding(Weight::Warning, "to_fill_in", Some(*line), message));
        }
        findings
    }
}

/// Every alert has its runbook, every runbook its alert. `folder` is where alerts' runbooks are, as it is shown.
pub fn against_rules(files: &[NamedRunbook], rules: &[AlertRule], folder: &str) -> Vec<Finding> {
    let runbooks: Vec<&NamedRunbook> = files.iter().filter(|file| file.purpose == Purpose::Alert).collect();
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for rule in rules {
        // Several rules may share a name and a runbook: one of each severity.
        if seen.insert(&rule.name) {
            findings.extend(of_rule(rule, &runbooks, folder));
        }
    }
    for file in runbooks {
        if seen.contains(&file.name) {
            continue;
        }
        let near = nearest(&file.name, seen.iter().map(|name| name.as_str()))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let message = format!("no rule makes an alert `{}`{near}", file.name);
        findings.push(file.finding(Weight::Error, "runbook_without_alert", None, message));
    }
    findings
}

fn of_rule(rule: &AlertRule, runbooks: &[&NamedRunbook], folder: &str) -> Option<Finding> {
    let finding = |weight, kind, message: String, command: Option<String>| {
        Some(Finding { weight, kind, file: None, line: None, alert: Some(rule.name.clone()), message, command })
    };
    let own = format!("{}.md", rule.name);
    let link = rule.runbook();
    let has_file = runbooks.iter().any(|file| file.name == rule.name);
    if !has_file {
        if let Some(link) = &link
            && is_url(link)
            && !link.ends_with(&own)
        {
            // Kept somewhere else; `--online` looks whether it is there.
            return None;
        }
        let cased = runbooks.iter().find(|file| file.name.eq_ignore_ascii_case(&rule.name));
        let message = match cased {
            Some(file) => format!(
                "alert `{}` ({}) has no runbook; {} differs in upper and lower case",
                rule.name, rule.place, file.path
            ),
            None => format!("alert `{}` ({}) has no runbook: {folder}/{own} does not exist", rule.name, rule.place),
        };
        let command = format!("liveops runbook new {}", crate::text::shell::word(&rule.name));
        return finding(Weight::Error, "alert_without_runbook", message, Some(command));
    }
    match link {
        None => finding(
            Weight::Warning,
            "no_annotation",
            format!(
                "alert `{}` has a runbook and does not link it: add `runbook_url: {folder}/{own}` to its annotations",
                rule.name
            ),
            None,
        ),
        Some(link) if !is_url(&link) && link.rsplit('/').next() != Some(own.as_str()) => finding(
            Weight::Error,
            "wrong_annotation",
            format!("alert `{}` links `{link}`; its runbook is {folder}/{own}", rule.name),
            None,
        ),
        Some(_) => None,
    }
}

fn is_url(link: &str) -> bool {
    link.starts_with("http://") || link.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::labels::Labels;

    fn filed(name: &str, purpose: Purpose, text: &str) -> NamedRunbook {
        NamedRunbook { name: name.into(), path: format!("docs/{name}.md"), purpose, book: Runbook::parse(text) }
    }

    fn rule(name: &str, link: Option<&str>) -> AlertRule {
        AlertRule {
            name: name.into(),
            expression: "up".into(),
            hold: 0.0,
            labels: Labels::default(),
            annotations: link.map(|link| ("runbook_url".to_owned(), link.to_owned())).into_iter().collect(),
            place: "group g".into(),
        }
    }

    fn required(purpose: Purpose) -> Vec<String> {
        purpose.sections().iter().map(|section| (*section).to_owned()).collect()
    }

    fn kinds(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_bare_file_lacks_everything() {
        let file = filed("x", Purpose::Scenario, "text [a](b.md)\n");
        let findings = file.check(&required(file.purpose), |link| (link.to == "b.md").then(|| "not there".into()));
        let count = |kind| kinds(&findings).iter().filter(|k| **k == kind).count();
        assert_eq!(count("no_title"), 1);
        assert_eq!(count("missing_sections"), 1);
        assert_eq!(count("empty_section"), 0);
        let empty = filed("y", Purpose::Scenario, "# T\n## Detection\n## Triage\nx\n");
        let empty = empty.check(&required(Purpose::Scenario), |_| None);
        assert_eq!(kinds(&empty), ["empty_section", "missing_sections"]);
        assert_eq!(count("dead_link"), 1);
    }

    #[test]
    fn alerts_and_runbooks_must_match_both_ways() {
        let text = "# t\n";
        let files = [
            filed("Down", Purpose::Alert, text),
            filed("slow", Purpose::Alert, text),
            filed("Gone", Purpose::Alert, text),
            filed("Linked", Purpose::Alert, text),
            filed("rollback", Purpose::Scenario, text),
        ];
        let rules = [
            rule("Down", Some("docs/Down.md")),
            rule("Down", Some("docs/Down.md")),
            rule("Slow", None),
            rule("Elsewhere", Some("https://wiki/x")),
            rule("Web", Some("https://git/docs/Web.md")),
            rule("Linked", Some("docs/Other.md")),
        ];
        let findings = against_rules(&files, &rules, "docs/alerts");
        assert_eq!(
            kinds(&findings),
            [
                "alert_without_runbook",
                "alert_without_runbook",
                "wrong_annotation",
                "runbook_without_alert",
                "runbook_without_alert",
            ]
        );
        assert!(findings[0].message.contains("upper and lower case"));
        assert_eq!(findings[1].command.as_deref(), Some("liveops runbook new Web"));
        assert_eq!(kinds(&against_rules(&files[..1], &[rule("Down", None)], "d")), ["no_annotation"]);
    }
}
