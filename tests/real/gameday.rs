//! A game day: the whole way from the page to the postmortem on the demo's service, with real backends, each of them dead
//! in turn, and then all of them; then each hangs, and each is full. Whatever it is, opening, acknowledging, triage and
//! resolving work, and say whom they reached.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::process::{Server, free_port, signal};
use crate::support::pty::Pty;
use crate::support::redis::{cli, server as redis};
use crate::support::{Alertmanager, Answer, Prometheus, Stub, Target, TestEnv, alertmanager};

/// The longest that a step may take with a dead backend: the deadline of a command.
const STEP: Duration = Duration::from_secs(30);

struct World {
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    redis: Server,
    page: Stub,
    pager: Stub,
    service: Option<Pty>,
    port: u16,
}

impl World {
    fn start(env: &TestEnv) -> Self {
        let port = free_port();
        let alertmanager = Alertmanager::start(alertmanager::CONFIG);
        let target = Target::new("game-servers", port).path("/api/health/metrics");
        let world = Self {
            prometheus: Prometheus::start(&[target], "", None, "1s"),
            alertmanager,
            redis: redis(""),
            pager: Stub::new().on("POST", "/v2/enqueue", taken()),
            page: Stub::new().on("GET", "/", Answer::json(serde_json::json!({"status": {"indicator": "none"}}))),
            service: Some(service(env, port)),
            port,
        };
        world.prometheus.wait_until("count(rate(game_purchases_total[1m]))", |count| count > 0.0);
        world
    }

    fn config(&self) -> String {
        format!(
            "version: 1\ndefault_env: staging\nenvironments:\n  staging:\n    prometheus: {{ url: '{}' }}\n    alertmanager: {{ url: '{}' }}\n    flags: {{ url: 'redis://127.0.0.1:{}/0' }}\nservices:\n  - {{ name: game-backend, health: {{ url: 'http://127.0.0.1:{port}' }}, metrics: ['http://127.0.0.1:{port}/api/health/metrics'] }}\nkpis:\n  - {{ name: active_players, gauge: game_active_players, by: region }}\n  - {{ name: purchases, rate: {{ of: game_purchases_total, window: 1m }} }}\ndependencies: [{{ name: status-page, url: '{}' }}]\ncall_timeout: 2s\nnotify:\n  channels:\n    - {{ name: oncall, type: pagerduty, url: '{}', routing_key: '${{KEY}}' }}\n",
            self.prometheus.url(),
            self.alertmanager.url(),
            self.redis.port(),
            self.page.url(),
            self.pager.url(),
            port = self.port,
        )
    }
}

fn taken() -> Answer {
    Answer::json(serde_json::json!({"status": "success"})).status(202)
}

/// A person at work, with a pager.
fn person() -> TestEnv {
    TestEnv::new().var("LIVEOPS_ACTOR", "ada").var("KEY", "k-1")
}

/// Opens, acknowledges, triages and resolves, each within the deadline; `paged` says whether the page can get through.
fn short_day(env: &TestEnv, what: &str, paged: bool) {
    let step = |args: &[&str], codes: &[i32]| {
        let began = Instant::now();
        let run = env.run(args);
        let all = format!("{}\n{}", run.stdout, run.stderr);
        assert!(codes.contains(&run.code), "{what}: {args:?} ends with {}\n{all}", run.code);
        assert!(began.elapsed() < STEP, "{what}: {args:?} takes too long");
        all
    };
    let opened = step(&["incident", "open", "--sev", "p1", "--title", what, "--service", "game-backend"], &[0, 5]);
    assert_eq!(opened.contains("NOBODY WAS PAGED"), !paged, "{what}: {opened}");
    assert!(opened.contains("oncall"), "{what}: whom it reached, or did not: {opened}");
    let acked = step(&["incident", "ack", "-i", what], &[0, 5]);
    assert!(acked.contains("acknowledged by ada"), "{what}: {acked}");
    let triage = step(&["triage", "--non-interactive", "--incident", what], &[0, 1, 3, 5]);
    assert!(!triage.trim().is_empty(), "{what}");
    let resolved = step(&["incident", "resolve", "over", "-i", what], &[0, 5]);
    assert!(resolved.contains("resolved"), "{what}: {resolved}");
}

fn service(env: &TestEnv, port: u16) -> Pty {
    let mut demo = env.pty(["demo", "--keep", "--port", &port.to_string()]);
    demo.expect("until Ctrl-C");
    demo
}

