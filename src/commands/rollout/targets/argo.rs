//! `kind: argo`: Argo Rollouts moves the weight, and outlives any terminal. We set the image, let it go on at each step,
//! promote and abort by its resource, and never write a weight: its controller would take it back.
//!
//! Its status is believed only when `observedGeneration` is the generation; it is a string there.

use serde_json::{Value, json};

use super::{event, fence};
use crate::change::Confirmed;
use crate::clients::kubectl::{Kubectl, Object, Patch};
use crate::commands::rollout::target::{Doing, Finish, Objection, Target};
use crate::domain::kubernetes::note::{self, Note};
use crate::domain::kubernetes::{deployment, owner};
use crate::domain::rollout::exposure::{Fence, Originals, Percent, Readiness, Reading};
use crate::error::{Error, Result};

/// The target.
#[derive(Debug)]
pub(super) struct Argo<'a> {
    pub(super) kubectl: Kubectl<'a>,
    pub(super) object: Object,
    pub(super) container: Option<&'a str>,
}

/// Has the controller seen the last change?
fn is_observed(rollout: &Value) -> bool {
    let generation = rollout["metadata"]["generation"].as_u64();
    let observed = &rollout["status"]["observedGeneration"];
    let observed = observed
        .as_str()
        .and_then(|text| text.parse().ok())
        .or_else(|| observed.as_u64());
    generation == observed
}

fn phase(rollout: &Value) -> &str {
    if is_observed(rollout) {
        rollout["status"]["phase"].as_str().unwrap_or("Progressing")
    } else {
        "Progressing"
    }
}

/// Is one version alone there?
fn is_whole(rollout: &Value) -> bool {
    let status = &rollout["status"];
    status["currentPodHash"].is_string() && status["currentPodHash"] == status["stableRS"]
}

/// The share of the canary: what the router was told, else the last weight of the steps that are done.
fn share(rollout: &Value) -> Percent {
    let status = &rollout["status"];
    if status["abort"] == true {
        return Percent::ZERO;
    }
    if is_whole(rollout) && is_observed(rollout) {
        return Percent::ZERO;
    }
    let told = status
        .pointer("/canary/weights/canary/weight")
        .and_then(Value::as_f64);
    let index = status["currentStepIndex"].as_u64().unwrap_or(0);
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array();
    let done = steps.into_iter().flatten().take(index.saturating_add(1));
    let step = done.filter_map(|step| step["setWeight"].as_f64()).last();
    Percent::new(told.or(step).unwrap_or(0.0)).unwrap_or(Percent::ZERO)
}

fn is_paused(rollout: &Value) -> bool {
    let conditions = rollout["status"]["pauseConditions"].as_array();
    conditions.is_some_and(|conditions| !conditions.is_empty())
}

impl Argo<'_> {
    async fn look(&self) -> Result<Value> {
        let found = self.kubectl.get(std::slice::from_ref(&self.object)).await;
        let found = found.map_err(|failure| failure.about(&self.place()))?;
        let rollout = found.into_iter().next();
        rollout.ok_or_else(|| self.unfit("it does not exist"))
    }

    fn unfit(&self, why: &str) -> Error {
        Error::usage(
            format!("{}: {why}", self.place()),
            "correct the object, or `rollout.traffic` in liveops.yaml",
        )
    }

    fn reading(&self, rollout: &Value) -> Reading {
        let count = |name: &str| {
            let count = rollout["status"][name].as_u64().unwrap_or(0);
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let available = count("availableReplicas");
        let message = rollout["status"]["message"].as_str().unwrap_or_default();
        let canary = match phase(rollout) {
            "Degraded" => Readiness::Failed {
                available,
                why: format!("Argo Rollouts says it is degraded: {message}"),
            },
            _ if is_whole(rollout) && is_observed(rollout) => Readiness::Ready { available },
            "Paused" | "Healthy" => Readiness::Ready { available },
            _ => Readiness::Waiting {
                available,
                wanted: count("replicas"),
                why: format!("Argo Rollouts is progressing: {message}"),
            },
        };
        Reading {
            live: share(rollout),
            settled: is_observed(rollout),
            stable: Readiness::Ready { available },
            canary,
            version: rollout["metadata"]["resourceVersion"]
                .as_str()
                .map(ToOwned::to_owned),
            epoch: note::epoch(rollout),
            writer: owner::of(rollout, &["spec", "template"]).map(ToOwned::to_owned),
        }
    }

    fn place_of_container(&self, rollout: &Value) -> Result<usize> {
        deployment::container(rollout, self.container).map_err(|why| self.unfit(&why))
    }

    async fn patch(
        &self,
        kind: Patch,
        patch: &Value,
        subresource: Option<&str>,
        confirmed: &Confirmed,
    ) -> Result<Value> {
        let done = self
            .kubectl
            .patch(&self.object, kind, patch, subresource, confirmed);
        done.await
            .map_err(|failure| failure.about_test(&self.place()))
    }

    /// Lets the controller go on from a pause.
    async fn unpause(&self, rollout: &Value, confirmed: &Confirmed) -> Result<Value> {
        let version = &rollout["metadata"]["resourceVersion"];
        let patch = json!({
            "metadata": { "resourceVersion": version },
            "status": { "pauseConditions": null },
        });
        self.patch(Patch::Merge, &patch, Some("status"), confirmed)
            .await
    }
}

