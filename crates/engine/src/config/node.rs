//! A tree that remembers where each value was written: the base of origins and of errors with lines.
//!
//! Scalars stay text until somebody asks for a type, so `4h`, `0.1%` and `on` need no quotes.

use std::collections::BTreeMap;
use std::rc::Rc;

/// Lists whose items belong to one another member by member, so that an item of a higher layer replaces the one
/// of the same name as a whole: half of a gauge under half of a ratio is no KPI.
const WHOLE_ITEMS: [&str; 2] = ["kpis", "slos"];

/// Switches that are on as soon as one layer turns them on.
const PROTECTING: [&str; 2] = ["read_only", "protected"];

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
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
    pub fn name(&self) -> &str {
        match self {
            Self::Default => "default",
            Self::User(name) | Self::Project(name) | Self::Flag(name) => name,
        }
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who said it.
    pub layer: Rc<Layer>,
    /// Line, from 1; 0 where there is none.
    pub line: usize,
}

impl Origin {
    /// An origin without lines.
    pub fn of(layer: Layer) -> Self {
        Self { layer: Rc::new(layer), line: 0 }
    }

    /// Did the user say it, in their own file or by a flag? What is built in may lead into a project.
    pub fn is_of_user(&self) -> bool {
        matches!(*self.layer, Layer::User(_) | Layer::Flag(_))
    }

    /// `liveops.yaml:12`, `--prometheus`, `default`.
    pub fn show(&self) -> String {
        if self.line == 0 { self.layer.name().to_owned() } else { format!("{}:{}", self.layer.name(), self.line) }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub value: Value,
    pub origin: Origin,
}

/// What YAML can say. Maps keep their order; a key appears once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
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
pub struct Key {
    pub name: String,
    pub line: usize,
}

impl Node {
    /// A scalar from a flag or a default.
    pub fn scalar(text: impl Into<String>, origin: &Origin) -> Self {
        Self { value: Value::Scalar { text: text.into(), quoted: false }, origin: origin.clone() }
    }

    /// A mapping from a flag or a default.
    pub fn map(entries: Vec<(&str, Self)>, origin: &Origin) -> Self {
        let key = |name: &str| Key { name: name.into(), line: 0 };
        let entries = entries.into_iter().map(|(name, node)| (key(name), node)).collect();
        Self { value: Value::Map(entries), origin: origin.clone() }
    }

    /// The member of a mapping.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            Value::Null | Value::Scalar { .. } | Value::List(_) => None,
        }
    }

    /// The line of a member's key.
    pub fn line_of(&self, name: &str) -> Option<usize> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(key, _)| key.line),
            Value::Null | Value::Scalar { .. } | Value::List(_) => None,
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Is it where to find a secret: `{file: …}` or `{command: […]}`?
    fn is_reference(&self) -> bool {
        matches!(&self.value, Value::Map(entries)
            if matches!(entries.as_slice(), [(key, _)] if ["file", "command"].contains(&key.name.as_str())))
    }

    /// Lays `over` on top: mappings merge, lists whose items all have a `name` merge by it, the rest is replaced.
    pub fn merge(&mut self, over: Self) {
        // A reference belongs to who wrote it, as a whole.
        if self.is_reference() || over.is_reference() {
            *self = over;
            return;
        }
        match (&mut self.value, over.value) {
            (Value::Map(base), Value::Map(entries)) => {
                // A hostile file has tens of thousands of keys.
                let mut places: BTreeMap<String, usize> =
                    base.iter().enumerate().map(|(at, (key, _))| (key.name.clone(), at)).collect();
                for (key, node) in entries {
                    match places.get(&key.name) {
                        Some(at) => {
                            let (known, current) = &mut base[*at];
                            known.line = key.line;
                            current.merge_member(&key.name, node);
                        }
                        None => {
                            places.insert(key.name.clone(), base.len());
                            base.push((key, node));
                        }
                    }
                }
            }
            (Value::List(base), Value::List(items)) if all_named(base) && all_named(&items) => {
                merge_items(base, items, Self::merge);
            }
            // `key:` with nothing after it says nothing.
            (_, Value::Null) => {}
            (_, value) => *self = Self { value, origin: over.origin },
        }
    }

    fn merge_member(&mut self, name: &str, over: Self) {
        match (&mut self.value, over.value) {
            (Value::List(base), Value::List(items))
                if WHOLE_ITEMS.contains(&name) && all_named(base) && all_named(&items) =>
            {
                merge_items(base, items, |known, item| *known = item);
            }
            // What one layer protects, no other one lays open.
            (Value::Scalar { text, .. }, _) if PROTECTING.contains(&name) && text == "true" => {}
            (_, value) => self.merge(Self { value, origin: over.origin }),
        }
    }
}

