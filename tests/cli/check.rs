//! What all gates share: formats, baselines, waivers, exit codes. `check runbooks` stands for them.

use std::process::Command;

use serde_json::Value;

use crate::support::{Run, TestEnv};

const RULES: &str =
    "groups: [{ name: a, rules: [{ alert: QueueStuck, expr: 'up == 0' }, { alert: Down, expr: 'up == 0' }] }]";

fn world() -> TestEnv {
    let env = TestEnv::new();
    env.write("rules.yml", RULES);
    env
}

fn check(env: &TestEnv, more: &[&str]) -> Run {
    env.run(["check", "runbooks", "--rules", "rules.yml"].iter().chain(more))
}

#[test]
fn a_finding_fails_by_its_level_and_every_format_has_it() {
    let env = world();
    let run = check(&env, &[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("FAIL  2 rules, 0 runbooks: 2 HIGH"), "{}", run.stdout);
    assert_eq!(check(&env, &["--fail-on", "blocker"]).code, 0);

    let json = check(&env, &["-o", "json"]).json();
    let data = &json["data"];
    assert_eq!(data["findings"].as_array().unwrap().len(), 2);
    assert_eq!(data["findings"][0]["level"], "HIGH");
    assert_eq!(data["checked"]["rules"], 2);
    assert_eq!(data["unknown"].as_array().unwrap().len(), 0);

    let sarif: Value = serde_json::from_str(&check(&env, &["-o", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 2);
    let github = check(&env, &["-o", "github"]).stdout;
    assert_eq!(github.lines().filter(|line| line.starts_with("::error ")).count(), 2, "{github}");
    let gitlab: Vec<Value> = serde_json::from_str(&check(&env, &["-o", "gitlab"]).stdout).unwrap();
    assert_eq!(gitlab.len(), 2);
    assert!(check(&env, &["-o", "junit"]).stdout.contains("failures=\"2\""));
    assert_eq!(check(&env, &["-o", "sarif"]).code, 1);
}

#[test]
fn a_format_of_findings_is_refused_elsewhere_before_anything_is_done() {
    let run = world().run(["status", "-o", "sarif"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("this command has no `sarif` form"), "{}", run.stderr);
}

#[test]
fn nothing_to_check_is_no_pass() {
    let env = TestEnv::new();
    env.write("rules.yml", "groups: []");
    let run = check(&env, &[]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("UNKNOWN, nothing could be checked"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_told_fails_only_where_that_is_asked_for() {
    let env = TestEnv::new();
    env.write("docs/runbooks/alerts/Down.md", "# Down\n\n## Symptoms\nx\n");
    let check = ["check", "runbooks", "--fail-on", "blocker"];
    let run = env.run(check);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("UNKNOWN in part") && !run.stdout.contains("PASS"), "{}", run.stdout);
    let run = env.run(check.into_iter().chain(["--strict"]));
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    // What was asked and did not answer passes nowhere.
    let run = env.run(check.into_iter().chain(["--prometheus", "http://127.0.0.1:1"]));
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_baseline_knows_old_findings_and_no_new_ones() {
    let env = world();
    assert_eq!(check(&env, &["--write-baseline", "known.json"]).code, 1);
    let run = check(&env, &["--baseline", "known.json"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("2 in the baseline"), "{}", run.stdout);
    env.write("rules.yml", RULES.replace("Down", "New"));
    let run = check(&env, &["--baseline", "known.json"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("1 HIGH, 1 in the baseline, 1 of the baseline fixed"), "{}", run.stdout);
    env.write("known.json", "{}");
    let run = check(&env, &["--baseline", "known.json"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--write-baseline known.json"), "{}", run.stderr);
}

const WAIVERS: &str = "- { id: R01, subject: Down, owner: ana, reason: being written, until: 2099-01-01 }
- { id: R01, subject: QueueStuck, owner: ana, reason: too, until: 2099-01-01 }
";

#[test]
fn a_waiver_hides_and_its_faults_are_findings() {
    let env = world();
    env.write("liveops.waivers.yaml", WAIVERS);
    let run = check(&env, &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("2 waived (the next ends on 2099-01-01)"), "{}", run.stdout);
    env.write("liveops.waivers.yaml", WAIVERS.replacen("2099", "2001", 1));
    let run = check(&env, &[]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("WAIVER-ENDED"), "{}", run.stdout);
    env.write(
        "liveops.waivers.yaml",
        format!("{WAIVERS}- {{ id: R01, subject: Gone, owner: a, reason: b, until: 2099-01-01 }}"),
    );
    assert!(check(&env, &[]).stdout.contains("WAIVER-UNUSED"));
    env.write("liveops.waivers.yaml", "{");
    assert_eq!(check(&env, &[]).code, 2);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test is its own git user")]
fn a_change_cannot_excuse_itself() {
    let env = world();
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"];
        let run = command.current_dir(env.path()).args(identity).args(args).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "rules.yml"]);
    git(&["commit", "-qm", "before"]);
    env.write("liveops.waivers.yaml", WAIVERS);
    assert_eq!(check(&env, &[]).code, 0);
    assert_eq!(check(&env, &["--waivers-from", "HEAD"]).code, 1);
    git(&["add", "."]);
    git(&["commit", "-qm", "reviewed"]);
    assert_eq!(check(&env, &["--waivers-from", "HEAD"]).code, 0);
    let run = check(&env, &["--waivers-from", "nowhere"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("git knows no commit `nowhere`"), "{}", run.stderr);
}
