//! What the gateways say of an HTTPRoute: have they taken it over, and does it reach its backends?

use serde_json::Value;

/// Has every gateway that it names taken over its present generation?
pub fn is_settled(object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_u64().unwrap_or(0);
    let parents = current_parents(object);
    // Several controllers may report on one parent, and one of them may be gone: one that is up to date is enough.
    let is_accepted = |parent: &Value| {
        condition(parent, "Accepted").is_some_and(|accepted| {
            accepted["status"] == "True" && accepted["observedGeneration"].as_u64().unwrap_or(0) >= generation
        })
    };
    let reported_beside = |one: &Value| {
        parents.iter().any(|other| same_parent(&one["parentRef"], &other["parentRef"]) && is_accepted(other))
    };
    parents.iter().all(|one| reported_beside(one))
}

/// What they say does not work of it at its present generation: a backend that cannot be resolved is answered with 500
/// (Gateway API, `ResolvedRefs`).
pub fn broken(object: &Value) -> Option<String> {
    let generation = object["metadata"]["generation"].as_u64().unwrap_or(0);
    current_parents(object).into_iter().find_map(|parent| {
        let resolved = condition(parent, "ResolvedRefs")?;
        let is_current = resolved["observedGeneration"].as_u64().is_none_or(|seen| seen >= generation);
        if resolved["status"] != "False" || !is_current {
            return None;
        }
        let text = |name: &str| resolved[name].as_str().unwrap_or_default();
        let gateway = parent["parentRef"]["name"].as_str().unwrap_or_default();
        Some(format!("gateway {gateway} does not resolve a backend ({}: {})", text("reason"), text("message")))
    })
}

/// What the gateways that the route names say of it. An entry of one that it no longer names is of the past: nobody
/// brings it up to date.
fn current_parents(object: &Value) -> Vec<&Value> {
    let named = object["spec"]["parentRefs"].as_array();
    let parents = object["status"]["parents"].as_array().into_iter().flatten();
    let is_named =
        |parent: &&Value| named.is_none_or(|named| named.iter().any(|one| same_parent(one, &parent["parentRef"])));
    parents.filter(is_named).collect()
}

/// Do both mean the same listener? What is not written has its default: the route's own namespace, any section and port.
fn same_parent(one: &Value, other: &Value) -> bool {
    let same = |name: &str| one[name].is_null() || other[name].is_null() || one[name] == other[name];
    ["name", "namespace", "kind", "sectionName", "port"].into_iter().all(same)
}

fn condition<'a>(parent: &'a Value, kind: &str) -> Option<&'a Value> {
    parent["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}
