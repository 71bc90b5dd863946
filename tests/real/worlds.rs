//! Random worlds on a real Prometheus and a real Alertmanager, looked at while they move: `status` and `alerts` agree.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::{Alertmanager, Exporter, Prometheus, TestEnv, alertmanager, http};

const WORLDS: usize = 24;

/// Looks at one world; both sources move on meanwhile, so that only what frames the other counts.
const TRIES: usize = 20;

const RULES: &str = r#"
groups:
  - name: worlds
    rules:
      - { alert: A, expr: world_a > 0, labels: { severity: critical } }
      - { alert: B, expr: world_b > 0, labels: { severity: high } }
      - { alert: C, expr: world_c > 0, for: 2s, labels: { severity: medium } }
      - { alert: D, expr: world_d > 0, labels: { severity: info } }
"#;

fn exposition(world: usize, random: &mut Rng) -> String {
    let mut text = format!("world {world}\n");
    for name in ["a", "b", "c", "d"] {
        text.push_str(&format!("world_{name} {}\n", u8::from(random.u8(..3) > 0)));
    }
    text
}

fn alerts(json: &Value) -> Vec<String> {
    let all = json["data"]["alerts"].as_array().expect("alerts");
    let mut all: Vec<String> =
        all.iter().map(|alert| format!("{} {} {}", alert["labels"], alert["state"], alert["delivery"])).collect();
    all.sort();
    all
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the seed of a failure comes from outside")]
fn status_and_alerts_agree_over_random_worlds_of_the_real_pair() {
    let seed = std::env::var("LIVEOPS_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("LIVEOPS_TEST_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let exporter = Exporter::new("world 0\n");
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    let prometheus = Prometheus::start(&[exporter.target("game")], RULES, Some(alertmanager.server.port()), "1s");
    let env =
        TestEnv::new().var("LIVEOPS_PROMETHEUS", &prometheus.url()).var("LIVEOPS_ALERTMANAGER", &alertmanager.url());
    for world in 1..=WORLDS {
        exporter.set(&exposition(world, &mut random));
        let now = chrono::Utc::now();
        let name = random.choice(["A", "B", "C", "D"]).expect("one");
        match random.u8(..4) {
            // Kept quiet for some seconds.
            0 => {
                let silence = json!({
                    "matchers": [{"name": "alertname", "value": name, "isRegex": false, "isEqual": true}],
                    "startsAt": now, "endsAt": now + chrono::TimeDelta::seconds(3), "createdBy": "t", "comment": "t",
                });
                let answer = http::post_json(alertmanager.server.port(), "/api/v2/silences", &silence);
                assert_eq!(answer.expect("alertmanager answers").status, 200);
            }
            // From somebody else, with an instance that no rule has.
            1 => alertmanager.post_alerts(&json!([{
                "labels": {"alertname": name, "severity": "critical", "instance": "elsewhere"},
                "endsAt": now + chrono::TimeDelta::seconds(4),
            }])),
            _ => {}
        }
        prometheus.wait_until("world", |seen| seen == world as f64);
        let look = |command: &str| {
            let run = env.run([command, "-o", "json"]);
            (run.code, alerts(&run.json()))
        };
        let mut before = look("status");
        let agreed = (0..TRIES).any(|_| {
            let listed = look("alerts");
            let after = look("status");
            let stood_still = before == after;
            if stood_still {
                assert_eq!(listed.1, after.1, "world {world}");
                assert_eq!(listed.0, after.0, "world {world}: exit codes, {:?}", listed.1);
            }
            before = after;
            stood_still
        });
        assert!(agreed, "world {world} never stood still");
    }
}
