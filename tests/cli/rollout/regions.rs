//! One rollout over several regions: waves, what goes back with a bad one, and what a crash in the middle leaves.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::world::{LIMIT, RULES, Seen, State, lock, side};
use crate::support::process::signal;
use crate::support::{Stub, TestEnv, until};

pub(super) const NAMES: [&str; 3] = ["eu", "us", "asia"];

pub(super) struct Regions {
    pub(super) env: TestEnv,
    states: BTreeMap<&'static str, Arc<Mutex<State>>>,
    _stubs: Vec<Stub>,
}

impl Regions {
    /// Each with its balancer and its Prometheus; `seen` in eu, us, asia.
    pub(super) fn new(seen: [Seen; 3], rules: &str) -> Self {
        let mut states = BTreeMap::new();
        let mut stubs = Vec::new();
        let mut regions = String::new();
        for (name, seen) in NAMES.into_iter().zip(seen) {
            let (state, balancer, backend) = side(seen);
            regions += &format!(
                "      {name}: {{ prometheus: {{ url: '{}' }}, services: {{ game: {{ rollout: {{ traffic: {{ url: '{}/weight' }} }} }} }} }}\n",
                backend.url(),
                balancer.url()
            );
            states.insert(name, state);
            stubs.extend([balancer, backend]);
        }
        let env = TestEnv::new();
        env.write(
            "liveops.yaml",
            format!(
                "version: 1
default_env: test
environments:
  test:
    regions:
{regions}services:
  - name: game
    rollout:
      policy: fast
      traffic: {{ kind: http, url: 'http://127.0.0.1:1/weight' }}
      metrics:
        errors: {{ ratio: {{ of: 'http_requests_total{{status=~\"5..\"}}', to: http_requests_total }} }}
policies:
  fast:
{rules}"
            ),
        );
        Self { env, states, _stubs: stubs }
    }

