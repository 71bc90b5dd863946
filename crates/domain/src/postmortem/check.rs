//! What a postmortem must not lack before it is done: sections, numbers, causes, and action items with owner and date.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::check::finding::{Finding, Level, RuleInfo, info};
use crate::postmortem::document::{Part, read};
use crate::runbook::FILL_IN;
use crate::text::markdown::has_phrase;

/// The sections of a postmortem, each with what teams call it: phrases of whole words, `*` for any ending.
const SECTIONS: [(&str, &[&str]); 9] = [
    (
        "summary",
        &[
            "summar*",
            "overview",
            "abstract",
            "tl dr",
            "tldr",
            "what happened",
            "description",
            "introduction",
            "synopsis",
            "incident description",
            "background",
        ],
    ),
    (
        "impact",
        &["impact*", "effect*", "scope", "damage*", "affected", "consequence*", "customer experience", "symptoms"],
    ),
    (
        "timeline",
        &["timeline*", "time line", "chronology", "sequence of events", "events", "chronological*", "incident log"],
    ),
    (
        "root cause",
        &[
            "root cause*",
            "cause*",
            "5 whys",
            "five whys",
            "why",
            "what went wrong",
            "analysis",
            "rca",
            "technical details",
            "explanation",
        ],
    ),
    ("contributing factors", &["contribut*", "factor*", "trigger*", "root causes"]),
    (
        "went well",
        &["well", "what worked", "worked", "went right", "went good", "good", "positive*", "successes", "lucky"],
    ),
    (
        "improved",
        &[
            "improve*",
            "went wrong",
            "went poorly",
            "went badly",
            "not go well",
            "didn't go well",
            "did not go well",
            "could be better",
            "could have gone better",
            "didn't work",
            "did not work",
            "bad",
            "poorly",
            "go wrong",
            "negative*",
            "better",
        ],
    ),
    (
        "action items",
        &[
            "action*",
            "follow up*",
            "followup*",
            "follow ups",
            "next steps",
            "corrective*",
            "prevent*",
            "todo*",
            "to do",
            "tasks",
            "remediat*",
            "countermeasure*",
            "recommendations",
            "future work",
            "what are we doing",
            "steps we have taken",
            "changes we are making",
            "future",
            "improvements",
        ],
    ),
    (
        "lessons",
        &["lesson*", "learn*", "takeaway*", "insight*", "take aways", "retrospective", "reflection*", "conclusion*"],
    ),
];

/// Words that look for somebody instead of something.
const BLAME: [&str; 8] = [
    "human error",
    "careless*",
    "negligen*",
    "should have known",
    "his fault",
    "her fault",
    "their fault",
    "incompeten*",
];

/// Is a heading this section, or does it mean the same?
fn is_section(title: &str, wanted: &str) -> bool {
    // What one team calls the root cause, another calls the factors that contributed.
    let wanted = match wanted {
        "root cause" | "contributing factors" => ["root cause", "contributing factors"],
        other => [other; 2],
    };
    let means = |(name, same): &&(&str, &[&str])| has_phrase(title, &[name]) || has_phrase(title, same);
    SECTIONS.iter().filter(|(name, _)| wanted.contains(name)).any(|section| means(&section))
}

/// The rules of `postmortem check`.
pub const RULES: &[RuleInfo] = &[
    info("P01", "It is not written", "What is not written down happens again."),
    info("P02", "A section is missing", "Readers look for it, and the next incident needs it."),
    info("P03", "A section is empty", "Its heading promises something, and nothing follows."),
    info("P04", "The impact has no number", "Without one nobody can tell what it was worth to prevent it."),
    info("P05", "Something is left to fill in", "Only those who were there can fill it in."),
    info("P06", "It blames somebody", "People who fear blame leave out what happened."),
    info("P07", "There is no action item", "Nothing will be different next time."),
    info("P08", "An action item has no owner", "What is everybody's is done by nobody."),
    info("P09", "An action item has no date", "What has no date is done never."),
    info("P10", "An action item is late", "The incident can happen again until it is done."),
    info("P11", "It is late", "Memory fades within days."),
];

/// What each rule was called before it had an id.
const KINDS: [&str; 11] = [
    "not_written",
    "missing_section",
    "empty_section",
    "no_numbers",
    "to_fill_in",
    "blame",
    "no_action_items",
    "no_owner",
    "no_date",
    "unresolved",
    "overdue",
];

