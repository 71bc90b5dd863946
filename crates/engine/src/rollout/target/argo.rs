//! `kind: argo`: Argo Rollouts moves the weight, and outlives any terminal. We set the image, let it go on at each step,
//! promote and abort by its resource, and never write a weight: its controller would take it back.

use std::cell::{Cell, RefCell};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::Patch;
use crate::clients::kubectl::object::{Deed, Object, Resource};
use crate::rollout::target::annotated_object::{AnnotatedObject, going};
use crate::rollout::target::deployment::{denied, managed};
use crate::rollout::target::{Finish, Objection, Release, TrafficTarget};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::argo::{
    HALT, POD_HASH, is_halted, is_observed, is_paused, is_unpausing, is_whole, phase, share, steps,
};
use liveops_domain::kubernetes::{deployment, note, owner};
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Percent, Readiness, Reading};

/// The target.
#[derive(Debug)]
pub struct Argo<'a> {
    carrier: AnnotatedObject<'a>,
    container: Option<&'a str>,
    /// The share that the controller was last let go to.
    awaited: Cell<Percent>,
    /// What the pods ran at the version of the Rollout that was read last.
    ran: RefCell<Option<(Value, Digests)>>,
}

impl<'a> Argo<'a> {
    pub fn new(carrier: AnnotatedObject<'a>, container: Option<&'a str>) -> Self {
        Self { carrier, container, awaited: Cell::new(Percent::ZERO), ran: RefCell::default() }
    }

    async fn look(&self) -> Result<Value> {
        let found = self.carrier.look(&[]).await?;
        self.carrier.find(&found).cloned()
    }

    fn reading(&self, rollout: &Value) -> Reading {
        let count = |name: &str| {
            let count = rollout["status"][name].as_u64().unwrap_or(0);
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let available = count("availableReplicas");
        let message = rollout["status"]["message"].as_str().unwrap_or_default();
        let canary = match phase(rollout) {
            "Degraded" => Readiness::Failed { available, why: format!("Argo Rollouts says it is degraded: {message}") },
            "Paused" | "Healthy" => Readiness::Ready { available },
            _ if is_whole(rollout) => Readiness::Ready { available },
            _ => Readiness::Waiting {
                available,
                wanted: count("replicas"),
                why: format!("Argo Rollouts is progressing: {message}"),
            },
        };
        let live = share(rollout);
        // It is where it was let go to, or waits again on its way there, or is through.
        let arrived = !self.awaited.get().exceeds(live) || is_paused(rollout) || is_whole(rollout);
        let held = is_unpausing(rollout) || is_halted(rollout);
        Reading {
            live,
            settled: is_observed(rollout) && !held && arrived,
            stable: Readiness::Ready { available },
            canary,
            version: rollout["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned),
            epoch: note::epoch(rollout),
            writer: owner::of(rollout, &["spec", "template"]).map(ToOwned::to_owned),
            // Between two rollouts the template is what is there.
            stable_image: self.image_of(rollout).filter(|_| is_whole(rollout)),
            canary_image: self.image_of(rollout),
            digests: Digests::default(),
            broken: None,
        }
    }

    /// The image in its template.
    fn image_of(&self, rollout: &Value) -> Option<String> {
        let container = deployment::container(rollout, self.container).ok()?;
        deployment::image(rollout, container).map(ToOwned::to_owned)
    }

    /// May this rollout go forward with what is there? The controller's steps are of whatever is in the template.
    fn admit(&self, rollout: &Value, fence: &Fence) -> Result<()> {
        self.carrier.admit_forward(rollout, None, fence)?;
        let originals = AnnotatedObject::originals(rollout, None);
        self.carrier.refuse_foreign(self.image_of(rollout).as_deref(), originals.as_ref())
    }

    fn place_of_container(&self, rollout: &Value) -> Result<usize> {
        deployment::container(rollout, self.container).map_err(|why| self.carrier.unfit(&why))
    }

    /// Patches it; returns it as it is then.
    async fn patch(
        &self,
        kind: Patch,
        patch: &Value,
        subresource: Option<&str>,
        confirmed: &Confirmed,
    ) -> Result<Value> {
        let after = self.carrier.patch(kind, patch, subresource, confirmed).await?;
        self.carrier.find(&after).cloned()
    }

    /// Sets a part of the status, as the plugin does.
    async fn tell(&self, status: Value, confirmed: &Confirmed) -> Result<Value> {
        let patch = json!({ "status": status });
        self.patch(Patch::Merge, &patch, Some("status"), confirmed).await
    }

    /// The image in the template, where it is another one; one write with what is `also` to be done.
    async fn set_image(
        &self,
        rollout: Value,
        image: Option<&str>,
        also: Option<Value>,
        confirmed: &Confirmed,
    ) -> Result<Value> {
        let mut patch = Vec::new();
        if let Some(image) = image {
            let container = self.place_of_container(&rollout)?;
            let now = deployment::image(&rollout, container).unwrap_or_default();
            if now != image {
                patch = deployment::set_image(container, now, image);
            }
        }
        patch.extend(also);
        if patch.is_empty() {
            return Ok(rollout);
        }
        let patch = Value::Array(patch);
        self.patch(Patch::Json, &patch, None, confirmed).await
    }
}

#[async_trait(?Send)]
impl TrafficTarget for Argo<'_> {
    fn kind(&self) -> &'static str {
        "argo"
    }

