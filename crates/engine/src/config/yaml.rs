//! Reads one YAML document into nodes with lines. Bounded in depth and size; a key given twice is reported, and the
//! rest is read on, so that all problems of a file show at once.

use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use crate::config::node::{Key, Layer, Node, Origin, Value};
use liveops_domain::error::Problem;

/// Nesting and size limits: a configuration is small, and an alias bomb is not one.
const MAX_DEPTH: usize = 32;

const MAX_NODES: usize = 100_000;

/// A document, and what is wrong with it although it could be read.
#[derive(Debug)]
pub struct Document {
    pub root: Node,
    /// Keys given twice; the first one counts.
    pub problems: Vec<Problem>,
}

/// Reads one YAML document.
///
/// # Errors
/// A problem with its line: bad syntax, several documents, too deep or too large.
pub fn parse(text: &str, layer: &Rc<Layer>) -> Result<Document, Problem> {
    let mut reader = Reader::new(text, layer);
    let root = reader.document()?.unwrap_or_else(|| reader.empty());
    let problems = std::mem::take(&mut reader.problems);
    match reader.document_start()? {
        Some((_, line)) => Err(reader.problem(line, "a second YAML document; only one is read")),
        None => Ok(Document { root, problems }),
    }
}

/// Reads every YAML document of a text.
///
/// # Errors
/// As [`parse`].
pub fn parse_all(text: &str, layer: &Rc<Layer>) -> Result<Vec<Document>, Problem> {
    let mut reader = Reader::new(text, layer);
    let mut all = Vec::new();
    while let Some(root) = reader.document()? {
        let problems = std::mem::take(&mut reader.problems);
        all.push(Document { root, problems });
    }
    Ok(all)
}

struct Reader<'a, 'l> {
    parser: Parser<'a, StrInput<'a>>,
    layer: &'l Rc<Layer>,
    anchors: Vec<(usize, Node)>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'a, 'l> Reader<'a, 'l> {
    fn new(text: &'a str, layer: &'l Rc<Layer>) -> Self {
        let parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        Self { parser, layer, anchors: Vec::new(), nodes: 0, problems: Vec::new() }
    }

    /// The first event of the next document.
    fn document_start(&mut self) -> Result<Option<(Event<'a>, usize)>, Problem> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
                found => return Ok(Some(found)),
            }
        }
    }

    /// The next document, if there is one.
    fn document(&mut self) -> Result<Option<Node>, Problem> {
        match self.document_start()? {
            Some((event, line)) => self.node(event, line, 0).map(Some),
            None => Ok(None),
        }
    }

    fn empty(&self) -> Node {
        Node { value: Value::Map(Vec::new()), origin: Origin { layer: Rc::clone(self.layer), line: 0 } }
    }

    fn problem(&self, line: usize, message: impl Into<String>) -> Problem {
        Problem { source: self.layer.name().into(), line, key: String::new(), message: message.into() }
    }

    fn next(&mut self) -> Result<(Event<'a>, usize), Problem> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(self.problem(error.marker().line(), format!("not valid YAML: {}", error.info()))),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(self.problem(line, "nested too deeply, or too large"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let quoted = style != ScalarStyle::Plain;
                let null = !quoted && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Scalar { text: text.into_owned(), quoted } };
                (value, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, line) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break (Value::List(items), anchor);
                    }
                    items.push(self.node(event, line, depth + 1)?);
                }
            }
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(id) => {
                let known = self.anchors.iter().find(|(anchor, _)| *anchor == id).map(|(_, node)| node.clone());
                let node = known.ok_or_else(|| self.problem(line, "an alias to an anchor that is not complete yet"))?;
                self.nodes += size(&node);
                return Ok(node);
            }
            _ => return Err(self.problem(line, "not valid YAML")),
        };
        let node = Node { value, origin: Origin { layer: Rc::clone(self.layer), line } };
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut inherited: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, line) = self.next()?;
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.problem(line, "a key must be plain text")),
            };
            let (event, value_line) = self.next()?;
            let node = self.node(event, value_line, depth + 1)?;
            if name == "<<" {
                // YAML merge key: members that the mapping itself does not name.
                if let Value::Map(members) = node.value {
                    inherited.extend(members);
                }
                continue;
            }
            if let Some((first, _)) = entries.iter().find(|(key, _)| key.name == name) {
                let message = format!("key `{name}` is given twice; first on line {}", first.line);
                let problem = self.problem(line, message);
                self.problems.push(problem);
                continue;
            }
            entries.push((Key { name, line }, node));
        }
        for (key, node) in inherited {
            if !entries.iter().any(|(known, _)| known.name == key.name) {
                entries.push((key, node));
            }
        }
        Ok(Value::Map(entries))
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar { .. } => 1,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, node)| size(node)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Document, Problem> {
        parse(text, &Rc::new(Layer::Project("liveops.yaml".into())))
    }

    fn root(text: &str) -> Node {
        let document = read(text).expect("valid");
        assert!(document.problems.is_empty(), "{:?}", document.problems);
        document.root
    }

    #[test]
    fn values_know_their_lines() {
        let node = root("version: 1\r\nkpis:\r\n  - { name: a, warn: \"> 1\" }\r\n");
        let kpis = node.get("kpis").expect("there");
        let Value::List(items) = &kpis.value else { panic!("list") };
        assert_eq!(items[0].get("warn").expect("there").origin.show(), "liveops.yaml:3");
    }

    #[test]
    fn problems_name_the_line() {
        for (text, line, needle) in [
            ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
            ("a:\n\tb: 2\n", 2, "not valid YAML"),
            ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
            ("a: 1\n? [b]\n: 2\n", 2, "a key must be plain text"),
            ("a: 1\nb: *none\n", 2, ""),
        ] {
            let problem = read(text).expect_err(text);
            assert!(problem.message.contains(needle), "{text}: {problem}");
            assert_eq!(problem.line, line, "{text}: {problem}");
        }
    }

    #[test]
    fn every_repeated_key_is_reported_and_the_first_one_counts() {
        let document = read("a: 1\nb: { c: 1, c: 2 }\na: 3\n").expect("readable");
        let shown: Vec<String> = document.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "liveops.yaml:2: key `c` is given twice; first on line 2",
                "liveops.yaml:3: key `a` is given twice; first on line 1",
            ]
        );
        assert_eq!(document.root.get("a").and_then(Node::text), Some("1"));
    }

    #[test]
    fn empty_files_and_byte_order_marks_are_fine() {
        assert_eq!(root("").value, Value::Map(Vec::new()));
        assert_eq!(root("# nothing\n").value, Value::Map(Vec::new()));
        let marked = root("\u{feff}version: 1\n");
        assert_eq!(marked.get("version").and_then(Node::text), Some("1"));
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let many = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{many}]\n"));
        }
        assert!(read(&text).expect_err("too large").message.contains("too large"));
        for depth in [200, 100_000] {
            let deep = format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
            assert!(read(&deep).is_err(), "{depth}");
        }
    }

    #[test]
    fn merge_keys_fill_in() {
        let node = root("base: &b { url: x, n: 1 }\nreal:\n  <<: *b\n  n: 2\n");
        let real = node.get("real").expect("there");
        assert_eq!(real.get("url").and_then(Node::text), Some("x"));
        assert_eq!(real.get("n").and_then(Node::text), Some("2"));
    }
}
