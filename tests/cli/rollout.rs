//! `liveops rollout` end to end: a stub load balancer, a stub Prometheus whose answers the test sets, and a policy that
//! takes tenths of seconds.

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::http::Request;
use crate::support::{Answer, Run, Stub, TestEnv, until};

const LIMIT: Duration = Duration::from_secs(30);

/// How Prometheus answers about the canary.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Good,
    Bad,
    Nothing,
    NaN,
    Two,
    Stale,
    Broken,
}

struct State {
    weight: f64,
    revision: u64,
    canary: Option<String>,
    stable: String,
    seen: Seen,
    /// Every weight that was set, in order.
    weights: Vec<f64>,
}

/// A fleet with its load balancer and its Prometheus.
struct World {
    env: TestEnv,
    state: Arc<Mutex<State>>,
    _balancer: Stub,
    _prometheus: Stub,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn weighing(state: &State) -> Answer {
    Answer::json(json!({ "weight": state.weight, "stable": state.stable, "canary": state.canary }))
        .header("ETag", &format!("\"{}\"", state.revision))
}

fn change(state: &mut State, request: &Request) -> Answer {
    let tag = format!("\"{}\"", state.revision);
    if request
        .header("if-match")
        .is_some_and(|wanted| wanted != tag)
    {
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
        if value.is_nan() {
            "NaN".to_owned()
        } else {
            value.to_string()
        }
    };
    let series: Vec<Value> = values
        .iter()
        .map(|value| json!({ "metric": {}, "value": [now.as_secs_f64(), show(value)] }))
        .collect();
    Answer::json(
        json!({ "status": "success", "data": { "resultType": "vector", "result": series } }),
    )
}

fn prometheus(seen: Seen, request: &Request) -> Answer {
    let text = request.param("query").unwrap_or_default();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let is_canary = text.contains("canary");
    let seen = if is_canary { seen } else { Seen::Good };
    if text.contains("timestamp") {
        return match seen {
            Seen::Stale => vector(&[now - 300.0]),
            Seen::Nothing => vector(&[]),
            _ => vector(&[now]),
        };
    }
    let errors = text.contains("5..");
    match (seen, errors) {
        (Seen::Broken, _) => Answer::new(500, "text/plain", "out of memory"),
        (Seen::Nothing, _) => vector(&[]),
        (Seen::NaN, _) => vector(&[f64::NAN]),
        (Seen::Two, _) => vector(&[1.0, 2.0]),
        (Seen::Bad, true) => vector(&[120.0]),
        (Seen::Good | Seen::Stale, true) => vector(&[1.0]),
        (_, false) => vector(&[1000.0]),
    }
}

impl World {
    fn new(seen: Seen, more: &str) -> Self {
        let state = Arc::new(Mutex::new(State {
            weight: 0.0,
            revision: 1,
            canary: None,
            stable: "game:1".into(),
            seen,
            weights: Vec::new(),
        }));
        let (reads, writes, asks) = (state.clone(), state.clone(), state.clone());
        let balancer = Stub::new()
            .on_fn("GET", "/weight", move |_| weighing(&lock(&reads)))
            .on_fn("PUT", "/weight", move |request| {
                change(&mut lock(&writes), request)
            });
        let backend = Stub::new().on_fn("POST", "/api/v1/query", move |request| {
            let seen = lock(&asks).seen;
            prometheus(seen, request)
        });
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
    canary: {{ steps: [20, 60, 100], interval: 300ms, poll: 50ms, max_step: 1s }}
    success: [ 'errors < 1%' ]
    rollback: [ 'errors > 5%' ]
    min_samples: 100
    rollback_window: 100ms
    scrape_interval: 5s
    preflight: [ rollback_plan, capacity ]
{more}",
                backend.url(),
                balancer.url()
            ),
        );
        Self {
            env,
            state,
            _balancer: balancer,
            _prometheus: backend,
        }
    }

    fn start(&self, more: &[&str]) -> Run {
        let args = ["rollout", "canary", "--image", "game:2", "--yes"];
        self.env.run(args.iter().chain(more))
    }

    fn set(&self, seen: Seen) {
        lock(&self.state).seen = seen;
    }

    fn weight(&self) -> f64 {
        lock(&self.state).weight
    }

    fn weights(&self) -> Vec<f64> {
        lock(&self.state).weights.clone()
    }

    fn status(&self) -> Value {
        let run = self.env.run(["rollout", "status", "-o", "json"]);
        run.json()["data"]["rollouts"][0].clone()
    }
}

