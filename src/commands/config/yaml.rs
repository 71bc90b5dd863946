//! The merged configuration as lines of YAML that can be read again, as JSON, and as a list of origins. References
//! to secrets are shown, secrets never.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use liveops_domain::text::redact::{is_secret_name, redact_url};
use liveops_engine::config::node::{Node, Value};

/// A line of YAML, and who said its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) origin: Option<String>,
}

/// A value with its dotted path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) origin: String,
}

/// The tree as block YAML.
pub(crate) fn lines(root: &Node) -> Vec<Line> {
    let mut out = Vec::new();
    if let Value::Map(entries) = &root.value {
        for (key, node) in entries {
            member(&key.name, node, "", "", &mut out);
        }
    }
    out
}

fn member(key: &str, node: &Node, first: &str, rest: &str, out: &mut Vec<Line>) {
    let head = format!("{first}{}:", scalar(key, false));
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            out.push(line(head, None));
            let indent = format!("{rest}  ");
            for (key, node) in entries {
                member(&key.name, node, &indent, &indent, out);
            }
        }
        Value::List(items) if !items.is_empty() => {
            out.push(line(head, None));
            for node in items {
                item(key, node, &format!("{rest}  "), out);
            }
        }
        _ => out.push(line(format!("{head} {}", text(key, node)), Some(node))),
    }
}

fn item(key: &str, node: &Node, indent: &str, out: &mut Vec<Line>) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            let rest = format!("{indent}  ");
            for (index, (key, node)) in entries.iter().enumerate() {
                let first = if index == 0 { format!("{indent}- ") } else { rest.clone() };
                member(&key.name, node, &first, &rest, out);
            }
        }
        Value::List(items) if !items.is_empty() => {
            // The schema has no list in a list; JSON is YAML, too.
            out.push(line(format!("{indent}- {}", json(key, node)), Some(node)));
        }
        _ => out.push(line(format!("{indent}- {}", text(key, node)), Some(node))),
    }
}

fn line(text: String, node: Option<&Node>) -> Line {
    Line { text, origin: node.map(|node| node.origin.show()) }
}

/// A value without members, as YAML.
fn text(key: &str, node: &Node) -> String {
    match &node.value {
        Value::Null => "null".into(),
        Value::Scalar { text, quoted } => scalar(&shown(key, text), *quoted),
        Value::List(_) => "[]".into(),
        Value::Map(_) => "{}".into(),
    }
}

/// The value, unless it looks like a secret that found its way here: a second lock behind the schema's.
fn shown(key: &str, text: &str) -> String {
    if is_secret_name(key) && !text.contains("${") { "***".into() } else { redact_url(text) }
}

/// A scalar that YAML reads back as the same text, in the plainest form.
fn scalar(text: &str, quoted: bool) -> String {
    let plain = serde_yaml::from_str::<serde_yaml::Value>(text);
    let is_typed = plain.is_ok_and(|value| value.is_bool() || value.is_number() || value.is_null());
    if is_typed && !quoted && !text.is_empty() {
        return text.to_owned();
    }
    if is_typed || text.chars().any(char::is_control) {
        return Json::from(text).to_string();
    }
    serde_yaml::to_string(text).map_or_else(|_| Json::from(text).to_string(), |written| written.trim_end().to_owned())
}

/// The tree as JSON; unquoted numbers and booleans are such.
pub(crate) fn json(key: &str, node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar { text, quoted } => {
            let text = shown(key, text);
            let typed = serde_json::from_str(&text)
                .ok()
                .filter(|value: &Json| !quoted && (value.is_number() || value.is_boolean()));
            typed.unwrap_or(Json::String(text))
        }
        Value::List(items) => items.iter().map(|item| json(key, item)).collect(),
        Value::Map(entries) => Json::Object(
            entries.iter().map(|(key, node)| (key.name.clone(), json(&key.name, node))).collect::<Map<_, _>>(),
        ),
    }
}

/// Every value with its path and origin, in order. Items that have a name are called by it.
pub(crate) fn leaves(root: &Node) -> Vec<Leaf> {
    let mut out = Vec::new();
    collect("", "", root, &mut out);
    out
}

/// Path to origin.
pub(crate) fn origins(root: &Node) -> BTreeMap<String, String> {
    leaves(root).into_iter().map(|leaf| (leaf.path, leaf.origin)).collect()
}

fn collect(path: &str, key: &str, node: &Node, out: &mut Vec<Leaf>) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for (key, node) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                collect(&format!("{path}{dot}{}", key.name), &key.name, node, out);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                let path = item
                    .get("name")
                    .and_then(Node::text)
                    .map_or_else(|| format!("{path}[{index}]"), |name| format!("{path}.{name}"));
                collect(&path, key, item, out);
            }
        }
        _ => out.push(Leaf {
            path: path.to_owned(),
            value: match &node.value {
                Value::Scalar { text, .. } => shown(key, text),
                _ => text(key, node),
            },
            origin: node.origin.show(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use liveops_engine::config::node::Layer;
    use liveops_engine::config::yaml::parse;

    fn read(text: &str) -> Node {
        parse(text, &Rc::new(Layer::Project("liveops.yaml".into())))
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
            .root
    }

    fn written(root: &Node) -> String {
        lines(root).iter().map(|line| format!("{}\n", line.text)).collect()
    }

    #[test]
    fn what_is_written_reads_back_as_the_same() {
        let root = read(
            r#"
version: 1
project: "yes # no: 'x'"
read_only: "true"
timeout: 30s
empty: ""
tilde: "~"
number: "12"
multi: "a\nb"
dash: "- x"
colon: 'http://h:1/#a'
environments: { prod: {}, "odd: key": { prometheus: { url: "${A}", headers: { Authorization: { command: [a, "b c"] } } } } }
services: [ { name: game, metrics: [ "http://a", "http://b" ], health: { url: x } }, { metrics: [] } ]
kpis: [ { ratio: { of: 'http_requests_total{status=~"5.."}', to: x }, warn: "> 0.1%", name: e } ]
"#,
        );
        let text = written(&root);
        let again = read(&text);
        assert_eq!(json("", &root), json("", &again), "{text}");
        assert_eq!(written(&again), text);
    }

    #[test]
    fn origins_have_the_names_of_things() {
        let root = read("services:\n  - name: game\n    metrics: [a, b]\nx: {}\n");
        let found: Vec<(String, String)> = origins(&root).into_iter().collect();
        let want = [
            ("services.game.metrics[0]", "liveops.yaml:3"),
            ("services.game.metrics[1]", "liveops.yaml:3"),
            ("services.game.name", "liveops.yaml:2"),
            ("x", "liveops.yaml:4"),
        ];
        let want = want.map(|(path, origin)| (path.to_owned(), origin.to_owned()));
        assert_eq!(found, want);
    }

    #[test]
    fn no_secret_is_shown_even_where_the_schema_would_refuse_it() {
        let root =
            read("h: { Authorization: canary, X: 'redis://:canary@h', password: canary, k: 'http://h/?token=canary' }");
        let all = format!("{} {} {:?}", written(&root), json("", &root), leaves(&root));
        assert!(!all.contains("canary"), "{all}");
    }
}
