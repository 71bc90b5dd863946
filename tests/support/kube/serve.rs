//! From HTTP to the store and back: paths, verbs, lists with selectors, the scale subresource.

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use super::apply;
use super::discovery;
use super::kinds::Kind;
use super::patch;
use super::refusal::Refusal;
use super::store::{Store, Write};
use super::watch::{flag, watch};
use crate::support::http::Request;
use crate::support::stub::Answer;
use crate::support::wire::Wire;

/// The annotation of a pod with what its containers have logged.
pub(crate) const LOG: &str = "tests/log";

/// What a path means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) kind: &'static Kind,
    /// Empty for all.
    pub(crate) namespace: &'a str,
    /// Empty for the collection.
    pub(crate) name: &'a str,
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
}

impl<'a> Place<'a> {
    /// `/apis/apps/v1/namespaces/game/deployments/x/scale`.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let mut words = path.trim_matches('/').split('/');
        let (group, version) = match words.next()? {
            "api" => ("", words.next()?),
            "apis" => (words.next()?, words.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = words.collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let [resource, rest @ ..] = rest else {
            return None;
        };
        Some(Self {
            kind: Kind::find(group, version, resource)?,
            namespace,
            name: rest.first().copied().unwrap_or_default(),
            subresource: rest.get(1).copied().unwrap_or_default(),
        })
    }

    /// The verb of RBAC.
    pub(crate) fn verb(&self, method: &str) -> &'static str {
        match (method, self.name) {
            ("GET", "") => "list",
            ("GET", _) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", _) => "delete",
            _ => "unknown",
        }
    }
}

/// Answers one request.
pub(crate) fn serve(store: &Arc<Store>, request: &Request, wire: &mut Wire) -> io::Result<u16> {
    let answer = match request.path.trim_end_matches('/') {
        "/version" => Answer::json(json!({ "major": "1", "minor": "32", "gitVersion": "v1.32.0" })),
        "/readyz" => Answer::text("ok"),
        path => match Place::of(path) {
            Some(place) if flag(request, "watch") == Some(true) => return watch(store, &place, request, wire),
            Some(place) => handle(store, &place, request).unwrap_or_else(|no| refuse(&no)),
            None => discovery::answer(request).unwrap_or_else(|| refuse(&Refusal::no_such_path())),
        },
    };
    wire.send(&answer.bytes())?;
    Ok(answer.status)
}

/// The answer that says no.
pub(crate) fn refuse(no: &Refusal) -> Answer {
    Answer::json(no.status()).status(no.code)
}

