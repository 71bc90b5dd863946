//! Deployments: when they are ready (kubectl's exact rule, polymorphichelpers/rollout_status.go), what keeps their pods
//! from it, their images, and the canary's Deployment made from the stable one.

use serde_json::{Map, Value, json};

use crate::rollout::exposure::Readiness;

/// Restarts after which a crash loop is taken for one.
const RESTARTS: u64 = 2;

/// Instances that are wanted.
pub fn replicas(deployment: &Value) -> u64 {
    deployment["spec"]["replicas"].as_u64().unwrap_or(1)
}

/// Instances that answer, whatever their version.
pub fn available(deployment: &Value) -> u32 {
    let count = deployment["status"]["availableReplicas"].as_u64();
    u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// Is it rolled out, by kubectl's rule; and if not, will it ever be?
pub fn readiness(deployment: &Value) -> Readiness {
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let count = |name: &str| status[name].as_u64().unwrap_or(0);
    let wanted = replicas(deployment);
    let available = available(deployment);
    let waiting =
        |why: String| Readiness::Waiting { available, wanted: u32::try_from(wanted).unwrap_or(u32::MAX), why };
    let generation = deployment["metadata"]["generation"].as_u64().unwrap_or(0);
    if generation > count("observedGeneration") {
        return waiting("the last change is not observed yet".into());
    }
    let condition = |kind: &str| {
        let all = status["conditions"].as_array();
        all.into_iter().flatten().find(|condition| condition["type"] == kind)
    };
    if let Some(progress) = condition("Progressing")
        && progress["reason"] == "ProgressDeadlineExceeded"
    {
        let why = progress["message"].as_str();
        return Readiness::Failed { available, why: why.unwrap_or("its progress deadline is exceeded").to_owned() };
    }
    if let Some(failure) = condition("ReplicaFailure")
        && failure["status"] == "True"
    {
        let why = failure["message"].as_str();
        return Readiness::Failed { available, why: why.unwrap_or("its pods cannot be created").to_owned() };
    }
    if spec["paused"] == true {
        return waiting("the Deployment is paused".into());
    }
    let (updated, all) = (count("updatedReplicas"), count("replicas"));
    if updated < wanted {
        return waiting(format!("{updated} of {wanted} pods updated"));
    }
    if all > updated {
        return waiting(format!("old pods still run: {}", all - updated));
    }
    if u64::from(available) < updated {
        return waiting(format!("{available} of {updated} pods available"));
    }
    if wanted == 0 {
        return Readiness::Absent;
    }
    Readiness::Ready { available }
}

/// What keeps pods from ever becoming ready, if anything does: a crash loop, an image that cannot be pulled.
pub fn stuck(pods: &[Value]) -> Option<String> {
    let containers = pods.iter().flat_map(|pod| {
        let status = &pod["status"];
        let lists = ["initContainerStatuses", "containerStatuses"];
        lists.into_iter().filter_map(|list| status[list].as_array()).flatten()
    });
    containers.into_iter().find_map(|container| {
        let waiting = &container["state"]["waiting"];
        let reason = waiting["reason"].as_str()?;
        let restarts = container["restartCount"].as_u64().unwrap_or(0);
        let hopeless = match reason {
            "CrashLoopBackOff" => restarts >= RESTARTS,
            "ImagePullBackOff" | "InvalidImageName" | "CreateContainerConfigError" => true,
            _ => false,
        };
        let message = waiting["message"].as_str().unwrap_or_default();
        hopeless.then(|| format!("{reason}: {message}"))
    })
}

/// The selector of its pods, as `kubectl --selector` takes it.
pub fn selector(deployment: &Value) -> String {
    selector_of(&deployment["spec"]["selector"]["matchLabels"])
}

/// These labels, as `kubectl --selector` takes them.
pub fn selector_of(labels: &Value) -> String {
    let pairs: Vec<String> = (labels.as_object().into_iter().flatten())
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)))
        .collect();
    pairs.join(",")
}

/// The place of the container in the pod template: by its name, or the only one.
///
/// # Errors
/// What there is instead.
pub fn container(deployment: &Value, name: Option<&str>) -> Result<usize, String> {
    let all = deployment["spec"]["template"]["spec"]["containers"].as_array();
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let names = || -> Vec<&str> { all.iter().filter_map(|container| container["name"].as_str()).collect() };
    match name {
        Some(name) => all
            .iter()
            .position(|container| container["name"] == name)
            .ok_or_else(|| format!("it has no container `{name}`; there is {}", names().join(", "))),
        None if all.len() == 1 => Ok(0),
        None => {
            Err(format!("which of its containers is meant? set `workload.container` to one of {}", names().join(", ")))
        }
    }
}

/// The image of that container.
pub fn image(deployment: &Value, container: usize) -> Option<&str> {
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    containers[container]["image"].as_str()
}

/// The number of its present template, as `kubectl rollout history` counts.
pub fn revision(deployment: &Value) -> Option<&str> {
    deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str()
}

/// The JSON Patch that gives the container another image, if it still has `from`.
pub fn set_image(container: usize, from: &str, to: &str) -> Vec<Value> {
    let path = format!("/spec/template/spec/containers/{container}/image");
    vec![json!({ "op": "test", "path": path, "value": from }), json!({ "op": "replace", "path": path, "value": to })]
}

