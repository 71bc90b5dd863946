//! Targets whose weight stands in an object of its own: HTTPRoute, VirtualService, canary Ingress, a Service's selector.
//! A forward write is one patch that tests the version, the epoch and the names; the way back tests the names alone.

mod levers;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::{Object, Resource};
use crate::rollout::target::annotated_object::AnnotatedObject;
use crate::rollout::target::deployment::{Detail, Workload};
use crate::rollout::target::{Finish, Objection, Release, TrafficTarget};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::deployment;
use liveops_domain::kubernetes::route::{Route, sticky};
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Percent, Reading};
use liveops_domain::text::shell;

/// The first lever has this long; then the second is pulled too.
const LEVER: Duration = Duration::from_secs(2);

/// How the canary's pods are told from the stable ones.
#[derive(Debug, Clone)]
pub enum CanaryIdentity {
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
    pub carrier: AnnotatedObject<'a>,
    pub route: Route,
    pub workload: Workload<'a>,
    pub canary_identity: CanaryIdentity,
}

#[async_trait(?Send)]
impl TrafficTarget for Routed<'_> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn annotated(&self) -> Option<(&AnnotatedObject<'_>, &Object)> {
        Some((&self.carrier, &self.workload.stable))
    }

    fn effective(&self, percent: Percent, _originals: Option<&Originals>) -> Percent {
        self.route.effective(percent)
    }

    async fn read_beside(&self, beside: &[Object]) -> Result<(Reading, Option<Vec<Value>>)> {
        let Workload { stable, canary, .. } = &self.workload;
        let asked: Vec<&Object> = [stable, canary].into_iter().chain(beside).collect();
        let objects = self.carrier.look(&asked).await?;
        Ok((self.reading(&objects).await?, Some(objects)))
    }

    async fn digests(&self) -> Result<Digests> {
        let seen = self.carrier.last_read().clone();
        self.workload.digests(&seen).await
    }

    async fn originals(&self) -> Result<Originals> {
        let objects = self.look().await?;
        let object = self.carrier.find(&objects)?;
        let unfit = |why: String| self.carrier.unfit(&why);
        let share = self.route.share(object).map_err(unfit)?;
        let route = self.route.original(object).map_err(unfit)?;
        let (labels, fallback) = self.services(&objects).await?;
        let workload = &self.workload;
        workload.originals(&objects, route, labels, fallback, share).await
    }

    async fn preflight(&self) -> Result<Vec<Objection>> {
        let objects = self.known(None).await?;
        let object = self.carrier.find(&objects)?;
        let carrier = self.carrier.object.resource;
        let mut objections = self.workload.objections(&objects, carrier).await?;
        let share = self.route.share(object).map_err(|why| self.carrier.unfit(&why))?;
        if !share.is_zero() {
            objections.push(Objection::rollback_plan(
                true,
                format!("the canary already has {share} of the traffic, so there is no old version to go back to"),
                "give the stable version all of it first",
            ));
        }
        let strays = self.route.strays(object);
        if !strays.is_empty() {
            let places: Vec<String> = strays.iter().map(ToString::to_string).collect();
            objections.push(Objection::rollback_plan(
                false,
                format!(
                    "its rules {} reach the canary whatever its weight, and a way back leaves them",
                    places.join(", ")
                ),
                "move the weight there by hand, or take them out first",
            ));
        }
        let alone = self.workload.has_one_lever();
        if let (Route::Istio { stable, .. }, true) = (&self.route, alone) {
            objections.push(Objection::rollback_plan(false, format!(
                        "there is one way back alone, the weights: no single DestinationRule of `{}` that can be read says what both subsets mean",
                        stable.0
                    ), "define both subsets in one DestinationRule of this namespace, and allow `get`, `list` and `patch` of it"));
        }
        if self.route == Route::Nginx {
            let all = self.carrier.kubectl.list(Resource::Ingress.word(), None).await;
            let all = all.map_err(|failure| self.carrier.failed(&failure))?;
            if let Some(name) = sticky(&all, object) {
                objections.push(Objection::rollback_plan(true, format!("session affinity of Ingress `{name}` keeps its users on the canary even at weight 0, so there is no full way back"), "add the annotation nginx.ingress.kubernetes.io/affinity-canary-behavior: legacy to it"));
            }
        }
        Ok(objections)
    }

    async fn prepare(
        &self,
        Release { image, originals, fence }: Release<'_>,
        confirmed: &Confirmed,
    ) -> Result<Reading> {
        let detail = Detail::of(originals)?;
        let objects = self.known(fence.version.as_deref()).await?;
        let object = self.carrier.find(&objects)?;
        let narrow = self.route.narrow(&detail.route);
        self.carrier.hold(object, originals, fence, narrow, confirmed).await?;
        if let Some(bounds) = &detail.autoscaler {
            let pinned = bounds.floor(u64::from(originals.stable_available));
            self.workload.bound(bounds, &pinned, confirmed).await?;
        }
        // As large as the stable one: what it would need for all of the traffic is there before it gets any.
        let size = detail.replicas.max(1);
        self.workload.start(&objects, &detail, image, size, confirmed).await?;
        // How the canary comes up is seen at the next look.
        self.reading(&objects).await
    }

    async fn set_exposure(&self, percent: Percent, fence: &Fence, confirmed: &Confirmed) -> Result<Reading> {
        let objects = self.known(fence.version.as_deref()).await?;
        let canary = self.workload.canary_in(&objects);
        if !percent.is_zero() && canary.is_none_or(|canary| deployment::available(canary) == 0) {
            return Err(Error::Conflict {
                what: "the canary has no available pod, so it gets no traffic".into(),
                hint: format!("look: `{}`", self.workload.kubectl.by_hand("get pods")),
            });
        }
        let object = self.carrier.find(&objects)?;
        let operations = self.route.set(object, percent).map_err(|why| self.carrier.unfit(&why))?;
        self.forward(&objects, operations, fence, confirmed).await
    }

    async fn restore(&self, originals: Option<&Originals>, confirmed: &Confirmed) -> Result<Reading> {
        let known = match originals {
            Some(originals) => Some(originals.clone()),
            None => {
                let objects = self.look().await?;
                let object = self.carrier.find(&objects)?;
                let reading = self.reading(&objects).await?;
                match AnnotatedObject::originals(object, None) {
                    None if reading.live.is_zero() => return Ok(reading),
                    noted => noted,
                }
            }
        };
        let Some(originals) = known else {
            return Err(Error::Conflict {
                what: format!("{} carries no undo note, and nothing else is known of the start", self.location()),
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
        if let Some(fallback) = &detail.fallback {
            self.redirect(fallback, false, confirmed).await?;
        }
        let objects = self.look().await?;
        self.reading(&objects).await
    }

    async fn promote(&self, Release { fence, .. }: Release<'_>, confirmed: &Confirmed) -> Result<Reading> {
        let objects = self.known(fence.version.as_deref()).await?;
        let reading = self.reading(&objects).await?;
        if reading.live.is_about(Percent::FULL) {
            return Ok(reading);
        }
        self.set_exposure(Percent::FULL, fence, confirmed).await
    }

    async fn finish(&self, Release { image, originals, fence }: Release<'_>, confirmed: &Confirmed) -> Result<Finish> {
        let detail = Detail::of(originals)?;
        let objects = self.known(fence.version.as_deref()).await?;
        let object = self.carrier.find(&objects)?;
        self.carrier.admit(object, None, fence)?;
        let adopted = self.workload.adopt(&objects, (originals, &detail), image, confirmed);
        if let Some(why) = adopted.await? {
            return Ok(Finish::Waiting(why));
        }
        let share = self.route.share(object).map_err(|why| self.carrier.unfit(&why))?;
        if share.exceeds(originals.weight) {
            let back = self.route.back(object, &detail.route).map_err(|why| self.carrier.unfit(&why))?;
            self.forward(&objects, back, fence, confirmed).await?;
            return Ok(Finish::Waiting("the traffic moves to the stable Deployment".into()));
        }
        if !self.route.is_settled(object) {
            return Ok(Finish::Waiting("the gateway has not taken the route over yet".into()));
        }
        self.tidy(originals, &detail, confirmed).await?;
        Ok(Finish::Done)
    }

    fn undo_by_hand(&self, originals: Option<&Originals>) -> String {
        let seen = self.carrier.last_read();
        let patch = originals
            .and_then(|originals| Detail::of(originals).ok())
            .zip(self.carrier.find(&seen).ok())
            .and_then(|(detail, object)| self.route.back(object, &detail.route).ok());
        let words = match patch {
            Some(patch) => {
                let patch = shell::word(&Value::Array(patch).to_string());
                format!("patch {} --type=json --patch={patch}", self.carrier.object)
            }
            None => format!("edit {}", self.carrier.object),
        };
        self.carrier.kubectl.by_hand(&words)
    }
}