    fn annotated(&self) -> Option<(&AnnotatedObject<'_>, &Object)> {
        Some((&self.carrier, &self.carrier.object))
    }

    fn is_delegated(&self) -> bool {
        true
    }

    async fn steps(&self) -> Result<Option<Vec<Percent>>> {
        let rollout = self.look().await?;
        let weights = steps(&rollout).iter().filter_map(|step| step["setWeight"].as_f64());
        let mut weights: Vec<Percent> = weights.filter_map(Percent::new).collect();
        weights.retain(|weight| !weight.is_zero() && !weight.is_about(Percent::FULL));
        weights.push(Percent::FULL);
        Ok(Some(weights))
    }

    async fn read_beside(&self, beside: &[Object]) -> Result<(Reading, Option<Vec<Value>>)> {
        let asked: Vec<&Object> = beside.iter().collect();
        let objects = self.carrier.look(&asked).await?;
        let reading = self.reading(self.carrier.find(&objects)?);
        Ok((reading, Some(objects)))
    }

    async fn digests(&self) -> Result<Digests> {
        let seen = self.carrier.last_read().clone();
        let rollout = self.carrier.find(&seen)?;
        let version = &rollout["metadata"]["resourceVersion"];
        if let Some((known, digests)) = &*self.ran.borrow()
            && known == version
        {
            return Ok(digests.clone());
        }
        let container = self.place_of_container(rollout)?;
        let pods = self.carrier.kubectl.list("pods", Some(&deployment::selector(rollout))).await;
        let pods = pods.map_err(|failure| self.carrier.failed(&failure))?;
        let (name, image) = (deployment::container_name(rollout, container), self.image_of(rollout));
        let of = |hash: &Value| {
            let own = pods.iter().filter(|pod| pod["metadata"]["labels"][POD_HASH] == *hash && hash.is_string());
            deployment::digests(own, name, image.as_deref().unwrap_or_default())
        };
        let (stable, canary) = (&rollout["status"]["stableRS"], &rollout["status"]["currentPodHash"]);
        let stable = if stable == canary { of(stable) } else { Vec::new() };
        let digests = Digests { stable, canary: of(canary) };
        self.ran.replace(Some((version.clone(), digests.clone())));
        Ok(digests)
    }

    async fn originals(&self) -> Result<Originals> {
        let rollout = self.look().await?;
        let container = self.place_of_container(&rollout)?;
        let available = rollout["status"]["availableReplicas"].as_u64().unwrap_or(0);
        Ok(Originals {
            weight: Percent::ZERO,
            stable_available: u32::try_from(available).unwrap_or(u32::MAX),
            stable_image: deployment::image(&rollout, container).map(ToOwned::to_owned),
            release: None,
            canary_image: self.image_of(&rollout),
            stable_digest: None,
            stable_revision: rollout["status"]["stableRS"].as_str().map(ToOwned::to_owned),
            detail: json!({ "container": container, "halt": rollout["spec"][HALT] }),
        })
    }

