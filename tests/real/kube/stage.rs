//! One game in a namespace, with traffic split in each of the ways, and metrics that the test drives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::kube::{CONTEXT, Kube, NAMESPACE};
use crate::support::{Answer, Stub, TestEnv, until};

pub(super) const LIMIT: Duration = Duration::from_secs(30);
pub(super) const OLD: &str = "game:1";
pub(super) const NEW: &str = "game:2";

/// Everything that a rollout meets.
pub(super) struct Stage {
    pub(super) kube: Kube,
    pub(super) env: TestEnv,
    bad: Arc<AtomicBool>,
    _metrics: Stub,
}

impl Stage {
    /// With this `traffic:`; its objects are there, and the stable Deployment is ready.
    pub(super) fn new(traffic: &str) -> Self {
        let kube = Kube::start();
        for object in objects() {
            kube.create(&object);
        }
        available(&kube, "game", 2);
        let bad = Arc::new(AtomicBool::new(false));
        let metrics = metrics(Arc::clone(&bad));
        let url = metrics.url();
        let env = kube.env();
        env.write(
            "liveops.yaml",
            format!(
                r#"version: 1
default_env: test
environments:
  test:
    kubernetes: {{ context: {CONTEXT}, namespace: {NAMESPACE} }}
policies:
  fast:
    canary: {{ steps: [20%, 50%], interval: 1s, poll: 300ms, propagation: 100ms, max_step: 20s }}
    success: [ "error_rate < 1%" ]
    rollback: [ "error_rate > 20%" ]
    min_samples: 20
    scrape_interval: 300ms
    rollback_window: 0s
    preflight: [ rollback_plan, permissions ]
services:
  - name: game
    metrics: [ "{url}/metrics" ]
    workload: {{ deployment: game, container: server }}
    rollout:
      policy: fast
      traffic: {traffic}
      metrics:
        error_rate: {{ ratio: {{ of: 'http_requests_total{{status=~"5.."}}', to: http_requests_total }} }}
"#
            ),
        );
        Self {
            kube,
            env,
            bad,
            _metrics: metrics,
        }
    }

    /// From now on the canary fails half of its requests.
    pub(super) fn fail(&self) {
        self.bad.store(true, Ordering::Relaxed);
    }
}

fn metrics(bad: Arc<AtomicBool>) -> Stub {
    let began = Instant::now();
    let failed_from: std::sync::Mutex<Option<f64>> = std::sync::Mutex::default();
    Stub::new().on_fn("GET", "/metrics", move |_| {
        let now = began.elapsed().as_secs_f64();
        let mut from = failed_from.lock().unwrap();
        if bad.load(Ordering::Relaxed) {
            from.get_or_insert(now);
        }
        let failed = from.map_or(0.0, |from| (now - from) * 200.0);
        let all = now * 400.0;
        Answer::text(format!(
            "# TYPE http_requests_total counter\n\
             http_requests_total{{track=\"stable\",status=\"200\"}} {:.0}\n\
             http_requests_total{{track=\"stable\",status=\"500\"}} 0\n\
             http_requests_total{{track=\"canary\",status=\"200\"}} {:.0}\n\
             http_requests_total{{track=\"canary\",status=\"500\"}} {failed:.0}\n",
            all,
            all - failed,
        ))
    })
}

/// Waits until a Deployment has this many pods available, and the controllers have seen it.
pub(super) fn available(kube: &Kube, name: &str, count: u64) {
    until(format!("{count} available of {name}"), LIMIT, || {
        let found = kube.find("deployments", name)?;
        let seen = found["status"]["observedGeneration"] == found["metadata"]["generation"];
        (seen && found["status"]["availableReplicas"] == count).then_some(())
    });
}

fn objects() -> Vec<Value> {
    let service = |name: &str, selector: Value| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": { "selector": selector, "ports": [{ "port": 80 }] } });
    vec![
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "game" },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "app": "game", "track": "stable" } },
                "template": {
                    "metadata": { "labels": { "app": "game", "track": "stable" } },
                    "spec": { "containers": [{ "name": "server", "image": OLD, "env": [{ "name": "A", "value": "b" }] }] },
                },
            },
        }),
        service("game", json!({ "app": "game" })),
        service("game-stable", json!({ "app": "game", "track": "stable" })),
        service("game-canary", json!({ "app": "game", "track": "canary" })),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": { "name": "game", "annotations": { "team": "platform" } },
            "spec": {
                "hostnames": ["game.example"],
                "rules": [
                    { "matches": [{ "path": { "value": "/old" } }], "backendRefs": [{ "name": "legacy", "port": 80, "weight": 7 }] },
                    { "filters": [], "backendRefs": [{ "name": "game-canary", "port": 80, "weight": 0 }, { "name": "game-stable", "port": 80 }] },
                ],
            },
        }),
        json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "game" },
            "spec": { "hosts": ["game"], "http": [{
                "name": "primary",
                "retries": { "attempts": 2 },
                "route": [{ "destination": { "host": "game-stable" }, "weight": 100 }, { "destination": { "host": "game-canary" }, "weight": 0 }],
            }] },
        }),
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": "game-canary", "annotations": {
                "nginx.ingress.kubernetes.io/canary": "true",
                "nginx.ingress.kubernetes.io/canary-by-header": "x-tester",
            } },
            "spec": { "rules": [{ "host": "game.example", "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "game-canary", "port": { "number": 80 } } } }] } }] },
        }),
    ]
}

/// The ways to split traffic: name, configuration, and the object that carries the weight.
pub(super) const KINDS: [(&str, &str, &str, &str); 4] = [
    (
        "gateway-api",
        "{ kind: gateway-api, route: game, rule: 1, stable: game-stable, canary: game-canary }",
        "httproutes",
        "game",
    ),
    (
        "istio",
        "{ kind: istio, virtual_service: game, route: primary, stable: { host: game-stable }, canary: { host: game-canary } }",
        "virtualservices",
        "game",
    ),
    (
        "nginx",
        "{ kind: nginx, ingress: game-canary }",
        "ingresses",
        "game-canary",
    ),
    (
        "replicas",
        "{ kind: replicas, stable: game, canary: game-canary, service: game }",
        "services",
        "game",
    ),
];

/// What a rollback must leave as it found it: the spec, the labels, the annotations.
pub(super) fn essence(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!([object["spec"], metadata["labels"], metadata["annotations"]])
}
