//! What is stored of a rollout, and who may move it: lock and state. In the cluster for Kubernetes targets (Lease
//! and ConfigMap), in a local file where there is no cluster.

pub mod cluster;
pub mod file;
pub mod flag;
pub mod open;

use async_trait::async_trait;
use serde_json::Value;

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::Object;
use liveops_domain::error::Result;
use liveops_domain::rollout::lock::{Holder, RolloutLock};
use liveops_domain::rollout::state::Rollout;

/// A state with the precondition of its replacement.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRollout {
    pub rollout: Rollout,
    /// `resourceVersion`, or the like.
    pub version: String,
}

/// What [`StateStore::keep`] has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveOutcome {
    /// The new version of the state.
    pub version: String,
    /// The lock was renewed in the same go.
    pub renewed: bool,
    /// The notices were posted in the same go.
    pub posted: bool,
}

/// Lock and state of the rollouts of one service.
#[async_trait(?Send)]
pub trait StateStore {
    /// Takes the lock; `takeover` also from a holder that seems alive. Where the clock of another machine would have to
    /// be trusted, this takes as long as it takes to see that the holder no longer renews.
    ///
    /// # Errors
    /// `Refused` (exit 4), naming the holder, its epoch and the command that takes over.
    async fn acquire(&self, holder: &str, takeover: bool, confirmed: &Confirmed) -> Result<RolloutLock>;

    /// Shows that we are alive. The runner calls it every five seconds, and stops all forward writes when it has not
    /// succeeded for ten.
    ///
    /// # Errors
    /// `Conflict` when somebody else has taken over; anything else may pass.
    async fn renew(&self, lock: &RolloutLock, confirmed: &Confirmed) -> Result<()>;

    /// Gives the lock back.
    ///
    /// # Errors
    /// It then expires by itself.
    async fn release(&self, lock: &RolloutLock, confirmed: &Confirmed) -> Result<()>;

    /// Takes the lock from a holder that seems to be gone, when the rollout is over and nobody needs it any more: so that
    /// the next one begins at once, and nobody is told of an orphan. A holder that lives all the same finds the rollout
    /// over at its next look.
    async fn clear(&self, _confirmed: &Confirmed) -> Result<()> {
        Ok(())
    }

    /// Who holds it, if anybody ever did and has not given it back.
    async fn holder(&self) -> Result<Option<Holder>>;

    /// The latest rollout of the service, over or not.
    async fn load(&self) -> Result<Option<StoredRollout>>;

    /// The object that holds the state, where it is one of a cluster: so that it can be read beside others.
    fn object(&self) -> Option<Object> {
        None
    }

    /// As [`StateStore::load`], from what was read of [`StateStore::object`].
    fn parse(&self, _objects: &[Value]) -> Result<Option<StoredRollout>> {
        Ok(None)
    }

    /// Stores the state; `version` is that of the state it replaces, none for the first. Returns the new version.
    ///
    /// # Errors
    /// `Conflict` when another state stands there: load it and look.
    async fn save(&self, rollout: &Rollout, version: Option<&str>, confirmed: &Confirmed) -> Result<String>;

    /// As [`StateStore::save`]; where all is in one cluster the lock is renewed, and these notices are posted, in the same
    /// run of `kubectl`.
    ///
    /// # Errors
    /// As [`StateStore::save`]. A notice that is refused is no error.
    async fn keep(
        &self,
        rollout: &Rollout,
        version: Option<&str>,
        _notices: &[Value],
        confirmed: &Confirmed,
    ) -> Result<SaveOutcome> {
        Ok(SaveOutcome { version: self.save(rollout, version, confirmed).await?, renewed: false, posted: true })
    }

    /// Does storing cost a process? Then what a write has come to is stored at the next look, with the renewal of the
    /// lock; after a crash its intent tells.
    fn is_costly(&self) -> bool {
        false
    }
}
