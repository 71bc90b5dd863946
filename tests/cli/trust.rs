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

/// A server that takes everything, and whether it was ever sent the canary.
fn listener() -> Stub {
    Stub::new().on(
        "*",
        "/*",
        Answer::json(json!({"status": "success", "data": {"resultType": "vector", "result": []}})),
    )
}

fn heard(stub: &Stub) -> bool {
    stub.requests().iter().any(|request| format!("{request:?}").contains(CANARY))
}

#[test]
fn a_project_that_changes_the_inside_of_the_users_commands_runs_nothing() {
    let run = "[sh, -c, 'touch ran; echo http://127.0.0.1:1']";
    let prometheus = |inside: &str| format!("environments: {{ prod: {{ prometheus: {{ {inside} }} }} }}\n");
    let flags = |inside: &str| format!("environments: {{ prod: {{ flags: {{ {inside} }} }} }}\n");
    let phone = |inside: &str| {
        format!(
            "environments: {{ prod: {{}} }}\nnotify: {{ channels: [ {{ name: phone, type: exec, command: {inside} }} ], rules: [ {{ page: phone }} ] }}\n"
        )
    };
    let url = "url: 'http://127.0.0.1:1'";
    let open = &["incident", "open", "--sev", "p1", "--title", "x"][..];
    for (user, project, args) in [
        (
            prometheus(&format!("{url}, headers: {{ Authorization: {{ command: [echo, mine] }} }}")),
            prometheus(&format!("headers: {{ Authorization: {{ command: {run} }} }}")),
            &["status"][..],
        ),
        (
            prometheus("url: { command: [echo, 'http://127.0.0.1:1'] }"),
            prometheus(&format!("url: {{ command: {run} }}")),
            &["status"],
        ),
        (
            flags("url: 'redis://127.0.0.1:1', password: { command: [echo, mine] }"),
            flags(&format!("password: {{ command: {run} }}")),
            &["flag", "list"],
        ),
        (phone("['true']"), phone(run).replace("environments: { prod: {} }", ""), open),
    ] {
        let env = TestEnv::new();
        with_user_file(&env, &user);
        env.write("liveops.yaml", &project);
        env.run(args);
        assert!(!env.path().join("ran").exists(), "{project}");
        let asked = env.run(["config", "trust", "--dry-run"]).expect_code(0);
        assert!(asked.stdout.contains("not trusted:") && asked.stdout.contains("touch ran"), "{}", asked.stdout);
    }
}