/// A finding of a rule about the postmortem of an incident.
pub fn finding(id: &'static str, incident: &str, why: impl Into<String>) -> Finding {
    let kind = RULES.iter().position(|rule| rule.id == id).map_or("", |place| KINDS[place]);
    Finding::new(id, Level::High, incident, why).kind(kind)
}

/// Something to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ActionItem {
    pub line: usize,
    pub action: String,
    pub owner: String,
    pub due: String,
    pub status: String,
}

impl ActionItem {
    /// Does it say what is to be done? The row of the template does not.
    pub fn is_filled_in(&self) -> bool {
        !self.action.trim().is_empty() && !self.action.contains(FILL_IN)
    }

    /// Is it done, or dropped on purpose?
    pub fn is_closed(&self) -> bool {
        let status = self.status.to_lowercase();
        let closed =
            ["done", "closed", "fixed", "dropped", "won't do", "complete", "resolved", "cancel", "merged", "shipped"];
        closed.iter().any(|word| status.starts_with(word))
            || ["✅", "✔", "☑", "[x]"].iter().any(|mark| status.contains(mark))
    }

    /// The day by which it is to be done.
    pub fn due_date(&self) -> Option<NaiveDate> {
        date(&self.due)
    }

    pub fn has_owner(&self) -> bool {
        !self.owner.is_empty() && !self.owner.contains(FILL_IN)
    }
}

/// What is wrong with the postmortem of an incident, in its file. `due` is when it had to be done, and `done` whether it
/// is.
pub fn check(
    (incident, file): (&str, &str),
    text: &str,
    due: Option<DateTime<Utc>>,
    done: bool,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let document = read(text);
    let mut findings = Vec::new();
    let mut say = |id, line: Option<usize>, why: String| {
        findings.push(finding(id, incident, why).at(file, line.unwrap_or_default()));
    };
    for (wanted, _) in SECTIONS {
        let found: Vec<&Part> = document.named().filter(|part| is_section(&part.title, wanted)).collect();
        let Some(first) = found.first() else {
            say("P02", None, format!("section `{wanted}` is missing"));
            continue;
        };
        // That no action item stands there is said below.
        if found.iter().all(|part| part.text.trim().is_empty()) && wanted != "action items" {
            say("P03", Some(first.line), format!("section `{}` is empty", first.title));
        } else if wanted == "impact" && !found.iter().any(|part| has_number(&part.text)) {
            say("P04", Some(first.line), "the impact has no number: how long, how many, how much?".into());
        }
    }
    for (index, line) in text.lines().enumerate() {
        if line.contains(FILL_IN) {
            let section = document.section_at(index + 1).map_or_else(String::new, |title| format!(" in `{title}`"));
            say("P05", Some(index + 1), format!("something is left to fill in{section}"));
        }
        if let Some(word) = BLAME.iter().find(|word| has_phrase(line, &[word])) {
            let word = word.trim_end_matches('*');
            let message = format!("`{word}` blames somebody; say what made it possible");
            say("P06", Some(index + 1), message);
        }
    }
    if document.items.iter().all(|item| item.action.trim().is_empty()) {
        let prose =
            document.named().find(|part| is_section(&part.title, "action items") && !part.text.trim().is_empty());
        match prose {
            Some(part) => {
                let message =
                    format!("`{}` is prose: list what will be done, each with an owner and a date", part.title);
                say("P08", Some(part.line), message);
            }
            None => {
                let message = "there is no action item: what will be different next time?".into();
                say("P07", None, message);
            }
        }
    }
    for item in &document.items {
        let line = Some(item.line);
        // What is done needs nobody to do it, and no day.
        if !item.is_filled_in() || item.is_closed() {
            continue;
        }
        if !item.has_owner() {
            say("P08", line, format!("`{}` has no owner", item.action));
        }
        match item.due_date() {
            None => say("P09", line, format!("`{}` has no date (YYYY-MM-DD)", item.action)),
            Some(date) if date < now.date_naive() => {
                say("P10", line, format!("`{}` was due on {date} and is not done", item.action));
            }
            Some(_) => {}
        }
    }
    if let Some(due) = due.filter(|due| !done && *due < now) {
        let message = format!("it was due at {}", due.format("%FT%TZ"));
        say("P11", None, message);
    }
    findings
}

