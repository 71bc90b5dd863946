//! The two Deployments behind a split of traffic: the stable one, whose capacity is kept, and the canary, which is made
//! from it. Writes are conditional on what was read; each can be repeated.

use std::cell::RefCell;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::failure::{Failure, Fault};
use crate::clients::kubectl::object::{Deed, Object, Resource};
use crate::clients::kubectl::{Kubectl, Patch};
use crate::rollout::target::fallback_lever::FallbackLever;
use crate::rollout::target::{Objection, annotated_object};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::autoscaler::Bounds;
use liveops_domain::kubernetes::{autoscaler, deployment, owner};
use liveops_domain::rollout::exposure::{Digests, Originals, Percent, Readiness};

/// The Deployments of one service.
#[derive(Debug)]
pub struct Workload<'a> {
    pub kubectl: Kubectl<'a>,
    pub stable: Object,
    pub canary: Object,
    pub container: Option<&'a str>,
    /// What was recorded as the start, for the permissions that its way back needs.
    pub recorded: RefCell<Option<Detail>>,
    /// What the pods of each Deployment ran at the version of it that was read last.
    pub ran: RefCell<HashMap<String, (Value, Vec<String>)>>,
}

/// What a Kubernetes target restores, in [`Originals::detail`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// What the object that carries the weight said.
    pub route: Value,
    /// Labels that tell the canary's pods from the stable ones.
    pub labels: Map<String, Value>,
    /// Instances that the stable Deployment wanted.
    pub replicas: u64,
    /// The place of the container.
    pub container: usize,
    /// The canary's Deployment, when there was one: image and instances.
    pub canary: Option<(String, u64)>,
    /// The autoscaler of the stable Deployment.
    pub autoscaler: Option<Bounds>,
    /// The second lever, where there is one in an object of its own.
    #[serde(rename = "selectors")]
    pub fallback: Option<FallbackLever>,
}

impl Detail {
    /// Reads it from the originals.
    pub fn of(originals: &Originals) -> Result<Self> {
        serde_json::from_value(originals.detail.clone()).map_err(|error| Error::Conflict {
            what: format!("what was recorded at the start is not of this kind of target: {error}"),
            hint: "the configuration of the rollout was changed meanwhile; change it back".into(),
        })
    }
}

