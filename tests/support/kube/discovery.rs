//! Discovery: which groups and kinds there are, in the aggregated form (one request each for `/api` and `/apis`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kinds::{KINDS, Kind};

/// The content type of the aggregated form.
pub(crate) const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/api` (the core group) or `/apis` (the others).
pub(crate) fn groups(core: bool) -> Value {
    let groups: BTreeSet<&str> = (KINDS.iter().map(|kind| kind.group))
        .chain(["authorization.k8s.io"])
        .filter(|group| group.is_empty() == core)
        .collect();
    let items: Vec<Value> = groups.into_iter().map(group).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn group(group: &str) -> Value {
    let kinds = KINDS.iter().filter(|kind| kind.group == group);
    let mut resources: Vec<Value> = kinds.clone().map(resource).collect();
    let version = kinds.clone().next().map_or("v1", |kind| kind.version);
    if group == "authorization.k8s.io" {
        resources.push(json!({
            "resource": "selfsubjectaccessreviews",
            "responseKind": { "group": group, "version": "v1", "kind": "SelfSubjectAccessReview" },
            "scope": "Cluster",
            "singularResource": "selfsubjectaccessreview",
            "verbs": ["create"],
        }));
    }
    let metadata = if group.is_empty() {
        json!({})
    } else {
        json!({ "name": group })
    };
    json!({
        "metadata": metadata,
        "versions": [{ "version": version, "resources": resources, "freshness": "Current" }],
    })
}

fn resource(kind: &Kind) -> Value {
    let response = json!({ "group": kind.group, "version": kind.version, "kind": kind.kind });
    let subresources: Vec<Value> = (kind.subresources.iter())
        .map(|name| {
            let response = match *name {
                "scale" => json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" }),
                _ => response.clone(),
            };
            json!({ "subresource": name, "responseKind": response, "verbs": ["get", "patch", "update"] })
        })
        .collect();
    json!({
        "resource": kind.resource,
        "responseKind": response,
        "scope": if kind.is_namespaced() { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular(),
        "shortNames": kind.short,
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        "subresources": subresources,
    })
}
