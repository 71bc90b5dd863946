//! What a postmortem must not lack before it is done: sections, numbers, causes, and action items with owner and date.

use chrono::{DateTime, NaiveDate, Utc};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde::Serialize;

use crate::runbook::FILL_IN;

/// The sections of a postmortem: what is looked for in a heading, in lower case.
const SECTIONS: [&str; 10] = [
    "summary",
    "impact",
    "timeline",
    "root cause",
    "contributing factors",
    "went well",
    "improved",
    "action items",
    "deadlines",
    "lessons",
];

/// Words that look for somebody instead of something.
const BLAME: [&str; 6] = ["human error", "careless", "negligen", "should have known", "his fault", "her fault"];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Machine name, such as `no_owner`.
    pub kind: &'static str,
    pub line: Option<usize>,
    pub message: String,
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
    /// Is it done, or dropped on purpose?
    pub fn is_closed(&self) -> bool {
        let status = self.status.to_lowercase();
        ["done", "closed", "fixed", "dropped", "won't do"].iter().any(|word| status.starts_with(word))
    }
}

/// The document, as far as it is checked.
#[derive(Debug, Default)]
struct Document {
    sections: Vec<Part>,
    items: Vec<ActionItem>,
}

#[derive(Debug)]
struct Part {
    title: String,
    line: usize,
    text: String,
}

/// What is wrong with it. `due` is when it had to be done, and `done` whether it is.
pub fn check(
    text: &str,
    due: Option<DateTime<Utc>>,
    done: bool,
    now: DateTime<Utc>,
) -> (Vec<Finding>, Vec<ActionItem>) {
    let document = read(text);
    let mut findings = Vec::new();
    let mut say = |kind, line, message: String| {
        findings.push(Finding { kind, line, message });
    };
    for wanted in SECTIONS {
        let found = document.sections.iter().find(|part| part.title.to_lowercase().contains(wanted));
        match found {
            None => say("missing_section", None, format!("section `{wanted}` is missing")),
            // That no action item is there is said below.
            Some(part) if part.text.trim().is_empty() && wanted != "action items" => {
                say("empty_section", Some(part.line), format!("section `{}` is empty", part.title));
            }
            Some(part) if wanted == "impact" && !has_number(&part.text) => {
                say("no_numbers", Some(part.line), "the impact has no number: how long, how many, how much?".into());
            }
            Some(_) => {}
        }
    }
    for (index, line) in text.lines().enumerate() {
        if line.contains(FILL_IN) {
            let message = "something is left to fill in".into();
            say("to_fill_in", Some(index + 1), message);
        }
        let lower = line.to_lowercase();
        if let Some(word) = BLAME.iter().find(|word| lower.contains(**word)) {
            let message = format!("`{word}` blames somebody; say what made it possible");
            say("blame", Some(index + 1), message);
        }
    }
    if document.items.is_empty() {
        let message = "there is no action item: what will be different next time?".into();
        say("no_action_items", None, message);
    }
    for item in &document.items {
        if item.action.contains(FILL_IN) {
            continue;
        }
        let line = Some(item.line);
        if item.owner.is_empty() || item.owner.contains(FILL_IN) {
            say("no_owner", line, format!("`{}` has no owner", item.action));
        }
        match NaiveDate::parse_from_str(item.due.trim(), "%Y-%m-%d") {
            Err(_) => say("no_date", line, format!("`{}` has no date (YYYY-MM-DD)", item.action)),
            Ok(date) if date < now.date_naive() && !item.is_closed() => {
                say("unresolved", line, format!("`{}` was due on {date} and is not done", item.action));
            }
            Ok(_) => {}
        }
    }
    if let Some(due) = due.filter(|due| !done && *due < now) {
        let message = format!("it was due at {}", due.format("%FT%TZ"));
        say("overdue", None, message);
    }
    (findings, document.items)
}

/// A number that was measured; dates of the journal are none.
fn has_number(text: &str) -> bool {
    text.lines()
        .filter(|line| !line.to_lowercase().contains("unknown"))
        .any(|line| line.chars().any(|c| c.is_ascii_digit()))
}

fn read(text: &str) -> Document {
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let line = |at: usize| starts.partition_point(|start| *start <= at);
    let mut document = Document::default();
    let mut heading: Option<(usize, String)> = None;
    let mut row: Option<(usize, Vec<String>)> = None;
    let mut is_head = false;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                heading = Some((line(range.start), String::new()));
            }
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => {
                if let Some((line, title)) = heading.take() {
                    document.sections.push(Part { title, line, text: String::new() });
                }
            }
            Event::Start(Tag::TableHead) => is_head = true,
            Event::End(TagEnd::TableHead) => is_head = false,
            Event::Start(Tag::TableRow) => row = Some((line(range.start), Vec::new())),
            Event::Start(Tag::TableCell) => {
                if let Some((_, cells)) = &mut row {
                    cells.push(String::new());
                }
            }
            Event::End(TagEnd::TableRow) => {
                let in_actions =
                    document.sections.last().is_some_and(|part| part.title.to_lowercase().contains("action items"));
                if let Some((line, cells)) = row.take().filter(|_| in_actions) {
                    let cell = |n: usize| cells.get(n).map_or("", |cell| cell.trim()).to_owned();
                    document.items.push(ActionItem {
                        line,
                        action: cell(0),
                        owner: cell(1),
                        due: cell(2),
                        status: cell(3),
                    });
                }
            }
            Event::Text(said) | Event::Code(said) => {
                if let Some((_, title)) = &mut heading {
                    title.push_str(&said);
                    continue;
                }
                if let Some(cell) = row.as_mut().and_then(|(_, cells)| cells.last_mut()) {
                    cell.push_str(&said);
                }
                if let Some(part) = document.sections.last_mut().filter(|_| !is_head) {
                    part.text.push_str(&said);
                    part.text.push(if row.is_some() { ' ' } else { '\n' });
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(part) = document.sections.last_mut() {
                    part.text.push('\n');
                }
            }
            _ => {}
        }
        // The cells of a row are one line of its section.
        if row.is_none()
            && let Some(part) = document.sections.last_mut()
            && part.text.ends_with(' ')
        {
            part.text.push('\n');
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-20T00:00:00Z".parse().expect("a time")
    }

    fn document(items: &str) -> String {
        let body: String = SECTIONS
            .iter()
            .filter(|title| **title != "action items")
            .map(|title| format!("## {title}\n\nIt took 12 minutes.\n\n"))
            .collect();
        format!("# P\n\n{body}## Action items\n\n| action | owner | due | status |\n|---|---|---|---|\n{items}\n")
    }

    fn kinds(text: &str) -> Vec<&'static str> {
        let (findings, _) = check(text, None, false, now());
        findings.into_iter().map(|finding| finding.kind).collect()
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
        assert!(kinds("# x\n").iter().filter(|kind| **kind == "missing_section").count() == 10);
    }

    #[test]
    fn it_is_overdue_until_it_is_done() {
        let text = document("| a | ada | 2026-02-01 | open |");
        let due = Some(now() - chrono::TimeDelta::hours(1));
        assert_eq!(check(&text, due, false, now()).0[0].kind, "overdue");
        assert_eq!(check(&text, due, true, now()).0, []);
    }
}
