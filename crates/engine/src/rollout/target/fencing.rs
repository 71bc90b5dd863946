//! Who may write: the note and the epoch that the object with the weight carries. A newer holder of the lock writes its
//! epoch there before anything else; whatever an older one still has in hand is then refused by its preconditions.

use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::Object;
use crate::clients::kubectl::{Kubectl, Patch};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::note;
use liveops_domain::kubernetes::note::EPOCH;
use liveops_domain::rollout::exposure::Fence;

/// May this rollout write under this epoch? `also` are further objects that carry an epoch.
///
/// # Errors
/// `Conflict`: another rollout, or a newer holder.
pub fn admit(place: &str, carrier: &Value, also: Option<&Value>, fence: &Fence) -> Result<()> {
    let other = note::read(carrier).is_some_and(|note| note.rollout != fence.rollout);
    let epochs = [Some(carrier), also].into_iter().flatten();
    let newest = epochs.filter_map(note::epoch).max();
    if !other && newest.is_none_or(|epoch| epoch <= fence.epoch) {
        return Ok(());
    }
    Err(Error::Conflict {
        what: format!(
            "{place} is held by another rollout or a newer holder of the lock (epoch {})",
            newest.unwrap_or(0)
        ),
        hint: "look at it: `liveops rollout status`".into(),
    })
}

/// As [`admit`], for what gives the canary traffic: the note must be there. Whoever took the rollout back has removed it.
///
/// # Errors
/// `Conflict`.
pub fn admit_forward(place: &str, carrier: &Value, also: Option<&Value>, fence: &Fence) -> Result<()> {
    admit(place, carrier, also, fence)?;
    if note::read(carrier).is_some() {
        return Ok(());
    }
    Err(Error::Conflict {
        what: format!("{place} has lost its undo note: it was rolled back, or somebody replaced it"),
        hint: "look: `liveops rollout status`; go back: `liveops rollout abort`".into(),
    })
}

/// Writes the epoch on an object that an older one stands on, if it is still as it was found. One that no rollout has
/// written on needs none: preparing puts it there.
///
/// # Errors
/// `Conflict` when it was changed meanwhile, or a newer epoch stands there; those of the cluster.
pub async fn claim(
    kubectl: &Kubectl<'_>,
    object: &Object,
    found: &Value,
    fence: &Fence,
    confirmed: &Confirmed,
) -> Result<()> {
    let place = kubectl.place(object);
    admit(&place, found, None, fence)?;
    if note::epoch(found).is_none_or(|epoch| epoch == fence.epoch) {
        return Ok(());
    }
    let patch = json!({ "metadata": {
        "resourceVersion": found["metadata"]["resourceVersion"],
        "annotations": { EPOCH: fence.epoch.to_string() },
    } });
    let done = kubectl.patch(object, Patch::Merge, &patch, None, confirmed);
    done.await.map(drop).map_err(|failure| failure.about(&place))
}
