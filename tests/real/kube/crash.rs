//! Killed between any two changes of the cluster: somebody else goes on, or goes back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::stage::{KINDS, NEW, OLD, Stage, available};
use crate::support::TestEnv;

/// Where a run dies (-9): before it makes its `change`-th change of the cluster, or behind it. What is read changes
/// nothing, so that a death behind a read is one behind the change before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    change: u32,
    before: bool,
    /// Only what is changed of this resource counts; of all when empty.
    of: &'static str,
}

impl Death {
    /// The deaths in order: before the first change, behind it, before the second one, …
    pub(super) fn around(of: &'static str) -> impl Iterator<Item = Self> {
        (1..MOST).flat_map(move |change| [true, false].map(|before| Self { change, before, of }))
    }

    /// Those behind a change alone.
    pub(super) fn behind(of: &'static str) -> impl Iterator<Item = Self> {
        Self::around(of).filter(|death| !death.before)
    }

    /// Runs liveops with a `kubectl` that kills it there; false when it came to its end before.
    pub(super) fn strikes(self, env: &TestEnv, args: &[&str]) -> bool {
        let status = env
            .bare(args)
            .env("PATH", self.kubectl(env))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(matches!(status.code(), None | Some(0)), "{self:?}: {status}");
        status.code().is_none()
    }

    /// The PATH with that `kubectl`. A review of access is a `create` that nobody manages: it is never stored.
    fn kubectl(self, env: &TestEnv) -> String {
        let folder = env.root().join(format!("deadly-{}-{}", self.change, self.before));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let script = format!(
            r#"#!/bin/sh
case "$*" in
    patch*{of}*|replace*{of}*|apply*{of}*|delete*{of}*|create*--field-manager=*{of}*|create*--raw=*{of}*) ;;
    *) exec {real} "$@" ;;
esac
until mkdir {f}/lock 2>/dev/null; do :; done
n=$(cat {f}/count 2>/dev/null || echo 0); n=$((n + 1)); echo $n > {f}/count
rmdir {f}/lock
[ {before} = true ] && [ $n -ge {k} ] && kill -9 $PPID && exit 1
{real} "$@"
code=$?
[ $n -ge {k} ] && kill -9 $PPID
exit $code
"#,
            f = folder.display(),
            real = env.root().join("bin/kubectl").display(),
            before = self.before,
            of = self.of,
            k = self.change,
        );
        let path = folder.join("kubectl");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{}:/usr/bin:/bin", folder.display())
    }

    /// A run that came to its end made more changes than one, and fewer than are tried.
    fn is_the_last(self, killed: bool) -> bool {
        assert!(killed || self.change > LEAST, "{self:?} is behind the end");
        assert!(self.change + 1 < MOST, "{self:?}: there may be more");
        !killed
    }
}

/// A rollout makes more changes than this, and fewer than [`MOST`].
const LEAST: u32 = 1;
const MOST: u32 = 40;

/// A stage whose rollouts look as seldom as they can, so that few calls differ only in time: each is one to die behind.
fn stage(traffic: &str) -> Stage {
    let stage = Stage::new(traffic);
    stage.configure(
        "interval: 400ms, poll: 150ms, propagation: 50ms",
        "interval: 400ms, poll: 400ms, propagation: 50ms",
    );
    stage
}

/// Begins a rollout that dies there; false when it came to its end before. The holder before was killed, too.
fn killed(stage: &Stage, image: &str, death: Death) -> bool {
    let words = ["rollout", "canary", "game", "--image", image, "--steps", "100", "--yes", "--takeover"];
    death.strikes(&stage.env, &words)
}

/// Killed there, and gone on with by somebody else.
fn goes_on(traffic: &str, deaths: impl Iterator<Item = Death>) {
    let stage = stage(traffic);
    let before = stage.essences();
    let spec = before.len() - 1;
    for (n, death) in deaths.enumerate() {
        let image = format!("game:{}", n + 2);
        let killed = killed(&stage, &image, death);
        if !stage.is_of(&image) {
            // It had not stored yet that it begins: somebody begins anew.
            let words = ["canary", "--image", &image, "--steps", "100", "--takeover"];
            stage.rollout(&words).expect_code(0);
        } else if stage.phase().0 != "succeeded" {
            stage.rollout(&["resume", "--takeover"]).expect_code(0);
        }
        assert_eq!(stage.phase().0, "succeeded", "{death:?}");
        assert_eq!(stage.image("game"), image, "{death:?}");
        assert_eq!(stage.essences()[..spec], before[..spec], "{death:?}");
        assert_eq!(stage.kube.find("deployments", "game-canary"), None);
        if death.is_the_last(killed) {
            return;
        }
    }
}

