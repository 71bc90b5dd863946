//! `kind: replicas`: two Deployments behind one Service; the share of the traffic is that of the pods. Stable keeps its
//! size N, the canary grows beside it (c = round(N·w / (100 − w)), never more than N), and at 100 % stable leaves the
//! Service. The way back is one patch of the Service's selector, where a label tells the two apart; then the canary goes.
//! So the shares between 50 % and 100 % do not exist here: they would need many times the capacity.
//!
//! A Service balances connections, not requests: long-lived ones stay where they are.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::Patch;
use crate::clients::kubectl::object::{Object, Resource};
use crate::rollout::target::annotated_object::AnnotatedObject;
use crate::rollout::target::deployment::{Detail, Workload};
use crate::rollout::target::{Finish, Objection, Release, TrafficTarget, fencing};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::note::EPOCH;
use liveops_domain::kubernetes::{deployment, note, owner};
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Percent, Readiness, Reading};
use liveops_domain::text::shell;

/// The target. The Service carries the note, since its selector is the lever.
#[derive(Debug)]
pub struct Replicas<'a> {
    pub service: AnnotatedObject<'a>,
    pub workload: Workload<'a>,
    pub labels: Map<String, Value>,
}

/// Pods of the canary that give it about this share beside `stable` pods; never none of something.
fn pods(percent: Percent, stable: u64) -> u64 {
    let share = percent.get();
    if percent.is_zero() {
        return 0;
    }
    if percent.is_about(Percent::FULL) {
        return stable.max(1);
    }
    let count = (stable as f64 * share / (100.0 - share)).round();
    (count as u64).clamp(1, stable.max(1))
}

/// What [`pods`] comes to, in words.
fn arithmetic(percent: Percent, stable: u64) -> String {
    let canary = pods(percent, stable);
    let real = Percent::of(whole(canary), whole(stable + canary));
    let comes_to = format!("{canary} new beside {stable} old instances is {real}");
    let share = percent.get();
    let wanted = stable as f64 * share / (100.0 - share);
    if wanted > canary as f64 + 0.5 {
        return format!(
            "{percent} would take {wanted:.0} new instances beside the {stable} old ones. The old ones stay, for the way back, and there are never more new ones than old: {comes_to}, and after that comes 100%"
        );
    }
    comes_to
}

