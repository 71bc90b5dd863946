//! The list of keys and the reader agree, section by section; the JSON Schema takes what the reader takes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::json::children;
use super::{KEYS, Key, Kind, schema};
use crate::config::decode::Problems;
use crate::config::node::{Layer, Node, Value as Yaml};
use crate::config::schema::decode;
use crate::config::trust::wishes;
use crate::config::yaml::parse;

/// A file that opens every section there is.
const FULL: &str = include_str!("full.yaml");

fn read(text: &str) -> Problems {
    let layer = Rc::new(Layer::Project("liveops.yaml".into()));
    let root = parse(text, &layer).expect("valid").root;
    let mut problems = Problems::default();
    decode(&root, "NAME", &mut problems);
    problems
}

/// A path as the reader says it, as the list writes it: `services.NAME2` is `services[]`, `x[3]` is `x[]`.
fn pattern(path: &str) -> String {
    let mut done = String::new();
    for part in path.split('.') {
        let name = if part.to_uppercase().starts_with("NAME") && !part.contains('[') { "NAME" } else { part };
        let name = match name.find('[') {
            Some(at) => format!("{}[]", &name[..at]),
            None => name.to_owned(),
        };
        let item = format!("{done}[]");
        if name == "NAME" && KEYS.iter().any(|key| key.path.starts_with(&format!("{item}."))) {
            done = item;
        } else {
            done = if done.is_empty() { name } else { format!("{done}.{name}") };
        }
    }
    done
}

/// Where the keys of a path are listed: `As` leads there.
fn listed(path: &str) -> BTreeSet<String> {
    for key in KEYS {
        if let Kind::As(other) = key.kind
            && let Some(rest) = path.strip_prefix(key.path)
            && (rest.is_empty() || rest.starts_with('.'))
        {
            return listed(&format!("{other}{rest}"));
        }
    }
    children(path).map(|(_, name)| name.to_owned()).collect()
}

#[test]
fn the_list_and_the_reader_agree() {
    let problems = read(FULL);
    assert!(problems.errors.is_empty(), "{:#?}", problems.errors);
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, keys) in &problems.sections {
        read.entry(pattern(path)).or_default().extend(keys.iter().map(ToString::to_string));
    }
    for (path, keys) in &read {
        // Slips that get a message of their own are no keys.
        let slips = ["prometheus", "alertmanager", "flags", "kubernetes", "clickhouse", "protected"];
        let keys: BTreeSet<String> =
            keys.iter().filter(|key| !(path.is_empty() && slips.contains(&key.as_str()))).cloned().collect();
        let mut listed = listed(path);
        if path.starts_with("services[].rollout.metrics.") {
            // Its name is the key that it stands under.
            listed.remove("name");
        }
        assert_eq!(keys, listed, "`{path}`: the reader's, then the list's");
    }
    // No mapping of the list that the reader never opened.
    let of_names = |path: &str| children(path).all(|(_, name)| name == "NAME");
    for key in KEYS {
        let at = match key.kind {
            Kind::Map | Kind::UrlOrMap | Kind::TextOrMap => key.path.to_owned(),
            Kind::List if children(&format!("{}[]", key.path)).next().is_some() => format!("{}[]", key.path),
            _ => continue,
        };
        assert!(of_names(&at) || read.contains_key(&at), "`{at}` is listed and was never read");
    }
}

#[test]
fn every_key_has_a_parent_and_a_sentence() {
    let paths: BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(paths.len(), KEYS.len(), "each once");
    for key in KEYS {
        assert!(key.about.ends_with('.') && key.about.len() < 100, "{}", key.path);
        if let Some((parent, _)) = key.path.rsplit_once('.') {
            assert!(paths.contains(parent) || paths.contains(parent.trim_end_matches("[]")), "{}", key.path);
        }
        if let Kind::As(other) = key.kind {
            assert!(KEYS.iter().any(|key| key.path.starts_with(other)), "{}", key.path);
        }
    }
}

/// As much of JSON Schema as ours uses.
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    if let Some(path) = schema["$ref"].as_str() {
        let path = path.trim_start_matches("#/$defs/").replace("%5B", "[").replace("%5D", "]");
        return fits(value, &root["$defs"][path.as_str()], root);
    }
    if let Some(all) = schema["anyOf"].as_array() {
        return all.iter().any(|one| fits(value, one, root));
    }
    if let Some(all) = schema["enum"].as_array() {
        return all.contains(value);
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    };
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect::<Vec<_>>(),
    };
    kinds.into_iter().any(is)
        && value.as_array().is_none_or(|items| items.iter().all(|item| fits(item, &schema["items"], root)))
        && value.as_object().is_none_or(|members| {
            let has_all = schema["required"].as_array().is_none_or(|names| {
                names.iter().all(|name| name.as_str().is_some_and(|name| members.contains_key(name)))
            });
            has_all
                && members.iter().all(|(name, member)| match &schema["properties"][name.as_str()] {
                    Value::Null => match &schema["additionalProperties"] {
                        Value::Object(_) => fits(member, &schema["additionalProperties"], root),
                        other => other == &Value::Bool(true),
                    },
                    known => fits(member, known, root),
                })
        })
}

