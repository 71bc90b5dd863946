//! The stand-in of the API server, as a real `kubectl` sees it: the words and codes that liveops classifies by.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::kube::{Image, Kube, Trouble};
use crate::support::until;

const LIMIT: Duration = Duration::from_secs(20);

fn deployment(name: &str, image: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "server", "image": image }] },
            },
        },
    })
}

fn route() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": "game" },
        "spec": { "rules": [{ "backendRefs": [{ "name": "a", "port": 80, "weight": 100 }, { "name": "b", "port": 80, "weight": 0 }] }] },
    })
}

fn wait_available(kube: &Kube, name: &str, count: u64) -> Value {
    until(format!("{count} available of {name}"), LIMIT, || {
        let found = kube.get("deployments", name);
        let seen = found["status"]["observedGeneration"] == found["metadata"]["generation"];
        (seen && found["status"]["availableReplicas"] == count).then_some(found)
    })
}

#[test]
fn preconditions_refuse_in_the_words_of_the_real_one() {
    let kube = Kube::start();
    kube.create(&route());
    let version = kube.get("httproutes", "game")["metadata"]["resourceVersion"].clone();
    let patch = |version: &Value, name: &str, weight: u32| {
        let patch = json!([
            { "op": "test", "path": "/metadata/resourceVersion", "value": version },
            { "op": "test", "path": "/spec/rules/0/backendRefs/1/name", "value": name },
            { "op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": weight },
        ]);
        kube.try_kubectl(&[
            "patch",
            "httproute",
            "game",
            "--type=json",
            "-o",
            "json",
            "--field-manager=liveops",
            "-p",
            &patch.to_string(),
        ])
    };
    let patched: Value = serde_json::from_str(&patch(&version, "b", 5).unwrap()).unwrap();
    assert_eq!(patched["spec"]["rules"][0]["backendRefs"][1]["weight"], 5);
    assert_eq!(patched["metadata"]["generation"], 2);
    assert_ne!(patched["metadata"]["resourceVersion"], version);
    let stale = patch(&version, "b", 10).unwrap_err();
    assert!(stale.contains("The request is invalid"), "{stale}");
    let fresh = &patched["metadata"]["resourceVersion"];
    assert!(patch(fresh, "c", 10).unwrap_err().contains("is invalid"));
    let owner = kube.get("httproutes", "game")["metadata"]["managedFields"].clone();
    let rules = |entry: &&Value| entry["fieldsV1"].pointer("/f:spec/f:rules").is_some();
    assert_eq!(owner.as_array().unwrap().iter().find(rules).unwrap()["manager"], "liveops");

    let merge = json!({ "metadata": { "resourceVersion": version, "labels": { "x": "y" } } }).to_string();
    let stale = kube.try_kubectl(&["patch", "httproute", "game", "--type=merge", "-p", &merge]);
    assert!(stale.unwrap_err().contains("Error from server (Conflict)"));
    let missing = kube.try_kubectl(&["get", "httproute", "none", "-o", "json"]).unwrap_err();
    assert!(missing.contains("Error from server (NotFound)"), "{missing}");
    kube.trouble("patch", "httproutes", Trouble::Forbidden);
    let no = patch(fresh, "b", 7).unwrap_err();
    assert!(no.contains("Error from server (Forbidden)"), "{no}");
    assert!(kube.try_kubectl(&["auth", "can-i", "patch", "httproutes"]).is_err());
    kube.calm();
    assert_eq!(kube.kubectl(&["auth", "can-i", "patch", "httproutes"]).trim(), "yes");
}