/// A number that was measured; dates of the journal are none.
fn has_number(text: &str) -> bool {
    text.lines()
        .filter(|line| !line.to_lowercase().contains("unknown"))
        .any(|line| line.chars().any(|c| c.is_ascii_digit()))
}

/// A day, as people write it.
fn date(text: &str) -> Option<NaiveDate> {
    let text = text.trim().trim_matches(['`', '(', ')', '*']);
    let forms = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y"];
    forms.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-20T00:00:00Z".parse().expect("a time")
    }

    #[test]
    fn other_teams_forms_are_read_by_what_they_say() {
        let text = "---\ntitle: x\n---\n# Outage\n\n**Summary**\n\nIt broke.\n\n### Customer impact\n\n12 users\n\n# Timeline\n\nx\n\n## Root Causes and Trigger\n\nx\n\n## Lessons Learned\n\n### What went well\n\nx\n\n### What didn't go well\n\nNothing negligible.\n\n## Response times\n\nx\n\n";
        let table = "## Follow-ups\n\n| Type | Due | Owner | Task |\n|---|---|---|---|\n| fix | 2026-02-01 | ada | alert on it |\n";
        assert_eq!(kinds(&format!("{text}{table}")), [""; 0]);
        let labels = "# Outage\n\n- **Summary**: it broke\n- **Impact** - 12 users\n* **Key events:** none\n\n**Root cause:** a disk\n\nWhat went well: x\n\n<h2>What went wrong</h2>\n\nx\n\n| Lessons | learned much |\n|---|---|\n| Detection | fine |\n\n| Takeaways | Other |\n|---|---|\n| one | two |\n\n";
        assert_eq!(kinds(&format!("{labels}{table}")), [""; 0]);
        assert_eq!(kinds(&format!("{}{table}", labels.replace("12 users", "some users"))), ["no_numbers"]);
        assert_eq!(kinds(&format!("{labels}Action items: we look at it\n")), ["no_owner"]);
        let list = "## Next steps\n\n- [x] rolled back\n- [ ] alert on it (@ada, due 2026-02-01)\n- Owner: bob. A test, by 2026-03-01\n- somebody looks at it\n";
        assert_eq!(kinds(&format!("{text}{list}")), ["no_owner", "no_date"]);
    }

    fn document(items: &str) -> String {
        let body: String = SECTIONS
            .iter()
            .filter(|(title, _)| *title != "action items")
            .map(|(title, _)| format!("## {title}\n\nIt took 12 minutes.\n\n"))
            .collect();
        format!("# P\n\n{body}## Action items\n\n| action | owner | due | status |\n|---|---|---|---|\n{items}\n")
    }

    fn kinds(text: &str) -> Vec<&'static str> {
        let findings = check(("i", "p.md"), text, None, false, now());
        findings.into_iter().filter_map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_whole_one_is_good_and_what_lacks_is_named() {
        assert_eq!(kinds(&document("| alert on it | ada | 2026-02-01 | open |")), [""; 0]);
        for (items, want) in [
            ("| a | | 2026-02-01 | open |", "no_owner"),
            ("| a | ada | soon | open |", "no_date"),
            ("| a | ada | 2026-01-01 | open |", "unresolved"),
            ("| [fill in: x] | ada | 2026-02-01 | open |", "to_fill_in"),
            ("", "no_action_items"),
            ("| it was human error | ada | 2026-02-01 | open |", "blame"),
        ] {
            assert_eq!(kinds(&document(items)), [want], "{items}");
        }
        assert_eq!(kinds(&document("| a | ada | 2026-01-01 | done |")), [""; 0]);
        let vague = document("| a | ada | 2026-02-01 | open |")
            .replace("## impact\n\nIt took 12 minutes.", "## impact\n\nunknown: 3 sources\n\nmany players");
        assert_eq!(kinds(&vague), ["no_numbers"]);
        assert!(kinds("# x\n").iter().filter(|kind| **kind == "missing_section").count() == 9);
    }

    #[test]
    fn it_is_overdue_until_it_is_done() {
        let text = document("| a | ada | 2026-02-01 | open |");
        let due = Some(now() - chrono::TimeDelta::hours(1));
        assert_eq!(check(("i", "p.md"), &text, due, false, now())[0].id, "P11");
        assert_eq!(check(("i", "p.md"), &text, due, true, now()), []);
    }
}
