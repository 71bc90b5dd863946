//! YAML files that others write, as trees in which every key and value knows its line and column. Bounded in depth and
//! size; a key given twice is kept aside, and the rest is read on.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use crate::text::count::count;
use crate::text::indent::indented;
use crate::text::markdown::unmarked;

/// How much of a file is read: values and bytes of its texts once every alias stands for what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub depth: usize,
    pub nodes: usize,
    pub bytes: usize,
}

/// Of files that others write.
const OTHERS: Limits = Limits { depth: 64, nodes: 2_000_000, bytes: 64 << 20 };

const INVALID: &str = "not valid YAML";

/// Where something is written, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub value: Value,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text, number or boolean.
    Scalar {
        text: String,
        style: Style,
    },
    List(Vec<Node>),
    /// In the order of the file; a key appears once.
    Map(Vec<(Key, Node)>),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Quoted,
    /// `|`: its lines are those of the file, from the one below the mark.
    Literal,
    /// `>`
    Folded,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub place: Place,
}

/// Why a text is no YAML, or what in it is not meant so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub message: String,
}

/// One document of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub root: Node,
    /// Keys given twice; the first one counts.
    pub repeated: Vec<Fault>,
}

impl Node {
    /// The member of a mapping.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The members of a mapping, in their order; none of anything else.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }
}

/// Every document of a file.
///
/// # Errors
/// The first fault that cannot be read past.
pub fn read(text: &str) -> Result<Vec<Document>, Fault> {
    read_within(text, OTHERS)
}

/// As [`read`], within limits of one's own.
pub fn read_within(text: &str, limits: Limits) -> Result<Vec<Document>, Fault> {
    match read_as_far(text, limits) {
        (_, Some(fault)) => Err(fault),
        (documents, None) => Ok(documents),
    }
}

/// The documents before the first fault, and that fault.
pub fn read_until_fault(text: &str) -> (Vec<Document>, Option<Fault>) {
    read_as_far(text, OTHERS)
}

fn read_as_far(text: &str, limits: Limits) -> (Vec<Document>, Option<Fault>) {
    let text = unmarked(text);
    let (documents, fault) = strictly(text, limits);
    let is_syntax = fault.as_ref().is_some_and(|fault| fault.message.starts_with(INVALID));
    // What reads Kubernetes' and Prometheus' files is not as strict.
    if is_syntax
        && let text = indented(text)
        && let (more, later) = strictly(&text, limits)
        && (later.is_none() || more.len() > documents.len())
    {
        return (more, later);
    }
    (documents, fault)
}

fn strictly(text: &str, limits: Limits) -> (Vec<Document>, Option<Fault>) {
    let parser = Parser::new_from_str(text);
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let lines = if text.contains("\\/") { starts.map(|at| &text[at..]).collect() } else { Vec::new() };
    let mut reader =
        Reader { parser, limits, anchors: HashMap::new(), nodes: 0, bytes: 0, repeated: Vec::new(), lines };
    let mut documents = Vec::new();
    if let Some(fault) = control(text) {
        return (documents, Some(fault));
    }
    loop {
        let read = reader.next().and_then(|(event, place)| match event {
            Event::StreamEnd => Ok(None),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => Ok(Some(None)),
            event => reader.node(event, place, 0).map(|root| Some(Some(root))),
        });
        match read {
            Ok(None) => return (documents, None),
            Ok(Some(None)) => {}
            Ok(Some(Some(root))) => {
                documents.push(Document { root, repeated: std::mem::take(&mut reader.repeated) });
            }
            Err(fault) => return (documents, Some(fault)),
        }
    }
}

