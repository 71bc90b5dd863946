//! What the controllers and the kubelet would do, as far as a rollout sees it: Deployment → ReplicaSet → Pods that
//! become ready (or never do), their counts and conditions, Endpoints of Services, and the floor of an HPA.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::envtest::Images;
use super::kinds::Kind;
use super::store::{State, Store, Write};

/// How the containers of an image behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Image {
    Ready,
    /// The same, of another digest than before: its tag was pushed anew.
    PushedAnew,
    /// Runs, and never passes its readiness probe.
    NeverReady,
    /// `CrashLoopBackOff`.
    Crashes,
    /// `ImagePullBackOff`.
    CannotBePulled,
}

impl Image {
    fn is_ready(self) -> bool {
        matches!(self, Self::Ready | Self::PushedAnew)
    }
}

/// A change is seen by the controllers only after this time, as in a real cluster: observed generations lag.
const LAG: Duration = Duration::from_millis(20);
const MANAGER: &str = "kube-controller-manager";

/// Follows the store until it is stopped.
pub(crate) fn run(store: &Arc<Store>, images: &Images) {
    let mut seen = 0;
    loop {
        {
            let state = store.wait(seen, Duration::from_secs(3600));
            if state.stopped {
                return;
            }
        }
        std::thread::sleep(LAG);
        let known = images.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut state = store.lock();
        state.images = known;
        // Until nothing moves: each pass follows from the one before.
        loop {
            let before = state.version();
            reconcile(&mut state);
            if state.version() == before {
                break;
            }
        }
        seen = state.version();
        drop(state);
        store.notify();
    }
}

