//! A canary in every place where a secret may stand, and nowhere else.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::backends::NOW;
use crate::support::{Answer, Backends, Stub, TestEnv, until};

const CANARY: &str = "canary-5f1d7e";

/// Every file below a folder, with its bytes.
fn contents(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            contents(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

/// Prometheus with a bearer token, Alertmanager with a password in its URL, the service with a key in a header.
fn guarded() -> (Backends, TestEnv) {
    let backends = Backends::start();
    let env = TestEnv::new().now(NOW).var("TOKEN", CANARY);
    let secret = |url: String| url.replace("http://", "http://liveops:${TOKEN}@");
    let service = backends.service.url();
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\ndefault_env: staging\nenvironments:\n  staging:\n    prometheus: {{ url: \"{}\", headers: {{ Authorization: \"Bearer ${{TOKEN}}\" }} }}\n    \
             alertmanager: {{ url: \"{}\" }}\nservices:\n  - name: game-backend\n    health: {{ url: \"{service}\", headers: {{ X-Api-Key: \"${{TOKEN}}\" }} }}\n    \
             metrics: [ {{ url: \"{service}/api/health/metrics?token=${{TOKEN}}\" }} ]\nkpis:\n  - {{ name: players, gauge: game_active_players }}\n",
            backends.prometheus.url(),
            secret(backends.alertmanager.url()),
        ),
    );
    env.trust();
    (backends, env)
}

#[test]
fn secrets_are_sent_where_they_belong() {
    let (backends, env) = guarded();
    env.run(["status"]).expect_code(0);
    let sent = |stub: &crate::support::Stub, header: &str| {
        let requests = stub.requests();
        requests.iter().all(|request| request.header(header).is_some()) && !requests.is_empty()
    };
    assert!(sent(&backends.prometheus, "authorization"));
    assert!(sent(&backends.alertmanager, "authorization"), "the password of a URL becomes basic authentication");
    assert!(sent(&backends.service, "x-api-key"));
    env.run(["health", "metrics"]).expect_code(0);
    let scrapes = backends.service.requests_to("/api/health/metrics");
    assert_eq!(scrapes[0].param("token").as_deref(), Some(CANARY));
}

#[test]
fn secrets_appear_in_no_output_cache_or_state() {
    let (backends, env) = guarded();
    let mut outputs = Vec::new();
    let mut look = |what: &str| {
        for command in [&["status"][..], &["health"], &["health", "detailed"], &["health", "metrics"]] {
            for format in ["table", "json"] {
                let run = env.run(command.iter().chain(&["-vv", "-o", format]));
                outputs.push((format!("{what} {command:?} {format}"), run.stdout + &run.stderr));
            }
        }
    };
    look("healthy");
    for stub in [&backends.prometheus, &backends.alertmanager, &backends.service] {
        stub.set("*", "/*", Answer::text("who are you?").status(401));
        stub.set("POST", "/api/v1/query", Answer::new(302, "text/plain", "").header("Location", "/loop"));
    }
    look("refused");
    let text = env.read("liveops.yaml");
    let ports = [&backends.prometheus, &backends.alertmanager, &backends.service].map(crate::support::Stub::port);
    env.write("liveops.yaml", ports.iter().fold(text, |text, port| text.replace(&format!(":{port}"), ":1")));
    env.trust();
    look("dead");
    for (what, output) in outputs {
        assert!(!output.contains(CANARY), "{what}\n{output}");
    }
    let mut files = Vec::new();
    contents(env.root(), &mut files);
    assert!(files.iter().any(|(path, _)| path.contains("/cache/")), "something was cached");
    for (path, bytes) in files {
        assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{path}");
    }
}

#[test]
fn secrets_are_not_on_the_command_line_of_the_process() {
    let (backends, env) = guarded();
    backends.health(Answer::text("ok").after(Duration::from_secs(2)));
    let mut child =
        env.bare(["status"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the request", Duration::from_secs(10), || (!backends.service.requests().is_empty()).then_some(()));
    let line = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    assert!(!String::from_utf8_lossy(&line).contains(CANARY));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_password_typed_in_a_url_is_not_repeated() {
    let env = TestEnv::new();
    for url in [format!("http://u:{CANARY}@127.0.0.1:1"), format!("http://127.0.0.1:1/x?api_key={CANARY}")] {
        for flag in ["--prometheus", "--alertmanager", "--health"] {
            for format in ["table", "json"] {
                let run = env.run(["status", flag, &url, "-vv", "-o", format]);
                assert_ne!(run.code, 0);
                assert!(!(run.stdout + &run.stderr).contains(CANARY), "{flag} {url} {format}");
            }
        }
    }
}

#[test]
fn a_secret_that_is_not_set_is_named_and_the_rest_still_shows() {
    let (_backends, env) = guarded();
    let run = env.command(["status", "-o", "json"]).env_remove("TOKEN").run().expect_code(3);
    assert!(run.stdout.contains("not asked: the variable `TOKEN` is not set"), "{}", run.stdout);
    let screen = env.command(["status"]).env_remove("TOKEN").run().stdout;
    assert!(screen.contains("prometheus not asked: the variable `TOKEN` is not set"), "{screen}");
}

#[test]
fn what_is_cached_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config("- { name: p, rate: game_active_players }"));
    env.run(["status"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&env.cache()), 0o700);
    let mut files = Vec::new();
    contents(&env.cache(), &mut files);
    assert!(!files.is_empty());
    for (path, _) in files {
        assert_eq!(mode(Path::new(&path)), 0o600, "{path}");
    }
}

/// A server that says back all that it was asked, as proxies do.
fn echo() -> Stub {
    Stub::new().on_fn("*", "/*", |request| Answer::text(format!("bad request {request:?}")).status(400))
}

#[test]
fn what_servers_say_back_is_masked_in_output_and_files() {
    // One that a file with its line end was read into; one that looks like a word, and is a secret by its name.
    let secrets =
        ["CANARYpath01", "CANARYuser02", "CANARYpass03", "CANARYtok04", "CANARYhdr05\n", "CANARYkey06", "quietword"];
    let names = ["URLPATH", "URLUSER", "URLPASS", "QTOKEN", "HDR", "KEY", "ROOM_TOKEN"];
    let is_masked = |text: &str| {
        !["CANARY", "quietword", "Q0FOQVJZdXNlcjAyOkNBTkFSWXBhc3MwMw=="].iter().any(|one| text.contains(one))
    };
    let stub = echo();
    let mut env = TestEnv::new();
    for (name, value) in names.iter().zip(secrets) {
        env = env.var(name, value);
    }
    let host = stub.url().replace("http://", "");
    env.write(
        "liveops.yaml",
        format!(
            "environments:\n  prod:\n    prometheus: {{ url: \"http://{host}/p/${{URLPATH}}/${{ROOM_TOKEN}}?token=${{QTOKEN}}\", headers: {{ Authorization: \"Bearer ${{HDR}}\" }} }}\n    \
             alertmanager: {{ url: \"http://${{URLUSER}}:${{URLPASS}}@{host}/a\" }}\n\
             services: [ {{ name: g, health: {{ url: \"http://{host}/${{URLPATH}}\", headers: {{ X-T: \"${{KEY}}\" }} }} }} ]\n\
             notify: {{ channels: [ {{ name: hook, type: webhook, url: \"http://{host}/bot${{URLPATH}}/send\", secret: \"${{KEY}}\", headers: {{ X-A: \"${{HDR}}\" }} }} ], rules: [ {{ tell: hook }} ] }}\n"
        ),
    );
    env.trust();
    for args in [
        &["status"][..],
        &["status", "-o", "json", "-vv"],
        &["alerts"],
        &["query", "up"],
        &["health", "detailed"],
        &["doctor", "--all"],
        &["silence", "list"],
        &["incident", "open", "--sev", "p2", "--title", "x"],
        &["incident", "show"],
        &["page", "list"],
        &["postmortem", "new"],
        &["triage", "--non-interactive"],
        &["audit", "list"],
    ] {
        let run = env.run(args);
        let said = run.stdout + &run.stderr;
        assert!(is_masked(&said), "{args:?}\n{said}");
    }
    let mut files = Vec::new();
    contents(env.root(), &mut files);
    assert!(files.iter().any(|(path, _)| path.ends_with("journal.jsonl")));
    for (path, bytes) in files {
        let text = String::from_utf8_lossy(&bytes);
        assert!(is_masked(&text), "{path}\n{text}");
    }
}

#[test]
fn what_was_typed_in_a_url_is_not_repeated() {
    for url in [
        format!("http://{CANARY}TOKENa@127.0.0.1:1"),
        format!("http://127.0.0.1:1/?key={CANARY}"),
        format!("http://127.0.0.1:1/?sig={CANARY}&auth={CANARY}&pw={CANARY}&access_key={CANARY}"),
    ] {
        let env = TestEnv::new();
        env.write("flags.json", r#"{"a": {"enabled": true, "percentage": 10, "defaultValue": true}}"#);
        for args in [&["status"][..], &["flag", "set", "a", "--pct", "20", "--yes"], &["doctor"], &["changes"]] {
            let run = env.run(["--prometheus", &url].iter().copied().chain(args.iter().copied()));
            assert!(!(run.stdout + &run.stderr).contains(CANARY), "{url} {args:?}");
        }
        let mut files = Vec::new();
        contents(env.root(), &mut files);
        for (path, bytes) in files {
            assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{path}");
        }
    }
}
