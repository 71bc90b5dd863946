//! `liveops config`: layers and their origins, every problem at once, places, and trust.

use std::fs;

use serde_json::json;

use crate::support::{Answer, Run, Stub, TestEnv};

/// A secret that must never be seen.
const CANARY: &str = "canary-7f3a";

fn with_user_file(env: &TestEnv, text: &str) {
    fs::create_dir_all(env.user_config()).unwrap();
    fs::write(env.user_config().join("config.yaml"), text).unwrap();
}

/// `doctor` with every line of text in one piece.
fn doctor(env: &TestEnv) -> Run {
    env.command(["doctor"]).env("COLUMNS", "400").run()
}

/// What `show` has for a path: value and origin.
#[track_caller]
fn shown(run: &Run, path: &str) -> (String, String) {
    let json = run.json();
    let origin = json["data"]["origins"][path].as_str().unwrap_or_default();
    let value = path
        .split('.')
        .fold(&json["data"]["config"], |node, key| &node[key]);
    let value = value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned);
    (value, origin.to_owned())
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_project_that_over_the_user_that_over_the_default()
{
    let env = TestEnv::new();
    let path = "environments.default.prometheus.url";
    let show = |args: &[&str], variable: Option<&str>| {
        let mut command = env.command(args.iter().chain(&["config", "show", "-o", "json"]));
        if let Some(url) = variable {
            command = command.env("LIVEOPS_PROMETHEUS", url);
        }
        command.run().expect_code(0)
    };
    let bare = show(&[], None);
    assert_eq!(shown(&bare, path), ("null".into(), String::new()));
    assert_eq!(shown(&bare, "timeout"), ("30s".into(), "default".into()));

    with_user_file(
        &env,
        "timeout: 20s\nenvironments: { default: { prometheus: 'http://user:1' } }\n",
    );
    let (value, origin) = shown(&show(&[], None), path.trim_end_matches(".url"));
    assert_eq!(value, "http://user:1");
    assert!(origin.ends_with("config.yaml:2"), "{origin}");

    env.write(
        "liveops.yaml",
        "environments:\n  default:\n    prometheus: { url: 'http://project:1' }\n",
    );
    let project = show(&[], None);
    assert_eq!(
        shown(&project, path),
        ("http://project:1".into(), "liveops.yaml:3".into())
    );
    assert_eq!(
        shown(&project, "timeout").0,
        "20s",
        "the user's, since the project says nothing"
    );

    let variable = show(&[], Some("http://variable:1"));
    assert_eq!(
        shown(&variable, path),
        ("http://variable:1".into(), "LIVEOPS_PROMETHEUS".into())
    );
    let flag = show(
        &["--prometheus", "flag:1", "--timeout", "7s"],
        Some("http://variable:1"),
    );
    assert_eq!(
        shown(&flag, path),
        ("http://flag:1".into(), "--prometheus".into())
    );
    assert_eq!(shown(&flag, "timeout"), ("7s".into(), "--timeout".into()));
}

#[test]
fn show_is_a_configuration_itself_and_says_who_said_what() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        r#"
version: 1
default_env: prod
environments:
  prod:
    prometheus: { url: "https://${PROM_HOST}/", headers: { Authorization: "Bearer ${TOKEN}" } }
kpis:
  - { name: error_rate, ratio: { of: 'http_requests_total{status=~"5.."}', to: http_requests_total }, warn: "> 0.1%" }
"#,
    );
    let run = env.run(["config", "show", "--origin"]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r###"
    code: 0
    --- stdout
    # environment: prod (liveops.yaml:3)
    version: 1                                    # liveops.yaml:2
    default_env: prod                             # liveops.yaml:3
    environments:
      prod:
        prometheus:
          url: https://${PROM_HOST}/              # liveops.yaml:6
          headers:
            Authorization: Bearer ${TOKEN}        # liveops.yaml:6
    kpis:
      - name: error_rate                          # liveops.yaml:8
        ratio:
          of: http_requests_total{status=~"5.."}  # liveops.yaml:8
          to: http_requests_total                 # liveops.yaml:8
        warn: '> 0.1%'                            # liveops.yaml:8
    read_only: false                              # default
    timeout: 30s                                  # default
    call_timeout: 5s                              # default
    silences:
      max: 4h                                     # default
    # next: liveops config validate
    --- stderr
    "###);
    env.write(
        "again.yaml",
        env.run(["config", "show"]).expect_code(0).stdout,
    );
    env.run(["--config", "again.yaml", "config", "validate"])
        .expect_code(0);
    let csv = env
        .run(["config", "show", "-o", "csv"])
        .expect_code(0)
        .stdout;
    assert!(
        csv.starts_with("key,value,origin\nversion,1,liveops.yaml:2\n"),
        "{csv}"
    );
}

