//! The JSON Schema of liveops.yaml, for editors, from the list of keys.

use serde_json::{Map, Value, json};

use crate::config::keys::{KEYS, Key, Kind};

/// JSON Schema, draft 2020-12.
pub fn schema() -> Value {
    let mut root = below("");
    let at = root.as_object_mut();
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "liveops.yaml",
        "description": "The configuration of liveops; liveops-config(5) is its manual.",
    });
    if let (Some(at), Value::Object(head)) = (at, head) {
        at.extend(head);
        at.insert("$defs".into(), Value::Object(definitions()));
    }
    root
}

/// Schemas that stand in several places, by their path.
fn definitions() -> Map<String, Value> {
    let shared = KEYS.iter().filter_map(|key| match key.kind {
        Kind::As(path) => Some(path),
        _ => None,
    });
    let reference = json!({
        "anyOf": [
            { "type": ["string", "number", "boolean"] },
            { "type": "object", "properties": { "file": { "type": "string" } }, "required": ["file"],
              "additionalProperties": false },
            { "type": "object", "properties": { "command": { "type": "array", "items": { "type": "string" } } },
              "required": ["command"], "additionalProperties": false },
        ]
    });
    let mut all = Map::from_iter([("reference".to_owned(), reference)]);
    for path in shared {
        let of = match KEYS.iter().find(|key| key.path == path) {
            Some(key) => of_kind(key),
            // The items of a list have no key of their own.
            None => below(path),
        };
        all.insert(path.to_owned(), of);
    }
    all
}

/// The mapping of the keys directly below a path.
fn below(path: &str) -> Value {
    let (mut known, mut other) = (Map::new(), json!(false));
    for (key, name) in children(path) {
        let mut schema = of_kind(key);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".into(), json!(key.about));
        }
        if name == "NAME" {
            other = schema;
        } else {
            known.insert(name.to_owned(), schema);
        }
    }
    json!({ "type": ["object", "null"], "properties": known, "additionalProperties": other })
}

/// The keys directly below a path, each with its own name.
pub(super) fn children(path: &str) -> impl Iterator<Item = (&'static Key, &'static str)> {
    let path = path.to_owned();
    KEYS.iter().filter_map(move |key| {
        let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        (parent == path && !name.ends_with("[]")).then_some((key, name))
    })
}

fn of_kind(key: &Key) -> Value {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    let words = json!({ "type": "array", "items": scalar });
    let reference = || json!({ "$ref": "#/$defs/reference" });
    match key.kind {
        Kind::Text | Kind::Percent | Kind::Duration | Kind::Limit | Kind::Selector | Kind::Query | Kind::Path => scalar,
        Kind::Number => json!({ "type": ["number", "string"] }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Url | Kind::Secret => reference(),
        Kind::OneOf(["1"]) => json!({ "enum": [1, "1"] }),
        Kind::OneOf(words) => json!({ "enum": words }),
        Kind::Words | Kind::Paths => words,
        Kind::WordOrWords | Kind::Program => json!({ "anyOf": [scalar, words] }),
        Kind::Map => below(key.path),
        Kind::UrlOrMap => json!({ "anyOf": [reference(), below(key.path)] }),
        Kind::TextOrMap => json!({ "anyOf": [scalar, below(key.path)] }),
        Kind::List => list(key),
        Kind::ListOrMap => json!({ "anyOf": [list(key), below(key.path)] }),
        Kind::As(path) => json!({ "$ref": format!("#/$defs/{}", path.replace('[', "%5B").replace(']', "%5D")) }),
    }
}

fn list(key: &Key) -> Value {
    let item = format!("{}[]", key.path);
    let items = KEYS.iter().find(|key| key.path == item).map_or_else(|| below(&item), of_kind);
    json!({ "type": ["array", "null"], "items": items })
}
