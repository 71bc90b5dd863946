//! `kind: flagger`: Flagger moves the weight by its own analysis, and outlives any terminal. We set the image of its
//! target and watch; the only way back before its own verdict is its `rollback` webhook, so without one it is refused.

use std::cell::Cell;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::Patch;
use crate::clients::kubectl::object::{Deed, Object, Resource};
use crate::rollout::target::annotated_object::{AnnotatedObject, going};
use crate::rollout::target::deployment::{Workload, denied, managed};
use crate::rollout::target::{Finish, Objection, Release, TrafficTarget};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::flagger::{HALT, Stage, gate, is_halted, is_running, record, share, stage};
use liveops_domain::kubernetes::{deployment, flagger, note};
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Percent, Readiness, Reading};

/// The target. `workload.stable` is the Deployment that Flagger watches.
#[derive(Debug)]
pub struct Flagger<'a> {
    carrier: AnnotatedObject<'a>,
    workload: Workload<'a>,
    /// The share that is waited for.
    awaited: Cell<Percent>,
}

impl<'a> Flagger<'a> {
    pub fn new(carrier: AnnotatedObject<'a>, workload: Workload<'a>) -> Self {
        Self { carrier, workload, awaited: Cell::new(Percent::ZERO) }
    }

    async fn look(&self) -> Result<Vec<Value>> {
        self.carrier.look(&[&self.workload.stable]).await
    }

