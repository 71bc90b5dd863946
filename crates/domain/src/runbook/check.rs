//! What is wrong with runbooks: each by itself, and all of them against the alerting rules. Whether a linked file or
//! page is there comes in from outside.

use std::collections::BTreeSet;

use crate::check::finding::{Finding, Level, RuleInfo, info};
use crate::runbook::rule::AlertRule;
use crate::runbook::{Link, Purpose, Runbook, is_section};
use crate::text::shell::word;
use crate::text::suggest::nearest;

/// The rules of `runbook check` and `check runbooks`.
pub const RULES: &[RuleInfo] = &[
    info("R01", "An alert has no runbook", "Whoever is paged needs the page that says what to do."),
    info("R02", "A runbook of an alert that does not exist", "Its alert was renamed or removed; nobody will open it."),
    info("R03", "An alert links another page than its runbook", "Whoever is paged follows the link."),
    info("R04", "An alert does not link its runbook", "At 3 am a link is faster than a search."),
    info("R05", "An alert links a page that does not answer", "Whoever is paged follows the link."),
    info("R06", "A link is dead", "What it leads to was meant to help."),
    info("R07", "It has no title", "Lists and pages show the title."),
    info("R08", "Sections are missing", "Somebody who has never seen the system needs each of them."),
    info("R09", "A section is empty", "Its heading promises something, and nothing follows."),
    info("R10", "A step cannot be read", "`liveops runbook run` stops there."),
    info(
        "R11",
        "It names a command that does not exist or is not whole",
        "At 3 am nobody has time to find the right one.",
    ),
    info("R12", "A step that changes something is not checked", "Nobody will know whether it worked."),
    info("R13", "Something is left to fill in", "Whoever reads it at night cannot fill it in."),
];

/// What each rule was called before it had an id, and how much it weighs.
const KINDS: [(&str, Level); 13] = [
    ("alert_without_runbook", Level::High),
    ("runbook_without_alert", Level::High),
    ("wrong_annotation", Level::High),
    ("no_annotation", Level::Medium),
    ("dead_annotation", Level::High),
    ("dead_link", Level::High),
    ("no_title", Level::High),
    ("missing_sections", Level::High),
    ("empty_section", Level::High),
    ("bad_step", Level::High),
    ("no_such_command", Level::High),
    ("step_without_check", Level::Medium),
    ("to_fill_in", Level::Medium),
];

/// A finding of a rule.
pub fn finding(id: &'static str, subject: &str, why: impl Into<String>) -> Finding {
    let (kind, level) = RULES.iter().position(|rule| rule.id == id).map_or(("", Level::High), |place| KINDS[place]);
    Finding::new(id, level, subject, why).kind(kind)
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
    /// A finding about it; at the file where no line is known.
    pub fn finding(&self, id: &'static str, line: Option<usize>, why: impl Into<String>) -> Finding {
        finding(id, &self.name, why).at(self.path.clone(), line.unwrap_or_default())
    }

    /// What is wrong with it by itself. `dead` says why a link is dead, if it is.
    pub fn check(&self, required: &[String], dead: impl Fn(&Link) -> Option<String>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.book.title.is_empty() {
            let message = "has no title: begin with `# …`";
            findings.push(self.finding("R07", Some(1), message));
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
            findings.push(self.finding("R09", Some(section.line), message));
        }
        if !missing.is_empty() {
            let message = format!("sections are missing: {}", missing.join(", "));
            findings.push(self.finding("R08", None, message));
        }
        for fault in &self.book.faults {
            let message = format!("step cannot be read: {}", fault.what);
            findings.push(self.finding("R10", Some(fault.line), message));
        }
        for step in self.book.steps.iter().filter(|step| step.confirm) {
            if step.check.is_none() {
                let message = format!(
                    "step `{}` changes something and has no `check`: nobody will know whether it worked",
                    step.name
                );
                findings.push(self.finding("R12", Some(step.line), message));
            }
        }
        for link in &self.book.links {
            if let Some(why) = dead(link) {
                let message = format!("link `{}` is dead: {why}", link.to);
                findings.push(self.finding("R06", Some(link.line), message));
            }
        }
        for line in &self.book.unfilled {
            let message = "something is left to fill in";
            findings.push(self.finding("R13", Some(*line), message));
        }
        findings
    }
}

/// Every alert has its runbook, every runbook its alert. `folder` is where alerts' runbooks are, as it is shown; `exists`
/// says whether a path of the project is there, and nothing of one that leads out of it.
pub fn against_rules(
    files: &[NamedRunbook],
    rules: &[AlertRule],
    folder: &str,
    exists: impl Fn(&str) -> Option<bool>,
) -> Vec<Finding> {
    let runbooks: Vec<&NamedRunbook> = files.iter().filter(|file| file.purpose == Purpose::Alert).collect();
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for rule in rules {
        // Several rules may share a name and a runbook: one of each severity.
        if seen.insert(&rule.name) {
            findings.extend(of_rule(rule, &runbooks, folder, &exists));
        }
    }
    for file in runbooks {
        if seen.contains(&file.name) {
            continue;
        }
        let near = nearest(&file.name, seen.iter().map(|name| name.as_str()))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let message = format!("no rule makes an alert `{}`{near}", file.name);
        findings.push(file.finding("R02", None, message).fix("remove it, or write its alert"));
    }
    findings
}

