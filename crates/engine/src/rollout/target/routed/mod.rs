//! Targets whose weight stands in an object of its own: HTTPRoute, VirtualService, canary Ingress, a Service's selector.
//! A forward write is one patch that tests the version, the epoch and the names; the way back tests the names alone.

mod levers;

use std::time::Duration;

use serde_json::{Map, Value};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::{Object, Resource};
use crate::rollout::target::annotated_object::Held;
use crate::rollout::target::deployment::{Detail, Workload};
use crate::rollout::target::{Doing, Finish, Notice, Objection, Target};
use liveops_domain::error::Error;
use liveops_domain::kubernetes::deployment;
use liveops_domain::kubernetes::route::{Route, sticky};
use liveops_domain::rollout::exposure::{Fence, Originals, Percent, Reading};
use liveops_domain::text::shell;

/// The first lever has this long; then the second is pulled too.
const LEVER: Duration = Duration::from_secs(2);

/// How the canary's pods are told from the stable ones.
#[derive(Debug, Clone)]
pub enum Telling {
    /// By the selectors of two Services, of which the canary's is the second lever.
    Services { stable: Object, canary: Object },
    /// By the Service behind the canary Ingress.
    IngressBackend,
    /// By these labels.
    Labels(Map<String, Value>),
}

/// The target.
#[derive(Debug)]
pub struct Routed<'a> {
    pub kind: &'static str,
    pub held: Held<'a>,
    pub route: Route,
    pub workload: Workload<'a>,
    pub telling: Telling,
}

