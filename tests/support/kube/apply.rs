//! Server-side apply: a manager says all that it wants of an object; what it wanted before and no longer says goes away,
//! and what others manage is refused unless it is forced. A list belongs to one manager as a whole, as those without
//! keys do.

use serde_json::{Map, Value};

use super::managed::{applied_by, leaves, others};
use super::refusal::Refusal;
use super::store::{State, Write};

/// Of the body of such a PATCH.
pub(super) const CONTENT_TYPE: &str = "application/apply-patch+yaml";

/// Applies a configuration; true when the object is new.
pub(super) fn apply(
    state: &mut State,
    write: &Write<'_>,
    config: &Value,
    force: bool,
) -> Result<(Value, bool), Refusal> {
    let write = Write { applied: Some(config), ..*write };
    let uid = config["metadata"].get("uid");
    let Ok(old) = state.get(write.kind, write.namespace, write.name).cloned() else {
        if let Some(uid) = uid {
            return Err(Refusal::no_such_uid(write.kind, write.name, uid));
        }
        // A version is no precondition for an object that is not there.
        let mut object = config.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("resourceVersion");
        }
        return state.create(&write, object).map(|object| (object, true));
    };
    if uid.is_some_and(|uid| *uid != old["metadata"]["uid"]) {
        let what = "field is immutable";
        return Err(Refusal::invalid(write.kind, write.name, "metadata.uid", what));
    }
    let wanted = leaves(config);
    let mut owners = Vec::new();
    for (manager, paths) in others(&old, write.manager) {
        let taken = paths.iter().filter(|path| wanted.contains(*path) && at(&old, path) != at(config, path));
        owners.extend(taken.map(|path| (manager.clone(), path.join(".").replace("f:", ""))));
    }
    if !force && !owners.is_empty() {
        return Err(Refusal::managed(write.kind, write.name, &owners));
    }
    let mut object = old.clone();
    for path in applied_by(&old, write.manager).difference(&wanted) {
        remove(&mut object, path);
    }
    merge(&mut object, config);
    state.update(&write, object).map(|object| (object, false))
}

fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |inner, name| inner.get(name.strip_prefix("f:").unwrap_or(name)))
}

fn remove(object: &mut Value, path: &[String]) {
    let Some((last, above)) = path.split_last() else {
        return;
    };
    let name = |name: &String| name.strip_prefix("f:").unwrap_or(name).to_owned();
    let place = above.iter().try_fold(object, |inner, part| inner.get_mut(name(part)));
    if let Some(Value::Object(members)) = place {
        members.shift_remove(&name(last));
    }
}

fn merge(object: &mut Value, config: &Value) {
    let (Value::Object(members), Value::Object(wanted)) = (&mut *object, config) else {
        *object = config.clone();
        return;
    };
    for (name, value) in wanted {
        let mine = members.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
        merge(mine, value);
    }
}
