//! From an incident to the people: exact bodies, what each service's refusals mean, retries under one key, the next in
//! line, and that no secret shows.

use std::fs;
use std::io::BufRead;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::wire::WireServer;
use crate::support::{Answer, Run, Stub, TestEnv};

const CANARY: &str = "canary-7c1f";
const ID: &str = "2026-01-15-p1-down-channel";
const OPEN: [&str; 6] = [
    "incident",
    "open",
    "--sev",
    "p1",
    "--title",
    "down <!channel>",
];

/// An environment whose user has these channels (lines below `channels:`) and rules.
fn env(channels: &str) -> TestEnv {
    let env = TestEnv::new()
        .var("LIVEOPS_ACTOR", "ada")
        .var("KEY", CANARY)
        .var("HOOK", "http://127.0.0.1:1/services/canary-7c1f")
        .now("2026-01-15T10:30:00Z");
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\n");
    fs::create_dir_all(env.user_config()).unwrap();
    let config = format!("version: 1\nnotify:\n  channels:\n{channels}");
    fs::write(env.user_config().join("config.yaml"), config).unwrap();
    env
}

fn pagerduty(stub: &Stub) -> String {
    format!(
        "    - {{ name: oncall, type: pagerduty, url: \"{}\", routing_key: \"${{KEY}}\" }}\n",
        stub.url()
    )
}

fn accepts() -> Stub {
    let said = json!({ "status": "success", "message": "Event processed", "dedup_key": "x" });
    Stub::new().on("POST", "/v2/enqueue", Answer::json(said).status(202))
}

fn deliveries(run: &Run) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = run.json()["data"]["deliveries"].clone();
    let all = all.as_array().unwrap().iter();
    all.map(|one| (text(&one["channel"]), text(&one["state"])))
        .collect()
}

fn later(env: &TestEnv, time: &str, args: &[&str]) -> Run {
    env.command(args).env("LIVEOPS_NOW", time).run()
}

fn json_of(env: &TestEnv, args: &[&str]) -> Run {
    env.run(args.iter().chain(&["-o", "json"]))
}

#[test]
fn pagerduty_hears_of_the_page_the_ack_and_the_end_under_one_key() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(0);
    env.run(["incident", "ack"]).expect_code(0);
    env.run(["incident", "mitigate", "x"]).expect_code(0);
    env.run(["incident", "resolve", "x"]).expect_code(0);
    let sent: Vec<Value> = stub
        .requests()
        .iter()
        .map(|request| request.json())
        .collect();
    let actions: Vec<&Value> = sent.iter().map(|event| &event["event_action"]).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    let key = format!("liveops/prod/{ID}");
    for event in &sent {
        assert_eq!(
            (&event["dedup_key"], &event["routing_key"]),
            (&json!(key), &json!(CANARY))
        );
    }
    assert_eq!(
        sent[0]["payload"],
        json!({
            "summary": "P1 opened: down <!channel> (prod)",
            "source": "prod",
            "severity": "critical",
            "timestamp": "2026-01-15T10:30:00+00:00",
            "component": null,
            "group": "prod",
            "class": null,
            "custom_details": {
                "incident": ID,
                "text": format!("down <!channel>\nby ada at 2026-01-15T10:30:00Z\nliveops incident show {ID}"),
                "opened_by": "ada",
                "command": format!("liveops incident show {ID}"),
            },
        })
    );
}

#[test]
fn an_escalation_is_a_page_of_its_own_and_ends_with_the_others() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(0);
    env.run(["incident", "escalate", "--because", "no idea"])
        .expect_code(0);
    env.run(["incident", "resolve", "x"]).expect_code(0);
    let sent: Vec<Value> = stub
        .requests()
        .iter()
        .map(|request| request.json())
        .collect();
    let keys: Vec<String> = sent
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event["event_action"].as_str().unwrap(),
                event["dedup_key"]
                    .as_str()
                    .unwrap()
                    .rsplit('/')
                    .next()
                    .unwrap()
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            format!("trigger {ID}"),
            "trigger escalated-1".into(),
            format!("resolve {ID}"),
            "resolve escalated-1".into()
        ]
    );
}

