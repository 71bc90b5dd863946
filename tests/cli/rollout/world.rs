//! A fleet with its load balancer and its Prometheus, both of which the test moves.

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::backends::ages;
use crate::support::http::Request;
use crate::support::{Answer, Run, Stub, TestEnv, until};

/// A policy in tenths of seconds.
pub(super) const RULES: &str = "    canary: { steps: [20, 60, 100], interval: 300ms, poll: 50ms, max_step: 1s }
    success: [ 'errors < 1%' ]
    rollback: [ 'errors > 5%' ]
    min_samples: 100
    rollback_window: 100ms
    scrape_interval: 5s
    preflight: [ rollback_plan, capacity ]
";

pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// How Prometheus answers about the canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Seen {
    Good,
    Bad,
    Nothing,
    NaN,
    Two,
    Stale,
    Broken,
    /// 429.
    Busy,
    /// It takes the question, and does not answer.
    Hangs,
    /// An answer with a warning that a part of it is missing.
    Warned,
    Infinite,
    /// Requests, and no series of errors at all.
    NoErrors,
}

pub(super) struct State {
    pub(super) weight: f64,
    pub(super) revision: u64,
    pub(super) canary: Option<String>,
    pub(super) stable: String,
    pub(super) seen: Seen,
    /// Every weight that was set, in order.
    pub(super) weights: Vec<f64>,
    /// Changes that fail before one is taken.
    pub(super) refuse: u32,
    /// Changes to this weight are kept in hand, and how many are.
    pub(super) keep: Option<f64>,
    pub(super) kept: u32,
}

/// A fleet with its load balancer and its Prometheus.
pub(super) struct World {
    pub(super) env: TestEnv,
    pub(super) state: Arc<Mutex<State>>,
    balancer: Stub,
    pub(super) prometheus: Stub,
}

pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn weighing(state: &State) -> Answer {
    Answer::json(json!({ "weight": state.weight, "stable": state.stable, "canary": state.canary }))
        .header("ETag", &format!("\"{}\"", state.revision))
}

/// Keeps a change on its way for as long as the test wants.
fn arrive(state: &Mutex<State>, request: &Request) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let held = |state: &State| state.keep.is_some() && state.keep == body["weight"].as_f64();
    if held(&lock(state)) {
        lock(state).kept += 1;
    }
    while held(&lock(state)) {
        thread::sleep(Duration::from_millis(5));
    }
}

fn change(state: &mut State, request: &Request) -> Answer {
    if state.refuse > 0 {
        state.refuse -= 1;
        return Answer::new(503, "text/plain", "draining");
    }
    let tag = format!("\"{}\"", state.revision);
    if request.header("if-match").is_some_and(|wanted| wanted != tag) {
        return Answer::json(json!({ "error": "changed" })).status(412);
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    if let Some(weight) = body["weight"].as_f64() {
        state.weight = weight;
        state.weights.push(weight);
    }
    if let Some(image) = body["stable"].as_str() {
        state.stable = image.to_owned();
    }
    if let Some(canary) = body.get("canary") {
        state.canary = canary.as_str().map(ToOwned::to_owned);
    }
    state.revision += 1;
    weighing(state)
}

fn vector(values: &[f64]) -> Answer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let show = |value: &f64| {
        if value.is_infinite() {
            "+Inf".to_owned()
        } else if value.is_nan() {
            "NaN".to_owned()
        } else {
            value.to_string()
        }
    };
    let series: Vec<Value> =
        values.iter().map(|value| json!({ "metric": {}, "value": [now.as_secs_f64(), show(value)] })).collect();
    Answer::json(json!({ "status": "success", "data": { "resultType": "vector", "result": series } }))
}

