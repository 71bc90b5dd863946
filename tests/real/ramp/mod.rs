//! `liveops flag ramp` end to end, with flags in a file and in a real Redis: a stub Prometheus says how users fare, and
//! holds take tenths of seconds.

mod course;
mod manners;

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::backends::ages;
use crate::support::http::Request;
use crate::support::process::signal;
use crate::support::redis::server;
use crate::support::{Answer, Run, Stub, TestEnv, until};

const LIMIT: Duration = Duration::from_secs(15);
const FLAG: &str = "new_matchmaking";

/// What Prometheus says of errors.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Good,
    Bad,
    Nothing,
}

/// Flags in a store, a Prometheus, and an operator.
struct World {
    env: TestEnv,
    seen: Arc<Mutex<Seen>>,
    _prometheus: Stub,
}

fn vector(values: &[f64]) -> Answer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let series: Vec<Value> =
        values.iter().map(|value| json!({ "metric": {}, "value": [now.as_secs_f64(), value.to_string()] })).collect();
    Answer::json(json!({ "status": "success", "data": { "resultType": "vector", "result": series } }))
}

fn answer(seen: Seen, request: &Request) -> Answer {
    let text = request.param("query").unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    match seen {
        _ if text.contains("timestamp(") => {
            ages(&text, now, |_| Some(now).filter(|_| seen != Seen::Nothing)).expect("an age is asked")
        }
        Seen::Nothing => vector(&[]),
        Seen::Bad if text.contains("5..") => vector(&[120.0]),
        _ if text.contains("5..") => vector(&[1.0]),
        _ => vector(&[1000.0]),
    }
}

impl World {
    /// Flags at this URL, with the flag at `percentage`.
    fn new(url: &str, seen: Seen, percentage: &str) -> Self {
        let seen = Arc::new(Mutex::new(seen));
        let asked = seen.clone();
        let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada");
        let prometheus = Stub::new().on_fn("POST", "/api/v1/query", move |request| {
            let seen = *asked.lock().unwrap_or_else(PoisonError::into_inner);
            answer(seen, request)
        });
        env.write(
            "liveops.yaml",
            format!(
                "version: 1
default_env: test
environments:
  test:
    prometheus: {{ url: '{}' }}
    flags: {{ url: '{url}', cache_ttl: 50ms }}
kpis:
  - {{ name: error_rate, ratio: {{ of: 'http_requests_total{{status=~\"5..\"}}', to: http_requests_total, window: 1m }} }}
  - {{ name: p99, quantile: {{ q: 0.99, histogram: http_request_seconds, window: 1m }} }}
",
                prometheus.url()
            ),
        );
        env.run(["flag", "set", FLAG, "--pct", percentage, "--yes"]).expect_code(0);
        Self { env, seen, _prometheus: prometheus }
    }

    fn set(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let usual = [
            "flag",
            "ramp",
            "start",
            FLAG,
            "--steps",
            "5,25,100",
            "--hold",
            "300ms",
            "--guard",
            "error_rate < 1%",
            "--yes",
        ];
        usual.iter().chain(more).copied().collect()
    }

    fn start(&self, more: &[&str]) -> Run {
        self.env.run(Self::args(more))
    }

    fn spawn(&self, more: &[&str]) -> Child {
        let mut command = self.env.bare(Self::args(more));
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn verb(&self, verb: &str, more: &[&str]) -> Run {
        let args = ["flag", "ramp", verb, FLAG, "--yes"];
        self.env.run(args.iter().chain(more))
    }

    fn flag(&self) -> Value {
        let run = self.env.run(["flag", "get", FLAG, "-o", "json"]);
        run.json()["data"]["value"].clone()
    }

    fn percentage(&self) -> i64 {
        self.flag()["percentage"].as_i64().unwrap_or(-1)
    }

    fn status(&self) -> Value {
        let run = self.env.run(["flag", "ramp", "status", FLAG, "-o", "json"]);
        run.json()["data"]["ramps"][0].clone()
    }

    /// Reasons in the history, the newest first.
    fn reasons(&self) -> Vec<String> {
        let run = self.env.run(["flag", "history", FLAG, "-o", "json"]);
        let data = run.json();
        let revisions = data["data"]["revisions"].as_array().unwrap();
        revisions.iter().map(|revision| revision["reason"].as_str().unwrap_or("").to_owned()).collect()
    }

    fn await_percentage(&self, wanted: i64) {
        until("the percentage", LIMIT, || (self.percentage() == wanted).then_some(()));
    }

    fn await_hold(&self, why: &str) {
        until("the hold", LIMIT, || (self.status()["held"]["why"] == why).then_some(()));
    }
}

/// Runs it with flags in a file, and in Redis.
fn on_both(test: impl Fn(&str)) {
    test("file:flags.json");
    let redis = server("");
    test(&format!("redis://127.0.0.1:{}/0", redis.port()));
}
