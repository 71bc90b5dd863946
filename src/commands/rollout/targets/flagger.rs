//! `kind: flagger`: Flagger moves the weight by its own analysis, and outlives any terminal. We set the image of its
//! target and watch; the only way back before its own verdict is its `rollback` webhook, so without one it is refused.

use std::cell::RefCell;

use serde_json::{Value, json};
use url::Url;

use super::event;
use super::workload::Workload;
use crate::change::Confirmed;
use crate::clients::kubectl::Object;
use crate::commands::rollout::target::{Doing, Finish, Objection, Target};
use crate::domain::kubernetes::deployment;
use crate::domain::rollout::exposure::{Fence, Originals, Percent, Readiness, Reading};
use crate::error::{Error, Result};

/// The target. `workload.stable` is the Deployment that Flagger watches.
#[derive(Debug)]
pub(super) struct Flagger<'a> {
    pub(super) object: Object,
    pub(super) workload: Workload<'a>,
    pub(super) seen: RefCell<Vec<Value>>,
}

/// Is an analysis under way?
fn is_running(canary: &Value) -> bool {
    !matches!(
        canary["status"]["phase"].as_str(),
        None | Some("Initialized" | "Succeeded" | "Failed" | "Initializing")
    )
}

fn share(canary: &Value) -> Percent {
    match canary["status"]["phase"].as_str() {
        Some("Succeeded" | "Finalising" | "Promoting") => Percent::FULL,
        _ => {
            let weight = canary["status"]["canaryWeight"].as_f64();
            weight.and_then(Percent::new).unwrap_or(Percent::ZERO)
        }
    }
}

/// Service, namespace, port and path of the gate that the rollback webhook asks; Flagger polls `…/check`.
fn gate(canary: &Value) -> Option<(String, String)> {
    let hooks = canary["spec"]["analysis"]["webhooks"].as_array()?;
    let hook = hooks.iter().find(|hook| hook["type"] == "rollback")?;
    let url = Url::parse(hook["url"].as_str()?).ok()?;
    let mut host = url.host_str()?.split('.');
    let service = host.next()?;
    let namespace = host.next().or(canary["metadata"]["namespace"].as_str())?;
    let port = url.port().unwrap_or(80);
    let base = url.path().trim_end_matches("check").trim_end_matches('/');
    let proxy =
        format!("/api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy{base}");
    Some((format!("{proxy}/open"), format!("{proxy}/close")))
}

impl Flagger<'_> {
    async fn look(&self) -> Result<Vec<Value>> {
        let asked = [self.object.clone(), self.workload.stable.clone()];
        let found = self.workload.kubectl.get(&asked).await;
        let found = found.map_err(|failure| self.workload.failed(&self.object, &failure))?;
        self.seen.replace(found.clone());
        Ok(found)
    }

    fn canary_in<'o>(&self, objects: &'o [Value]) -> Result<&'o Value> {
        let found = objects.iter().find(|object| self.object.is(object));
        found.ok_or_else(|| self.workload.unfit(&self.object, "it does not exist"))
    }

    fn reading(&self, objects: &[Value]) -> Result<Reading> {
        let canary = self.canary_in(objects)?;
        let target = self.workload.stable_in(objects)?;
        let available = deployment::available(target);
        let phase = canary["status"]["phase"].as_str().unwrap_or("Initializing");
        Ok(Reading {
            live: share(canary),
            settled: true,
            // The primary that Flagger keeps is its own matter.
            stable: Readiness::Ready {
                available: available.max(1),
            },
            canary: match phase {
                "Failed" => Readiness::Failed {
                    available,
                    why: "Flagger's analysis failed".into(),
                },
                "Initializing" => Readiness::Waiting {
                    available,
                    wanted: 1,
                    why: "Flagger initializes".into(),
                },
                _ => Readiness::Ready { available },
            },
            version: canary["metadata"]["resourceVersion"]
                .as_str()
                .map(ToOwned::to_owned),
            epoch: None,
            writer: None,
        })
    }

    async fn turn(&self, path: &str, canary: &Value, confirmed: &Confirmed) -> Result<()> {
        let name = &canary["metadata"]["name"];
        let body = json!({ "name": name, "namespace": canary["metadata"]["namespace"] });
        let done = self.workload.kubectl.post_raw(path, &body, confirmed).await;
        done.map_err(|failure| self.workload.failed(&self.object, &failure))
    }
}

