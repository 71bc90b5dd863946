//! `metadata.managedFields`: who last changed which field. Maps are followed, lists belong to one manager as a whole,
//! as the API server does it for lists without keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

type Path = Vec<String>;

/// Writes down in `new` that `manager` changed what differs from `old`.
pub(crate) fn record(old: Option<&Value>, new: &mut Value, manager: &str, status: bool, at: &str) {
    let mut changed = BTreeSet::new();
    let empty = json!({});
    differences(old.unwrap_or(&empty), new, &mut Vec::new(), &mut changed);
    if changed.is_empty() {
        return;
    }
    let subresource = if status { "status" } else { "" };
    let entries = old.and_then(|old| old.pointer("/metadata/managedFields"));
    let mut kept = Vec::new();
    let mut own = changed.clone();
    for entry in entries.and_then(Value::as_array).into_iter().flatten() {
        let mut paths = BTreeSet::new();
        flatten(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
        let same = entry["manager"] == manager
            && entry["subresource"].as_str().unwrap_or_default() == subresource;
        if same {
            own.extend(paths);
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
        "operation": "Update",
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
        let mut first =
            json!({ "metadata": { "name": "x" }, "spec": { "rules": [1], "hosts": ["h"] } });
        record(None, &mut first, "helm", false, "t1");
        let mut second = first.clone();
        second["spec"]["rules"] = json!([2]);
        record(Some(&first), &mut second, "kubectl-edit", false, "t2");
        let entries = second["metadata"]["managedFields"].as_array().unwrap();
        let owner = |field: &str| {
            let found = entries.iter().find(|entry| {
                entry["fieldsV1"]
                    .pointer(&format!("/f:spec/{field}"))
                    .is_some()
            });
            found.unwrap()["manager"].clone()
        };
        assert_eq!(owner("f:rules"), "kubectl-edit");
        assert_eq!(owner("f:hosts"), "helm");
    }
}
