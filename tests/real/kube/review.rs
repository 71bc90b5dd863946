//! `check readiness` and `check security` of what runs: asked of the cluster by the real `kubectl`.

use serde_json::{Value, json};

use crate::support::kube::{CONTEXT, Kube, NAMESPACE, Trouble};
use crate::support::{Run, TestEnv};

fn container() -> Value {
    json!({
        "name": "server",
        "image": "registry.example/game:7",
        "ports": [{ "name": "http", "containerPort": 8080 }],
        "lifecycle": { "preStop": { "exec": { "command": ["sleep", "10"] } } },
        "startupProbe": { "httpGet": { "path": "/live", "port": "http" }, "failureThreshold": 30 },
        "readinessProbe": { "httpGet": { "path": "/api/health", "port": "http" }, "periodSeconds": 5 },
        "livenessProbe": { "httpGet": { "path": "/live", "port": "http" }, "periodSeconds": 20 },
        "resources": { "requests": { "cpu": "500m", "memory": "1Gi" }, "limits": { "cpu": "2", "memory": "1Gi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
        },
    })
}

fn deployment(name: &str, container: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": 3,
            "revisionHistoryLimit": 5,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "serviceAccountName": "game",
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 60,
                    "topologySpreadConstraints": [{
                        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": { "matchLabels": { "app": name } },
                    }],
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "containers": [container],
                },
            },
        },
    })
}

fn around(name: &str) -> [Value; 3] {
    [
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
            "spec": { "selector": { "app": name }, "ports": [{ "port": 80, "targetPort": "http" }] } }),
        json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": name },
            "spec": { "maxUnavailable": 1, "selector": { "matchLabels": { "app": name } } } }),
        json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": name },
            "spec": { "podSelector": { "matchLabels": { "app": name } }, "policyTypes": ["Ingress", "Egress"] } }),
    ]
}

fn ids(run: &Run, what: &str, first: char) -> Vec<String> {
    let json = run.json();
    let all = json["data"][what].as_array().unwrap();
    let mut all: Vec<String> = all
        .iter()
        .filter(|one| one["id"].as_str().unwrap().starts_with(first))
        .map(|one| format!("{} {}", one["id"].as_str().unwrap(), one["subject"].as_str().unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn what_runs_is_judged_as_the_cluster_has_it() {
    let kube = Kube::start();
    kube.create(&json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "game" } }));
    kube.create(&deployment("game", &container()));
    around("game").iter().for_each(|object| kube.create(object));
    let env: TestEnv = kube.env();
    let config = |services: &str| {
        format!(
            "version: 1\nenvironments: {{ test: {{ kubernetes: {{ context: {CONTEXT}, namespace: {NAMESPACE} }} }} }}\ndefault_env: test\nservices: {services}\n"
        )
    };
    env.write("liveops.yaml", config("[{ name: game, workload: { deployment: game } }]"));
    // Sound: nothing against it, and nothing of it is unknown.
    let run = env.run(["check", "readiness", "game", "--no-questions", "-o", "json"]);
    assert_eq!(run.json()["sources"][0]["name"], "kubernetes", "{}", run.stdout);
    assert_eq!((ids(&run, "findings", 'K'), ids(&run, "unknown", 'K')), (vec![], vec![]), "{}", run.stdout);
    let run = env.run(["check", "security", "-o", "json"]);
    assert_eq!((ids(&run, "findings", 'S'), ids(&run, "unknown", 'S')), (vec![], vec![]), "{}", run.stdout);
    // Its twin lacks what only the cluster can tell of.
    let mut bare = container();
    bare.as_object_mut().unwrap().retain(|key, _| key == "name" || key == "image");
    kube.create(&deployment("lobby", &bare));
    kube.create(&around("lobby")[0]);
    env.write("liveops.yaml", config("[{ name: lobby, workload: { deployment: lobby } }]"));
    let found = ids(&env.run(["check", "readiness", "lobby", "--no-questions", "-o", "json"]), "findings", 'K');
    for part in ["K02 Deployment/lobby", "K05 Deployment/lobby", "K08 Deployment/lobby"] {
        assert!(found.iter().any(|one| one.starts_with(part)), "{part}: {found:?}");
    }
    assert!(found.iter().all(|one| one.contains("lobby")), "{found:?}");
    let found = ids(&env.run(["check", "security", "-o", "json"]), "findings", 'S');
    assert!(found.iter().any(|one| one.starts_with("S02 Deployment/lobby")), "{found:?}");
    assert!(!found.iter().any(|one| one.contains("game")), "{found:?}");
    // Of what may not be read, nothing is known to be well.
    if kube.is_stand_in() {
        kube.trouble("list", "poddisruptionbudgets", Trouble::Forbidden);
        let run = env.run(["check", "security", "--strict", "-o", "json"]);
        assert_eq!((run.code, ids(&run, "unknown", 'K')), (3, vec!["K01 kubernetes".to_owned()]), "{}", run.stdout);
    }
}