#[test]
fn leases_are_created_once_and_replaced_with_their_version() {
    let mut kube = Kube::start();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": "liveops-game" },
        "spec": { "holderIdentity": "ada", "leaseDurationSeconds": 15, "leaseTransitions": 1 },
    });
    kube.create(&lease);
    let file = std::env::temp_dir().join(format!("liveops-lease-{}.json", std::process::id()));
    std::fs::write(&file, lease.to_string()).unwrap();
    let path = file.display().to_string();
    let twice = kube.try_kubectl(&["create", "-f", &path, "--validate=false"]).unwrap_err();
    assert!(twice.contains("(AlreadyExists)"), "{twice}");
    let mut stale = lease;
    stale["metadata"]["resourceVersion"] = json!("1");
    std::fs::write(&file, stale.to_string()).unwrap();
    let lost = kube.try_kubectl(&["replace", "-f", &path, "--validate=false"]).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    assert!(lost.contains("(Conflict)"), "{lost}");
    kube.stop();
    let gone = kube.try_kubectl(&["get", "lease", "liveops-game"]).unwrap_err();
    assert!(gone.contains("refused"), "{gone}");
    kube.restart();
    kube.kubectl(&["get", "lease", "liveops-game"]);
}

#[test]
fn deployments_roll_out_and_their_pods_say_why_not() {
    let kube = Kube::start();
    kube.image("game:bad", Image::Crashes);
    kube.create(&deployment("game", "game:1", 3));
    kube.create(&json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "game" }, "spec": { "selector": { "app": "game" }, "ports": [{ "port": 80 }] } }));
    wait_available(&kube, "game", 3);
    until("3 endpoints", LIMIT, || {
        let found = kube.find("endpoints", "game")?;
        (found["subsets"][0]["addresses"].as_array()?.len() == 3).then_some(())
    });
    kube.kubectl(&["scale", "deployment", "game", "--replicas=5", "--current-replicas=3"]);
    kube.kubectl(&["wait", "deployment/game", "--for=jsonpath={.status.availableReplicas}=5", "--timeout=20s"]);
    let wrong = kube.try_kubectl(&["scale", "deployment", "game", "--replicas=1", "--current-replicas=3"]);
    assert!(wrong.is_err());
    kube.kubectl(&["set", "image", "deployment/game", "server=game:2"]);
    until("the second revision", LIMIT, || {
        let found = wait_available(&kube, "game", 5);
        (found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2").then_some(())
    });
    kube.kubectl(&["rollout", "status", "deployment/game", "--timeout=10s"]);
    kube.kubectl(&["rollout", "undo", "deployment/game", "--to-revision=1"]);
    assert_eq!(kube.get("deployments", "game")["spec"]["template"]["spec"]["containers"][0]["image"], "game:1");
    kube.kubectl(&["rollout", "status", "deployment/game", "--timeout=20s"]);
    kube.kubectl(&["set", "image", "deployment/game", "server=game:bad"]);
    let reason = "/status/containerStatuses/0/state/waiting/reason";
    until("a crash loop", LIMIT, || {
        kube.list("pods").iter().any(|pod| pod.pointer(reason) == Some(&json!("CrashLoopBackOff"))).then_some(())
    });
    // A quarter may be away, rounded down.
    until("3 of 7 that are not available", LIMIT, || {
        let found = wait_available(&kube, "game", 4);
        (found["status"]["unavailableReplicas"] == 3).then_some(())
    });
    kube.kubectl(&["annotate", "deployment", "game", "liveops.dev/epoch=7"]);
    kube.kubectl(&["delete", "deployment", "game", "--wait=false"]);
    kube.kubectl(&["wait", "deployment/game", "--for=delete", "--timeout=20s"]);
    until("no pod", LIMIT, || kube.list("pods").is_empty().then_some(()));
}

