//! YAML as a tree that remembers where each value was written: the base of origins and of errors with lines.
//!
//! Scalars stay text until somebody asks for a type, so `4h`, `0.1%` and `on` need no quotes.

use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::error::Problem;

/// Nesting and size limits: a configuration is small, and an alias bomb is not one.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 100_000;

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Built in.
    Default,
    /// The user's own file.
    User(String),
    /// `liveops.yaml` of the project, or `--config`.
    Project(String),
    /// A flag or its environment variable, such as `--prometheus`.
    Flag(String),
}

impl Layer {
    /// File path or flag, for messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Default => "built-in default",
            Self::User(name) | Self::Project(name) | Self::Flag(name) => name,
        }
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Who said it.
    pub(crate) layer: Rc<Layer>,
    /// Line, from 1; 0 where there is none.
    pub(crate) line: usize,
}

impl Origin {
    /// An origin without lines.
    pub(crate) fn of(layer: Layer) -> Self {
        Self {
            layer: Rc::new(layer),
            line: 0,
        }
    }

    /// `liveops.yaml:12`, `--prometheus`, `built-in default`.
    pub(crate) fn show(&self) -> String {
        if self.line == 0 {
            self.layer.name().to_owned()
        } else {
            format!("{}:{}", self.layer.name(), self.line)
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// What YAML can say. Maps keep their order; a key appears once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, number or boolean; `quoted` text is never a boolean or a number.
    Scalar { text: String, quoted: bool },
    /// A list.
    List(Vec<Node>),
    /// A mapping, with the line of each key.
    Map(Vec<(Key, Node)>),
}

/// A key and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) line: usize,
}

impl Node {
    /// A scalar from a flag or a default.
    pub(crate) fn scalar(text: impl Into<String>, origin: &Origin) -> Self {
        Self {
            value: Value::Scalar {
                text: text.into(),
                quoted: false,
            },
            origin: origin.clone(),
        }
    }

    /// A mapping from a flag or a default.
    pub(crate) fn map(entries: Vec<(&str, Self)>, origin: &Origin) -> Self {
        let key = |name: &str| Key {
            name: name.into(),
            line: 0,
        };
        let entries = entries
            .into_iter()
            .map(|(name, node)| (key(name), node))
            .collect();
        Self {
            value: Value::Map(entries),
            origin: origin.clone(),
        }
    }

    /// The member of a mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.name == name)
                .map(|(_, node)| node),
            Value::Null | Value::Scalar { .. } | Value::List(_) => None,
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Lays `over` on top: mappings merge, lists whose items all have a `name` merge by it, the rest is replaced.
    pub(crate) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Map(base), Value::Map(entries)) => {
                for (key, node) in entries {
                    match base.iter_mut().find(|(known, _)| known.name == key.name) {
                        Some((known, current)) => {
                            known.line = key.line;
                            current.merge(node);
                        }
                        None => base.push((key, node)),
                    }
                }
            }
            (Value::List(base), Value::List(items))
                if base
                    .iter()
                    .chain(&items)
                    .all(|item| item.get("name").is_some()) =>
            {
                for item in items {
                    let same = |known: &&mut Self| {
                        known.get("name").and_then(Self::text)
                            == item.get("name").and_then(Self::text)
                    };
                    match base.iter_mut().find(same) {
                        Some(known) => known.merge(item),
                        None => base.push(item),
                    }
                }
            }
            // `key:` with nothing after it says nothing.
            (_, Value::Null) => {}
            (_, value) => {
                *self = Self {
                    value,
                    origin: over.origin,
                }
            }
        }
    }
}

