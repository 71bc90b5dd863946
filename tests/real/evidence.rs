//! What a rollout counts, against a real Prometheus: series that are born and die between two scrapes, clocks that are
//! wrong, a Prometheus that was away.

use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::preload::library;
use crate::support::process::signal;
use crate::support::prometheus::{Prometheus, Target};
use crate::support::{Answer, Run, Stub, TestEnv, until};

const LIMIT: Duration = Duration::from_secs(60);

/// What the canary does to its users.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Canary {
    Good,
    /// Half of its requests fail.
    Bad,
    /// One of two pods fails everything, and is another pod at each scrape.
    ShortLived,
    /// Hundreds of failures at once, before the first sample of their series; none after.
    Burst,
}

/// A fleet that counts, behind a balancer, scraped each second.
struct Fleet {
    env: TestEnv,
    weight: Arc<AtomicU64>,
    /// From now on half of its requests fail.
    bad: Arc<AtomicBool>,
    prometheus: Prometheus,
    _stubs: [Stub; 2],
}

fn exposition(canary: Canary, weight: f64, began: Instant, exposed: &Mutex<Option<Instant>>, scrape: u64) -> String {
    let mut text = String::from("# TYPE http_requests_total counter\n");
    let stable = began.elapsed().as_secs_f64() * 400.0;
    let _ = writeln!(text, "http_requests_total{{track=\"stable\",pod=\"s0\",status=\"200\"}} {stable:.0}");
    let mut since = exposed.lock().unwrap();
    if weight > 0.0 {
        let served = since.get_or_insert_with(Instant::now).elapsed().as_secs_f64() * 200.0;
        let mut line = |pod: &str, status: u32, count: f64| {
            let _ =
                writeln!(text, "http_requests_total{{track=\"canary\",pod=\"{pod}\",status=\"{status}\"}} {count:.0}");
        };
        match canary {
            Canary::Good => line("c0", 200, served),
            Canary::Bad => {
                line("c0", 200, served / 2.0);
                line("c0", 500, served / 2.0);
            }
            Canary::ShortLived => {
                line("c0", 200, served / 2.0);
                line(&format!("bad{scrape}"), 500, 90.0);
            }
            Canary::Burst => {
                line("c0", 200, served);
                if served > 400.0 {
                    line("c0", 500, 600.0);
                }
            }
        }
    }
    text
}

impl Fleet {
    fn new(canary: Canary) -> Self {
        let weight = Arc::new(AtomicU64::new(0));
        let (read, write, shown) = (weight.clone(), weight.clone(), weight.clone());
        let balancer = Stub::new()
            .on_fn("GET", "/weight", move |_| Answer::json(json!({ "weight": read.load(Ordering::SeqCst) })))
            .on_fn("PUT", "/weight", move |request| {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let weight = body["weight"].as_f64().unwrap();
                write.store(weight as u64, Ordering::SeqCst);
                Answer::json(json!({ "weight": weight }))
            });
        let bad = Arc::new(AtomicBool::new(canary == Canary::Bad));
        let fails = bad.clone();
        let (began, exposed, scrapes) = (Instant::now(), Mutex::default(), AtomicU64::new(0));
        let metrics = Stub::new().on_fn("GET", "/metrics", move |_| {
            let scrape = scrapes.fetch_add(1, Ordering::SeqCst);
            let weight = shown.load(Ordering::SeqCst) as f64;
            let canary = if fails.load(Ordering::SeqCst) { Canary::Bad } else { canary };
            Answer::text(exposition(canary, weight, began, &exposed, scrape))
        });
        let prometheus = Prometheus::start(&[Target::new("game", metrics.port())], "", None, "1s");
        prometheus.wait_until("count(count_over_time(http_requests_total[1m]) > 4)", |count| count > 0.0);
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
    canary: {{ steps: [50, 100], interval: 6s, poll: 500ms, propagation: 1s, max_step: 20s }}
    success: [ 'errors < 1%' ]
    rollback: [ 'errors > 5%' ]
    min_samples: 100
    max_blind: 30s
    rollback_window: 1s
    scrape_interval: 1s
    preflight: []
",
                prometheus.url(),
                balancer.url()
            ),
        );
        Self { env, weight, bad, prometheus, _stubs: [balancer, metrics] }
    }

    /// Rolls out on a machine whose clock is wrong by so many seconds.
    fn start(&self, skew: i64) -> Run {
        let run = self.env.command(["rollout", "canary", "--image", "game:2", "--yes"]).limit(LIMIT * 2);
        match skew {
            0 => run.run(),
            _ => run.env("LD_PRELOAD", &library("skew").display().to_string()).env("SKEW", &skew.to_string()).run(),
        }
    }

    #[track_caller]
    fn is_taken_back(&self, run: &Run) {
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        assert_eq!(self.weight.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn what_a_series_is_born_with_counts() {
    let fleet = Fleet::new(Canary::Burst);
    let run = fleet.start(0);
    fleet.is_taken_back(&run);
    assert!(run.stdout.contains("600 of "), "{}", run.stdout);
}

#[test]
fn pods_that_live_for_one_scrape_count() {
    let fleet = Fleet::new(Canary::ShortLived);
    let run = fleet.start(0);
    fleet.is_taken_back(&run);
}

#[test]
fn a_wrong_clock_is_named_and_corrected() {
    for (skew, words) in [(-20, "20s behind"), (20, "20s ahead of")] {
        let fleet = Fleet::new(Canary::Bad);
        let run = fleet.start(skew);
        fleet.is_taken_back(&run);
        let near = [words.to_owned(), words.replace("20", "19"), words.replace("20", "21")];
        assert!(near.iter().any(|words| run.stderr.contains(words)), "{}", run.stderr);
        assert!(run.stderr.contains("the rollout goes by Prometheus'"), "{}", run.stderr);
    }
    let fleet = Fleet::new(Canary::Good);
    fleet.start(20).expect_code(0);
}

#[test]
fn a_machine_that_slept_looks_before_it_goes_on() {
    let fleet = Fleet::new(Canary::Good);
    let slept = fleet.env.write("slept", "0");
    let mut command = fleet.env.bare(["rollout", "canary", "--image", "game:2", "--yes"]);
    command.env("LD_PRELOAD", library("sleepclock")).env("SLEPT", &slept);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("the first step", LIMIT, || (fleet.weight.load(Ordering::SeqCst) == 50).then_some(()));
    signal(child.id(), "STOP");
    let stopped = Instant::now();
    fleet.bad.store(true, Ordering::SeqCst);
    let failing = "sum(increase(http_requests_total{track=\"canary\",status=\"500\"}[4s]))";
    fleet.prometheus.wait_until(failing, |count| count > 100.0);
    // As long as a machine is asleep, the time that its processes measure stands still.
    until("the end of the sleep", LIMIT, || (stopped.elapsed() > Duration::from_secs(10)).then_some(()));
    fleet.env.write("slept", stopped.elapsed().as_secs().to_string());
    signal(child.id(), "CONT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("this machine slept or its clock was set"), "{said}");
    assert_eq!(fleet.weight.load(Ordering::SeqCst), 0);
}
