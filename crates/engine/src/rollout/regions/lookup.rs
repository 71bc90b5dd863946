//! Finds the rollout over several regions that a service has, or had last: each region is asked for its own state, and
//! the latest fleet that any of them names is it.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::rollout::regions::contexts;
use crate::rollout::resolve::choose;
use crate::rollout::state_store::open as stores;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::plan::Plan;
use liveops_domain::rollout::region_phase::{RegionPhase, RegionPhases};
use liveops_domain::rollout::state::Rollout;
use liveops_domain::text::shell::word;

/// A rollout over several regions.
pub struct RegionalRollout {
    pub fleet: Fleet,
    pub service: String,
    /// One for each region of it.
    pub contexts: Vec<Session>,
    /// What each region remembers of it.
    pub rollouts: BTreeMap<String, Rollout>,
    /// Regions that do not say where they stand.
    pub unseen: Vec<(String, Error)>,
}

impl RegionalRollout {
    /// Where each region stands; one that does not say so is taken to be under way, unless its turn has not come.
    pub fn phases(&self) -> RegionPhases {
        let at = |region: &String| RegionPhase::of_rollout(self.rollouts.get(region), &self.fleet.id);
        let is_seen = |region: &&String| self.unseen.iter().all(|(unseen, _)| unseen != *region);
        let known: RegionPhases =
            self.fleet.regions().filter(is_seen).map(|region| (region.clone(), at(region))).collect();
        let mut phases = known.clone();
        for (region, _) in &self.unseen {
            let at = match self.fleet.may_have_begun(region, &known) {
                true => RegionPhase::UnderWay,
                false => RegionPhase::Pending,
            };
            phases.insert(region.clone(), at);
        }
        phases
    }

    /// An error where nothing is left to do, or where it cannot be known: a region may be under way and does not say so.
    pub fn ensure_unfinished(&self, cx: &Session) -> Result<()> {
        let phases = self.phases();
        let mut unseen = self.unseen.iter();
        if let Some((region, error)) = unseen.find(|(region, _)| phases.get(region) == Some(&RegionPhase::UnderWay)) {
            return Err(Error::Refused {
                why: format!("it cannot be seen where region {region} stands: {error}"),
                hint: format!(
                    "mend that first; or go back where it can be seen: `{}`",
                    cx.command(&format!("rollout abort {} --yes", word(&self.service)))
                ),
            });
        }
        if self.fleet.tasks(&phases).is_empty() {
            return Err(Error::Refused {
                why: format!("no rollout of {} is under way in any region", self.service),
                hint: format!("look at it: `{}`", cx.command("rollout status")),
            });
        }
        Ok(())
    }

    /// The contexts of these regions.
    pub fn contexts_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<&Session> {
        let named = |cx: &&Session| cx.region.as_deref().is_some_and(&wanted);
        self.contexts.iter().filter(named).collect()
    }

    /// The regions that have begun, and are not back.
    pub fn touched(&self) -> Vec<&Session> {
        let phases = self.phases();
        self.contexts_where(|region| {
            !matches!(phases.get(region), None | Some(RegionPhase::Pending | RegionPhase::RolledBack))
        })
    }

    /// The image that is rolled out.
    pub fn image(&self) -> &str {
        let first = self.rollouts.values().next();
        first.map_or("", |rollout| &rollout.plan.image)
    }

    /// What the regions remember of it.
    pub fn named<'f>(&'f self, regions: &'f [&Session]) -> impl Iterator<Item = (&'f str, &'f Rollout)> {
        regions.iter().filter_map(|cx| {
            let region = cx.region.as_deref()?;
            Some((region, self.rollouts.get(region)?))
        })
    }

    /// The regions whose rollout is so.
    pub fn which(&self, wanted: impl Fn(&Rollout) -> bool) -> Vec<&Session> {
        self.contexts_where(|region| self.rollouts.get(region).is_some_and(&wanted))
    }

    /// The same, where it makes no sense without.
    ///
    /// # Errors
    /// `Refused`: none is.
    pub fn regions_where(&self, cx: &Session, what: &str, wanted: impl Fn(&Rollout) -> bool) -> Result<Vec<&Session>> {
        let found = self.which(wanted);
        if !found.is_empty() {
            return Ok(found);
        }
        let phases = self.phases();
        let stand: Vec<String> = self
            .fleet
            .regions()
            .map(|region| {
                let at = phases.get(region).copied().unwrap_or(RegionPhase::Pending);
                format!("{region} {}", at.word())
            })
            .collect();
        Err(Error::Refused {
            why: format!("no region of {} waits for {what}: {}", self.service, stand.join(", ")),
            hint: format!("look at them: `{}`", cx.command(&format!("rollout status {}", word(&self.service)))),
        })
    }

    /// The plan of it.
    pub fn plan(&self) -> Result<&Plan> {
        let first = self.rollouts.values().next();
        let plan = first.map(|rollout| &rollout.plan);
        plan.ok_or_else(|| Error::internal("a rollout that no region remembers"))
    }
}

/// The rollout of the service over several regions, unless one without regions came after it.
pub async fn find(cx: &Session, service: Option<&str>) -> Result<Option<RegionalRollout>> {
    // What is about one region alone is not about all.
    if cx.region.is_some() || cx.config()?.settings.regions.is_empty() {
        return Ok(None);
    }
    let chosen = choose(cx, service)?;
    let contexts = contexts(cx, &cx.config()?.settings.regions);
    let asked = contexts.iter().map(|cx| async {
        let store = stores::open(cx, choose(cx, Some(&chosen.name))?)?;
        Ok(store.load().await?.map(|stored| stored.rollout))
    });
    let here = async { stores::open(cx, chosen)?.load().await };
    let (answers, here): (Vec<Result<Option<Rollout>>>, _) = tokio::join!(join_all(asked), here);
    let mut rollouts = BTreeMap::new();
    let mut unseen = Vec::new();
    for (cx, answer) in contexts.iter().zip(answers) {
        let region = cx.region.clone().unwrap_or_default();
        match answer {
            Ok(Some(rollout)) => {
                rollouts.insert(region, rollout);
            }
            Ok(None) => {}
            Err(error) => unseen.push((region, error)),
        }
    }
    let latest = rollouts.values().filter(|rollout| rollout.fleet.is_some()).max_by_key(|rollout| rollout.started_at);
    let here = here.ok().flatten().map(|stored| stored.rollout);
    let here = here.filter(|here| here.fleet.is_none());
    let Some((fleet, began)) = latest.and_then(|it| Some((it.fleet.clone()?, it.started_at))) else {
        return match unseen.into_iter().next() {
            // There may be one where it cannot be looked.
            Some((region, error)) if here.is_none_or(|here| here.phase.is_terminal()) => {
                Err(error.at(format!("region {region}")))
            }
            _ => Ok(None),
        };
    };
    if here.is_some_and(|here| !here.phase.is_terminal() || here.started_at > began) {
        return Ok(None);
    }
    rollouts.retain(|_, rollout| rollout.fleet.as_ref() == Some(&fleet));
    let is_of_it = |region: &str| fleet.regions().any(|name| name == region);
    unseen.retain(|(region, _)| is_of_it(region));
    let contexts = contexts.into_iter().filter(|cx| cx.region.as_deref().is_some_and(is_of_it)).collect();
    Ok(Some(RegionalRollout { service: chosen.name.clone(), contexts, rollouts, unseen, fleet }))
}
