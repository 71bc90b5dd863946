//! Which fields the kinds of Kubernetes have, and of which type: a misspelled one is refused by `kubectl apply`, and
//! dropped without a word by whoever applies without validation. `fields.txt` is made of the schemas of 1.34: a line a
//! type, `name:type` a field; `s` text, `i` whole number, `b` boolean, `n` number, `q` number or text, `*` anything,
//! `[T]` list, `{T}` map, `!` required.

use std::collections::HashMap;

use crate::check::finding::{Finding, Level};
use crate::check::manifest::node::{Node, Value};
use crate::check::manifest::object::Object;
use crate::text::suggest::nearest;

/// More problems of one object than anybody reads.
const MOST: usize = 10;

/// The table, read once for many objects.
#[derive(Debug)]
pub struct Fields {
    kinds: HashMap<(&'static str, &'static str), &'static str>,
    types: HashMap<&'static str, Vec<(&'static str, &'static str)>>,
}

impl Fields {
    pub fn read() -> Self {
        let (mut kinds, mut types) = (HashMap::new(), HashMap::new());
        for line in include_str!("fields.txt").lines() {
            let mut words = line.split(' ');
            let first = words.next().unwrap_or_default();
            if let Some(version) = first.strip_prefix('=') {
                if let (Some(kind), Some(name)) = (words.next(), words.next()) {
                    kinds.insert((version, kind), name);
                }
                continue;
            }
            let field = |word: &'static str| word.split_once(':').map(|(name, of)| (name.trim_end_matches('!'), of));
            types.insert(first, words.filter_map(field).collect());
        }
        Self { kinds, types }
    }

    /// What the API server has against the fields of an object.
    pub fn judge(&self, object: &Object) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(name) = self.kinds.get(&(object.version.as_str(), object.kind.as_str())) {
            self.look(object, &object.root, name, "", &mut found);
        }
        found.truncate(MOST);
        found
    }

    fn look(&self, object: &Object, node: &Node, of: &str, path: &str, found: &mut Vec<Finding>) {
        if node.is_null() || of == "*" || found.len() >= MOST {
            return;
        }
        let wrong = |want: &str| {
            let why = format!("`{path}` must be {want}");
            let finding = object.finding("K01", Level::Blocker, object.label(), node.line, why);
            finding.fix("`kubectl apply` refuses it; correct the value").evidence(path)
        };
        if let Some(inner) = of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
            match &node.value {
                Value::List(items) => items.iter().for_each(|item| self.look(object, item, inner, path, found)),
                _ => found.push(wrong("a list")),
            }
            return;
        }
        if let Some(inner) = of.strip_prefix('{').and_then(|of| of.strip_suffix('}')) {
            match &node.value {
                Value::Map(entries) => {
                    for (key, value) in entries {
                        self.look(object, value, inner, &format!("{path}.{}", key.name), found);
                    }
                }
                _ => found.push(wrong("a mapping")),
            }
            return;
        }
        match of {
            "s" if !is_text(node) => found.push(wrong("text; put it in quotes")),
            "i" if node.int().is_none() => found.push(wrong("a whole number, without quotes")),
            "b" if !is_boolean(node) => found.push(wrong("true or false, without quotes")),
            "n" | "q" if node.text().is_none() => found.push(wrong("a single value")),
            _ => {}
        }
        let Some(fields) = self.types.get(of) else { return };
        let Value::Map(entries) = &node.value else { return found.push(wrong("a mapping")) };
        for (key, value) in entries {
            let inner = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
            match fields.iter().find(|(name, _)| *name == key.name) {
                Some((_, of)) => self.look(object, value, of, &inner, found),
                None => {
                    let near = nearest(&key.name, fields.iter().map(|(name, _)| *name));
                    let help = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    let why = format!("there is no field `{inner}`{help}");
                    let finding = object.finding("K01", Level::High, object.label(), key.line, why);
                    let fix = "`kubectl apply` refuses it, and others drop it; correct the name, or its indentation";
                    found.push(finding.fix(fix).evidence(inner));
                }
            }
        }
    }
}

/// YAML 1.1, which Kubernetes reads, has more words for true and false.
fn is_boolean(node: &Node) -> bool {
    let words = ["yes", "no", "on", "off", "y", "n", "true", "false"];
    matches!(&node.value, Value::Text { text, quoted: false } if words.contains(&text.to_lowercase().as_str()))
}

fn is_text(node: &Node) -> bool {
    match &node.value {
        Value::Text { quoted: true, .. } => true,
        Value::Text { text, .. } => text.parse::<f64>().is_err() && !is_boolean(node),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::manifest::object::Manifests;

    #[test]
    fn misspelled_fields_and_wrong_types_are_named() {
        let good = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a, creationTimestamp: null }\nspec:\n  replicas: 2\n  template:\n    spec:\n      containers:\n        - name: a\n          env: [{ name: A, value: \"1\" }]\n          readinessProbe: { httpGet: { port: 80, path: / } }\n          resources: { limits: { cpu: 1, memory: 1Gi } }\n";
        let look = |text: &str| {
            let mut all = Manifests::default();
            all.read("a.yaml", text);
            Fields::read()
                .judge(&all.objects[0])
                .into_iter()
                .map(|one| (one.level, one.line, one.why))
                .collect::<Vec<_>>()
        };
        assert_eq!(look(good), []);
        for (from, to, level, line, why) in [
            ("readinessProbe", "readinesProbe", Level::High, 11, "did you mean `readinessProbe`?"),
            ("  replicas: 2", "  replica: 2", Level::High, 5, "there is no field `spec.replica`; did you mean"),
            ("replicas: 2", "replicas: two", Level::Blocker, 5, "`spec.replicas` must be a whole number"),
            ("value: \"1\"", "value: 1", Level::Blocker, 10, "must be text; put it in quotes"),
            ("value: \"1\"", "value: yes", Level::Blocker, 10, "must be text; put it in quotes"),
            ("env: [{ name: A, value: \"1\" }]", "env: { A: x }", Level::Blocker, 10, "must be a list"),
            ("httpGet: { port: 80, path: / }", "httpGet: 80", Level::Blocker, 11, "must be a mapping"),
        ] {
            let found = look(&good.replacen(from, to, 1));
            assert_eq!(found.len(), 1, "{to}: {found:?}");
            assert!(found[0].0 == level && found[0].1 == Some(line) && found[0].2.contains(why), "{to}: {found:?}");
        }
        assert_eq!(look("apiVersion: example.org/v1\nkind: Deployment\nmetadata: { nam: a }\n"), []);
    }
}
