//! Markdown (CommonMark, with tables) to a [`Runbook`]: one pass over the events of `pulldown-cmark`.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};

use crate::runbook::{Code, FILL_IN, Fault, Link, Runbook, Section, step};
use crate::text::markdown::{anchor, attribute, front_title, html_text, options, unmarked};

pub(super) fn parse(text: &str) -> Runbook {
    let text = unmarked(text);
    let mut reader = Reader {
        text,
        lines: line_starts(text),
        book: Runbook {
            title: String::new(),
            sections: Vec::new(),
            links: Vec::new(),
            anchors: text.lines().filter_map(label).map(anchor).collect(),
            code: Vec::new(),
            steps: Vec::new(),
            faults: Vec::new(),
            unfilled: text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.contains(FILL_IN))
                .map(|(index, _)| index + 1)
                .collect(),
        },
        heading: None,
        code: None,
        front: false,
        headed: false,
    };
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        reader.take(event, range.start);
    }
    let mut book = reader.book;
    // A page that begins one level lower has a title all the same.
    if let (true, Some(first)) = (book.title.is_empty(), book.sections.first()) {
        book.title.clone_from(&first.title);
    }
    let mut names: Vec<&str> = Vec::new();
    let mut twice = Vec::new();
    for step in &book.steps {
        if names.contains(&step.name.as_str()) {
            let what = format!("another step is called `{}` too", step.name);
            twice.push(Fault { line: step.line, what });
        }
        names.push(&step.name);
    }
    book.faults.extend(twice);
    book
}

