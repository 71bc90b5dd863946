//! The objects of the stand-in: versions, conflicts, generations, subresources, and the log that watches follow.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::controller::Image;
use super::defaults;
use super::kinds::Kind;
use super::managed::{self, By};
use super::refusal::Refusal;
use super::schema;

/// Where an object lives: plural, namespace, name.
pub(crate) type Key = (&'static str, String, String);

/// Something that happened to an object.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) key: Key,
    /// Nothing, where it was created.
    pub(crate) before: Option<Value>,
    /// Nothing, where it was deleted.
    pub(crate) after: Option<Value>,
}

/// Everything behind the lock.
#[derive(Debug, Default)]
pub(crate) struct State {
    version: u64,
    pub(crate) objects: BTreeMap<Key, Value>,
    pub(crate) events: Vec<Event>,
    /// How containers of an image behave; the others become ready.
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) stopped: bool,
}

/// The objects, and what waits for their change.
#[derive(Debug, Default)]
pub(crate) struct Store {
    state: Mutex<State>,
    changed: Condvar,
}

/// How a write is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// `kubectl-patch`, `liveops`.
    pub(crate) manager: &'a str,
    /// Empty, or `status`.
    pub(crate) subresource: &'a str,
    /// The whole configuration of a server-side apply.
    pub(crate) applied: Option<&'a Value>,
}

impl Write<'_> {
    fn by(&self) -> By<'_> {
        By { manager: self.manager, status: self.subresource == "status", applied: self.applied }
    }

    fn key(&self) -> Key {
        (self.kind.resource, self.namespace.to_owned(), self.name.to_owned())
    }
}