    pub(super) fn args(more: &[&'static str]) -> Vec<&'static str> {
        let args = ["rollout", "canary", "--image", "game:2", "--yes", "--regions", "eu,us,asia", "--wave", "1,2"];
        args.iter().chain(more).copied().collect()
    }

    pub(super) fn weight(&self, region: &str) -> f64 {
        lock(&self.states[region]).weight
    }

    pub(super) fn weights(&self, region: &str) -> Vec<f64> {
        lock(&self.states[region]).weights.clone()
    }

    pub(super) fn stable(&self, region: &str) -> String {
        lock(&self.states[region]).stable.clone()
    }

    pub(super) fn begun(&self, region: &str) -> bool {
        !lock(&self.states[region]).weights.is_empty()
    }

    pub(super) fn set(&self, region: &str, seen: Seen) {
        lock(&self.states[region]).seen = seen;
    }

    /// Begins one, and leaves it running.
    pub(super) fn spawn(&self, args: &[&'static str]) -> Child {
        let mut command = self.env.bare(args);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What `rollout status` says of the region.
    pub(super) fn row(&self, region: &str) -> Value {
        let json = self.env.run(["rollout", "status", "-o", "json"]).json();
        let rows = json["data"]["rollouts"].as_array().unwrap();
        let found = rows.iter().find(|row| row["region"] == region);
        found.cloned().unwrap_or_default()
    }

    /// Waits until it is at this phase there.
    #[track_caller]
    pub(super) fn until_phase(&self, region: &str, phase: &str) {
        until(format!("{region} {phase}"), LIMIT, || (self.row(region)["phase"] == phase).then_some(()));
    }

    /// The phase of each region that has one.
    pub(super) fn phases(&self) -> BTreeMap<String, String> {
        let run = self.env.run(["rollout", "status", "-o", "json"]);
        let rows = run.json()["data"]["rollouts"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.iter().map(|row| (text(&row["region"]), text(&row["phase"]))).collect()
    }

    /// Killed while it waits for evidence in the second wave.
    pub(super) fn killed(rules: &str) -> Self {
        let world = Self::new([Seen::Good, Seen::Nothing, Seen::Good], rules);
        let mut command =
            world.env.bare(["rollout", "canary", "--image", "game:2", "--yes", "--regions", "eu,us,asia"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the second region", LIMIT, || (world.weight("us") > 0.0).then_some(()));
        if rules == RULES {
            world.until_phase("eu", "succeeded");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        world
    }
}

#[test]
fn good_regions_are_promoted_wave_by_wave_and_undone_as_one() {
    let world = Regions::new([Seen::Good; 3], RULES);
    let plan = world
        .env
        .run(["rollout", "plan", "--image", "game:2", "--regions", "eu,us,asia", "--wave", "1,2"])
        .expect_code(0);
    for want in ["eu", "us", "asia", "20% 60% 100%", "req/s at 20%", "takes its wave back", "--wave 1,2"] {
        assert!(plan.stdout.contains(want), "{want}: {}", plan.stdout);
    }
    assert!(!world.begun("eu"), "a plan changes nothing");
    // As soon as another one begins, the one before must be promoted.
    let run = world.env.run(Regions::args(&[])).expect_code(0);
    let at = |text: &str| run.stdout.find(text).unwrap_or_else(|| panic!("{text}: {}", run.stdout));
    assert!(at(" eu 100% promoted") < at(" us   0% begun"), "{}", run.stdout);
    for region in NAMES {
        assert_eq!(world.stable(region), "game:2", "{region}");
        assert_eq!(world.phases()[region], "succeeded", "{region}");
    }
    let history = world.env.run(["rollout", "history"]).expect_code(0);
    assert!(history.stdout.contains(" asia "), "{}", history.stdout);
    let again = world.env.run(["rollout", "abort", "--yes"]).expect_code(4);
    assert!(again.stderr.contains("rollout undo game"), "{}", again.stderr);
    world.env.run(["undo", "--yes"]).expect_code(0);
    for region in NAMES {
        assert_eq!(world.stable(region), "game:1", "{region}");
        assert_eq!(world.phases()[region], "rolled_back", "{region}");
    }
    let twice = world.env.run(["rollout", "undo", "--yes"]).expect_code(0);
    assert!(twice.stdout.contains("nothing to do"), "{}", twice.stdout);
}

#[test]
fn a_bad_region_stops_the_rest_and_takes_back_what_the_policy_says() {
    for (policy, eu, asia) in
        [("region", "window", "window"), ("wave", "window", "rolled_back"), ("all", "rolled_back", "rolled_back")]
    {
        let rules = RULES.replace("rollback_window: 100ms", "rollback_window: 60s");
        let rules = format!("{rules}    on_region_failure: {policy}\n");
        let world = Regions::new([Seen::Good, Seen::Bad, Seen::Good], &rules);
        let run = world.env.run(Regions::args(&["--until", "promoted"])).expect_code(1);
        let phases = world.phases();
        assert_eq!(phases["us"], "rolled_back", "{policy}: {}", run.stdout);
        assert_eq!(phases["eu"], eu, "{policy}: {}", run.stdout);
        assert_eq!(phases["asia"], asia, "{policy}: {}", run.stdout);
        for (region, phase) in &phases {
            let weight = if phase == "window" { 100.0 } else { 0.0 };
            assert_eq!(world.weight(region), weight, "{policy} {region}");
        }
        if policy != "region" {
            assert!(run.stdout.contains("because of us"), "{}", run.stdout);
        }
    }
    // One at a time: what comes after the bad one never begins.
    let world = Regions::new([Seen::Bad, Seen::Good, Seen::Good], RULES);
    world.env.run(["rollout", "canary", "--image", "game:2", "--yes", "--regions", "eu,us"]).expect_code(1);
    assert!(!world.begun("us") && !world.begun("asia"));
    assert_eq!(world.weight("eu"), 0.0);
}

#[test]
fn after_a_crash_anybody_goes_on_with_the_whole() {
    let world = Regions::killed(RULES);
    let status = world.env.run(["rollout", "status"]);
    assert!(status.stdout.contains("ORPHANED"), "{}", status.stdout);
    world.set("us", Seen::Good);
    world.env.run(["rollout", "resume", "--yes"]).expect_code(0);
    for region in NAMES {
        assert_eq!(world.stable(region), "game:2", "{region}");
    }
    assert!(world.phases().values().all(|phase| phase == "succeeded"));
}

#[test]
fn after_a_crash_anybody_goes_back_with_the_whole() {
    let rules = RULES.replace("rollback_window: 100ms", "rollback_window: 60s");
    let world = Regions::killed(&rules);
    world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
    for region in ["eu", "us"] {
        assert_eq!(world.weight(region), 0.0, "{region}");
        assert_eq!(world.stable(region), "game:1", "{region}");
        assert_eq!(world.phases()[region], "rolled_back", "{region}");
    }
    assert!(!world.begun("asia"));
    // What is back is over: there is nothing to go on with, and the next one begins clean.
    world.env.run(["rollout", "resume", "--yes"]).expect_code(4);
    world.set("us", Seen::Good);
    let run = world.env.run(Regions::args(&["--until", "promoted"]));
    run.expect_code(0);
}

#[test]
fn sigterm_takes_back_the_regions_under_way() {
    let world = Regions::new([Seen::Good, Seen::Nothing, Seen::Nothing], RULES);
    let mut command = world.env.bare(Regions::args(&[]));
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    until("the second wave", LIMIT, || (world.weight("us") > 0.0 && world.weight("asia") > 0.0).then_some(()));
    // Until its window ends, the first is under way as well.
    until("the end of the first wave", LIMIT, || (world.phases()["eu"] == "succeeded").then_some(()));
    signal(child.id(), "TERM");
    let (code, _) = super::world::end(child);
    assert_eq!(code, Some(1));
    for region in ["us", "asia"] {
        assert_eq!(world.weight(region), 0.0, "{region}");
    }
    assert_eq!(world.stable("eu"), "game:2", "promoted on its own evidence");
}

#[test]
fn what_is_wrong_with_regions_is_said() {
    let world = Regions::new([Seen::Good; 3], RULES);
    for (args, code, want) in [
        (&["--regions", "eu,uss"][..], 2, "did you mean `us`?"),
        (&["--regions", "eu,eu"], 2, "named twice"),
        (&["--regions", "eu", "--wave", "1,1"], 2, "no region left"),
        (&["--regions", "eu", "--wave", "0"], 2, "a wave of no region"),
    ] {
        let all = ["rollout", "canary", "--image", "game:2", "--yes"];
        let run = world.env.run(all.iter().chain(args)).expect_code(code);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
    world.env.run(["config", "validate"]).expect_code(0);
    let dry = world.env.run(Regions::args(&["--dry-run"])).expect_code(0);
    assert!(dry.stdout.contains("dry run"), "{}", dry.stdout);
    assert!(!world.begun("eu"));
}