/// The name that a line gives to its place: `(name)=` of MyST, `.. _name:` of reStructuredText, `{#name}`, `{: #name }`.
fn label(line: &str) -> Option<&str> {
    let line = line.trim();
    let of_myst = || line.strip_prefix('(')?.strip_suffix(")=");
    let of_rst = || line.strip_prefix(".. _")?.strip_suffix(':');
    let of_attributes = || {
        let (_, name) = line.split_once("{#").or_else(|| line.split_once("{: #"))?;
        name.split(['}', ' ']).next()
    };
    of_myst().or_else(of_rst).or_else(of_attributes).filter(|name| !name.is_empty())
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

struct Reader<'a> {
    text: &'a str,
    lines: Vec<usize>,
    book: Runbook,
    heading: Option<(HeadingLevel, String, usize)>,
    code: Option<(String, String, usize)>,
    /// In the front matter.
    front: bool,
    /// The title has been met.
    headed: bool,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// The info string as it is written: Markdown would take the backslashes of `\"` away.
    fn info(&self, at: usize) -> String {
        let line = self.text[at..].lines().next().unwrap_or_default();
        line.trim_start_matches(['`', '~']).trim().to_owned()
    }

    fn take(&mut self, event: Event<'_>, at: usize) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                self.heading = Some((level, String::new(), self.line(at)));
            }
            Event::End(TagEnd::Heading(_)) => self.end_heading(),
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(_) => self.info(at),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((info, String::new(), self.line(at)));
                self.filled();
            }
            Event::End(TagEnd::CodeBlock) => self.end_code(),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let line = self.line(at);
                self.book.links.push(Link { to: dest_url.into_string(), line });
            }
            Event::Start(Tag::MetadataBlock(_)) => self.front = true,
            Event::End(TagEnd::MetadataBlock(_)) => self.front = false,
            Event::Text(text) if self.front => {
                if let Some(title) = text.lines().find_map(front_title) {
                    title.clone_into(&mut self.book.title);
                }
            }
            Event::Text(text) => self.said(&text),
            Event::Code(text) => {
                self.book.code.push(Code { text: text.to_string(), line: self.line(at), is_inline: true });
                self.said(&text);
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let names = ["id", "name"].iter().filter_map(|key| attribute(&html, key));
                self.book.anchors.extend(names.map(anchor));
                self.said(&html_text(&html));
            }
            _ => {}
        }
    }

    fn said(&mut self, text: &str) {
        match (&mut self.code, &mut self.heading) {
            (Some((_, body, _)), _) => body.push_str(text),
            (None, Some((_, title, _))) => title.push_str(text),
            (None, None) if !text.trim().is_empty() => self.filled(),
            (None, None) => {}
        }
    }

    /// Something stands below the last heading, and so below those that it is a part of.
    fn filled(&mut self) {
        let mut level = u8::MAX;
        for section in self.book.sections.iter_mut().rev() {
            if section.level < level {
                level = section.level;
                section.empty = false;
            }
        }
    }

    fn end_heading(&mut self) {
        let Some((level, title, line)) = self.heading.take() else {
            return;
        };
        // `{#id}` gives a heading an anchor of its own.
        let (title, own) = match title.rsplit_once("{#") {
            Some((title, own)) => (title.trim().to_owned(), Some(own.trim_end_matches('}').to_owned())),
            None => (title.trim().to_owned(), None),
        };
        self.book.anchors.push(anchor(&title));
        self.book.anchors.extend(own.as_deref().map(anchor));
        let is_title = level == HeadingLevel::H1 && !self.headed;
        self.headed |= is_title;
        if is_title {
            // The front matter's is for lists; this one stands on the page.
            self.book.title = title;
        } else {
            self.book.sections.push(Section { title, line, level: level as u8, empty: true });
        }
    }

    fn end_code(&mut self) {
        let Some((info, body, line)) = self.code.take() else {
            return;
        };
        let section = self.book.sections.last().map_or("", |section| section.title.as_str());
        match step::read(&info, &body, section, line) {
            None => {
                let language = info.split([' ', ',', '{']).next().unwrap_or_default().to_lowercase();
                if ["", "sh", "bash", "shell", "console", "zsh"].contains(&language.as_str()) {
                    self.book.code.push(Code { text: body, line, is_inline: false });
                }
            }
            Some(Ok(step)) => self.book.steps.push(step),
            Some(Err(what)) => self.book.faults.push(Fault { line, what }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Rollback\n\nText.\n\n## Detection\n\n[a](b.md) and <https://x>\n\n## Empty\n\n### Sub\n\n## Fix\n\n1. do\n\n   ```sh liveops step=\"One\" confirm\n   echo 1\n   ```\n\n```sh liveops step=\"Two\" check=\"test \\\"a b\\\" && true\"\nx\n```\n\n[fill in: who]\n\n```sh liveops stepp=x\ny\n```\n";

    #[test]
    fn sections_links_steps_and_faults_have_their_lines() {
        let book = parse(TEXT);
        assert_eq!(book.title, "Rollback");
        let sections: Vec<_> = book.sections.iter().map(|s| (s.title.as_str(), s.line, s.empty)).collect();
        assert_eq!(sections, [("Detection", 5, false), ("Empty", 9, true), ("Sub", 11, true), ("Fix", 13, false)]);
        assert_eq!(book.links.len(), 2);
        assert_eq!((book.links[0].file(), book.links[0].line), (Some("b.md"), 7));
        assert!(book.links[1].is_url() && book.links[1].file().is_none());
        assert_eq!(book.steps.len(), 2);
        assert_eq!(book.steps[1].check.as_deref(), Some("test \"a b\" && true"));
        assert_eq!(
            (book.steps[0].command.as_str(), book.steps[0].line, book.steps[0].section.as_str()),
            ("echo 1", 17, "Fix")
        );
        assert_eq!(book.unfilled, [25]);
        assert_eq!(book.faults[0].line, 27);
    }

    #[test]
    fn places_are_named_in_each_dialect() {
        let book = parse("# T\n\n(howto:logs)=\n## Logs\n\n.. _up-here:\n\ntext {#by-hand}\n\nmore {: #by-list .x }\n");
        for name in ["howtologs", "logs", "uphere", "byhand", "bylist"] {
            assert!(book.anchors.iter().any(|anchor| anchor == name), "{name}: {:?}", book.anchors);
        }
    }

    #[test]
    fn two_steps_of_one_name_are_a_fault() {
        let step = "```sh liveops step=A\nx\n```\n";
        assert_eq!(parse(&format!("{step}{step}")).faults.len(), 1);
    }
}