#[test]
fn an_apply_of_the_manifest_changes_what_it_says() {
    let kube = Kube::start();
    let file = std::env::temp_dir().join(format!("liveops-apply-{}.json", std::process::id()));
    let path = file.display().to_string();
    std::fs::write(&file, route().to_string()).unwrap();
    kube.kubectl(&["apply", "-f", &path, "--validate=false"]);
    let applied = kube.get("httproutes", "game")["spec"].clone();
    kube.merge("httproutes", "game", "liveops", &json!({ "spec": { "rules": [{ "backendRefs": [] }] } }));
    kube.kubectl(&["apply", "-f", &path, "--validate=false"]);
    std::fs::write(&file, deployment("game", "game:1", 2).to_string()).unwrap();
    kube.kubectl(&["apply", "-f", &path, "--validate=false"]);
    std::fs::write(&file, deployment("game", "game:2", 2).to_string()).unwrap();
    kube.kubectl(&["apply", "-f", &path, "--validate=false"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(kube.get("httproutes", "game")["spec"], applied);
    let backend = &applied["rules"][0]["backendRefs"][0];
    assert_eq!((&backend["name"], &backend["weight"]), (&json!("a"), &json!(100)));
    assert_eq!(kube.get("deployments", "game")["spec"]["template"]["spec"]["containers"][0]["image"], "game:2");
}

#[test]
fn what_is_too_large_or_of_the_wrong_form_is_refused() {
    let kube = Kube::start();
    let file = std::env::temp_dir().join(format!("liveops-limits-{}.json", std::process::id()));
    let path = file.display().to_string();
    let create = |object: &Value| {
        std::fs::write(&file, object.to_string()).unwrap();
        let place = object["metadata"]["namespace"].as_str();
        let place = format!("--namespace={}", place.unwrap_or("game"));
        kube.try_kubectl(&["create", "-f", &path, "--validate=false", &place])
    };
    let map = |size: usize| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "large" }, "data": { "x": "a".repeat(size) } });
    let mut elsewhere = map(1);
    elsewhere["metadata"]["namespace"] = json!("none");
    let no = create(&elsewhere).unwrap_err();
    assert!(no.contains("namespaces \"none\" not found"), "{no}");
    create(&map(1 << 20)).unwrap();
    kube.kubectl(&["delete", "configmap", "large"]);
    let large = create(&map((1 << 20) + 1)).unwrap_err();
    assert!(large.contains("may not be more than 1048576 bytes"), "{large}");
    let noted = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "noted", "annotations": { "a": "b".repeat(256 << 10) } } });
    assert!(create(&noted).unwrap_err().contains("metadata.annotations"));
    let lease = |renewed: &str, seconds: i64| {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "name": "liveops-game" },
            "spec": { "holderIdentity": "", "renewTime": renewed, "leaseDurationSeconds": seconds },
        })
    };
    assert!(create(&lease("2026-01-01T00:00:00Z", 15)).unwrap_err().contains("(BadRequest)"));
    let micro = "2026-01-01T00:00:00.000000Z";
    assert!(create(&lease(micro, 0)).unwrap_err().contains("greater than 0"));
    create(&lease(micro, 15)).unwrap();
    let scaler = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "game" },
        "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "game" }, "minReplicas": 3, "maxReplicas": 2 },
    });
    assert!(create(&scaler).unwrap_err().contains("spec.maxReplicas"));
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": "game.1" },
        "involvedObject": { "kind": "Deployment", "name": "game", "namespace": "elsewhere" },
    });
    assert!(create(&event).unwrap_err().contains("involvedObject.namespace"));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn what_is_left_out_is_filled_in() {
    let kube = Kube::start();
    let mut route = route();
    route["spec"]["rules"][0]["backendRefs"] = json!([{ "name": "a", "port": 80 }]);
    kube.create(&route);
    let rule = kube.get("httproutes", "game")["spec"]["rules"][0].clone();
    assert_eq!(
        rule,
        json!({
            "backendRefs": [{ "group": "", "kind": "Service", "name": "a", "port": 80, "weight": 1 }],
            "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
        })
    );
    let negative = json!([{ "op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": -1 }]);
    let no = kube.try_kubectl(&["patch", "httproute", "game", "--type=json", "-p", &negative.to_string()]);
    let no = no.unwrap_err();
    assert!(no.contains("spec.rules[0].backendRefs[0].weight: Invalid value: -1"), "{no}");
    kube.create(&deployment("game", "game:1", 1));
    let spec = kube.get("deployments", "game")["spec"].clone();
    assert_eq!(
        spec,
        json!({
            "progressDeadlineSeconds": 600,
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "selector": { "matchLabels": { "app": "game" } },
            "strategy": { "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" }, "type": "RollingUpdate" },
            "template": {
                "metadata": spec["template"]["metadata"],
                "spec": {
                    "containers": [{
                        "image": "game:1",
                        "imagePullPolicy": "IfNotPresent",
                        "name": "server",
                        "resources": {},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                    }],
                    "dnsPolicy": "ClusterFirst",
                    "restartPolicy": "Always",
                    "schedulerName": "default-scheduler",
                    "securityContext": {},
                    "terminationGracePeriodSeconds": 30,
                },
            },
        })
    );
    kube.create(&json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "game" }, "spec": { "selector": { "app": "game" }, "ports": [{ "port": 80 }] } }));
    let service = kube.get("services", "game")["spec"].clone();
    assert_eq!(service["ports"], json!([{ "port": 80, "protocol": "TCP", "targetPort": 80 }]));
    assert_eq!(service["clusterIPs"], json!([service["clusterIP"]]));
    let scaler = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "game" },
        "spec": { "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "game" }, "maxReplicas": 2 },
    });
    kube.create(&scaler);
    let spec = kube.get("horizontalpodautoscalers", "game")["spec"].clone();
    let cpu = json!([{ "resource": { "name": "cpu", "target": { "averageUtilization": 80, "type": "Utilization" } }, "type": "Resource" }]);
    assert_eq!((&spec["minReplicas"], &spec["metrics"]), (&json!(1), &cpu));
}

