//! The object that a rollout holds while it runs: HTTPRoute, VirtualService, Ingress, Service, Rollout, Canary. It carries
//! the undo note and the epoch of the lock, so that anybody can go back from it alone, and no older holder can go on.

use std::cell::{Ref, RefCell};

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::failure::Failure;
use crate::clients::kubectl::object::Object;
use crate::clients::kubectl::{Kubectl, MANAGER, Patch};
use crate::clock::Clock;
use crate::rollout::target::{Notice, fencing};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::note::Note;
use liveops_domain::kubernetes::{note, owner};
use liveops_domain::rollout::exposure::{Fence, Originals};

/// Tries of a write whose object a controller changes meanwhile.
const TRIES: u32 = 5;

/// The object, and what was read last.
#[derive(Debug)]
pub struct AnnotatedObject<'a> {
    pub kubectl: Kubectl<'a>,
    pub object: Object,
    clock: Clock,
    /// This object and those that were read with it: the next patch is made for them.
    last_read: RefCell<Vec<Value>>,
}

impl<'a> AnnotatedObject<'a> {
    pub fn new(kubectl: Kubectl<'a>, object: Object, clock: Clock) -> Self {
        Self { kubectl, object, clock, last_read: RefCell::default() }
    }

    /// Where it is, for messages.
    pub fn location(&self) -> String {
        self.kubectl.place(&self.object)
    }

    /// The error for a cluster that says no.
    pub fn failed(&self, failure: &Failure) -> Error {
        failure.about(&self.location())
    }

    /// The error for an object that is not as it is configured.
    pub fn unfit(&self, why: &str) -> Error {
        unfit(&self.location(), why)
    }

    /// Reads it, and these with it.
    pub async fn look(&self, others: &[&Object]) -> Result<Vec<Value>> {
        let others = others.iter().map(|object| (*object).clone());
        let asked: Vec<Object> = [self.object.clone()].into_iter().chain(others).collect();
        let found = self.kubectl.get(&asked).await;
        let found = found.map_err(|failure| self.failed(&failure))?;
        self.last_read.replace(found.clone());
        Ok(found)
    }

    /// What was read last, if it is of this version; otherwise it is read again.
    pub async fn known(&self, version: Option<&str>, others: &[&Object]) -> Result<Vec<Value>> {
        let seen = self.last_read.borrow().clone();
        let fits = |object: &Value| version.is_none_or(|version| object["metadata"]["resourceVersion"] == version);
        match self.find(&seen) {
            Ok(object) if fits(object) => Ok(seen),
            _ => self.look(others).await,
        }
    }