impl Workload<'_> {
    /// The error for a cluster that says no.
    pub fn failed(&self, object: &Object, failure: &Failure) -> Error {
        failure.about(&self.kubectl.place(object))
    }

    /// What a target is not as it should be.
    pub fn unfit(&self, object: &Object, why: &str) -> Error {
        annotated_object::unfit(&self.kubectl.place(object), why)
    }

    /// The stable Deployment among these objects.
    pub fn stable_in<'o>(&self, objects: &'o [Value]) -> Result<&'o Value> {
        let found = objects.iter().find(|object| self.stable.is(object));
        found.ok_or_else(|| self.unfit(&self.stable, "it does not exist"))
    }

    /// The canary's Deployment among these objects.
    pub fn canary_in<'o>(&self, objects: &'o [Value]) -> Option<&'o Value> {
        objects.iter().find(|object| self.canary.is(object))
    }

    /// The image of a Deployment's container, as it is wanted now.
    pub fn image_of(&self, deployment: Option<&Value>) -> Option<String> {
        let container = deployment::container(deployment?, self.container).ok()?;
        deployment::image(deployment?, container).map(ToOwned::to_owned)
    }

    /// How ready the canary is. Its pods are asked only where it is not: what keeps them from it.
    pub async fn canary_readiness(&self, objects: &[Value]) -> Result<Readiness> {
        let Some(canary) = self.canary_in(objects) else {
            return Ok(Readiness::Absent);
        };
        let readiness = deployment::readiness(canary);
        let Readiness::Waiting { available, .. } = readiness else {
            return Ok(readiness);
        };
        let labels = deployment::selector(canary);
        let pods = self.kubectl.list("pods", Some(&labels)).await;
        let pods = pods.map_err(|failure| self.failed(&self.canary, &failure))?;
        Ok(match deployment::stuck(&pods) {
            Some(why) => Readiness::Failed { available, why },
            None => readiness,
        })
    }

    /// What the pods of both run.
    pub async fn digests(&self, objects: &[Value]) -> Result<Digests> {
        let [stable, canary] = [&self.stable, &self.canary].map(|object| self.digests_of(objects, object));
        let (stable, canary) = tokio::join!(stable, canary);
        Ok(Digests { stable: stable?, canary: canary? })
    }

    /// What the pods of this Deployment run. They are asked again only when it is another version than before: whatever
    /// comes or restarts changes its status.
    pub async fn digests_of(&self, objects: &[Value], object: &Object) -> Result<Vec<String>> {
        let Some(found) = objects.iter().find(|found| object.is(found)) else {
            return Ok(Vec::new());
        };
        let version = found["metadata"]["resourceVersion"].clone();
        let name = object.name.as_str();
        if let Some((known, digests)) = self.ran.borrow().get(name)
            && *known == version
        {
            return Ok(digests.clone());
        }
        let container = deployment::container(found, self.container).map_err(|why| self.unfit(object, &why))?;
        let pods = self.kubectl.list("pods", Some(&deployment::selector(found))).await;
        let pods = pods.map_err(|failure| self.failed(object, &failure))?;
        let image = deployment::image(found, container).unwrap_or_default();
        let digests = deployment::digests(&pods, deployment::container_name(found, container), image);
        self.ran.borrow_mut().insert(name.to_owned(), (version, digests.clone()));
        Ok(digests)
    }

    /// What was there at the start.
    pub async fn originals(
        &self,
        objects: &[Value],
        route: Value,
        labels: Map<String, Value>,
        fallback: Option<FallbackLever>,
        weight: Percent,
    ) -> Result<Originals> {
        let stable = self.stable_in(objects)?;
        let container = deployment::container(stable, self.container).map_err(|why| self.unfit(&self.stable, &why))?;
        let all = self.kubectl.list(Resource::Hpa.word(), None).await;
        let all = all.map_err(|failure| self.failed(&self.stable, &failure))?;
        let autoscaler = autoscaler::find(&all, self.stable.name.as_str()).and_then(Bounds::of);
        let selector = deployment::selector(stable);
        let pods = self.kubectl.list("pods", Some(&selector)).await;
        let pods = pods.map_err(|failure| self.failed(&self.stable, &failure))?;
        let image = deployment::image(stable, container).map(ToOwned::to_owned);
        let name = deployment::container_name(stable, container);
        let digest = deployment::digests(&pods, name, image.as_deref().unwrap_or_default()).into_iter().next();
        let canary = self.canary_in(objects).map(|canary| {
            let index = deployment::container(canary, self.container).unwrap_or(container);
            let image = deployment::image(canary, index).unwrap_or_default();
            (image.to_owned(), deployment::replicas(canary))
        });
        let canary_image = canary.as_ref().map(|(image, _)| image.clone());
        let detail =
            Detail { route, labels, replicas: deployment::replicas(stable), container, canary, autoscaler, fallback };
        self.recorded.replace(Some(detail.clone()));
        Ok(Originals {
            weight,
            stable_available: deployment::available(stable),
            stable_image: image,
            release: None,
            canary_image,
            stable_digest: digest,
            stable_revision: deployment::revision(stable).map(ToOwned::to_owned),
            detail: serde_json::to_value(detail)
                .map_err(|error| Error::internal(&format!("the originals: {error}")))?,
        })
    }

    /// The canary with this image and size: made, or changed where it differs.
    pub async fn start(
        &self,
        objects: &[Value],
        detail: &Detail,
        image: &str,
        replicas: u64,
        confirmed: &Confirmed,
    ) -> Result<()> {
        let stable = self.stable_in(objects)?;
        let name = self.canary.name.as_str();
        let Some(canary) = self.canary_in(objects) else {
            let (labels, container) = (&detail.labels, detail.container);
            let object = deployment::canary_of(stable, name, labels, container, image, replicas);
            return match self.kubectl.create(&object, confirmed).await {
                Ok(_) => Ok(()),
                Err(failure) => Err(self.failed(&self.canary, &failure)),
            };
        };
        let container = deployment::container(canary, self.container).map_err(|why| self.unfit(&self.canary, &why))?;
        let now = deployment::image(canary, container).unwrap_or_default();
        let mut patch = Vec::new();
        if now != image {
            patch.extend(deployment::set_image(container, now, image));
        }
        if deployment::replicas(canary) != replicas {
            patch.push(json!({ "op": "replace", "path": "/spec/replicas", "value": replicas }));
        }
        self.apply(&self.canary, patch, confirmed).await
    }

    /// A JSON Patch, where there is anything to do.
    ///
    /// # Errors
    /// `Conflict` when a test fails; those of the cluster.
    pub async fn apply(&self, object: &Object, patch: Vec<Value>, confirmed: &Confirmed) -> Result<()> {
        if patch.is_empty() {
            return Ok(());
        }
        let patch = Value::Array(patch);
        let done = self.kubectl.patch(object, Patch::Json, &patch, None, confirmed);
        done.await.map(drop).map_err(|failure| failure.about_test(&self.kubectl.place(object)))
    }

    /// Sets the bounds of the stable autoscaler from these to those, each by itself: one that somebody changed meanwhile
    /// stays.
    pub async fn bound(&self, from: &Bounds, to: &Bounds, confirmed: &Confirmed) -> Result<()> {
        let object = Object::new(Resource::Hpa, &from.name)?;
        let found = self.kubectl.get(std::slice::from_ref(&object)).await;
        let found = found.map_err(|failure| self.failed(&object, &failure))?;
        let Some(now) = found.first() else {
            return Ok(());
        };
        let Some(mut patch) = Bounds::of(now).and_then(|now| now.moved(from, to)) else {
            return Ok(());
        };
        patch["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
        let done = self.kubectl.patch(&object, Patch::Merge, &patch, None, confirmed);
        done.await.map(drop).map_err(|failure| self.failed(&object, &failure))
    }

    /// The canary as it was at the start: gone, or with its old image and size.
    pub async fn stop(&self, detail: &Detail, confirmed: &Confirmed) -> Result<()> {
        let Some((image, replicas)) = &detail.canary else {
            let done = self.kubectl.delete(&self.canary, confirmed).await;
            return done.map_err(|failure| self.failed(&self.canary, &failure));
        };
        let path = format!("/spec/template/spec/containers/{}/image", detail.container);
        let patch = json!([
            { "op": "replace", "path": path, "value": image },
            { "op": "replace", "path": "/spec/replicas", "value": replicas },
        ]);
        let done = self.kubectl.patch(&self.canary, Patch::Json, &patch, None, confirmed);
        match done.await {
            Ok(_) => Ok(()),
            // Whoever deleted it has done more than we would.
            Err(failure) if failure.fault == Fault::NotFound => Ok(()),
            Err(failure) => Err(self.failed(&self.canary, &failure)),
        }
    }

    /// Is what carries the weight the only way back, as far as was recorded?
    pub fn has_one_lever(&self) -> bool {
        let recorded = self.recorded.borrow();
        recorded.as_ref().is_some_and(|detail| detail.fallback.is_none())
    }

    /// The canary's Deployment with this image, as it stands: its pods are replaced a few at a time.
    pub async fn set_canary(&self, detail: &Detail, image: &str, confirmed: &Confirmed) -> Result<()> {
        let path = format!("/spec/template/spec/containers/{}/image", detail.container);
        let patch = json!([{ "op": "replace", "path": path, "value": image }]);
        let done = self.kubectl.patch(&self.canary, Patch::Json, &patch, None, confirmed);
        done.await.map(drop).map_err(|failure| self.failed(&self.canary, &failure))
    }

    /// The stable Deployment with its old image, where we have changed it, and at least its old size. What somebody else
    /// released there meanwhile is not ours to take back.
    pub async fn keep(
        &self,
        objects: &[Value],
        originals: &Originals,
        detail: &Detail,
        confirmed: &Confirmed,
    ) -> Result<()> {
        let stable = self.stable_in(objects)?;
        let now = deployment::image(stable, detail.container).unwrap_or_default();
        let mut patch = Vec::new();
        if let Some(image) = &originals.stable_image
            && now != image
            && !originals.is_foreign(now)
        {
            patch.extend(deployment::set_image(detail.container, now, image));
        }
        if deployment::replicas(stable) < detail.replicas {
            let value = detail.replicas;
            patch.push(json!({ "op": "replace", "path": "/spec/replicas", "value": value }));
        }
        self.apply(&self.stable, patch, confirmed).await
    }

    /// Gives the stable Deployment the new image, and says what is waited for until it is ready with it.
    ///
    /// # Errors
    /// `Conflict` when somebody else changed the image meanwhile; those of the cluster.
    pub async fn adopt(
        &self,
        objects: &[Value],
        (originals, detail): (&Originals, &Detail),
        image: &str,
        confirmed: &Confirmed,
    ) -> Result<Option<String>> {
        let stable = self.stable_in(objects)?;
        let now = deployment::image(stable, detail.container).unwrap_or_default();
        if now != image {
            if originals.stable_image.as_ref().is_some_and(|before| now != before) {
                return Err(Error::Conflict {
                    what: format!("{} is {now}, which somebody else released meanwhile", self.stable),
                    hint: "look: `liveops rollout status`; leave it as it is: `liveops rollout abort`".into(),
                });
            }
            let patch = deployment::set_image(detail.container, now, image);
            self.apply(&self.stable, patch, confirmed).await?;
            return Ok(Some(format!("{} rolls out {image}", self.stable)));
        }
        let ready = deployment::readiness(stable).is_ready();
        Ok((!ready).then(|| format!("{} is not ready yet", self.stable)))
    }

    /// Waits for nothing: says that pods of the canary are still there, where none should be. A Service that fits them
    /// again would give them traffic.
    ///
    /// # Errors
    /// `Conflict` as long as there are some; those of the cluster.
    pub async fn is_gone(&self, objects: &[Value], detail: &Detail) -> Result<()> {
        if detail.canary.is_some() {
            return Ok(());
        }
        let mut labels = self.stable_in(objects)?["spec"]["selector"]["matchLabels"].clone();
        if let Some(labels) = labels.as_object_mut() {
            labels.extend(detail.labels.clone());
        }
        let selector = deployment::selector_of(&labels);
        let pods = self.kubectl.list("pods", Some(&selector)).await;
        let pods = pods.map_err(|failure| self.failed(&self.canary, &failure))?;
        let alive = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        match alive.count() {
            0 => Ok(()),
            count => Err(Error::Conflict {
                what: format!("the canary has no traffic any more, and {count} of its pods are still ending"),
                hint: format!("look: `{}`", self.kubectl.by_hand(&format!("get pods --selector={selector}"))),
            }),
        }
    }

    /// What speaks against a rollout, as far as permissions and the Deployments tell. `carrier` is patched at each step.
    pub async fn objections(&self, objects: &[Value], carrier: Resource) -> Result<Vec<Objection>> {
        let mut deeds = vec![
            Deed::new("patch", carrier),
            Deed::new("patch", Resource::Deployment),
            Deed::new("create", Resource::Deployment),
            Deed::new("delete", Resource::Deployment),
        ];
        if let Some(detail) = &*self.recorded.borrow() {
            let pinned = detail.autoscaler.as_ref().map(|_| Resource::Hpa);
            let fallback = detail.fallback.as_ref().map(FallbackLever::resource);
            let more = pinned.into_iter().chain(fallback);
            deeds.extend(more.map(|resource| Deed::new("patch", resource)));
        }
        let mut objections =
            denied(&self.kubectl, &deeds).await.map_err(|failure| self.failed(&self.stable, &failure))?;
        objections.extend(objects.iter().filter_map(managed));
        let stable = deployment::readiness(self.stable_in(objects)?);
        if !stable.is_ready() {
            objections.push(Objection {
                gate: "capacity",
                text: format!("the stable version is not ready itself: {}", word(&stable)),
                hint: format!("look: `{}`", self.kubectl.by_hand(&format!("rollout status {}", self.stable))),
                blocks: true,
            });
        }
        Ok(objections)
    }
}

