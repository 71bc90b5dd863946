//! What liveops writes on the object that carries the weight: the epoch of the lock, and the undo note, from which
//! alone a rollback can be done.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::rollout::exposure::Originals;

/// Epoch of the lock under which the object was last written.
pub const EPOCH: &str = "liveops.dev/epoch";

/// The undo note.
const UNDO: &str = "liveops.dev/undo";

/// The undo note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Id of the rollout.
    pub rollout: String,
    pub originals: Originals,
}

/// The epoch on an object.
pub fn epoch(object: &Value) -> Option<u64> {
    annotation(object, EPOCH)?.parse().ok()
}

/// The note on an object.
pub fn read(object: &Value) -> Option<Note> {
    serde_json::from_str(annotation(object, UNDO)?).ok()
}

/// The merge patch that puts both on an object.
pub fn put(note: &Note, epoch: u64) -> Value {
    let text = serde_json::to_string(note).unwrap_or_default();
    json!({ "metadata": { "annotations": { EPOCH: epoch.to_string(), UNDO: text } } })
}

/// The merge patch that takes both away.
pub fn remove() -> Value {
    json!({ "metadata": { "annotations": { EPOCH: null, UNDO: null } } })
}

/// An annotation's text.
pub fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

/// The JSON pointer of an annotation (RFC 6901 escapes).
pub fn pointer(name: &str) -> String {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    format!("/metadata/annotations/{escaped}")
}
