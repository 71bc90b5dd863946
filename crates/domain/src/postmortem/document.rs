//! A postmortem as teams write it: its sections at whatever level, and its action items in tables and lists.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::postmortem::check::ActionItem;
use crate::text::markdown::{has_phrase, html_text, options, unmarked};

/// What teams call the part with the action items.
const ACTIONS: [&str; 13] = [
    "action*",
    "follow up*",
    "followup*",
    "next steps",
    "corrective*",
    "todo*",
    "to do",
    "tasks",
    "remediation items",
    "countermeasure*",
    "preventive measures",
    "preventative measures",
    "preventative actions",
];

/// The level of a paragraph in bold that stands for a heading: below all headings.
const BOLD: u8 = 7;

/// The document, as far as it is checked.
#[derive(Debug, Default)]
pub struct Document {
    pub parts: Vec<Part>,
    /// What stands behind a name: `- **Impact**: …`, `Impact: …`, or beside or below it in a table.
    pub labels: Vec<Part>,
    pub items: Vec<ActionItem>,
}

/// A heading, and all that stands below it, its own parts too.
#[derive(Debug)]
pub struct Part {
    pub title: String,
    pub line: usize,
    pub text: String,
    level: u8,
}

impl Document {
    /// Everything that has a name.
    pub fn named(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().chain(&self.labels)
    }

    /// The heading above a line.
    pub fn section_at(&self, line: usize) -> Option<&str> {
        self.parts.iter().rev().find(|part| part.line <= line).map(|part| part.title.as_str())
    }
}

/// Reads Markdown, whatever it is.
pub fn read(text: &str) -> Document {
    let text = unmarked(text);
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut reader = Reader::default();
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        reader.take(event, starts.partition_point(|start| *start <= range.start));
    }
    reader.end_bold();
    reader.document
}

