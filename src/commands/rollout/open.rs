//! Finds the service, its target, its memory and its rules.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use clap::Args;
use serde_json::Value;

use crate::commands::rollout::evidence::Scene;
use crate::commands::rollout::memory::{Memory, Stored};
use crate::commands::rollout::target::{Notice, Target};
use crate::commands::rollout::{memories, targets};
use crate::config::policy::STANDARD;
use crate::config::schema::Service;
use crate::context::Context;
use crate::domain::rollout::exposure::Reading;
use crate::domain::rollout::plan::{FLAG, Rules};
use crate::domain::rollout::state::{Rollout, Transition};
use crate::domain::shell::word;
use crate::error::{Error, Result};
use crate::output::prompt;

/// Which rollout is meant.
#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    /// Service [default: the one that has a `rollout` section]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,

    /// In this region alone, of a rollout over several
    #[arg(long, value_name = "NAME")]
    pub(super) region: Option<String>,
}

impl WhichArgs {
    /// The service, where it was said.
    pub(super) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }
}

/// What can be rolled out, with everything that a rollout touches.
pub(super) struct Place<'a> {
    /// The service, or the flag.
    pub(super) name: String,
    pub(super) scene: Scene,
    pub(super) target: Box<dyn Target + 'a>,
    pub(super) memory: Box<dyn Memory + 'a>,
}

impl Place<'_> {
    /// The world as it is now, and the state as it is stored: in one run where both are in the same cluster.
    pub(super) async fn see(&self) -> (Result<Reading>, Result<Option<Stored>>) {
        let Some(object) = self.memory.object() else {
            return tokio::join!(self.target.read(), self.memory.load());
        };
        match self.target.read_beside(&[object]).await {
            Ok((reading, Some(objects))) => (Ok(reading), self.memory.of(&objects)),
            Ok((reading, None)) => (Ok(reading), self.memory.load().await),
            Err(error) => (Err(error), self.memory.load().await),
        }
    }

    /// What the platform is told of these transitions.
    pub(super) fn notices(&self, rollout: &Rollout, transitions: &[Transition]) -> Vec<Value> {
        let notice = |transition: &Transition| {
            let mut hasher = DefaultHasher::new();
            (&rollout.id, transition.at, &transition.text).hash(&mut hasher);
            Notice {
                id: hasher.finish(),
                text: format!("{} {}: {}", rollout.service, transition.weight, transition.text),
            }
        };
        let all: Vec<Notice> = transitions.iter().map(notice).collect();
        self.target.notices(&all)
    }

    /// What to type about it: `rollout status game`.
    pub(super) fn words(&self, verb: &str) -> String {
        words(self.target.kind(), verb, &self.name)
    }

    /// What it is called, in a sentence.
    pub(super) fn noun(&self) -> &'static str {
        match self.target.kind() {
            FLAG => "ramp",
            _ => "rollout",
        }
    }

    /// The command that begins one.
    pub(super) fn beginning(&self) -> String {
        let name = word(&self.name);
        match self.target.kind() {
            FLAG => format!("flag ramp start {name} --steps 1,10,50,100 --guard 'error_rate < 1%'"),
            _ => format!("rollout canary {name} --image REF"),
        }
    }
}

/// What to type about a rollout on this kind of target.
pub(super) fn words(target: &str, verb: &str, name: &str) -> String {
    let name = word(name);
    match (target, verb) {
        (FLAG, "undo") => format!("flag {verb} {name}"),
        (FLAG, _) => format!("flag ramp {verb} {name}"),
        _ => format!("rollout {verb} {name}"),
    }
}

/// The services that have a `rollout` section.
///
/// # Errors
/// The configuration.
pub(super) fn candidates(cx: &Context) -> Result<Vec<&Service>> {
    let services = &cx.config()?.settings.services;
    Ok(services.iter().filter(|service| service.rollout.is_some()).collect())
}

/// The service that is meant: the named one, the only one, or the one that a person chooses.
///
/// # Errors
/// `NotFound` with the candidates; `Usage` when it is not clear which.
pub(super) fn choose<'a>(cx: &'a Context, name: Option<&str>) -> Result<&'a Service> {
    let found = candidates(cx)?;
    let names: Vec<&str> = found.iter().map(|service| service.name.as_str()).collect();
    if let Some(name) = name {
        let known = found.iter().find(|service| service.name == name);
        return known.copied().ok_or_else(|| Error::NotFound {
            what: "service with a `rollout` section",
            name: name.to_owned(),
            candidates: names.iter().map(ToString::to_string).collect(),
        });
    }
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(Error::Unconfigured {
            what: "rollout",
            environment: cx.environment()?.to_owned(),
            hint: "say how a service's traffic is split: `rollout.traffic` of it in liveops.yaml".into(),
        }),
        several if prompt::can_prompt() && !cx.global.yes => {
            let index = prompt::choose("which service?", &names)?;
            several.get(index).copied().ok_or_else(|| Error::internal("a choice that was not offered"))
        }
        _ => {
            Err(Error::usage("several services can be rolled out; say which", format!("there is {}", names.join(", "))))
        }
    }
}

/// Both sides of the rollout that a service has, or had last.
///
/// # Errors
/// The target or the memory cannot be used.
pub(super) async fn place<'a>(cx: &'a Context, service: &'a Service) -> Result<Place<'a>> {
    let memory = memories::open(cx, service)?;
    // Without its state a rollout is taken for a canary, whose way back is the weight.
    let switch = targets::has_switch(service)
        && memory.load().await.is_ok_and(|stored| stored.is_some_and(|stored| stored.rollout.plan.switch));
    Ok(Place {
        name: service.name.clone(),
        scene: Scene::of(cx, service)?,
        target: target(cx, service, switch)?,
        memory,
    })
}

/// Both sides of a rollout that is to begin, step by step or by a switch.
///
/// # Errors
/// The target or the memory cannot be used.
pub(super) fn fresh<'a>(cx: &'a Context, service: &'a Service, switch: bool) -> Result<Place<'a>> {
    Ok(Place {
        name: service.name.clone(),
        scene: Scene::of(cx, service)?,
        target: target(cx, service, switch)?,
        memory: memories::open(cx, service)?,
    })
}

fn target<'a>(cx: &'a Context, service: &'a Service, switch: bool) -> Result<Box<dyn Target + 'a>> {
    if switch { targets::open_switch(cx, service) } else { targets::open(cx, service) }
}

/// The rules: the named policy, else the service's own, else the built-in one.
///
/// # Errors
/// `NotFound` with the candidates.
pub(super) fn rules(cx: &Context, service: &Service, named: Option<&str>) -> Result<(String, Rules)> {
    let own = service.rollout.as_ref().and_then(|rollout| Some(rollout.policy.as_ref()?.0.as_str()));
    let name = named.or(own).unwrap_or(STANDARD);
    let policies = &cx.config()?.settings.policies;
    let rules = policies.get(name).ok_or_else(|| Error::NotFound {
        what: "policy",
        name: name.to_owned(),
        candidates: policies.keys().cloned().collect(),
    })?;
    Ok((name.to_owned(), rules.clone()))
}
