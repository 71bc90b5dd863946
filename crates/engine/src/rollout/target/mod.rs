//! The world side of a rollout: one implementation for each way to split traffic. It reads back and writes; it decides
//! nothing. What to do is decided in `domain/rollout`, and done by the runner.

pub mod annotated_object;
pub mod argo;
pub mod balancer;
pub mod deployment;
pub mod fallback_lever;
pub mod fencing;
pub mod flag;
pub mod flagger;
pub mod http;
pub mod open;
pub mod replicas;
pub mod routed;

use async_trait::async_trait;
use serde_json::Value;

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::Object;
use crate::rollout::target::annotated_object::AnnotatedObject;
use liveops_domain::error::Result;
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Percent, Reading};

/// How far [`TrafficTarget::finish`] has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// Nothing is left of the old version's arrangement.
    Done,
    /// Call again at the next look; the text says what is waited for.
    Waiting(String),
}

/// What a forward write needs to know of the rollout.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// The new version.
    pub image: &'a str,
    pub originals: &'a Originals,
    pub fence: &'a Fence,
}

/// One way to split traffic between a stable and a canary version.
///
/// Every method can be called again after a crash between any two instructions: it looks at what is there, and does
/// what is missing. A method may be called by another process than the one before it. A write whose precondition does not
/// hold (somebody was faster, another epoch) gives `Conflict`, and has changed nothing.
#[async_trait(?Send)]
pub trait TrafficTarget {
    /// The kind, as in the configuration: `replicas`, `gateway-api`, `istio`, `nginx`, `argo`, `flagger`, `http`.
    fn kind(&self) -> &'static str;

    /// In a cluster, the object that carries the weight or whose controller moves it, and the workload that Events are
    /// about.
    fn annotated(&self) -> Option<(&AnnotatedObject<'_>, &Object)> {
        None
    }

    /// Where it is, for messages: `httproute/game in staging/game`, `http://127.0.0.1:7000/weight`.
    fn location(&self) -> String {
        self.annotated().map_or_else(String::new, |(object, _)| object.location())
    }

    /// The share that the world would have if `percent` were asked for: whole pods, whole numbers.
    fn effective(&self, percent: Percent, _originals: Option<&Originals>) -> Percent {
        percent
    }

    /// How that share comes about, in words, where it is a matter of whole instances.
    fn arithmetic(&self, _percent: Percent, _originals: &Originals) -> Option<String> {
        None
    }

    /// Does a controller of its own move the weight (Argo Rollouts, Flagger)? Then a weight that rises by itself is
    /// no drift, [`TrafficTarget::set_exposure`] lets the controller go on, and [`TrafficTarget::steps`] gives the
    /// schedule.
    fn is_delegated(&self) -> bool {
        false
    }

    /// The controller's own schedule, where there is one.
    async fn steps(&self) -> Result<Option<Vec<Percent>>> {
        Ok(None)
    }

    /// The world as it is now. A world that cannot be read is an error, and never taken for "no traffic".
    async fn read(&self) -> Result<Reading> {
        Ok(self.read_beside(&[]).await?.0)
    }

    /// The same, and these objects of the same cluster, in one process or request; none where it has no cluster.
    async fn read_beside(&self, beside: &[Object]) -> Result<(Reading, Option<Vec<Value>>)>;

    /// What the pods run that were there at the last reading, where a tag may hide it.
    async fn digests(&self) -> Result<Digests> {
        Ok(Digests::default())
    }

    /// What a rollback goes back to, read before the first write. An error where the target is not as it is configured:
    /// an object is missing, a backend is not where it should be, ambiguous.
    async fn originals(&self) -> Result<Originals>;

    /// Everything that would keep the rollout from working, in words, each with how to satisfy it: permissions
    /// (`kubectl auth can-i`), no way back, HPA and GitOps conflicts. Writes nothing.
    async fn preflight(&self) -> Result<Vec<Objection>> {
        Ok(Vec::new())
    }

    /// Starts the canary with the image and without traffic (creates, scales, pins the HPA), and puts the undo note and
    /// the epoch on the object that carries the weight. Does not wait until it is ready: the runner reads. After an error
    /// the world may be half changed; calling again completes it.
    async fn prepare(&self, release: Release<'_>, confirmed: &Confirmed) -> Result<Reading>;

    /// Whoever takes a rollout over writes its epoch on what carries the weight, before any other write: what the holder
    /// before it still has in hand is refused from then on. Changes no traffic. A controller that moves the weight by
    /// itself (Flagger) is given no weight by us, so nothing of an older holder could arrive late.
    async fn claim(&self, fence: &Fence, confirmed: &Confirmed) -> Result<()> {
        match self.annotated() {
            Some((object, _)) => object.claim(fence, confirmed).await,
            None => Ok(()),
        }
    }

    /// Has a controller that moves the weight by itself stand still, or go on: what a person says must hold for it too, and
    /// while nobody of us watches. Says in words what it does now; nothing where there is no such controller, or it does
    /// nothing of ours yet. The way back undoes it first.
    async fn halt(&self, _still: bool, _confirmed: &Confirmed) -> Result<Option<String>> {
        Ok(None)
    }

    /// Gives the canary this share of the traffic. Only forward; only the weights of the named backends.
    async fn set_exposure(&self, percent: Percent, fence: &Fence, confirmed: &Confirmed) -> Result<Reading>;

    /// Rollback: all traffic to the old version, as the first thing and in the fewest calls; then what else is to be
    /// restored. Depends on no lock, no state, no readiness, no metric, no earlier failure (also not on an open
    /// circuit breaker). Doing it twice is doing it once. Works from the undo note alone when `originals` is none.
    /// Fires the second lever where the first is not accepted within two seconds. On an error the runner tries again.
    async fn restore(&self, originals: Option<&Originals>, confirmed: &Confirmed) -> Result<Reading>;

    /// At 100 %: makes the new version the promoted one as far as that costs no capacity. The old version keeps the
    /// size it had, for the window.
    async fn promote(&self, release: Release<'_>, confirmed: &Confirmed) -> Result<Reading> {
        self.set_exposure(Percent::FULL, release.fence, confirmed).await
    }

    /// After the window: stable gets the new image, gets the traffic back once it is ready, the canary goes away, HPA
    /// and annotations are restored. Called at each look until it is done.
    async fn finish(&self, release: Release<'_>, confirmed: &Confirmed) -> Result<Finish>;

    /// The command that gives the old version its traffic back without liveops, to paste in an emergency.
    fn undo_by_hand(&self, originals: Option<&Originals>) -> String;

    /// Why the next write is made, for a target whose world keeps a history with reasons.
    fn because(&self, _reason: String) {}

    /// Transitions as the platform's own notices (Kubernetes Events on the workload), to be posted beside the state.
    fn notices(&self, about: &[Notice]) -> Vec<Value> {
        self.annotated().map_or_else(Vec::new, |(object, workload)| object.events(workload, about))
    }
}

/// Something that a platform is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same for the same transition, whoever tells of it: posted twice, it is there once.
    pub id: u64,
    pub text: String,
}

/// Something that speaks against a rollout, found by a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The gate that it belongs to: `rollback_plan`, `capacity`, `permissions`, `gitops`.
    pub gate: &'static str,
    /// What is wrong.
    pub text: String,
    /// How to satisfy it.
    pub hint: String,
    /// Refuses (true), or is only worth saying.
    pub blocks: bool,
}

impl Objection {
    /// That there is no way back, or a poor one.
    pub fn rollback_plan(blocks: bool, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { gate: "rollback_plan", text: text.into(), hint: hint.into(), blocks }
    }
}
