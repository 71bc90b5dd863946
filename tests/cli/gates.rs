//! `check readiness`, `check security`, `check backups`: screens, formats, exit codes; real restic, a bucket of a stub.

use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::{Answer, Stub, TestEnv};

const MANIFEST: &str = "apiVersion: apps/v1
kind: Deployment
metadata: { name: game }
spec:
  replicas: 2
  selector: { matchLabels: { app: game } }
  template:
    metadata: { labels: { app: game } }
    spec:
      containers:
        - name: server
          image: game:latest
---
apiVersion: v1
kind: Service
metadata: { name: game }
spec: { selector: { app: game }, ports: [{ port: 80 }] }
";

#[test]
fn readiness_names_file_line_and_what_to_do_in_every_format() {
    let env = TestEnv::new();
    env.write("deploy/game.yaml", MANIFEST);
    let run = env.run(["check", "readiness", "--manifests", "deploy"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    for part in
        ["unacceptable to deploy", "BLOCKER K02 Deployment/game:server  deploy/game.yaml:11", "readinessProbe", "fix: "]
    {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    let json = env.run(["check", "readiness", "--manifests", "deploy", "-o", "json"]).json();
    let tag = json["data"]["findings"].as_array().unwrap().iter().find(|one| one["id"] == "K11").unwrap();
    assert_eq!((tag["file"].as_str(), tag["line"].as_u64()), (Some("deploy/game.yaml"), Some(12)));
    assert!(json["data"]["score"]["high"].as_u64().unwrap() < 100);
    let sarif = env.run(["check", "readiness", "--manifests", "deploy", "-o", "sarif"]).stdout;
    assert!(sarif.contains("\"startLine\""), "{sarif}");
    // As kustomize prints it.
    let piped = env.command(["check", "readiness", "--manifests", "-", "--fail-on", "low"]).stdin(MANIFEST).run();
    assert_eq!(piped.code, 1);
    assert!(piped.stdout.contains("-:11"), "{}", piped.stdout);
    // One service, another, and none.
    let other = env.run(["check", "readiness", "lobby", "--manifests", "deploy"]);
    assert_eq!(other.code, 2, "{}{}", other.stdout, other.stderr);
    assert!(other.stderr.contains("workload `lobby` does not exist"), "{}", other.stderr);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test is its own git user")]
fn a_change_cannot_excuse_itself_by_an_annotation() {
    let env = TestEnv::new();
    let waived = MANIFEST.replacen(
        "{ name: game }",
        "{ name: game, annotations: { liveops.dev/waive: \"K11 owner=ana until=2099-01-01 the registry is frozen\" } }",
        1,
    );
    env.write("game.yaml", waived);
    let of = |run: &crate::support::Run| -> bool {
        let json = run.json();
        let all = json["data"]["findings"].as_array().unwrap().clone();
        all.iter().find(|one| one["id"] == "K11").unwrap()["waived"].is_null()
    };
    assert!(!of(&env.run(["check", "readiness", "--manifests", "game.yaml", "-o", "json"])));
    let git = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(env.path()).env("HOME", env.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"]);
    assert!(of(&env.run(["check", "readiness", "--manifests", "game.yaml", "-o", "json", "--waivers-from", "HEAD"])));
}

#[test]
fn security_judges_manifests_and_templates_are_unknown() {
    let env = TestEnv::new();
    env.write("game.yaml", MANIFEST);
    env.write("chart/x.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  {{- x }}\n");
    let run = env.run(["check", "security", "--manifests", "game.yaml", "chart", "-o", "json"]);
    assert_eq!(run.code, 1);
    let json = run.json();
    let ids: Vec<&str> =
        json["data"]["findings"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str()).collect();
    assert!(["S02", "S03", "S04", "S05", "S07"].iter().all(|id| ids.contains(id)), "{ids:?}");
    assert_eq!(json["data"]["unknown"][0]["subject"], "chart/x.yaml");
}

fn now() -> DateTime<Utc> {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

#[test]
fn a_folder_of_backups_is_judged_and_a_restore_is_recorded() {
    let env = TestEnv::new().now("2026-11-30T12:00:00Z");
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { prod: {} }\nbackups:\n  - name: orders\n    encrypted: true\n    keep: 3\n    rto: 1h\n    copies: [{ place: here }, { place: there, off_site: true, immutable: true }]\n    source: { kind: folder, path: dumps, files: 'orders-*.gz' }\n",
    );
    // No folder: there never was one.
    let run = env.run(["check", "backups"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("BLOCKER B01 orders"), "{}", run.stdout);
    for day in 1..=8 {
        let at = now() - TimeDelta::days(8 - day);
        env.write(format!("dumps/orders-{}.gz", at.format("%Y-%m-%dT0200")), vec![7; 1000 + day as usize * 11]);
    }
    let json = env.run(["check", "backups", "-o", "json"]).json();
    assert_eq!(json["data"]["backups"][0]["good"], 8);
    let ids: Vec<_> = json["data"]["findings"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["B07"]);
    assert_eq!(json["data"]["unknown"][0]["id"], "B08");
    let record = |id: &str, more: &[&str]| {
        let words = ["check", "backups", "record", "orders", "--restored", id, "--duration", "38m"];
        env.run(words.iter().chain(more))
    };
    let typo = record("orders-2026-11-30T0300.gz", &["--rows-ok"]);
    assert_eq!(typo.code, 2, "{}", typo.stdout);
    assert!(typo.stderr.contains("did you mean `orders-2026-11-30T0200.gz`"), "{}", typo.stderr);
    assert_eq!(record("orders-2026-11-30T0200.gz", &["--rows-ok", "--dry-run"]).code, 0);
    assert!(!env.path().join("backups/restores.jsonl").exists());
    assert_eq!(record("orders-2026-11-30T0200.gz", &["--rows-ok"]).code, 0);
    let run = env.run(["check", "backups", "--strict"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("PASS"), "{}", run.stdout);
    // What is half-written, and what is not what its digest says.
    env.write("dumps/orders-2026-11-30T0900.gz.part", "x");
    assert!(env.run(["check", "backups"]).stdout.contains("HIGH    B02 orders"));
    std::fs::remove_file(env.path().join("dumps/orders-2026-11-30T0900.gz.part")).unwrap();
    env.write("dumps/orders-2026-11-30T0200.gz.sha256", format!("{}  x\n", "0".repeat(64)));
    assert!(env.run(["check", "backups"]).stdout.contains("its content is not that of"));
    let nobody = env.run(["check", "backups", "ordres"]);
    assert!(nobody.stderr.contains("did you mean `orders`"), "{}", nobody.stderr);
    let nothing = TestEnv::new().run(["check", "backups"]);
    assert_eq!(nothing.code, 2, "{}{}", nothing.stdout, nothing.stderr);
}

#[test]
fn a_bucket_is_listed_page_by_page_and_signed() {
    let env = TestEnv::new().now("2026-11-30T12:00:00Z").var("S3_SECRET", "hunter2hunter2");
    let object = |name: &str, at: &str, size: u32| {
        format!("<Contents><Key>{name}</Key><LastModified>{at}</LastModified><Size>{size}</Size></Contents>")
    };
    let stub = Stub::new().on_fn("GET", "/dumps", move |request| {
        let signed = request.header("authorization").is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 Credential=ana/20261130/"));
        if !signed {
            let body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
            return Answer::new(403, "application/xml", body);
        }
        if request.param("object-lock").is_some() {
            return Answer::new(404, "application/xml", "<Error/>");
        }
        let body = match request.param("continuation-token").as_deref() {
            None => format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a/b=</NextContinuationToken>{}</ListBucketResult>",
                object("orders/1.gz", "2026-11-29T02:00:00.000Z", 1000)
            ),
            Some(_) => format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>",
                object("orders/2.gz", "2026-11-30T02:00:00.000Z", 1010)
            ),
        };
        Answer::new(200, "application/xml", body)
    });
    let config = |key: &str| {
        format!(
            "version: 1\nenvironments: {{ prod: {{}} }}\nbackups:\n  - name: orders\n    encrypted: true\n    restore_test: never\n    copies: [{{ place: here, immutable: true }}, {{ place: there, off_site: true }}]\n    source: {{ kind: s3, endpoint: '{}', bucket: dumps, prefix: orders/, access_key: {key}, secret_key: '${{S3_SECRET}}' }}\n",
            stub.url()
        )
    };
    env.write("liveops.yaml", config("'${S3_KEY}'"));
    let untrusted = env.run(["check", "backups", "-o", "json"]);
    assert!(untrusted.json()["data"]["unknown"][0]["why"].as_str().unwrap().contains("config trust"));
    assert!(stub.requests().is_empty());
    env.trust();
    let run = env.command(["check", "backups", "-o", "json"]).env("S3_KEY", "ana").run();
    let json = run.json();
    assert_eq!(json["data"]["backups"][0]["good"], 2, "{}", run.stdout);
    // It is said to be immutable, and the bucket has no object lock.
    assert_eq!(json["data"]["findings"][0]["id"], "B09");
    let denied = env.command(["check", "backups", "--strict"]).env("S3_KEY", "bob").run();
    assert_eq!(denied.code, 3, "{}", denied.stdout);
    assert!(denied.stdout.contains("AccessDenied: no"), "{}", denied.stdout);
    assert!(!denied.stdout.contains("hunter2") && !run.stdout.contains("hunter2"));
    env.write("liveops.yaml", config("AKIA7"));
    let literal = env.run(["check", "backups"]);
    assert!(literal.code == 2 && literal.stderr.contains("must not stand in a file"), "{}", literal.stderr);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "restic is what is looked at")]
fn real_restic_tells_of_a_file_that_was_emptied() {
    let env = TestEnv::new();
    let repository = env.path().join("repository");
    let restic = |args: &[&str]| {
        let done = Command::new("restic")
            .args(["-r", repository.to_str().unwrap(), "-q"])
            .args(args)
            .current_dir(env.path())
            .env("RESTIC_PASSWORD", "x")
            .env("HOME", env.path())
            .output()
            .expect("the Debian package `restic` is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    restic(&["init"]);
    env.write("data/orders.sql", vec![7; 200_000]);
    restic(&["backup", "data"]);
    env.write("data/orders.sql", vec![7; 210_000]);
    restic(&["backup", "data"]);
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { prod: {} }\nbackups:\n  - name: files\n    restore_test: never\n    copies: [{ place: here }, { place: there, off_site: true, immutable: true }]\n    source: { kind: restic, command: [restic, -r, repository], env: { RESTIC_PASSWORD: '${RESTIC_KEY}' } }\n",
    );
    env.trust();
    let check = || env.command(["check", "backups", "--strict"]).env("RESTIC_KEY", "x").run();
    let good = check();
    assert_eq!(good.code, 0, "{}{}", good.stdout, good.stderr);
    env.write("data/orders.sql", "");
    restic(&["backup", "data"]);
    // Its own check finds nothing.
    restic(&["check"]);
    let bad = check();
    assert_eq!(bad.code, 1, "{}", bad.stdout);
    assert!(bad.stdout.contains("HIGH    B05 files") || bad.stdout.contains("HIGH    B03 files"), "{}", bad.stdout);
    let wrong = env.command(["check", "backups", "--strict"]).env("RESTIC_KEY", "y").run();
    assert_eq!(wrong.code, 3, "{}", wrong.stdout);
    assert!(wrong.stdout.contains("wrong password"), "{}", wrong.stdout);
}

const READY: &str = "version: 1
project: shop
environments: { prod: {} }
services: [{ name: game, workload: { deployment: game } }]
backups:
  - { name: db, service: game, source: { kind: folder, path: dumps } }
";

#[test]
fn what_liveops_knows_and_what_people_say_is_judged_and_written() {
    let env = TestEnv::new().now("2026-11-30T12:00:00Z");
    env.write("game.yaml", MANIFEST);
    env.write("liveops.yaml", READY);
    let ids = |run: &crate::support::Run, what: &str| -> Vec<String> {
        let json = run.json();
        let all = json["data"][what].as_array().unwrap().clone();
        all.iter()
            .filter(|one| one["id"].as_str().unwrap().starts_with(['O', 'Q']))
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let words = ["check", "readiness", "game", "--manifests", "game.yaml", "-o", "json"];
    let run = env.run(words);
    assert_eq!(ids(&run, "findings"), ["O04", "O06", "O03", "O07"], "{}", run.stdout);
    let unknown = ids(&run, "unknown");
    assert!(["O01", "O05", "Q01", "Q07"].iter().all(|id| unknown.contains(&(*id).to_owned())), "{unknown:?}");
    let (low, high) = (run.json()["data"]["score"]["low"].clone(), run.json()["data"]["score"]["high"].clone());
    assert!(low.as_u64() < high.as_u64());
    env.write(
        "readiness/game.yaml",
        "answers:\n  Q01: { answer: yes, evidence: 'https://wiki/timeouts', owner: ana, until: 2027-01-01 }\n  Q02: { answer: yes, evidence: x, owner: ana, until: 2026-01-01 }\n",
    );
    let run = env.run(words);
    assert!(ids(&run, "findings").contains(&"Q02".to_owned()));
    assert!(!ids(&run, "unknown").contains(&"Q01".to_owned()));
    env.write("readiness/game.yaml", "answers:\n  K01: { answer: yes, owner: ana, until: 2027-01-01 }\n");
    let wrong = env.run(words);
    assert!(
        wrong.code == 2 && format!("{}{}", wrong.stdout, wrong.stderr).contains("`K01` is no question"),
        "{}{}",
        wrong.stdout,
        wrong.stderr
    );
    std::fs::remove_file(env.path().join("readiness/game.yaml")).unwrap();
    let review = ["check", "readiness", "game", "--manifests", "game.yaml", "--write", "docs/review.md"];
    assert_eq!(env.run(review).code, 1);
    let text = env.read("docs/review.md");
    assert!(text.contains("# Operational review: game") && text.contains("**Do not deploy.**"), "{text}");
    assert_eq!(env.run(review).code, 1);
    env.write("docs/review.md", "# Mine\n");
    let refused = env.run(review);
    assert!(refused.code == 4 && refused.stderr.contains("no review that liveops wrote"), "{}", refused.stderr);
}

#[test]
fn a_terminal_is_asked_once_and_each_answer_is_kept() {
    let env = TestEnv::new();
    env.write("game.yaml", MANIFEST);
    env.write("liveops.yaml", READY);
    let mut pty = env.pty(["check", "readiness", "game", "--manifests", "game.yaml"]);
    pty.expect("Alerts reach a person");
    // Down to `yes`, then evidence, who, until when.
    pty.send("j\r");
    pty.expect("Evidence");
    pty.send("https://wiki/alerts\r");
    pty.expect("Who says so");
    pty.send("\r");
    pty.expect("Until when");
    pty.send("\r");
    pty.expect("Runbooks were run");
    // Stop asking.
    pty.send("jjjj\r");
    pty.expect("score");
    let kept = env.read("readiness/game.yaml");
    assert!(kept.contains("O01") && kept.contains("https://wiki/alerts"), "{kept}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the metrics are of the real time")]
fn a_host_that_never_succeeded_fails_and_a_silent_prometheus_is_unknown() {
    let env = TestEnv::new();
    let stub = Stub::new();
    let config = |url: &str| {
        format!(
            "version: 1\nenvironments: {{ prod: {{ prometheus: {{ url: '{url}' }} }} }}\nbackups:\n  - name: db\n    restore_test: never\n    encrypted: true\n    copies: [{{ place: a }}, {{ place: b, off_site: true, immutable: true }}]\n    source: {{ kind: metrics, last_success: backup_last_success, last_run_failed: backup_failed, size: backup_bytes }}\n"
        )
    };
    env.write("liveops.yaml", config(&stub.url()));
    let answer = |result: serde_json::Value| {
        Answer::json(json!({ "status": "success", "data": { "resultType": "vector", "result": result } }))
    };
    let ids = |what: &str| -> Vec<String> {
        let json = env.run(["check", "backups", "-o", "json"]).json();
        json["data"][what].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    stub.set("POST", "/api/v1/query", answer(json!([])));
    assert_eq!(ids("findings"), ["B01"]);
    // Of two hosts the one that is worst off; the last run failed, although the last good one is young.
    let young = Utc::now().timestamp() - 3600;
    stub.set_fn("POST", "/api/v1/query", move |request| {
        let asked = String::from_utf8_lossy(&request.body).into_owned();
        let value = |text: String| json!({ "metric": {}, "value": [Utc::now().timestamp(), text] });
        let values = match asked {
            asked if asked.contains("backup_failed") => vec![value("0".into()), value("1".into())],
            asked if asked.contains("backup_bytes") => vec![value("1000".into())],
            _ => vec![value(young.to_string())],
        };
        Answer::json(json!({ "status": "success", "data": { "resultType": "vector", "result": values } }))
    });
    assert_eq!(ids("findings"), ["B02"]);
    for broken in [
        Answer::text("no").status(500),
        Answer::new(200, "text/html", "<html>log in</html>"),
        Answer::new(200, "application/json", "{\"status\":\"succ"),
        Answer::text("no").status(401),
    ] {
        stub.set("POST", "/api/v1/query", broken);
        assert_eq!((ids("findings"), ids("unknown")), (vec![], vec!["B01".to_owned()]));
    }
    env.write("liveops.yaml", config("http://127.0.0.1:1"));
    let run = env.run(["check", "backups", "--strict"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.stdout.contains("unknown B01 db"), "{}", run.stdout);
}

#[test]
fn a_cluster_that_cannot_be_asked_leaves_its_objects_unknown() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { prod: { kubernetes: { context: none, namespace: game } } }\n",
    );
    for gate in ["readiness", "security"] {
        let run = env.run(["check", gate, "--strict"]);
        assert_eq!(run.code, 3, "{gate}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("the cluster's objects are not known"), "{gate}: {}", run.stdout);
    }
}

#[test]
fn a_program_that_hangs_fails_or_talks_nonsense_is_unknown() {
    let env = TestEnv::new();
    for (script, needle) in [
        ("sleep 30", "did not end within"),
        ("echo nonsense", "it printed no JSON"),
        ("echo '{}'", "JSON of another shape"),
        ("echo 'no space' >&2; exit 3", "no space"),
    ] {
        env.write(
            "liveops.yaml",
            format!(
                "version: 1\nenvironments: {{ prod: {{}} }}\nbackups:\n  - {{ name: db, source: {{ kind: command, command: [sh, -c, \"{script}\"] }} }}\n"
            ),
        );
        env.trust();
        let run = env.run(["check", "backups", "--strict", "--timeout", "2s"]);
        assert_eq!(run.code, 3, "{script}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(needle), "{script}: {}", run.stdout);
    }
}

/// A cache in front of Prometheus, or a clock that is off: a value of another time tells nothing of now.
#[test]
#[allow(clippy::disallowed_methods, reason = "a signal is as old as the clock says")]
fn a_value_of_another_time_passes_nothing() {
    let env = TestEnv::new();
    let answer = |at: i64| {
        let vector = json!([{ "metric": {}, "value": [at, "1"] }]);
        Answer::json(json!({ "status": "success", "data": { "resultType": "vector", "result": vector } }))
    };
    for (at, code) in [(1_700_000_000, 3), (4_000_000_000, 3), (Utc::now().timestamp(), 0)] {
        let stub = Stub::new().on("POST", "/api/v1/query", answer(at));
        env.write(
            "liveops.yaml",
            format!(
                "version: 1\nenvironments: {{ prod: {{ prometheus: {{ url: '{}' }} }} }}\nsecurity: {{ signals: [ {{ name: logins, promql: x, limit: 5 }} ] }}\n",
                stub.url()
            ),
        );
        let run = env.run(["check", "security", "-o", "json"]);
        assert_eq!(run.code, code, "{at}: {}{}", run.stdout, run.stderr);
        let json = run.json();
        let told = json["data"]["unknown"].as_array().unwrap().iter().any(|one| one["id"] == "G01");
        assert_eq!(told, code == 3, "{at}: {}", run.stdout);
    }
}
