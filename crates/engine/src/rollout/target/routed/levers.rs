//! Reads and writes of a routed target: what is asked of the cluster in one go, the fence of a forward write, the two
//! levers of the way back, and the clean-up after it.

use serde_json::{Map, Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::Patch;
use crate::clients::kubectl::failure::Fault;
use crate::clients::kubectl::object::{Object, Resource};
use crate::rollout::target::TrafficTarget as _;
use crate::rollout::target::deployment::{Detail, Workload};
use crate::rollout::target::fallback_lever::FallbackLever;
use crate::rollout::target::routed::{CanaryIdentity, LEVER, Routed};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::note::EPOCH;
use liveops_domain::kubernetes::route::Route;
use liveops_domain::kubernetes::{deployment, note, owner};
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Reading};

impl Routed<'_> {
    pub async fn look(&self) -> Result<Vec<Value>> {
        let Workload { stable, canary, .. } = &self.workload;
        self.carrier.look(&[stable, canary]).await
    }

    /// What was read last, if it is of this version; otherwise it is read again.
    pub async fn known(&self, version: Option<&str>) -> Result<Vec<Value>> {
        let Workload { stable, canary, .. } = &self.workload;
        self.carrier.known(version, &[stable, canary]).await
    }

    pub async fn reading(&self, objects: &[Value]) -> Result<Reading> {
        let object = self.carrier.find(objects)?;
        let live = self.route.share(object).map_err(|why| self.carrier.unfit(&why))?;
        let version = object["metadata"]["resourceVersion"].as_str();
        Ok(Reading {
            live,
            settled: self.route.is_settled(object),
            stable: deployment::readiness(self.workload.stable_in(objects)?),
            canary: self.workload.canary_readiness(objects).await?,
            version: version.map(ToOwned::to_owned),
            epoch: note::epoch(object),
            writer: owner::of(object, self.route.field()).map(ToOwned::to_owned),
            stable_image: self.workload.image_of(self.workload.stable_in(objects).ok()),
            canary_image: self.workload.image_of(self.workload.canary_in(objects)),
            digests: Digests::default(),
            broken: self.route.broken(object),
        })
    }

    /// The preconditions of a forward write, and our epoch where an older one stands.
    fn fenced(&self, object: &Value, fence: &Fence, mut operations: Vec<Value>) -> Vec<Value> {
        let version = &object["metadata"]["resourceVersion"];
        let mut patch = vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": version })];
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

    pub async fn forward(
        &self,
        objects: &[Value],
        operations: Vec<Value>,
        fence: &Fence,
        confirmed: &Confirmed,
    ) -> Result<Reading> {
        let object = self.carrier.find(objects)?;
        self.carrier.admit_forward(object, None, fence)?;
        let patch = Value::Array(self.fenced(object, fence, operations));
        let done = self.carrier.patch(Patch::Json, &patch, None, confirmed);
        self.reading(&done.await?).await
    }

    /// The first lever: the weights, whatever the version, within two seconds.
    async fn lever(&self, original: &Value, confirmed: &Confirmed) -> Result<()> {
        let kubectl = self.carrier.kubectl.within(LEVER);
        let mut objects = self.known(None).await?;
        for fresh in [false, true] {
            if fresh {
                objects = self.look().await?;
            }
            let object = self.carrier.find(&objects)?;
            let patch = self.route.back(object, original);
            let patch = Value::Array(patch.map_err(|why| self.carrier.unfit(&why))?);
            match kubectl.patch(&self.carrier.object, Patch::Json, &patch, None, confirmed).await {
                Ok(after) => {
                    self.carrier.replace(after);
                    return Ok(());
                }
                // The list of backends was changed since it was read.
                Err(failure) if failure.fault == Fault::Invalid && !fresh => {}
                Err(failure) => return Err(failure.about_test(&self.carrier.location())),
            }
        }
        Err(self.carrier.unfit("its backends change faster than they can be read"))
    }

    /// All traffic to the old version: by the first lever, or where that fails by the second. Where a Service itself is
    /// switched, it is the Deployment behind it: its pods become the old version's, a few at a time.
    pub async fn pull(&self, originals: &Originals, detail: &Detail, confirmed: &Confirmed) -> Result<()> {
        let Err(first) = self.lever(&detail.route, confirmed).await else {
            return Ok(());
        };
        let fallback = match (&detail.fallback, &self.route, &originals.stable_image) {
            (Some(fallback), _, _) => match self.redirect(fallback, true, confirmed).await {
                Ok(()) => format!("by the second lever nobody reaches the canary: {}", fallback.done()),
                Err(error) => format!("the second lever fails too: {error}"),
            },
            (None, Route::Selector { .. }, Some(image)) => {
                let canary = &self.workload.canary;
                match self.workload.set_canary(detail, image, confirmed).await {
                    Ok(()) => {
                        format!("by the second lever {canary} returns to {image}, pod by pod")
                    }
                    Err(error) => format!("the second lever, {canary}, fails too: {error}"),
                }
            }
            _ => return Err(first),
        };
        Err(Error::Conflict {
            what: format!("the weight cannot be set back ({first}); {fallback}"),
            hint: format!("set it by hand: `{}`", self.undo_by_hand(None)),
        })
    }

    /// The second lever, and its undoing.
    pub async fn redirect(&self, fallback: &FallbackLever, pulled: bool, confirmed: &Confirmed) -> Result<()> {
        let object = fallback.object()?;
        let kubectl = &self.workload.kubectl;
        let failed = |failure| self.workload.failed(&object, &failure);
        let found = kubectl.get(std::slice::from_ref(&object)).await.map_err(failed)?;
        let turn = |found| fallback.turn(found, pulled);
        let Some(patch) = found.first().and_then(turn) else {
            return Ok(());
        };
        let done = kubectl.patch(&object, Patch::Json, &patch, None, confirmed).await;
        done.map(drop).map_err(failed)
    }

    /// The second lever of subsets: the DestinationRule that says what they mean, where it is clear which one does.
    async fn subset(&self) -> Option<FallbackLever> {
        let Route::Istio { stable, canary, .. } = &self.route else {
            return None;
        };
        let word = Resource::DestinationRule.word();
        // Without the permission to look it is as if there were none; the preflight says so.
        let rules = self.workload.kubectl.list(word, None).await.ok()?;
        let (old, new) = (stable.1.as_deref()?, canary.1.as_deref()?);
        FallbackLever::subset(&rules, &stable.0, old, new)
    }

    pub async fn services(&self, objects: &[Value]) -> Result<(Map<String, Value>, Option<FallbackLever>)> {
        let (stable, canary) = match &self.canary_identity {
            CanaryIdentity::Labels(labels) => {
                self.told_apart(objects)?;
                return Ok((labels.clone(), self.subset().await));
            }
            CanaryIdentity::Services { stable, canary } => (Some(stable.clone()), canary.clone()),
            CanaryIdentity::IngressBackend => {
                let ingress = self.carrier.find(objects)?;
                let name = ingress
                    .pointer("/spec/rules/0/http/paths/0/backend/service/name")
                    .and_then(Value::as_str)
                    .ok_or_else(|| self.carrier.unfit("its first rule has no Service"))?;
                (None, Object::new(Resource::Service, name)?)
            }
        };
        let asked: Vec<Object> = stable.iter().cloned().chain([canary.clone()]).collect();
        let found = self.workload.kubectl.get(&asked).await;
        let found = found.map_err(|failure| self.workload.failed(&canary, &failure))?;
        let selector = |object: &Object| -> Result<Value> {
            let service = found.iter().find(|service| object.is(service));
            let service = service.ok_or_else(|| self.workload.unfit(object, "it does not exist"))?;
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
        let fallback = FallbackLever::Service {
            canary_service: canary.name.as_str().to_owned(),
            stable: of_stable,
            canary: of_canary.clone(),
        };
        Ok((labels.clone(), Some(fallback)))
    }

    /// Where the Service itself is switched, the stable pods must have the labels that mean them: it is narrowed to those
    /// before the canary starts.
    fn told_apart(&self, objects: &[Value]) -> Result<()> {
        let Route::Selector { stable, .. } = &self.route else {
            return Ok(());
        };
        let template = &self.workload.stable_in(objects)?["spec"]["template"]["metadata"]["labels"];
        let wanted = Value::Object(stable.clone());
        if deployment::selects(&wanted, template) {
            return Ok(());
        }
        let why = format!("its pods lack {wanted}, by which they differ from the new ones: add it");
        Err(self.workload.unfit(&self.workload.stable, &why))
    }

    /// Everything but the weights, as it was: canary, autoscaler, selector, annotations.
    pub async fn tidy(&self, originals: &Originals, detail: &Detail, confirmed: &Confirmed) -> Result<()> {
        self.workload.stop(detail, confirmed).await?;
        if let Some(bounds) = &detail.autoscaler {
            let pinned = bounds.floor(u64::from(originals.stable_available));
            self.workload.bound(&pinned, bounds, confirmed).await?;
        }
        let objects = self.known(None).await?;
        let rest = self.route.tidy(self.carrier.find(&objects)?, &detail.route);
        self.carrier.release(rest, confirmed).await
    }
}