fn prometheus(seen: Seen, request: &Request) -> Answer {
    let text = request.param("query").unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let newest = |expression: &str| match seen {
        _ if !expression.contains("canary") => Some(now),
        Seen::Stale => Some(now - 300.0),
        Seen::Nothing => None,
        _ => Some(now),
    };
    if let Some(answer) = ages(&text, now, newest) {
        return answer;
    }
    let seen = if text.contains("canary") { seen } else { Seen::Good };
    let errors = text.contains("5..");
    match (seen, errors) {
        (Seen::Warned, _) => {
            let series = json!([{ "metric": {}, "value": [now, "1000"] }]);
            Answer::json(json!({
                "status": "success",
                "data": { "resultType": "vector", "result": series },
                "warnings": ["a store is missing"],
            }))
        }
        (Seen::Hangs, _) => vector(&[]).after(Duration::from_secs(60)),
        (Seen::Broken, _) => Answer::new(500, "text/plain", "out of memory"),
        (Seen::Busy, _) => Answer::new(429, "text/plain", "slow down"),
        (Seen::Infinite, _) => vector(&[f64::INFINITY]),
        (Seen::NoErrors, true) | (Seen::Nothing, _) => vector(&[]),
        (Seen::NaN, _) => vector(&[f64::NAN]),
        (Seen::Two, _) => vector(&[1.0, 2.0]),
        (Seen::Bad, true) => vector(&[120.0]),
        (Seen::Good | Seen::Stale, true) => vector(&[1.0]),
        (_, false) => vector(&[1000.0]),
    }
}

/// A fleet of one region.
pub(super) fn side(seen: Seen) -> (Arc<Mutex<State>>, Stub, Stub) {
    let state = Arc::new(Mutex::new(State {
        weight: 0.0,
        revision: 1,
        canary: None,
        stable: "game:1".into(),
        seen,
        weights: Vec::new(),
        refuse: 0,
        keep: None,
        kept: 0,
    }));
    let (reads, writes, asks) = (state.clone(), state.clone(), state.clone());
    let balancer =
        Stub::new().on_fn("GET", "/weight", move |_| weighing(&lock(&reads))).on_fn("PUT", "/weight", move |request| {
            arrive(&writes, request);
            change(&mut lock(&writes), request)
        });
    let backend = Stub::new().on_fn("POST", "/api/v1/query", move |request| {
        let seen = lock(&asks).seen;
        prometheus(seen, request)
    });
    (state, balancer, backend)
}

impl World {
    pub(super) fn new(seen: Seen, more: &str) -> Self {
        Self::ruled(seen, &format!("{RULES}{more}"))
    }

    /// With these rules of the policy, as they stand in the file.
    pub(super) fn ruled(seen: Seen, rules: &str) -> Self {
        let (state, balancer, backend) = side(seen);
        let env = TestEnv::new();
        env.write(
            "liveops.yaml",
            format!(
                "version: 1
default_env: test
environments:
  test: {{ prometheus: {{ url: '{}' }} }}
services:
  - name: game
    rollout:
      policy: fast
      traffic: {{ kind: http, url: '{}/weight' }}
      metrics:
        errors: {{ ratio: {{ of: 'http_requests_total{{status=~\"5..\"}}', to: http_requests_total }} }}
policies:
  fast:
{rules}",
                backend.url(),
                balancer.url()
            ),
        );
        Self { env, state, balancer, prometheus: backend }
    }

    pub(super) fn start(&self, more: &[&str]) -> Run {
        let args = ["rollout", "canary", "--image", "game:2", "--yes"];
        self.env.run(args.iter().chain(more))
    }

    /// Begins one, and leaves it running.
    pub(super) fn spawn(&self, more: &[&str]) -> Child {
        let args = ["rollout", "canary", "--image", "game:2", "--yes"];
        let mut command = self.env.bare(args.iter().chain(more));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Begins one, and leaves it running as soon as it has a share.
    #[track_caller]
    pub(super) fn spawn_to_first_step(&self) -> Child {
        let child = self.spawn(&[]);
        until("the first step", LIMIT, || (self.weight() > 0.0).then_some(()));
        child
    }

    /// Where the balancer listens.
    pub(super) fn port(&self) -> u16 {
        self.balancer.port()
    }

    pub(super) fn set(&self, seen: Seen) {
        lock(&self.state).seen = seen;
    }

    pub(super) fn weight(&self) -> f64 {
        lock(&self.state).weight
    }

    pub(super) fn weights(&self) -> Vec<f64> {
        lock(&self.state).weights.clone()
    }

    pub(super) fn status(&self) -> Value {
        let run = self.env.run(["rollout", "status", "-o", "json"]);
        run.json()["data"]["rollouts"][0].clone()
    }
}

/// Its exit code, and what it said on stderr.
pub(super) fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}
