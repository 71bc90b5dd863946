//! A file of the configuration as a tree in which every value knows its layer and line. Bounded in depth and size; a key
//! given twice is reported, and the rest is read on, so that all problems of a file show at once.

use std::rc::Rc;

use crate::config::node::{Key, Layer, Node, Origin, Value};
use liveops_domain::error::Problem;
use liveops_domain::text::yaml::{self, Limits, Style, read_within};

/// Bytes of a file, and of all texts once every alias stands for what it names.
pub const MAX_BYTES: usize = 4 << 20;

/// A configuration is small, and an alias bomb is not one.
const LIMITS: Limits = Limits { depth: 32, nodes: 100_000, bytes: MAX_BYTES };

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
    let mut documents = parse_all(text, layer)?;
    if let Some(second) = documents.get(1) {
        return Err(problem(layer, second.root.origin.line, "a second YAML document; only one is read"));
    }
    let empty = || Node { value: Value::Map(Vec::new()), origin: Origin { layer: Rc::clone(layer), line: 0 } };
    Ok(documents.pop().unwrap_or_else(|| Document { root: empty(), problems: Vec::new() }))
}

/// Reads every YAML document of a text.
///
/// # Errors
/// As [`parse`].
pub fn parse_all(text: &str, layer: &Rc<Layer>) -> Result<Vec<Document>, Problem> {
    if text.len() > MAX_BYTES {
        let message = format!("it has more than {} MiB, which no configuration needs", MAX_BYTES >> 20);
        return Err(problem(layer, 0, message));
    }
    let documents =
        read_within(text, LIMITS).map_err(|fault| problem(layer, fault.place.line, fault.message.as_str()))?;
    let of = |document: yaml::Document| Document {
        problems: document.repeated.iter().map(|one| problem(layer, one.place.line, one.message.as_str())).collect(),
        root: node(document.root, layer),
    };
    Ok(documents.into_iter().map(of).collect())
}

fn problem(layer: &Layer, line: usize, message: impl Into<String>) -> Problem {
    Problem { source: layer.name().into(), line, key: String::new(), message: message.into() }
}

fn node(read: yaml::Node, layer: &Rc<Layer>) -> Node {
    let key = |key: yaml::Key| Key { name: key.name, line: key.place.line };
    let value = match read.value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Scalar { text, style } => Value::Scalar { text, quoted: style != Style::Plain },
        yaml::Value::List(items) => Value::List(items.into_iter().map(|item| node(item, layer)).collect()),
        yaml::Value::Map(entries) => {
            Value::Map(entries.into_iter().map(|(name, value)| (key(name), node(value, layer))).collect())
        }
    };
    Node { value, origin: Origin { layer: Rc::clone(layer), line: read.place.line } }
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
