//! Killed between any two calls of `kubectl`: somebody else goes on, or goes back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::stage::{KINDS, NEW, OLD, Stage, essence};
use crate::support::TestEnv;

/// Calls after which the one that holds the rollout is killed.
const CALLS: [u32; 8] = [6, 9, 12, 14, 16, 18, 21, 26];

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

#[test]
fn after_a_kill_at_any_call_an_abort_restores_the_start() {
    let (_, traffic, resource, name) = KINDS[0];
    for k in CALLS {
        let stage = Stage::new(traffic);
        let before = essence(&stage.kube.get(resource, name));
        let path = deadly(&stage.env, k);
        let mut child = stage
            .env
            .bare(["rollout", "canary", "game", "--image", NEW, "--yes"]);
        let status = child
            .env("PATH", path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), None, "killed after call {k}: {status}");
        let run = stage.env.run(["rollout", "abort", "game", "--yes"]);
        assert!(
            [0, 2, 4].contains(&run.code),
            "call {k}: {}{}",
            run.stdout,
            run.stderr
        );
        assert_eq!(
            essence(&stage.kube.get(resource, name)),
            before,
            "after call {k}"
        );
        assert_eq!(
            stage.kube.find("deployments", "game-canary"),
            None,
            "after call {k}"
        );
        let image = &stage.kube.get("deployments", "game")["spec"]["template"]["spec"]["containers"]
            [0]["image"];
        assert_eq!(*image, OLD, "after call {k}");
    }
}
