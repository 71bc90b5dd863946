//! Killed between any two calls of `kubectl`: somebody else goes on, or goes back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::stage::{KINDS, NEW, Stage, available};
use crate::support::TestEnv;

/// A `kubectl` that kills its caller (-9) after the k-th call is done.
fn deadly(env: &TestEnv, k: u32) -> String {
    let real = env.root().join("bin/kubectl");
    let folder = env.root().join(format!("deadly-{k}"));
    fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\nlock={f}/lock\nuntil mkdir $lock 2>/dev/null; do :; done\nn=$(cat {f}/count 2>/dev/null || echo 0); n=$((n + 1)); echo $n > {f}/count\nrmdir $lock\n{real} \"$@\"\ncode=$?\n[ $n -ge {k} ] && kill -9 $PPID\nexit $code\n",
        f = folder.display(),
        real = real.display(),
    );
    let path = folder.join("kubectl");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", folder.display())
}

/// A stage whose rollouts look as seldom as they can, so that few calls differ only in time: each is one to die behind.
fn stage(traffic: &str) -> Stage {
    let stage = Stage::new(traffic);
    stage.configure(
        "interval: 400ms, poll: 150ms, propagation: 50ms",
        "interval: 400ms, poll: 400ms, propagation: 50ms",
    );
    stage
}

/// Begins a rollout that is killed after `k` calls; false when it came to its end before.
fn killed_after(stage: &Stage, image: &str, k: u32) -> bool {
    let path = deadly(&stage.env, k);
    let mut child = stage.env.bare([
        "rollout",
        "canary",
        "game",
        "--image",
        image,
        "--steps",
        "100",
        "--yes",
        // The holder before was killed, too.
        "--takeover",
    ]);
    let status = child
        .env("PATH", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(matches!(status.code(), None | Some(0)), "call {k}: {status}");
    status.code().is_none()
}

/// A rollout makes fewer calls than this.
const MOST: u32 = 100;

/// Killed after each of these calls, and gone on with.
fn goes_on(traffic: &str, calls: impl Iterator<Item = u32>) {
    let stage = stage(traffic);
    let before = stage.essences();
    let spec = before.len() - 1;
    for k in calls {
        let image = format!("game:{}", k + 1);
        let killed = killed_after(&stage, &image, k);
        if !stage.is_of(&image) {
            // It had not stored yet that it begins: somebody begins anew.
            let words = ["canary", "--image", &image, "--steps", "100", "--takeover"];
            stage.rollout(&words).expect_code(0);
        } else if stage.phase().0 != "succeeded" {
            stage.rollout(&["resume", "--takeover"]).expect_code(0);
        }
        assert_eq!(stage.phase().0, "succeeded", "call {k}");
        assert_eq!(stage.image("game"), image, "call {k}");
        assert_eq!(stage.essences()[..spec], before[..spec], "call {k}");
        assert_eq!(stage.kube.find("deployments", "game-canary"), None);
        if !killed {
            assert!((20..MOST).contains(&k), "{k} calls");
            break;
        }
    }
}

#[test]
fn after_a_kill_behind_any_odd_call_anybody_goes_on_to_the_end() {
    goes_on(KINDS[0].1, (1..).step_by(2));
}

#[test]
fn after_a_kill_behind_any_even_call_anybody_goes_on_to_the_end() {
    goes_on(KINDS[0].1, (2..).step_by(2));
}

/// Replicas of pods are written in other calls than the weights of routes.
#[test]
fn after_a_kill_behind_any_odd_call_a_split_by_replicas_goes_on_to_the_end() {
    goes_on(KINDS[3].1, (1..).step_by(2));
}

#[test]
fn after_a_kill_behind_any_even_call_a_split_by_replicas_goes_on_to_the_end() {
    goes_on(KINDS[3].1, (2..).step_by(2));
}

/// Killed after each of these calls, and taken back.
fn goes_back(traffic: &str, calls: impl Iterator<Item = u32>) {
    let stage = stage(traffic);
    let before = stage.essences();
    for k in calls {
        let killed = killed_after(&stage, NEW, k);
        if stage.phase().0 == "succeeded" {
            // From here on there is nothing to abort.
            assert!((20..MOST).contains(&k), "{k} calls, killed: {killed}");
            break;
        }
        let run = stage.rollout(&["abort"]);
        assert_eq!(run.code, 0, "call {k}: {}{}", run.stdout, run.stderr);
        assert_eq!(stage.essences(), before, "call {k}");
        assert!(["", "rolled_back"].contains(&&*stage.phase().0), "call {k}");
    }
}

#[test]
fn after_a_kill_behind_any_call_an_abort_restores_the_start() {
    goes_back(KINDS[0].1, 1..);
}

#[test]
fn after_a_kill_behind_any_call_an_abort_restores_a_virtual_service() {
    goes_back(KINDS[1].1, 1..);
}

#[test]
fn after_a_kill_behind_any_call_an_abort_restores_an_ingress() {
    goes_back(KINDS[2].1, 1..);
}

#[test]
fn after_a_kill_behind_any_call_an_abort_restores_a_split_by_replicas() {
    goes_back(KINDS[3].1, 1..);
}

#[test]
fn after_a_kill_before_the_state_is_stored_another_rollout_takes_the_lock() {
    let stage = stage(KINDS[3].1);
    let mut k = 6;
    while stage.kube.find("leases", "liveops-game").is_none() {
        k += 1;
        assert!(killed_after(&stage, NEW, k), "call {k}");
        assert_eq!(stage.phase().0, "", "call {k}");
    }
    let words = ["canary", "--image", NEW, "--steps", "50"];
    stage.rollout(&[&words[..], &["--takeover"]].concat()).expect_code(0);
    assert_eq!(stage.image("game"), NEW);
    available(&stage.kube, "game", 2);
}