#[test]
fn a_server_side_apply_of_several_objects_refuses_each_by_its_version() {
    let kube = Kube::start();
    let map = |version: Option<&Value>, text: &str| {
        let mut map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "state" }, "data": { "text": text } });
        if let Some(version) = version {
            map["metadata"]["resourceVersion"] = version.clone();
        }
        map
    };
    let event = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": name },
            "involvedObject": { "kind": "Deployment", "name": "game", "namespace": "game" },
            "reason": "Rollout", "message": "m", "type": "Normal",
        })
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let apply = |items: Value, force: &str| {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        std::fs::write(file.path(), list.to_string()).unwrap();
        kube.try_kubectl(&[
            "apply",
            "--server-side",
            force,
            "--field-manager=liveops",
            "--validate=false",
            "-o",
            "json",
            "-f",
            file.path().to_str().unwrap(),
        ])
    };
    kube.create(&map(None, "one"));
    let version = kube.get("configmaps", "state")["metadata"]["resourceVersion"].clone();
    let done = apply(json!([map(Some(&version), "two"), event("e1")]), "--force-conflicts");
    let printed: Value = serde_json::from_str(&done.unwrap()).unwrap();
    assert_eq!(printed["items"][0]["data"]["text"], "two", "{printed}");
    assert_eq!(printed["items"][1]["kind"], "Event", "{printed}");
    assert_eq!(kube.get("events", "e1")["message"], "m");
    // A version that is old refuses that object; the others are applied all the same, and nothing is printed of them.
    let stale = apply(json!([map(Some(&version), "three"), event("e2")]), "--force-conflicts");
    let said = stale.unwrap_err();
    assert!(said.contains("the object has been modified"), "{said}");
    assert_eq!(kube.get("configmaps", "state")["data"]["text"], "two");
    assert!(kube.find("events", "e2").is_some());
    // The version of an object that has gone is no precondition; its uid is.
    let mut gone = map(Some(&version), "five");
    gone["metadata"]["name"] = json!("gone");
    gone["metadata"]["uid"] = kube.get("configmaps", "state")["metadata"]["uid"].clone();
    let said = apply(json!([gone]), "--force-conflicts").unwrap_err();
    assert!(said.contains("uid mismatch"), "{said}");
    let mut other = map(None, "six");
    other["metadata"]["uid"] = json!("00000000-0000-4000-8000-ffffffffffff");
    let said = apply(json!([other]), "--force-conflicts").unwrap_err();
    assert!(said.contains("field is immutable"), "{said}");
    // Without force, what somebody else has changed since is theirs.
    let theirs = json!({ "data": { "text": "theirs" } });
    kube.merge("configmaps", "state", "somebody", &theirs);
    let refused = apply(json!([map(None, "four")]), "--force-conflicts=false").unwrap_err();
    assert!(refused.contains("conflict with \"somebody\""), "{refused}");
}

