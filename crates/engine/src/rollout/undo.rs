//! The undo of a rollout, for `liveops undo`: the same way back as `rollout undo`, if the rollout is still the last one.

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::regions::lookup::Found;
use crate::rollout::resolve::{Place, choose, place};
use crate::rollout::rollback::{go_back, summary, what};
use crate::session::Session;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::state::{Phase, Rollout};
use liveops_domain::text::shell::word;

/// The undo, and the service that it is for.
pub struct Rollouts<'a> {
    cx: &'a Session,
    /// None where it was over several regions: then the environment itself need not be a place.
    place: Option<Place<'a>>,
    undo: &'a RolloutUndo,
    change: &'a str,
}

impl<'a> Rollouts<'a> {
    /// # Errors
    /// The service is no longer configured.
    pub async fn new(cx: &'a Session, undo: &'a RolloutUndo, change: &'a str) -> Result<Self> {
        let place = match undo {
            RolloutUndo::Rollback { service, regions, .. } => {
                let service = choose(cx, Some(service))?;
                match regions.is_empty() {
                    true => Some(place(cx, service).await?),
                    false => None,
                }
            }
            RolloutUndo::RampBack { flag } => {
                Some(crate::rollout::ramp::place(cx, &crate::rollout::ramp::name(flag)?).await?)
            }
        };
        Ok(Self { cx, place, undo, change })
    }

    /// The rollout that would be taken back; none when it did not happen or is back already.
    ///
    /// # Errors
    /// `Conflict` when another rollout came after it.
    pub async fn find(&self) -> Result<Option<Rollout>> {
        let Some(place) = &self.place else {
            let found = self.whole().await?;
            let found = found.filter(|found| crate::rollout::regions::of_change(found, self.change).is_some());
            return match &found {
                Some(found) if found.touched().is_empty() => Ok(None),
                Some(found) => Ok(crate::rollout::regions::of_change(found, self.change).cloned()),
                None => Err(Error::Conflict {
                    what: "another rollout came after it".into(),
                    hint: format!("look at it: `{}`", self.cx.command("rollout status")),
                }),
            };
        };
        let Some(stored) = place.memory.load().await? else {
            return Ok(None);
        };
        let rollout = stored.rollout;
        if rollout.change.as_deref() != Some(self.change) {
            return Err(Error::Conflict {
                what: format!(
                    "another {} of {} came after it, and is {}",
                    place.noun(),
                    what(&rollout),
                    rollout.phase.word()
                ),
                hint: format!("look at it: `{}`", self.cx.command(&place.words("status"))),
            });
        }
        if rollout.plan.is_exact() && rollout.phase != Phase::RolledBack {
            let now = place.target.read().await?;
            if now.version != rollout.written {
                return Err(Error::Conflict {
                    what: format!(
                        "{} was changed since the ramp, by {}",
                        what(&rollout),
                        now.writer.as_deref().unwrap_or("somebody else")
                    ),
                    hint: format!(
                        "look at it: `{}`",
                        self.cx.command(&format!("flag history {}", word(&rollout.service)))
                    ),
                });
            }
        }
        Ok((rollout.phase != Phase::RolledBack).then_some(rollout))
    }

    /// The rollout over several regions, where it was one.
    async fn whole(&self) -> Result<Option<Found>> {
        match self.undo {
            RolloutUndo::Rollback { service, .. } => {
                crate::rollout::regions::lookup::find(self.cx, Some(service)).await
            }
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
    ///
    /// # Errors
    /// As `rollout undo`.
    pub async fn act(&self, confirmed: &Confirmed) -> Result<Done> {
        let reason = format!("undone by {}", self.cx.actor);
        if let Some(place) = &self.place {
            return go_back(self.cx, place, None, reason, confirmed).await;
        }
        match self.whole().await? {
            Some(found) => {
                crate::rollout::regions::back_in(&found.touched(), found.service(), &reason, confirmed).await
            }
            None => Err(Error::internal("a rollout over regions that was there is not")),
        }
    }
}