impl Target for Argo<'_> {
    fn kind(&self) -> &'static str {
        "argo"
    }

    fn place(&self) -> String {
        self.kubectl.place(&self.object)
    }

    fn is_delegated(&self) -> bool {
        true
    }

    fn steps(&self) -> Doing<'_, Option<Vec<Percent>>> {
        Box::pin(async {
            let rollout = self.look().await?;
            let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array();
            let weights = steps
                .into_iter()
                .flatten()
                .filter_map(|step| step["setWeight"].as_f64());
            let mut weights: Vec<Percent> = weights.filter_map(Percent::new).collect();
            weights.retain(|weight| !weight.is_zero() && !weight.is_about(Percent::FULL));
            weights.push(Percent::FULL);
            Ok(Some(weights))
        })
    }

    fn read(&self) -> Doing<'_, Reading> {
        Box::pin(async { Ok(self.reading(&self.look().await?)) })
    }

    fn originals(&self) -> Doing<'_, Originals> {
        Box::pin(async {
            let rollout = self.look().await?;
            let container = self.place_of_container(&rollout)?;
            let available = rollout["status"]["availableReplicas"].as_u64().unwrap_or(0);
            Ok(Originals {
                weight: Percent::ZERO,
                stable_available: u32::try_from(available).unwrap_or(u32::MAX),
                stable_image: deployment::image(&rollout, container).map(ToOwned::to_owned),
                stable_digest: None,
                stable_revision: rollout["status"]["stableRS"]
                    .as_str()
                    .map(ToOwned::to_owned),
                detail: json!({ "container": container }),
            })
        })
    }

    fn preflight(&self) -> Doing<'_, Vec<Objection>> {
        Box::pin(async {
            let rollout = self.look().await?;
            let mut objections = Vec::new();
            if !rollout["spec"]["strategy"]["canary"].is_object() {
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: "its strategy is not `canary`, so there are no steps".into(),
                    hint: "give the Rollout a canary strategy with steps".into(),
                    blocks: true,
                });
            }
            if !is_whole(&rollout) || phase(&rollout) != "Healthy" {
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: format!(
                        "Argo Rollouts is in the middle of another version: {}",
                        phase(&rollout)
                    ),
                    hint: format!(
                        "look: `{}`",
                        self.kubectl
                            .by_hand(&format!("get {} -o yaml", self.object))
                    ),
                    blocks: true,
                });
            }
            let may = self
                .kubectl
                .can_i("patch", "rollouts.argoproj.io/status")
                .await;
            if !may.map_err(|failure| failure.about(&self.place()))? {
                objections.push(Objection {
                    gate: "permissions",
                    text: "you may not patch the status of Rollouts, so you could neither promote nor abort".into(),
                    hint: format!("check: `{}`", self.kubectl.by_hand("auth can-i patch rollouts.argoproj.io/status")),
                    blocks: true,
                });
            }
            Ok(objections)
        })
    }

    fn prepare<'a>(
        &'a self,
        image: &'a str,
        originals: &'a Originals,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let mut rollout = self.look().await?;
            fence::admit(&self.place(), &rollout, None, fence)?;
            let note = Note {
                rollout: fence.rollout.clone(),
                originals: originals.clone(),
            };
            if note::read(&rollout).as_ref() != Some(&note)
                || note::epoch(&rollout) != Some(fence.epoch)
            {
                let mut patch = note::put(&note, fence.epoch);
                patch["metadata"]["resourceVersion"] =
                    rollout["metadata"]["resourceVersion"].clone();
                rollout = self.patch(Patch::Merge, &patch, None, confirmed).await?;
            }
            let container = self.place_of_container(&rollout)?;
            let now = deployment::image(&rollout, container).unwrap_or_default();
            if now != image {
                let patch = deployment::set_image(container, now, image);
                rollout = self.patch(Patch::Json, &patch, None, confirmed).await?;
            }
            Ok(self.reading(&rollout))
        })
    }

    fn claim<'a>(&'a self, fence: &'a Fence, confirmed: &'a Confirmed) -> Doing<'a, ()> {
        Box::pin(async move {
            let rollout = self.look().await?;
            fence::claim(&self.kubectl, &self.object, &rollout, fence, confirmed).await
        })
    }

    fn set_exposure<'a>(
        &'a self,
        percent: Percent,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let rollout = self.look().await?;
            fence::admit_forward(&self.place(), &rollout, None, fence)?;
            // The controller is ahead of us or at it: there is nothing to let go.
            if !percent.exceeds(share(&rollout)) || !is_paused(&rollout) {
                return Ok(self.reading(&rollout));
            }
            let after = self.unpause(&rollout, confirmed).await?;
            Ok(self.reading(&after))
        })
    }

    fn restore<'a>(
        &'a self,
        originals: Option<&'a Originals>,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let rollout = self.look().await?;
            let known = originals
                .cloned()
                .or_else(|| note::read(&rollout).map(|note| note.originals));
            if known.is_none() && is_whole(&rollout) {
                return Ok(self.reading(&rollout));
            }
            if !is_whole(&rollout) || !is_observed(&rollout) {
                let patch = json!({ "status": { "abort": true } });
                self.patch(Patch::Merge, &patch, Some("status"), confirmed)
                    .await?;
            }
            // Without the old template it would stay degraded, and the next apply would begin anew.
            let container = self.place_of_container(&rollout)?;
            let now = deployment::image(&rollout, container).unwrap_or_default();
            let image = known.and_then(|originals| originals.stable_image);
            if let Some(image) = image.filter(|image| image != now) {
                let patch = deployment::set_image(container, now, &image);
                self.patch(Patch::Json, &patch, None, confirmed).await?;
            }
            self.patch(Patch::Merge, &note::remove(), None, confirmed)
                .await?;
            Ok(self.reading(&self.look().await?))
        })
    }

    fn promote<'a>(
        &'a self,
        _image: &'a str,
        _originals: &'a Originals,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let mut rollout = self.look().await?;
            fence::admit_forward(&self.place(), &rollout, None, fence)?;
            if !is_whole(&rollout) {
                let patch = json!({
                    "metadata": { "resourceVersion": rollout["metadata"]["resourceVersion"] },
                    "status": { "promoteFull": true, "pauseConditions": null },
                });
                rollout = self
                    .patch(Patch::Merge, &patch, Some("status"), confirmed)
                    .await?;
            }
            let mut reading = self.reading(&rollout);
            // From here on the controller finishes by itself.
            reading.live = Percent::FULL;
            Ok(reading)
        })
    }

    fn finish<'a>(
        &'a self,
        image: &'a str,
        _originals: &'a Originals,
        _fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Finish> {
        Box::pin(async move {
            let rollout = self.look().await?;
            let container = self.place_of_container(&rollout)?;
            let same = deployment::image(&rollout, container) == Some(image);
            if !same || !is_whole(&rollout) || phase(&rollout) != "Healthy" {
                return Ok(Finish::Waiting(format!(
                    "Argo Rollouts is {}",
                    phase(&rollout)
                )));
            }
            self.patch(Patch::Merge, &note::remove(), None, confirmed)
                .await?;
            Ok(Finish::Done)
        })
    }

    fn undo_by_hand(&self, _originals: Option<&Originals>) -> String {
        let patch = "--subresource=status --type=merge --patch='{\"status\":{\"abort\":true}}'";
        self.kubectl
            .by_hand(&format!("patch {} {patch}", self.object))
    }

    fn announce<'a>(&'a self, texts: &'a [String], confirmed: &'a Confirmed) -> Doing<'a, ()> {
        Box::pin(event::post(&self.kubectl, &self.object, texts, confirmed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(status: &Value) -> Value {
        json!({
            "metadata": { "generation": 4 },
            "spec": { "strategy": { "canary": { "steps": [{ "setWeight": 10 }, { "pause": {} }, { "setWeight": 50 }, { "pause": {} }] } } },
            "status": status,
        })
    }

    #[test]
    fn the_share_is_that_of_the_router_or_of_the_steps_that_are_done() {
        let share_of = |status: Value| share(&rollout(&status)).get();
        let two = json!({ "observedGeneration": "4", "currentPodHash": "b", "stableRS": "a" });
        let with = |name: &str, value: Value| {
            let mut status = two.clone();
            status[name] = value;
            status
        };
        assert_eq!(share_of(with("currentStepIndex", json!(1))), 10.0);
        assert_eq!(share_of(with("currentStepIndex", json!(3))), 50.0);
        let told = json!({ "weights": { "canary": { "weight": 30 } } });
        assert_eq!(share_of(with("canary", told)), 30.0);
        assert_eq!(share_of(with("abort", json!(true))), 0.0);
        assert_eq!(share_of(with("currentPodHash", json!("a"))), 0.0);
    }

    #[test]
    fn a_status_of_an_older_generation_is_not_believed() {
        let status =
            |observed: Value| json!({ "observedGeneration": observed, "phase": "Healthy" });
        assert_eq!(phase(&rollout(&status(json!("4")))), "Healthy");
        assert_eq!(phase(&rollout(&status(json!("3")))), "Progressing");
    }
}
