//! One rollout over three clusters: waves, what goes back with a bad region, a crash in the middle, and clusters that
//! cannot be reached.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::stage::{KINDS, LIMIT, NEW, OLD, Running, image, metrics, phase, settle};
use crate::support::kube::Kube;
use crate::support::kube::front::Logged;
use crate::support::{Run, Stub, TestEnv, until};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A region: its cluster, and what is seen of the game there.
struct Region {
    kube: Kube,
    bad: Arc<AtomicBool>,
    metrics: Stub,
}

impl Region {
    fn new() -> Self {
        let kube = Kube::start();
        settle(&kube);
        let bad = Arc::new(AtomicBool::new(false));
        let metrics = metrics(Arc::clone(&bad));
        Self { kube, bad, metrics }
    }

    /// The writes of liveops that the cluster took.
    fn writes(&self) -> Vec<Logged> {
        let all = self.kube.log().into_iter();
        all.filter(|asked| asked.is_accepted_write() && asked.manager == "liveops").collect()
    }

    fn fail(&self) {
        self.bad.store(true, Ordering::Relaxed);
    }
}

struct Regions {
    env: TestEnv,
    all: [Region; 3],
}

impl Regions {
    fn new() -> Self {
        Self::ruled("")
    }

    /// With more in the policy.
    fn ruled(more: &str) -> Self {
        let all: [Region; 3] = array::from_fn(|_| Region::new());
        let contexts: [_; 3] = array::from_fn(|index| (NAMES[index], &all[index].kube));
        let env = Kube::env_of(&contexts);
        let regions = NAMES.iter().zip(&all).map(|(name, region)| {
            format!(
                "      {name}: {{ kubernetes: {{ context: {name} }}, services: {{ game: {{ metrics: [ '{}/metrics' ] }} }} }}\n",
                region.metrics.url()
            )
        });
        let regions: String = regions.collect();
        let traffic = KINDS[0].1;
        env.write(
            "liveops.yaml",
            format!(
                r#"version: 1
default_env: test
environments:
  test:
    kubernetes: {{ namespace: game }}
    regions:
{regions}policies:
  fast:
    canary: {{ steps: [30%], interval: 400ms, poll: 150ms, propagation: 50ms, max_step: 20s }}
    success: [ "error_rate < 1%" ]
    rollback: [ "error_rate > 20%" ]
    min_samples: 20
    scrape_interval: 300ms
    rollback_window: 0s
    preflight: [ rollback_plan, permissions ]
{more}services:
  - name: game
    workload: {{ deployment: game, container: server }}
    rollout:
      policy: fast
      traffic: {traffic}
      metrics:
        error_rate: {{ ratio: {{ of: 'http_requests_total{{status=~"5.."}}', to: http_requests_total }} }}
"#
            ),
        );
        Self { env, all }
    }