#[test]
fn the_json_schema_takes_what_the_reader_takes_and_no_unknown_key() {
    let schema = schema();
    let demo = include_str!("../../../../../templates/demo/liveops.yaml").replace("{{ url }}", "http://h");
    for text in [FULL, &demo, "environments: { prod: {} }"] {
        let value: Value = serde_yaml::from_str(text).expect("YAML");
        assert!(fits(&value, &schema, &schema), "{text}");
    }
    for wrong in [
        "projekt: x",
        "environments: { prod: { promethues: http://h } }",
        "kpis: [ { name: a, gague: b } ]",
        "environments: { prod: { services: { a: { rollout: { polcy: x } } } } }",
        "notify: { channels: [ { name: a, type: telegram } ] }",
        "kpis: { name: a }",
    ] {
        let value: Value = serde_yaml::from_str(wrong).expect("YAML");
        assert!(!fits(&value, &schema, &schema), "{wrong}");
    }
}

/// What stands in the place of something that [`FULL`] says.
const ELSE: &[&str] = &[
    "slos: { files: [a.yaml] }",
    "notify: { channels: [ { name: a, type: exec, command: call } ], schedule: { who: a.ics } }",
    "environments: { NAME: { flags: { url: 'rediss://h', sentinel_username: a, sentinel_password: '${A}', ca: a, cert: a, key_file: a } } }",
];

/// The key that a path means: `As` leads there, and `NAME` is any name.
fn key_of(path: &str) -> Option<&'static Key> {
    let known = KEYS.iter().find(|key| key.path == path && !matches!(key.kind, Kind::As(_)));
    known.or_else(|| {
        KEYS.iter().find_map(|key| match (key.kind, path.strip_prefix(key.path)) {
            (Kind::As(other), Some(rest)) if rest.is_empty() || rest.starts_with('.') => {
                key_of(&format!("{other}{rest}"))
            }
            _ => None,
        })
    })
}

/// Shows every value that leads somewhere, with its key.
fn each_lead(node: &mut Node, path: &str, look: &mut impl FnMut(&'static Key, &mut Node)) {
    let key = key_of(path);
    match key.map(|key| key.kind) {
        Some(Kind::Path | Kind::Paths | Kind::Program | Kind::Url | Kind::Secret) => {
            return key.into_iter().for_each(|key| look(key, node));
        }
        Some(Kind::UrlOrMap) if node.text().is_some() => {
            let origin = node.origin.clone();
            *node = Node::map(vec![("url", node.clone())], &origin);
        }
        _ => {}
    }
    match &mut node.value {
        Yaml::Map(entries) => {
            for (name, node) in entries {
                let at = if path.is_empty() { name.name.clone() } else { format!("{path}.{}", name.name) };
                let is_known = key_of(&at).is_some() || KEYS.iter().any(|key| key.path.starts_with(&format!("{at}[]")));
                each_lead(node, &if is_known { at } else { format!("{path}.NAME") }, look);
            }
        }
        Yaml::List(items) => items.iter_mut().for_each(|node| each_lead(node, &format!("{path}[]"), look)),
        Yaml::Null | Yaml::Scalar { .. } => {}
    }
}

/// A key that leads out of the project, or sends something of the user's along, is a wish, whichever key it is: who
/// adds one need not remember it.
#[test]
fn whatever_leads_out_of_a_project_is_a_wish() {
    let folder = tempfile::tempdir().expect("temp dir");
    let layer = Rc::new(Layer::Project("liveops.yaml".into()));
    // Asked without credentials, and no variable is looked up in it.
    let plain = ["dependencies[].url"];
    let mut met: BTreeSet<&str> = plain.into();
    for text in [&[FULL][..], ELSE].concat() {
        for way in ["variable", "file", "command"] {
            let mut root = parse(text, &layer).expect("valid").root;
            let origin = root.origin.clone();
            let mut wanted: Vec<(&str, String)> = Vec::new();
            each_lead(&mut root, "", &mut |key, node| {
                let mark = format!("MARK_{}_", wanted.len());
                let outside = || Node::scalar(format!("/outside/{mark}"), &origin);
                let list = |node| Node { value: Yaml::List(vec![node]), origin: origin.clone() };
                let scheme = node.text().and_then(|text| text.split_once("://")).map_or("https", |(scheme, _)| scheme);
                *node = match key.kind {
                    _ if plain.contains(&key.path) => return,
                    Kind::Path => outside(),
                    Kind::Paths | Kind::Program => list(outside()),
                    _ if way == "file" => Node::map(vec![("file", outside())], &origin),
                    _ if way == "command" => Node::map(vec![("command", list(outside()))], &origin),
                    Kind::Url => Node::scalar(format!("{scheme}://u:${{{mark}}}@h"), &origin),
                    _ => Node::scalar(format!("${{{mark}}}"), &origin),
                };
                wanted.push((key.path, mark));
            });
            let mut problems = Problems::default();
            let settings = decode(&root, "NAME", &mut problems);
            assert!(problems.errors.is_empty(), "{way}: {:#?}", problems.errors);
            let wishes = wishes(&settings, folder.path());
            for (path, mark) in wanted {
                assert!(wishes.iter().any(|wish| wish.text.contains(&mark)), "`{path}` by {way}: {wishes:#?}");
                met.insert(path);
            }
        }
    }
    let all = KEYS
        .iter()
        .filter(|key| matches!(key.kind, Kind::Path | Kind::Paths | Kind::Program | Kind::Url | Kind::Secret));
    let missed: Vec<&str> = all.map(|key| key.path).filter(|path| !met.contains(path)).collect();
    assert!(missed.is_empty(), "full.yaml says nothing of {missed:?}");
}
