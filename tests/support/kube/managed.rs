//! `metadata.managedFields`: who last changed which field. Maps are followed, lists belong to one manager as a whole,
//! as the API server does it for lists without keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

pub(super) type Path = Vec<String>;

/// Who writes, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) manager: &'a str,
    pub(super) status: bool,
    /// The whole configuration of a server-side apply, whose fields are then its manager's.
    pub(super) applied: Option<&'a Value>,
}

impl By<'_> {
    fn operation(&self) -> &'static str {
        match self.applied {
            Some(_) => "Apply",
            None => "Update",
        }
    }
}

/// Writes down in `new` that somebody changed what differs from `old`.
pub(super) fn record(old: Option<&Value>, new: &mut Value, by: By<'_>, at: &str) {
    let By { manager, status, .. } = by;
    let mut changed = BTreeSet::new();
    let empty = json!({});
    differences(old.unwrap_or(&empty), new, &mut Vec::new(), &mut changed);
    if changed.is_empty() {
        return;
    }
    let subresource = if status { "status" } else { "" };
    let entries = old.and_then(|old| old.pointer("/metadata/managedFields"));
    let mut kept = Vec::new();
    let mut own = match by.applied {
        Some(config) => leaves(config),
        None => changed.clone(),
    };
    for entry in entries.and_then(Value::as_array).into_iter().flatten() {
        let mut paths = BTreeSet::new();
        flatten(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
        let same = entry["manager"] == manager
            && entry["operation"] == by.operation()
            && entry["subresource"].as_str().unwrap_or_default() == subresource;
        if same {
            // What is no longer applied is no longer owned.
            if by.applied.is_none() {
                own.extend(paths);
            }
            continue;
        }
        paths.retain(|path| !changed.contains(path));
        if !paths.is_empty() {
            let mut entry = entry.clone();
            entry["fieldsV1"] = nested(&paths);
            kept.push(entry);
        }
    }
    let mut entry = json!({
        "manager": manager,
        "operation": by.operation(),
        "apiVersion": new["apiVersion"],
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": nested(&own),
    });
    if status {
        entry["subresource"] = json!("status");
    }
    kept.push(entry);
    new["metadata"]["managedFields"] = Value::Array(kept);
}

/// What a manager owns by its applies.
pub(super) fn applied_by(object: &Value, manager: &str) -> BTreeSet<Path> {
    let mut paths = BTreeSet::new();
    let entries = object.pointer("/metadata/managedFields");
    for entry in entries.and_then(Value::as_array).into_iter().flatten() {
        if entry["manager"] == manager && entry["operation"] == "Apply" {
            flatten(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
        }
    }
    paths
}

/// Everybody's fields but those of a manager's applies.
pub(super) fn others(object: &Value, manager: &str) -> Vec<(String, BTreeSet<Path>)> {
    let entries = object.pointer("/metadata/managedFields");
    let entries = entries.and_then(Value::as_array).into_iter().flatten();
    entries
        .filter(|entry| !(entry["manager"] == manager && entry["operation"] == "Apply"))
        .map(|entry| {
            let mut paths = BTreeSet::new();
            flatten(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
            (entry["manager"].as_str().unwrap_or_default().to_owned(), paths)
        })
        .collect()
}

/// The leaves of a configuration, but for what the server itself sets.
pub(super) fn leaves(config: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    differences(&json!({}), config, &mut Vec::new(), &mut found);
    found
}

/// The leaves that differ; what the server itself sets is nobody's.
fn differences(old: &Value, new: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    const OWN: [&str; 9] = [
        "apiVersion",
        "kind",
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
    ];
    if old == new {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        found.insert(path.clone());
        return;
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let inside = path.is_empty() || path == &["f:metadata"];
        if inside && OWN.contains(&name.as_str()) {
            continue;
        }
        path.push(format!("f:{name}"));
        match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => differences(before, after, path, found),
            (None, Some(after @ Value::Object(_))) => differences(&json!({}), after, path, found),
            (None, Some(_)) => {
                found.insert(path.clone());
            }
            _ => {}
        }
        path.pop();
    }
}

fn flatten(fields: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    match fields.as_object() {
        Some(members) if !members.is_empty() => {
            for (name, inner) in members {
                path.push(name.clone());
                flatten(inner, path, found);
                path.pop();
            }
        }
        _ => {
            found.insert(path.clone());
        }
    }
}

fn nested(paths: &BTreeSet<Path>) -> Value {
    let mut root = Map::new();
    for path in paths {
        let mut place = &mut root;
        for name in path {
            let inner = place.entry(name.clone()).or_insert_with(|| json!({}));
            let Value::Object(inner) = inner else { break };
            place = inner;
        }
    }
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_belongs_to_the_last_who_changed_it() {
        let by = |manager| By { manager, status: false, applied: None };
        let mut first = json!({ "metadata": { "name": "x" }, "spec": { "rules": [1], "hosts": ["h"] } });
        record(None, &mut first, by("helm"), "t1");
        let mut second = first.clone();
        second["spec"]["rules"] = json!([2]);
        record(Some(&first), &mut second, by("kubectl-edit"), "t2");
        let entries = second["metadata"]["managedFields"].as_array().unwrap();
        let owner = |field: &str| {
            let found = entries.iter().find(|entry| entry["fieldsV1"].pointer(&format!("/f:spec/{field}")).is_some());
            found.unwrap()["manager"].clone()
        };
        assert_eq!(owner("f:rules"), "kubectl-edit");
        assert_eq!(owner("f:hosts"), "helm");
    }
}
