//! YAML files that others write, as trees in which every key and value knows its line and column. Bounded in depth and
//! size; a key given twice is kept aside, and the rest is read on.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use crate::text::count::count;
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
    let parser = Parser::new_from_str(unmarked(text));
    let mut reader = Reader { parser, limits, anchors: HashMap::new(), nodes: 0, bytes: 0, repeated: Vec::new() };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
            (event, place) => {
                let root = reader.node(event, place, 0)?;
                documents.push(Document { root, repeated: std::mem::take(&mut reader.repeated) });
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    limits: Limits,
    anchors: HashMap<usize, (Node, [usize; 2])>,
    nodes: usize,
    bytes: usize,
    repeated: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Fault> {
        let place = |marker: &saphyr_parser::Marker| Place { line: marker.line(), column: marker.col() + 1 };
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, place(&span.start))),
            Some(Err(error)) => {
                Err(Fault { place: place(error.marker()), message: format!("not valid YAML: {}", error.info()) })
            }
            None => Ok((Event::StreamEnd, Place::default())),
        }
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
    fn alias_bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
        }
        assert!(read(&text).unwrap_err().message.contains("too large"));
    }
}