    /// What was read last.
    pub fn last_read(&self) -> Ref<'_, Vec<Value>> {
        self.last_read.borrow()
    }

    /// It, among these.
    pub fn find<'o>(&self, objects: &'o [Value]) -> Result<&'o Value> {
        let found = objects.iter().find(|object| self.object.is(object));
        found.ok_or_else(|| self.unfit("it does not exist"))
    }

    /// Puts it, as a write left it, in the place of what was read.
    pub fn replace(&self, object: Value) -> Vec<Value> {
        let mut seen = self.last_read.borrow_mut();
        seen.retain(|old| !self.object.is(old));
        seen.push(object);
        seen.clone()
    }

    /// May this rollout write under this epoch? `also` is a further object that carries an epoch.
    ///
    /// # Errors
    /// `Conflict`: another rollout holds it, or a newer holder of the lock.
    pub fn admit(&self, found: &Value, also: Option<&Value>, fence: &Fence) -> Result<()> {
        fencing::admit(&self.location(), found, also, fence)
    }

    /// The same, for what gives the canary traffic.
    ///
    /// # Errors
    /// `Conflict`; also where the note is gone.
    pub fn admit_forward(&self, found: &Value, also: Option<&Value>, fence: &Fence) -> Result<()> {
        fencing::admit_forward(&self.location(), found, also, fence)
    }

    /// Refuses to go forward with, or to write over, what somebody else released. `now` is what is there.
    ///
    /// # Errors
    /// `Conflict`.
    pub fn refuse_foreign(&self, now: Option<&str>, originals: Option<&Originals>) -> Result<()> {
        match (now, originals) {
            (Some(image), Some(originals)) if originals.is_foreign(image) => Err(Error::Conflict {
                what: format!("{} has {image}, which somebody else released meanwhile", self.location()),
                hint: "look: `liveops rollout status`; leave it as it is: `liveops rollout abort`".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Writes our epoch where an older one stands.
    ///
    /// # Errors
    /// `Conflict`; those of the cluster.
    pub async fn claim(&self, fence: &Fence, confirmed: &Confirmed) -> Result<()> {
        // What was read last stays: the way back may go by it.
        let found = self.kubectl.get(std::slice::from_ref(&self.object)).await;
        let found = found.map_err(|failure| self.failed(&failure))?;
        fencing::claim(&self.kubectl, &self.object, self.find(&found)?, fence, confirmed).await
    }

    /// Puts the note and the epoch on it, before anything else is changed: from then on anybody can go back. `extra` is
    /// a merge patch that belongs into the same write.
    ///
    /// # Errors
    /// `Conflict` when it was changed since it was read; those of the cluster.
    pub async fn hold(
        &self,
        found: &Value,
        originals: &Originals,
        fence: &Fence,
        extra: Option<Value>,
        confirmed: &Confirmed,
    ) -> Result<Vec<Value>> {
        self.admit(found, None, fence)?;
        let note = Note { rollout: fence.rollout.clone(), originals: originals.clone() };
        if note::read(found).as_ref() == Some(&note) && note::epoch(found) == Some(fence.epoch) {
            return Ok(self.last_read.borrow().clone());
        }
        let mut patch = note::put(&note, fence.epoch);
        patch["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"].clone();
        merge(&mut patch, extra.unwrap_or_else(|| json!({})));
        self.patch(Patch::Merge, &patch, None, confirmed).await
    }

    /// Takes note and epoch off it. `extra` is a merge patch that belongs into the same write.
    pub async fn release(&self, extra: Option<Value>, confirmed: &Confirmed) -> Result<()> {
        let mut patch = note::remove();
        merge(&mut patch, extra.unwrap_or_else(|| json!({})));
        let done = self.patch(Patch::Merge, &patch, None, confirmed).await;
        done.map(drop)
    }

    /// Has its controller stand still by this field of the spec, or go on; false where no rollout holds it, so that there is
    /// nothing to halt.
    ///
    /// # Errors
    /// `Conflict` when it changes too fast, or the field does not stay; those of the cluster.
    pub async fn halt(&self, field: &str, still: bool, confirmed: &Confirmed) -> Result<bool> {
        let is_so = |object: &Value| (object["spec"][field] == true) == still;
        for _ in 0..TRIES {
            let objects = self.look(&[]).await?;
            let found = self.find(&objects)?;
            let Some(note) = note::read(found) else {
                return Ok(false);
            };
            if is_so(found) {
                return Ok(true);
            }
            let value = match still {
                true => json!(true),
                false => going(&note.originals.detail),
            };
            let patch = json!({
                "metadata": { "resourceVersion": found["metadata"]["resourceVersion"] },
                "spec": { field: value },
            });
            match self.patch(Patch::Merge, &patch, None, confirmed).await {
                Ok(after) if is_so(self.find(&after)?) => return Ok(true),
                // Its controller writes its status all the time.
                Ok(_) | Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict {
            what: format!("{}: `spec.{field}` cannot be set, it changes too fast", self.location()),
            hint: "try again".into(),
        })
    }

    /// Patches it; returns everything as it is then, as far as it is known.
    ///
    /// # Errors
    /// `Conflict` when a precondition does not hold, naming who wrote last; those of the cluster.
    pub async fn patch(
        &self,
        kind: Patch,
        patch: &Value,
        subresource: Option<&str>,
        confirmed: &Confirmed,
    ) -> Result<Vec<Value>> {
        let done = self.kubectl.patch(&self.object, kind, patch, subresource, confirmed);
        let error = match done.await {
            Ok(after) => return Ok(self.replace(after)),
            Err(failure) if kind == Patch::Json => failure.about_test(&self.location()),
            Err(failure) => self.failed(&failure),
        };
        let Error::Conflict { what, hint } = error else {
            return Err(error);
        };
        let now = self.kubectl.get(std::slice::from_ref(&self.object)).await;
        let now = now.unwrap_or_default();
        let by = now.first().and_then(|now| owner::rival(now, MANAGER));
        let what = match by {
            Some(by) => format!("{what}; the last other writer is `{by}`"),
            None => what,
        };
        Err(Error::Conflict { what, hint })
    }

    /// What a way back goes to: what is remembered, else what the note says.
    pub fn originals(found: &Value, known: Option<&Originals>) -> Option<Originals> {
        let noted = || note::read(found).map(|note| note.originals);
        known.cloned().or_else(noted)
    }

    /// Events about a workload: what `kubectl describe` shows of a rollout, which finds them by the uid. Each has a name
    /// of its own, so that one that is posted twice is there once.
    pub fn events(&self, workload: &Object, about: &[Notice]) -> Vec<Value> {
        let seen = self.last_read();
        let found = seen.iter().find(|object| workload.is(object));
        let found = found.cloned().unwrap_or_default();
        let now = self.clock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let event = |notice: &Notice| {
            json!({
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": { "name": format!("{}.{:016x}", workload.name, notice.id) },
                "involvedObject": {
                    "apiVersion": found["apiVersion"].as_str().unwrap_or_default(),
                    "kind": workload.resource.kind(),
                    "name": workload.name.as_str(),
                    "namespace": self.kubectl.namespace(),
                    "uid": found["metadata"]["uid"].as_str().unwrap_or_default(),
                },
                "type": "Normal",
                "reason": "Rollout",
                "message": notice.text,
                "source": { "component": MANAGER },
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            })
        };
        about.iter().map(event).collect()
    }
}

/// The error for an object that is not as it is configured.
pub fn unfit(place: &str, why: &str) -> Error {
    Error::usage(format!("{place}: {why}"), "correct the object, or `rollout.traffic` in liveops.yaml")
}

/// What the field that halts a controller was while it went, if it was there at all.
pub fn going(detail: &Value) -> Value {
    let known = [&detail["halt"], &detail["route"]["halt"]];
    let known = known.into_iter().find(|value| **value == false);
    known.cloned().unwrap_or_default()
}

/// One merge patch of two.
fn merge(patch: &mut Value, other: Value) {
    match (patch, other) {
        (Value::Object(mine), Value::Object(theirs)) => {
            for (name, value) in theirs {
                merge(mine.entry(name).or_insert(Value::Null), value);
            }
        }
        (mine, theirs) => *mine = theirs,
    }
}
