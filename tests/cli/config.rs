//! `liveops config`: layers and their origins, every problem at once, and places.

use std::fs;

use serde_json::json;

use crate::support::{Answer, Run, Stub, TestEnv};

fn with_user_file(env: &TestEnv, text: &str) {
    fs::create_dir_all(env.user_config()).unwrap();
    fs::write(env.user_config().join("config.yaml"), text).unwrap();
}

/// What `show` has for a path: value and origin.
#[track_caller]
fn shown(run: &Run, path: &str) -> (String, String) {
    let json = run.json();
    let origin = json["data"]["origins"][path].as_str().unwrap_or_default();
    let value = path.split('.').fold(&json["data"]["config"], |node, key| &node[key]);
    let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    (value, origin.to_owned())
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_project_that_over_the_user_that_over_the_default() {
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

    with_user_file(&env, "timeout: 20s\nenvironments: { default: { prometheus: 'http://user:1' } }\n");
    let (value, origin) = shown(&show(&[], None), path.trim_end_matches(".url"));
    assert_eq!(value, "http://user:1");
    assert!(origin.ends_with("config.yaml:2"), "{origin}");

    env.write("liveops.yaml", "environments:\n  default:\n    prometheus: { url: 'http://project:1' }\n");
    let project = show(&[], None);
    assert_eq!(shown(&project, path), ("http://project:1".into(), "liveops.yaml:3".into()));
    assert_eq!(shown(&project, "timeout").0, "20s", "the user's, since the project says nothing");

    let variable = show(&[], Some("http://variable:1"));
    assert_eq!(shown(&variable, path), ("http://variable:1".into(), "LIVEOPS_PROMETHEUS".into()));
    let flag = show(&["--prometheus", "flag:1", "--timeout", "7s"], Some("http://variable:1"));
    assert_eq!(shown(&flag, path), ("http://flag:1".into(), "--prometheus".into()));
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
    env.write("again.yaml", env.run(["config", "show"]).expect_code(0).stdout);
    env.run(["--config", "again.yaml", "config", "validate"]).expect_code(0);
    let csv = env.run(["config", "show", "-o", "csv"]).expect_code(0).stdout;
    assert!(csv.starts_with("key,value,origin\nversion,1,liveops.yaml:2\n"), "{csv}");
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
      liveops.yaml:12: `kpis.a.gauge`: `x{` is not a metric selector: column 3: `{` of column 2 is not closed
      liveops.yaml:12: `kpis.a.service`: there is no service `lobi`; did you mean `lobby`?
      liveops.yaml:13: `kpis.b`: has gauge and rate at once; choose one
      liveops.yaml:14: `kpis.c.warn`: `a lot` is not a threshold: begin with `>`, `>=`, `<`, `<=`, `==` or `!=`, as in `> 5`

    hint: fix the lines above, then run `liveops config validate`
    "###);
    let error = env.run(["config", "validate", "-o", "json"]).expect_code(2).json_error();
    assert_eq!(error["kind"], "config");
    let problems = error["problems"].as_array().unwrap();
    assert_eq!(problems.len(), error["error"].as_str().unwrap().lines().count() - 1);
    assert!(problems.iter().any(|problem| problem["line"] == 5 && problem["key"] == "environments.staging.promethues"));
    // Any other command says the same about what it reads.
    assert!(env.run(["-e", "staging", "doctor"]).expect_code(2).stderr.contains("did you mean `prometheus`?"));
}

#[test]
fn what_is_wrong_in_several_environments_and_regions_is_said_once() {
    let env = TestEnv::new();
    let source = "{ kind: s3, bucket: b, region: eu }";
    let text = "version: 1\ndefault_env: b\nenvironments: { a: {}, b: { regions: { eu: {}, us: {} } } }\n";
    env.write("liveops.yaml", format!("{text}backups: [ {{ name: x, source: {source} }} ]\n"));
    for command in [&["config", "validate"][..], &["status"]] {
        let run = env.run(command).expect_code(2);
        assert!(run.stderr.contains("the configuration has 2 problems"), "{}", run.stderr);
        assert_eq!(run.stderr.matches("`access_key` is missing").count(), 1, "{}", run.stderr);
    }
}

#[test]
fn a_good_configuration_is_counted() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "environments: { a: {}, b: {} }\ndefault_env: a\nservices: [ { name: x } ]\npolicies: { p: {} }\n",
    );
    insta::assert_snapshot!(env.run(["config", "validate"]).expect_code(0).snapshot(), @r###"
    code: 0
    --- stdout
    2 environments, 1 service and 0 KPIs are sound
    read from liveops.yaml

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
        (&["config", "validate"][..], 2, "liveops.yaml:3: not valid YAML"),
        (&["--config", "nope.yaml", "config", "validate"], 2, "the configuration file `nope.yaml` does not exist"),
        (&["--config", "nope.yaml", "doctor"], 2, "named by `--config`"),
        (&["--config", "folder", "doctor"], 2, "is a folder"),
        (&["--config", "list.yaml", "doctor"], 2, "list.yaml:1: the file must be a mapping"),
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
    let run = env.run(["config", "path", "-o", "json"]).expect_code(0).json();
    let project = &run["data"]["files"][0];
    assert_eq!(project["found"], true);
    assert_eq!(project["path"], env.root().join("liveops.yaml").display().to_string());
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
        run.stderr.contains("environment `stagin` does not exist") && run.stderr.contains("did you mean `staging`?"),
        "{}",
        run.stderr
    );
    let run = env.run(["doctor"]).expect_code(2);
    assert!(run.stderr.contains("several environments: staging, prod"), "{}", run.stderr);
}

#[test]
fn endpoints_of_the_command_line_take_the_place_of_the_files_and_bring_no_headers_along() {
    let env = TestEnv::new();
    let stub = Stub::new().on("*", "/*", Answer::json(json!({"status": "ok"})));
    env.write(
        "liveops.yaml",
        "environments: { a: { prometheus: { url: 'http://h', headers: { X-Scope-OrgID: game } }, services: { game: { owner: b } } } }
services: [ { name: game, owner: a } ]
kpis: [ { name: k, gauge: g, service: game } ]
",
    );
    env.run(["doctor", "--health", &stub.url(), "--prometheus", &stub.url()]);
    assert!(!stub.requests().is_empty());
    assert!(stub.requests().iter().all(|request| request.header("x-scope-orgid").is_none()));
    let shown = env.run(["--health", &format!("lobby={}", stub.url()), "config", "show"]).expect_code(0);
    assert!(shown.stdout.contains("name: lobby") && !shown.stdout.contains("name: game"), "{}", shown.stdout);
}
