//! The three patches of an API server: JSON Patch (RFC 6902), merge patch (RFC 7386), and of the strategic merge what
//! `kubectl apply` and `kubectl set image` send: lists of objects merge by their key.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Lists that merge by a key, under whatever object they are; the key of the first that fits.
const KEYS: [(&str, &[&str]); 7] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("ports", &["containerPort", "port"]),
    ("conditions", &["type"]),
    ("ownerReferences", &["uid"]),
];

/// `object` with a patch of this content type applied.
pub(crate) fn apply(object: &Value, content_type: &str, body: &[u8], custom: bool) -> Result<Value, Refusal> {
    let patch: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(&format!("the patch is no JSON: {error}")))?;
    let mut patched = object.clone();
    match content_type.split(';').next().unwrap_or_default() {
        "application/json-patch+json" => {
            let patch: json_patch::Patch =
                serde_json::from_value(patch).map_err(|error| Refusal::bad_request(&error.to_string()))?;
            json_patch::patch(&mut patched, &patch).map_err(|_| Refusal::patch())?;
        }
        "application/merge-patch+json" => json_patch::merge(&mut patched, &patch),
        "application/strategic-merge-patch+json" if !custom => merge(&mut patched, &patch),
        other => {
            return Err(Refusal {
                code: 415,
                reason: "UnsupportedMediaType",
                message: format!(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json (got {other})"
                ),
                details: serde_json::json!({}),
            });
        }
    }
    Ok(patched)
}

fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if patch.get("$patch").and_then(Value::as_str) == Some("replace") {
        let kept: Map<String, Value> = (patch.iter())
            .filter(|(name, _)| *name != "$patch")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        *object = Value::Object(kept);
        return;
    }
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(members) = object else {
        return;
    };
    for (name, value) in patch {
        if name.starts_with('$') {
            continue;
        }
        if value.is_null() {
            members.shift_remove(name);
            continue;
        }
        let keys = KEYS.iter().find(|(list, _)| list == name);
        let mine = members.entry(name.clone()).or_insert(Value::Null);
        match (keys, value) {
            (Some((_, keys)), Value::Array(items)) => merge_list(mine, items, keys),
            _ => merge(mine, value),
        }
    }
}

fn merge_list(list: &mut Value, items: &[Value], keys: &[&str]) {
    let mut merged = list.as_array().cloned().unwrap_or_default();
    for item in items {
        let key = keys.iter().find(|key| item.get(**key).is_some());
        let found = key.and_then(|key| merged.iter().position(|mine| mine.get(*key) == item.get(*key)));
        let deleted = item.get("$patch").and_then(Value::as_str) == Some("delete");
        match found {
            Some(index) if deleted => {
                merged.remove(index);
            }
            Some(index) => merge(&mut merged[index], item),
            None if deleted => {}
            None => merged.push(item.clone()),
        }
    }
    *list = Value::Array(merged);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strategic_patch_merges_lists_by_their_key() {
        let object = json!({ "spec": { "containers": [{ "name": "a", "image": "a:1", "env": [] }, { "name": "b", "image": "b:1" }] } });
        let body = json!({ "spec": { "$setElementOrder/containers": [{ "name": "a" }], "containers": [{ "name": "a", "image": "a:2" }, { "name": "b", "$patch": "delete" }] } });
        let kind = "application/strategic-merge-patch+json";
        let patched = apply(&object, kind, body.to_string().as_bytes(), false).unwrap();
        assert_eq!(patched, json!({ "spec": { "containers": [{ "name": "a", "image": "a:2", "env": [] }] } }));
        assert_eq!(apply(&object, kind, b"{}", true).unwrap_err().code, 415);
    }

    #[test]
    fn a_json_patch_is_all_or_nothing() {
        let object = json!({ "a": 1, "b": 2 });
        let body = br#"[{"op":"replace","path":"/a","value":9},{"op":"test","path":"/b","value":3}]"#;
        let refused = apply(&object, "application/json-patch+json", body, true).unwrap_err();
        assert_eq!((refused.code, refused.reason), (422, "Invalid"));
    }
}