#[test]
fn every_problem_of_every_layer_and_environment_shows_at_once() {
    let env = TestEnv::new();
    with_user_file(&env, "timeout: 0s\n");
    env.write(
        "liveops.yaml",
        "version: 2
default_env: prdo
environments:
  staging:
    promethues: { url: 'http://h' }
  prod:
    alertmanager: { url: 'h:9093' }
    services: { lobbi: {} }
version: 1
services: [ { name: lobby } ]
kpis:
  - { name: a, gauge: 'x{', service: lobi }
  - { name: b, gauge: x, rate: y }
  - { name: c, gauge: x, warn: 'a lot' }
",
    );
    let run = env.run(["config", "validate"]).expect_code(2);
    insta::assert_snapshot!(run.snapshot(), @r###"
    code: 2
    --- stdout
    --- stderr
    error: the configuration has 11 problems
      [TEMP]/config/liveops/config.yaml:1: `timeout`: `0s` must be longer than zero
      liveops.yaml:1: `version`: must be 1, the only version that this liveops reads
      liveops.yaml:2: `default_env`: environment `prdo` does not exist; did you mean `prod`?
      liveops.yaml:5: `environments.staging.promethues`: unknown key; did you mean `prometheus`?
      liveops.yaml:7: `environments.prod.alertmanager.url`: must begin with `http:` or `https:`; did you mean `http://h:9093`?
      liveops.yaml:8: `environments.prod.services.lobbi`: there is no such service to override; did you mean `lobby`?
      liveops.yaml:9: key `version` is given twice; first on line 1
      liveops.yaml:12: `kpis.a.gauge`: `x{` is not a metric selector: unexpected end of input inside braces
      liveops.yaml:12: `kpis.a.service`: there is no service `lobi`; did you mean `lobby`?
      liveops.yaml:13: `kpis.b`: has gauge and rate at once; choose one
      liveops.yaml:14: `kpis.c.warn`: `a lot` is not a threshold: begin with `>`, `>=`, `<`, `<=`, `==` or `!=`, as in `> 5`

    hint: fix the lines above, then run `liveops config validate`
    "###);
    let error = env
        .run(["config", "validate", "-o", "json"])
        .expect_code(2)
        .json_error();
    assert_eq!(error["kind"], "config");
    let problems = error["problems"].as_array().unwrap();
    assert_eq!(
        problems.len(),
        error["error"].as_str().unwrap().lines().count() - 1
    );
    assert!(
        problems
            .iter()
            .any(|problem| problem["line"] == 5
                && problem["key"] == "environments.staging.promethues")
    );
    // Any other command says the same about what it reads.
    assert!(
        env.run(["-e", "staging", "doctor"])
            .expect_code(2)
            .stderr
            .contains("did you mean `prometheus`?")
    );
}

#[test]
fn a_good_configuration_is_counted_and_a_warning_is_no_error() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "environments: { a: {}, b: {} }\ndefault_env: a\nservices: [ { name: x } ]\npolicies: { p: {} }\n");
    insta::assert_snapshot!(env.run(["config", "validate"]).expect_code(0).snapshot(), @r###"
    code: 0
    --- stdout
    2 environments, 1 service and 0 KPIs are sound
    read from liveops.yaml
    warning: liveops.yaml:4: `policies`: accepted, but this version has no `rollout` command to use it

    next: liveops doctor
    --- stderr
    "###);
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "kpis: [\n  { name: a\n");
    env.write("list.yaml", "- a\n");
    fs::create_dir(env.path().join("folder")).unwrap();
    for (args, code, words) in [
        (
            &["config", "validate"][..],
            2,
            "liveops.yaml:3: not valid YAML",
        ),
        (
            &["--config", "nope.yaml", "config", "validate"],
            2,
            "the configuration file `nope.yaml` does not exist",
        ),
        (
            &["--config", "nope.yaml", "doctor"],
            2,
            "named by `--config`",
        ),
        (&["--config", "folder", "doctor"], 2, "is a folder"),
        (
            &["--config", "list.yaml", "doctor"],
            2,
            "list.yaml:1: the file must be a mapping",
        ),
    ] {
        let run = env.run(args).expect_code(code);
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
    }
    let empty = TestEnv::new();
    let run = empty.run(["config", "validate"]).expect_code(2);
    assert!(run.stderr.contains("liveops init"), "{}", run.stderr);
}