    fn words(more: &[&'static str]) -> Vec<&'static str> {
        let words = ["rollout", "canary", "game", "--image", NEW, "--regions", "a,b,c", "--yes"];
        words.iter().chain(more).copied().collect()
    }

    fn canary(&self, more: &[&'static str]) -> Run {
        self.run(&Self::words(more))
    }

    /// Three rollouts one after the other take their time on a machine that is busy.
    fn run(&self, words: &[&str]) -> Run {
        self.env.command(words).limit(LIMIT * 6).run()
    }

    fn begin(&self, more: &[&'static str]) -> Running {
        Running::unheard(self.env.bare(Self::words(more)))
    }

    fn images(&self) -> [String; 3] {
        array::from_fn(|index| image(&self.all[index].kube, "game"))
    }

    fn phases(&self) -> [String; 3] {
        array::from_fn(|index| phase(&self.all[index].kube).0)
    }

    /// Waits until the canary of the region has traffic.
    #[track_caller]
    fn until_weight(&self, region: usize) {
        until("a weight", LIMIT * 4, || {
            let found = phase(&self.all[region].kube);
            (found.0 == "observe" && found.1 > 0.0).then_some(())
        });
    }

    fn status(&self) -> (Run, Value) {
        let run = self.env.run(["rollout", "status", "-o", "json"]);
        let json = run.json();
        (run, json)
    }
}

#[test]
fn good_regions_are_promoted_wave_by_wave_each_on_its_own_evidence() {
    let world = Regions::new();
    let run = world.canary(&["--wave", "1,2"]).expect_code(0);
    let at = |text: &str| {
        let found = run.stdout.find(text);
        found.unwrap_or_else(|| panic!("{text}: {}", run.stdout))
    };
    for later in [" b   0% begun", " c   0% begun"] {
        assert!(at(" a 100% promoted") < at(later), "{}", run.stdout);
    }
    assert_eq!(world.images(), [NEW; 3]);
    assert_eq!(world.phases(), ["succeeded"; 3]);
    for region in &world.all {
        assert!(!region.metrics.requests().is_empty(), "its own metrics are looked at");
        assert_eq!(region.kube.find("deployments", "game-canary"), None);
    }
    let undone = world.run(&["undo", "--yes"]).expect_code(0);
    assert_eq!(world.images(), [OLD; 3], "{}", undone.stdout);
}

/// What each value of `on_region_failure` takes back is tested where it is quicker: tests/cli/rollout.
#[test]
fn a_bad_region_goes_back_with_all_that_the_policy_says_and_the_next_one_never_begins() {
    let world = Regions::ruled("    on_region_failure: all\n");
    world.all[1].fail();
    let run = world.canary(&[]).expect_code(1);
    assert_eq!(world.images(), [OLD; 3], "{}", run.stdout);
    let phases = world.phases();
    assert_eq!(phases[..2], ["rolled_back"; 2], "{}", run.stdout);
    let writes = world.all[2].writes();
    assert!(writes.is_empty(), "{writes:?}");
    for want in ["error_rate > 20%", "because of b, by on_region_failure:"] {
        assert!(run.stdout.contains(want), "{want}: {}", run.stdout);
    }
}

#[test]
fn lost_and_killed_in_the_middle_every_region_is_told_and_anybody_goes_on() {
    let mut world = Regions::new();
    let mut run = world.begin(&["--steps", "50,60"]);
    world.until_weight(1);
    // A region that is lost is unknown, and never blank; the others are told.
    world.all[1].kube.stop();
    let (status, json) = world.status();
    let rows = json["data"]["rollouts"].as_array().unwrap();
    let of = |region: &str| rows.iter().find(|row| row["region"] == region);
    assert_eq!(of("a").unwrap()["phase"], "succeeded", "{}", status.stdout);
    assert!(of("b").is_none(), "{}", status.stdout);
    let unknown = &json["data"]["unknown"];
    assert_eq!(unknown[0]["region"], "b", "{}", status.stdout);
    assert_eq!(status.code, 3, "{}", status.stdout);
    let screen = world.env.run(["status"]).expect_code(3);
    for want in ["a succeeded 100%", "b unknown", "c not begun"] {
        assert!(screen.stdout.contains(want), "{want}: {}", screen.stdout);
    }
    run.kill();
    world.all[1].kube.restart();
    assert_eq!(world.images(), [NEW, OLD, OLD]);
    assert!(world.all[2].writes().is_empty());
    // Where it has not begun, it need not be seen to go on; but when its turn comes.
    world.all[2].kube.stop();
    let resume = ["rollout", "resume", "--takeover", "--yes"];
    let half = world.run(&resume).expect_code(5);
    for want in ["a succeeded, b succeeded, c not begun", "c: ", "liveops rollout resume game"] {
        assert!(half.stderr.contains(want), "{want}: {}", half.stderr);
    }
    assert_eq!(image(&world.all[1].kube, "game"), NEW);
    world.all[2].kube.restart();
    let resumed = world.run(&resume).expect_code(0);
    assert_eq!(world.images(), [NEW; 3], "{}", resumed.stdout);
    assert_eq!(world.phases(), ["succeeded"; 3]);
}

#[test]
fn a_region_out_of_reach_at_the_start_refuses_the_whole() {
    let mut world = Regions::new();
    world.all[2].kube.stop();
    let run = world.canary(&[]).expect_code(3);
    assert!(run.stderr.contains("region c"), "{}", run.stderr);
    for region in &world.all[..2] {
        assert!(region.writes().is_empty(), "{:?}", region.writes());
    }
}
