//! What is remembered of a rollout, and who may move it: lock and state. In the cluster for Kubernetes targets (Lease
//! and ConfigMap), in a local file where there is no cluster.

pub mod cluster;
pub mod file;
pub mod flag;
pub mod open;

use serde_json::Value;

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::Object;
use crate::rollout::target::Doing;
use liveops_domain::error::Result;
use liveops_domain::rollout::holder::{Holder, Lock};
use liveops_domain::rollout::state::Rollout;

/// A state with the precondition of its replacement.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub rollout: Rollout,
    /// `resourceVersion`, or the like.
    pub version: String,
}

/// What [`Memory::keep`] has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The new version of the state.
    pub version: String,
    /// The lock was renewed in the same go.
    pub renewed: bool,
    /// The notices were posted in the same go.
    pub posted: bool,
}

/// Lock and state of the rollouts of one service.
pub trait Memory {
    /// Takes the lock; `takeover` also from a holder that seems alive. Where the clock of another machine would have to
    /// be trusted, this takes as long as it takes to see that the holder no longer renews.
    ///
    /// # Errors
    /// `Refused` (exit 4), naming the holder, its epoch and the command that takes over.
    fn acquire<'a>(&'a self, holder: &'a str, takeover: bool, confirmed: &'a Confirmed) -> Doing<'a, Lock>;

    /// Shows that we are alive. The runner calls it every five seconds, and stops all forward writes when it has not
    /// succeeded for ten.
    ///
    /// # Errors
    /// `Conflict` when somebody else has taken over; anything else may pass.
    fn renew<'a>(&'a self, lock: &'a Lock, confirmed: &'a Confirmed) -> Doing<'a, ()>;

    /// Gives the lock back.
    ///
    /// # Errors
    /// It then expires by itself.
    fn release<'a>(&'a self, lock: &'a Lock, confirmed: &'a Confirmed) -> Doing<'a, ()>;

    /// Takes the lock from a holder that seems to be gone, when the rollout is over and nobody needs it any more: so that
    /// the next one begins at once, and nobody is told of an orphan. A holder that lives all the same finds the rollout
    /// over at its next look.
    ///
    /// # Errors
    /// It stays as it is.
    fn clear<'a>(&'a self, confirmed: &'a Confirmed) -> Doing<'a, ()> {
        let _ = confirmed;
        Box::pin(async { Ok(()) })
    }

    /// Who holds it, if anybody ever did and has not given it back.
    ///
    /// # Errors
    /// It cannot be read.
    fn holder(&self) -> Doing<'_, Option<Holder>>;

    /// The latest rollout of the service, over or not.
    ///
    /// # Errors
    /// It cannot be read, or is not as we wrote it.
    fn load(&self) -> Doing<'_, Option<Stored>>;

    /// The object that holds the state, where it is one of a cluster: so that it can be read beside others.
    fn object(&self) -> Option<Object> {
        None
    }

    /// As [`Memory::load`], from what was read of [`Memory::object`].
    ///
    /// # Errors
    /// It is not as we wrote it.
    fn of(&self, objects: &[Value]) -> Result<Option<Stored>> {
        let _ = objects;
        Ok(None)
    }

    /// Stores the state; `version` is that of the state it replaces, none for the first. Returns the new version.
    ///
    /// # Errors
    /// `Conflict` when another state stands there: load it and look.
    fn save<'a>(
        &'a self,
        rollout: &'a Rollout,
        version: Option<&'a str>,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, String>;

    /// As [`Memory::save`]; where all is in one cluster the lock is renewed, and these notices are posted, in the same
    /// run of `kubectl`.
    ///
    /// # Errors
    /// As [`Memory::save`]. A notice that is refused is no error.
    fn keep<'a>(
        &'a self,
        rollout: &'a Rollout,
        version: Option<&'a str>,
        notices: &'a [Value],
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Kept> {
        let _ = notices;
        Box::pin(async move {
            Ok(Kept { version: self.save(rollout, version, confirmed).await?, renewed: false, posted: true })
        })
    }

    /// Does storing cost a process? Then what a write has come to is stored at the next look, with the renewal of the
    /// lock; after a crash its intent tells.
    fn is_dear(&self) -> bool {
        false
    }
}
