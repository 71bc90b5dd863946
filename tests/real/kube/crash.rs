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

/// Begins a rollout that is killed after `k` calls, or comes to its end before.
fn killed_after(stage: &Stage, k: u32) {
    let path = deadly(&stage.env, k);
    let mut child = stage.env.bare([
        "rollout", "canary", "game", "--image", NEW, "--steps", "50", "--yes",
    ]);
    let status = child
        .env("PATH", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(
        matches!(status.code(), None | Some(0)),
        "call {k}: {status}"
    );
}

/// After these calls the holder is killed and somebody else goes on: with the note, with half of
/// the traffic, in the middle of the clean-up. All calls of a rollout would take minutes.
const RESUMED: [u32; 3] = [15, 24, 34];
/// And after these somebody goes back.
const ABORTED: [u32; 4] = [9, 14, 20, 28];

#[test]
fn after_a_kill_between_two_calls_anybody_goes_on_to_the_end() {
    for k in RESUMED {
        let stage = Stage::new(KINDS[0].1);
        let before = stage.essences();
        killed_after(&stage, k);
        if stage.phase().0 != "succeeded" {
            stage.rollout(&["resume", "--takeover"]).expect_code(0);
        }
        assert_eq!(stage.image("game"), NEW, "call {k}");
        let spec = before.len() - 1;
        assert_eq!(stage.essences()[..spec], before[..spec], "call {k}");
        assert_eq!(stage.kube.find("deployments", "game-canary"), None);
    }
}

#[test]
fn after_a_kill_between_two_calls_an_abort_restores_the_start() {
    for k in ABORTED {
        let stage = Stage::new(KINDS[0].1);
        let before = stage.essences();
        killed_after(&stage, k);
        // A count that lies behind its end would test nothing.
        assert_ne!(stage.phase().0, "succeeded", "call {k}");
        let run = stage.rollout(&["abort"]);
        // Before its state is stored there is nothing to take back.
        assert!(
            [0, 2, 4].contains(&run.code),
            "call {k}: {}{}",
            run.stdout,
            run.stderr
        );
        assert_eq!(stage.essences(), before, "call {k}");
    }
}

#[test]
fn after_a_kill_before_the_state_is_stored_another_rollout_takes_the_lock() {
    let stage = Stage::new(KINDS[3].1);
    killed_after(&stage, 8);
    assert_eq!(stage.phase().0, "");
    assert!(stage.kube.find("leases", "liveops-game").is_some());
    let words = ["canary", "--image", NEW, "--steps", "50"];
    stage
        .rollout(&[&words[..], &["--takeover"]].concat())
        .expect_code(0);
    assert_eq!(stage.image("game"), NEW);
    available(&stage.kube, "game", 2);
}