#[test]
fn after_a_kill_anybody_goes_on_with_a_route() {
    goes_on(KINDS[0].1, Death::behind(""));
}

/// What differs from a route is the change of the object that carries the weight.
#[test]
fn after_a_kill_anybody_goes_on_with_a_virtual_service() {
    goes_on(KINDS[1].1, Death::around("virtualservice"));
}

#[test]
fn after_a_kill_anybody_goes_on_with_an_ingress() {
    goes_on(KINDS[2].1, Death::around("ingress"));
}

/// Replicas of pods are written in other calls than the weights of routes.
#[test]
fn after_a_kill_anybody_goes_on_with_a_split_by_replicas() {
    goes_on(KINDS[3].1, Death::behind(""));
}

/// Killed there, and taken back.
fn goes_back(traffic: &str, deaths: impl Iterator<Item = Death>) {
    let stage = stage(traffic);
    let before = stage.essences();
    for death in deaths {
        let killed = killed(&stage, NEW, death);
        if stage.phase().0 == "succeeded" {
            // From here on there is nothing to abort.
            assert!(death.change > LEAST, "{death:?}, killed: {killed}");
            return;
        }
        let run = stage.rollout(&["abort"]);
        assert_eq!(run.code, 0, "{death:?}: {}{}", run.stdout, run.stderr);
        assert_eq!(stage.essences(), before, "{death:?}");
        assert!(["", "rolled_back"].contains(&&*stage.phase().0), "{death:?}");
    }
    panic!("more than {MOST} changes");
}

#[test]
fn after_a_kill_an_abort_restores_the_start() {
    goes_back(KINDS[0].1, Death::around(""));
}

#[test]
fn after_a_kill_an_abort_restores_a_virtual_service() {
    goes_back(KINDS[1].1, Death::around("virtualservice"));
}

#[test]
fn after_a_kill_an_abort_restores_an_ingress() {
    goes_back(KINDS[2].1, Death::around("ingress"));
}

#[test]
fn after_a_kill_an_abort_restores_a_split_by_replicas() {
    goes_back(KINDS[3].1, Death::behind(""));
}

#[test]
fn an_undo_that_is_killed_is_finished_by_anybody() {
    let stage = stage(KINDS[0].1);
    let before = stage.essences();
    for death in Death::behind("") {
        stage.rollout(&["canary", "--image", NEW, "--steps", "100", "--takeover"]).expect_code(0);
        let killed = death.strikes(&stage.env, &["rollout", "undo", "game", "--yes"]);
        if killed {
            let run = stage.rollout(&["abort"]);
            assert!([0, 4].contains(&run.code), "{death:?}: {}{}", run.stdout, run.stderr);
            if stage.image("game") != OLD {
                stage.rollout(&["undo", "--takeover"]).expect_code(0);
            }
        }
        assert_eq!(stage.image("game"), OLD, "{death:?}");
        assert_eq!(stage.essences(), before, "{death:?}");
        if !killed {
            return;
        }
    }
}

#[test]
fn after_a_kill_before_the_state_is_stored_another_rollout_takes_the_lock() {
    let stage = stage(KINDS[3].1);
    // The first change is the intent with the lock.
    let death = Death { change: 1, before: false, of: "" };
    assert!(killed(&stage, NEW, death));
    assert_eq!(stage.phase().0, "");
    assert!(stage.kube.find("leases", "liveops-game").is_some());
    let words = ["canary", "--image", NEW, "--steps", "50"];
    stage.rollout(&[&words[..], &["--takeover"]].concat()).expect_code(0);
    assert_eq!(stage.image("game"), NEW);
    available(&stage.kube, "game", 2);
}