    fn reading(&self, objects: &[Value]) -> Result<Reading> {
        let canary = self.carrier.find(objects)?;
        let available = deployment::available(self.workload.stable_in(objects)?);
        let phase = canary["status"]["phase"].as_str().unwrap_or("Initializing");
        let waiting = |why: String| Readiness::Waiting { available, wanted: 1, why };
        let live = share(canary);
        let stage = stage(canary);
        Ok(Reading {
            live,
            // It has come as far as is waited for, or to an end.
            settled: !is_halted(canary) && (!self.awaited.get().exceeds(live) || stage == Stage::Failed),
            // The primary that Flagger keeps is its own matter.
            stable: Readiness::Ready { available: available.max(1) },
            canary: match stage {
                Stage::Failed => Readiness::Failed { available, why: "Flagger's analysis failed".into() },
                Stage::Unseen => waiting(
                    "Flagger has not begun; it does so at its next tick, and never with a spec that has just failed"
                        .into(),
                ),
                Stage::Idle if phase == "Initializing" => waiting("Flagger initializes".into()),
                Stage::Analysis if live.is_zero() && available == 0 => waiting("Flagger scales its target up".into()),
                _ => Readiness::Ready { available },
            },
            version: canary["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned),
            epoch: note::epoch(canary),
            writer: None,
            // Between two analyses the target is what was promoted.
            stable_image: self
                .target_image(objects)
                .filter(|_| matches!(stage, Stage::Idle | Stage::Succeeded) && !is_running(canary)),
            canary_image: self.target_image(objects),
            digests: Digests::default(),
            broken: None,
        })
    }

    /// The image of the Deployment that it watches.
    fn target_image(&self, objects: &[Value]) -> Option<String> {
        self.workload.image_of(self.workload.stable_in(objects).ok())
    }

    async fn turn(&self, path: &str, canary: &Value, confirmed: &Confirmed) -> Result<()> {
        let name = &canary["metadata"]["name"];
        let body = json!({ "name": name, "namespace": canary["metadata"]["namespace"] });
        let done = self.carrier.kubectl.post_raw(path, &body, confirmed).await;
        done.map_err(|failure| self.carrier.failed(&failure))
    }

    async fn close(&self, canary: &Value, confirmed: &Confirmed) -> Result<()> {
        match gate(canary) {
            Some((_, close)) => self.turn(&close, canary, confirmed).await,
            None => Ok(()),
        }
    }

    /// The image of the target, where it is another one.
    async fn set_image(&self, objects: &[Value], image: &str, confirmed: &Confirmed) -> Result<()> {
        let target = self.workload.stable_in(objects)?;
        let container = deployment::container(target, self.workload.container)
            .map_err(|why| self.workload.unfit(&self.workload.stable, &why))?;
        let now = deployment::image(target, container).unwrap_or_default();
        if now == image {
            return Ok(());
        }
        let patch = deployment::set_image(container, now, image);
        self.workload.apply(&self.workload.stable, patch, confirmed).await
    }

    async fn skip(&self, skip: &Value, confirmed: &Confirmed) -> Result<()> {
        let patch = json!({ "spec": { "skipAnalysis": skip } });
        let done = self.carrier.patch(Patch::Merge, &patch, None, confirmed);
        done.await.map(drop)
    }

    /// What is there, where this rollout may still go forward with it.
    async fn admitted(&self, fence: &Fence) -> Result<Vec<Value>> {
        let objects = self.look().await?;
        let canary = self.carrier.find(&objects)?;
        self.carrier.admit_forward(canary, None, fence)?;
        let originals = AnnotatedObject::originals(canary, None);
        self.carrier.refuse_foreign(self.target_image(&objects).as_deref(), originals.as_ref())?;
        Ok(objects)
    }

    /// Has its ticks do something again, once what they are to do is said.
    async fn go_on(&self, canary: &Value, originals: &Originals, confirmed: &Confirmed) -> Result<()> {
        if is_halted(canary) {
            let patch = json!({ "spec": { HALT: going(&originals.detail) } });
            let done = self.carrier.patch(Patch::Merge, &patch, None, confirmed);
            done.await?;
        }
        Ok(())
    }

    /// The old version again, after the new one was promoted: Flagger promotes it without an analysis.
    async fn promote_back(&self, objects: &[Value], originals: &Originals, confirmed: &Confirmed) -> Result<Reading> {
        let canary = self.carrier.find(objects)?;
        let (image, was) = (originals.stable_image.as_deref().unwrap_or_default(), &originals.detail["route"]["skip"]);
        let primary = self.primary_image(objects).await?;
        if primary.as_deref() == Some(image) && canary["status"]["phase"] == "Succeeded" {
            if canary["spec"]["skipAnalysis"] != *was {
                self.skip(was, confirmed).await?;
            }
            if note::epoch(canary).is_some() {
                self.carrier.release(None, confirmed).await?;
            }
            let mut reading = self.reading(objects)?;
            reading.live = Percent::ZERO;
            return Ok(reading);
        }
        if canary["spec"]["skipAnalysis"] != true {
            self.skip(&json!(true), confirmed).await?;
        }
        self.set_image(objects, image, confirmed).await?;
        self.go_on(canary, originals, confirmed).await?;
        Err(Error::Conflict {
            what: format!("Flagger makes {image} its primary again at its next ticks, without an analysis"),
            hint: "it is asked again".into(),
        })
    }

    /// The image that has the traffic between two analyses: that of `<target>-primary`.
    async fn primary_image(&self, objects: &[Value]) -> Result<Option<String>> {
        let name = format!("{}-primary", self.workload.stable.name);
        let object = Object::new(Resource::Deployment, &name)?;
        let found = self.carrier.kubectl.get(std::slice::from_ref(&object)).await;
        let found = found.map_err(|failure| self.workload.failed(&object, &failure))?;
        let container = deployment::container(self.workload.stable_in(objects)?, self.workload.container)
            .map_err(|why| self.workload.unfit(&self.workload.stable, &why))?;
        let image = found.first().and_then(|primary| deployment::image(primary, container));
        Ok(image.map(ToOwned::to_owned))
    }
}

#[async_trait(?Send)]
impl TrafficTarget for Flagger<'_> {
    fn kind(&self) -> &'static str {
        "flagger"
    }

    fn annotated(&self) -> Option<(&AnnotatedObject<'_>, &Object)> {
        Some((&self.carrier, &self.workload.stable))
    }

    fn is_delegated(&self) -> bool {
        true
    }

    async fn steps(&self) -> Result<Option<Vec<Percent>>> {
        let objects = self.look().await?;
        Ok(Some(flagger::steps(self.carrier.find(&objects)?)))
    }

    async fn read_beside(&self, beside: &[Object]) -> Result<(Reading, Option<Vec<Value>>)> {
        let asked: Vec<&Object> = [&self.workload.stable].into_iter().chain(beside).collect();
        let objects = self.carrier.look(&asked).await?;
        Ok((self.reading(&objects)?, Some(objects)))
    }

    /// Those of its target; the primary is made from it by Flagger, which compares no digests.
    async fn digests(&self) -> Result<Digests> {
        let seen = self.carrier.last_read().clone();
        let canary = self.workload.digests_of(&seen, &self.workload.stable).await?;
        Ok(Digests { canary, stable: Vec::new() })
    }

    async fn originals(&self) -> Result<Originals> {
        let objects = self.look().await?;
        let route = record(self.carrier.find(&objects)?);
        let workload = &self.workload;
        let mut originals = workload.originals(&objects, route, Map::new(), None, Percent::ZERO).await?;
        // Flagger scales its target to nothing between two analyses.
        originals.stable_available = 0;
        originals.canary_image.clone_from(&originals.stable_image);
        Ok(originals)
    }

    async fn preflight(&self) -> Result<Vec<Objection>> {
        let objects = self.look().await?;
        let canary = self.carrier.find(&objects)?;
        let deeds = [
            Deed::new("patch", Resource::FlaggerCanary),
            Deed::new("patch", Resource::Deployment),
            Deed { part: Some("proxy"), ..Deed::new("create", Resource::Service) },
        ];
        let denied = denied(&self.carrier.kubectl, &deeds).await;
        let mut objections = denied.map_err(|failure| self.carrier.failed(&failure))?;
        if gate(canary).is_none() {
            objections.push(Objection::rollback_plan(
                true,
                "the Canary has no webhook of type `rollback`, so nothing but Flagger itself could go back",
                "add one: https://docs.flagger.app/usage/webhooks#manual-gating",
            ));
        }
        if is_running(canary) {
            let phase = canary["status"]["phase"].as_str().unwrap_or_default();
            objections.push(Objection::rollback_plan(
                true,
                format!("Flagger is in the middle of another version: {phase}"),
                "wait until it is over",
            ));
        }
        if is_halted(canary) {
            objections.push(Objection::rollback_plan(
                true,
                "the Canary is suspended, so Flagger would do nothing",
                "set `spec.suspend: false`",
            ));
        }
        objections.extend(objects.iter().filter_map(managed));
        Ok(objections)
    }

    async fn prepare(
        &self,
        Release { image, originals, fence }: Release<'_>,
        confirmed: &Confirmed,
    ) -> Result<Reading> {
        let objects = self.look().await?;
        let canary = self.carrier.find(&objects)?;
        self.carrier.refuse_foreign(self.target_image(&objects).as_deref(), Some(originals))?;
        let held = self.carrier.hold(canary, originals, fence, None, confirmed);
        held.await?;
        // One that is still open from before would end the analysis as it begins.
        self.close(canary, confirmed).await?;
        self.set_image(&objects, image, confirmed).await?;
        let objects = self.look().await?;
        self.reading(&objects)
    }

    async fn set_exposure(&self, percent: Percent, fence: &Fence, _confirmed: &Confirmed) -> Result<Reading> {
        let objects = self.admitted(fence).await?;
        // It goes on by itself; we wait until it is there.
        self.awaited.set(percent);
        self.reading(&objects)
    }

    async fn halt(&self, still: bool, confirmed: &Confirmed) -> Result<Option<String>> {
        let done = self.carrier.halt(HALT, still, confirmed).await?;
        Ok(done.then(|| match still {
            true => "Flagger stands still: `spec.suspend` of its Canary is true".into(),
            false => "Flagger goes on by its analysis".into(),
        }))
    }

    async fn restore(&self, originals: Option<&Originals>, confirmed: &Confirmed) -> Result<Reading> {
        let objects = self.look().await?;
        let canary = self.carrier.find(&objects)?;
        let Some(originals) = AnnotatedObject::originals(canary, originals) else {
            return self.reading(&objects);
        };
        let told = |what: &str| Error::Conflict { what: what.to_owned(), hint: "it is asked again".into() };
        let was = &originals.detail["route"]["skip"];
        if self.target_image(&objects).is_some_and(|image| originals.is_foreign(&image)) {
            // What somebody else released has an analysis of its own; there is nothing left of ours but the note, and what
            // was said to go faster or to stand still.
            if canary["spec"]["skipAnalysis"] != *was {
                self.skip(was, confirmed).await?;
            }
            self.go_on(canary, &originals, confirmed).await?;
            if note::epoch(canary).is_some() {
                self.carrier.release(None, confirmed).await?;
            }
            return Ok(Reading { live: Percent::ZERO, ..self.reading(&objects)? });
        }
        // An analysis that is left out because we said so is the old version's way back.
        if canary["spec"]["skipAnalysis"] == true && *was != true {
            return self.promote_back(&objects, &originals, confirmed).await;
        }
        match stage(canary) {
            Stage::Analysis => {
                let (open, _) = gate(canary).ok_or_else(|| self.carrier.unfit("it has no rollback webhook"))?;
                self.turn(&open, canary, confirmed).await?;
                self.go_on(canary, &originals, confirmed).await?;
                Err(told("Flagger rolls back at its next tick"))
            }
            Stage::Promotion => {
                self.go_on(canary, &originals, confirmed).await?;
                Err(told(
                    "Flagger makes the new version its primary and cannot be stopped; it is rolled back after that",
                ))
            }
            Stage::Succeeded => self.promote_back(&objects, &originals, confirmed).await,
            Stage::Idle => {
                // The note is gone: the rollout was finished, or is back already.
                let old = originals.stable_image.as_deref().unwrap_or_default();
                if self.primary_image(&objects).await?.as_deref() == Some(old) && !is_running(canary) {
                    return self.reading(&objects);
                }
                self.promote_back(&objects, &originals, confirmed).await
            }
            Stage::Unseen | Stage::Failed => {
                // The spec that Flagger has promoted starts no new analysis.
                let image = originals.stable_image.as_deref().unwrap_or_default();
                self.set_image(&objects, image, confirmed).await?;
                self.go_on(canary, &originals, confirmed).await?;
                let objects = self.look().await?;
                let canary = self.carrier.find(&objects)?;
                if stage(canary) == Stage::Analysis {
                    return Err(told("Flagger has begun just now"));
                }
                self.close(canary, confirmed).await?;
                self.carrier.release(None, confirmed).await?;
                let objects = self.look().await?;
                self.reading(&objects)
            }
        }
    }

    async fn promote(&self, Release { fence, .. }: Release<'_>, _confirmed: &Confirmed) -> Result<Reading> {
        let objects = self.admitted(fence).await?;
        let mut reading = self.reading(&objects)?;
        // From here on Flagger finishes by itself.
        reading.live = Percent::FULL;
        Ok(reading)
    }

    async fn finish(&self, _release: Release<'_>, confirmed: &Confirmed) -> Result<Finish> {
        let objects = self.look().await?;
        let canary = self.carrier.find(&objects)?;
        let phase = canary["status"]["phase"].as_str();
        match stage(canary) {
            Stage::Succeeded => {
                self.carrier.release(None, confirmed).await?;
                Ok(Finish::Done)
            }
            Stage::Idle if phase == Some("Succeeded") => Ok(Finish::Done),
            Stage::Failed => Err(Error::Conflict {
                what: "Flagger rolled back by itself while it promoted".into(),
                hint: "take the rollout back too: `liveops rollout abort`".into(),
            }),
            _ => Ok(Finish::Waiting(format!("Flagger is {}", phase.unwrap_or("initializing")))),
        }
    }

    fn undo_by_hand(&self, _originals: Option<&Originals>) -> String {
        let seen = self.carrier.last_read();
        let found = self.carrier.find(&seen).ok();
        let open = found.and_then(gate).map(|(open, _)| open);
        let (kubectl, name) = (&self.carrier.kubectl, &self.carrier.object.name);
        let namespace = kubectl.namespace();
        let Some(open) = open else {
            return kubectl.by_hand(&format!("get {}", self.carrier.object));
        };
        let open = format!(
            "echo '{{\"name\":\"{name}\",\"namespace\":\"{namespace}\"}}' | {}",
            kubectl.by_hand(&format!("create --raw {open} -f -"))
        );
        if !found.is_some_and(is_halted) {
            return open;
        }
        // Its ticks hear of the open gate when they do something again.
        let patch = "--type=merge --patch='{\"spec\":{\"suspend\":null}}'";
        let go_on = kubectl.by_hand(&format!("patch {} {patch}", self.carrier.object));
        format!("{open} && {go_on}")
    }
}
