//! `liveops check deploy`: each gate refuses by itself, and who does not answer is unknown.

use crate::support::{Run, TestEnv};

const CONFIG: &str = "version: 1
project: game
environments:
  staging: {}
services:
  - { name: game, health: { url: 'http://127.0.0.1:1' } }
";

fn world(more: &str) -> TestEnv {
    let env = TestEnv::new().now("2026-12-24T12:00:00Z");
    env.write("liveops.yaml", format!("{CONFIG}{more}"));
    env
}

fn check(env: &TestEnv, more: &[&str]) -> Run {
    env.run(["check", "deploy", "game", "-o", "json"].iter().chain(more))
}

fn ids(run: &Run, kind: &str) -> Vec<String> {
    let json = run.json();
    let all = json["data"][kind].as_array().unwrap().iter();
    let mut ids: Vec<String> = all.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    ids.dedup();
    ids
}

#[test]
fn dead_backends_are_unknown_and_never_pass() {
    let env = world("");
    let dead = ["--prometheus", "http://127.0.0.1:1", "--alertmanager", "http://127.0.0.1:1"];
    let run = check(&env, &dead);
    // No way back is known to be bad; the rest is not known.
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(ids(&run, "findings"), ["D05"]);
    assert_eq!(ids(&run, "unknown"), ["D01", "D02", "D03", "D07"]);
    env.write("liveops.waivers.yaml", "- { id: D05, subject: game, owner: ana, reason: by hand, until: 2099-01-01 }\n");
    assert_eq!(check(&env, &dead).code, 0);
    assert_eq!(check(&env, &[&dead[..], &["--strict"]].concat()).code, 3);
}

#[test]
fn an_open_incident_and_a_freeze_refuse_with_the_way_to_waive_them() {
    let freeze = "freezes: [ { reason: holidays, from: 2026-12-20, to: 2027-01-02 }, { reason: other, from: 2026-12-20, to: 2027-01-02, services: [ lobby ] } ]\n";
    let env = world(freeze);
    let run = env.run(["incident", "open", "--sev", "p1", "--title", "Queue stuck", "--service", "game", "--yes"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let run = check(&env, &[]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(ids(&run, "findings"), ["D05", "D08", "D09"]);
    let json = run.json();
    let last = &json["data"]["findings"][2];
    assert!(last["why"].as_str().unwrap().contains("until 2027-01-03 00:00 UTC: holidays"), "{last}");
    assert!(last["fix"].as_str().unwrap().contains("`id: D09, subject: game`"), "{last}");
    let run = env.run(["check", "deploy", "gaem"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("game"), "{}", run.stderr);
}

#[test]
fn freezes_are_read_with_their_faults() {
    let env = world("freezes: [ { reason: r, from: 2026-12-20, to: 2026-12-01 } ]\n");
    let run = check(&env, &[]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("it ends before it begins"), "{}", run.stderr);
}