/// From the page to the postmortem; returns what triage found, by item.
fn day(env: &TestEnv, dead: &str) -> Value {
    let step = |args: &[&str], codes: &[i32]| {
        let began = Instant::now();
        let run = env.run(args);
        assert!(
            codes.contains(&run.code),
            "{dead} is dead: {args:?} ends with {}\n{}\n{}",
            run.code,
            run.stdout,
            run.stderr
        );
        assert!(began.elapsed() < STEP, "{dead} is dead: {args:?} takes too long");
        run
    };
    step(&["incident", "open", "--sev", "p1", "--title", dead, "--service", "game-backend"], &[0]);
    step(&["incident", "ack"], &[0]);
    let triage = step(&["triage", "--non-interactive", "-o", "json"], &[0, 1, 3]).json();
    assert_eq!(triage["data"]["items"].as_array().unwrap().len(), 9);
    // What is proposed runs as it stands; what nobody knows is not proposed.
    let proposed = triage["data"]["mitigations"].to_string();
    assert!(!proposed.contains("--replicas N"), "{proposed}");
    step(&["incident", "mitigate", "waited"], &[0]);
    step(&["incident", "resolve", "over"], &[0]);
    let written = step(&["postmortem", "new", dead, "-o", "json"], &[0]).json();
    let impact = written["data"]["impact"].as_array().unwrap();
    for measure in impact {
        assert_eq!(measure["known"], !measure["amount"].is_null(), "{measure}");
    }
    // Only what people know is left to fill in.
    let check = step(&["postmortem", "check", dead, "-o", "json"], &[1]).json();
    for finding in check["data"]["findings"].as_array().unwrap() {
        assert!(
            ["to_fill_in", "no_owner", "no_date"].contains(&finding["kind"].as_str().unwrap()),
            "{dead} is dead: {finding}"
        );
    }
    let timeline = step(&["incident", "timeline", dead, "-o", "json"], &[0]).json();
    let kinds: Vec<&str> =
        timeline["data"]["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    for kind in ["incident.opened", "incident.acked", "incident.mitigated", "incident.resolved"] {
        assert_eq!(kinds.iter().filter(|one| **one == kind).count(), 1, "{dead}: {kinds:?}");
    }
    assert_eq!(timeline["data"]["faults"], serde_json::json!([]));
    triage["data"]["items"].clone()
}

fn outcome(items: &Value, id: &str) -> String {
    let all = items.as_array().unwrap();
    let item = all.iter().find(|item| item["id"] == id).unwrap();
    item["outcome"].as_str().unwrap().to_owned()
}

#[test]
fn a_day_with_each_dependency_dead_in_turn() {
    let env = person();
    let mut world = World::start(&env);
    env.write("liveops.yaml", world.config());

    let items = day(&env, "nothing");
    for (id, want) in [("impact", "clear"), ("dependencies", "clear"), ("targets", "clear")] {
        assert_eq!(outcome(&items, id), want, "{items:#}");
    }

    world.prometheus.server.kill();
    let items = day(&env, "prometheus");
    assert_eq!(outcome(&items, "targets"), "unknown", "{items:#}");
    assert_eq!(outcome(&items, "impact"), "clear", "the service is asked itself: {items:#}");
    world.prometheus.server.restart();

    world.alertmanager.server.kill();
    day(&env, "alertmanager");
    world.alertmanager.server.restart();

    world.redis.kill();
    let items = day(&env, "redis");
    assert_eq!(outcome(&items, "flags"), "unknown", "{items:#}");
    world.redis.restart();

    if let Some(mut demo) = world.service.take() {
        demo.interrupt();
        demo.wait();
    }
    let items = day(&env, "service");
    assert_eq!(outcome(&items, "targets"), "suspicious", "{items:#}");

    world.prometheus.server.kill();
    world.alertmanager.server.kill();
    world.redis.kill();
    let items = day(&env, "everything");
    assert_eq!(outcome(&items, "impact"), "unknown", "{items:#}");
    let status = env.run(["status", "-o", "json"]);
    assert_ne!(status.code, 0, "what is not known is never green");
}

#[test]
fn each_dependency_hangs_in_turn_and_the_person_gets_through() {
    let env = person();
    let world = World::start(&env);
    env.write("liveops.yaml", world.config());

    for (what, server) in [
        ("prometheus-hangs", &world.prometheus.server),
        ("alertmanager-hangs", &world.alertmanager.server),
        ("redis-hangs", &world.redis),
    ] {
        server.hang();
        short_day(&env, what, true);
        server.go_on();
    }
    let demo = world.service.as_ref().expect("the demo runs").pid();
    signal(demo, "STOP");
    short_day(&env, "service-hangs", true);
    signal(demo, "CONT");

    world.pager.set("POST", "/v2/enqueue", taken().after(Duration::from_secs(60)));
    short_day(&env, "pager-hangs", false);
}

#[test]
fn each_dependency_is_full_in_turn_and_the_person_gets_through() {
    let env = person();
    let world = World::start(&env);
    env.write("liveops.yaml", world.config());

    cli(world.redis.port(), &["config", "set", "maxmemory", "1"]);
    short_day(&env, "redis-is-full", true);
    cli(world.redis.port(), &["config", "set", "maxmemory", "0"]);

    let busy = Answer::text("slow down").status(429).header("Retry-After", "30");
    world.pager.set("POST", "/v2/enqueue", busy);
    short_day(&env, "pager-is-full", false);
    world.pager.set("POST", "/v2/enqueue", taken());

    // No byte gets into any file: the page goes out, and what could not be kept is said with what to type later.
    let pages = world.pager.requests().len();
    let (code, said) = env.limited(0, &["incident", "open", "--sev", "p1", "--title", "disk is full"]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("NOT IN THE JOURNAL") && said.contains("liveops incident open --sev p1"), "{said}");
    assert_eq!(world.pager.requests().len(), pages + 1, "{said}");
    env.run(["incident", "open", "--sev", "p1", "--title", "before the disk is full"]).expect_code(0);
    for args in [&["incident", "ack"][..], &["incident", "resolve", "over"]] {
        let (code, said) = env.limited(0, args);
        assert_eq!(code, 5, "{args:?}: {said}");
        assert!(said.contains("NOT IN THE JOURNAL"), "{args:?}: {said}");
    }
    let (code, said) = env.limited(0, &["triage", "--non-interactive"]);
    assert!([0, 1, 3, 5].contains(&code), "{said}");
}
