//! `liveops flag ramp` end to end, with flags in a file and in a real Redis: a stub Prometheus says how users fare, and
//! holds take tenths of seconds.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::http::Request;
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
    let series: Vec<Value> = values
        .iter()
        .map(|value| json!({ "metric": {}, "value": [now.as_secs_f64(), value.to_string()] }))
        .collect();
    Answer::json(
        json!({ "status": "success", "data": { "resultType": "vector", "result": series } }),
    )
}

fn answer(seen: Seen, request: &Request) -> Answer {
    let text = request.param("query").unwrap_or_default();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    match seen {
        Seen::Nothing => vector(&[]),
        _ if text.contains("timestamp") => vector(&[now]),
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
        env.run(["flag", "set", FLAG, "--pct", percentage, "--yes"])
            .expect_code(0);
        Self {
            env,
            seen,
            _prometheus: prometheus,
        }
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
        revisions
            .iter()
            .map(|revision| revision["reason"].as_str().unwrap_or("").to_owned())
            .collect()
    }

    fn await_percentage(&self, wanted: i64) {
        until("the percentage", LIMIT, || {
            (self.percentage() == wanted).then_some(())
        });
    }

    fn await_hold(&self, why: &str) {
        until("the hold", LIMIT, || {
            (self.status()["held"]["why"] == why).then_some(())
        });
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "signals need a program or unsafe code"
)]
fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("/bin/kill")
        .args([signal, &pid])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Runs it with flags in a file, and in Redis.
fn on_both(test: impl Fn(&str)) {
    test("file:flags.json");
    let redis = server("");
    test(&format!("redis://127.0.0.1:{}/0", redis.port()));
}

#[test]
fn a_good_feature_gets_everybody_step_by_step_and_back_by_undo() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "1");
        let run = world.start(&["--reason", "queue 2"]).expect_code(0);
        assert!(
            run.stdout.contains("every condition holds"),
            "{}",
            run.stdout
        );
        assert_eq!(world.percentage(), 100);
        assert_eq!(world.status()["phase"], "succeeded");
        let reasons = world.reasons();
        assert_eq!(reasons.len(), 4, "{reasons:?}");
        assert!(
            reasons[0].starts_with("queue 2; ramp, step 3 of 3; error_rate < 1%: 1 of 1000"),
            "{reasons:?}"
        );
        assert!(
            reasons[2].starts_with("queue 2; ramp, step 1 of 3"),
            "{reasons:?}"
        );
        let late = world.verb("abort", &[]).expect_code(4);
        assert!(late.stderr.contains("has succeeded"), "{}", late.stderr);
        world.env.run(["undo", "--yes"]).expect_code(0);
        assert_eq!(world.percentage(), 1);
        assert!(world.reasons()[0].contains("undone by ada"));
    });
}

#[test]
fn a_bad_feature_goes_back_to_the_percentage_of_before() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "1");
        let mut child = world.spawn(&[]);
        world.await_percentage(25);
        world.set(Seen::Bad);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(world.percentage(), 1);
        let status = world.status();
        assert_eq!(status["phase"], "rolled_back");
        assert!(
            status["reason"]
                .as_str()
                .unwrap()
                .contains("error_rate < 1%"),
            "{status}"
        );
        assert!(world.reasons()[0].contains("not error_rate < 1%: 120 of 1000"));
        // What is bad already is not begun at all.
        let refused = world.start(&[]).expect_code(4);
        assert!(
            refused.stderr.contains("before anybody gets the flag"),
            "{}",
            refused.stderr
        );
        assert_eq!(world.percentage(), 1);
    });
}

#[test]
fn somebody_elses_change_stops_it_and_resume_goes_on_from_there() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "0");
        world.set(Seen::Nothing);
        let mut child = world.spawn(&[]);
        world.await_percentage(5);
        let edit = [
            "flag",
            "set",
            FLAG,
            "--pct",
            "40",
            "--reason",
            "demo for the press",
            "--yes",
        ];
        world
            .env
            .command(edit)
            .env("LIVEOPS_ACTOR", "kim")
            .run()
            .expect_code(0);
        assert_eq!(child.wait().unwrap().code(), Some(5));
        assert_eq!(world.percentage(), 40, "it is never overwritten");
        let status = world.status();
        assert_eq!(status["held"]["why"], "foreign");
        let text = status["held"]["text"].as_str().unwrap();
        assert!(
            text.contains("kim at ") && text.contains("demo for the press"),
            "{text}"
        );
        assert!(text.contains("percentage 5 to 40"), "{text}");
        world.set(Seen::Good);
        let run = world.verb("resume", &[]).expect_code(0);
        assert!(run.stdout.contains("goes on from 40%"), "{}", run.stdout);
        assert_eq!(world.percentage(), 100);
    });
}

