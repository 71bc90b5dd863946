//! What was done elsewhere: in another project, environment or system. It is not listed, not suspected, not offered.

use serde_json::{Value, json};

use crate::alertmanager_stub::{AlertmanagerStub, alert};
use crate::support::TestEnv;
use crate::support::run::Run;

const PROJECT: &str = "version: 1\nproject: NAME\nenvironments: { live: { flags: 'file:flags.json' } }\n";

/// Two projects of one user, each with an environment `live` and flags of its own.
fn two() -> TestEnv {
    let env = TestEnv::new();
    for (folder, flag) in [("pa", "only_in_a"), ("pb", "only_in_b")] {
        env.write(format!("{folder}/liveops.yaml"), PROJECT.replace("NAME", folder));
        env.write(
            format!("{folder}/flags.json"),
            format!(r#"{{"{flag}": {{"enabled": true, "percentage": 5, "defaultValue": true}}}}"#),
        );
    }
    env
}

fn at(env: &TestEnv, project: &str, args: &[&str]) -> Run {
    let config = format!("{project}/liveops.yaml");
    env.run(args.iter().copied().chain(["--config", &config]))
}

#[allow(clippy::needless_pass_by_value, reason = "a run is read once")]
fn data(run: Run) -> Value {
    run.json()["data"].clone()
}

#[test]
fn another_project_is_not_listed_not_suspected_and_not_undone() {
    let env = two();
    at(&env, "pb", &["flag", "set", "only_in_b", "--pct", "20", "--yes"]).expect_code(0);
    let made = at(&env, "pa", &["flag", "set", "only_in_a", "--pct", "50", "--yes", "-o", "json"]).expect_code(0);
    let id = data(made)["id"].as_str().unwrap().to_owned();
    for screen in
        [&["status"][..], &["changes"], &["triage", "--non-interactive"], &["undo", "--list"], &["audit", "list"]]
    {
        let shown = at(&env, "pb", screen).stdout;
        assert!(!shown.contains("only_in_a"), "{screen:?}\n{shown}");
        let json = at(&env, "pb", &[screen, &["-o", "json"]].concat()).stdout;
        assert!(!json.contains("only_in_a"), "{screen:?}\n{json}");
        assert!(at(&env, "pa", screen).stdout.contains("only_in_a"), "{screen:?}");
    }
    let refused = at(&env, "pb", &["undo", &id, "--yes"]).expect_code(2);
    assert!(refused.stderr.contains("was made in project `pa`, and this is project `pb`"), "{}", refused.stderr);
    // The latest of all is A's; what is undone is B's.
    at(&env, "pb", &["undo", "--yes"]).expect_code(0);
    assert!(env.read("pb/flags.json").contains(r#""percentage": 5"#), "{}", env.read("pb/flags.json"));
    assert!(env.read("pa/flags.json").contains(r#""percentage": 50"#), "{}", env.read("pa/flags.json"));
    at(&env, "pb", &["undo", "--yes"]).expect_code(4);
}

#[test]
fn everywhere_lists_it_with_its_place() {
    let env = two();
    at(&env, "pa", &["flag", "set", "only_in_a", "--pct", "50", "--yes"]).expect_code(0);
    for (screen, want) in [
        (&["changes", "--everywhere"][..], "(in live of pa)"),
        (&["audit", "list", "--everywhere"], "in live of pa, done"),
        (&["undo", "--list", "--everywhere"], "in live of pa, done"),
    ] {
        let shown = at(&env, "pb", screen).expect_code(0).stdout;
        assert!(shown.contains(want), "{screen:?}\n{shown}");
    }
    let listed = at(&env, "pb", &["undo", "--list"]).expect_code(0).stdout;
    assert!(listed.contains("1 change elsewhere; `--everywhere` lists them"), "{listed}");
    let next = at(&env, "pb", &["undo", "--list", "--everywhere"]).stdout;
    assert!(next.contains("liveops audit list"), "no undo of another project is the next command\n{next}");
}

#[test]
fn another_system_of_the_same_name_is_elsewhere() {
    let firing = || AlertmanagerStub::start(json!([alert("ServerDown", "critical", "eu-1")]));
    let (first, second) = (firing(), firing());
    let env = first.env();
    env.run(["silence", "add", "ServerDown", "--for", "1h", "--comment", "x", "--yes"]).expect_code(0);
    assert!(env.run(["changes"]).stdout.contains("ServerDown"));
    let other = ["--alertmanager", &second.url()].map(ToOwned::to_owned);
    for screen in [&["changes"][..], &["undo", "--list"], &["audit", "list"], &["status"]] {
        let args = screen.iter().map(|arg| (*arg).to_owned()).chain(other.clone());
        let shown = env.run(args).stdout;
        assert!(!shown.contains("silence {alertname"), "{screen:?}\n{shown}");
    }
    let refused = env.run(["undo", "--yes", "--alertmanager", &second.url()]).expect_code(4);
    assert!(refused.stderr.contains("there is nothing to undo"), "{}", refused.stderr);
    assert_eq!(first.live().len(), 1);
}

#[test]
fn a_record_knows_project_environment_and_backend_but_no_credentials() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\nproject: pa\nenvironments: { live: { alertmanager: '${AM_URL}' } }\n");
    let stub = AlertmanagerStub::start(json!([alert("ServerDown", "critical", "eu-1")]));
    let url = stub.url().replace("//", "//ada:canary-5@");
    let env = env.var("AM_URL", &url);
    env.trust();
    let added = env.run(["silence", "add", "ServerDown", "--for", "1h", "--comment", "x", "--yes", "-o", "json"]);
    let id = data(added.expect_code(0))["id"].as_str().unwrap().to_owned();
    let log = std::fs::read_to_string(env.state().join("audit.jsonl")).unwrap();
    assert!(!log.contains("canary-5"), "{log}");
    let record = data(env.run(["audit", "show", &id, "-o", "json"]).expect_code(0));
    assert_eq!((&record["project"], &record["environment"]), (&json!("pa"), &json!("live")));
    assert_eq!(record["backend"]["kind"], "alertmanager");
    assert_eq!(record["backend"]["fingerprint"].as_str().map(str::len), Some(16), "{record}");
    // A secret that is not set makes the place unknown, not green and not elsewhere.
    let unset = env.command(["status"]).env_remove("AM_URL").run();
    assert!(unset.stdout.contains("place unknown: "), "{}", unset.stdout);
}

#[test]
fn an_old_record_is_of_an_unknown_place_and_never_undone_blindly() {
    let env = two();
    at(&env, "pa", &["flag", "set", "only_in_a", "--pct", "50", "--yes"]).expect_code(0);
    // As liveops wrote it before records knew their place.
    let path = env.state().join("audit.jsonl");
    let log = std::fs::read_to_string(&path).unwrap();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    std::fs::remove_file(&path).unwrap();
    let journal = liveops_engine::files::journal::Journal::at(&path);
    for event in &events {
        let mut data = event["data"].clone();
        data.as_object_mut().unwrap().retain(|key, _| key != "project" && key != "backend");
        let at = event["at"].as_str().unwrap().parse().unwrap();
        journal.append(at, "ada", event["type"].as_str().unwrap(), data).unwrap();
    }
    env.write("pa/flags.json", env.read("pa/flags.json"));
    for project in ["pa", "pb"] {
        let shown = at(&env, project, &["audit", "list"]).expect_code(0).stdout;
        assert!(shown.contains("in live, place unknown, done"), "{shown}");
        let refused = at(&env, project, &["undo", "--yes"]).expect_code(4);
        assert!(refused.stderr.contains("there is nothing to undo"), "{}", refused.stderr);
    }
    let shown = at(&env, "pb", &["changes"]).expect_code(0).stdout;
    assert!(shown.contains("place unknown: "), "{shown}");
    assert!(env.read("pa/flags.json").contains(r#""percentage": 50"#));
}

#[test]
fn a_run_of_another_projects_runbook_is_not_resumed() {
    let env = TestEnv::new();
    for project in ["pa", "pb"] {
        env.write(
            format!("{project}/liveops.yaml"),
            format!("version: 1\nproject: {project}\nenvironments: {{ live: {{}} }}\n"),
        );
        let book = format!(
            "# Restart\n\n## Steps\n\n```sh {{name=first}}\necho {project}-first\n```\n\n```sh {{name=second}}\nexit 1\n```\n"
        );
        env.write(format!("{project}/docs/runbooks/restart.md"), book);
    }
    let _ = at(&env, "pa", &["runbook", "run", "restart", "--yes"]);
    let resumed = at(&env, "pb", &["runbook", "run", "restart", "--resume", "--yes"]);
    assert!(!resumed.stdout.contains("skip"), "{}\n{}", resumed.stdout, resumed.stderr);
    let runs: Vec<_> =
        std::fs::read_dir(env.state().join("runs")).map(|all| all.flatten().collect()).unwrap_or_default();
    assert!(runs.iter().all(|run| run.path().is_dir()), "a folder a project: {runs:?}");
}

#[test]
fn what_is_open_in_another_environment_is_said_and_stands_on_the_timeline_of_all() {
    let env = TestEnv::new().now("2026-01-15T10:30:00Z");
    env.write("liveops.yaml", "version: 1\ndefault_env: live\nenvironments: { live: {}, lab: {} }\n");
    env.run(["incident", "open", "--sev", "p2", "--title", "slow", "-e", "lab"]).expect_code(0);
    env.run(["changes", "record", "--kind", "deploy", "--service", "shop", "--version", "2", "-e", "lab"]);
    let list = env.run(["incident", "list"]).expect_code(0).stdout;
    assert!(list.contains("no incident is open here") && list.contains("something is open in `lab`"), "{list}");
    assert!(list.contains("next: liveops incident list --all"), "{list}");
    let here = env.run(["changes"]).stdout;
    assert!(!here.contains("slow"), "{here}");
    let everywhere = env.run(["changes", "--everywhere"]).stdout;
    assert!(everywhere.contains("slow (in lab)") && everywhere.matches("(in lab)").count() == 2, "{everywhere}");
}

/// Where a file is, nothing proposes to write one over it; what is refused in any case is not asked about.
#[test]
fn what_is_proposed_and_asked_fits_the_file() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\n");
    let status = env.run(["status"]).stdout;
    assert!(!status.contains("liveops init") && status.contains("liveops config show --origin"), "{status}");
    let place = "version: 1\nenvironments: { live: { protected: true, read_only: true } }\n";
    env.write("liveops.yaml", place);
    env.write("flags.json", r#"{"a": {"enabled": true, "percentage": 5, "defaultValue": true}}"#);
    for args in [&["flag", "set", "a", "--pct", "6"][..], &["flag", "set", "a", "--pct", "6", "--yes"]] {
        let run = env.run(args).expect_code(4);
        assert!(run.stderr.contains("read-only: will not set flag"), "{}", run.stderr);
    }
    env.write("liveops.yaml", place.replace("read_only: true", "read_only: false"));
    let run = env.run(["flag", "set", "a", "--pct", "6", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("--reason 'what the next engineer should know' --confirm live"), "{}", run.stderr);
    for name in ["a b", "a/b", "-a", ".a", "a;b", "a$b"] {
        env.write("liveops.yaml", format!("version: 1\nenvironments: {{ '{name}': {{}} }}\n"));
        let run = env.run(["status"]).expect_code(2);
        assert!(run.stderr.contains("a name has letters, digits"), "{name}: {}", run.stderr);
        env.write("liveops.yaml", "version: 1\n");
        let run = env.run([&format!("--env={name}"), "status"]).expect_code(2);
        assert!(run.stderr.contains("a name has letters, digits"), "{name}: {}", run.stderr);
    }
}