#[test]
fn what_pagerduty_refuses_goes_to_the_next_in_line() {
    let said = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": ["Length of 'routing_key' is incorrect"] });
    let stub = Stub::new().on("POST", "/v2/enqueue", Answer::json(said).status(400));
    let next = "    - { name: phone, type: exec, command: [sh, -c, 'cat > called.json'] }\n";
    let both = env(&format!("{}{next}", pagerduty(&stub)));
    let run = json_of(&both, &OPEN).expect_code(0);
    let states = [
        ("oncall".to_owned(), "given_up".to_owned()),
        ("phone".to_owned(), "accepted".to_owned()),
    ];
    assert_eq!(deliveries(&run), states);
    assert!(run.stdout.contains("Length of 'routing_key' is incorrect"));
    let called: Value = serde_json::from_str(&both.read("called.json")).unwrap();
    assert_eq!(called["message"]["incident"], ID);

    let alone = env(&pagerduty(&stub));
    let run = json_of(&alone, &OPEN).expect_code(5);
    assert_eq!(run.json()["data"]["paged"], false);
    assert!(
        run.json_error()["error"]
            .as_str()
            .unwrap()
            .contains("NOBODY WAS PAGED")
    );
    let shown = alone.run(["incident", "show"]);
    assert!(
        shown.stdout.contains("NOBODY WAS PAGED"),
        "{}",
        shown.stdout
    );
}

#[test]
fn a_page_that_may_have_arrived_is_sent_again_under_the_same_key() {
    let stub = Stub::new().on_fn("POST", "/v2/enqueue", |_| {
        Answer::json(json!({}))
            .status(202)
            .after(Duration::from_secs(20))
    });
    let env = env(&pagerduty(&stub));
    let run = env
        .run(OPEN.into_iter().chain(["--timeout", "1s"]))
        .expect_code(5);
    assert!(run.stdout.contains("may have arrived"), "{}", run.stdout);
    stub.set(
        "POST",
        "/v2/enqueue",
        Answer::json(json!({ "status": "success" })).status(202),
    );
    let run = later(
        &env,
        "2026-01-15T10:30:05Z",
        &["incident", "note", "too early to try again"],
    );
    assert_eq!(stub.requests().len(), 1, "{}", run.stdout);
    later(&env, "2026-01-15T10:31:00Z", &["page", "flush"]).expect_code(0);
    let keys: Vec<Value> = stub
        .requests()
        .iter()
        .map(|request| request.json()["dedup_key"].clone())
        .collect();
    assert_eq!(
        keys,
        [
            json!(format!("liveops/prod/{ID}")),
            json!(format!("liveops/prod/{ID}"))
        ]
    );
    let shown = json_of(&env, &["incident", "show"]).json();
    assert_eq!(shown["data"]["incident"]["paged"], true);
    assert_eq!(stub.requests().len(), 2);
    later(&env, "2026-01-15T10:32:00Z", &["page", "flush"]).expect_code(0);
    assert_eq!(stub.requests().len(), 2, "what was taken is not sent again");
}

#[test]
fn nobody_is_woken_for_what_somebody_has() {
    let stub = Stub::new().on("POST", "/v2/enqueue", Answer::text("no").status(503));
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(5);
    env.run(["incident", "ack"]).expect_code(0);
    stub.set("POST", "/v2/enqueue", Answer::json(json!({})).status(202));
    later(&env, "2026-01-15T10:40:00Z", &["page", "flush"]).expect_code(0);
    assert_eq!(stub.requests().len(), 1, "only the first try");
}

fn slack(stub: &Stub) -> (TestEnv, String) {
    let env = env("    - { name: team, type: slack, url: \"${SLACK}\" }\n")
        .var("SLACK", &format!("{}/services/{CANARY}", stub.url()));
    (env, format!("/services/{CANARY}"))
}

#[test]
fn slack_gets_whole_messages_in_which_nobody_is_pinged() {
    let stub = Stub::new().on("POST", "/services/*", Answer::text("ok"));
    let (env, path) = slack(&stub);
    env.run([
        "incident",
        "open",
        "--sev",
        "p4",
        "--title",
        "down <!channel>",
    ])
    .expect_code(0);
    let sent = stub.requests_to(&path);
    assert_eq!(sent.len(), 1);
    let body = sent[0].json();
    assert_eq!(body["text"], "P4 opened: down &lt;!channel&gt; (prod)");
    assert_eq!(
        body["blocks"][0]["text"]["text"],
        "P4 opened: down <!channel> (prod)"
    );
    assert_eq!(body["blocks"][0]["text"]["type"], "plain_text");
    assert!(
        body["blocks"][1]["text"]["text"]
            .as_str()
            .unwrap()
            .starts_with("down &lt;!channel&gt;\nby ada")
    );
}

