//! Runs and terminals, tried with a shell in place of the program.
#![allow(clippy::disallowed_methods, reason = "the shell stands in for the binary")]

use std::process::Command;
use std::time::Duration;

use crate::support::TestEnv;
use crate::support::pty::Pty;
use crate::support::run::Invocation;

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[test]
fn a_run_has_stdin_environment_streams_and_code() {
    let env = TestEnv::new();
    let run = Invocation::new(&env, shell("cat; echo \"$EXTRA\"; echo took 12 ms >&2; exit 3"))
        .env("EXTRA", "more")
        .stdin("typed\n")
        .run();
    assert_eq!(run.snapshot(), "code: 3\n--- stdout\ntyped\nmore\n--- stderr\ntook [MS]\n");
    assert!(run.snapshot_exact().ends_with("took 12 ms\n"));
    let killed = Invocation::new(&env, shell("kill -TERM $$")).run();
    assert_eq!(killed.code, 143);
}

#[test]
fn json_is_read_from_each_stream() {
    let env = TestEnv::new();
    let script = r#"echo '{"latency_ms": 17}'; echo 'note: x' >&2; echo '{"error": {"kind": "timeout"}}' >&2"#;
    let run = Invocation::new(&env, shell(script)).run().expect_code(0);
    assert_eq!(run.json()["latency_ms"], 17);
    assert_eq!(run.json_lines().len(), 1);
    assert_eq!(run.json_error()["error"]["kind"], "timeout");
    assert!(run.snapshot().contains("{\"latency_ms\": 0}"), "{}", run.snapshot());
}

#[test]
#[should_panic(expected = "did not end within")]
fn a_run_that_hangs_is_killed_and_fails() {
    let env = TestEnv::new();
    Invocation::new(&env, shell("exec sleep 600")).limit(Duration::from_millis(100)).run();
}

#[test]
fn a_terminal_is_typed_at_resized_and_read() {
    let mut pty = Pty::spawn(shell("stty size; printf 'Proceed? '; read answer; stty size; echo got $answer; exit 4"));
    pty.expect("24 80").expect("Proceed? ");
    pty.resize(132, 50).send_line("yes");
    pty.expect("50 132").expect("got yes");
    let (code, transcript) = pty.wait();
    assert_eq!(code, 4);
    assert!(transcript.contains("Proceed? "), "{transcript:?}");
}

#[test]
fn an_interrupt_reaches_the_program() {
    let mut pty = Pty::spawn(shell("trap 'echo caught; exit 130' INT; echo ready; while :; do sleep 0.05; done"));
    pty.expect("ready").interrupt().expect("caught");
    assert_eq!(pty.wait().0, 130);
}

#[test]
#[should_panic(expected = "`never` did not appear")]
fn a_text_that_does_not_come_fails_at_the_end_of_the_program() {
    Pty::spawn(shell("echo something else")).expect("never");
}

#[test]
fn the_alert_rules_that_come_along_do_what_they_say() {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/alerts/rollouts.test.yml");
    let done = Command::new("promtool")
        .args(["test", "rules", rules])
        .output()
        .expect("promtool is installed (Debian package prometheus)");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
}