#[test]
fn a_variable_of_a_project_is_sent_nowhere_before_it_is_agreed_to() {
    for place in ["url: '{}/${SECRET}'", "url: '{}', headers: { X-A: '${SECRET}' }"] {
        let stub = listener();
        let env = TestEnv::new().var("SECRET", CANARY);
        let place = place.replace("{}", &stub.url());
        env.write("liveops.yaml", format!("environments: {{ prod: {{ prometheus: {{ {place} }} }} }}\n"));
        let run = doctor(&env).expect_code(1);
        assert!(run.stdout.contains("send `$SECRET`") && run.stdout.contains("liveops config trust"), "{}", run.stdout);
        assert!(stub.requests().is_empty());
        env.trust();
        doctor(&env);
        assert!(heard(&stub), "{place}");
    }
    let stub = listener();
    let env = TestEnv::new().var("SECRET", CANARY);
    let channel = format!("name: t, type: webhook, url: '{}', headers: {{ X-A: '${{SECRET}}' }}", stub.url());
    env.write("liveops.yaml", format!("notify: {{ channels: [ {{ {channel} }} ], rules: [ {{ tell: t }} ] }}\n"));
    let open = ["incident", "open", "--sev", "p3", "--title", "x"];
    let run = env.run(open);
    assert!(
        run.stdout.contains("send `$SECRET`") || run.stderr.contains("send `$SECRET`"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert!(stub.requests().is_empty());
}

#[test]
fn regions_are_part_of_what_is_agreed_to() {
    let region = |command: &str| {
        format!(
            "environments: {{ prod: {{ prometheus: 'http://127.0.0.1:1', regions: {{ eu: {{ prometheus: {{ url: 'http://127.0.0.1:1', headers: {{ X-A: {{ command: {command} }} }} }} }} }} }} }}\n"
        )
    };
    let env = TestEnv::new();
    env.write("liveops.yaml", region("[echo, x]"));
    let asked = env.run(["config", "trust", "--dry-run"]).expect_code(0);
    assert!(asked.stdout.contains("not trusted: get header `X-A`"), "{}", asked.stdout);
    env.trust();
    env.write("liveops.yaml", region("[echo, y]"));
    let asked = env.run(["config", "trust", "--dry-run"]).expect_code(0);
    assert!(asked.stdout.contains("not trusted: get header `X-A`"), "{}", asked.stdout);
}

#[test]
fn another_argv_and_a_changed_program_are_asked_about_anew() {
    let config = |argv: &str| format!("services: [ {{ name: a, health: {{ url: {{ command: {argv} }} }} }} ]\n");
    let env = TestEnv::new();
    env.write("get.sh", "echo http://127.0.0.1:1\n");
    let is_open = |env: &TestEnv| env.run(["config", "trust", "--dry-run"]).stdout.contains("not trusted:");
    env.write("liveops.yaml", config("[sh, get.sh, 'a, b']"));
    env.trust();
    assert!(!is_open(&env));
    env.write("liveops.yaml", config("[sh, get.sh, a, b]"));
    assert!(is_open(&env), "the same words, cut otherwise");
    env.write("liveops.yaml", config("[sh, get.sh, 'a, b']"));
    assert!(!is_open(&env));
    env.write("get.sh", "touch ran\n");
    assert!(is_open(&env));
    doctor(&env);
    assert!(!env.path().join("ran").exists());
}

#[test]
fn what_the_user_protects_a_project_does_not_lay_open() {
    let env = TestEnv::new();
    with_user_file(&env, "environments: { prod: { protected: true } }\n");
    env.write("liveops.yaml", "environments: { prod: { protected: false } }\n");
    env.write("flags.json", r#"{"a": {"enabled": true, "percentage": 10, "defaultValue": true}}"#);
    let run = env.run(["flag", "set", "a", "--pct", "20", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("`prod` is protected"), "{}", run.stderr);
    with_user_file(&env, "read_only: true\n");
    env.write("liveops.yaml", "read_only: false\n");
    let run = env.run(["flag", "set", "a", "--pct", "20", "--reason", "x", "--yes"]).expect_code(4);
    assert!(run.stderr.contains("read-only"), "{}", run.stderr);
    assert!(env.read("flags.json").contains("10"));
}

#[test]
fn templates_behind_links_leak_no_file() {
    use std::os::unix::fs::symlink;
    let stub = listener();
    let env = TestEnv::new();
    fs::write(env.root().join("home/key"), CANARY).unwrap();
    env.write(
        "liveops.yaml",
        format!(
            "templates: t\nnotify: {{ channels: [ {{ name: t, type: webhook, url: '{}' }} ], rules: [ {{ tell: t }} ] }}\n",
            stub.url()
        ),
    );
    for (folder, name) in [("t/notify", "body.j2"), ("t/postmortem", "postmortem.md.j2")] {
        fs::create_dir_all(env.path().join(folder)).unwrap();
        symlink(env.root().join("home/key"), env.path().join(folder).join(name)).unwrap();
    }
    let run = env.run(["incident", "open", "--sev", "p3", "--title", "x"]);
    assert!(run.stderr.contains("leads out of the project"), "{}", run.stderr);
    assert!(!stub.requests().is_empty() && !heard(&stub), "the news go out in the built-in words");
    let run = env.run(["postmortem", "new"]).expect_code(3);
    assert!(run.stderr.contains("leads out of the project"), "{}", run.stderr);
}

#[test]
fn folders_outside_of_the_project_need_trust() {
    use std::os::unix::fs::symlink;
    let open = ["incident", "open", "--sev", "p4", "--title", "x"];
    let new = ["runbook", "new", "service-degradation", "--yes"];
    let record = ["changes", "record", "--kind", "deploy", "--version", "1"];
    for (config, link, args) in [
        ("incidents: { folder: ../home/x }\n", None, &open[..]),
        ("runbooks: { folder: ../home/x }\n", None, &new),
        ("changes: { journal: ../home/x/j }\n", None, &record),
        ("version: 1\n", Some("incidents"), &open),
        ("version: 1\n", Some("docs"), &new),
        ("version: 1\n", Some("changes"), &record),
    ] {
        let env = TestEnv::new();
        env.write("liveops.yaml", config);
        let outside = env.root().join("home/x");
        if let Some(name) = link {
            fs::create_dir(&outside).unwrap();
            symlink(&outside, env.path().join(name)).unwrap();
        }
        let is_empty = || fs::read_dir(&outside).map_or(true, |mut entries| entries.next().is_none());
        let run = env.run(args).expect_code(3);
        assert!(run.stderr.contains("outside of the project"), "{}", run.stderr);
        assert!(is_empty(), "{config} {link:?}");
        env.trust();
        env.run(args).expect_code(0);
        assert!(!is_empty(), "{config} {link:?}");
    }
}

/// What a project's file names is read only where it lies in the project, whatever it is for.
#[test]
fn files_outside_of_the_project_are_read_once_they_are_agreed_to() {
    use std::os::unix::fs::symlink;
    let schedule = |who: &str| {
        let phone = "{ name: desk, type: exec, command: [sh, -c, 'true'] }";
        format!("notify: {{ channels: [ {phone} ], schedule: {{ who: {who}, people: {{ desk: desk }} }} }}\n")
    };
    let slos = |file: &str| format!("slos: {{ files: [ {file} ] }}\n");
    for (config, args) in [
        (slos("../home/x/a.yaml"), &["slo", "status"][..]),
        (slos("a.yaml"), &["slo", "status"]),
        (slos("'../home/x/*.yaml'"), &["slo", "status"]),
        (slos("'linked/*.yaml'"), &["slo", "status"]),
        (schedule("../home/x/a.yaml"), &["page", "who"]),
        (schedule("a.yaml"), &["page", "who"]),
        (
            "environments: { default: { flags: { url: 'rediss://127.0.0.1:1', ca: ../home/x/a.yaml } } }\n".into(),
            &["flag", "list"],
        ),
    ] {
        let env = TestEnv::new();
        env.write("liveops.yaml", &config);
        let outside = env.root().join("home/x");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("a.yaml"), format!("{CANARY}: 1\n")).unwrap();
        symlink(outside.join("a.yaml"), env.path().join("a.yaml")).unwrap();
        symlink(&outside, env.path().join("linked")).unwrap();
        let run = env.run(args).expect_code(3);
        assert!(run.stderr.contains("outside of the project"), "{config}: {}", run.stderr);
        assert!(!run.stderr.contains(CANARY), "{config}: {}", run.stderr);
        env.run(["config", "trust", "-y"]).expect_code(0);
        let run = env.run(args);
        assert!(!run.stderr.contains("not trusted"), "{config}: {}", run.stderr);
    }
    // What a pattern finds may be a link, too: no trust was asked for it.
    let env = TestEnv::new();
    env.write("liveops.yaml", slos("'slo/*.yaml'"));
    fs::create_dir(env.path().join("slo")).unwrap();
    fs::write(env.root().join("home/key"), CANARY).unwrap();
    symlink(env.root().join("home/key"), env.path().join("slo/a.yaml")).unwrap();
    let run = env.run(["slo", "status"]).expect_code(3);
    assert!(run.stderr.contains("leads out of the project") && !run.stderr.contains(CANARY), "{}", run.stderr);
    // Waivers lie at a fixed place, and may be a link as well.
    symlink(env.root().join("home/key"), env.path().join("liveops.waivers.yaml")).unwrap();
    env.write("a.sql", "DROP TABLE a;");
    let run = env.run(["check", "migration", "a.sql"]).expect_code(3);
    assert!(run.stderr.contains("leads out of the project") && !run.stderr.contains(CANARY), "{}", run.stderr);
}

#[test]
fn a_project_file_of_another_user_is_not_found_but_may_be_named() {
    let env = TestEnv::new();
    let file = env.write("liveops.yaml", "project: x\n");
    if std::os::unix::fs::chown(&file, Some(65534), None).is_err() {
        // Only root can give a file away.
        return;
    }
    let run = env.run(["config", "show"]).expect_code(4);
    assert!(run.stderr.contains("belongs to another user (uid 65534)"), "{}", run.stderr);
    assert!(run.stderr.contains("--config liveops.yaml"), "{}", run.stderr);
    env.run(["--config", "liveops.yaml", "config", "show"]).expect_code(0);
}

#[test]
fn what_init_was_told_needs_no_second_word() {
    let env = TestEnv::new().var("REDIS_PASSWORD", "x");
    env.run(["init", "--redis", "redis://:hunter2@127.0.0.1:1/0", "--preset", "http-api"]).expect_code(0);
    assert!(env.read("liveops.yaml").contains("${REDIS_PASSWORD}"));
    let asked = env.run(["config", "trust", "--dry-run"]).expect_code(0);
    assert!(!asked.stdout.contains("not trusted:") && asked.stdout.contains("trusted:"), "{}", asked.stdout);
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

#[test]
fn a_key_of_the_user_is_used_for_a_project_only_when_it_may_be() {
    let env = TestEnv::new();
    let key = env.root().join("me.key");
    fs::write(&key, "x").unwrap();
    env.write("mine.pem", "x");
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nenvironments: {{ a: {{ flags: {{ url: 'rediss://127.0.0.1:1', cert: mine.pem, key_file: {} }} }} }}\n",
            key.display()
        ),
    );
    let wishes = env.run(["config", "trust", "--dry-run"]);
    assert!(wishes.stdout.contains("use the key of your certificate for Redis"), "{}{}", wishes.stdout, wishes.stderr);
    let refused = env.run(["flag", "list"]);
    assert!(refused.stderr.contains("is not trusted"), "{}", refused.stderr);
    env.run(["config", "trust", "--yes"]).expect_code(0);
    let asked = env.run(["flag", "list"]);
    assert!(!asked.stderr.contains("is not trusted"), "{}", asked.stderr);
}
