//! Kubernetes Events on the workload: what `kubectl describe` shows of a rollout.

use serde_json::json;

use crate::change::Confirmed;
use crate::clients::kubectl::{Kubectl, MANAGER, Object};
use crate::error::Result;

/// Posts these, in one run.
///
/// # Errors
/// Those of the cluster; nobody waits for an Event.
pub(super) async fn post(
    kubectl: &Kubectl<'_>,
    workload: &Object,
    texts: &[String],
    confirmed: &Confirmed,
) -> Result<()> {
    let event = |text: &String| {
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": format!("{}.{:016x}", workload.name, fastrand::u64(..)) },
            "involvedObject": {
                "apiVersion": "apps/v1",
                "kind": workload.resource.kind(),
                "name": workload.name.as_str(),
                "namespace": kubectl.namespace(),
            },
            "type": "Normal",
            "reason": "Rollout",
            "message": text,
            "source": { "component": MANAGER },
            "count": 1,
        })
    };
    let events: Vec<_> = texts.iter().map(event).collect();
    let all = json!({ "apiVersion": "v1", "kind": "List", "items": events });
    let done = kubectl.create(&all, confirmed).await;
    done.map(drop)
        .map_err(|failure| failure.about(&kubectl.place(workload)))
}