/// That a GitOps tool manages this object: worth saying.
pub fn managed(object: &Value) -> Option<Objection> {
    let tool = owner::gitops(object)?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    Some(Objection {
        gate: "gitops",
        text: format!("{tool} manages {kind} `{name}`, and may set it back in the middle of the rollout"),
        hint: format!("let {tool} ignore the weights (`ignoreDifferences`), or pause its sync"),
        blocks: false,
    })
}

/// What may not be done, of these and of what lock and state need. All are asked in one run.
pub async fn denied(kubectl: &Kubectl<'_>, deeds: &[Deed]) -> std::result::Result<Vec<Objection>, Failure> {
    let own = [
        Deed::new("create", Resource::Lease),
        Deed::new("update", Resource::Lease),
        Deed::new("patch", Resource::Lease),
        Deed::new("create", Resource::ConfigMap),
        Deed::new("update", Resource::ConfigMap),
        Deed::new("patch", Resource::ConfigMap),
    ];
    let asked: Vec<Deed> = deeds.iter().copied().chain(own).collect();
    let may = kubectl.may(&asked).await?;
    let denied = asked.iter().zip(may).filter(|(_, may)| !may);
    Ok(denied
        .map(|(deed, _)| Objection {
            gate: "permissions",
            text: format!("you may not {deed}"),
            hint: format!("check: `{}`", kubectl.by_hand(&format!("auth can-i {}", deed.words()))),
            blocks: true,
        })
        .collect())
}

fn word(readiness: &Readiness) -> &str {
    match readiness {
        Readiness::Absent => "it wants no pods",
        Readiness::Ready { .. } => "ready",
        Readiness::Waiting { why, .. } | Readiness::Failed { why, .. } => why,
    }
}