#[test]
fn kinds_are_found_in_the_old_way_too() {
    let kube = Kube::start();
    let raw = |path: &str| -> Value {
        let printed = kube.kubectl(&["get", &format!("--raw={path}")]);
        serde_json::from_str(&printed).unwrap()
    };
    assert_eq!(raw("/api")["versions"], json!(["v1"]));
    let groups = raw("/apis");
    let mut groups = groups["groups"].as_array().unwrap().iter();
    let argo = groups.find(|group| group["name"] == "argoproj.io").unwrap();
    let version = argo["preferredVersion"]["groupVersion"].as_str().unwrap();
    let found = raw(&format!("/apis/{version}"));
    let kinds = found["resources"].as_array().unwrap();
    let named = |name: &str| kinds.iter().find(|kind| kind["name"] == name).unwrap();
    assert_eq!(named("rollouts")["kind"], "Rollout");
    assert_eq!(named("rollouts/status")["kind"], "Rollout");
    let core = raw("/api/v1");
    let mut core = core["resources"].as_array().unwrap().iter();
    assert!(core.any(|kind| kind["name"] == "pods" && kind["namespaced"] == true));
}

type Watched = Result<(Vec<String>, String), String>;

/// What watches of the ConfigMaps labelled `app=w` tell until their time is up, all at once: types with names, and the
/// last version.
fn watched<const N: usize>(kube: &Kube, queries: [&str; N]) -> [Watched; N] {
    let watch = |query: &str| -> Watched {
        let path = format!("/api/v1/namespaces/game/configmaps?watch=true&labelSelector=app%3Dw&{query}");
        let printed = kube.try_kubectl(&["get", &format!("--raw={path}")])?;
        let events: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told = events.iter().map(|event| {
            let metadata = &event["object"]["metadata"];
            let is_end = metadata["annotations"]["k8s.io/initial-events-end"] == "true";
            let name = metadata["name"].as_str().unwrap_or(if is_end { "end" } else { "so far" });
            format!("{} {name}", event["type"].as_str().unwrap())
        });
        let version = events.last().map(|event| event["object"]["metadata"]["resourceVersion"].as_str().unwrap());
        Ok((told.collect(), version.unwrap_or_default().to_owned()))
    };
    thread::scope(|scope| queries.map(|query| scope.spawn(move || watch(query))).map(|watch| watch.join().unwrap()))
}

#[test]
fn watches_tell_what_is_there_where_that_ends_and_what_happens() {
    let kube = Kube::start();
    let map = |name: &str, app: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "app": app } } });
    kube.create(&map("a", "w"));
    kube.create(&map("b", "x"));
    let [all, unmarked, old, none] = watched(
        &kube,
        [
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1",
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1",
            "timeoutSeconds=1",
            "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1",
        ],
    );
    let (told, version) = all.unwrap();
    assert_eq!(told, ["ADDED a", "BOOKMARK end"]);
    assert_eq!(unmarked.unwrap().0, ["ADDED a"]);
    assert_eq!(old.unwrap().0, ["ADDED a"]);
    assert!(none.unwrap().0.is_empty());
    // What is no longer selected is as good as deleted, and what is selected from now on as good as added.
    kube.merge("configmaps", "a", "somebody", &json!({ "data": { "x": "1" } }));
    kube.merge("configmaps", "a", "somebody", &json!({ "metadata": { "labels": { "app": "x" } } }));
    kube.merge("configmaps", "b", "somebody", &json!({ "metadata": { "labels": { "app": "w" } } }));
    kube.kubectl(&["delete", "configmap", "b"]);
    let later = format!("resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=3");
    let [later, alone, unmatched, exact, no_version, too_large] = watched(
        &kube,
        [
            &later,
            "sendInitialEvents=true",
            "resourceVersionMatch=NotOlderThan",
            "sendInitialEvents=true&resourceVersionMatch=Exact",
            "resourceVersion=x",
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=99999999",
        ],
    );
    let (told, _) = later.unwrap();
    assert_eq!(told, ["MODIFIED a", "DELETED a", "ADDED b", "DELETED b", "BOOKMARK so far"]);
    for (refused, why) in [
        (alone, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        (unmatched, "forbidden for watch unless sendInitialEvents is provided"),
        (exact, "Unsupported value: \"Exact\""),
        (no_version, "Invalid value: \"x\""),
        (too_large, "Too large resource version: 99999999"),
    ] {
        let said = refused.unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    }
}
