//! YAML with the place of every value. Bounded in depth and size.

use std::collections::HashMap;
use std::ops::Index;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

/// Nesting: the schema of a custom resource is the deepest that people keep beside their manifests.
const MAX_DEPTH: usize = 96;

/// Values of one text, with what aliases repeat.
const MAX_NODES: usize = 2_000_000;

/// A value and where it is written; line 0 is nowhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub line: usize,
    pub column: usize,
    pub value: Value,
}

/// What is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Text { text: String, quoted: bool },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The name of a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub name: String,
    pub line: usize,
}

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    pub line: usize,
    pub message: String,
}

static NULL: Node = Node { line: 0, column: 0, value: Value::Null };

impl Index<&str> for Node {
    type Output = Node;

    /// The member; null where there is none.
    fn index(&self, key: &str) -> &Node {
        self.entries().iter().find(|(known, _)| known.name == key).map_or(&NULL, |(_, node)| node)
    }
}

impl Node {
    /// From JSON, such as `kubectl` prints: nothing has a line.
    pub fn of_json(value: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let value = match value {
            Json::Null => Value::Null,
            Json::Bool(one) => Value::Text { text: one.to_string(), quoted: false },
            Json::Number(one) => Value::Text { text: one.to_string(), quoted: false },
            Json::String(one) => Value::Text { text: one.clone(), quoted: true },
            Json::Array(items) => Value::List(items.iter().map(Self::of_json).collect()),
            Json::Object(members) => {
                let member =
                    |(name, node): (&String, &Json)| (Key { name: name.clone(), line: 0 }, Self::of_json(node));
                Value::Map(members.iter().map(member).collect())
            }
        };
        Self { line: 0, column: 0, value }
    }

    /// Is nothing there?
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// A scalar as it is written.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text { text, .. } = &self.value { Some(text) } else { None }
    }

    /// `true` or `false`, unquoted.
    pub fn boolean(&self) -> Option<bool> {
        match &self.value {
            Value::Text { text, quoted: false } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Is it said to be so?
    pub fn is_true(&self) -> bool {
        self.boolean() == Some(true)
    }

    /// A whole number.
    pub fn int(&self) -> Option<i64> {
        match &self.value {
            Value::Text { text, quoted: false } => text.parse().ok(),
            _ => None,
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The members of a mapping; none of anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// Text members: labels, annotations.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries().iter().filter_map(|(key, node)| Some((key.name.as_str(), node.text()?)))
    }

    /// The line of a member's name; that of the mapping where there is no such member.
    pub fn line_of(&self, key: &str) -> usize {
        self.entries().iter().find(|(known, _)| known.name == key).map_or(self.line, |(known, _)| known.line)
    }
}

/// Reads every document of a text.
///
/// # Errors
/// The first place that is no YAML.
pub fn parse(text: &str) -> Result<Vec<Node>, Broken> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, ..) => return Ok(documents),
            (Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, ..) => {}
            (event, line, column) => documents.push(reader.node(event, (line, column), 0)?),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize, usize), Broken> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line(), span.start.col() + 1)),
            Some(Err(error)) => {
                Err(Broken { line: error.marker().line(), message: format!("not valid YAML: {}", error.info()) })
            }
            None => Ok((Event::StreamEnd, 0, 0)),
        }
    }

    fn grow(&mut self, line: usize, by: usize) -> Result<(), Broken> {
        self.nodes += by;
        if self.nodes > MAX_NODES { Err(broken(line, "too large, or an alias repeats too much")) } else { Ok(()) }
    }

    fn node(&mut self, event: Event<'a>, (line, column): (usize, usize), depth: usize) -> Result<Node, Broken> {
        if depth > MAX_DEPTH {
            return Err(broken(line, "nested too deep"));
        }
        let began = self.nodes;
        self.grow(line, 1)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let quoted = style != ScalarStyle::Plain;
                let is_null = !quoted && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (if is_null { Value::Null } else { Value::Text { text: text.into_owned(), quoted } }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, ..) => break (Value::List(items), anchor),
                        (event, line, column) => items.push(self.node(event, (line, column), depth + 1)?),
                    }
                }
            }
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    return Err(broken(line, "an alias to nothing"));
                };
                self.grow(line, size)?;
                return Ok(node);
            }
            _ => return Err(broken(line, "not valid YAML")),
        };
        let node = Node { line, column, value };
        if anchor > 0 {
            let size = self.nodes - began;
            self.grow(line, size)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Broken> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut inherited: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, line, _) = self.next()?;
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(broken(line, "a key must be plain text")),
            };
            let (event, value_line, column) = self.next()?;
            let node = self.node(event, (value_line, column), depth + 1)?;
            if name == "<<" {
                if let Value::Map(members) = node.value {
                    inherited.extend(members);
                }
                continue;
            }
            if entries.iter().any(|(known, _)| known.name == name) {
                return Err(broken(line, &format!("key `{name}` is given twice")));
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

fn broken(line: usize, message: &str) -> Broken {
    Broken { line, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let all = parse("a: 1\nb:\n  - c: yes\n    d: {e: \"2\"}\n---\nx: ~\n").expect("valid");
        assert_eq!(all.len(), 2);
        let item = &all[0]["b"].items()[0];
        assert_eq!((item.line_of("d"), item["d"]["e"].line, item["d"]["e"].column), (4, 4, 12));
        assert_eq!((all[0]["a"].int(), item["d"]["e"].int()), (Some(1), None));
        assert!(all[1]["x"].is_null() && all[1]["none"]["deeper"].is_null());
    }

    #[test]
    fn what_is_no_yaml_or_a_bomb_is_refused() {
        for (text, line, needle) in
            [("a: [1\nb: 2\n", 2, "not valid"), ("a: 1\na: 2\n", 2, "given twice"), ("? [a]\n: 1\n", 1, "plain text")]
        {
            let broken = parse(text).expect_err(text);
            assert!(broken.line == line && broken.message.contains(needle), "{text}: {broken:?}");
        }
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
        }
        assert!(parse(&bomb).is_err());
        assert!(parse(&format!("a: {}{}", "[".repeat(1000), "]".repeat(1000))).is_err());
    }
}