    async fn preflight(&self) -> Result<Vec<Objection>> {
        let rollout = self.look().await?;
        let kubectl = &self.carrier.kubectl;
        let status = Deed { part: Some("status"), ..Deed::new("patch", Resource::ArgoRollout) };
        let deeds = [Deed::new("patch", Resource::ArgoRollout), status];
        let denied = denied(kubectl, &deeds).await;
        let mut objections = denied.map_err(|failure| self.carrier.failed(&failure))?;
        if !rollout["spec"]["strategy"]["canary"].is_object() {
            objections.push(Objection::rollback_plan(
                true,
                "its strategy is not `canary`, so there are no steps",
                "give the Rollout a canary strategy with steps",
            ));
        }
        if is_halted(&rollout) {
            objections.push(Objection::rollback_plan(
                true,
                "the Rollout is paused by hand (`spec.paused`), so Argo Rollouts would do nothing",
                "set `spec.paused: false`",
            ));
        } else if !is_whole(&rollout) || phase(&rollout) != "Healthy" {
            objections.push(Objection::rollback_plan(
                true,
                format!("Argo Rollouts is in the middle of another version: {}", phase(&rollout)),
                format!("look: `{}`", kubectl.by_hand(&format!("get {} -o yaml", self.carrier.object))),
            ));
        }
        let waits = |step: &Value| step["pause"].is_object() && step["pause"]["duration"].is_null();
        if !steps(&rollout).iter().any(waits) {
            objections.push(Objection::rollback_plan(
                false,
                "none of its steps is `pause: {}`, so it goes on by its own clock, and evidence can only take it back",
                "put `pause: {}` behind each `setWeight`",
            ));
        }
        objections.extend(managed(&rollout));
        Ok(objections)
    }

    async fn prepare(
        &self,
        Release { image, originals, fence }: Release<'_>,
        confirmed: &Confirmed,
    ) -> Result<Reading> {
        let rollout = self.look().await?;
        self.carrier.refuse_foreign(self.image_of(&rollout).as_deref(), Some(originals))?;
        let claimed = self.carrier.hold(&rollout, originals, fence, None, confirmed);
        let rollout = self.carrier.find(&claimed.await?)?.clone();
        let rollout = self.set_image(rollout, Some(image), None, confirmed);
        Ok(self.reading(&rollout.await?))
    }

    async fn set_exposure(&self, percent: Percent, fence: &Fence, confirmed: &Confirmed) -> Result<Reading> {
        let rollout = self.look().await?;
        self.admit(&rollout, fence)?;
        self.awaited.set(percent);
        // The controller is ahead of us or at it: there is nothing to let go.
        if !percent.exceeds(share(&rollout)) || !is_paused(&rollout) {
            return Ok(self.reading(&rollout));
        }
        let version = &rollout["metadata"]["resourceVersion"];
        let patch = json!({
            "metadata": { "resourceVersion": version },
            "status": { "pauseConditions": null },
        });
        let after = self.patch(Patch::Merge, &patch, Some("status"), confirmed);
        Ok(self.reading(&after.await?))
    }

    async fn halt(&self, still: bool, confirmed: &Confirmed) -> Result<Option<String>> {
        let done = self.carrier.halt(HALT, still, confirmed).await?;
        Ok(done.then(|| match still {
            true => "Argo Rollouts stands still: `spec.paused` of its Rollout is true".into(),
            false => "Argo Rollouts goes on by its steps".into(),
        }))
    }

