//! Secrets of the configuration: shown nowhere, and sent only where the user agreed to (`liveops config trust`).

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

#[test]
fn literal_secrets_are_refused_and_shown_nowhere() {
    for text in [
        format!(
            "environments: {{ a: {{ prometheus: {{ url: 'http://h', headers: {{ Authorization: 'Bearer {CANARY}' }} }} }} }}"
        ),
        format!("environments: {{ a: {{ prometheus: 'http://u:{CANARY}@h' }} }}"),
        format!("environments: {{ a: {{ flags: 'redis://:{CANARY}@${{HOST}}' }} }}"),
        format!("environments: {{ a: {{ clickhouse: {{ url: 'http://h', password: {CANARY} }} }} }}"),
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
            assert!(!format!("{}{}", run.stdout, run.stderr).contains(CANARY), "{text}: {args:?}: {}", run.stderr);
            assert!(run.stderr.contains("must not stand in a file"), "{text}: {}", run.stderr);
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
    for args in [&["doctor", "-vv"][..], &["doctor", "-o", "json"], &["doctor", "--all"], &["config", "validate"]] {
        let run = env.run(args);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(CANARY), "{args:?}: {}{}", run.stdout, run.stderr);
    }
    let sent = health.requests_to("/api/health");
    for (header, value) in
        [("authorization", format!("Bearer {CANARY}")), ("x-key", CANARY.into()), ("x-file", CANARY.into())]
    {
        assert_eq!(sent[0].header(header), Some(value.as_str()));
    }
}

#[test]
fn a_project_cannot_send_the_users_secret_to_its_own_host_before_it_is_trusted_nor_after_it_changed() {
    let (one, two) = (Stub::new(), Stub::new());
    for stub in [&one, &two] {
        stub.set("*", "/*", Answer::json(json!({"status": "success", "data": []})));
    }
    let env = TestEnv::new().var("TOKEN", CANARY);
    with_user_file(
        &env,
        "environments: { prod: { prometheus: { url: 'https://mine.example', headers: { Authorization: 'Bearer ${TOKEN}' } } } }\n",
    );
    let point_at = |stub: &Stub| {
        env.write("liveops.yaml", format!("environments: {{ prod: {{ prometheus: {{ url: '{}' }} }} }}\n", stub.url()));
    };
    let leaked = |stub: &Stub| stub.requests().iter().any(|request| request.header("authorization").is_some());

    point_at(&one);
    let run = doctor(&env).expect_code(1);
    assert!(
        run.stdout.contains("send your secret header `Authorization`") && run.stdout.contains("liveops config trust"),
        "{}",
        run.stdout
    );
    assert!(one.requests().is_empty(), "not even asked without the header");

    // Nobody agreed.
    let refused = env.run(["config", "trust"]).expect_code(4);
    assert!(refused.stderr.contains(&one.url()), "{}", refused.stderr);
    doctor(&env).expect_code(1);
    assert!(one.requests().is_empty());

    let trusted = env.run(["config", "trust", "--yes"]).expect_code(0);
    assert!(trusted.stdout.contains("  trusted:"), "{}", trusted.stdout);
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
    assert!(run.stdout.contains("not trusted:"), "{}", run.stdout);
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
    for value in ["{ command: [sh, -c, 'touch ran; echo x'] }", "{ file: token }"] {
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
        assert!(again.stdout.contains("  trusted:"), "nothing is left to ask: {}", again.stdout);
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
    assert!(nothing.stdout.contains("asks for nothing that needs trust"), "{}", nothing.stdout);
}

#[test]
fn trust_asks_on_a_terminal_and_enter_means_no() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "services: [ { name: game, health: { url: { command: [echo, 'http://h'] } } } ]\n");
    let mut terminal = env.pty(["config", "trust"]);
    terminal.expect("get the URL of game from {command: [echo, http://h]}");
    terminal.expect("let it?").send_line("");
    assert_eq!(terminal.wait().0, 4);
    let mut terminal = env.pty(["config", "trust"]);
    terminal.expect("let it?").send_line("y");
    assert_eq!(terminal.wait().0, 0);
    env.run(["config", "trust"]).expect_code(0);
}

#[test]
fn a_password_on_the_command_line_works_is_warned_about_and_not_shown() {
    let url = format!("redis://:{CANARY}@127.0.0.1:1/0");
    for (args, variable, warned) in [
        (&["--redis", url.as_str(), "config", "show", "--origin"][..], "", true),
        (&["config", "show", "--origin"][..], url.as_str(), false),
    ] {
        let env = TestEnv::new();
        let run = env.command(args).env("LIVEOPS_REDIS", variable).run().expect_code(0);
        assert!(run.stdout.contains("redis://:***@127.0.0.1:1/0"), "{}", run.stdout);
        assert_eq!(run.stderr.contains("set `LIVEOPS_REDIS` instead"), warned, "{}", run.stderr);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(CANARY));
    }
}
