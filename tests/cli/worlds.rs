//! Random worlds of both sources: what `status` says of alerts and KPIs, every other command says too.

use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::one_truth::{NOW, evaluates, fired, held, holds};
use crate::support::backends::ages;
use crate::support::{Answer, Run, Stub, TestEnv};

/// Worlds in which `status` and `alerts` are compared, and every so many of them with the other commands, too.
const WORLDS: usize = 500;
const EVERY: usize = 12;

const NAMES: [&str; 4] = ["A", "B", "C", "D"];
const SEVERITIES: [&str; 6] = ["critical", "high", "medium", "warning", "info", "none"];
/// [`NOW`], in seconds since 1970.
const AT: f64 = 1_768_473_000.0;

const CONFIG: &str = "version: 1
environments: { prod: { flags: { url: 'file:flags.json' } } }
services: [ { name: game } ]
kpis: [ { name: k, promql: 'x / y', warn: '> 0.01', critical: '> 0.1' } ]
";

const STATES: [&str; 7] = ["firing", "firing", "pending", "Normal", "NoData", "recovering", "Sleeping"];

fn labels(name: &str, severity: &str, cluster: bool) -> Value {
    let mut labels = json!({"alertname": name, "severity": severity});
    if cluster {
        labels["cluster"] = json!("eu");
    }
    labels
}

/// Two stubs that say what chance has them say, and what was drawn.
struct RandomWorld {
    stubs: [Stub; 2],
    env: TestEnv,
}