    async fn restore(&self, originals: Option<&Originals>, confirmed: &Confirmed) -> Result<Reading> {
        let mut rollout = self.look().await?;
        let Some(originals) = AnnotatedObject::originals(&rollout, originals) else {
            return Ok(self.reading(&rollout));
        };
        // One that stands still takes its traffic back, and leaves its pods as they are.
        let go_on = match going(&originals.detail) {
            Value::Null => json!({ "op": "remove", "path": "/spec/paused" }),
            value => json!({ "op": "add", "path": "/spec/paused", "value": value }),
        };
        let go_on = is_halted(&rollout).then_some(go_on);
        if self.image_of(&rollout).is_some_and(|image| originals.is_foreign(&image)) {
            // What somebody else released goes its own way; there is nothing left of ours but the note.
            rollout = self.set_image(rollout, None, go_on, confirmed).await?;
            if note::epoch(&rollout).is_some() {
                self.carrier.release(None, confirmed).await?;
            }
            return Ok(Reading { live: Percent::ZERO, ..self.reading(&rollout) });
        }
        let stable = rollout["status"]["stableRS"].as_str().map(ToOwned::to_owned);
        let promoted = originals.stable_revision.is_some() && stable != originals.stable_revision;
        if !promoted && !is_whole(&rollout) && rollout["status"]["abort"] != true {
            rollout = self.tell(json!({ "abort": true }), confirmed).await?;
        }
        // Without the old template it would stay degraded, and the next apply would begin anew.
        let image = originals.stable_image.as_deref();
        rollout = self.set_image(rollout, image, go_on, confirmed).await?;
        if promoted {
            // For the controller the old version is a new canary now: it gets everything without waiting for steps,
            // as soon as it is seen; the controller forgets what it was told before.
            if is_observed(&rollout) && !is_whole(&rollout) && rollout["status"]["promoteFull"] != true {
                rollout = self.tell(json!({ "promoteFull": true }), confirmed).await?;
            }
            let mut reading = self.reading(&rollout);
            reading.live = share(&rollout).rest();
            return Ok(reading);
        }
        if note::epoch(&rollout).is_some() {
            if !is_whole(&rollout) {
                // The note stays until nothing is left to be done: without it nobody could go on from here.
                return Err(Error::Conflict {
                    what: "Argo Rollouts takes the new version away at its next pass".into(),
                    hint: "it is asked again".into(),
                });
            }
            self.carrier.release(None, confirmed).await?;
        }
        Ok(self.reading(&rollout))
    }

    async fn promote(&self, Release { fence, .. }: Release<'_>, confirmed: &Confirmed) -> Result<Reading> {
        let mut rollout = self.look().await?;
        self.admit(&rollout, fence)?;
        if !is_whole(&rollout) {
            let version = &rollout["metadata"]["resourceVersion"];
            let patch = json!({
                "metadata": { "resourceVersion": version },
                "status": { "promoteFull": true },
            });
            let done = self.patch(Patch::Merge, &patch, Some("status"), confirmed);
            rollout = done.await?;
        }
        let mut reading = self.reading(&rollout);
        // From here on the controller finishes by itself.
        reading.live = Percent::FULL;
        Ok(reading)
    }

    async fn finish(&self, Release { image, .. }: Release<'_>, confirmed: &Confirmed) -> Result<Finish> {
        let rollout = self.look().await?;
        let container = self.place_of_container(&rollout)?;
        let same = deployment::image(&rollout, container) == Some(image);
        if !same || !is_whole(&rollout) || phase(&rollout) != "Healthy" {
            return Ok(Finish::Waiting(format!("Argo Rollouts is {}", phase(&rollout))));
        }
        self.carrier.release(None, confirmed).await?;
        Ok(Finish::Done)
    }

    fn undo_by_hand(&self, _originals: Option<&Originals>) -> String {
        let by_hand = |patch: &str| {
            let words = format!("patch {} --type=merge {patch}", self.carrier.object);
            self.carrier.kubectl.by_hand(&words)
        };
        let abort = by_hand("--subresource=status --patch='{\"status\":{\"abort\":true}}'");
        let seen = self.carrier.last_read();
        match self.carrier.find(&seen) {
            Ok(found) if is_halted(found) => {
                let go_on = by_hand("--patch='{\"spec\":{\"paused\":null}}'");
                format!("{abort} && {go_on}")
            }
            _ => abort,
        }
    }
}
