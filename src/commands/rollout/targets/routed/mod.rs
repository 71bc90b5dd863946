//! Targets whose weight stands in an object of its own: HTTPRoute, VirtualService, canary Ingress, a Service's selector.
//! A forward write is one patch that tests the version, the epoch and the names; the way back tests the names alone.

mod levers;

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Map, Value};

use super::workload::{Detail, Workload};
use super::{event, fence};
use crate::change::Confirmed;
use crate::clients::kubectl::{Object, Patch, Resource};
use crate::commands::rollout::target::{Doing, Finish, Objection, Target};
use crate::domain::kubernetes::deployment;
use crate::domain::kubernetes::note::{self, Note};
use crate::domain::kubernetes::route::Route;
use crate::domain::rollout::exposure::{Fence, Originals, Percent, Reading};
use crate::domain::shell;
use crate::error::Error;

/// The first lever has this long; then the second is pulled too.
const LEVER: Duration = Duration::from_secs(2);

/// How the canary's pods are told from the stable ones.
#[derive(Debug, Clone)]
pub(super) enum Telling {
    /// By the selectors of two Services, of which the canary's is the second lever.
    Services { stable: Object, canary: Object },
    /// By the Service behind the canary Ingress.
    IngressBackend,
    /// By these labels.
    Labels(Map<String, Value>),
}

/// The target.
#[derive(Debug)]
pub(super) struct Routed<'a> {
    pub(super) kind: &'static str,
    pub(super) object: Object,
    pub(super) route: Route,
    pub(super) workload: Workload<'a>,
    pub(super) telling: Telling,
    /// What was read last: the next patch is made for it.
    pub(super) seen: RefCell<Vec<Value>>,
}

