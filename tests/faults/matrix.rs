//! The fault matrix of `status` and `health`, walked from [`Fault::ALL`]: one test a backend, cases side by side.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::backends::Backends;
use crate::support::fault::{Backend, Fault, FaultServer, serve};
use crate::support::run::Run;
use crate::support::{Stub, TestEnv};

/// Bound on one call, so that silence costs little.
const CALL: &str = "call_timeout: 700ms\n";
/// A call, its second try, the second scrape, and a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(6);
/// Cases at the same time; they wait more than they compute.
const AT_ONCE: usize = 8;

/// Runs every fault that the backend can have, and reports all failures together.
fn walk(kind: Backend, case: impl Fn(Fault) -> Result<(), String> + Sync) {
    let queue = Mutex::new(Fault::ALL.iter().copied().filter(|fault| fault.applies_to(kind)).collect::<Vec<_>>());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(fault) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    if let Err(why) = case(fault) {
                        failures.lock().unwrap().push(format!("{kind:?} {fault}: {why}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}

/// What holds in every case: an end in time, no panic, and one JSON document.
fn sound(run: &Run, code: i32) -> Result<Value, String> {
    let all = format!("\n--- stdout\n{}\n--- stderr\n{}", run.stdout, run.stderr);
    ensure!(run.took < DEADLINE, "took {:?}{all}", run.took);
    ensure!(!run.stderr.contains("panicked"), "panics{all}");
    ensure!(run.code == code, "exit code {} instead of {code}{all}", run.code);
    serde_json::from_str(&run.stdout).map_err(|error| format!("not JSON: {error}{all}"))
}

fn source<'a>(report: &'a Value, name: &str) -> Result<&'a Value, String> {
    let sources = report["sources"].as_array().ok_or("no sources")?;
    let found = sources.iter().find(|source| source["name"] == name);
    found.ok_or_else(|| format!("no source `{name}` in {}", report["sources"]))
}

fn down_with_a_reason(report: &Value, name: &str) -> Result<(), String> {
    let source = source(report, name)?;
    ensure!(source["state"] == "down", "{source}");
    ensure!(source["error"].as_str().is_some_and(|error| error.len() > 8), "no reason: {source}");
    Ok(())
}

fn is_17(report: &Value, origin: &str) -> Result<(), String> {
    let kpi = &report["metrics"]["players"];
    ensure!(kpi["value"] == 17.0 && kpi["source"] == origin && kpi["level"] == "ok", "{kpi}");
    Ok(())
}

fn is_unknown_with_a_reason(report: &Value) -> Result<(), String> {
    let kpi = &report["metrics"]["players"];
    ensure!(kpi["level"] == "unknown", "{kpi}");
    ensure!(kpi["value"].is_null(), "{kpi}");
    ensure!(kpi["reason"].as_str().is_some_and(|reason| reason.len() > 8), "no reason: {kpi}");
    Ok(())
}

fn service_is(report: &Value, state: &str) -> Result<(), String> {
    let service = &report["data"]["services"][0];
    ensure!(service["state"] == state, "{service}");
    ensure!(service["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "no detail: {service}");
    Ok(())
}

fn run(config: &str, args: &[&str]) -> Run {
    let env = TestEnv::new();
    env.write("liveops.yaml", format!("{CALL}{config}"));
    env.run(args)
}

/// `status -o json` with one backend's URL replaced by the broken one's.
fn status(backends: &Backends, broken: &Stub, server: &FaultServer) -> Run {
    let config = backends.config("- { name: players, gauge: game_active_players }").replace(&broken.url(), &server.url);
    run(&config, &["status", "-o", "json"])
}

#[test]
fn prometheus() {
    let backends = Backends::start();
    walk(Backend::Prometheus, |fault| {
        let server = serve(fault, Backend::Prometheus);
        let clock_only = matches!(fault, Fault::ClockAhead | Fault::ClockBehind);
        let run = status(&backends, &backends.prometheus, &server);
        // The alert that its rules fire is critical, whatever its samples and its clock say.
        let samples = matches!(fault, Fault::NotANumber | Fault::Infinite | Fault::StaleSamples | Fault::TwoSeries);
        let report = sound(&run, if clock_only || samples { 1 } else { 3 })?;
        service_is(&report, "healthy")?;
        ensure!(source(&report, "alertmanager")?["state"] == "ok", "{}", report["sources"]);
        if fault.is_outage() {
            down_with_a_reason(&report, "prometheus")?;
            is_17(&report, "scrape")
        } else if clock_only {
            is_17(&report, "prometheus")
        } else {
            is_unknown_with_a_reason(&report)
        }
    });
}

#[test]
fn alertmanager() {
    let backends = Backends::start();
    walk(Backend::Alertmanager, |fault| {
        let server = serve(fault, Backend::Alertmanager);
        let code = match fault {
            Fault::EmptyResult => 0,
            // The alert that it holds is critical, and reaches the screen.
            Fault::StaleSamples | Fault::ClockAhead | Fault::ClockBehind => 1,
            _ => 3,
        };
        let report = sound(&status(&backends, &backends.alertmanager, &server), code)?;
        service_is(&report, "healthy")?;
        is_17(&report, "prometheus")?;
        let alerts = report["data"]["alerts"].as_array().map_or(0, Vec::len);
        // One of another shape is an alert of which nothing is known.
        let is_odd = fault == Fault::WrongTypes;
        ensure!(alerts == usize::from(code == 1 || is_odd), "{}", report["data"]["alerts"]);
        if fault.is_outage() && !is_odd {
            down_with_a_reason(&report, "alertmanager")?;
        }
        Ok(())
    });
}

/// What the health API's fault makes of the service, and the exit code with it.
fn health_state(fault: Fault) -> (&'static str, i32) {
    match fault {
        // The machine itself says that nothing is there, or the service that it is broken.
        Fault::Refused | Fault::Status(500 | 503) => ("down", 1),
        Fault::StaleSamples | Fault::ClockAhead | Fault::ClockBehind => ("healthy", 0),
        _ => ("unknown", 3),
    }
}

#[test]
fn health_in_status() {
    let backends = Backends::start();
    walk(Backend::Health, |fault| {
        let server = serve(fault, Backend::Health);
        let (state, code) = health_state(fault);
        let config = backends.config("- { name: players, gauge: game_active_players }").replace(
            &format!("health: {{ url: \"{}\"", backends.service.url()),
            &format!("health: {{ url: \"{}\"", server.url),
        );
        let report = sound(&run(&config, &["status", "-o", "json"]), code)?;
        service_is(&report, state)?;
        is_17(&report, "prometheus")?;
        ensure!(source(&report, "alertmanager")?["state"] == "ok", "{}", report["sources"]);
        Ok(())
    });
}

#[test]
fn health_alone() {
    walk(Backend::Health, |fault| {
        let server = serve(fault, Backend::Health);
        let (state, code) = health_state(fault);
        let config = format!("version: 1\nservices: [ {{ name: game, health: {{ url: \"{}\" }} }} ]\n", server.url);
        let report = sound(&run(&config, &["health", "-o", "json"]), code)?;
        service_is(&report, state)?;
        let table = run(&config, &["health"]);
        ensure!(table.code == code, "the table exits with {}", table.code);
        if state != "healthy" {
            let endpoint = &server.endpoint;
            ensure!(table.stdout.contains(endpoint.as_str()), "`{endpoint}` is not named\n{}", table.stdout);
            let next = format!("next: curl -v {}", server.url);
            ensure!(table.stdout.contains(&next), "no `{next}`\n{}", table.stdout);
        }
        Ok(())
    });
}

#[test]
fn metrics() {
    let backends = Backends::start();
    walk(Backend::Metrics, |fault| {
        let server = serve(fault, Backend::Metrics);
        let config = backends
            .scrape_config("- { name: players, gauge: game_active_players }")
            .replace(&format!("{}/api/health/metrics", backends.service.url()), &format!("{}/metrics", server.url));
        let known = matches!(fault, Fault::TwoSeries | Fault::ClockAhead | Fault::ClockBehind);
        let report = sound(&run(&config, &["status", "-o", "json"]), if known { 0 } else { 3 })?;
        service_is(&report, "healthy")?;
        if known {
            is_17(&report, "scrape")?;
        } else {
            is_unknown_with_a_reason(&report)?;
        }
        if fault.is_outage() {
            down_with_a_reason(&report, "game-backend metrics")?;
        }
        Ok(())
    });
}

#[test]
fn metrics_alone() {
    walk(Backend::Metrics, |fault| {
        let server = serve(fault, Backend::Metrics);
        let config = format!("version: 1\nservices: [ {{ name: game, metrics: [ \"{}/metrics\" ] }} ]\n", server.url);
        let report = sound(&run(&config, &["health", "metrics", "-o", "json"]), if fault.is_outage() { 3 } else { 0 })?;
        if fault.is_outage() {
            down_with_a_reason(&report, "game metrics")?;
        }
        Ok(())
    });
}

/// Everything at once is broken in the same way: the worst night.
#[test]
fn everything_at_once() {
    walk(Backend::Prometheus, |fault| {
        if !fault.is_outage() {
            return Ok(());
        }
        let servers = Backend::ALL.iter().map(|kind| serve(fault, *kind)).collect::<Vec<_>>();
        let [prometheus, alertmanager, health, metrics] = servers.as_slice() else {
            return Err("four backends".into());
        };
        let config = format!(
            "version: 1\nenvironments: {{ x: {{ prometheus: \"{}\", alertmanager: \"{}\" }} }}\nservices: [ {{ name: game, health: {{ url: \"{}\" }}, metrics: [ \"{}/metrics\" ] }} ]\n\
             kpis: [ {{ name: players, gauge: game_active_players }} ]\n",
            prometheus.url, alertmanager.url, health.url, metrics.url
        );
        let code = health_state(fault).1;
        let report = sound(&run(&config, &["status", "-o", "json"]), code)?;
        ensure!(report["status"] == "error" || code == 1 || !matches!(fault, Fault::Refused), "{}", report["status"]);
        for name in ["prometheus", "alertmanager", "game metrics"] {
            // A list of odd alerts is an answer: of them nothing is known.
            if name != "alertmanager" || fault != Fault::WrongTypes {
                down_with_a_reason(&report, name)?;
            }
        }
        is_unknown_with_a_reason(&report)?;
        let table = run(&config, &["status"]);
        ensure!(table.code == code && !table.stdout.contains("panicked"), "{}", table.stdout);
        ensure!(table.stdout.contains("next: liveops "), "no next command\n{}", table.stdout);
        // What is down comes before the monitoring of it.
        let steps = report["recommendations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let doctor =
            steps.iter().any(|step| step["command"].as_str().is_some_and(|line| line.starts_with("liveops doctor")));
        ensure!(doctor || fault == Fault::WrongTypes, "no way to the doctor: {steps:?}");
        Ok(())
    });
}

/// Objectives on a Prometheus that fails in every way: not known, and never within budget.
#[test]
fn slo() {
    walk(Backend::Prometheus, |fault| {
        let server = serve(fault, Backend::Prometheus);
        let config = format!(
            "version: 1\nenvironments: {{ x: {{ prometheus: \"{}\" }} }}\nslos: [{{ name: api, objective: 99.9%, ratio: {{ bad: e, total: t }} }}]\n",
            server.url
        );
        for args in [
            ["slo", "status", "-o", "json"].as_slice(),
            &["slo", "check", "-o", "json"],
            &["slo", "budget", "-o", "json"],
            &["slo", "simulate", "-o", "json"],
        ] {
            // A replayed month is a month, though its end is minutes off; whether so long an answer comes in time is chance.
            let is_a_month = matches!(fault, Fault::ClockAhead | Fault::ClockBehind | Fault::StaleSamples);
            if args[1] == "simulate" && is_a_month {
                continue;
            }
            let run = run(&config, args);
            let report = sound(&run, 3)?;
            ensure!(report["verdict"] == "unknown", "{}: {}", args[1], report["verdict"]);
            let one = if args[1] == "budget" { &report["data"] } else { &report["data"]["slos"][0] };
            let said = one["reason"].as_str().or(one["why"].as_str());
            ensure!(said.is_some_and(|reason| reason.len() > 5), "{}: no reason: {one}", args[1]);
        }
        Ok(())
    });
}

/// The week's report is written without Prometheus, and says what is missing.
#[test]
fn report_weekly() {
    walk(Backend::Prometheus, |fault| {
        if !fault.is_outage() {
            return Ok(());
        }
        let server = serve(fault, Backend::Prometheus);
        let config = format!(
            "version: 1\nenvironments: {{ x: {{ prometheus: \"{}\" }} }}\nslos: [{{ name: api, objective: 99.9%, ratio: {{ bad: e, total: t }} }}]\n",
            server.url
        );
        let report = sound(&run(&config, &["report", "weekly", "-o", "json"]), 0)?;
        ensure!(report["verdict"] == "unknown", "{}", report["verdict"]);
        ensure!(report["data"]["unknowns"].as_array().is_some_and(|all| !all.is_empty()), "{}", report["data"]);
        let screen = run(&config, &["report", "weekly"]).stdout;
        ensure!(screen.contains("0 of 1 SLO measured"), "{screen}");
        ensure!(!screen.contains("SLO api: "), "a reason stands there twice: {screen}");
        Ok(())
    });
}

const RULES: &str = "groups: [{name: g, rules: [{alert: Slow, expr: game_active_players > 9, for: 5m, labels: {severity: critical, team: a}, annotations: {summary: s, runbook_url: 'https://wiki.example/x'}}]}]\n";

/// A gate on a backend that gives no answer, in every way: what it would have told is unknown, and nothing passes.
fn gates(kind: Backend, verbs: &[&[&str]]) {
    let backends = Backends::start();
    walk(kind, |fault| {
        // Odd values and clocks are answers.
        let is_answer = matches!(
            fault,
            Fault::NotANumber
                | Fault::Infinite
                | Fault::StaleSamples
                | Fault::TwoSeries
                | Fault::ClockAhead
                | Fault::ClockBehind
        );
        let is_empty = fault == Fault::EmptyResult;
        if is_answer || (is_empty && kind == Backend::Alertmanager) {
            return Ok(());
        }
        let server = serve(fault, kind);
        let good = match kind {
            Backend::Prometheus => backends.prometheus.url(),
            _ => backends.alertmanager.url(),
        };
        let config = backends.config("").replace(&good, &server.url)
            + "security: { signals: [ { name: logins, promql: 'rate(failed_logins_total[5m])', limit: 10 } ] }\nbackups: [ { name: orders, service: game-backend, source: { kind: metrics, last_success: backup_last_success } } ]\n";
        for args in verbs {
            let env = TestEnv::new();
            env.write("liveops.yaml", format!("{CALL}{config}"));
            env.write("rules.yml", RULES);
            env.write(
                "game.yml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: game-backend }\nspec: { selector: { matchLabels: { app: a } }, template: { metadata: { labels: { app: a } }, spec: { containers: [ { name: a, image: a:1 } ] } } }\n",
            );
            env.write(
                "liveops.waivers.yaml",
                "- { id: D05, subject: game-backend, owner: a, reason: by hand, until: 2099-01-01 }\n",
            );
            // That there is nothing may be told, and is then unknown for another reason than an outage.
            let strict = if is_empty { &["--strict"][..] } else { &[] };
            let run = env.run(args.iter().chain(&["-o", "json"]).chain(strict));
            let report = sound(&run, run.code)?;
            ensure!(run.code == 1 || run.code == 3, "{args:?} ends with {}\n{}{}", run.code, run.stdout, run.stderr);
            ensure!(report["verdict"] != "pass", "{args:?} passes\n{}", run.stdout);
            let unknown = report["data"]["unknown"].as_array().ok_or("no list of what is unknown")?;
            let is_told = is_empty || args[0] == "doctor";
            ensure!(is_told || !unknown.is_empty(), "{args:?}: nothing is unknown\n{}", run.stdout);
        }
        Ok(())
    });
}

#[test]
fn gates_of_prometheus() {
    gates(
        Backend::Prometheus,
        &[
            &["check", "alerts", "rules.yml", "--live"],
            &["check", "alerts", "--live"],
            &["check", "deploy", "game-backend"],
            &["check", "readiness", "game-backend", "--manifests", "game.yml"],
            &["check", "runbooks"],
            &["check", "backups"],
            &["check", "security"],
            &["doctor"],
        ],
    );
}

#[test]
fn gates_of_alertmanager() {
    gates(Backend::Alertmanager, &[&["check", "deploy", "game-backend"], &["check", "alerts", "rules.yml", "--live"]]);
}
