//! Sizes in the cluster: a service's Deployment and its autoscaler, read together; changes with what they expect as
//! precondition.

use serde::Serialize;
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::{Object, Resource};
use crate::clients::kubectl::{Kubectl, Patch};
use crate::config::service::Service;
use crate::session::Session;
use liveops_domain::change::undo::scale::ScaleUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::autoscaler::Bounds;
use liveops_domain::kubernetes::{autoscaler, deployment};

/// The cluster of this environment.
#[derive(Debug)]
pub struct Fleet<'a> {
    kubectl: Kubectl<'a>,
}

/// What was set, and what it was before.
#[derive(Debug, Clone, Serialize)]
pub struct Scaled {
    pub scale: ScaleUndo,
}

/// The size of one service.
#[derive(Debug, Clone, PartialEq)]
pub struct Size {
    pub deployment: String,
    pub replicas: u64,
    pub available: u32,
    pub autoscaler: Option<Bounds>,
}

impl<'a> Fleet<'a> {
    pub fn of(cx: &'a Session) -> Result<Self> {
        Ok(Self { kubectl: crate::session::kubectl(cx)? })
    }

    /// The `kubectl` line with these words, for this cluster and no other.
    pub fn by_hand(&self, words: &str) -> String {
        self.kubectl.by_hand(words)
    }

    /// How large a service is.
    pub async fn size(&self, service: &Service) -> Result<Size> {
        let object = Object::new(Resource::Deployment, service.deployment())?;
        let asked = [object.clone()];
        let (found, scalers) = tokio::join!(self.kubectl.get(&asked), self.kubectl.list(Resource::Hpa.word(), None));
        let failed = |failure: crate::clients::kubectl::failure::Failure| failure.about(&self.kubectl.place(&object));
        let found = found.map_err(failed)?;
        let found = found.first().ok_or_else(|| {
            Error::usage(
                format!("{} does not exist", self.kubectl.place(&object)),
                format!("name the Deployment: `services.{}.workload.deployment` in liveops.yaml", service.name),
            )
        })?;
        let scalers = scalers.map_err(failed)?;
        Ok(Size {
            deployment: object.name.as_str().to_owned(),
            replicas: deployment::replicas(found),
            available: deployment::available(found),
            autoscaler: autoscaler::find(&scalers, object.name.as_str()).and_then(Bounds::of),
        })
    }

    /// Is what the undo reverts still there?
    pub async fn is_as_expected(&self, undo: &ScaleUndo) -> Result<bool> {
        let object = object(undo)?;
        let found = self.kubectl.get(std::slice::from_ref(&object)).await;
        let found = found.map_err(|failure| failure.about(&self.kubectl.place(&object)))?;
        Ok(found.first().is_some_and(|found| match undo {
            ScaleUndo::SetReplicas { expected, .. } => deployment::replicas(found) == *expected,
            ScaleUndo::SetBounds { expected, .. } => Bounds::of(found).as_ref() == Some(expected),
        }))
    }

    /// Sets a size, if it still is what is expected.
    pub async fn apply(&self, change: &ScaleUndo, confirmed: &Confirmed) -> Result<()> {
        let object = object(change)?;
        let set = |path: &str, from: u64, to: u64| {
            [
                json!({ "op": "test", "path": path, "value": from }),
                json!({ "op": "replace", "path": path, "value": to }),
            ]
        };
        let patch: Vec<Value> = match change {
            ScaleUndo::SetReplicas { replicas, expected, .. } => set("/spec/replicas", *expected, *replicas).into(),
            ScaleUndo::SetBounds { bounds, expected, .. } => {
                let least = if expected.min == 1 {
                    // 1 is what it means when it is not set.
                    vec![json!({ "op": "add", "path": "/spec/minReplicas", "value": bounds.min })]
                } else {
                    set("/spec/minReplicas", expected.min, bounds.min).into()
                };
                let most = set("/spec/maxReplicas", expected.max, bounds.max);
                least.into_iter().chain(most).collect()
            }
        };
        let patch = Value::Array(patch);
        let done = self.kubectl.patch(&object, Patch::Json, &patch, None, confirmed);
        done.await.map(drop).map_err(|failure| match failure.about_test(&self.kubectl.place(&object)) {
            Error::Conflict { what, .. } => {
                Error::Conflict { what, hint: "look at it again: `liveops scale status`".into() }
            }
            other => other,
        })
    }
}

fn object(undo: &ScaleUndo) -> Result<Object> {
    match undo {
        ScaleUndo::SetReplicas { deployment, .. } => Object::new(Resource::Deployment, deployment),
        ScaleUndo::SetBounds { bounds, .. } => Object::new(Resource::Hpa, &bounds.name),
    }
}
