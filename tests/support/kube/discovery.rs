//! Discovery: which groups and kinds there are. Newer `kubectl`s ask in the aggregated form, with one request each for
//! `/api` and `/apis` (v2, before 1.30 v2beta1); those before 1.26, and people, in the old one with a request a group.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kinds::{KINDS, Kind};
use crate::support::http::Request;
use crate::support::stub::Answer;

/// Whatever of it is at this path.
pub(crate) fn answer(request: &Request) -> Option<Answer> {
    let path = request.path.trim_end_matches('/');
    let accept = request.header("accept").unwrap_or_default();
    let forms = ["v2", "v2beta1"];
    let form = forms.into_iter().find(|form| accept.contains(&format!("v={form};as=APIGroupDiscoveryList")));
    match (path, form) {
        ("/api" | "/apis", Some(form)) => {
            let kind = format!("application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList");
            Some(Answer::new(200, &kind, aggregated(path == "/api", form).to_string()))
        }
        ("/api", None) => Some(Answer::json(json!({ "kind": "APIVersions", "versions": ["v1"] }))),
        ("/apis", None) => Some(Answer::json(list())),
        _ => resources(path).map(Answer::json),
    }
}

fn names(core: bool) -> BTreeSet<&'static str> {
    (KINDS.iter().map(|kind| kind.group)).chain([ACCESS]).filter(|group| group.is_empty() == core).collect()
}

/// The group of reviews of access.
const ACCESS: &str = "authorization.k8s.io";

/// `/api` (the core group) or `/apis` (the others).
fn aggregated(core: bool, form: &str) -> Value {
    let items: Vec<Value> = names(core).into_iter().map(group).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{form}"),
        "metadata": {},
        "items": items,
    })
}

fn version(group: &str) -> &'static str {
    let kind = KINDS.iter().find(|kind| kind.group == group);
    kind.map_or("v1", |kind| kind.version)
}

fn list() -> Value {
    let groups: Vec<Value> = (names(false).into_iter())
        .map(|group| {
            let version = version(group);
            let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
            json!({ "name": group, "versions": [version], "preferredVersion": version })
        })
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// The kinds of the group at `/api/v1` or `/apis/GROUP/VERSION`.
fn resources(path: &str) -> Option<Value> {
    let (group, version) = match path.strip_prefix("/apis/") {
        Some(rest) => rest.split_once('/')?,
        None => ("", path.strip_prefix("/api/")?),
    };
    if !names(group.is_empty()).contains(group) || version != self::version(group) {
        return None;
    }
    let mut all = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.group == group) {
        all.push(json!({
            "name": kind.resource,
            "singularName": kind.singular(),
            "namespaced": kind.is_namespaced(),
            "kind": kind.kind,
            "verbs": VERBS,
            "shortNames": kind.short,
        }));
        all.extend(kind.subresources.iter().map(|part| {
            json!({
                "name": format!("{}/{part}", kind.resource),
                "singularName": "",
                "namespaced": kind.is_namespaced(),
                "kind": if *part == "scale" { "Scale" } else { kind.kind },
                "verbs": ["get", "patch", "update"],
            })
        }));
    }
    if group == ACCESS {
        all.push(json!({
            "name": "selfsubjectaccessreviews",
            "singularName": "selfsubjectaccessreview",
            "namespaced": false,
            "kind": "SelfSubjectAccessReview",
            "verbs": ["create"],
        }));
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": all }))
}

const VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];

fn group(group: &str) -> Value {
    let kinds = KINDS.iter().filter(|kind| kind.group == group);
    let mut resources: Vec<Value> = kinds.map(resource).collect();
    let version = version(group);
    if group == ACCESS {
        resources.push(json!({
            "resource": "selfsubjectaccessreviews",
            "responseKind": { "group": group, "version": "v1", "kind": "SelfSubjectAccessReview" },
            "scope": "Cluster",
            "singularResource": "selfsubjectaccessreview",
            "verbs": ["create"],
        }));
    }
    let metadata = if group.is_empty() { json!({}) } else { json!({ "name": group }) };
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
        "verbs": VERBS,
        "subresources": subresources,
    })
}
