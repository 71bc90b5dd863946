//! The undo of a change of size: looks at the cluster, and sets it back if it still is as we left it.

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::scale::fleet::{Fleet, Scaled};
use crate::session::Session;
use crate::undo::{Revert, RevertFailure, Step};
use liveops_domain::change::undo::scale::ScaleUndo;
use liveops_domain::error::{Error, Result};

/// The undo, and the cluster that it is for.
pub struct Scales<'a> {
    cx: &'a Session,
    fleet: Fleet<'a>,
    undo: &'a ScaleUndo,
}

impl<'a> Scales<'a> {
    pub fn new(cx: &'a Session, undo: &'a ScaleUndo) -> Result<Self> {
        Ok(Self { cx, fleet: Fleet::of(cx)?, undo })
    }
}

impl Revert for Scales<'_> {
    type Reverse = ScaleUndo;
    type Result = Scaled;

    async fn decide(&self) -> Result<ScaleUndo, RevertFailure> {
        if self.fleet.is_as_expected(self.undo).await? {
            return Ok(self.undo.clone());
        }
        if self.fleet.is_as_expected(&self.undo.inverse()).await? {
            let why = "the size is what it was before".to_owned();
            return Err(RevertFailure::DidNotHappen(why));
        }
        Err(RevertFailure::Failed(Error::Conflict {
            what: "somebody has changed the size since".into(),
            hint: format!("to do it all the same: `{}`", self.cx.command(&self.undo.by_hand())),
        }))
    }

    fn step(&self, reverse: &ScaleUndo) -> Step {
        Step { summary: reverse.summary(), flags: None, undo: reverse.inverse().into(), safe_side: false }
    }

    async fn act(&self, reverse: &ScaleUndo, confirmed: &Confirmed) -> Result<Done<Scaled>> {
        self.fleet.apply(reverse, confirmed).await?;
        Ok(Done { result: Scaled { scale: reverse.clone() }, undo: Some(reverse.inverse().into()) })
    }
}