#[test]
fn slacks_refusals_are_final_and_its_limits_are_kept() {
    for (status, said, state) in [
        (400, "invalid_payload", "given_up"),
        (403, "invalid_token", "given_up"),
        (404, "no_service", "given_up"),
        (410, "channel_is_archived", "given_up"),
        (500, "rollup_error", "failed"),
    ] {
        let stub = Stub::new().on("POST", "/services/*", Answer::text(said).status(status));
        let (env, _) = slack(&stub);
        let run = json_of(&env, &OPEN).expect_code(5);
        assert_eq!(deliveries(&run)[0].1, state, "{status}");
        assert!(
            run.stdout.contains(&format!("answered {status}: {said}")),
            "{}",
            run.stdout
        );
    }
    let stub = Stub::new().on(
        "POST",
        "/services/*",
        Answer::text("rate_limited")
            .status(429)
            .header("Retry-After", "90"),
    );
    let (env, _) = slack(&stub);
    let run = json_of(&env, &OPEN).expect_code(5);
    assert_eq!(deliveries(&run)[0].1, "failed");
    let outbox = json_of(&env, &["page", "list"]).json();
    assert_eq!(
        outbox["data"]["outbox"][0]["next_at"],
        "2026-01-15T10:31:30Z"
    );
}

#[test]
fn discord_is_asked_to_answer_and_says_when_to_come_again() {
    let stub = Stub::new().on(
        "POST",
        "/api/webhooks/*",
        Answer::json(json!({ "id": "1" })),
    );
    let hook = format!("{}/api/webhooks/1/{CANARY}", stub.url());
    let env =
        env("    - { name: guild, type: discord, url: \"${DISCORD}\" }\n").var("DISCORD", &hook);
    env.run(OPEN).expect_code(0);
    let sent = stub.requests();
    assert_eq!(sent[0].param("wait").as_deref(), Some("true"));
    assert_eq!(sent[0].json()["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(
        sent[0].json()["embeds"][0]["title"],
        "P1 opened: down \\<!channel\\> (prod)"
    );
    let limited =
        json!({ "message": "You are being rate limited.", "retry_after": 30.0, "global": false });
    stub.set("POST", "/api/webhooks/*", Answer::json(limited).status(429));
    env.run(["incident", "ack"]).expect_code(0);
    let outbox = json_of(&env, &["page", "list"]).json();
    assert_eq!(
        outbox["data"]["outbox"][0]["next_at"],
        "2026-01-15T10:30:30Z"
    );
    let gone = json!({ "message": "Unknown Webhook", "code": 10015 });
    stub.set("POST", "/api/webhooks/*", Answer::json(gone).status(404));
    let run = json_of(&env, &["incident", "mitigate", "x"]).expect_code(0);
    assert!(
        run.stdout.contains("answered 404: Unknown Webhook"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_webhook_is_signed_over_its_very_bytes() {
    let stub = Stub::new().on("POST", "/hook", Answer::text("").status(204));
    let env = env(&format!(
        "    - {{ name: hook, type: webhook, url: \"{}/hook\", secret: \"${{KEY}}\", headers: {{ X-Team: ops }} }}\n",
        stub.url()
    ));
    env.run(OPEN).expect_code(0);
    let sent = &stub.requests_to("/hook")[0];
    let timestamp = sent.header("x-liveops-timestamp").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(CANARY.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(&sent.body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        sent.header("x-liveops-signature"),
        Some(format!("v1={hex}").as_str())
    );
    assert_eq!(sent.header("x-team"), Some("ops"));
    let body = sent.json();
    assert_eq!(
        (&body["schema"], &body["test"]),
        (&json!("liveops.notification/1"), &json!(false))
    );
    assert_eq!(
        body["message"]["id"].as_str(),
        sent.header("idempotency-key")
    );
}

/// A mail server that answers RCPT and DATA with these, and keeps what it was sent.
fn smtp(rcpt: &'static str) -> (WireServer, Arc<Mutex<String>>) {
    let mail = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&mail);
    let server = WireServer::start(move |wire| {
        wire.send(b"220 stub\r\n")?;
        let mut line = String::new();
        let mut is_data = false;
        loop {
            line.clear();
            if wire.reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            kept.lock().unwrap().push_str(&line);
            let word = line
                .split([' ', '\r'])
                .next()
                .unwrap_or_default()
                .to_uppercase();
            if is_data {
                if line == ".\r\n" {
                    is_data = false;
                    wire.send(b"250 queued\r\n")?;
                }
                continue;
            }
            match word.as_str() {
                "EHLO" => wire.send(b"250-stub\r\n250 8BITMIME\r\n")?,
                "RCPT" => wire.send(rcpt.as_bytes())?,
                "DATA" => {
                    is_data = true;
                    wire.send(b"354 go on\r\n")?;
                }
                "QUIT" => {
                    wire.send(b"221 bye\r\n")?;
                    return Ok(());
                }
                _ => wire.send(b"250 ok\r\n")?,
            }
        }
    });
    (server, mail)
}

#[test]
fn mail_is_sent_and_its_servers_refusals_are_told_apart() {
    for (rcpt, code, state) in [
        ("250 ok\r\n", 0, "accepted"),
        ("550 5.1.1 no such user\r\n", 5, "given_up"),
        ("451 4.7.1 greylisted\r\n", 5, "failed"),
    ] {
        let (server, mail) = smtp(rcpt);
        let env = env(&format!(
            "    - {{ name: mail, type: email, url: \"smtp://127.0.0.1:{}\", from: ops@h.example, to: [lead@h.example] }}\n",
            server.port()
        ));
        let run = json_of(&env, &OPEN).expect_code(code);
        assert_eq!(deliveries(&run)[0].1, state, "{rcpt}");
        if code == 0 {
            let mail = mail.lock().unwrap();
            for line in [
                "MAIL FROM:<ops@h.example>",
                "RCPT TO:<lead@h.example>",
                "Subject: P1 opened: down <!channel> (prod)",
                "by ada at",
            ] {
                assert!(mail.contains(line), "{line}\n{mail}");
            }
        }
    }
}

#[test]
fn rules_say_who_is_told_of_what() {
    let stub = Stub::new().on("POST", "/*", Answer::text("").status(200));
    let url = stub.url();
    let env = env(&format!(
        "    - {{ name: a, type: webhook, url: \"{url}/a\" }}\n    - {{ name: b, type: webhook, url: \"{url}/b\" }}\n  rules:\n    - {{ on: opened, severity: [p1], page: [[a, b]] }}\n    - {{ on: [acked], tell: b }}\n"
    ));
    let run = json_of(&env, &OPEN).expect_code(0);
    assert_eq!(run.json()["data"]["paged"], true);
    env.run(["incident", "ack"]).expect_code(0);
    env.run(["incident", "mitigate", "x"]).expect_code(0);
    let paths: Vec<String> = stub
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths.iter().filter(|path| *path == "/a").count(), 1);
    assert_eq!(paths.iter().filter(|path| *path == "/b").count(), 2);
}

#[test]
fn a_projects_own_words_are_used_and_bad_ones_hold_nothing_up() {
    let stub = Stub::new().on("POST", "/*", Answer::text("").status(200));
    let env = env(&format!(
        "    - {{ name: a, type: webhook, url: \"{}\" }}\n",
        stub.url()
    ));
    env.write(
        "templates/notify/subject.webhook.j2",
        "{{ severity }}! {{ title }}",
    );
    env.write("templates/notify/body.j2", "{% if %}");
    let run = env.run(OPEN).expect_code(0);
    assert!(
        run.stderr.contains("templates/notify/body.j2 is not used"),
        "{}",
        run.stderr
    );
    let body = stub.requests()[0].json();
    assert_eq!(body["subject"], "p1! down <!channel>");
    assert!(body["body"].as_str().unwrap().contains("by ada"));
}

#[test]
fn a_test_proves_the_way_and_calls_nobody() {
    let stub = accepts().on("POST", "/services/*", Answer::text("ok"));
    let env = env(&format!(
        "{}    - {{ name: team, type: slack, url: \"${{SLACK}}\" }}\n    - {{ name: phone, type: exec, command: [sh, -c, 'touch called'] }}\n    - {{ name: lost, type: exec, command: [liveops-surely-missing] }}\n",
        pagerduty(&stub)
    ))
    .var("SLACK", &format!("{}/services/{CANARY}", stub.url()));
    let run = json_of(&env, &["page", "test"]).expect_code(1);
    let states: Vec<String> = deliveries(&run)
        .into_iter()
        .map(|(name, state)| format!("{name} {state}"))
        .collect();
    assert_eq!(
        states,
        [
            "oncall accepted",
            "team accepted",
            "phone accepted",
            "lost given_up"
        ]
    );
    assert!(
        !env.path().join("called").exists(),
        "the program was not run"
    );
    let sent: Vec<Value> = stub
        .requests_to("/v2/enqueue")
        .iter()
        .map(|request| request.json())
        .collect();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0]["event_action"], "resolve",
        "the end of what never began"
    );
    let posted = stub.requests_to(&format!("/services/{CANARY}"));
    assert!(
        posted[0].json()["text"]
            .as_str()
            .unwrap()
            .starts_with("TEST, nobody has to come")
    );
    env.run(["page", "test", "--channel", "nobody"])
        .expect_code(2);
    env.run(["page", "test", "--channel", "phone", "--for-real"])
        .expect_code(0);
    assert!(env.path().join("called").exists());
}

#[test]
fn no_secret_shows_anywhere() {
    let env = env(
        "    - { name: oncall, type: pagerduty, url: 'http://127.0.0.1:1', routing_key: \"${KEY}\" }\n    - { name: team, type: slack, url: \"${HOOK}\" }\n    - { name: mail, type: email, url: \"smtp://ops:${KEY}@127.0.0.1:1\", from: a@h, to: b@h }\n",
    );
    for args in [
        &["incident", "open", "--sev", "p1", "-vv"][..],
        &["incident", "ack", "-v"],
        &["incident", "show"],
        &["incident", "timeline", "--notifications"],
        &["page", "list"],
        &["page", "test", "-vv"],
        &["page", "flush", "-v"],
    ] {
        for format in ["table", "json"] {
            let run = env.run(args.iter().copied().chain(["-o", format]));
            assert!(
                !run.stdout.contains("canary") && !run.stderr.contains("canary"),
                "{args:?}\n{}\n{}",
                run.stdout,
                run.stderr
            );
        }
    }
    let mut folders = vec![env.path(), env.state()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                assert!(!text.contains("canary"), "{}", path.display());
            }
        }
    }
}