impl RandomWorld {
    fn draw(random: &mut Rng) -> Self {
        let stubs = [Stub::new(), Stub::new()];
        let [prometheus, alertmanager] = &stubs;
        let (mut evaluated, mut received) = (Vec::new(), Vec::new());
        for name in NAMES {
            let severity = random.choice(SEVERITIES).unwrap();
            if random.bool() {
                evaluated.push(fired(&labels(name, severity, false), random.choice(STATES).unwrap()));
            }
            // Delivered, from elsewhere, or of the same name with another severity.
            if random.u8(..4) > 0 {
                let other = if random.u8(..6) == 0 { random.choice(SEVERITIES).unwrap() } else { severity };
                let silences: &[&str] = if random.u8(..4) == 0 { &["s-1"] } else { &[] };
                received.push(held(&labels(name, other, random.u8(..4) > 0), silences));
            }
        }
        evaluates(prometheus, &evaluated);
        holds(alertmanager, &received);
        let kpi = random.choice([None, Some(0.0), Some(0.02), Some(0.5)]).unwrap();
        let result =
            kpi.map_or(json!([]), |value| json!([{"metric": {}, "value": [1_768_473_000, value.to_string()]}]));
        let mut body = json!({"status": "success", "data": {"resultType": "vector", "result": result}});
        if random.u8(..6) == 0 {
            body["warnings"] = json!(["store eu-3 is unavailable"]);
        }
        // Fresh, old, or nobody says.
        let newest = random.choice([Some(AT), Some(AT), Some(AT - 600.0), None]).unwrap();
        prometheus.set_fn("POST", "/api/v1/query", move |request| {
            let query = request.param("query").unwrap_or_default();
            ages(&query, AT, |_| newest).unwrap_or_else(|| Answer::json(body.clone()))
        });
        for (odds, stub, method, path) in [
            (12, prometheus, "GET", "/api/v1/alerts"),
            (12, prometheus, "GET", "/api/v1/rules"),
            (12, prometheus, "POST", "/api/v1/query"),
            (8, alertmanager, "GET", "/api/v2/alerts"),
            (12, alertmanager, "GET", "/api/v2/status"),
        ] {
            if random.u8(..odds) == 0 {
                stub.set(method, path, Answer::text("boom").status(500));
            }
        }
        if random.u8(..8) == 0 {
            let metrics = "alertmanager_notifications_total{integration=\"webhook\"} 7\nalertmanager_notifications_failed_total{integration=\"webhook\"} 6\n";
            alertmanager.set("GET", "/metrics", Answer::text(metrics));
        }
        let env = TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada");
        env.write("liveops.yaml", CONFIG);
        env.write("flags.json", r#"{"f": {"enabled": true, "percentage": 0, "defaultValue": true}}"#);
        // One of them may not be there at all.
        let (asked, silent) = (random.u8(..8), "");
        let url = |there: bool, stub: &Stub| if there { stub.url() } else { silent.to_owned() };
        let env = env.var("LIVEOPS_PROMETHEUS", &url(asked != 0, prometheus));
        let env = env.var("LIVEOPS_ALERTMANAGER", &url(asked != 1, alertmanager));
        Self { stubs, env }
    }

    fn json(&self, args: &[&str]) -> (Run, Value) {
        let run = self.env.run(args.iter().chain(&["-o", "json"]));
        let json = serde_json::from_str(&run.stdout).unwrap_or_default();
        (run, json)
    }

    /// Everything that an alert is known by, in one order.
    fn alerts(json: &Value) -> Vec<String> {
        let all = json["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let mut all: Vec<String> =
            all.iter().map(|alert| format!("{} {} {}", alert["labels"], alert["state"], alert["delivery"])).collect();
        all.sort();
        all
    }

    /// Compares them; gives what they disagree in.
    fn disagreement(&self, deep: bool) -> Option<String> {
        let ((status, said), (alerts, listed)) = (self.json(&["status"]), self.json(&["alerts"]));
        let evidence = || {
            format!("{}\n{}{}\n{}{}", self.stubs[0].url(), status.stdout, status.stderr, alerts.stdout, alerts.stderr)
        };
        if Self::alerts(&said) != Self::alerts(&listed) {
            return Some(format!("`status` and `alerts` list other alerts\n{}", evidence()));
        }
        // The worst of what fires and what is measured: 1 bad, 3 unknown, 0 good.
        let worse = |a: i32, b: i32| if a == 1 || b == 1 { 1 } else { a.max(b) };
        let kpi = match said["metrics"]["k"]["level"].as_str() {
            Some("critical") => 1,
            Some("unknown") => 3,
            _ => 0,
        };
        let want = worse(alerts.code, kpi);
        if status.code != want {
            return Some(format!(
                "`status` ends with {}, `alerts` with {}, the KPI {kpi}\n{}",
                status.code,
                alerts.code,
                evidence()
            ));
        }
        // That nothing fires is said where it is known, and nowhere else.
        let screen = self.env.run(["status"]).stdout;
        let none = screen.contains("none firing");
        let quiet = alerts.code == 0 && !Self::alerts(&said).iter().any(|one| one.contains("\"firing\""));
        if none && !quiet {
            return Some(format!("the screen says that none fires\n{screen}\n{}", evidence()));
        }
        let firing = Self::alerts(&said).iter().filter(|one| one.contains("\"firing\"")).count();
        if !deep {
            return None;
        }
        let nagios = self.env.run(["status", "--nagios"]);
        let word = match said["verdict"].as_str() {
            Some("pass") => "OK",
            Some("warn") => "WARNING",
            Some("fail") => "CRITICAL",
            _ => "UNKNOWN",
        };
        if !nagios.stdout.starts_with(&format!("LIVEOPS {word}")) {
            return Some(format!("`--nagios` says {}\n{}", nagios.stdout, evidence()));
        }
        let (query, asked) = self.json(&["query", "--kpi", "k"]);
        let level = |json: &Value| json["metrics"]["k"]["level"].as_str().unwrap_or("unknown").to_owned();
        if level(&asked) != level(&said) && query.code != 2 {
            return Some(format!("`query --kpi` says {}\n{}", query.stdout, evidence()));
        }
        let (_, triage) = self.json(&["triage", "--non-interactive"]);
        let items = triage["data"]["items"].as_array().cloned().unwrap_or_default();
        let item = items.iter().find(|item| item["id"] == "alerts")?;
        let outcome = item["outcome"].as_str().unwrap_or_default();
        let wrong = match (firing > 0, alerts.code) {
            (true, _) => outcome != "suspicious",
            (false, 3) => outcome == "clear",
            (false, _) => outcome == "unknown",
        };
        if wrong {
            return Some(format!("`triage` says {item}\n{}", evidence()));
        }
        let scope = items.iter().find(|item| item["id"] == "impact" || item["id"] == "scope");
        let scope = scope.and_then(|item| item["outcome"].as_str()).unwrap_or_default();
        if (kpi == 1 || kpi == 3) && scope == "clear" {
            return Some(format!("`triage` finds the KPI clear: {triage}\n{}", evidence()));
        }
        if let Some(what) = self.guard_disagrees(&said, kpi, alerts.code) {
            return Some(format!("{what}\n{}", evidence()));
        }
        let opened = self.env.run(["incident", "open", "--sev", "p3", "--title", "x"]);
        let says_none =
            opened.stdout.contains("alerts: none fires\n") || opened.stdout.contains("alerts: nothing fires");
        if says_none && (firing > 0 || alerts.code == 3) {
            return Some(format!("`incident open` says {}\n{}", opened.stdout, evidence()));
        }
        let doctor = self.env.run(["doctor"]).stdout;
        if said["data"]["alerts_faults"].as_array().is_some_and(|faults| !faults.is_empty())
            && doctor.contains("everything is well")
        {
            return Some(format!("`doctor` says {doctor}\n{}", evidence()));
        }
        None
    }

    /// What the guards of a ramp and the gate of a deployment say, against the KPI's level and the alerts.
    fn guard_disagrees(&self, said: &Value, kpi: i32, alerts: i32) -> Option<String> {
        let ramp = ["flag", "ramp", "start", "f", "--steps", "50", "--hold", "5m", "--dry-run", "--yes"];
        let guards = ["--guard", "k < 0.1", "--guard", "alert A"];
        let (run, json) = self.json(&[&ramp[..], &guards].concat());
        let shown = || format!("{}{}", run.stdout, run.stderr);
        let before = json["data"]["result"]["before"].as_array().cloned().unwrap_or_default();
        let outcome = |condition: &str| {
            let found = before.iter().find(|verdict| verdict["condition"] == condition);
            found.and_then(|verdict| verdict["outcome"].as_str()).unwrap_or_default().to_owned()
        };
        let refused = run.code == 4 && run.stderr.contains("`k < 0.1` does not hold");
        match kpi {
            1 if refused => {}
            1 => return Some(format!("the guard lets pass what is critical: {}", shown())),
            _ if refused => return Some(format!("the guard fails what is not critical: {}", shown())),
            0 if said["metrics"]["k"]["value"].is_number() && outcome("k < 0.1") != "pass" => {
                return Some(format!("the guard does not let pass what is well: {}", shown()));
            }
            3 if outcome("k < 0.1") == "pass" => {
                return Some(format!("the guard lets pass what is unknown: {}", shown()));
            }
            _ => {}
        }
        if alerts == 3 && outcome("alert A") == "pass" {
            return Some(format!("the guard says that A does not fire: {}", shown()));
        }
        let (gate, json) = self.json(&["check", "deploy", "game"]);
        let has =
            |list: &str| json["data"][list].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == "D03"));
        if alerts == 3 && !has("unknown") && !has("findings") {
            return Some(format!("`check deploy` finds that nothing fires: {}{}", gate.stdout, gate.stderr));
        }
        None
    }
}

/// `LIVEOPS_TEST_SEED` draws the same worlds again.
#[test]
#[allow(clippy::disallowed_methods, reason = "the seed of a failure comes from outside")]
fn no_command_disagrees_with_another_over_random_worlds() {
    let seed = std::env::var("LIVEOPS_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("LIVEOPS_TEST_SEED={seed}");
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let found: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            loop {
                let world = next.fetch_add(1, Ordering::Relaxed);
                if world >= WORLDS || !found.is_empty() {
                    return found;
                }
                let mut random = Rng::with_seed(seed.wrapping_add(world as u64));
                let drawn = RandomWorld::draw(&mut random);
                found.extend(
                    drawn.disagreement(world.is_multiple_of(EVERY)).map(|what| format!("world {world}: {what}")),
                );
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
