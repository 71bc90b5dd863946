//! The undo of a rollout, for `liveops undo`: the same way back as `rollout undo`, if the rollout is still the last one.

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::ramp;
use crate::rollout::regions::lookup::{RegionalRollout, find};
use crate::rollout::regions::roll_back_in;
use crate::rollout::resolve::{RolloutSubject, choose, open};
use crate::rollout::rollback::{describe, refuse_later_release, roll_back, summary};
use crate::session::Session;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::state::{Phase, Rollout};
use liveops_domain::text::shell::word;

/// The undo, and the service that it is for.
pub struct Rollouts<'a> {
    cx: &'a Session,
    /// None where it was over several regions: then the environment itself need not be a place.
    subject: Option<RolloutSubject<'a>>,
    undo: &'a RolloutUndo,
    change: &'a str,
}

impl<'a> Rollouts<'a> {
    pub async fn new(cx: &'a Session, undo: &'a RolloutUndo, change: &'a str) -> Result<Self> {
        let subject = match undo {
            RolloutUndo::Rollback { service, regions, .. } => {
                let service = choose(cx, Some(service))?;
                match regions.is_empty() {
                    true => Some(open(cx, service).await?),
                    false => None,
                }
            }
            RolloutUndo::RampBack { flag } => Some(ramp::open(cx, &ramp::name(flag)?).await?),
        };
        Ok(Self { cx, subject, undo, change })
    }

    /// The rollout that would be taken back; none when it did not happen or is back already.
    ///
    /// # Errors
    /// `Conflict` when another rollout came after it.
    pub async fn find(&self) -> Result<Option<Rollout>> {
        let Some(subject) = &self.subject else {
            let found = self.regional().await?;
            let mine = |rollout: &&Rollout| rollout.change.as_deref() == Some(self.change);
            let rollout = found.as_ref().and_then(|found| found.rollouts.values().find(mine));
            return match (&found, rollout) {
                (Some(found), Some(_)) if found.touched().is_empty() => Ok(None),
                (_, Some(rollout)) => Ok(Some(rollout.clone())),
                (_, None) => Err(Error::Conflict {
                    what: "another rollout came after it".into(),
                    hint: format!("look at it: `{}`", self.cx.command("rollout status")),
                }),
            };
        };
        let Some(stored) = subject.store.load().await? else {
            return Ok(None);
        };
        let rollout = stored.rollout;
        if rollout.change.as_deref() != Some(self.change) {
            return Err(Error::Conflict {
                what: format!(
                    "another {} of {} came after it, and is {}",
                    subject.noun(),
                    describe(&rollout),
                    rollout.phase.word()
                ),
                hint: format!("look at it: `{}`", self.cx.command(&subject.words("status"))),
            });
        }
        if rollout.plan.is_exact() && rollout.phase != Phase::RolledBack {
            let now = subject.target.read().await?;
            if now.version != rollout.written {
                return Err(Error::Conflict {
                    what: format!(
                        "{} was changed since the ramp, by {}",
                        describe(&rollout),
                        now.writer.as_deref().unwrap_or("somebody else")
                    ),
                    hint: format!(
                        "look at it: `{}`",
                        self.cx.command(&format!("flag history {}", word(&rollout.service)))
                    ),
                });
            }
        }
        if rollout.phase == Phase::Succeeded {
            let now = subject.target.read().await?;
            refuse_later_release(self.cx, subject, &rollout, Some(&now))?;
        }
        Ok((rollout.phase != Phase::RolledBack).then_some(rollout))
    }

    /// The rollout over several regions, where it was one.
    async fn regional(&self) -> Result<Option<RegionalRollout>> {
        match self.undo {
            RolloutUndo::Rollback { service, .. } => find(self.cx, Some(service)).await,
            RolloutUndo::RampBack { .. } => Ok(None),
        }
    }

    /// What it does, in words.
    pub fn summary(&self, rollout: &Rollout) -> String {
        if rollout.fleet.is_some() {
            return self.undo.summary();
        }
        summary(rollout)
    }

    /// Its own undo, as it was written down.
    pub fn undo(&self) -> &RolloutUndo {
        self.undo
    }

    /// Takes it back.
    pub async fn act(&self, confirmed: &Confirmed) -> Result<Done> {
        let reason = format!("undone by {}", self.cx.actor);
        if let Some(subject) = &self.subject {
            return roll_back(self.cx, subject, None, reason, confirmed).await;
        }
        match self.regional().await? {
            Some(found) => roll_back_in(&found.touched(), &found.service, &reason, confirmed).await,
            None => Err(Error::internal("a rollout over regions that was there is not")),
        }
    }
}