fn all_named(items: &[Node]) -> bool {
    items.iter().all(|item| item.get("name").is_some())
}

fn merge_items(base: &mut Vec<Node>, items: Vec<Node>, join: impl Fn(&mut Node, Node)) {
    let name = |node: &Node| node.get("name").and_then(Node::text).map(ToOwned::to_owned);
    // Of two of one name, the first is meant.
    let mut places: BTreeMap<_, usize> = base.iter().enumerate().rev().map(|(at, known)| (name(known), at)).collect();
    for item in items {
        let place = *places.entry(name(&item)).or_insert(base.len());
        match base.get_mut(place) {
            Some(known) => join(known, item),
            None => base.push(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::parse;

    fn read(text: &str) -> Node {
        parse(text, &Rc::new(Layer::Project("liveops.yaml".into()))).expect("valid").root
    }

    fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
        match &node.get(key).expect("there").value {
            Value::List(items) => items,
            other => panic!("not a list: {other:?}"),
        }
    }

    #[test]
    fn layers_merge_by_key_and_by_name() {
        let mut base = read("services:\n  - { name: game, owner: a, health: h }\nproject: x\n");
        base.merge(read("services:\n  - { name: game, owner: b }\n  - { name: lobby }\nproject:\n"));
        let services = items(&base, "services");
        assert_eq!(services.len(), 2);
        assert_eq!(services[0].get("owner").and_then(Node::text), Some("b"));
        assert_eq!(services[0].get("health").and_then(Node::text), Some("h"));
        assert_eq!(base.get("project").and_then(Node::text), Some("x"));
    }

    #[test]
    fn a_kpi_of_a_higher_layer_replaces_the_lower_one_as_a_whole() {
        let mut base = read("kpis: [{ name: a, gauge: x, agg: avg }, { name: b, gauge: y }]\n");
        base.merge(read("kpis: [{ name: a, promql: z }]\n"));
        let kpis = items(&base, "kpis");
        assert_eq!(kpis.len(), 2);
        assert!(kpis[0].get("gauge").is_none() && kpis[0].get("agg").is_none());
        assert_eq!(kpis[0].get("promql").and_then(Node::text), Some("z"));
    }

    #[test]
    fn a_reference_is_replaced_as_a_whole_with_its_origin() {
        let user = Rc::new(Layer::User("config.yaml".into()));
        for (below, over) in [
            ("{ command: [mine] }", "{ command: [theirs] }"),
            ("{ file: mine }", "{ file: theirs }"),
            ("{ file: mine }", "{ command: [theirs] }"),
            ("mine", "{ command: [theirs] }"),
            ("{ command: [mine] }", "theirs"),
        ] {
            let mut base = parse(&format!("a: {{ h: {below} }}"), &user).expect("valid").root;
            base.merge(read(&format!("a: {{ h: {over} }}")));
            let node = base.get("a").and_then(|a| a.get("h")).expect("there");
            assert!(matches!(*node.origin.layer, Layer::Project(_)), "{below} {over}");
            assert!(format!("{node:?}").contains("theirs") && !format!("{node:?}").contains("mine"), "{node:?}");
        }
    }

    #[test]
    fn what_one_layer_protects_no_other_lays_open() {
        let flag = |below: &str, over: &str| {
            let mut base = read(&format!("a: {{ protected: {below} }}"));
            base.merge(read(&format!("a: {{ protected: {over} }}")));
            base.get("a").and_then(|a| a.get("protected")).and_then(Node::text).map(ToOwned::to_owned)
        };
        for (below, over, want) in [("true", "false", "true"), ("false", "true", "true"), ("false", "false", "false")] {
            assert_eq!(flag(below, over).as_deref(), Some(want), "{below} {over}");
        }
    }

    #[test]
    fn lists_without_names_are_replaced() {
        let mut base = read("metrics: [a, b]\n");
        base.merge(read("metrics: [c]\n"));
        assert_eq!(items(&base, "metrics").len(), 1);
    }
}
