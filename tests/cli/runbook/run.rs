//! `runbook run`: each step is shown, confirmed, journalled, and can be resumed.

use std::time::Duration;

use super::*;
use crate::support::until;

#[test]
fn run_shows_confirms_journals_and_stops_at_what_fails() {
    let env = env();
    env.write("docs/runbooks/fix.md", STEPS);
    // Nobody can be asked: the first command is shown, and nothing runs.
    let asked = env.run(["runbook", "run", "fix", "--set", "WHAT=it"]).expect_code(4);
    assert!(asked.stderr.contains("$ echo env=$LIVEOPS_ENV"), "{}", asked.stderr);
    let missing = env.run(["runbook", "run", "fix", "--yes"]).expect_code(2);
    assert!(missing.stderr.contains("--set WHAT="), "{}", missing.stderr);
    env.run(["runbook", "run", "fix", "--set", "WHAT=it", "--yes", "--read-only"]).expect_code(4);
    let dry = env.run(["runbook", "run", "fix", "--dry-run"]).expect_code(0);
    assert!(dry.stderr.contains("step 3 of 3: Last"), "{}", dry.stderr);
    assert!(!env.path().join("done").exists());

    let run = env.run(["runbook", "run", "fix", "--set", "WHAT=it", "--yes"]).expect_code(1);
    assert_eq!(env.read("done"), "it\n");
    assert!(run.stderr.contains("  env=staging"), "{}", run.stderr);
    assert!(run.stderr.contains("WHAT=it"), "{}", run.stderr);
    assert!(run.stderr.contains("FAILED: `Last`"), "{}", run.stderr);
    assert!(run.stdout.contains("runbook run fix --resume"), "{}", run.stdout);

    // The look and the change are over; only the failed step runs again.
    env.write("ready", "");
    let resumed =
        env.run(["runbook", "run", "fix", "--resume", "--set", "WHAT=no", "--yes", "-o", "json"]).expect_code(0).json();
    let states: Vec<&str> =
        resumed["data"]["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "done", "done"]);
    assert_eq!(env.read("done"), "it\n");
    assert_eq!(resumed["data"]["steps"][2]["output"], "last\n");
    env.run(["runbook", "run", "fix", "--resume", "--set", "WHAT=no", "--yes"]).expect_code(2);

    // Each step is in the audit log, and says what to do instead of an undo.
    let log = env.run(["audit", "list", "-o", "json"]).expect_code(0).json();
    let actions = log.to_string().matches("\"action\":\"runbook.").count();
    assert!(actions >= 4, "{log:#}");
}

#[test]
fn one_step_and_its_rollback_can_be_run_alone() {
    let env = env();
    env.write("docs/runbooks/fix.md", STEPS);
    env.run(["runbook", "run", "fix", "--step", "change", "--set", "WHAT=x", "--yes"]).expect_code(0);
    assert!(env.path().join("done").exists());
    let back = env
        .run(["runbook", "run", "fix", "--rollback", "Change", "--set", "WHAT=x", "--yes", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(back["data"]["steps"][0]["state"], "rolled_back");
    assert!(!env.path().join("done").exists());
    env.run(["runbook", "run", "fix", "--rollback", "Last", "--yes"]).expect_code(2);
    env.run(["runbook", "run", "fix", "--step", "Nope", "--yes"]).expect_code(2);
    env.run(["runbook", "run", "fix", "--set", "a-b=c", "--yes"]).expect_code(2);
}

#[test]
fn a_changed_runbook_is_not_resumed_and_a_slow_step_is_stopped() {
    let env = env();
    let slow = "# S\n```sh liveops step=\"Slow\" confirm timeout=1s\nsleep 60\n```\n";
    env.write("docs/runbooks/slow.md", slow);
    let run = env.run(["runbook", "run", "slow", "--yes"]).expect_code(1);
    assert!(run.stderr.contains("killed at its deadline"), "{}", run.stderr);
    env.write("docs/runbooks/slow.md", slow.replace("sleep 60", "true"));
    let run = env.run(["runbook", "run", "slow", "--resume", "--yes", "-o", "json"]).expect_code(4);
    assert_eq!(run.json_error()["kind"], "conflict");
    env.write("docs/runbooks/none.md", "# N\n");
    env.run(["runbook", "run", "none", "--yes"]).expect_code(2);
    env.write("docs/runbooks/bad.md", "```sh liveops\nx\n```\n");
    env.run(["runbook", "run", "bad", "--yes"]).expect_code(2);
}

#[test]
fn a_person_may_skip_stop_and_go_on() {
    let env = env();
    env.write("docs/runbooks/fix.md", STEPS);
    let mut pty = env.pty(["runbook", "run", "fix", "--set", "WHAT=it"]);
    pty.expect("step 1 of 3: Look").expect("go on in `staging`?").send_line("y");
    pty.expect("step 2 of 3: Change").expect("go on in `staging`?").send_line("n");
    // Down to `leave this step out`.
    pty.expect("what now?").send("\u{1b}[B\r");
    pty.expect("why is it left out?").send_line("not needed");
    pty.expect("step 3 of 3: Last").expect("go on in `staging`?").send_line("n");
    pty.expect("what now?").send("\r");
    let (code, text) = pty.wait();
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("not needed") && text.contains("--resume"), "{text}");
    assert!(!env.path().join("done").exists());
    let mut pty = env.pty(["runbook", "run", "fix", "--resume", "--set", "WHAT=it"]);
    pty.expect("step 3 of 3: Last").interrupt();
    assert_eq!(pty.wait().0, 130);
}

/// Nobody hears the question: what asks on the terminal (`sudo`, `ssh`) is told that there is none, and does not hang.
#[test]
fn a_step_that_asks_on_the_terminal_fails_at_once() {
    let env = env();
    env.write(
        "docs/runbooks/ask.md",
        "# A\n\n```sh liveops step=\"Ask\" confirm timeout=100s\nread -r answer < /dev/tty\n```\n",
    );
    let mut pty = env.pty(["runbook", "run", "ask", "--yes"]);
    pty.expect("FAILED: `Ask`").expect("what now?").send("\r");
    let (_, text) = pty.wait();
    assert!(text.contains("/dev/tty"), "{text}");
}

#[test]
fn the_steps_are_in_the_journal_of_the_open_incident() {
    let env = env();
    env.write("docs/runbooks/fix.md", STEPS);
    env.run(["incident", "open", "--sev", "p2", "--title", "slow"]);
    let run = env.run(["runbook", "run", "fix", "--set", "WHAT=it", "--yes", "-o", "json"]).expect_code(1).json();
    assert!(run["data"]["incident"].as_str().unwrap().ends_with("p2-slow"));
    let timeline = env.run(["incident", "timeline", "-o", "json"]).json();
    let steps: Vec<&serde_json::Value> =
        timeline["data"]["events"].as_array().unwrap().iter().filter(|event| event["type"] == "runbook.step").collect();
    let texts: Vec<&str> = steps.iter().map(|event| event["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["fix `Look` done", "fix `Change` done", "fix `Last` failed"]);
    assert!(steps[0]["data"].to_string().contains("env=staging"), "{:#}", steps[0]);
}

#[test]
fn a_step_that_could_not_run_is_not_done_and_nothing_of_it_goes_on() {
    let env = env();
    let step = |name: &str, more: &str, text: &str| format!("```sh liveops step=\"{name}\" {more}\n{text}\n```\n\n");
    env.write("missing.md", format!("# A\n\n{}", step("look", "", "surely-no-such-program-here")));
    env.write("pipe.md", format!("# A\n\n{}", step("change", "confirm", "false | cat")));
    env.write("late.md", format!("# A\n\n{}", step("wait", "timeout=1s", "sleep 600 & echo $! > pid; wait")));
    env.write("long.md", format!("# A\n\n{}", step("much", "", "head -c 30000000 /dev/zero | tr '\\0' x; echo END")));
    for book in ["missing.md", "pipe.md", "late.md"] {
        let run = env.run(["runbook", "run", book, "--yes", "-o", "json"]).expect_code(1).json();
        assert_eq!(run["data"]["steps"][0]["state"], "failed", "{book}: {run:#}");
    }
    let run = env.run(["runbook", "run", "long.md", "--yes", "-o", "json"]).expect_code(0).json();
    let output = run["data"]["steps"][0]["output"].as_str().unwrap();
    assert!(output.len() <= 16 * 1024 && output.ends_with("END\n"), "{} bytes", output.len());
    let pid = env.read("pid");
    until("the end of what a step started", Duration::from_secs(10), || {
        // Who takes the children of the dead may leave them as they are.
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        state.ok().is_none_or(|state| state.contains(") Z ")).then_some(())
    });
}