fn handle(store: &Store, place: &Place<'_>, request: &Request) -> Result<Answer, Refusal> {
    let kind = place.kind;
    let manager = manager(request);
    let write = Write {
        kind,
        namespace: place.namespace,
        name: place.name,
        manager: &manager,
        subresource: place.subresource,
        applied: None,
    };
    if !place.subresource.is_empty() && !kind.subresources.contains(&place.subresource) {
        return Err(Refusal::no_such_path());
    }
    let mut state = store.lock();
    let dry = request.param("dryRun").is_some();
    let body = || {
        serde_json::from_slice::<Value>(&request.body)
            .map_err(|error| Refusal::bad_request(&format!("the body is no JSON: {error}")))
    };
    let answer = match (request.method.as_str(), place.name) {
        ("GET", "") => {
            let items: Vec<&Value> = (state.list(kind.resource, place.namespace).into_iter())
                .filter(|object| selected(object, request))
                .collect();
            Answer::json(json!({
                "apiVersion": kind.api_version(),
                "kind": format!("{}List", kind.kind),
                "metadata": { "resourceVersion": state.version().to_string() },
                "items": items,
            }))
        }
        ("GET", name) => {
            let object = state.get(kind, place.namespace, name)?;
            match place.subresource {
                "scale" => Answer::json(scale(object)),
                "log" => Answer::text(object["metadata"]["annotations"][LOG].as_str().unwrap_or_default()),
                _ => Answer::json(object.clone()),
            }
        }
        ("POST", "") => {
            let object = body()?;
            let name = object["metadata"]["name"].as_str().map(ToOwned::to_owned);
            let name = name.unwrap_or_else(|| {
                let prefix = object["metadata"]["generateName"].as_str().unwrap_or("object-");
                format!("{prefix}{:05x}", state.version() + 1)
            });
            let write = Write { name: &name, ..write };
            let created = if dry { object } else { state.create(&write, object)? };
            Answer::json(created).status(201)
        }
        ("PATCH", _) if request.header("content-type") == Some(apply::CONTENT_TYPE) => {
            let force = request.param("force").is_some_and(|force| force == "true");
            let (object, created) = apply::apply(&mut state, &write, &body()?, force)?;
            Answer::json(object).status(if created { 201 } else { 200 })
        }
        ("PUT" | "PATCH", name) => {
            let old = state.get(kind, place.namespace, name)?.clone();
            let before = if place.subresource == "scale" { scale(&old) } else { old.clone() };
            let mut after = if request.method == "PUT" {
                body()?
            } else {
                let content = request.header("content-type").unwrap_or_default();
                patch::apply(&before, content, &request.body, kind.custom)?
            };
            if place.subresource == "scale" {
                let replicas = after["spec"]["replicas"].clone();
                let version = after["metadata"]["resourceVersion"].clone();
                after = old;
                after["spec"]["replicas"] = replicas;
                after["metadata"]["resourceVersion"] = version;
            }
            if dry {
                return Ok(Answer::json(after));
            }
            let subresource = if place.subresource == "status" { "status" } else { "" };
            let updated = state.update(&Write { subresource, ..write }, after)?;
            Answer::json(if place.subresource == "scale" { scale(&updated) } else { updated })
        }
        ("DELETE", name) if !name.is_empty() => Answer::json(state.delete(&write)?),
        _ => {
            return Err(Refusal {
                code: 405,
                reason: "MethodNotAllowed",
                message: "the server does not allow this method on the requested resource".into(),
                details: json!({}),
            });
        }
    };
    drop(state);
    if request.method != "GET" {
        store.notify();
    }
    Ok(answer)
}

/// Who writes: as it says, or its program's name.
fn manager(request: &Request) -> String {
    request.param("fieldManager").unwrap_or_else(|| {
        let agent = request.header("user-agent").unwrap_or("unknown");
        agent.split('/').next().unwrap_or("unknown").to_owned()
    })
}

fn scale(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let selector = object["spec"]["selector"]["matchLabels"].as_object();
    let pairs: Vec<String> = (selector.into_iter().flatten())
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": object["spec"]["replicas"] },
        "status": { "replicas": object["status"]["replicas"].as_u64().unwrap_or(0), "selector": pairs.join(",") },
    })
}

/// `labelSelector` (equality, `in`, existence) and `fieldSelector` (equality).
pub(crate) fn selected(object: &Value, request: &Request) -> bool {
    let labels = &object["metadata"]["labels"];
    let by_label = request.param("labelSelector").is_none_or(|selector| {
        terms(&selector).iter().all(|term| {
            if let Some((name, values)) = term.split_once(" in ") {
                let values = values.trim_matches(['(', ')']).split(',');
                return values.map(str::trim).any(|value| labels[name] == value);
            }
            if let Some((name, value)) = term.split_once("!=") {
                return labels[name] != value;
            }
            match term.split_once('=') {
                Some((name, value)) => labels[name] == value.trim_start_matches('='),
                None => labels.get(term).is_some(),
            }
        })
    });
    let by_field = request.param("fieldSelector").is_none_or(|selector| {
        terms(&selector).iter().all(|term| {
            let (path, value) = term.split_once('=').unwrap_or((term, ""));
            let pointer = format!("/{}", path.replace('.', "/"));
            let found = object.pointer(&pointer).and_then(Value::as_str);
            found.unwrap_or_default() == value.trim_start_matches('=')
        })
    });
    by_label && by_field
}

/// Splits at commas outside parentheses.
fn terms(selector: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut deep = false;
    for letter in selector.chars() {
        deep = letter == '(' || (deep && letter != ')');
        if letter == ',' && !deep {
            terms.push(String::new());
        } else if let Some(last) = terms.last_mut() {
            last.push(letter);
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}