#[test]
fn the_project_file_is_found_upwards_and_places_are_named() {
    let env = TestEnv::new();
    let bare = env.run(["config", "path"]).expect_code(0);
    insta::assert_snapshot!(bare.snapshot(), @r###"
    code: 0
    --- stdout
    · project file  [TEMP]/work/liveops.yaml  not here, nor in any folder above
    · your own file [TEMP]/config/liveops/config.yaml  not there
    · trust         [TEMP]/state/liveops/trust.json  made when needed
    · audit log     [TEMP]/state/liveops/audit.jsonl  made when needed
    · state         [TEMP]/state/liveops  made when needed
    · cache         [TEMP]/cache/liveops  made when needed

    next: liveops init
    --- stderr
    "###);
    fs::write(env.root().join("liveops.yaml"), "project: above\n").unwrap();
    let run = env
        .run(["config", "path", "-o", "json"])
        .expect_code(0)
        .json();
    let project = &run["data"]["files"][0];
    assert_eq!(project["found"], true);
    assert_eq!(
        project["path"],
        env.root().join("liveops.yaml").display().to_string()
    );
    let shown = env.run(["config", "show"]).expect_code(0);
    assert!(shown.stdout.contains("project: above"));
    // Also with a file that is broken: where it is, is what one wants to know then.
    fs::write(env.root().join("liveops.yaml"), "a: [\n").unwrap();
    env.run(["config", "path"]).expect_code(0);
}

#[test]
fn an_unknown_environment_has_a_nearest_one() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "environments: { staging: {}, prod: {} }\n");
    let run = env.run(["-e", "stagin", "doctor"]).expect_code(2);
    assert!(
        run.stderr.contains("environment `stagin` does not exist")
            && run.stderr.contains("did you mean `staging`?"),
        "{}",
        run.stderr
    );
    let run = doctor(&env).expect_code(2);
    assert!(
        run.stderr.contains("several environments: staging, prod"),
        "{}",
        run.stderr
    );
}