/// A character that no YAML may hold.
fn control(text: &str) -> Option<Fault> {
    let is_wrong =
        |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || ('\u{7f}'..'\u{a0}').contains(&c) && c != '\u{85}';
    let at = text.find(is_wrong)?;
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    let place = Place { line: text[..at].matches('\n').count() + 1, column: line.chars().count() + 1 };
    let message = format!("{INVALID}: control characters are not allowed");
    Some(Fault { place, message })
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    limits: Limits,
    anchors: HashMap<usize, (Node, [usize; 2])>,
    nodes: usize,
    bytes: usize,
    repeated: Vec<Fault>,
    /// What stands from each line on, where the text has a `\/`.
    lines: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Fault> {
        let place = |marker: &saphyr_parser::Marker| Place { line: marker.line(), column: marker.col() + 1 };
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, place(&span.start))),
            Some(Err(error)) => {
                Err(Fault { place: place(error.marker()), message: format!("{INVALID}: {}", error.info()) })
            }
            None => Ok((Event::StreamEnd, Place::default())),
        }
    }

    /// YAML 1.2 has the escape `\/`; libyaml has not.
    fn has_escaped_slash(&self, place: Place) -> bool {
        let Some(line) = self.lines.get(place.line - 1) else { return false };
        let mut chars = line.chars().skip(place.column);
        while let Some(c) = chars.next() {
            match c {
                '"' => return false,
                '\\' if chars.next() == Some('/') => return true,
                _ => {}
            }
        }
        false
    }

    fn grow(&mut self, place: Place, [nodes, bytes]: [usize; 2]) -> Result<(), Fault> {
        self.nodes += nodes;
        self.bytes += bytes;
        let Limits { nodes, bytes, .. } = self.limits;
        if self.nodes > nodes || self.bytes > bytes {
            let values = count(nodes, "value");
            let message = format!("too large: more than {values}, or {} MiB with what aliases repeat", bytes >> 20);
            return Err(Fault { place, message });
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node, Fault> {
        let wrong = |message: &str| Fault { place, message: message.into() };
        if depth > self.limits.depth {
            return Err(wrong(&format!("nested deeper than {} levels", self.limits.depth)));
        }
        let began = [self.nodes, self.bytes];
        self.grow(place, [1, 0])?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                self.grow(place, [0, text.len()])?;
                if style == ScalarStyle::DoubleQuoted && self.has_escaped_slash(place) {
                    return Err(wrong(&format!("{INVALID}: `\\/` is no escape in double quotes")));
                }
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                };
                let is_null = style == Style::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (if is_null { Value::Null } else { Value::Scalar { text: text.into_owned(), style } }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, place) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break (Value::List(items), anchor);
                    }
                    items.push(self.node(event, place, depth + 1)?);
                }
            }
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(id) => {
                let known = self.anchors.get(&id).cloned();
                let (node, size) = known.ok_or_else(|| wrong("an alias to an anchor that is not complete yet"))?;
                self.grow(place, size)?;
                return Ok(Node { place, ..node });
            }
            _ => return Err(wrong("not valid YAML")),
        };
        let node = Node { value, place };
        if anchor > 0 {
            let size = [self.nodes - began[0], self.bytes - began[1]];
            self.grow(place, size)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut inherited: Vec<(Key, Node)> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, place) = self.next()?;
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(Fault { place, message: "a key must be plain text".into() }),
            };
            self.grow(place, [1, name.len()])?;
            let (event, value_place) = self.next()?;
            let node = self.node(event, value_place, depth + 1)?;
            if name == "<<" {
                if lines.insert(name, place.line).is_some() {
                    self.repeated.push(Fault { place, message: "key `<<` is given twice".into() });
                }
                let merged = match node.value {
                    Value::List(items) => items,
                    value => vec![Node { value, place }],
                };
                inherited.extend(merged.into_iter().flat_map(|node| match node.value {
                    Value::Map(members) => members,
                    _ => Vec::new(),
                }));
            } else if let Some(first) = lines.get(&name) {
                let message = format!("key `{name}` is given twice; first on line {first}");
                self.repeated.push(Fault { place, message });
            } else {
                lines.insert(name.clone(), place.line);
                entries.push((Key { name, place }, node));
            }
        }
        for (key, node) in inherited {
            if !lines.contains_key(&key.name) {
                lines.insert(key.name.clone(), key.place.line);
                entries.push((key, node));
            }
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let text = "a: 1\r\nb:\r\n  - { c: \"x\" }\r\n  - |\r\n    l\r\n---\nd: &x [1, ~]\ne: *x\n";
        let documents = read(text).unwrap();
        assert_eq!(documents.len(), 2);
        let items = documents[0].root.get("b").unwrap().items();
        let inner = items[0].get("c").unwrap();
        assert_eq!((inner.text(), inner.place), (Some("x"), Place { line: 3, column: 10 }));
        assert!(matches!(items[1].value, Value::Scalar { style: Style::Literal, .. }));
        let alias = documents[1].root.get("e").unwrap();
        assert_eq!((alias.items().len(), alias.place.line), (2, 8));
        assert!(alias.items()[1].is_null());
    }

    #[test]
    fn faults_have_places_and_repeated_keys_do_not_stop_it() {
        for (text, line, needle) in [
            ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
            ("a:\n\tb: 2\n", 2, "not valid YAML"),
            ("a: 1\n? [b]\n: 2\n", 2, "a key must be plain text"),
            (&format!("a: {}{}", "[".repeat(100), "]".repeat(100)), 1, "nested deeper than 64 levels"),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.message.contains(needle) && fault.place.line == line, "{text}: {fault:?}");
        }
        let document = &read("a: 1\nb: { c: 1, c: 2 }\na: 3\n").unwrap()[0];
        assert_eq!(document.root.get("a").and_then(Node::text), Some("1"));
        let lines: Vec<usize> = document.repeated.iter().map(|fault| fault.place.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn what_libyaml_reads_is_read_and_what_it_refuses_is_not() {
        for (text, want) in [
            ("a: \"b\nc\"\n", "b c"),
            ("- x\n---\na:\n  b:\n   - c: 'd\n\n\te'\n", ""),
            ("a:\tb\n", "b"),
            ("a: \"b\"# c\n", "b"),
            ("a: \"b\\\\/\" # \\/\n", "b\\/"),
        ] {
            let documents = read(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
            let found = documents[0].root.get("a").and_then(Node::text).unwrap_or_default();
            assert_eq!(found, want, "{text}");
        }
        let flow = read("a: {\nb: c\n}\nd: [\n{e: f}\n]\n").unwrap();
        assert_eq!(flow[0].root.get("a").and_then(|a| a.get("b")).and_then(Node::text), Some("c"));
        for text in ["a: \"b\u{7}\"\n", "a: b\u{0}\n", "a: b\nc\n", "a: [b\nc: d\n", "a: 'b\n", "a: \"b\\/\"\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(read("a: {<<: *x}\n").is_err());
        assert_eq!(read("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n").unwrap()[0].repeated.len(), 1);
        let (documents, fault) = read_until_fault("a: 1\n---\n[[\n");
        assert!(documents.len() == 1 && fault.is_some());
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
        }
        assert!(read(&text).unwrap_err().message.contains("too large"));
    }
}
