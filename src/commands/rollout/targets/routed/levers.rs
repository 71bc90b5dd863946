//! Reads and writes of a routed target: what is asked of the cluster in one go, the fence of a forward write, the two
//! levers of the way back, and the clean-up after it.

use serde_json::{Map, Value, json};

use super::{LEVER, Routed, Telling};
use crate::change::Confirmed;
use crate::clients::kubectl::{Fault, Object, Patch, Resource};
use crate::commands::rollout::target::Target as _;
use crate::commands::rollout::targets::fence;
use crate::commands::rollout::targets::workload::{Detail, Selectors, Workload};
use crate::domain::kubernetes::note::{self, EPOCH};
use crate::domain::kubernetes::{deployment, owner};
use crate::domain::rollout::exposure::{Fence, Originals, Reading};
use crate::error::{Error, Result};

impl Routed<'_> {
    pub(super) fn objects(&self) -> [Object; 3] {
        let Workload { stable, canary, .. } = &self.workload;
        [self.object.clone(), stable.clone(), canary.clone()]
    }

    pub(super) async fn look(&self) -> Result<Vec<Value>> {
        let found = self.workload.kubectl.get(&self.objects()).await;
        let found = found.map_err(|failure| self.workload.failed(&self.object, &failure))?;
        self.seen.replace(found.clone());
        Ok(found)
    }

    /// What was read last, if it is of this version; otherwise it is read again.
    pub(super) async fn known(&self, version: Option<&str>) -> Result<Vec<Value>> {
        let seen = self.seen.borrow().clone();
        let fits = |object: &Value| {
            version.is_none_or(|version| object["metadata"]["resourceVersion"] == version)
        };
        match self.carrier(&seen) {
            Ok(object) if fits(object) => Ok(seen),
            _ => self.look().await,
        }
    }

    pub(super) fn carrier<'o>(&self, objects: &'o [Value]) -> Result<&'o Value> {
        let found = objects.iter().find(|object| self.object.is(object));
        found.ok_or_else(|| self.unfit("it does not exist"))
    }

    pub(super) fn unfit(&self, why: &str) -> Error {
        self.workload.unfit(&self.object, why)
    }

    pub(super) async fn reading(&self, objects: &[Value]) -> Result<Reading> {
        let object = self.carrier(objects)?;
        let live = self.route.share(object).map_err(|why| self.unfit(&why))?;
        let version = object["metadata"]["resourceVersion"].as_str();
        Ok(Reading {
            live,
            settled: self.route.is_settled(object),
            stable: deployment::readiness(self.workload.stable_in(objects)?),
            canary: self.workload.canary_readiness(objects).await?,
            version: version.map(ToOwned::to_owned),
            epoch: note::epoch(object),
            writer: owner::of(object, self.route.field()).map(ToOwned::to_owned),
        })
    }

    /// Puts a changed object in the place of what was read.
    pub(super) fn replace(&self, object: Value) -> Vec<Value> {
        let mut seen = self.seen.borrow_mut();
        seen.retain(|old| !self.object.is(old));
        seen.push(object);
        seen.clone()
    }

    /// May this rollout write under this epoch?
    pub(super) fn admit(&self, object: &Value, fence: &Fence) -> Result<()> {
        fence::admit(&self.place(), object, None, fence)
    }

    /// The preconditions of a forward write, and our epoch where an older one stands.
    pub(super) fn fenced(
        &self,
        object: &Value,
        fence: &Fence,
        mut operations: Vec<Value>,
    ) -> Vec<Value> {
        let version = &object["metadata"]["resourceVersion"];
        let mut patch =
            vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": version })];
        let (path, ours) = (note::pointer(EPOCH), fence.epoch.to_string());
        if let Some(epoch) = note::annotation(object, EPOCH) {
            patch.push(json!({ "op": "test", "path": path, "value": epoch }));
            if epoch != ours {
                operations.push(json!({ "op": "add", "path": path, "value": ours }));
            }
        }
        patch.extend(operations);
        patch
    }

    pub(super) async fn forward(
        &self,
        objects: &[Value],
        operations: Vec<Value>,
        fence: &Fence,
        confirmed: &Confirmed,
    ) -> Result<Reading> {
        let object = self.carrier(objects)?;
        fence::admit_forward(&self.place(), object, None, fence)?;
        let patch = Value::Array(self.fenced(object, fence, operations));
        let kubectl = &self.workload.kubectl;
        let done = kubectl.patch(&self.object, Patch::Json, &patch, None, confirmed);
        let after = done
            .await
            .map_err(|failure| failure.about_test(&self.place()))?;
        let objects = self.replace(after);
        self.reading(&objects).await
    }

    /// The first lever: the weights, whatever the version, within two seconds.
    pub(super) async fn lever(&self, original: &Value, confirmed: &Confirmed) -> Result<()> {
        let kubectl = self.workload.kubectl.within(LEVER);
        let mut objects = self.known(None).await?;
        for fresh in [false, true] {
            if fresh {
                objects = self.look().await?;
            }
            let object = self.carrier(&objects)?;
            let patch = self
                .route
                .back(object, original)
                .map_err(|why| self.unfit(&why))?;
            let patch = Value::Array(patch);
            match kubectl
                .patch(&self.object, Patch::Json, &patch, None, confirmed)
                .await
            {
                Ok(after) => {
                    self.replace(after);
                    return Ok(());
                }
                // The list of backends was changed since it was read.
                Err(failure) if failure.fault == Fault::Invalid && !fresh => {}
                Err(failure) => return Err(failure.about_test(&self.place())),
            }
        }
        Err(self.unfit("its backends change faster than they can be read"))
    }

    /// The second lever, and its undoing: what the canary's Service selects.
    pub(super) async fn redirect(
        &self,
        selectors: &Selectors,
        to: &Value,
        confirmed: &Confirmed,
    ) -> Result<()> {
        let service = Object::new(Resource::Service, &selectors.canary_service)?;
        let kubectl = &self.workload.kubectl;
        let failed = |failure| self.workload.failed(&service, &failure);
        let found = kubectl
            .get(std::slice::from_ref(&service))
            .await
            .map_err(failed)?;
        if found
            .iter()
            .all(|service| service["spec"]["selector"] == *to)
        {
            return Ok(());
        }
        let patch = json!([{ "op": "replace", "path": "/spec/selector", "value": to }]);
        let done = kubectl
            .patch(&service, Patch::Json, &patch, None, confirmed)
            .await;
        done.map(drop).map_err(failed)
    }

    pub(super) async fn services(
        &self,
        objects: &[Value],
    ) -> Result<(Map<String, Value>, Option<Selectors>)> {
        let (stable, canary) = match &self.telling {
            Telling::Labels(labels) => return Ok((labels.clone(), None)),
            Telling::Services { stable, canary } => (Some(stable.clone()), canary.clone()),
            Telling::IngressBackend => {
                let ingress = self.carrier(objects)?;
                let name = ingress
                    .pointer("/spec/rules/0/http/paths/0/backend/service/name")
                    .and_then(Value::as_str)
                    .ok_or_else(|| self.unfit("its first rule has no Service"))?;
                (None, Object::new(Resource::Service, name)?)
            }
        };
        let asked: Vec<Object> = stable.iter().cloned().chain([canary.clone()]).collect();
        let found = self.workload.kubectl.get(&asked).await;
        let found = found.map_err(|failure| self.workload.failed(&canary, &failure))?;
        let selector = |object: &Object| -> Result<Value> {
            let service = found.iter().find(|service| object.is(service));
            let service =
                service.ok_or_else(|| self.workload.unfit(object, "it does not exist"))?;
            Ok(service["spec"]["selector"].clone())
        };
        let of_canary = selector(&canary)?;
        let of_stable = match &stable {
            Some(stable) => selector(stable)?,
            // What selects the stable pods: their own Deployment's selector.
            None => self.workload.stable_in(objects)?["spec"]["selector"]["matchLabels"].clone(),
        };
        let template = &self.workload.stable_in(objects)?["spec"]["template"]["metadata"]["labels"];
        if deployment::selects(&of_canary, template) {
            return Err(self.workload.unfit(
                &canary,
                "it selects the stable pods too: give it a label of its own, such as `track: canary`",
            ));
        }
        let Value::Object(labels) = &of_canary else {
            return Err(self.workload.unfit(&canary, "it has no selector"));
        };
        let mut pods = template.clone();
        if let Some(pods) = pods.as_object_mut() {
            pods.extend(labels.clone());
        }
        if let Some(stable) = &stable
            && deployment::selects(&of_stable, &pods)
        {
            return Err(self.workload.unfit(
                stable,
                "it would select the canary's pods too: add a label that they do not have, such as `track: stable`",
            ));
        }
        let selectors = Selectors {
            canary_service: canary.name.as_str().to_owned(),
            stable: of_stable,
            canary: of_canary.clone(),
        };
        Ok((labels.clone(), Some(selectors)))
    }

    /// Everything but the weights, as it was: canary, autoscaler, selector, annotations.
    pub(super) async fn tidy(
        &self,
        originals: &Originals,
        detail: &Detail,
        confirmed: &Confirmed,
    ) -> Result<()> {
        self.workload.stop(detail, confirmed).await?;
        if let Some(bounds) = &detail.autoscaler {
            let pinned = bounds.floor(u64::from(originals.stable_available));
            self.workload.bound(&pinned, bounds, confirmed).await?;
        }
        let objects = self.known(None).await?;
        let object = self.carrier(&objects)?;
        let mut patch = self
            .route
            .tidy(object, &detail.route)
            .unwrap_or_else(|| json!({}));
        json_merge(&mut patch, note::remove());
        let kubectl = &self.workload.kubectl;
        let done = kubectl.patch(&self.object, Patch::Merge, &patch, None, confirmed);
        let after = done
            .await
            .map_err(|failure| self.workload.failed(&self.object, &failure))?;
        self.replace(after);
        Ok(())
    }
}

/// Merges annotations of two patches.
fn json_merge(patch: &mut Value, other: Value) {
    match (patch, other) {
        (Value::Object(mine), Value::Object(theirs)) => {
            for (name, value) in theirs {
                json_merge(mine.entry(name).or_insert(Value::Null), value);
            }
        }
        (mine, theirs) => *mine = theirs,
    }
}