impl Target for Routed<'_> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn place(&self) -> String {
        self.workload.kubectl.place(&self.object)
    }

    fn effective(&self, percent: Percent, _originals: Option<&Originals>) -> Percent {
        self.route.effective(percent)
    }

    fn read(&self) -> Doing<'_, Reading> {
        Box::pin(async {
            let objects = self.look().await?;
            self.reading(&objects).await
        })
    }

    fn originals(&self) -> Doing<'_, Originals> {
        Box::pin(async {
            let objects = self.look().await?;
            let object = self.carrier(&objects)?;
            let unfit = |why: String| self.unfit(&why);
            let share = self.route.share(object).map_err(unfit)?;
            let route = self.route.original(object).map_err(unfit)?;
            let (labels, selectors) = self.services(&objects).await?;
            let workload = &self.workload;
            workload
                .originals(&objects, route, labels, selectors, share)
                .await
        })
    }

    fn preflight(&self) -> Doing<'_, Vec<Objection>> {
        Box::pin(async {
            let objects = self.look().await?;
            let object = self.carrier(&objects)?;
            let needed = [
                ("patch", self.object.resource.word()),
                ("patch", Resource::Deployment.word()),
                ("create", Resource::Deployment.word()),
                ("delete", Resource::Deployment.word()),
            ];
            let mut objections = self.workload.objections(&objects, &needed).await?;
            let share = self.route.share(object).map_err(|why| self.unfit(&why))?;
            if !share.is_zero() {
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: format!("the canary already has {share} of the traffic, so there is no old version to go back to"),
                    hint: "give the stable version all of it first".into(),
                    blocks: true,
                });
            }
            if self.route == Route::Nginx
                && note::annotation(object, "nginx.ingress.kubernetes.io/affinity").is_some()
            {
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: "session affinity keeps its users on the canary even at weight 0, so there is no full way back".into(),
                    hint: "remove the annotation nginx.ingress.kubernetes.io/affinity from the canary Ingress".into(),
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
            let detail = Detail::of(originals)?;
            let objects = self.look().await?;
            let object = self.carrier(&objects)?;
            self.admit(object, fence)?;
            let note = Note {
                rollout: fence.rollout.clone(),
                originals: originals.clone(),
            };
            // Before anything else is changed: from now on anybody can go back.
            if note::read(object).as_ref() != Some(&note)
                || note::epoch(object) != Some(fence.epoch)
            {
                let mut patch = note::put(&note, fence.epoch);
                patch["metadata"]["resourceVersion"] =
                    object["metadata"]["resourceVersion"].clone();
                let kubectl = &self.workload.kubectl;
                let done = kubectl.patch(&self.object, Patch::Merge, &patch, None, confirmed);
                done.await
                    .map_err(|failure| self.workload.failed(&self.object, &failure))?;
            }
            if let Some(bounds) = &detail.autoscaler {
                let pinned = bounds.floor(u64::from(originals.stable_available));
                self.workload.bound(bounds, &pinned, confirmed).await?;
            }
            // As large as the stable one: what it would need for all of the traffic is there before it gets any.
            let size = detail.replicas.max(1);
            self.workload
                .start(&objects, &detail, image, size, confirmed)
                .await?;
            let objects = self.look().await?;
            self.reading(&objects).await
        })
    }

    fn claim<'a>(&'a self, fence: &'a Fence, confirmed: &'a Confirmed) -> Doing<'a, ()> {
        Box::pin(async move {
            let objects = self.look().await?;
            let object = self.carrier(&objects)?;
            let kubectl = &self.workload.kubectl;
            fence::claim(kubectl, &self.object, object, fence, confirmed).await
        })
    }

    fn set_exposure<'a>(
        &'a self,
        percent: Percent,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let objects = self.known(fence.version.as_deref()).await?;
            let canary = self.workload.canary_in(&objects);
            if !percent.is_zero() && canary.is_none_or(|canary| deployment::available(canary) == 0)
            {
                return Err(Error::Conflict {
                    what: "the canary has no available pod, so it gets no traffic".into(),
                    hint: format!("look: `{}`", self.workload.kubectl.by_hand("get pods")),
                });
            }
            let object = self.carrier(&objects)?;
            let operations = self
                .route
                .set(object, percent)
                .map_err(|why| self.unfit(&why))?;
            self.forward(&objects, operations, fence, confirmed).await
        })
    }

    fn restore<'a>(
        &'a self,
        originals: Option<&'a Originals>,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let originals = match originals {
                Some(originals) => originals.clone(),
                None => {
                    let objects = self.look().await?;
                    let object = self.carrier(&objects)?;
                    let Some(note) = note::read(object) else {
                        let reading = self.reading(&objects).await?;
                        if reading.live.is_zero() {
                            return Ok(reading);
                        }
                        return Err(Error::Conflict {
                            what: format!(
                                "{} carries no undo note, and nothing else is known of the start",
                                self.place()
                            ),
                            hint: "set the weights by hand".into(),
                        });
                    };
                    note.originals
                }
            };
            let detail = Detail::of(&originals)?;
            if let Err(error) = self.lever(&detail.route, confirmed).await {
                if let Some(selectors) = &detail.selectors {
                    self.redirect(selectors, &selectors.stable, confirmed)
                        .await?;
                }
                return Err(error);
            }
            let objects = self.known(None).await?;
            self.workload
                .keep(&objects, &originals, &detail, confirmed)
                .await?;
            self.tidy(&originals, &detail, confirmed).await?;
            if let Some(selectors) = &detail.selectors {
                self.redirect(selectors, &selectors.canary, confirmed)
                    .await?;
            }
            let objects = self.look().await?;
            self.reading(&objects).await
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
            let objects = self.known(fence.version.as_deref()).await?;
            let reading = self.reading(&objects).await?;
            if reading.live.is_about(Percent::FULL) {
                return Ok(reading);
            }
            self.set_exposure(Percent::FULL, fence, confirmed).await
        })
    }

    fn finish<'a>(
        &'a self,
        image: &'a str,
        originals: &'a Originals,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Finish> {
        Box::pin(async move {
            let detail = Detail::of(originals)?;
            let objects = self.look().await?;
            let object = self.carrier(&objects)?;
            self.admit(object, fence)?;
            let stable = self.workload.stable_in(&objects)?;
            let now = deployment::image(stable, detail.container).unwrap_or_default();
            if now != image {
                let was = originals.stable_image.as_deref().unwrap_or(now);
                let patch = deployment::set_image(detail.container, was, image);
                let patch = patch.as_array().cloned().unwrap_or_default();
                self.workload
                    .apply(&self.workload.stable, patch, confirmed)
                    .await?;
                return Ok(Finish::Waiting(format!(
                    "{} rolls out {image}",
                    self.workload.stable
                )));
            }
            if !deployment::readiness(stable).is_ready() {
                return Ok(Finish::Waiting(format!(
                    "{} is not ready yet",
                    self.workload.stable
                )));
            }
            let share = self.route.share(object).map_err(|why| self.unfit(&why))?;
            if share.exceeds(originals.weight) {
                let back = self
                    .route
                    .back(object, &detail.route)
                    .map_err(|why| self.unfit(&why))?;
                self.forward(&objects, back, fence, confirmed).await?;
                return Ok(Finish::Waiting(
                    "the traffic moves to the stable Deployment".into(),
                ));
            }
            if !self.route.is_settled(object) {
                return Ok(Finish::Waiting(
                    "the gateway has not taken the route over yet".into(),
                ));
            }
            self.tidy(originals, &detail, confirmed).await?;
            Ok(Finish::Done)
        })
    }

    fn undo_by_hand(&self, originals: Option<&Originals>) -> String {
        let seen = self.seen.borrow();
        let patch = originals
            .and_then(|originals| Detail::of(originals).ok())
            .zip(self.carrier(&seen).ok())
            .and_then(|(detail, object)| self.route.back(object, &detail.route).ok());
        let words = match patch {
            Some(patch) => {
                let patch = shell::word(&Value::Array(patch).to_string());
                format!("patch {} --type=json --patch={patch}", self.object)
            }
            None => format!("edit {}", self.object),
        };
        self.workload.kubectl.by_hand(&words)
    }

    fn announce<'a>(&'a self, texts: &'a [String], confirmed: &'a Confirmed) -> Doing<'a, ()> {
        Box::pin(event::post(
            &self.workload.kubectl,
            &self.workload.stable,
            texts,
            confirmed,
        ))
    }
}