impl Store {
    /// The state; whatever is done with it is one transaction.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait, after a change.
    pub(crate) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until there is something after `version`, it is stopped, or `limit` has passed.
    pub(crate) fn wait(&self, version: u64, limit: Duration) -> MutexGuard<'_, State> {
        let state = self.lock();
        let unchanged = |state: &mut State| state.version <= version && !state.stopped;
        self.changed.wait_timeout_while(state, limit, unchanged).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// The version of the newest change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Result<&Value, Refusal> {
        self.objects
            .get(&(kind.resource, namespace.to_owned(), name.to_owned()))
            .ok_or_else(|| Refusal::not_found(kind, name))
    }

    /// The objects of a kind; an empty namespace means all.
    pub(crate) fn list(&self, resource: &str, namespace: &str) -> Vec<&Value> {
        let here = |(key, _): &(&Key, &Value)| key.0 == resource && (namespace.is_empty() || key.1 == namespace);
        let found = self.objects.iter().filter(here);
        found.map(|(_, object)| object).collect()
    }

    /// POST.
    pub(crate) fn create(&mut self, write: &Write<'_>, mut object: Value) -> Result<Value, Refusal> {
        let (kind, key) = (write.kind, write.key());
        if object["metadata"].get("resourceVersion").is_some_and(|version| version != "") {
            return Err(Refusal::bad_request("resourceVersion should not be set on objects to be created"));
        }
        let namespaces = Kind::of("namespaces");
        if kind.is_namespaced() {
            self.get(namespaces, "", write.namespace)?;
        }
        if self.objects.contains_key(&key) {
            return Err(Refusal::already_exists(kind, write.name));
        }
        if kind.subresources.contains(&"status")
            && let Some(members) = object.as_object_mut()
        {
            members.shift_remove("status");
        }
        defaults::fill(kind, &mut object);
        validate(kind, write.name, None, &object)?;
        let at = now();
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.kind);
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(write.name);
        if kind.is_namespaced() {
            metadata["namespace"] = json!(write.namespace);
        }
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.version + 1));
        metadata["creationTimestamp"] = json!(at);
        if kind.generation {
            metadata["generation"] = json!(1);
        }
        managed::record(None, &mut object, write.by(), &at);
        Ok(self.put(key, object))
    }

    /// PUT, and what a patch comes to.
    pub(crate) fn update(&mut self, write: &Write<'_>, mut object: Value) -> Result<Value, Refusal> {
        let kind = write.kind;
        let old = self.get(kind, write.namespace, write.name)?.clone();
        let version = &object["metadata"]["resourceVersion"];
        if version.as_str().is_some_and(|version| !version.is_empty()) && *version != old["metadata"]["resourceVersion"]
        {
            return Err(Refusal::conflict(kind, write.name));
        }
        let status = write.subresource == "status";
        if status {
            let mut whole = old.clone();
            whole["status"] = object["status"].clone();
            object = whole;
        } else if kind.subresources.contains(&"status") {
            match old.get("status") {
                Some(status) => object["status"] = status.clone(),
                None => drop(object.as_object_mut().and_then(|members| members.shift_remove("status"))),
            }
        }
        for fixed in ["uid", "creationTimestamp", "generation", "resourceVersion", "managedFields"] {
            if let Some(value) = old["metadata"].get(fixed) {
                object["metadata"][fixed] = value.clone();
            }
        }
        defaults::fill(kind, &mut object);
        validate(kind, write.name, Some(&old), &object)?;
        if object == old {
            return Ok(old);
        }
        let without = |object: &Value| {
            let mut rest = object.clone();
            if let Some(members) = rest.as_object_mut() {
                members.shift_remove("metadata");
                members.shift_remove("status");
            }
            rest
        };
        if kind.generation && without(&old) != without(&object) {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(1);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        managed::record(Some(&old), &mut object, write.by(), &now());
        Ok(self.put(write.key(), object))
    }

    /// DELETE; what it owned goes with it.
    pub(crate) fn delete(&mut self, write: &Write<'_>) -> Result<Value, Refusal> {
        let object = self.objects.remove(&write.key()).ok_or_else(|| Refusal::not_found(write.kind, write.name))?;
        self.version += 1;
        self.log(write.key(), Some(object.clone()), None);
        let uid = object["metadata"]["uid"].clone();
        let owned = |(_, child): &(&Key, &Value)| child["metadata"]["ownerReferences"][0]["uid"] == uid;
        let children: Vec<Key> = self.objects.iter().filter(owned).map(|(key, _)| key.clone()).collect();
        for (resource, namespace, name) in children {
            let kind = Kind::of(resource);
            let child = Write { kind, namespace: &namespace, name: &name, ..*write };
            drop(self.delete(&child));
        }
        Ok(object)
    }

    fn put(&mut self, key: Key, mut object: Value) -> Value {
        // Empty maps are left out of what the server stores.
        for map in ["labels", "annotations"] {
            if object["metadata"][map].as_object().is_some_and(serde_json::Map::is_empty)
                && let Some(metadata) = object["metadata"].as_object_mut()
            {
                metadata.shift_remove(map);
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let before = self.objects.insert(key.clone(), object.clone());
        self.log(key, before, Some(object.clone()));
        object
    }

    fn log(&mut self, key: Key, before: Option<Value>, after: Option<Value>) {
        self.events.push(Event { version: self.version, key, before, after });
    }
}

fn validate(kind: &Kind, name: &str, old: Option<&Value>, object: &Value) -> Result<(), Refusal> {
    for map in ["labels", "annotations"] {
        let values = object["metadata"][map].as_object();
        if values.is_some_and(|values| values.values().any(|value| !value.is_string())) {
            return Err(Refusal::bad_request(&format!(
                "{} in version \"{}\" cannot be handled as a {}: json: cannot unmarshal into Go struct field ObjectMeta.metadata.{map} of type string",
                kind.kind, kind.version, kind.kind
            )));
        }
    }
    if let Some(refusal) = limits(kind, name, object) {
        return Err(refusal);
    }
    if kind.custom
        && let Some((field, what)) = schema::refuse(&schema::of(kind.resource), object, "")
    {
        return Err(Refusal::invalid(kind, name, &field, &what));
    }
    if kind.resource == "deployments" {
        let spec = &object["spec"];
        let selector = spec["selector"]["matchLabels"].as_object();
        let labels = &spec["template"]["metadata"]["labels"];
        let selects = selector.is_some_and(|selector| {
            !selector.is_empty() && selector.iter().all(|(label, value)| labels[label] == *value)
        });
        if !selects {
            let what = "`selector` does not match template `labels`";
            return Err(Refusal::invalid(kind, name, "spec.template.metadata.labels", what));
        }
        if old.is_some_and(|old| old["spec"]["selector"] != spec["selector"]) {
            return Err(Refusal::invalid(kind, name, "spec.selector", "field is immutable"));
        }
        if spec["replicas"].as_i64().is_some_and(|replicas| replicas < 0) {
            let what = "must be greater than or equal to 0";
            return Err(Refusal::invalid(kind, name, "spec.replicas", what));
        }
    }
    Ok(())
}

/// What has a size or a form: annotations (256 KiB in all), ConfigMaps (1 MiB of values), MicroTime, bounds, the place of Events.
fn limits(kind: &Kind, name: &str, object: &Value) -> Option<Refusal> {
    let names = |map: &Value| -> usize {
        let entries = map.as_object().into_iter().flatten();
        entries.map(|(name, _)| name.len()).sum()
    };
    let values = |map: &Value| -> usize {
        let entries = map.as_object().into_iter().flatten();
        let values = entries.filter_map(|(_, value)| value.as_str());
        values.map(str::len).sum()
    };
    let no = |field: &str, what: &str| Some(Refusal::invalid(kind, name, field, what));
    let annotations = &object["metadata"]["annotations"];
    if names(annotations) + values(annotations) > 256 << 10 {
        return no("metadata.annotations", "Too long: may not be more than 262144 bytes");
    }
    let spec = &object["spec"];
    match kind.resource {
        "configmaps" if values(&object["data"]) > 1 << 20 => no("[]", "Too long: may not be more than 1048576 bytes"),
        "leases" => {
            let seconds = spec["leaseDurationSeconds"].as_i64();
            if seconds.is_some_and(|seconds| seconds <= 0) {
                return no("spec.leaseDurationSeconds", "must be greater than 0");
            }
            let micro = |text: &str| {
                let fraction = text.split_once('.').map(|(_, rest)| rest);
                fraction.is_some_and(|rest| rest.find(|letter: char| !letter.is_ascii_digit()) == Some(6))
            };
            let times = ["acquireTime", "renewTime"].map(|time| spec[time].as_str());
            let wrong = times.into_iter().flatten().find(|text| !micro(text))?;
            Some(Refusal::bad_request(&format!(
                "Lease in version \"v1\" cannot be handled as a Lease: parsing time \"{wrong}\" as \"2006-01-02T15:04:05.000000Z07:00\""
            )))
        }
        "horizontalpodautoscalers" => {
            let least = spec["minReplicas"].as_u64().unwrap_or(1);
            if least == 0 {
                return no("spec.minReplicas", "must be greater than or equal to 1");
            }
            let most = spec["maxReplicas"].as_u64().unwrap_or(0);
            let what = "must be greater than or equal to `minReplicas`";
            (most < least).then(|| Refusal::invalid(kind, name, "spec.maxReplicas", what))
        }
        "events" => {
            let (own, about) = (&object["metadata"]["namespace"], &object["involvedObject"]["namespace"]);
            let same = own.is_null() || own == about;
            (!same).then(|| Refusal::invalid(kind, name, "involvedObject.namespace", "does not match event.namespace"))
        }
        _ => None,
    }
}

/// Now, as the API server writes it.
pub(crate) fn now() -> String {
    DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Secs, true)
}