#[test]
fn a_kill_ends_it_and_the_flag_stays_off() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "0");
        world.set(Seen::Nothing);
        let mut child = world.spawn(&[]);
        world.await_percentage(5);
        let kill = ["flag", "kill", FLAG, "--reason", "queues burn", "--yes"];
        world.env.run(kill).expect_code(0);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(world.flag()["enabled"], false);
        let status = world.status();
        assert_eq!(status["phase"], "rolled_back");
        assert!(
            status["reason"]
                .as_str()
                .unwrap()
                .contains("was switched off by ada"),
            "{status}"
        );
        world.verb("resume", &[]).expect_code(4);
        assert_eq!(world.flag()["enabled"], false);
        assert_eq!(
            world.reasons().len(),
            3,
            "nothing was written after the kill"
        );
    });
}

#[test]
fn killed_it_waits_and_another_process_goes_on_or_back() {
    on_both(|url| {
        for (verb, percentage, phase) in [("resume", 100, "succeeded"), ("abort", 0, "rolled_back")]
        {
            let world = World::new(url, Seen::Good, "0");
            world.set(Seen::Nothing);
            let mut child = world.spawn(&[]);
            world.await_percentage(5);
            let second = world.start(&[]).expect_code(4);
            assert!(second.stderr.contains("is under way"), "{}", second.stderr);
            child.kill().unwrap();
            child.wait().unwrap();
            world.set(Seen::Good);
            // Redis knows of the death only when the lease is over.
            let more: &[&str] = if verb == "resume" {
                &["--takeover"]
            } else {
                &[]
            };
            world.verb(verb, more).expect_code(0);
            assert_eq!(world.percentage(), percentage, "{verb}");
            assert_eq!(world.status()["phase"], phase);
            world.env.run(["flag", "rm", FLAG, "--yes"]).expect_code(0);
        }
    });
}

#[test]
fn without_evidence_it_holds_and_pause_and_abort_work_from_elsewhere() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "2");
        world.set(Seen::Nothing);
        let mut child = world.spawn(&[]);
        world.await_hold("no_evidence");
        assert_eq!(world.percentage(), 5);
        world
            .verb("pause", &["--reason", "tournament"])
            .expect_code(0);
        world.await_hold("paused");
        let screen = world.env.run(["status"]);
        assert!(
            screen.stdout.contains(&format!("flag {FLAG}  ramp")),
            "{}",
            screen.stdout
        );
        assert!(
            screen.stdout.contains("liveops flag ramp status"),
            "{}",
            screen.stdout
        );
        world.verb("abort", &["--reason", "lag"]).expect_code(0);
        assert_eq!(world.percentage(), 2);
        assert_eq!(
            child.wait().unwrap().code(),
            Some(1),
            "the one that held it ends"
        );
        assert!(world.reasons()[0].contains("aborted by ada: lag"));
        let again = world.verb("abort", &[]).expect_code(0);
        assert!(again.stdout.contains("is back already"), "{}", again.stdout);
    });
}

#[test]
fn a_holder_that_slept_writes_nothing_after_it_was_taken_over() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "0");
        world.set(Seen::Nothing);
        let mut sleeper = world.spawn(&[]);
        world.await_percentage(5);
        // From here on it only looks, and is stopped in no write.
        world.await_hold("no_evidence");
        signal(&sleeper, "-STOP");
        world.set(Seen::Good);
        world.verb("resume", &["--takeover"]).expect_code(0);
        assert_eq!(world.percentage(), 100);
        let before = world.reasons().len();
        signal(&sleeper, "-CONT");
        sleeper.wait().unwrap();
        assert_eq!(world.percentage(), 100);
        assert_eq!(world.reasons().len(), before);
    });
}