fn whole(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Replicas<'_> {
    async fn look(&self) -> Result<Vec<Value>> {
        let Workload { stable, canary, .. } = &self.workload;
        self.service.look(&[stable, canary]).await
    }

    /// What was read last, if the Service is of the fence's version; otherwise it is read again.
    async fn known(&self, fence: &Fence) -> Result<Vec<Value>> {
        let Workload { stable, canary, .. } = &self.workload;
        let version = fence.version.as_deref();
        self.service.known(version, &[stable, canary]).await
    }

    /// Who gets traffic, by the Service's selector: stable, canary.
    fn selected(&self, objects: &[Value]) -> Result<[bool; 2]> {
        let selector = &self.service.find(objects)?["spec"]["selector"];
        let stable = &self.workload.stable_in(objects)?["spec"]["template"]["metadata"]["labels"];
        let mut canary = stable.clone();
        if let Some(labels) = canary.as_object_mut() {
            labels.extend(self.labels.clone());
        }
        Ok([stable, &canary].map(|labels| deployment::selects(selector, labels)))
    }

    fn share(&self, objects: &[Value]) -> Result<Percent> {
        let wanted = |object: Option<&Value>| object.map_or(0, deployment::replicas);
        let canary = wanted(self.workload.canary_in(objects));
        let stable = wanted(Some(self.workload.stable_in(objects)?));
        Ok(match self.selected(objects)? {
            [true, true] => Percent::of(whole(canary), whole(stable + canary)),
            [false, true] => Percent::FULL,
            [_, false] => Percent::ZERO,
        })
    }

    async fn reading(&self, objects: &[Value]) -> Result<Reading> {
        let service = self.service.find(objects)?;
        let mut canary = self.workload.canary_readiness(objects).await?;
        let made = self.workload.canary_in(objects).is_some();
        // Where no label keeps its pods out of the Service, it has none before its first share.
        if made && canary == Readiness::Absent && self.narrow(objects, &service["spec"]["selector"])?.is_none() {
            canary = Readiness::Ready { available: 0 };
        }
        let manager = self.workload.canary_in(objects).and_then(|canary| owner::of(canary, &["spec", "replicas"]));
        Ok(Reading {
            live: self.share(objects)?,
            settled: !matches!(canary, Readiness::Waiting { .. }),
            stable: deployment::readiness(self.workload.stable_in(objects)?),
            canary,
            version: service["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned),
            epoch: note::epoch(service),
            writer: manager.map(ToOwned::to_owned),
            stable_image: self.workload.image_of(self.workload.stable_in(objects).ok()),
            canary_image: self.workload.image_of(self.workload.canary_in(objects)),
            digests: Digests::default(),
            broken: None,
        })
    }

    /// The canary carries the epoch too: its size is the weight.
    fn admit(&self, objects: &[Value], fence: &Fence) -> Result<()> {
        let service = self.service.find(objects)?;
        let canary = self.workload.canary_in(objects);
        self.service.admit(service, canary, fence)
    }

    /// The selector that leaves the canary out, by a label of the stable pods that the canary's lack.
    fn narrow(&self, objects: &[Value], selector: &Value) -> Result<Option<Value>> {
        let stable = &self.workload.stable_in(objects)?["spec"]["template"]["metadata"]["labels"];
        let mine = |(name, _): &(&String, &Value)| {
            let own = &stable[name.as_str()];
            own.is_string() && *own != self.labels[name.as_str()]
        };
        let Some((name, _)) = self.labels.iter().find(mine) else {
            return Ok(None);
        };
        let mut narrowed = selector.clone();
        narrowed[name] = stable[name.as_str()].clone();
        Ok(Some(narrowed))
    }

    async fn select(&self, to: &Value, confirmed: &Confirmed) -> Result<()> {
        let patch = json!([{ "op": "replace", "path": "/spec/selector", "value": to }]);
        let done = self.service.patch(Patch::Json, &patch, None, confirmed);
        done.await.map(drop)
    }

    /// The selector of the canary alone: for the time in which it has everything.
    fn only_canary(&self, selector: &Value) -> Value {
        let mut only = selector.clone();
        if let Some(only) = only.as_object_mut() {
            only.extend(self.labels.clone());
        }
        only
    }
}

#[async_trait(?Send)]
impl TrafficTarget for Replicas<'_> {
    fn kind(&self) -> &'static str {
        "replicas"
    }

    fn annotated(&self) -> Option<(&AnnotatedObject<'_>, &Object)> {
        Some((&self.service, &self.workload.stable))
    }

    fn effective(&self, percent: Percent, originals: Option<&Originals>) -> Percent {
        let detail = originals.and_then(|originals| Detail::of(originals).ok());
        let seen = self.service.last_read();
        let stable = detail.map(|detail| detail.replicas).or_else(|| {
            let stable = self.workload.stable_in(&seen).ok()?;
            Some(deployment::replicas(stable))
        });
        match stable {
            Some(_) if percent.is_about(Percent::FULL) => percent,
            Some(stable) => {
                let canary = pods(percent, stable);
                Percent::of(whole(canary), whole(stable + canary))
            }
            None => percent,
        }
    }

    fn arithmetic(&self, percent: Percent, originals: &Originals) -> Option<String> {
        let stable = Detail::of(originals).ok()?.replicas;
        Some(arithmetic(percent, stable))
    }

    async fn read_beside(&self, beside: &[Object]) -> Result<(Reading, Option<Vec<Value>>)> {
        let Workload { stable, canary, .. } = &self.workload;
        let asked: Vec<&Object> = [stable, canary].into_iter().chain(beside).collect();
        let objects = self.service.look(&asked).await?;
        Ok((self.reading(&objects).await?, Some(objects)))
    }

    async fn digests(&self) -> Result<Digests> {
        let seen = self.service.last_read().clone();
        self.workload.digests(&seen).await
    }

    async fn originals(&self) -> Result<Originals> {
        let objects = self.look().await?;
        let selector = self.service.find(&objects)?["spec"]["selector"].clone();
        if self.selected(&objects)? != [true, true] {
            let why = format!(
                "its selector {selector} must fit the pods of both Deployments: leave out the label that tells them apart"
            );
            return Err(self.service.unfit(&why));
        }
        let share = self.share(&objects)?;
        let labels = self.labels.clone();
        self.workload.originals(&objects, selector, labels, None, share).await
    }

    async fn preflight(&self) -> Result<Vec<Objection>> {
        let objects = self.look().await?;
        let carrier = Resource::Service;
        let mut objections = self.workload.objections(&objects, carrier).await?;
        let selector = &self.service.find(&objects)?["spec"]["selector"];
        if self.narrow(&objects, selector)?.is_none() {
            objections.push(Objection::rollback_plan(false, "no label of the stable pods tells them from the canary's, so the way back is to delete the canary instead of one patch of the Service", "give the stable pod template a label such as `track: stable`"));
        }
        Ok(objections)
    }

    async fn prepare(
        &self,
        Release { image, originals, fence }: Release<'_>,
        confirmed: &Confirmed,
    ) -> Result<Reading> {
        let detail = Detail::of(originals)?;
        let objects = self.known(fence).await?;
        self.admit(&objects, fence)?;
        let service = self.service.find(&objects)?;
        // The canary must not get traffic yet, and its first pod would: the Service leaves it out until then.
        let narrowed = self.narrow(&objects, &detail.route)?;
        let fits_both = service["spec"]["selector"] == detail.route;
        let narrow = narrowed.as_ref().filter(|_| fits_both);
        let narrow = narrow.map(|narrowed| json!({ "spec": { "selector": narrowed } }));
        self.service.hold(service, originals, fence, narrow, confirmed).await?;
        if let Some(bounds) = &detail.autoscaler {
            let pinned = bounds.pinned(detail.replicas);
            self.workload.bound(bounds, &pinned, confirmed).await?;
        }
        // Without such a label it starts with its first pod's share, at the first step.
        let size = u64::from(narrowed.is_some());
        self.workload.start(&objects, &detail, image, size, confirmed).await?;
        // How the canary comes up is seen at the next look.
        self.reading(&objects).await
    }

    async fn claim(&self, fence: &Fence, confirmed: &Confirmed) -> Result<()> {
        let objects = self.look().await?;
        let kubectl = &self.workload.kubectl;
        let service = self.service.find(&objects)?;
        fencing::claim(kubectl, &self.service.object, service, fence, confirmed).await?;
        // A size that an older holder wants is refused there.
        match self.workload.canary_in(&objects) {
            Some(canary) => fencing::claim(kubectl, &self.workload.canary, canary, fence, confirmed).await,
            None => Ok(()),
        }
    }

    async fn set_exposure(&self, percent: Percent, fence: &Fence, confirmed: &Confirmed) -> Result<Reading> {
        let objects = self.look().await?;
        let service = self.service.find(&objects)?;
        let canary = self.workload.canary_in(&objects);
        self.service.admit_forward(service, canary, fence)?;
        let canary = canary.ok_or_else(|| self.workload.unfit(&self.workload.canary, "it does not exist"))?;
        let Some(note) = note::read(service) else {
            return Err(Error::internal("a note that was there is not"));
        };
        let detail = Detail::of(&note.originals)?;
        let wanted = pods(percent, detail.replicas);
        let version = &canary["metadata"]["resourceVersion"];
        let (path, ours) = (note::pointer(EPOCH), fence.epoch.to_string());
        let mut patch = vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": version })];
        if canary["metadata"]["annotations"].is_object() {
            patch.push(json!({ "op": "add", "path": path, "value": ours }));
        } else {
            let only = json!({ EPOCH: ours });
            patch.push(json!({ "op": "add", "path": "/metadata/annotations", "value": only }));
        }
        patch.push(json!({ "op": "replace", "path": "/spec/replicas", "value": wanted }));
        self.workload.apply(&self.workload.canary, patch, confirmed).await?;
        // With everything on the canary, stable stays as it is, outside the Service.
        let full = percent.is_about(Percent::FULL);
        let available = u64::from(deployment::available(canary));
        // Before it has the pods for that, it gets what it can carry; the promotion asks again.
        let selector = if full && available >= detail.replicas.max(1) {
            self.only_canary(&detail.route)
        } else {
            detail.route.clone()
        };
        if service["spec"]["selector"] != selector {
            let version = &service["metadata"]["resourceVersion"];
            let patch = vec![
                json!({ "op": "test", "path": "/metadata/resourceVersion", "value": version }),
                json!({ "op": "replace", "path": "/spec/selector", "value": selector }),
            ];
            let patch = Value::Array(patch);
            let done = self.service.patch(Patch::Json, &patch, None, confirmed);
            done.await?;
        }
        let objects = self.look().await?;
        self.reading(&objects).await
    }

    async fn restore(&self, originals: Option<&Originals>, confirmed: &Confirmed) -> Result<Reading> {
        let objects = self.look().await?;
        let service = self.service.find(&objects)?;
        let Some(originals) = AnnotatedObject::originals(service, originals) else {
            // Nothing of ours is here: what runs beside it is somebody else's.
            return self.reading(&objects).await;
        };
        let detail = Detail::of(&originals)?;
        // Either lever alone takes the canary out of the traffic; the second one is to end it.
        let first = match self.narrow(&objects, &detail.route)? {
            Some(narrowed) => self.select(&narrowed, confirmed).await.err(),
            None => None,
        };
        if first.is_some() || self.narrow(&objects, &detail.route)?.is_none() {
            self.workload.stop(&detail, confirmed).await?;
        }
        self.workload.keep(&objects, &originals, &detail, confirmed).await?;
        self.workload.stop(&detail, confirmed).await?;
        if let Some(bounds) = &detail.autoscaler {
            let pinned = bounds.pinned(detail.replicas);
            self.workload.bound(&pinned, bounds, confirmed).await?;
        }
        // Where no pod of the canary is left, the Service may fit both again.
        self.workload.is_gone(&objects, &detail).await?;
        let mut widened = detail.route.clone();
        for name in self.labels.keys() {
            if detail.route.get(name).is_none() {
                widened[name] = Value::Null;
            }
        }
        let widen = json!({ "spec": { "selector": widened } });
        let released = self.service.release(Some(widen), confirmed).await;
        if let (Some(first), Err(_)) = (&first, &released) {
            return Err(Error::Conflict {
                what: format!("the Service cannot be patched ({first}); by the second lever the canary is gone"),
                hint: "ask for the permission, and abort again: `liveops rollout abort`".into(),
            });
        }
        released?;
        let objects = self.look().await?;
        self.reading(&objects).await
    }

    async fn finish(&self, Release { image, originals, fence }: Release<'_>, confirmed: &Confirmed) -> Result<Finish> {
        let detail = Detail::of(originals)?;
        let objects = self.known(fence).await?;
        self.admit(&objects, fence)?;
        let adopted = self.workload.adopt(&objects, (originals, &detail), image, confirmed);
        if let Some(why) = adopted.await? {
            return Ok(Finish::Waiting(why));
        }
        // Both have the new version: the Service takes both, then the canary goes.
        if self.service.find(&objects)?["spec"]["selector"] != detail.route {
            self.select(&detail.route, confirmed).await?;
        }
        self.workload.stop(&detail, confirmed).await?;
        if let Some(bounds) = &detail.autoscaler {
            let pinned = bounds.pinned(detail.replicas);
            self.workload.bound(&pinned, bounds, confirmed).await?;
        }
        self.service.release(None, confirmed).await?;
        Ok(Finish::Done)
    }

    fn undo_by_hand(&self, originals: Option<&Originals>) -> String {
        let _ = originals;
        let words = format!("scale {} --replicas=0", shell::word(&self.workload.canary.to_string()));
        self.workload.kubectl.by_hand(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arithmetic_is_said_in_words() {
        let said = |percent, stable| arithmetic(Percent::new(percent).unwrap(), stable);
        assert_eq!(said(5.0, 4), "1 new beside 4 old instances is 20%");
        assert_eq!(said(50.0, 4), "4 new beside 4 old instances is 50%");
        assert_eq!(
            said(75.0, 4),
            "75% would take 12 new instances beside the 4 old ones. The old ones stay, for the way back, and there are never more new ones than old: 4 new beside 4 old instances is 50%, and after that comes 100%"
        );
    }

    #[test]
    fn the_canary_grows_beside_stable() {
        for (percent, stable, canary) in
            [(0.0, 10, 0), (5.0, 10, 1), (25.0, 3, 1), (50.0, 4, 4), (75.0, 4, 4), (95.0, 2, 2), (100.0, 4, 4)]
        {
            let percent = Percent::new(percent).unwrap();
            assert_eq!(pods(percent, stable), canary, "{percent} of {stable}");
        }
    }
}