#[derive(Default)]
struct Reader {
    document: Document,
    heading: Option<(usize, String)>,
    /// A paragraph that was only bold so far: a heading, if nothing else follows in it.
    bold: Option<(usize, String, bool)>,
    columns: Vec<String>,
    row: Option<(usize, Vec<String>)>,
    is_head: bool,
    /// The item of a list under way, at each depth: its line, its text, and whether it is ticked.
    list: Vec<(usize, String, Option<bool>)>,
    /// What stands in bold at the beginning of an item or a line: a label, if a colon follows.
    strong: Option<String>,
    /// Nothing was said yet in this item or line.
    begins: bool,
    front: bool,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => self.front = true,
            Event::End(TagEnd::MetadataBlock(_)) => self.front = false,
            Event::Start(Tag::Heading { .. }) => self.heading = Some((line, String::new())),
            Event::End(TagEnd::Heading(level)) => {
                if let Some((line, title)) = self.heading.take() {
                    self.begin(title, line, level as u8);
                }
            }
            Event::Start(Tag::Paragraph) => {
                self.begins = true;
                self.bold = self.list.is_empty().then(|| (line, String::new(), false));
            }
            Event::Start(Tag::Strong) => {
                self.strong = self.begins.then(String::new);
                if let Some((_, text, is_bold)) = &mut self.bold
                    && text.is_empty()
                {
                    *is_bold = true;
                }
            }
            Event::End(TagEnd::Strong) => {
                if let Some(name) = self.strong.take() {
                    match name.trim().strip_suffix(':') {
                        Some(name) => self.label(name.trim(), line),
                        None => self.strong = Some(name),
                    }
                }
            }
            Event::End(TagEnd::Paragraph) => self.end_bold(),
            Event::Start(Tag::TableHead) => {
                self.is_head = true;
                self.row = Some((line, Vec::new()));
            }
            Event::End(TagEnd::TableHead) => {
                self.is_head = false;
                self.columns = self.row.take().map_or_else(Vec::new, |(_, cells)| cells);
            }
            Event::Start(Tag::TableRow) => self.row = Some((line, Vec::new())),
            Event::Start(Tag::TableCell) => {
                if let Some((_, cells)) = &mut self.row {
                    cells.push(String::new());
                }
            }
            Event::End(TagEnd::TableRow) => self.end_row(),
            Event::Start(Tag::Item) => {
                self.begins = true;
                // What stands below an item tells more of it.
                self.list.push((line, String::new(), None));
            }
            Event::TaskListMarker(done) => {
                if let Some((_, _, ticked)) = self.list.last_mut() {
                    *ticked = Some(done);
                }
            }
            Event::End(TagEnd::Item) => self.end_item(),
            Event::Text(text) | Event::Code(text) if !self.front => self.words(&text, line),
            Event::Html(html) if is_heading(&html) => {
                self.begin(html_text(&html).trim().to_owned(), line, BOLD - 1);
            }
            Event::Html(html) | Event::InlineHtml(html) => self.said(&html_text(&html)),
            Event::SoftBreak | Event::HardBreak => {
                self.said("\n");
                self.begins = true;
            }
            _ => {}
        }
    }

    fn label(&mut self, name: &str, line: usize) {
        self.document.labels.push(Part { title: name.to_owned(), line, text: String::new(), level: BOLD + 1 });
    }

    /// Text, and whether it makes what stands before its colon a label.
    fn words(&mut self, text: &str, line: usize) {
        let is_first = std::mem::take(&mut self.begins);
        let is_heading = self.heading.is_some();
        match self.strong.take() {
            Some(strong) if strong.is_empty() => self.strong = Some(text.to_owned()),
            Some(strong) if text.trim_start().starts_with([':', '–', '—', '-']) => self.label(strong.trim(), line),
            Some(_) => {}
            None => {
                let name = text.split_once(':').map(|(name, _)| name.trim());
                let is_name = |name: &&str| !name.is_empty() && name.split_whitespace().count() <= 4;
                if let Some(name) = name.filter(is_name).filter(|_| is_first && !is_heading) {
                    self.label(name, line);
                }
            }
        }
        self.said(text);
    }

    fn begin(&mut self, title: String, line: usize, level: u8) {
        self.document.parts.push(Part { title, line, text: String::new(), level });
    }

    fn said(&mut self, text: &str) {
        if let Some((_, title)) = &mut self.heading {
            title.push_str(text);
            return;
        }
        if let Some((_, bold, is_bold)) = &mut self.bold
            && *is_bold
        {
            bold.push_str(text);
            return;
        }
        self.bold = None;
        if let Some((_, cells)) = &mut self.row {
            if let Some(cell) = cells.last_mut() {
                cell.push_str(text);
            }
        } else if let Some((_, item, _)) = self.list.last_mut() {
            item.push_str(text);
        }
        if !self.is_head {
            self.fill(text);
            if let Some(label) = self.document.labels.last_mut() {
                label.text.push_str(text.trim_start_matches(':'));
            }
        }
    }

    /// The text of the part, and of those that it belongs to.
    fn fill(&mut self, text: &str) {
        let mut level = u8::MAX;
        for part in self.document.parts.iter_mut().rev() {
            if part.level < level {
                level = part.level;
                part.text.push_str(text);
                part.text.push(if self.row.is_some() { ' ' } else { '\n' });
            }
        }
    }

    fn end_bold(&mut self) {
        let Some((line, text, true)) = self.bold.take() else {
            return;
        };
        let is_heading = text.lines().count() == 1 && text.split_whitespace().count() <= 8;
        if is_heading {
            self.begin(text.trim().trim_end_matches(':').to_owned(), line, BOLD);
        } else {
            self.fill(&text);
        }
    }

    fn end_row(&mut self) {
        let row = self.row.take();
        self.fill("\n");
        if let Some((line, cells)) = &row {
            let beside = cells.split_first().map(|(name, rest)| (name.as_str(), rest.join(" ")));
            let below = self.columns.iter().map(String::as_str).zip(cells.iter().cloned());
            for (name, text) in beside.into_iter().chain(below).filter(|(_, text)| !text.trim().is_empty()) {
                self.document.labels.push(Part { title: name.to_owned(), line: *line, text, level: BOLD + 1 });
            }
        }
        let Some((line, cells)) = row.filter(|_| self.is_in_actions()) else {
            return;
        };
        let place = |words: &[&str]| self.columns.iter().position(|column| has_phrase(column, words));
        let cell = |place: Option<usize>| place.and_then(|n| cells.get(n)).map_or("", |cell| cell.trim()).to_owned();
        let owner = place(&["owner*", "assignee*", "assigned", "who", "responsible", "dri", "lead", "person"]);
        let due = place(&["due", "date*", "deadline", "eta", "when", "target", "by"]);
        let status = place(&["status", "state", "done", "progress"]);
        let known = [owner, due, status];
        let action =
            place(&["action*", "item*", "task*", "description", "what", "title", "todo", "summary", "measure"])
                .filter(|place| !known.contains(&Some(*place)))
                .or_else(|| (0..cells.len()).find(|place| !known.contains(&Some(*place))));
        let item = ActionItem { line, action: cell(action), owner: cell(owner), due: cell(due), status: cell(status) };
        // An empty row of a form is nothing to do.
        if !(item.action.is_empty() && item.owner.is_empty() && item.due.is_empty()) {
            self.document.items.push(item);
        }
    }

    fn end_item(&mut self) {
        let Some((line, text, ticked)) = self.list.pop() else {
            return;
        };
        if !self.is_in_actions() {
            return;
        }
        if let Some((_, above, _)) = self.list.last_mut() {
            above.push(' ');
            above.push_str(&text);
            return;
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            let said_done = |part: &Part| has_phrase(&part.title, &["completed", "done"]);
            let is_done = ticked == Some(true) || self.document.parts.last().is_some_and(said_done);
            let status = if is_done { "done" } else { "" };
            let (owner, due) = (owner_in(&text), due_in(&text));
            self.document.items.push(ActionItem { line, action: text, owner, due, status: status.into() });
        }
    }

    /// Is the last heading, or one that it belongs to, that of the action items?
    fn is_in_actions(&self) -> bool {
        let mut level = u8::MAX;
        self.document.parts.iter().rev().any(|part| {
            let holds = part.level < level;
            level = level.min(part.level);
            holds && has_phrase(&part.title, &ACTIONS)
        })
    }
}

