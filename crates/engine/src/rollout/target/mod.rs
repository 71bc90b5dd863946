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

use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::Object;
use liveops_domain::error::Result;
use liveops_domain::rollout::exposure::{Fence, Originals, Percent, Reading};

/// What an asynchronous method of a target or a memory gives.
pub type Doing<'a, T> = LocalBoxFuture<'a, Result<T>>;

/// How far [`Target::finish`] has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// Nothing is left of the old version's arrangement.
    Done,
    /// Call again at the next look; the text says what is waited for.
    Waiting(String),
}

/// One way to split traffic between a stable and a canary version.
///
/// Every method can be called again after a crash between any two instructions: it looks at what is there, and does
/// what is missing. A method may be called by another process than the one before it.
pub trait Target {
    /// The kind, as in the configuration: `replicas`, `gateway-api`, `istio`, `nginx`, `argo`, `flagger`, `http`.
    fn kind(&self) -> &'static str;

    /// Where it is, for messages: `httproute/game in staging/game`, `http://127.0.0.1:7000/weight`.
    fn place(&self) -> String;

    /// The share that the world would have if `percent` were asked for: whole pods, whole numbers.
    fn effective(&self, percent: Percent, originals: Option<&Originals>) -> Percent {
        let _ = originals;
        percent
    }

    /// How that share comes about, in words, where it is a matter of whole instances.
    fn arithmetic(&self, percent: Percent, originals: &Originals) -> Option<String> {
        let _ = (percent, originals);
        None
    }

    /// Does a controller of its own move the weight (Argo Rollouts, Flagger)? Then a weight that rises by itself is
    /// no drift, [`Target::set_exposure`] lets the controller go on, and [`Target::steps`] gives the schedule.
    fn is_delegated(&self) -> bool {
        false
    }

    /// The controller's own schedule, where there is one.
    fn steps(&self) -> Doing<'_, Option<Vec<Percent>>> {
        Box::pin(async { Ok(None) })
    }

    /// The world as it is now. At most one process or request.
    ///
    /// # Errors
    /// The world cannot be read. That is never taken for "no traffic".
    fn read(&self) -> Doing<'_, Reading>;

    /// As [`Target::read`], and these objects of the same cluster in the same run; none where it has no cluster.
    ///
    /// # Errors
    /// As [`Target::read`].
    fn read_beside<'a>(&'a self, beside: &'a [Object]) -> Doing<'a, (Reading, Option<Vec<Value>>)> {
        let _ = beside;
        Box::pin(async { Ok((self.read().await?, None)) })
    }

    /// What a rollback goes back to, read before the first write. Writes nothing.
    ///
    /// # Errors
    /// The target is not as it is configured: an object is missing, a backend is not where it should be, ambiguous.
    fn originals(&self) -> Doing<'_, Originals>;

    /// Everything that would keep the rollout from working, in words, each with how to satisfy it: permissions
    /// (`kubectl auth can-i`), no way back, HPA and GitOps conflicts. Writes nothing.
    ///
    /// # Errors
    /// The world cannot be read.
    fn preflight(&self) -> Doing<'_, Vec<Objection>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Starts the canary with `image` and without traffic (creates, scales, pins the HPA), and puts the undo note and
    /// the epoch on the object that carries the weight. Does not wait until it is ready: the runner reads.
    ///
    /// # Errors
    /// As every write; the world may then be half changed, and calling again completes it.
    fn prepare<'a>(
        &'a self,
        image: &'a str,
        originals: &'a Originals,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading>;

    /// Whoever takes a rollout over writes its epoch on what carries the weight, before any other write: what the holder
    /// before it still has in hand is refused from then on. Changes no traffic. A controller that moves the weight by
    /// itself (Flagger) is given no weight by us, so nothing of an older holder could arrive late.
    ///
    /// # Errors
    /// `Conflict` when the world was changed meanwhile (the runner tries again), or a newer epoch stands there.
    fn claim<'a>(&'a self, fence: &'a Fence, confirmed: &'a Confirmed) -> Doing<'a, ()> {
        let _ = (fence, confirmed);
        Box::pin(async { Ok(()) })
    }

    /// Has a controller that moves the weight by itself stand still, or go on: what a person says must hold for it too, and
    /// while nobody of us watches. Says in words what it does now; nothing where there is no such controller, or it does
    /// nothing of ours yet. The way back undoes it first.
    ///
    /// # Errors
    /// `Conflict` when its object changes too fast; those of the cluster.
    fn halt<'a>(&'a self, still: bool, confirmed: &'a Confirmed) -> Doing<'a, Option<String>> {
        let _ = (still, confirmed);
        Box::pin(async { Ok(None) })
    }

    /// Gives the canary this share of the traffic. Only forward; only the weights of the named backends.
    ///
    /// # Errors
    /// `Conflict` when the world is not as the fence says (somebody was faster, another epoch): nothing is changed.
    fn set_exposure<'a>(&'a self, percent: Percent, fence: &'a Fence, confirmed: &'a Confirmed) -> Doing<'a, Reading>;

    /// Rollback: all traffic to the old version, as the first thing and in the fewest calls; then what else is to be
    /// restored. Depends on no lock, no state, no readiness, no metric, no earlier failure (also not on an open
    /// circuit breaker). Doing it twice is doing it once. Works from the undo note alone when `originals` is none.
    /// Fires the second lever where the first is not accepted within two seconds.
    ///
    /// # Errors
    /// Not accepted yet; the runner tries again.
    fn restore<'a>(&'a self, originals: Option<&'a Originals>, confirmed: &'a Confirmed) -> Doing<'a, Reading>;

    /// At 100 %: makes the new version the promoted one as far as that costs no capacity. The old version keeps the
    /// size it had, for the window.
    ///
    /// # Errors
    /// As [`Target::set_exposure`].
    fn promote<'a>(
        &'a self,
        image: &'a str,
        originals: &'a Originals,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading>;

    /// After the window: stable gets the new image, gets the traffic back once it is ready, the canary goes away, HPA
    /// and annotations are restored. Called at each look until it is done.
    ///
    /// # Errors
    /// As [`Target::set_exposure`].
    fn finish<'a>(
        &'a self,
        image: &'a str,
        originals: &'a Originals,
        fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Finish>;

    /// The command that gives the old version its traffic back without liveops, to paste in an emergency.
    fn undo_by_hand(&self, originals: Option<&Originals>) -> String;

    /// Why the next write is made, for a target whose world keeps a history with reasons.
    fn because(&self, reason: String) {
        let _ = reason;
    }

    /// Transitions as the platform's own notices (Kubernetes Events on the workload), to be posted beside the state.
    fn notices(&self, about: &[Notice]) -> Vec<Value> {
        let _ = about;
        Vec::new()
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