#[test]
fn a_projects_program_is_run_only_when_it_is_trusted() {
    let env = env("    []\n");
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\nnotify: { channels: [{ name: phone, type: exec, command: [touch, called] }] }\n");
    env.run(OPEN).expect_code(5);
    assert!(!env.path().join("called").exists());
    env.run(["config", "trust", "--yes"]).expect_code(0);
    later(&env, "2026-01-15T10:35:00Z", &["page", "flush"]).expect_code(0);
    assert!(env.path().join("called").exists());
}

fn webhook(status: &str, starts: &str) -> String {
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"ServerDown\"}", "truncatedAlerts": 0, "status": status, "receiver": "liveops",
        "groupLabels": { "alertname": "ServerDown" }, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am",
        "alerts": [{ "status": status, "labels": { "alertname": "ServerDown", "severity": "critical", "service": "match" },
            "annotations": { "runbook_url": "https://wiki/ServerDown" }, "startsAt": starts, "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": "f1" }],
    })
    .to_string()
}

#[test]
fn alertmanagers_webhook_opens_one_incident_and_tells_it_of_the_rest() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let receive = |body: String, time: &str| {
        env.command(["incident", "receive", "-o", "json"])
            .stdin(body)
            .env("LIVEOPS_NOW", time)
            .run()
            .expect_code(0)
            .json()["data"]
            .clone()
    };
    let start = "2026-01-15T10:20:00Z";
    let first = receive(webhook("firing", start), "2026-01-15T10:30:00Z");
    assert_eq!(
        (&first["action"], &first["incident"]["severity"]),
        (&json!("opened"), &json!("p1"))
    );
    assert_eq!(first["incident"]["started_at"], start);
    assert_eq!(first["incident"]["runbook"], "https://wiki/ServerDown");
    assert_eq!(first["paged"], true);
    assert_eq!(
        receive(webhook("firing", start), "2026-01-15T10:31:00Z")["action"],
        "known"
    );
    let ended = receive(webhook("resolved", start), "2026-01-15T10:32:00Z");
    assert_eq!(
        (&ended["action"], &ended["incident"]["phase"]),
        (&json!("updated"), &json!("open"))
    );
    env.run(["incident", "resolve", "over"]).expect_code(0);
    assert_eq!(
        receive(webhook("firing", start), "2026-01-15T10:33:00Z")["action"],
        "known"
    );
    assert_eq!(
        receive(
            webhook("firing", "2026-01-15T10:34:00Z"),
            "2026-01-15T10:35:00Z"
        )["action"],
        "opened"
    );
    let triggers = stub
        .requests()
        .iter()
        .filter(|request| request.json()["event_action"] == "trigger")
        .count();
    assert_eq!(triggers, 2);
    let bad = env
        .command(["incident", "receive"])
        .stdin("<html>")
        .run()
        .expect_code(2);
    assert!(
        bad.stderr
            .contains("not the JSON of Alertmanager's webhook"),
        "{}",
        bad.stderr
    );
    env.run(["incident", "receive", "--listen", "0.0.0.0:0"])
        .expect_code(2);
}