impl Target for Routed<'_> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn place(&self) -> String {
        self.held.place()
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

    fn read_beside<'a>(&'a self, beside: &'a [Object]) -> Doing<'a, (Reading, Option<Vec<Value>>)> {
        Box::pin(async move {
            let Workload { stable, canary, .. } = &self.workload;
            let asked: Vec<&Object> = [stable, canary].into_iter().chain(beside).collect();
            let objects = self.held.look(&asked).await?;
            Ok((self.reading(&objects).await?, Some(objects)))
        })
    }

    fn originals(&self) -> Doing<'_, Originals> {
        Box::pin(async {
            let objects = self.look().await?;
            let object = self.held.find(&objects)?;
            let unfit = |why: String| self.held.unfit(&why);
            let share = self.route.share(object).map_err(unfit)?;
            let route = self.route.original(object).map_err(unfit)?;
            let (labels, second) = self.services(&objects).await?;
            let workload = &self.workload;
            workload.originals(&objects, route, labels, second, share).await
        })
    }

    fn preflight(&self) -> Doing<'_, Vec<Objection>> {
        Box::pin(async {
            let objects = self.known(None).await?;
            let object = self.held.find(&objects)?;
            let carrier = self.held.object.resource;
            let mut objections = self.workload.objections(&objects, carrier).await?;
            let share = self.route.share(object).map_err(|why| self.held.unfit(&why))?;
            if !share.is_zero() {
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: format!(
                        "the canary already has {share} of the traffic, so there is no old version to go back to"
                    ),
                    hint: "give the stable version all of it first".into(),
                    blocks: true,
                });
            }
            let alone = self.workload.has_one_lever();
            if let (Route::Istio { stable, .. }, true) = (&self.route, alone) {
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: format!(
                        "there is one way back alone, the weights: no single DestinationRule of `{}` that can be read says what both subsets mean",
                        stable.0
                    ),
                    hint: "define both subsets in one DestinationRule of this namespace, and allow `get`, `list` and `patch` of it".into(),
                    blocks: false,
                });
            }
            if self.route == Route::Nginx {
                let all = self.held.kubectl.list(Resource::Ingress.word(), None).await;
                let all = all.map_err(|failure| self.held.failed(&failure))?;
                if let Some(name) = sticky(&all, object) {
                    objections.push(Objection {
                        gate: "rollback_plan",
                        text: format!("session affinity of Ingress `{name}` keeps its users on the canary even at weight 0, so there is no full way back"),
                        hint: "add the annotation nginx.ingress.kubernetes.io/affinity-canary-behavior: legacy to it".into(),
                        blocks: true,
                    });
                }
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
            let objects = self.known(fence.version.as_deref()).await?;
            let object = self.held.find(&objects)?;
            let narrow = self.route.narrow(&detail.route);
            self.held.hold(object, originals, fence, narrow, confirmed).await?;
            if let Some(bounds) = &detail.autoscaler {
                let pinned = bounds.floor(u64::from(originals.stable_available));
                self.workload.bound(bounds, &pinned, confirmed).await?;
            }
            // As large as the stable one: what it would need for all of the traffic is there before it gets any.
            let size = detail.replicas.max(1);
            self.workload.start(&objects, &detail, image, size, confirmed).await?;
            // How the canary comes up is seen at the next look.
            self.reading(&objects).await
        })
    }

    fn claim<'a>(&'a self, fence: &'a Fence, confirmed: &'a Confirmed) -> Doing<'a, ()> {
        Box::pin(async move {
            let objects = self.look().await?;
            let object = self.held.find(&objects)?;
            self.held.claim(object, fence, confirmed).await
        })
    }

    fn set_exposure<'a>(&'a self, percent: Percent, fence: &'a Fence, confirmed: &'a Confirmed) -> Doing<'a, Reading> {
        Box::pin(async move {
            let objects = self.known(fence.version.as_deref()).await?;
            let canary = self.workload.canary_in(&objects);
            if !percent.is_zero() && canary.is_none_or(|canary| deployment::available(canary) == 0) {
                return Err(Error::Conflict {
                    what: "the canary has no available pod, so it gets no traffic".into(),
                    hint: format!("look: `{}`", self.workload.kubectl.by_hand("get pods")),
                });
            }
            let object = self.held.find(&objects)?;
            let operations = self.route.set(object, percent).map_err(|why| self.held.unfit(&why))?;
            self.forward(&objects, operations, fence, confirmed).await
        })
    }

    fn restore<'a>(&'a self, originals: Option<&'a Originals>, confirmed: &'a Confirmed) -> Doing<'a, Reading> {
        Box::pin(async move {
            let known = match originals {
                Some(originals) => Some(originals.clone()),
                None => {
                    let objects = self.look().await?;
                    let object = self.held.find(&objects)?;
                    let reading = self.reading(&objects).await?;
                    match Held::originals(object, None) {
                        None if reading.live.is_zero() => return Ok(reading),
                        noted => noted,
                    }
                }
            };
            let Some(originals) = known else {
                return Err(Error::Conflict {
                    what: format!("{} carries no undo note, and nothing else is known of the start", self.place()),
                    hint: "set the weights by hand".into(),
                });
            };
            let detail = Detail::of(&originals)?;
            self.pull(&originals, &detail, confirmed).await?;
            let objects = self.known(None).await?;
            self.workload.keep(&objects, &originals, &detail, confirmed).await?;
            if self.route.narrow(&detail.route).is_some() {
                self.workload.stop(&detail, confirmed).await?;
                self.workload.is_gone(&objects, &detail).await?;
            }
            self.tidy(&originals, &detail, confirmed).await?;
            if let Some(second) = &detail.second {
                self.redirect(second, false, confirmed).await?;
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
            let objects = self.known(fence.version.as_deref()).await?;
            let object = self.held.find(&objects)?;
            self.held.admit(object, None, fence)?;
            let adopted = self.workload.adopt(&objects, &detail, image, confirmed);
            if let Some(why) = adopted.await? {
                return Ok(Finish::Waiting(why));
            }
            let share = self.route.share(object).map_err(|why| self.held.unfit(&why))?;
            if share.exceeds(originals.weight) {
                let back = self.route.back(object, &detail.route).map_err(|why| self.held.unfit(&why))?;
                self.forward(&objects, back, fence, confirmed).await?;
                return Ok(Finish::Waiting("the traffic moves to the stable Deployment".into()));
            }
            if !self.route.is_settled(object) {
                return Ok(Finish::Waiting("the gateway has not taken the route over yet".into()));
            }
            self.tidy(originals, &detail, confirmed).await?;
            Ok(Finish::Done)
        })
    }

    fn undo_by_hand(&self, originals: Option<&Originals>) -> String {
        let seen = self.held.seen();
        let patch = originals
            .and_then(|originals| Detail::of(originals).ok())
            .zip(self.held.find(&seen).ok())
            .and_then(|(detail, object)| self.route.back(object, &detail.route).ok());
        let words = match patch {
            Some(patch) => {
                let patch = shell::word(&Value::Array(patch).to_string());
                format!("patch {} --type=json --patch={patch}", self.held.object)
            }
            None => format!("edit {}", self.held.object),
        };
        self.held.kubectl.by_hand(&words)
    }

    fn notices(&self, about: &[Notice]) -> Vec<Value> {
        self.held.events(&self.workload.stable, about)
    }
}
