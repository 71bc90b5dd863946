//! What liveops writes on the object that carries the weight: the epoch of the lock, and the undo note, from which
//! alone a rollback can be done.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::rollout::exposure::Originals;

/// Epoch of the lock under which the object was last written.
pub(crate) const EPOCH: &str = "liveops.dev/epoch";
/// The undo note.
pub(crate) const UNDO: &str = "liveops.dev/undo";

/// The undo note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Id of the rollout.
    pub(crate) rollout: String,
    pub(crate) originals: Originals,
}

/// The epoch on an object.
pub(crate) fn epoch(object: &Value) -> Option<u64> {
    annotation(object, EPOCH)?.parse().ok()
}

/// The note on an object.
pub(crate) fn read(object: &Value) -> Option<Note> {
    serde_json::from_str(annotation(object, UNDO)?).ok()
}

/// The merge patch that puts both on an object.
pub(crate) fn put(note: &Note, epoch: u64) -> Value {
    let text = serde_json::to_string(note).unwrap_or_default();
    json!({ "metadata": { "annotations": { EPOCH: epoch.to_string(), UNDO: text } } })
}

/// The merge patch that takes both away.
pub(crate) fn remove() -> Value {
    json!({ "metadata": { "annotations": { EPOCH: null, UNDO: null } } })
}

/// An annotation's text.
pub(crate) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

/// The JSON pointer of an annotation (RFC 6901 escapes).
pub(crate) fn pointer(name: &str) -> String {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    format!("/metadata/annotations/{escaped}")
}