/// Reads one YAML document.
///
/// # Errors
/// A problem with its line: bad syntax, a key given twice, several documents, too deep or too large.
pub(crate) fn parse(text: &str, layer: &Rc<Layer>) -> Result<Node, Problem> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        layer,
        anchors: Vec::new(),
        nodes: 0,
    };
    loop {
        let (event, line) = reader.next()?;
        match event {
            Event::StreamEnd => {
                let origin = Origin {
                    layer: Rc::clone(layer),
                    line: 0,
                };
                return Ok(Node {
                    value: Value::Map(Vec::new()),
                    origin,
                });
            }
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => {
                let node = reader.node(event, line, 0)?;
                loop {
                    match reader.next()? {
                        (Event::StreamEnd, _) => return Ok(node),
                        (Event::DocumentStart(_), line) => {
                            return Err(
                                reader.problem(line, "a second YAML document; only one is read")
                            );
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

struct Reader<'a, 'l> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    layer: &'l Rc<Layer>,
    anchors: Vec<(usize, Node)>,
    nodes: usize,
}

impl<'a> Reader<'a, '_> {
    fn problem(&self, line: usize, message: impl Into<String>) -> Problem {
        Problem {
            source: self.layer.name().into(),
            line,
            key: String::new(),
            message: message.into(),
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, usize), Problem> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(self.problem(
                error.marker().line(),
                format!("not valid YAML: {}", error.info()),
            )),
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
                let value = if null {
                    Value::Null
                } else {
                    Value::Scalar {
                        text: text.into_owned(),
                        quoted,
                    }
                };
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
                let known = self
                    .anchors
                    .iter()
                    .find(|(anchor, _)| *anchor == id)
                    .map(|(_, node)| node.clone());
                let node = known.ok_or_else(|| {
                    self.problem(line, "an alias to an anchor that is not complete yet")
                })?;
                self.nodes += size(&node);
                return Ok(node);
            }
            _ => return Err(self.problem(line, "not valid YAML")),
        };
        let node = Node {
            value,
            origin: Origin {
                layer: Rc::clone(self.layer),
                line,
            },
        };
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
                return Err(self.problem(line, message));
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

    fn read(text: &str) -> Result<Node, Problem> {
        parse(text, &Rc::new(Layer::Project("liveops.yaml".into())))
    }

    #[test]
    fn values_know_their_lines() {
        let node = read("version: 1\nkpis:\n  - { name: a, warn: \"> 1\" }\n").expect("valid");
        let kpis = node.get("kpis").expect("there");
        let Value::List(items) = &kpis.value else {
            panic!("list")
        };
        assert_eq!(
            items[0].get("warn").expect("there").origin.show(),
            "liveops.yaml:3"
        );
    }

    #[test]
    fn problems_name_the_line() {
        for (text, line, needle) in [
            ("a: 1\nb: 2\na: 3\n", 3, "given twice"),
            ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
            ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
        ] {
            let problem = read(text).expect_err(text);
            assert!(problem.message.contains(needle), "{text}: {problem}");
            assert_eq!(problem.line, line, "{text}: {problem}");
        }
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let many = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{many}]\n"));
        }
        assert!(
            read(&text)
                .expect_err("too large")
                .message
                .contains("too large")
        );
        let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn layers_merge_by_key_and_by_name() {
        let mut base =
            read("services:\n  - { name: game, owner: a }\nproject: x\n").expect("valid");
        base.merge(
            read("services:\n  - { name: game, owner: b }\n  - { name: lobby }\n").expect("valid"),
        );
        let Value::List(items) = &base.get("services").expect("there").value else {
            panic!("list")
        };
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].get("owner").and_then(Node::text), Some("b"));
        assert_eq!(base.get("project").and_then(Node::text), Some("x"));
    }

    #[test]
    fn merge_keys_fill_in() {
        let node = read("base: &b { url: x, n: 1 }\nreal:\n  <<: *b\n  n: 2\n").expect("valid");
        let real = node.get("real").expect("there");
        assert_eq!(real.get("url").and_then(Node::text), Some("x"));
        assert_eq!(real.get("n").and_then(Node::text), Some("2"));
    }
}