#[test]
fn a_good_build_is_promoted_step_by_step() {
    let world = World::new(Seen::Good, "");
    let run = world.start(&[]).expect_code(0);
    assert!(
        run.stdout.contains("every condition holds"),
        "{}",
        run.stdout
    );
    let weights = world.weights();
    assert_eq!(
        weights,
        [0.0, 20.0, 60.0, 100.0, 100.0, 0.0],
        "{}",
        run.stdout
    );
    // The roles were swapped: the new version is the stable one.
    let status = world.status();
    assert_eq!(status["phase"], "succeeded");
    assert_eq!(lock(&world.state).stable, "game:2");
    // And back, by the audit log.
    world.env.run(["undo", "--yes"]).expect_code(0);
    assert_eq!(lock(&world.state).stable, "game:1");
    assert_eq!(world.status()["phase"], "rolled_back");
}

#[test]
fn a_bad_build_goes_back_by_itself() {
    let world = World::new(Seen::Bad, "");
    let run = world.start(&[]).expect_code(1);
    assert_eq!(world.weight(), 0.0);
    assert!(
        run.stdout.contains("errors > 5%: 120 of 1000"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("it is the canary"), "{}", run.stdout);
    let status = world.env.run(["rollout", "status"]).expect_code(1);
    assert!(status.stdout.contains("rolled back"), "{}", status.stdout);
    let history = world
        .env
        .run(["rollout", "history", "-o", "json"])
        .expect_code(0)
        .json();
    let verdicts = history["data"]["verdicts"].as_array().unwrap();
    let failed = verdicts
        .iter()
        .find(|verdict| verdict["outcome"] == "fail")
        .unwrap();
    assert_eq!(failed["n"], 1000.0);
    assert!(
        failed["queries"][0]
            .as_str()
            .unwrap()
            .contains("track=\"canary\"")
    );
    // The next one begins clean.
    world.set(Seen::Good);
    world.start(&[]).expect_code(0);
}

#[test]
fn what_is_not_known_holds_and_never_advances() {
    for seen in [
        Seen::Nothing,
        Seen::NaN,
        Seen::Two,
        Seen::Stale,
        Seen::Broken,
    ] {
        let world = World::new(seen, "");
        let run = world.start(&["--until", "paused"]).expect_code(5);
        assert_eq!(world.weights(), [0.0, 20.0], "{seen:?}: {}", run.stdout);
        assert!(run.stderr.contains("half done"), "{}", run.stderr);
        assert!(
            run.stderr.contains("liveops rollout resume game"),
            "{}",
            run.stderr
        );
        assert_eq!(world.status()["held"]["why"], "undecided", "{seen:?}");
        // Abort is always possible, and twice is once.
        world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
        assert_eq!(world.weight(), 0.0);
        let again = world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
        assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    }
}

#[test]
fn blindness_is_bounded() {
    let world = World::new(Seen::Broken, "    max_blind: 400ms\n");
    let run = world.start(&[]).expect_code(1);
    assert_eq!(world.weight(), 0.0);
    assert!(
        run.stdout.contains("nothing can be seen of the canary"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_gate_waits_for_approval() {
    let world = World::new(Seen::Good, "    approval: { before: [50%], by: 1 }\n");
    let run = world.start(&["--until", "paused"]).expect_code(5);
    assert!(
        run.stderr.contains("rollout approve game"),
        "{}",
        run.stderr
    );
    assert_eq!(world.weight(), 20.0);
    world
        .env
        .run(["rollout", "approve", "--yes"])
        .expect_code(0);
    world.env.run(["rollout", "resume", "--yes"]).expect_code(0);
    assert_eq!(world.status()["phase"], "succeeded");
    let late = world
        .env
        .run(["rollout", "approve", "--yes"])
        .expect_code(4);
    assert!(
        late.stderr.contains("no rollout of game is under way"),
        "{}",
        late.stderr
    );
}

#[test]
fn killed_it_is_orphaned_and_anybody_goes_on_or_back() {
    for (verb, phase, weight) in [("resume", "succeeded", 0.0), ("abort", "rolled_back", 0.0)] {
        let world = World::new(Seen::Nothing, "");
        let mut command = world
            .env
            .bare(["rollout", "canary", "--image", "game:2", "--yes"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the first step", LIMIT, || {
            (world.weight() > 0.0).then_some(())
        });
        // A second one is refused while the first lives.
        let second = world.start(&[]).expect_code(4);
        assert!(second.stderr.contains("is under way"), "{}", second.stderr);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(world.weight(), 20.0, "the weight stays where it was");
        let status = world.status();
        assert_eq!(status["orphaned"], true, "{status}");
        world.set(Seen::Good);
        world.env.run(["rollout", verb, "--yes"]).expect_code(0);
        assert_eq!(world.status()["phase"], phase);
        assert_eq!(world.weight(), weight);
    }
}

#[test]
fn of_eight_that_begin_at_once_one_wins() {
    // Without evidence the winner stays where it is, so that one that comes late meets it too.
    let world = World::new(Seen::Nothing, "");
    let args = [
        "rollout", "canary", "--image", "game:2", "--yes", "--until", "paused",
    ];
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = world.env.bare(args);
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut codes: Vec<_> = children
        .into_iter()
        .map(|mut child| child.wait().unwrap().code().unwrap_or(-1))
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [4, 4, 4, 4, 4, 4, 4, 5]);
    assert_eq!(world.weights(), [0.0, 20.0], "only the winner writes");
}

#[test]
fn somebody_elses_weight_holds_it_and_an_abort_from_elsewhere_ends_it() {
    let world = World::new(Seen::Nothing, "");
    let mut command = world
        .env
        .bare(["rollout", "canary", "--image", "game:2", "--yes"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the first step", LIMIT, || {
        (world.weight() > 0.0).then_some(())
    });
    until("its record", LIMIT, || {
        (world.status()["weight"] == 20.0).then_some(())
    });
    {
        let mut state = lock(&world.state);
        state.weight = 7.0;
        state.revision += 1;
    }
    until("the hold", LIMIT, || {
        (world.status()["held"]["why"] == "drift").then_some(())
    });
    world
        .env
        .run(["rollout", "abort", "--reason", "drift", "--yes"])
        .expect_code(0);
    assert_eq!(world.weight(), 0.0);
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(1), "the one that held it says that it went back");
}

#[test]
fn the_plan_says_what_each_step_needs_and_changes_nothing() {
    let world = World::new(Seen::Good, "");
    let run = world
        .env
        .run(["rollout", "plan", "--image", "game:2", "--steps", "5,50"])
        .expect_code(0);
    assert!(run.stdout.contains("5%"), "{}", run.stdout);
    assert!(run.stdout.contains("req/s"), "{}", run.stdout);
    let dry = world.start(&["--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("dry run"), "{}", dry.stdout);
    assert_eq!(world.weights(), Vec::<f64>::new());
    for (args, code, want) in [
        (
            &["rollout", "canary", "--yes"][..],
            2,
            "`--image` is missing",
        ),
        (
            &["rollout", "plan", "gmae", "--image", "x"],
            2,
            "did you mean `game`?",
        ),
        (
            &["rollout", "plan", "--image", "x", "--policy", "fats"],
            2,
            "did you mean `fast`?",
        ),
        (
            &["rollout", "plan", "--image", "x", "--steps", "9,5"],
            2,
            "the steps must rise",
        ),
        (&["rollout", "canary", "--image", "x"], 4, "not confirmed"),
        (
            &["rollout", "resume", "--yes"],
            4,
            "no rollout of game was ever begun",
        ),
    ] {
        let run = world.env.run(args).expect_code(code);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
    // A canary that has traffic already leaves no way back: a gate refuses, and can be passed over.
    lock(&world.state).weight = 30.0;
    let refused = world.start(&[]).expect_code(1);
    assert!(
        refused.stdout.contains("--waive GATE --reason TEXT"),
        "{}",
        refused.stdout
    );
}
