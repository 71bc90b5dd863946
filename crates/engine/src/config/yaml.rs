//! Reads one YAML document into nodes with lines. Bounded in depth and size; a key given twice is reported, and the
//! rest is read on, so that all problems of a file show at once.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use crate::config::node::{Key, Layer, Node, Origin, Value};
use liveops_domain::error::Problem;

/// Nesting and size limits: a configuration is small, and an alias bomb is not one.
const MAX_DEPTH: usize = 32;

const MAX_NODES: usize = 100_000;

/// Bytes of a file, and of all texts once every alias stands for what it names.
pub const MAX_BYTES: usize = 4 << 20;

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
    let mut reader = Reader::new(text, layer)?;
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
    let mut reader = Reader::new(text, layer)?;
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
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    bytes: usize,
    problems: Vec<Problem>,
}

impl<'a, 'l> Reader<'a, 'l> {
    fn new(text: &'a str, layer: &'l Rc<Layer>) -> Result<Self, Problem> {
        if text.len() > MAX_BYTES {
            let message = format!("it has more than {} MiB, which no configuration needs", MAX_BYTES >> 20);
            return Err(Problem { source: layer.name().into(), line: 0, key: String::new(), message });
        }
        let parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        Ok(Self { parser, layer, anchors: HashMap::new(), nodes: 0, bytes: 0, problems: Vec::new() })
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
        if depth > MAX_DEPTH {
            return Err(self.problem(line, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let began = (self.nodes, self.bytes);
        self.grow(line, Size { nodes: 1, bytes: 0 })?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let quoted = style != ScalarStyle::Plain;
                self.grow(line, Size { nodes: 0, bytes: text.len() })?;
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
                let Some(size) = self.anchors.get(&id).map(|(_, size)| *size) else {
                    return Err(self.problem(line, "an alias to an anchor that is not complete yet"));
                };
                // Before it is copied.
                self.grow(line, size)?;
                let known = self.anchors.get(&id).map(|(node, _)| node.clone());
                return known.ok_or_else(|| self.problem(line, "an alias to nothing"));
            }
            _ => return Err(self.problem(line, "not valid YAML")),
        };
        let node = Node { value, origin: Origin { layer: Rc::clone(self.layer), line } };
        if anchor > 0 {
            let size = Size { nodes: self.nodes - began.0, bytes: self.bytes - began.1 };
            // What an anchor names is kept beside the document.
            self.grow(line, size)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    /// Counts what is read, and what aliases make of it.
    fn grow(&mut self, line: usize, by: Size) -> Result<(), Problem> {
        self.nodes += by.nodes;
        self.bytes += by.bytes;
        match self.nodes > MAX_NODES || self.bytes > MAX_BYTES {
            true => Err(self.problem(
                line,
                format!("too large: more than {MAX_NODES} values, or {} MiB with what aliases repeat", MAX_BYTES >> 20),
            )),
            false => Ok(()),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut inherited: Vec<(Key, Node)> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, line) = self.next()?;
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.problem(line, "a key must be plain text")),
            };
            self.grow(line, Size { nodes: 1, bytes: name.len() })?;
            let (event, value_line) = self.next()?;
            let node = self.node(event, value_line, depth + 1)?;
            if name == "<<" {
                // YAML merge key: members that the mapping itself does not name.
                if let Value::Map(members) = node.value {
                    inherited.extend(members);
                }
                continue;
            }
            if let Some(first) = lines.get(&name) {
                let problem = self.problem(line, format!("key `{name}` is given twice; first on line {first}"));
                self.problems.push(problem);
                continue;
            }
            lines.insert(name.clone(), line);
            entries.push((Key { name, line }, node));
        }
        for (key, node) in inherited {
            if !lines.contains_key(&key.name) {
                lines.insert(key.name.clone(), key.line);
                entries.push((key, node));
            }
        }
        Ok(Value::Map(entries))
    }
}

/// How much a node is.
#[derive(Debug, Clone, Copy)]
struct Size {
    nodes: usize,
    bytes: usize,
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
            ("a: 1\n---\nb: 2\n", 3, "second YAML document"),
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
        // One long text, and lists of lists of few.
        let long = format!("x: &a \"{}\"\ny: [{}]\n", "A".repeat(200_000), "*a,".repeat(90_000));
        let lists =
            format!("x: &a [{}]\ny: &b [{}]\nz: [{}]\n", "x,".repeat(10), "*a,".repeat(5000), "*b,".repeat(5000));
        let nested = (0..5000).fold(String::new(), |text, n| format!("{text}k{n}: &k{n} [x, x]\n"));
        for text in [long, lists, format!("{nested}z: [{}]\n", "*k1,".repeat(50_000)), "#".repeat(MAX_BYTES + 1)] {
            let message = read(&text).expect_err("too large").message;
            assert!(message.contains("too large") || message.contains("more than 4 MiB"), "{message}");
        }
        let many: String = (0..40_000).map(|n| format!("k{n}: 1\n")).collect();
        assert!(read(&many).is_ok());
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
