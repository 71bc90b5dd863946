//! Finds the service, its target, its state and its rules.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use crate::config::policy::STANDARD;
use crate::config::service::Service;
use crate::rollout::evidence::EvidenceScope;
use crate::rollout::state_store::{StateStore, StoredRollout, open as stores};
use crate::rollout::target::{Notice, TrafficTarget, open as targets};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::exposure::Reading;
use liveops_domain::rollout::plan::{FLAG, Rules};
use liveops_domain::rollout::state::{Rollout, Transition};
use liveops_domain::text::shell::word;

/// What can be rolled out, with everything that a rollout touches.
pub struct RolloutSubject<'a> {
    /// The service, or the flag.
    pub name: String,
    pub scope: EvidenceScope,
    pub target: Box<dyn TrafficTarget + 'a>,
    pub store: Box<dyn StateStore + 'a>,
}

impl RolloutSubject<'_> {
    /// The world as it is now, and the state as it is stored: in one run where both are in the same cluster.
    pub async fn read_all(&self) -> (Result<Reading>, Result<Option<StoredRollout>>) {
        let Some(object) = self.store.object() else {
            return tokio::join!(self.target.read(), self.store.load());
        };
        match self.target.read_beside(&[object]).await {
            Ok((reading, Some(objects))) => (Ok(reading), self.store.parse(&objects)),
            Ok((reading, None)) => (Ok(reading), self.store.load().await),
            Err(error) => (Err(error), self.store.load().await),
        }
    }

    /// What the platform is told of these transitions.
    pub fn notices(&self, rollout: &Rollout, transitions: &[Transition]) -> Vec<Value> {
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
    pub fn words(&self, verb: &str) -> String {
        words(self.target.kind(), verb, &self.name)
    }

    /// What it is called, in a sentence.
    pub fn noun(&self) -> &'static str {
        match self.target.kind() {
            FLAG => "ramp",
            _ => "rollout",
        }
    }

    /// The command that begins one.
    pub fn start_command(&self) -> String {
        let name = word(&self.name);
        match self.target.kind() {
            FLAG => format!("flag ramp start {name} --steps 1,10,50,100 --guard 'error_rate < 1%'"),
            _ => format!("rollout canary {name} --image REF"),
        }
    }
}

/// What to type about a rollout on this kind of target.
pub fn words(target: &str, verb: &str, name: &str) -> String {
    let name = word(name);
    match (target, verb) {
        (FLAG, "undo") => format!("flag {verb} {name}"),
        (FLAG, _) => format!("flag ramp {verb} {name}"),
        _ => format!("rollout {verb} {name}"),
    }
}

/// What makes a service one that can be rolled out.
const HOW: &str =
    "say how its traffic is split: `services[].rollout.traffic` in liveops.yaml; docs/rollouts.md has examples";

/// The services that have a `rollout` section.
pub fn candidates(cx: &Session) -> Result<Vec<&Service>> {
    let services = &cx.config()?.settings.services;
    Ok(services.iter().filter(|service| service.rollout.is_some()).collect())
}

/// The service that is meant: the named one, the only one, or the one that a person chooses.
///
/// # Errors
/// `NotFound` with the candidates; `Usage` when it is not clear which.
pub fn choose<'a>(cx: &'a Session, name: Option<&str>) -> Result<&'a Service> {
    let found = candidates(cx)?;
    let names: Vec<&str> = found.iter().map(|service| service.name.as_str()).collect();
    if let Some(name) = name {
        let service = cx.service(name)?;
        return found
            .into_iter()
            .find(|one| one.name == service.name)
            .ok_or_else(|| Error::usage(format!("service `{name}` has no `rollout` section"), HOW));
    }
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(Error::Unconfigured { what: "rollout", environment: cx.environment()?.to_owned(), hint: HOW.into() }),
        several if cx.ask.can_ask() && !cx.choices.yes => {
            let index = cx.ask.choose("which service?", &names)?;
            several.get(index).copied().ok_or_else(|| Error::internal("a choice that was not offered"))
        }
        _ => {
            Err(Error::usage("several services can be rolled out; say which", format!("there is {}", names.join(", "))))
        }
    }
}

/// Both sides of the rollout that a service has, or had last.
pub async fn open<'a>(cx: &'a Session, service: &'a Service) -> Result<RolloutSubject<'a>> {
    let store = stores::open(cx, service)?;
    // Without its state a rollout is taken for a canary, whose way back is the weight.
    let switch = targets::has_switch(service)
        && store.load().await.is_ok_and(|stored| stored.is_some_and(|stored| stored.rollout.plan.switch));
    Ok(RolloutSubject {
        name: service.name.clone(),
        scope: EvidenceScope::of(cx, service)?,
        target: target(cx, service, switch)?,
        store,
    })
}

/// Both sides of a rollout that is to begin, step by step or by a switch.
pub fn open_new<'a>(cx: &'a Session, service: &'a Service, switch: bool) -> Result<RolloutSubject<'a>> {
    Ok(RolloutSubject {
        name: service.name.clone(),
        scope: EvidenceScope::of(cx, service)?,
        target: target(cx, service, switch)?,
        store: stores::open(cx, service)?,
    })
}

fn target<'a>(cx: &'a Session, service: &'a Service, switch: bool) -> Result<Box<dyn TrafficTarget + 'a>> {
    if switch { targets::open_switch(cx, service) } else { targets::open(cx, service) }
}

/// The rules: the named policy, else the service's own, else the built-in one.
///
/// # Errors
/// `NotFound` with the candidates.
pub fn rules(cx: &Session, service: &Service, named: Option<&str>) -> Result<(String, Rules)> {
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
