//! What people ask of a rollout under way, from any machine: it is written into its state, and whoever holds it heeds it
//! at the next look. A controller of its own stands still or goes on at once.

use futures_util::future::join_all;
use serde_json::json;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::regions::half_done;
use crate::rollout::regions::lookup::{RegionalRollout, find};
use crate::rollout::resolve::{RolloutSubject, choose, open};
use crate::rollout::rollback::describe;
use crate::rollout::state_store::{StateStore, StoredRollout, open as stores};
use crate::session::Session;
use liveops_domain::change::undo::Impossible;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::state::{Approval, OperatorRequest, RequestKind, Rollout};
use liveops_domain::text::shell::word;

/// Where a rollout is steered.
pub enum Scope<'a> {
    /// In one place.
    One(RolloutSubject<'a>),
    /// In the regions that it is over.
    Regions(RegionalRollout),
}

impl<'a> Scope<'a> {
    /// Of the latest rollout of this service.
    pub async fn open(cx: &'a Session, service: Option<&str>) -> Result<Self> {
        Ok(match find(cx, service).await? {
            Some(regional) => Self::Regions(regional),
            None => Self::One(open(cx, choose(cx, service)?).await?),
        })
    }

    /// Is somebody alive who holds it? By region, where it is over some; of those, only of these.
    pub async fn holders(&self, regions: &[&Session]) -> Result<Vec<(String, bool)>> {
        match self {
            Self::One(subject) => Ok(vec![(String::new(), is_held(subject.store.as_ref()).await?)]),
            Self::Regions(regional) => {
                let asked = regions.iter().map(|cx| async {
                    let store = stores::open(cx, choose(cx, Some(&regional.service))?)?;
                    Ok((cx.region.clone().unwrap_or_default(), is_held(store.as_ref()).await?))
                });
                join_all(asked).await.into_iter().collect()
            }
        }
    }
}

async fn is_held(store: &dyn StateStore) -> Result<bool> {
    Ok(store.holder().await?.is_some_and(|holder| holder.alive))
}

/// What is asked for, decided and not yet done.
pub struct Steering<'s> {
    pub action: &'static str,
    pub summary: String,
    /// The regions that it is about, where the rollout is over some.
    pub regions: Vec<&'s Session>,
    pub ask: Ask,
}

pub enum Ask {
    /// To go on with the step that each region waits before: region, step, image.
    Approve(Vec<(Option<String>, usize, String)>),
    Request(RequestKind, Option<String>),
}

impl Steering<'_> {
    /// Writes it into the state.
    fn amend(&self, rollout: &mut Rollout, cx: &Session) {
        let (by, at) = (cx.actor.clone(), cx.clock.now());
        match &self.ask {
            Ask::Approve(steps) => {
                // It may have moved on while somebody thought: the approval is then for a step that is no more.
                let mine = steps.iter().find(|(region, ..)| *region == cx.region);
                rollout.approvals.extend(mine.map(|(_, step, image)| Approval {
                    by,
                    at,
                    step: *step,
                    image: image.clone(),
                }));
            }
            Ask::Request(what, reason) => {
                rollout.request = Some(OperatorRequest { what: *what, by, at, reason: reason.clone() });
            }
        }
    }

    /// Is a controller of its own to stand still, or to go on?
    fn halts(&self) -> Option<bool> {
        match self.ask {
            Ask::Approve(_) => None,
            Ask::Request(what, _) => Some(what == RequestKind::Pause),
        }
    }

    /// Writes it into the state of what is under way there, and says what a controller of its own does then.
    async fn send_to(
        &self,
        cx: &Session,
        subject: &RolloutSubject<'_>,
        confirmed: &Confirmed,
    ) -> Result<(Rollout, Option<String>)> {
        for _ in 0..8 {
            let StoredRollout { mut rollout, version } = under_way(cx, subject).await?;
            self.amend(&mut rollout, cx);
            match subject.store.save(&rollout, Some(&version), confirmed).await {
                // The holder was faster; look again.
                Err(Error::Conflict { .. }) => continue,
                Err(error) => return Err(error),
                Ok(_) => {}
            }
            let Some(still) = self.halts() else {
                return Ok((rollout, None));
            };
            return match subject.target.halt(still, confirmed).await {
                Ok(controller) => Ok((rollout, controller)),
                Err(error) => Err(Error::HalfDone {
                    done: format!("said it to the {}", subject.noun()),
                    left: format!("its controller was not reached: {error}"),
                    command: cx.command(&subject.words(self.action.rsplit('.').next().unwrap_or(self.action))),
                }),
            };
        }
        Err(Error::Conflict { what: "the state of the rollout changes too fast".into(), hint: "try again".into() })
    }

    /// Writes it into every state that it is about: one change. Gives too what a controller does then, where it is about
    /// one place.
    pub async fn send(&self, cx: &Session, scope: &Scope<'_>, confirmed: &Confirmed) -> Result<(Done, Option<String>)> {
        let done = |result, noun: &str, instead| Done {
            result,
            undo: Some(Impossible::Nothing { why: format!("it was said to a {noun} that moves on"), instead }.into()),
        };
        let regional = match scope {
            Scope::Regions(regional) => regional,
            Scope::One(subject) => {
                let (rollout, controller) = self.send_to(cx, subject, confirmed).await?;
                let result = json!({ "rollout": rollout.id, "service": rollout.service, "step": rollout.step });
                return Ok((done(result, subject.noun(), subject.words("status")), controller));
            }
        };
        let service = &regional.service;
        let all = self.regions.iter().map(|cx| async move {
            let sent = async {
                let subject = open(cx, choose(cx, Some(service))?).await?;
                self.send_to(cx, &subject, confirmed).await
            };
            (cx.region.clone().unwrap_or_default(), sent.await)
        });
        let (mut reached, mut failed, mut controllers) = (Vec::new(), Vec::new(), Vec::new());
        for (region, sent) in join_all(all).await {
            match sent {
                Ok((_, controller)) => {
                    controllers.extend(controller.map(|text| format!("{region}: {text}")));
                    reached.push(region);
                }
                Err(error) => failed.push((region, error)),
            }
        }
        match (failed.pop(), reached.as_slice()) {
            (None, _) => {
                let result = json!({
                    "rollout": regional.fleet.id, "service": service, "regions": reached, "controllers": controllers,
                });
                Ok((done(result, "rollout", format!("rollout status {}", word(service))), None))
            }
            (Some((region, error)), []) => Err(error.at(format!("region {region}"))),
            (Some(last), _) => {
                failed.push(last);
                Err(half_done(&format!("said in {}", reached.join(", ")), &failed, None))
            }
        }
    }
}

/// The rollout that is not over.
pub async fn under_way(cx: &Session, subject: &RolloutSubject<'_>) -> Result<StoredRollout> {
    let service = &subject.name;
    match subject.store.load().await? {
        Some(stored) if !stored.rollout.phase.is_terminal() => Ok(stored),
        other => Err(Error::Refused {
            why: match other {
                Some(stored) => format!(
                    "no {} of {service} is under way: {} is {}",
                    subject.noun(),
                    describe(&stored.rollout),
                    stored.rollout.phase.word_on(&stored.rollout.plan.target)
                ),
                None => format!("no {} of {service} was ever begun", subject.noun()),
            },
            hint: format!("begin one: `{}`", cx.command(&subject.start_command())),
        }),
    }
}