impl Target for Flagger<'_> {
    fn kind(&self) -> &'static str {
        "flagger"
    }

    fn place(&self) -> String {
        self.workload.kubectl.place(&self.object)
    }

    fn is_delegated(&self) -> bool {
        true
    }

    fn steps(&self) -> Doing<'_, Option<Vec<Percent>>> {
        Box::pin(async {
            let objects = self.look().await?;
            let analysis = &self.canary_in(&objects)?["spec"]["analysis"];
            let mut steps: Vec<Percent> = match analysis["stepWeights"].as_array() {
                Some(weights) => {
                    let weights = weights.iter().filter_map(Value::as_f64);
                    weights.filter_map(Percent::new).collect()
                }
                None => {
                    let step = analysis["stepWeight"].as_u64().unwrap_or(0);
                    let most = analysis["maxWeight"].as_u64().unwrap_or(100).min(100);
                    let weights = (1..).map(|n| n * step).take_while(|weight| *weight <= most);
                    let weights = weights.take(if step == 0 { 0 } else { 100 });
                    weights
                        .filter_map(|weight| Percent::new(weight as f64))
                        .collect()
                }
            };
            steps.retain(|weight| !weight.is_about(Percent::FULL));
            steps.push(Percent::FULL);
            Ok(Some(steps))
        })
    }

    fn read(&self) -> Doing<'_, Reading> {
        Box::pin(async {
            let objects = self.look().await?;
            self.reading(&objects)
        })
    }

    fn originals(&self) -> Doing<'_, Originals> {
        Box::pin(async {
            let objects = self.look().await?;
            self.canary_in(&objects)?;
            let workload = &self.workload;
            let none = serde_json::Map::new();
            let mut originals = workload
                .originals(&objects, Value::Null, none, None, Percent::ZERO)
                .await?;
            // Flagger scales its target to nothing between two analyses.
            originals.stable_available = 0;
            Ok(originals)
        })
    }

    fn preflight(&self) -> Doing<'_, Vec<Objection>> {
        Box::pin(async {
            let objects = self.look().await?;
            let canary = self.canary_in(&objects)?;
            let mut objections = Vec::new();
            if gate(canary).is_none() {
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: "the Canary has no webhook of type `rollback`, so nothing but Flagger itself could go back".into(),
                    hint: "add one: https://docs.flagger.app/usage/webhooks#manual-gating".into(),
                    blocks: true,
                });
            }
            if is_running(canary) {
                let phase = canary["status"]["phase"].as_str().unwrap_or_default();
                objections.push(Objection {
                    gate: "rollback_plan",
                    text: format!("Flagger is in the middle of another version: {phase}"),
                    hint: "wait until it is over".into(),
                    blocks: true,
                });
            }
            Ok(objections)
        })
    }

    fn prepare<'a>(
        &'a self,
        image: &'a str,
        _originals: &'a Originals,
        _fence: &'a Fence,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let objects = self.look().await?;
            if let Some((_, close)) = gate(self.canary_in(&objects)?) {
                self.turn(&close, self.canary_in(&objects)?, confirmed)
                    .await?;
            }
            let target = self.workload.stable_in(&objects)?;
            let container = deployment::container(target, self.workload.container)
                .map_err(|why| self.workload.unfit(&self.workload.stable, &why))?;
            let now = deployment::image(target, container).unwrap_or_default();
            if now != image {
                let patch = deployment::set_image(container, now, image);
                let patch = patch.as_array().cloned().unwrap_or_default();
                self.workload
                    .apply(&self.workload.stable, patch, confirmed)
                    .await?;
            }
            let objects = self.look().await?;
            self.reading(&objects)
        })
    }

    fn set_exposure<'a>(
        &'a self,
        _percent: Percent,
        _fence: &'a Fence,
        _confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        // It goes on by itself.
        self.read()
    }

    fn restore<'a>(
        &'a self,
        _originals: Option<&'a Originals>,
        confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        Box::pin(async move {
            let objects = self.look().await?;
            let canary = self.canary_in(&objects)?;
            if is_running(canary) {
                let (open, _) = gate(canary).ok_or_else(|| {
                    self.workload
                        .unfit(&self.object, "it has no rollback webhook")
                })?;
                self.turn(&open, canary, confirmed).await?;
                return Err(Error::Conflict {
                    what: "Flagger has been told to go back, and does so at its next tick".into(),
                    hint: "it is asked again".into(),
                });
            }
            if canary["status"]["phase"] == "Failed"
                && let Some((_, close)) = gate(canary)
            {
                self.turn(&close, canary, confirmed).await?;
            }
            self.reading(&objects)
        })
    }

    fn promote<'a>(
        &'a self,
        _image: &'a str,
        _originals: &'a Originals,
        _fence: &'a Fence,
        _confirmed: &'a Confirmed,
    ) -> Doing<'a, Reading> {
        self.read()
    }

    fn finish<'a>(
        &'a self,
        _image: &'a str,
        _originals: &'a Originals,
        _fence: &'a Fence,
        _confirmed: &'a Confirmed,
    ) -> Doing<'a, Finish> {
        Box::pin(async move {
            let objects = self.look().await?;
            let phase = self.canary_in(&objects)?["status"]["phase"].as_str();
            Ok(match phase {
                Some("Succeeded") => Finish::Done,
                phase => Finish::Waiting(format!("Flagger is {}", phase.unwrap_or("initializing"))),
            })
        })
    }

    fn undo_by_hand(&self, _originals: Option<&Originals>) -> String {
        let seen = self.seen.borrow();
        let open = self
            .canary_in(&seen)
            .ok()
            .and_then(gate)
            .map(|(open, _)| open);
        let name = &self.object.name;
        let namespace = self.workload.kubectl.namespace();
        match open {
            Some(open) => format!(
                "echo '{{\"name\":\"{name}\",\"namespace\":\"{namespace}\"}}' | {}",
                self.workload
                    .kubectl
                    .by_hand(&format!("create --raw {open} -f -"))
            ),
            None => self
                .workload
                .kubectl
                .by_hand(&format!("get {}", self.object)),
        }
    }

    fn announce<'a>(&'a self, texts: &'a [String], confirmed: &'a Confirmed) -> Doing<'a, ()> {
        let target = &self.workload.stable;
        Box::pin(event::post(
            &self.workload.kubectl,
            target,
            texts,
            confirmed,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_opened_through_the_api_server() {
        let canary = json!({
            "metadata": { "namespace": "game" },
            "spec": { "analysis": { "webhooks": [
                { "type": "load-test", "url": "http://x.y/" },
                { "type": "rollback", "url": "http://flagger-loadtester.tools/rollback/check" },
            ] } },
        });
        let (open, close) = gate(&canary).unwrap();
        let base = "/api/v1/namespaces/tools/services/http:flagger-loadtester:80/proxy/rollback";
        assert_eq!(open, format!("{base}/open"));
        assert_eq!(close, format!("{base}/close"));
        assert_eq!(gate(&json!({})), None);
    }
}