/// A Deployment for the canary: the stable one with another name, labels, image and size.
pub fn canary_of(
    stable: &Value,
    name: &str,
    labels: &Map<String, Value>,
    container: usize,
    image: &str,
    replicas: u64,
) -> Value {
    let mut spec = stable["spec"].clone();
    spec["replicas"] = json!(replicas);
    spec["template"]["spec"]["containers"][container]["image"] = json!(image);
    for place in ["/selector/matchLabels", "/template/metadata/labels"] {
        if let Some(Value::Object(own)) = spec.pointer_mut(place) {
            own.extend(labels.clone());
        }
    }
    let mut own = stable["metadata"]["labels"].clone();
    match &mut own {
        Value::Object(own) => own.extend(labels.clone()),
        other => *other = Value::Object(labels.clone()),
    }
    // Whoever deploys from a repository owns the stable one; nobody but us owns this.
    if let Some(own) = own.as_object_mut() {
        own.retain(|label, _| !label.contains("argocd") && !label.contains("fluxcd"));
        own.insert("app.kubernetes.io/managed-by".into(), json!("liveops"));
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "labels": own },
        "spec": spec,
    })
}

/// What the ready ones of these pods run in the container of this name, where that is wanted to be this image.
pub fn digests<'a>(pods: impl IntoIterator<Item = &'a Value>, container: &str, image: &str) -> Vec<String> {
    fn named<'v>(list: &'v Value, name: &str) -> Option<&'v Value> {
        list.as_array().into_iter().flatten().find(|container| container["name"] == name)
    }
    let digest = |pod: &Value| {
        let wanted = named(&pod["spec"]["containers"], container)?;
        let running = named(&pod["status"]["containerStatuses"], container)?;
        let id = running["imageID"].as_str().filter(|_| wanted["image"] == image && running["ready"] == true)?;
        let digest = id.rsplit_once('@').map_or(id, |(_, digest)| digest);
        digest.starts_with("sha256:").then(|| digest.to_owned())
    };
    let mut all: Vec<String> = pods.into_iter().filter_map(digest).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The name of that container.
pub fn container_name(deployment: &Value, container: usize) -> &str {
    deployment["spec"]["template"]["spec"]["containers"][container]["name"].as_str().unwrap_or_default()
}

/// Would these labels be selected?
pub fn selects(selector: &Value, labels: &Value) -> bool {
    selector
        .as_object()
        .is_some_and(|selector| !selector.is_empty() && selector.iter().all(|(name, value)| labels[name] == *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(status: &Value) -> Value {
        json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 3 }, "status": status })
    }

    #[test]
    fn readiness_is_kubectls() {
        let whole = json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3 });
        assert_eq!(readiness(&deployment(&whole)), Readiness::Ready { available: 3 });
        for (member, value, why) in [
            ("observedGeneration", 1, "the last change is not observed yet"),
            ("updatedReplicas", 2, "2 of 3 pods updated"),
            ("replicas", 4, "old pods still run: 1"),
            ("availableReplicas", 1, "1 of 3 pods available"),
        ] {
            let mut status = whole.clone();
            status[member] = json!(value);
            let found = readiness(&deployment(&status));
            assert!(matches!(&found, Readiness::Waiting { why: said, .. } if said == why), "{found:?}");
        }
        for condition in [
            json!({ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded" }),
            json!({ "type": "ReplicaFailure", "status": "True", "message": "exceeded quota" }),
        ] {
            let mut status = whole.clone();
            status["conditions"] = json!([condition]);
            assert!(matches!(readiness(&deployment(&status)), Readiness::Failed { .. }));
        }
    }

    #[test]
    fn a_crash_loop_and_an_image_that_cannot_be_pulled_are_hopeless() {
        let pod = |reason: &str, restarts: u64| json!({ "status": { "containerStatuses": [{ "restartCount": restarts, "state": { "waiting": { "reason": reason } } }] } });
        assert_eq!(stuck(&[pod("ContainerCreating", 0)]), None);
        assert_eq!(stuck(&[pod("CrashLoopBackOff", 1)]), None);
        assert!(stuck(&[pod("ContainerCreating", 0), pod("CrashLoopBackOff", 4)]).is_some());
        assert!(stuck(&[pod("ImagePullBackOff", 0)]).is_some());
    }

    #[test]
    fn the_canary_is_the_stable_one_with_another_name_label_and_image() {
        let stable = json!({
            "metadata": { "name": "game", "labels": { "app": "game", "argocd.argoproj.io/instance": "x" } },
            "spec": {
                "replicas": 4,
                "selector": { "matchLabels": { "app": "game" } },
                "template": {
                    "metadata": { "labels": { "app": "game" } },
                    "spec": { "containers": [{ "name": "server", "image": "game:1" }] },
                },
            },
        });
        let labels = Map::from_iter([("track".to_owned(), json!("canary"))]);
        let canary = canary_of(&stable, "game-canary", &labels, 0, "game:2", 1);
        assert_eq!(canary["spec"]["selector"]["matchLabels"], json!({ "app": "game", "track": "canary" }));
        assert_eq!(image(&canary, 0), Some("game:2"));
        assert_eq!(canary["metadata"]["labels"].get("argocd.argoproj.io/instance"), None);
        assert_eq!(selector(&canary), "app=game,track=canary");
    }
}
