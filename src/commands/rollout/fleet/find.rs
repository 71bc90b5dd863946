//! Finds the rollout over several regions that a service has, or had last: each region is asked for its own state, and
//! the latest whole that any of them names is it.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::commands::rollout::memories;
use crate::commands::rollout::open::{candidates, choose};
use crate::commands::rollout::report::RolloutRow;
use crate::commands::rollout::status::rows_here;
use crate::context::Context;
use crate::domain::rollout::fleet::{Fleet, Standing, Standings};
use crate::domain::rollout::state::Rollout;
use crate::domain::shell::word;
use crate::error::{Error, Result};

/// A rollout over several regions.
pub(in crate::commands::rollout) struct Found {
    pub(super) fleet: Fleet,
    pub(super) service: String,
    /// One for each region of it.
    pub(super) contexts: Vec<Context>,
    /// What each region remembers of it.
    pub(super) rollouts: BTreeMap<String, Rollout>,
    /// Regions that do not say where they stand.
    pub(super) unseen: Vec<(String, Error)>,
}

impl Found {
    /// Where each region stands; one that does not say so is taken to be under way.
    pub(super) fn standings(&self) -> Standings {
        let at = |region: &String| {
            if self.unseen.iter().any(|(unseen, _)| unseen == region) {
                return Standing::UnderWay;
            }
            Standing::of(self.rollouts.get(region), &self.fleet.id)
        };
        self.fleet
            .regions()
            .map(|region| (region.clone(), at(region)))
            .collect()
    }

    /// The contexts of these regions.
    pub(super) fn contexts_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<&Context> {
        let named = |cx: &&Context| cx.region.as_deref().is_some_and(&wanted);
        self.contexts.iter().filter(named).collect()
    }

    /// The regions that do not say where they stand, and why.
    pub(in crate::commands::rollout) fn unseen(&self) -> impl Iterator<Item = &(String, Error)> {
        self.unseen.iter()
    }

    /// What each region remembers.
    pub(in crate::commands::rollout) fn into_rollouts(self) -> Vec<Rollout> {
        self.rollouts.into_values().collect()
    }

    /// The service.
    pub(in crate::commands::rollout) fn service(&self) -> &str {
        &self.service
    }

    /// The regions that have begun, and are not back.
    pub(in crate::commands::rollout) fn touched(&self) -> Vec<&Context> {
        let standings = self.standings();
        self.contexts_where(|region| {
            !matches!(
                standings.get(region),
                None | Some(Standing::Pending | Standing::Back)
            )
        })
    }

    /// The regions whose rollout is so.
    ///
    /// # Errors
    /// `Refused`: none is.
    pub(in crate::commands::rollout) fn regions_where(
        &self,
        wanted: impl Fn(&Rollout) -> bool,
    ) -> Result<Vec<&Context>> {
        let found = self.contexts_where(|region| self.rollouts.get(region).is_some_and(&wanted));
        if found.is_empty() {
            return Err(Error::Refused {
                why: format!("no region of {} waits for that", self.service),
                hint: "look at them: `liveops rollout status`".into(),
            });
        }
        Ok(found)
    }

    /// The error for what can be said to one region only.
    pub(in crate::commands::rollout) fn which_region(&self, cx: &Context, verb: &str) -> Error {
        let regions: Vec<&str> = self.fleet.regions().map(String::as_str).collect();
        let service = word(&self.service);
        let first = regions.first().copied().unwrap_or_default();
        Error::usage(
            format!(
                "{service} is rolled out in {}; say which region",
                regions.join(", ")
            ),
            format!(
                "such as `{}`",
                cx.command(&format!(
                    "rollout {verb} {service} --region {}",
                    word(first)
                ))
            ),
        )
    }
}

/// The rollout of the service over several regions, unless one without regions came after it.
///
/// # Errors
/// The configuration; which service is not clear.
pub(in crate::commands::rollout) async fn find(
    cx: &Context,
    service: Option<&str>,
) -> Result<Option<Found>> {
    // What is about one region alone is not about the whole.
    if cx.region.is_some() || cx.config()?.settings.regions.is_empty() {
        return Ok(None);
    }
    let chosen = choose(cx, service)?;
    let contexts = super::plan::contexts(cx, &cx.config()?.settings.regions);
    let asked = contexts.iter().map(|cx| async {
        let memory = memories::open(cx, choose(cx, Some(&chosen.name))?)?;
        Ok(memory.load().await?.map(|stored| stored.rollout))
    });
    let here = async { memories::open(cx, chosen)?.load().await };
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
    let latest = rollouts
        .values()
        .filter(|rollout| rollout.fleet.is_some())
        .max_by_key(|rollout| rollout.started_at);
    let Some((fleet, began)) = latest.and_then(|it| Some((it.fleet.clone()?, it.started_at)))
    else {
        return Ok(None);
    };
    if let Ok(Some(here)) = here
        && (!here.rollout.phase.is_terminal() || here.rollout.started_at > began)
    {
        return Ok(None);
    }
    rollouts.retain(|_, rollout| rollout.fleet.as_ref() == Some(&fleet));
    let is_of_it = |region: &str| fleet.regions().any(|name| name == region);
    unseen.retain(|(region, _)| is_of_it(region));
    let contexts = contexts
        .into_iter()
        .filter(|cx| cx.region.as_deref().is_some_and(is_of_it))
        .collect();
    Ok(Some(Found {
        service: chosen.name.clone(),
        contexts,
        rollouts,
        unseen,
        fleet,
    }))
}

/// The latest rollout of each service, here and in each region, and what kept us from knowing one.
///
/// # Errors
/// The configuration.
pub(in crate::commands::rollout) async fn rows(
    cx: &Context,
) -> Result<(Vec<RolloutRow>, Vec<String>)> {
    let regions = match cx.region {
        Some(_) => Vec::new(),
        None => super::plan::contexts(cx, &cx.config()?.settings.regions),
    };
    let (here, elsewhere) = tokio::join!(
        rows_here(cx),
        join_all(regions.iter().map(|cx| async move {
            match candidates(cx) {
                Ok(_) => rows_here(cx).await,
                Err(error) => Err(error),
            }
        }))
    );
    let (mut rows, mut warnings) = here?;
    if !regions.is_empty() {
        // Where there are regions, the environment itself need not be one.
        warnings.clear();
    }
    for (cx, found) in regions.iter().zip(elsewhere) {
        let region = cx.region.as_deref().unwrap_or_default();
        match found {
            Ok((more, unseen)) => {
                rows.extend(more);
                warnings.extend(unseen.into_iter().map(|text| format!("{region}: {text}")));
            }
            Err(error) => warnings.push(format!("{region}: {error}")),
        }
    }
    Ok((rows, warnings))
}
