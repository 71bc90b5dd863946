//! One game in a namespace, with traffic split in each of the ways, and metrics that the test drives.

use std::collections::BTreeSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::kube::{CONTEXT, Kube, Logged, NAMESPACE};
use crate::support::process::signal;
use crate::support::{Answer, Run, Stub, TestEnv, until};

/// Long, for real API servers: three regions have twelve processes.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
pub(super) const OLD: &str = "game:1";
pub(super) const NEW: &str = "game:2";

/// Everything that a rollout meets.
pub(super) struct Stage {
    pub(super) kube: Kube,
    pub(super) env: TestEnv,
    bad: Arc<AtomicBool>,
    metrics: Stub,
}

impl Stage {
    /// With this `traffic:`; its objects are there, and the stable Deployment is ready.
    pub(super) fn new(traffic: &str) -> Self {
        let kube = Kube::start();
        settle(&kube);
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
    canary: {{ steps: [30%], interval: 400ms, poll: 150ms, propagation: 50ms, max_step: 20s }}
    success: [ "error_rate < 1%" ]
    rollback: [ "error_rate > 20%" ]
    min_samples: 20
    scrape_interval: 300ms
    rollback_window: 0s
    preflight: [ rollback_plan, permissions ]
  windowed:
    canary: {{ steps: [20%], interval: 400ms, poll: 150ms, propagation: 50ms, max_step: 20s }}
    success: [ "error_rate < 1%" ]
    rollback: [ "error_rate > 20%" ]
    min_samples: 20
    scrape_interval: 300ms
    rollback_window: 60s
    preflight: [ rollback_plan, permissions ]
  gated:
    canary: {{ steps: [30%], interval: 400ms, poll: 150ms, propagation: 50ms, max_step: 20s }}
    success: [ "error_rate < 1%" ]
    rollback: [ "error_rate > 20%" ]
    min_samples: 20
    preflight: [ rollback_plan, permissions, capacity ]
  coarse: {{ canary: {{ steps: [1%] }}, success: [ "error_rate < 1%" ] }}
  even: {{ canary: {{ steps: [50%] }}, success: [ "error_rate < 1%" ] }}
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
        Self { kube, env, bad, metrics }
    }

    /// Begins to run liveops; nobody reads what it prints.
    pub(super) fn begin(&self, args: &[&str]) -> Running {
        Running::unheard(self.env.bare(args))
    }

    /// The same, with the lines that it prints in a file of this name.
    pub(super) fn begin_to(&self, args: &[&str], name: &str) -> (Running, PathBuf) {
        let path = self.env.root().join(name);
        let mut command = self.env.bare(args);
        let file = File::create(&path).unwrap();
        let child = command.stdout(file).stderr(Stdio::null()).spawn();
        (Running(child.unwrap()), path)
    }

