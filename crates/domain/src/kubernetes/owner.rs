//! Who last changed a field: `metadata.managedFields`, and the labels of GitOps tools.

use serde_json::Value;

/// The manager of the deepest field on this path that anybody manages, such as `["spec", "rules"]`.
pub fn of<'a>(object: &'a Value, path: &[&str]) -> Option<&'a str> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let depth = |entry: &Value| {
        let mut place = &entry["fieldsV1"];
        let mut depth = 0;
        for name in path {
            match place.get(format!("f:{name}")) {
                Some(inner) => place = inner,
                None => break,
            }
            depth += 1;
        }
        depth
    };
    let best = entries
        .iter()
        .filter(|entry| depth(entry) > 0)
        .max_by_key(|entry| (depth(entry), entry["time"].as_str().unwrap_or_default()))?;
    best["manager"].as_str()
}

/// The manager other than `own` that wrote last, whatever it wrote.
pub fn rival<'a>(object: &'a Value, own: &str) -> Option<&'a str> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let others = entries.iter().filter(|entry| entry["manager"] != own && entry["subresource"] != "status");
    let latest = others.max_by_key(|entry| entry["time"].as_str().unwrap_or_default())?;
    latest["manager"].as_str()
}

/// The GitOps tool that will set the object back to what its repository says.
pub fn gitops(object: &Value) -> Option<&'static str> {
    let has = |map: &str, prefix: &str| {
        let entries = object["metadata"][map].as_object();
        entries.is_some_and(|entries| entries.keys().any(|name| name.starts_with(prefix)))
    };
    if has("annotations", "argocd.argoproj.io/") || has("labels", "argocd.argoproj.io/") {
        Some("Argo CD")
    } else if has("labels", "kustomize.toolkit.fluxcd.io/") || has("labels", "helm.toolkit.fluxcd.io/") {
        Some("Flux")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_deepest_and_latest_manager_is_named() {
        let entry =
            |manager: &str, time: &str, fields: Value| json!({ "manager": manager, "time": time, "fieldsV1": fields });
        let object = json!({ "metadata": { "managedFields": [
            entry("helm", "2026-01-03T00:00:00Z", json!({ "f:spec": { "f:hosts": {} } })),
            entry("liveops", "2026-01-01T00:00:00Z", json!({ "f:spec": { "f:rules": {} } })),
            entry("kubectl-edit", "2026-01-02T00:00:00Z", json!({ "f:spec": { "f:rules": {} } })),
        ] } });
        assert_eq!(of(&object, &["spec", "rules"]), Some("kubectl-edit"));
        assert_eq!(of(&object, &["status"]), None);
        assert_eq!(of(&json!({}), &["spec"]), None);
    }
}