fn of_rule(
    rule: &AlertRule,
    runbooks: &[&NamedRunbook],
    folder: &str,
    exists: &impl Fn(&str) -> Option<bool>,
) -> Option<Finding> {
    let (name, place) = (&rule.name, &rule.place);
    let own = format!("{name}.md");
    let link = rule.runbook();
    let has_file = runbooks.iter().any(|file| file.name == *name);
    if !has_file {
        // Kept somewhere else, which `--online` looks at, or told in the annotation itself.
        let is_elsewhere = |link: &String| {
            let is_text = link.trim().contains(char::is_whitespace);
            let is_ours = link.ends_with(&format!("{folder}/{own}"));
            is_text
                || match exists(link) {
                    Some(is_there) => is_there,
                    None => !is_ours,
                }
        };
        if link.as_ref().is_some_and(is_elsewhere) {
            return None;
        }
        let cased = runbooks.iter().find(|file| file.name.eq_ignore_ascii_case(name));
        let why = match cased {
            Some(file) => {
                format!("alert `{name}` ({place}) has no runbook; {} differs in upper and lower case", file.path)
            }
            None => match link.filter(|link| !is_url(link)) {
                Some(link) => format!("alert `{name}` ({place}) links `{link}`, which does not exist"),
                None => format!("alert `{name}` ({place}) has no runbook: {folder}/{own} does not exist"),
            },
        };
        let fix = match cased {
            Some(file) => format!("rename {} to {own}", file.path),
            None => format!(
                "write it: `liveops runbook new {}`, or link the one that there is by the annotation `runbook_url`",
                word(name)
            ),
        };
        return Some(rule.placed(finding("R01", name, why)).fix(fix));
    }
    match link {
        None => {
            let why = format!("alert `{name}` has a runbook and does not link it");
            let fix = format!("add `runbook_url: {folder}/{own}` to its annotations");
            Some(rule.placed(finding("R04", name, why)).fix(fix))
        }
        Some(link)
            if !is_url(&link) && link.rsplit('/').next() != Some(own.as_str()) && exists(&link) != Some(true) =>
        {
            let why = format!("alert `{name}` links `{link}`; its runbook is {folder}/{own}");
            Some(rule.placed(finding("R03", name, why)).fix("correct the link, or move the runbook"))
        }
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
            file: None,
        }
    }

    fn required(purpose: Purpose) -> Vec<String> {
        purpose.sections().iter().map(|section| (*section).to_owned()).collect()
    }

    fn kinds(findings: &[Finding]) -> Vec<&str> {
        findings.iter().filter_map(|finding| finding.kind).collect()
    }

    /// Each rule has a page that it catches, and the same page put right.
    #[test]
    fn each_rule_of_a_page_has_its_fixture_and_a_clean_twin() {
        let good = "# T\n\n## Detection\n\nlook [here](there.md)\n\n```sh liveops step=\"Go\" confirm check=\"true\"\ntrue\n```\n";
        let wrong = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            filed("x", Purpose::Scenario, &good.replacen(from, to, 1))
        };
        let of = |file: &NamedRunbook, dead: bool| -> Vec<&'static str> {
            let found = file.check(&["detection".into()], |_| dead.then(|| "gone".into()));
            assert!(found.iter().all(|one| one.file.as_deref() == Some("docs/x.md")), "{found:?}");
            found.iter().map(|one| one.id).collect()
        };
        assert_eq!(of(&filed("x", Purpose::Scenario, good), false), [""; 0]);
        for (id, file) in [
            ("R08", wrong("## Detection", "## Other")),
            ("R09", filed("x", Purpose::Scenario, "# T\n\n## Detection\n\n## Other\n\nx\n")),
            ("R10", wrong("step=", "stepp=")),
            ("R12", wrong(" check=\"true\"", "")),
            ("R13", wrong("look", &format!("{}: x]", crate::runbook::FILL_IN))),
        ] {
            assert_eq!(of(&file, false), [id], "{}", file.path);
        }
        assert_eq!(of(&filed("x", Purpose::Scenario, good), true), ["R06"]);
        let untitled = filed("x", Purpose::Scenario, "x\n").check(&[], |_| None);
        assert_eq!(untitled.iter().map(|one| one.id).collect::<Vec<_>>(), ["R07"]);
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
            rule("Web", Some("https://git/docs/alerts/Web.md")),
            // Of another repository.
            rule("Far", Some("https://git/runbooks/Far.md")),
            rule("Linked", Some("docs/Other.md")),
            rule("Page", Some("docs/page.md")),
            rule("Aside", Some("playbook/of/others")),
            rule("Told", Some("docs/Told.md: restart it")),
            rule("Lost", Some("docs/lost.md")),
            rule("Ours", Some("elsewhere/docs/alerts/Ours.md")),
        ];
        let exists = |link: &str| link.starts_with("docs/").then_some(link == "docs/page.md");
        let findings = against_rules(&files, &rules, "docs/alerts", exists);
        assert_eq!(
            kinds(&findings),
            [
                "alert_without_runbook",
                "alert_without_runbook",
                "wrong_annotation",
                "alert_without_runbook",
                "alert_without_runbook",
                "runbook_without_alert",
                "runbook_without_alert",
            ]
        );
        assert!(findings[3].why.contains("links `docs/lost.md`, which does not exist"));
        assert!(findings[0].why.contains("upper and lower case"));
        assert!(findings[1].fix.as_deref().is_some_and(|fix| fix.contains("`liveops runbook new Web`")));
        assert_eq!(kinds(&against_rules(&files[..1], &[rule("Down", None)], "d", exists)), ["no_annotation"]);
    }
}
