//! From nodes to types, collecting every problem instead of stopping at the first.

use crate::config::node::{Node, Origin, Value};
use crate::config::trust::Place;
use liveops_domain::error::Problem;
use liveops_domain::text::escape::is_tame;
use liveops_domain::text::suggest::nearest;

/// Collects what is wrong while the schema reads.
#[derive(Debug, Default)]
pub struct Problems {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// The mappings that were read, with the keys that each has: what the list of keys is held against.
    #[cfg(test)]
    pub sections: Vec<(String, Vec<&'static str>)>,
}

impl Problems {
    /// Notes an error at a node.
    pub fn error(&mut self, origin: &Origin, key: &str, message: impl Into<String>) {
        self.errors.push(at(origin, key, message));
    }

    /// By place, each once.
    pub fn sort(&mut self) {
        for list in [&mut self.errors, &mut self.warnings] {
            list.sort_by(|a, b| (&a.source, a.line, &a.key).cmp(&(&b.source, b.line, &b.key)));
            // Of one place there may be several, in their order, and each environment and region finds all of them.
            once(list);
        }
    }

    /// Notes something that works but will surprise.
    pub fn warning(&mut self, origin: &Origin, key: &str, message: impl Into<String>) {
        self.warnings.push(at(origin, key, message));
    }
}

/// Each of them once, where it stands first.
pub(crate) fn once<T: PartialEq + Clone>(list: &mut Vec<T>) {
    let mut seen: Vec<T> = Vec::new();
    list.retain(|one| {
        let is_new = !seen.contains(one);
        if is_new {
            seen.push(one.clone());
        }
        is_new
    });
}

fn at(origin: &Origin, key: &str, message: impl Into<String>) -> Problem {
    Problem { source: origin.layer.name().into(), line: origin.line, key: key.into(), message: message.into() }
}

/// A mapping being read. Keys that nobody asked for are reported by [`Section::finish`].
#[derive(Debug)]
pub struct Section<'a> {
    node: &'a Node,
    path: String,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Opens a mapping; anything else is a problem and reads as empty.
    pub fn open(node: &'a Node, path: impl Into<String>, problems: &mut Problems) -> Self {
        let path = path.into();
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            problems.error(&node.origin, &path, format!("must be a mapping of keys, not {}", kind(&node.value)));
        }
        Self { node, path, known: Vec::new() }
    }

    /// The dotted path of a member.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where the mapping was written.
    pub fn origin(&self) -> &'a Origin {
        &self.node.origin
    }

    /// The member, if it is there and not empty.
    pub fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.node.get(key).filter(|node| node.value != Value::Null)
    }

    /// A scalar member as text.
    pub fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let node = self.get(key)?;
        let text = node.text().map(ToOwned::to_owned);
        if text.is_none() {
            problems.error(&node.origin, &self.path(key), format!("must be text, not {}", kind(&node.value)));
        }
        text
    }

    /// A path, with who said it.
    pub fn place(&mut self, key: &'static str, what: &'static str, problems: &mut Problems) -> Option<Place> {
        self.text(key, problems)?;
        self.get(key).and_then(|node| Place::of(what, node))
    }

    /// A scalar member, parsed; the error text says what is allowed.
    pub fn parse<T, E: ToString>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key, problems)?;
        let origin = &self.node.get(key)?.origin;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                problems.error(origin, &self.path(key), error.to_string());
                None
            }
        }
    }

    /// A boolean: `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        self.parse(key, problems, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("must be `true` or `false`, not `{other}`")),
        })
    }

    /// The items of a list member.
    pub fn list(&mut self, key: &'static str, problems: &mut Problems) -> &'a [Node] {
        match self.get(key).map(|node| (&node.value, &node.origin)) {
            None => &[],
            Some((Value::List(items), _)) => items,
            Some((value, origin)) => {
                problems.error(origin, &self.path(key), format!("must be a list, not {}", kind(value)));
                &[]
            }
        }
    }

    /// The members of a mapping member: name, node.
    pub fn entries(&mut self, key: &'static str, problems: &mut Problems) -> Vec<(&'a str, &'a Node)> {
        match self.get(key).map(|node| (&node.value, &node.origin)) {
            None => Vec::new(),
            Some((Value::Map(entries), _)) => entries.iter().map(|(key, node)| (key.name.as_str(), node)).collect(),
            Some((value, origin)) => {
                problems.error(origin, &self.path(key), format!("must be a mapping, not {}", kind(value)));
                Vec::new()
            }
        }
    }

    /// A member that must be there.
    pub fn require(&self, key: &str, present: bool, problems: &mut Problems) {
        if !present && self.node.get(key).is_none_or(|node| node.value == Value::Null) {
            problems.error(&self.node.origin, &self.path, format!("`{key}` is missing"));
        }
    }

    /// Reports the keys that nobody asked for, each with the nearest that exists.
    pub fn finish(self, problems: &mut Problems) {
        #[cfg(test)]
        problems.sections.push((self.path.clone(), self.known.clone()));
        let Value::Map(entries) = &self.node.value else {
            return;
        };
        for (key, node) in entries {
            if self.known.contains(&key.name.as_str()) {
                continue;
            }
            let near = nearest(&key.name, self.known.iter().copied());
            let help = near.map_or_else(
                || format!("known here: {}", self.known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            // The mapping may be of a lower layer; the value is of the layer that named the key.
            let origin = Origin { line: key.line, ..node.origin.clone() };
            problems.error(&origin, &self.path(&key.name), format!("unknown key; {help}"));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Scalar { .. } => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// The name of an environment or a region: it is typed, shown in questions, and a part of file names.
pub fn is_place_name(name: &str) -> bool {
    let is_fit = |letter: char| letter.is_alphanumeric() || ['-', '_', '.'].contains(&letter);
    !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(is_fit)
}

/// What [`is_place_name`] asks for.
pub const PLACE_NAMES: &str = "a name has letters, digits, `-`, `_` and `.`, and begins with neither `-` nor `.`";

/// A name that becomes an argument of `kubectl`: it cannot begin with `-`, so it can never be taken for an option.
pub fn argument(text: &str) -> Result<String, String> {
    let sound = !text.is_empty() && !text.starts_with('-') && is_tame(text) && !text.chars().any(char::is_whitespace);
    if sound {
        Ok(text.into())
    } else {
        Err(format!("`{text}` is not a valid name: no spaces, and not beginning with `-`"))
    }
}