#[test]
fn what_cannot_be_ramped_is_refused_with_what_to_type() {
    let world = World::new("file:flags.json", Seen::Good, "10");
    let env = &world.env;
    for (args, want, hint) in [
        (&["set", "off", "--pct", "0", "--disable"][..], "", ""),
        (&["set", "rules_only", "--rule", "region in eu"], "", ""),
        (
            &["ramp", "start", "new_matchmakin", "--steps", "5"],
            "there is no flag",
            "did you mean `new_matchmaking`?",
        ),
        (
            &["ramp", "start", "brand_new_shop", "--steps", "5"],
            "there is no flag",
            "liveops flag set brand_new_shop --pct 0",
        ),
        (
            &["ramp", "start", "off", "--steps", "5"],
            "is off",
            "--pct 0 --enable",
        ),
        (
            &["ramp", "start", "rules_only", "--steps", "5"],
            "defaultValue",
            "--default true",
        ),
        (
            &["ramp", "start", FLAG, "--steps", "5,20,50"],
            "is at 10% already",
            "--steps 20,50",
        ),
        (
            &["ramp", "start", FLAG, "--steps", "20,20"],
            "the steps must rise",
            "--steps 1,5,25,50,100",
        ),
        (
            &["ramp", "start", FLAG, "--steps", "20,101"],
            "no whole percentage",
            "",
        ),
        (
            &["ramp", "start", FLAG, "--steps", "20.5"],
            "no whole percentage",
            "",
        ),
    ] {
        let guard = ["--guard", "error_rate < 1%"];
        let guard = if args[0] == "ramp" { &guard[..] } else { &[] };
        let all = ["flag"].iter().chain(args).chain(guard).chain(&["--yes"]);
        let run = env.run(all);
        assert_eq!(
            run.code,
            if want.is_empty() { 0 } else { 2 },
            "{args:?}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains(want) && run.stderr.contains(hint),
            "{args:?}: {}",
            run.stderr
        );
    }
    let start = |more: &[&str]| {
        let usual = ["flag", "ramp", "start", FLAG, "--steps", "20,50"];
        env.run(usual.iter().chain(more).copied())
    };
    for (more, code, want) in [
        (&["--yes"][..], 2, "without a guard"),
        (&["--guard", "eror_rate < 1%", "--yes"], 2, "error_rate"),
        (
            &["--guard", "p99 < baseline * 1.2", "--yes"],
            2,
            "cannot be used for this flag",
        ),
        (&["--guard", "error_rate < 1%"], 4, "not confirmed"),
        (
            &["--policy", "standrd", "--yes"],
            2,
            "did you mean `standard`?",
        ),
    ] {
        let run = start(more).expect_code(code);
        assert!(run.stderr.contains(want), "{more:?}: {}", run.stderr);
    }
    let dry = start(&["--guard", "error_rate < baseline * 2", "--dry-run"]).expect_code(0);
    let shown = format!("{}{}", dry.stdout, dry.stderr);
    assert!(shown.contains("10%, then 20%, 50%"), "{shown}");
    assert_eq!(world.percentage(), 10);
}

#[test]
fn for_programs_it_is_an_object_a_line_and_a_protected_environment_wants_a_reason() {
    let world = World::new("file:flags.json", Seen::Good, "10");
    let text = world.env.read("liveops.yaml");
    let args = [
        "flag",
        "ramp",
        "start",
        FLAG,
        "--steps",
        "20",
        "--hold",
        "200ms",
        "--guard",
        "error_rate < 1%",
        "--yes",
        "-o",
        "json",
    ];
    let lines = world.env.run(args).expect_code(0).json_lines();
    assert!(lines.len() > 3, "{lines:?}");
    assert_eq!(lines[0]["schema"], "liveops.rollout.event/1");
    let last = lines.last().unwrap();
    assert_eq!(last["schema"], "liveops.flag.ramp.status/1");
    assert_eq!(last["data"]["ramps"][0]["percentage"], 20.0);
    world.env.write(
        "liveops.yaml",
        text.replace("  test:\n", "  test:\n    protected: true\n"),
    );
    let args = [
        "flag",
        "ramp",
        "start",
        FLAG,
        "--steps",
        "30",
        "--guard",
        "error_rate < 1%",
        "--yes",
    ];
    let refused = world.env.run(args).expect_code(2);
    assert!(refused.stderr.contains("--reason"), "{}", refused.stderr);
}
