//! The undo of a change of flags: each flag gets the value back that its history has from before the change.

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::flag::change::{FlagsWritten, Planned};
use crate::flag::reason::ChangeReason;
use crate::flag::restore::{read_all, stale, target};
use crate::flag::store_access::FlagStoreAccess;
use crate::session::Session;
use crate::undo::{Revert, RevertFailure, Step};
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::change::undo::flag::{FlagUndo, Stale};
use liveops_domain::error::Result;

/// The undo, and the store that it is for.
pub struct FlagChange<'a> {
    access: FlagStoreAccess<'a>,
    undo: &'a FlagUndo,
    record: &'a ChangeRecord,
}

impl<'a> FlagChange<'a> {
    pub fn new(cx: &'a Session, undo: &'a FlagUndo, record: &'a ChangeRecord) -> Result<Self> {
        Ok(Self { access: FlagStoreAccess::of(cx)?, undo, record })
    }
}

impl Revert for FlagChange<'_> {
    type Reverse = Planned;
    type Result = FlagsWritten;

    async fn decide(&self) -> Result<Planned, RevertFailure> {
        let world = read_all(&self.access, self.undo.flags(), &self.record.id).await?;
        let certain = self.record.state.is_certain();
        let restores = self.undo.decide(&self.record.id, &world, certain);
        let restores = restores.map_err(|why| match why {
            Stale::DidNotHappen(_) => RevertFailure::DidNotHappen(why.to_string()),
            why => RevertFailure::Failed(stale(self.access.cx, &why)),
        })?;
        let targets = restores.iter().map(|restore| target(restore, self.access.reader)).collect::<Result<_>>()?;
        let why = ChangeReason {
            reason: Some(format!("undoes {}: {}", self.record.id, self.record.summary)),
            ..ChangeReason::default()
        };
        Ok(Planned::of(&self.access, "flag.undo", targets, why).await?)
    }

    fn step(&self, planned: &Planned) -> Step {
        Step {
            summary: planned.summary.clone(),
            flags: Some(planned.preview.clone()),
            undo: planned.undo(),
            safe_side: planned.only_takes_away(&self.access),
        }
    }

    async fn act(&self, planned: &Planned, confirmed: &Confirmed) -> Result<Done<FlagsWritten>> {
        let outcome = planned.write(&self.access, confirmed).await;
        let finish = self.access.cx.command(&format!("undo {}", confirmed.id()));
        outcome.whole(Vec::new(), finish)
    }

    fn detail(&self, result: &FlagsWritten) -> Option<String> {
        self.access.everybody(result)
    }
}
