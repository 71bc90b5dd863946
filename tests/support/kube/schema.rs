//! The schemas of the custom kinds, as far as they fill in or refuse what a rollout meets (kubernetes-sigs/gateway-api
//! `config/crd/standard`, istio/api `kubernetes/customresourcedefinitions.gen.yaml`; those of Argo Rollouts and Flagger do
//! neither here): given to a real API server in the CRD, followed by the stand-in itself.

use serde_json::{Value, json};

/// The whole schema of a custom kind, by its plural. What it does not name is accepted as it is.
pub(crate) fn of(resource: &str) -> Value {
    match resource {
        "httproutes" => object(json!({
            "spec": object(json!({
                "parentRefs": list(reference("gateway.networking.k8s.io", "Gateway")),
                "rules": with(
                    list(object(json!({ "matches": matches(), "backendRefs": list(backend()) }))),
                    "default",
                    json!([{ "matches": [{ "path": root() }] }]),
                ),
            })),
        })),
        "virtualservices" => {
            let route = object(json!({ "weight": { "type": "integer", "format": "int32" } }));
            let http = object(json!({ "route": list(route) }));
            object(json!({ "spec": object(json!({ "http": list(http) })) }))
        }
        _ => object(json!({})),
    }
}

/// Where the group and the kind are left out, they are these.
fn reference(group: &str, kind: &str) -> Value {
    object(json!({
        "group": { "type": "string", "default": group },
        "kind": { "type": "string", "default": kind },
    }))
}

/// A weight that is left out is 1.
fn backend() -> Value {
    let mut backend = reference("", "Service");
    backend["properties"]["weight"] =
        json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 1_000_000, "default": 1 });
    backend
}

/// A rule without matches is for every path.
fn matches() -> Value {
    let path = object(json!({
        "type": { "type": "string", "default": "PathPrefix" },
        "value": { "type": "string", "default": "/" },
    }));
    let one = object(json!({ "path": with(path, "default", root()) }));
    with(list(one), "default", json!([{ "path": root() }]))
}

fn root() -> Value {
    json!({ "type": "PathPrefix", "value": "/" })
}

fn object(properties: Value) -> Value {
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    with(open, "properties", properties)
}

fn list(items: Value) -> Value {
    with(json!({ "type": "array" }), "items", items)
}

fn with(mut schema: Value, name: &str, value: Value) -> Value {
    schema[name] = value;
    schema
}

/// Fills in what the schema says of fields that are left out, as the API server does before it stores.
pub(crate) fn fill(schema: &Value, value: &mut Value) {
    if let Some(items) = schema.get("items") {
        for item in value.as_array_mut().into_iter().flatten() {
            fill(items, item);
        }
    }
    let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object_mut()) else {
        return;
    };
    for (name, schema) in properties {
        if let Some(default) = schema.get("default")
            && !members.contains_key(name)
        {
            members.insert(name.clone(), default.clone());
        }
        if let Some(member) = members.get_mut(name) {
            fill(schema, member);
        }
    }
}

/// The first number that is outside its bounds: its field, and what the API server says of it.
pub(crate) fn refuse(schema: &Value, value: &Value, field: &str) -> Option<(String, String)> {
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let found = refuse(&schema["items"], item, &format!("{field}[{index}]"));
        if found.is_some() {
            return found;
        }
    }
    let number = value.as_i64();
    let bounds = [("minimum", "greater"), ("maximum", "less")];
    for (bound, word) in bounds {
        let limit = schema[bound].as_i64();
        let outside = match (number, limit) {
            (Some(number), Some(limit)) if bound == "minimum" => number < limit,
            (Some(number), Some(limit)) => number > limit,
            _ => false,
        };
        if outside {
            let limit = limit.unwrap_or_default();
            let what = format!("Invalid value: {value}: {field} in body should be {word} than or equal to {limit}");
            return Some((field.to_owned(), what));
        }
    }
    let members = value.as_object().into_iter().flatten();
    members.into_iter().find_map(|(name, member)| {
        let dot = if field.is_empty() { "" } else { "." };
        refuse(&schema["properties"][name], member, &format!("{field}{dot}{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_filled_in_and_bounds_hold() {
        let schema = of("httproutes");
        let mut route = json!({ "spec": { "rules": [{ "backendRefs": [{ "name": "a" }] }] } });
        fill(&schema, &mut route);
        let backend = &route["spec"]["rules"][0]["backendRefs"][0];
        assert_eq!((&backend["weight"], &backend["kind"]), (&json!(1), &json!("Service")));
        assert_eq!(route["spec"]["rules"][0]["matches"][0]["path"]["value"], "/");
        assert_eq!(refuse(&schema, &route, ""), None);
        route["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(-1);
        let (field, what) = refuse(&schema, &route, "").unwrap();
        assert_eq!(field, "spec.rules[0].backendRefs[0].weight");
        assert!(what.ends_with("should be greater than or equal to 0"), "{what}");
    }
}