    /// Works while somebody else ticks, with this pause in between: a controller, a rival.
    pub(super) fn beside<T>(&self, pause: Duration, tick: impl FnMut(&Kube) + Send, work: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (stop, mut tick) = (&stop, tick);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    tick(&self.kube);
                    std::thread::sleep(pause);
                }
            });
            let done = catch_unwind(AssertUnwindSafe(work));
            stop.store(true, Ordering::Relaxed);
            done.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Runs `rollout VERB game …` to its end, confirmed.
    pub(super) fn rollout(&self, args: &[&str]) -> Run {
        let (verb, rest) = args.split_first().unwrap();
        let words = ["rollout", verb, "game"];
        let all = words.iter().chain(rest).chain(&["--yes"]);
        self.env.run(all)
    }

    /// The image of the container of a Deployment.
    pub(super) fn image(&self, name: &str) -> String {
        image(&self.kube, name)
    }

    /// What a way back must leave as it found it, whatever splits the traffic.
    pub(super) fn essences(&self) -> Vec<Value> {
        let all = [
            ("httproutes", "game"),
            ("virtualservices", "game"),
            ("ingresses", "game-canary"),
            ("services", "game"),
            ("services", "game-stable"),
            ("services", "game-canary"),
        ];
        let found = all.map(|(resource, name)| essence(&self.kube.get(resource, name)));
        let deployment = self.kube.get("deployments", "game");
        let spec = json!([self.kube.find("deployments", "game-canary"), deployment["spec"]]);
        found.into_iter().chain([spec]).collect()
    }

    /// Every change that liveops made is one that the gate of permissions had asked about; events it may leave out.
    #[track_caller]
    pub(super) fn all_was_asked(&self) {
        let log = self.kube.log();
        let asked: BTreeSet<_> = log.iter().filter_map(Logged::review).collect();
        let done: BTreeSet<_> = log.iter().filter_map(Logged::deed).collect();
        let unasked = done.difference(&asked).filter(|deed| deed.1 != "events");
        let unasked: Vec<_> = unasked.collect();
        assert!(!done.is_empty() && unasked.is_empty(), "{unasked:?} is not in {asked:?}");
    }

    /// The phase that the state in the cluster says, and its weight.
    pub(super) fn phase(&self) -> (String, f64) {
        phase(&self.kube)
    }

    /// Is the latest rollout that of this image?
    pub(super) fn is_of(&self, image: &str) -> bool {
        let state = self.kube.find("configmaps", "liveops-rollout-game");
        let text = state.and_then(|state| Some(state["data"]["rollout"].as_str()?.to_owned()));
        let state: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
        state.is_some_and(|state| state["plan"]["image"] == image)
    }

    /// Waits for this phase.
    #[track_caller]
    pub(super) fn until_phase(&self, phase: &str) {
        until(format!("phase {phase}"), LIMIT, || (self.phase().0 == phase).then_some(()));
    }

    /// Changes the configuration.
    pub(super) fn configure(&self, from: &str, to: &str) {
        let path = self.env.path().join("liveops.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        self.env.write("liveops.yaml", text.replacen(from, to, 1));
    }

    /// From now on, metrics are asked for in vain.
    pub(super) fn hang(&self) {
        let never = Answer::text("").after(Duration::from_secs(120));
        self.metrics.set("GET", "/metrics", never);
    }

    /// From now on the canary fails half of its requests.
    pub(super) fn fail(&self) {
        self.bad.store(true, Ordering::Relaxed);
    }
}

/// The image of the container of a Deployment.
pub(super) fn image(kube: &Kube, name: &str) -> String {
    let found = kube.get("deployments", name);
    let image = &found["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap().to_owned()
}

/// The phase that the state in the cluster says, and its weight.
pub(super) fn phase(kube: &Kube) -> (String, f64) {
    let Some(state) = kube.find("configmaps", "liveops-rollout-game") else {
        return Default::default();
    };
    let text = state["data"]["rollout"].as_str().unwrap();
    let state: Value = serde_json::from_str(text).unwrap();
    let phase = state["phase"].as_str().unwrap().to_owned();
    (phase, state["applied"].as_f64().unwrap())
}

/// The game is there, with its stable version ready.
pub(super) fn settle(kube: &Kube) {
    for object in objects() {
        kube.create(&object);
    }
    available(kube, "game", 2);
}

/// A run in the background, killed on drop.
pub(super) struct Running(Child);

impl Running {
    /// Nobody reads what it prints.
    pub(super) fn unheard(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// Kills it (-9).
    pub(super) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, name: &str) {
        signal(self.0.id(), name);
    }

    /// Waits for its exit code.
    #[track_caller]
    pub(super) fn code(&mut self) -> Option<i32> {
        let status = until("the end of liveops", LIMIT * 2, || self.0.try_wait().unwrap());
        status.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What is seen of the game: while it is `bad`, the canary fails half of its requests.
pub(super) fn metrics(bad: Arc<AtomicBool>) -> Stub {
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
             http_requests_total{{track=\"canary\",status=\"500\"}} {failed:.0}\n\
             # TYPE queue_depth gauge\nqueue_depth 1500\n",
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
    ("nginx", "{ kind: nginx, ingress: game-canary }", "ingresses", "game-canary"),
    ("replicas", "{ kind: replicas, stable: game, canary: game-canary, service: game }", "services", "game"),
];

/// What a rollback must leave as it found it: the spec, the labels, the annotations.
pub(super) fn essence(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!([object["spec"], metadata["labels"], metadata["annotations"]])
}