fn reconcile(state: &mut State) {
    let all = |state: &State, resource: &str| -> Vec<Value> { state.list(resource, "").into_iter().cloned().collect() };
    for autoscaler in all(state, "horizontalpodautoscalers") {
        clamp(state, &autoscaler);
    }
    for deployment in all(state, "deployments") {
        roll(state, &deployment);
    }
    for service in all(state, "services") {
        endpoints(state, &service);
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn write<'a>(resource: &str, object: &'a Value, subresource: &'a str) -> Write<'a> {
    Write {
        kind: Kind::of(resource),
        namespace: text(object, "/metadata/namespace"),
        name: text(object, "/metadata/name"),
        manager: MANAGER,
        subresource,
        applied: None,
    }
}

/// An HPA keeps its target between its bounds, whatever its metrics say.
fn clamp(state: &mut State, autoscaler: &Value) {
    let namespace = text(autoscaler, "/metadata/namespace");
    let name = text(autoscaler, "/spec/scaleTargetRef/name");
    let Ok(deployment) = state.get(Kind::of("deployments"), namespace, name) else {
        return;
    };
    let mut deployment = deployment.clone();
    let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let least = autoscaler["spec"]["minReplicas"].as_u64().unwrap_or(1);
    let most = autoscaler["spec"]["maxReplicas"].as_u64().unwrap_or(least);
    let wanted = replicas.clamp(least, most.max(least));
    // A Deployment scaled to zero is left alone: that switches autoscaling off.
    if replicas == 0 || wanted == replicas {
        return;
    }
    deployment["spec"]["replicas"] = json!(wanted);
    drop(state.update(&write("deployments", &deployment, ""), deployment.clone()));
}

fn roll(state: &mut State, deployment: &Value) {
    let namespace = text(deployment, "/metadata/namespace").to_owned();
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let template = &deployment["spec"]["template"];
    let hash = digest(&template.to_string())[..10].to_owned();
    let own: Vec<Value> = (state.list("replicasets", &namespace).into_iter())
        .filter(|set| set["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"])
        .cloned()
        .collect();
    let current = own.iter().find(|set| set["metadata"]["labels"]["pod-template-hash"] == *hash);
    let revision =
        |set: &Value| text(set, "/metadata/annotations/deployment.kubernetes.io~1revision").parse::<u64>().unwrap_or(0);
    let newest = own.iter().map(revision).max().unwrap_or(0);
    let size = |set: &Value| set["spec"]["replicas"].as_u64().unwrap_or(0);
    let number = current.map_or(newest + 1, |set| if revision(set) == newest { newest } else { newest + 1 });
    let name = current.map(|set| &set["metadata"]["name"]);
    let mut old: Vec<Value> =
        (own.iter()).filter(|set| Some(&set["metadata"]["name"]) != name && size(set) > 0).cloned().collect();
    let (surge, unavailable) = slack(deployment, wanted);
    let rest: u64 = old.iter().map(size).sum();
    // As many new ones at once as the surge leaves room for.
    let room = (wanted + surge).saturating_sub(rest);
    let new = current.map_or(0, size).max(room).min(wanted);
    let set = replica_set(state, deployment, current, &hash, number, new);
    let ready = pods(state, &set);
    let ready_old: Vec<u64> = old.iter().map(|set| pods(state, set)).collect();
    let mut available = ready + ready_old.iter().sum::<u64>();
    // Those that are not ready go first, then as many as there are more than enough.
    let least = wanted.saturating_sub(unavailable);
    let mut spare = (new + rest).saturating_sub(least + (new - ready));
    for (set, ready) in old.iter_mut().zip(ready_old) {
        let broken = (size(set) - ready).min(spare);
        spare -= broken;
        let healthy = available.saturating_sub(least).min(ready);
        available -= healthy;
        set["spec"]["replicas"] = json!(size(set) - broken - healthy);
        drop(state.update(&write("replicasets", set, ""), set.clone()));
        pods(state, set);
    }
    let total = new + old.iter().map(size).sum::<u64>();
    let mut whole = deployment.clone();
    if whole["metadata"]["annotations"].is_null() {
        whole["metadata"]["annotations"] = json!({});
    }
    whole["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(number.to_string());
    let whole = state.update(&write("deployments", &whole, ""), whole.clone()).unwrap_or(whole);
    let mut status = whole.clone();
    status["status"] = json!({
        "observedGeneration": whole["metadata"]["generation"],
        "replicas": total,
        "updatedReplicas": new,
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": total.saturating_sub(available),
        "conditions": [
            { "type": "Available", "status": if available >= wanted { "True" } else { "False" }, "reason": "MinimumReplicasAvailable" },
            { "type": "Progressing", "status": "True", "reason": if ready >= wanted { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" } },
        ],
    });
    drop(state.update(&write("deployments", &status, "status"), status.clone()));
}

/// How many more and how many fewer than wanted there may be while the pods are replaced.
fn slack(deployment: &Value, wanted: u64) -> (u64, u64) {
    let limits = &deployment["spec"]["strategy"]["rollingUpdate"];
    let count = |name: &str, up: bool| {
        let percent = limits[name].as_str().and_then(|text| text.strip_suffix('%'));
        let percent = percent.and_then(|digits| digits.parse::<u64>().ok());
        percent.map_or(limits[name].as_u64().unwrap_or(0), |percent| (wanted * percent + if up { 99 } else { 0 }) / 100)
    };
    match (count("maxSurge", true), count("maxUnavailable", false)) {
        (0, 0) => (0, 1),
        both => both,
    }
}

fn replica_set(
    state: &mut State,
    deployment: &Value,
    current: Option<&Value>,
    hash: &str,
    revision: u64,
    replicas: u64,
) -> Value {
    let mut annotations = deployment["metadata"]["annotations"].clone();
    if !annotations.is_object() {
        annotations = json!({});
    }
    annotations["deployment.kubernetes.io/revision"] = json!(revision.to_string());
    if let Some(current) = current {
        let mut set = current.clone();
        set["spec"]["replicas"] = json!(replicas);
        set["metadata"]["annotations"] = annotations;
        return state.update(&write("replicasets", &set, ""), set.clone()).unwrap_or(set);
    }
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = json!(hash);
    let name = format!("{}-{hash}", text(deployment, "/metadata/name"));
    let set = json!({
        "metadata": {
            "name": name,
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": owner(deployment),
        },
        "spec": { "replicas": replicas, "selector": selector, "template": template },
    });
    state.create(&write("replicasets", &set, ""), set.clone()).unwrap_or(set)
}

fn digest(text: &str) -> String {
    let bytes = Sha256::digest(text);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn owner(object: &Value) -> Value {
    json!([{
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"],
        "controller": true,
    }])
}

/// Makes as many pods as the set wants; returns how many are ready.
fn pods(state: &mut State, set: &Value) -> u64 {
    let wanted = set["spec"]["replicas"].as_u64().unwrap_or(0);
    let namespace = text(set, "/metadata/namespace").to_owned();
    let own: Vec<Value> = (state.list("pods", &namespace).into_iter())
        .filter(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == set["metadata"]["uid"])
        .cloned()
        .collect();
    for pod in own.iter().skip(usize::try_from(wanted).unwrap_or(usize::MAX)) {
        drop(state.delete(&write("pods", pod, "")));
    }
    for number in own.len() as u64..wanted {
        let template = &set["spec"]["template"];
        let pod = json!({
            "metadata": {
                "name": format!("{}-{:05x}", text(set, "/metadata/name"), number + 0xa_b000 + state.version()),
                "namespace": namespace,
                "labels": template["metadata"]["labels"],
                "ownerReferences": owner(set),
            },
            "spec": template["spec"],
        });
        drop(state.create(&write("pods", &pod, ""), pod.clone()));
    }
    let mut ready = 0;
    let own: Vec<Value> = (state.list("pods", &namespace).into_iter())
        .filter(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == set["metadata"]["uid"])
        .cloned()
        .collect();
    for mut pod in own {
        let (mut status, all) = pod_status(&pod, &state.images);
        ready += u64::from(all);
        status["podIP"] = json!(format!("10.0.0.{}", 1 + state.version() % 250));
        pod["status"] = status;
        if let Ok(old) = state.get(Kind::of("pods"), &namespace, text(&pod, "/metadata/name"))
            && let Some(ip) = old.pointer("/status/podIP")
        {
            pod["status"]["podIP"] = ip.clone();
        }
        drop(state.update(&write("pods", &pod, "status"), pod.clone()));
    }
    ready
}

/// What the kubelet would say of a pod, and whether it is ready.
pub(crate) fn pod_status(pod: &Value, images: &BTreeMap<String, Image>) -> (Value, bool) {
    let containers = pod["spec"]["containers"].as_array();
    let known = |container: &Value| {
        let image = text(container, "/image");
        images.get(image).copied().unwrap_or(Image::Ready)
    };
    let containers: Vec<(Image, &Value)> =
        (containers.into_iter().flatten()).map(|container| (known(container), container)).collect();
    let ready = containers.iter().all(|(image, _)| image.is_ready());
    let pending = containers.iter().any(|(image, _)| *image == Image::CannotBePulled);
    let statuses: Vec<Value> =
        (containers.iter()).map(|(image, container)| container_status(container, *image)).collect();
    let word = if ready { "True" } else { "False" };
    let status = json!({
        "phase": if pending { "Pending" } else { "Running" },
        "conditions": [{ "type": "Ready", "status": word }],
        "containerStatuses": statuses,
    });
    (status, ready)
}

fn container_status(container: &Value, behaviour: Image) -> Value {
    let image = text(container, "/image");
    let waiting = |reason: &str, message: &str| json!({ "waiting": { "reason": reason, "message": message } });
    let (state, restarts) = match behaviour {
        Image::Ready | Image::PushedAnew | Image::NeverReady => {
            (json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } }), 0)
        }
        Image::Crashes => (waiting("CrashLoopBackOff", "back-off 40s restarting failed container"), 4),
        Image::CannotBePulled => (waiting("ImagePullBackOff", &format!("Back-off pulling image \"{image}\"")), 0),
    };
    let content = if behaviour == Image::PushedAnew { format!("{image} anew") } else { image.to_owned() };
    json!({
        "name": container["name"],
        "image": image,
        "imageID": format!("registry.example/{image}@sha256:{}", digest(&content)),
        "ready": behaviour.is_ready(),
        "restartCount": restarts,
        "state": state,
        "lastState": {},
    })
}

fn endpoints(state: &mut State, service: &Value) {
    let Some(selector) = service["spec"]["selector"].as_object() else {
        return;
    };
    let namespace = text(service, "/metadata/namespace").to_owned();
    let addresses: BTreeSet<String> = (state.list("pods", &namespace).into_iter())
        .filter(|pod| selector.iter().all(|(label, value)| pod["metadata"]["labels"][label] == *value))
        .filter(|pod| pod["status"]["conditions"][0]["status"] == "True")
        .map(|pod| text(pod, "/metadata/name").to_owned())
        .collect();
    let addresses: Vec<Value> = (addresses.into_iter())
        .map(|name| json!({ "ip": "10.0.0.1", "targetRef": { "kind": "Pod", "name": name } }))
        .collect();
    let object = json!({
        "metadata": { "name": service["metadata"]["name"], "namespace": namespace },
        "subsets": [{ "addresses": addresses }],
    });
    let place = write("endpoints", &object, "");
    if state.get(place.kind, place.namespace, place.name).is_ok() {
        drop(state.update(&place, object.clone()));
    } else {
        drop(state.create(&place, object.clone()));
    }
}