#[test]
fn literal_secrets_are_refused_and_shown_nowhere() {
    for text in [
        format!(
            "environments: {{ a: {{ prometheus: {{ url: 'http://h', headers: {{ Authorization: 'Bearer {CANARY}' }} }} }} }}"
        ),
        format!("environments: {{ a: {{ prometheus: 'http://u:{CANARY}@h' }} }}"),
        format!("environments: {{ a: {{ flags: 'redis://:{CANARY}@${{HOST}}' }} }}"),
        format!(
            "environments: {{ a: {{ clickhouse: {{ url: 'http://h', password: {CANARY} }} }} }}"
        ),
        format!("environments: {{ a: {{ prometheus: 'http://h/?token={CANARY}' }} }}"),
    ] {
        let env = TestEnv::new();
        env.write("liveops.yaml", &text);
        for args in [
            &["config", "validate"][..],
            &["config", "show", "--origin"],
            &["doctor", "-vv"],
            &["config", "show", "-o", "json"],
        ] {
            let run = env.run(args).expect_code(2);
            assert!(
                !format!("{}{}", run.stdout, run.stderr).contains(CANARY),
                "{text}: {args:?}: {}",
                run.stderr
            );
            assert!(
                run.stderr.contains("must not stand in a file"),
                "{text}: {}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_secret_is_sent_and_never_shown() {
    let health = Stub::new().on("GET", "/api/health", Answer::json(json!({"status": "ok"})));
    let env = TestEnv::new().var("TOKEN", CANARY);
    env.write("token", format!("{CANARY}\n"));
    with_user_file(
        &env,
        &format!(
            "services:\n  - name: game\n    health: {{ url: '{}', headers: {{ Authorization: 'Bearer ${{TOKEN}}', X-Key: {{ command: [echo, '{CANARY}'] }}, X-File: {{ file: '{}' }} }} }}\n",
            health.url(),
            env.path().join("token").display()
        ),
    );
    // The command's own argument is in the file, by the test's choice: `show` may print that file back.
    for args in [
        &["doctor", "-vv"][..],
        &["doctor", "-o", "json"],
        &["doctor", "--all"],
        &["config", "validate"],
    ] {
        let run = env.run(args);
        assert!(
            !format!("{}{}", run.stdout, run.stderr).contains(CANARY),
            "{args:?}: {}{}",
            run.stdout,
            run.stderr
        );
    }
    let sent = health.requests_to("/api/health");
    for (header, value) in [
        ("authorization", format!("Bearer {CANARY}")),
        ("x-key", CANARY.into()),
        ("x-file", CANARY.into()),
    ] {
        assert_eq!(sent[0].header(header), Some(value.as_str()));
    }
}

#[test]
fn a_project_cannot_send_the_users_secret_to_its_own_host_before_it_is_trusted_nor_after_it_changed()
 {
    let (one, two) = (Stub::new(), Stub::new());
    for stub in [&one, &two] {
        stub.set(
            "*",
            "/*",
            Answer::json(json!({"status": "success", "data": []})),
        );
    }
    let env = TestEnv::new().var("TOKEN", CANARY);
    with_user_file(
        &env,
        "environments: { prod: { prometheus: { url: 'https://mine.example', headers: { Authorization: 'Bearer ${TOKEN}' } } } }\n",
    );
    let point_at = |stub: &Stub| {
        env.write(
            "liveops.yaml",
            format!(
                "environments: {{ prod: {{ prometheus: {{ url: '{}' }} }} }}\n",
                stub.url()
            ),
        );
    };
    let leaked = |stub: &Stub| {
        stub.requests()
            .iter()
            .any(|request| request.header("authorization").is_some())
    };

    point_at(&one);
    let run = doctor(&env).expect_code(1);
    assert!(
        run.stdout
            .contains("send your secret header `Authorization`")
            && run.stdout.contains("liveops config trust"),
        "{}",
        run.stdout
    );
    assert!(
        one.requests().is_empty(),
        "not even asked without the header"
    );

    // Nobody agreed.
    let refused = env.run(["config", "trust"]).expect_code(4);
    assert!(refused.stderr.contains(&one.url()), "{}", refused.stderr);
    doctor(&env).expect_code(1);
    assert!(one.requests().is_empty());

    let trusted = env.run(["config", "trust", "--yes"]).expect_code(0);
    assert!(trusted.stdout.contains("(trusted)"), "{}", trusted.stdout);
    doctor(&env);
    assert!(leaked(&one), "now it is sent");

    point_at(&two);
    let run = doctor(&env).expect_code(1);
    assert!(run.stdout.contains("is not trusted"), "{}", run.stdout);
    assert!(two.requests().is_empty(), "another host was not agreed to");

    point_at(&one);
    env.run(["config", "trust", "--revoke"]).expect_code(0);
    doctor(&env).expect_code(1);
    let run = env.run(["config", "trust", "--dry-run"]).expect_code(0);
    assert!(run.stdout.contains("(not trusted)"), "{}", run.stdout);
}

#[test]
fn a_projects_files_and_commands_need_trust_and_the_users_do_not() {
    let health = Stub::new().on("*", "/*", Answer::json(json!({"status": "ok"})));
    let file = |value: &str| {
        format!(
            "services: [ {{ name: game, health: {{ url: '{}', headers: {{ X-Key: {value} }} }} }} ]\n",
            health.url()
        )
    };
    for value in [
        "{ command: [sh, -c, 'touch ran; echo x'] }",
        "{ file: token }",
    ] {
        let env = TestEnv::new();
        env.write("token", "x");
        env.write("liveops.yaml", file(value));
        let run = doctor(&env).expect_code(1);
        assert!(run.stdout.contains("is not trusted"), "{}", run.stdout);
        assert!(!env.path().join("ran").exists(), "nothing was run");
        env.run(["config", "trust", "-y"]).expect_code(0);
        doctor(&env).expect_code(0);
        assert_eq!(value.contains("touch"), env.path().join("ran").exists());
        let again = env.run(["config", "trust"]).expect_code(0);
        assert!(
            again.stdout.contains("(trusted)"),
            "nothing is left to ask: {}",
            again.stdout
        );
    }
    // The user's own file is below the user's own folder, whatever lies in the project.
    let env = TestEnv::new();
    with_user_file(&env, &file("{ file: token }"));
    fs::write(env.user_config().join("token"), "mine").unwrap();
    env.write("token", "the project's");
    env.write("liveops.yaml", "project: x\n");
    doctor(&env).expect_code(0);
    let sent = health.requests();
    assert_eq!(sent.last().unwrap().header("x-key"), Some("mine"));
    let nothing = env.run(["config", "trust"]).expect_code(0);
    assert!(
        nothing.stdout.contains("asks for nothing that needs trust"),
        "{}",
        nothing.stdout
    );
}

#[test]
fn trust_asks_on_a_terminal_and_enter_means_no() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "services: [ { name: game, health: { url: { command: [echo, 'http://h'] } } } ]\n",
    );
    let mut terminal = env.pty(["config", "trust"]);
    terminal.expect("get the URL of game from {command: [echo, http://h]}");
    terminal.expect("let it?").send_line("");
    assert_eq!(terminal.wait().0, 4);
    let mut terminal = env.pty(["config", "trust"]);
    terminal.expect("let it?").send_line("y");
    assert_eq!(terminal.wait().0, 0);
    env.run(["config", "trust"]).expect_code(0);
}