/// Is it a heading written in HTML?
fn is_heading(html: &str) -> bool {
    let tag = html.trim_start().as_bytes();
    tag.len() > 3 && tag[0] == b'<' && tag[1].eq_ignore_ascii_case(&b'h') && (b'1'..=b'6').contains(&tag[2])
}

/// Who an item of a list names: `@ada`, `owner: ada`, `(ada)` before a date.
fn owner_in(text: &str) -> String {
    let lower = text.to_lowercase();
    let named = ["owner:", "assignee:", "assigned to", "dri:", "responsible:", "owner -"].iter().find_map(|key| {
        let at = lower.find(key)? + key.len();
        text.get(at..)?.split([',', ';', '.', ')', '|']).next().map(|owner| owner.trim().to_owned())
    });
    let mentioned = || {
        let word = text.split_whitespace().find(|word| {
            word.trim_start_matches(['(', '[', '*']).strip_prefix('@').is_some_and(|name| name.len() > 1)
        })?;
        Some(word.trim_matches(['(', ')', '[', ']', ',', '.', ':', '*']).to_owned())
    };
    named.filter(|owner| !owner.is_empty()).or_else(mentioned).unwrap_or_default()
}

/// The day in an item of a list: its last `YYYY-MM-DD`.
fn due_in(text: &str) -> String {
    let is_date = |word: &&str| {
        word.len() == 10
            && word
                .bytes()
                .enumerate()
                .all(|(at, b)| matches!(at, 4 | 7) == (b == b'-') && (b == b'-' || b.is_ascii_digit()))
    };
    let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '-');
    words.rfind(is_date).unwrap_or_default().to_owned()
}
