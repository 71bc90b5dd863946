//! From an incident to the people: exact bodies, what each service's refusals mean, retries under one key, the next in
//! line.

use std::fs;
use std::io::BufRead;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::wire::WireServer;
use crate::support::{Answer, Run, Stub, TestEnv};

pub(crate) const CANARY: &str = "canary-7c1f";
pub(crate) const ID: &str = "2026-01-15-p1-down-channel";
pub(crate) const OPEN: [&str; 6] = ["incident", "open", "--sev", "p1", "--title", "down <!channel>"];

/// An environment whose user has these channels (lines below `channels:`) and rules.
pub(crate) fn env(channels: &str) -> TestEnv {
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

pub(crate) fn pagerduty(stub: &Stub) -> String {
    format!("    - {{ name: oncall, type: pagerduty, url: \"{}\", routing_key: \"${{KEY}}\" }}\n", stub.url())
}

pub(crate) fn accepts() -> Stub {
    let said = json!({ "status": "success", "message": "Event processed", "dedup_key": "x" });
    Stub::new().on("POST", "/v2/enqueue", Answer::json(said).status(202))
}

pub(crate) fn deliveries(run: &Run) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = run.json()["data"]["deliveries"].clone();
    let all = all.as_array().unwrap().iter();
    all.map(|one| (text(&one["channel"]), text(&one["state"]))).collect()
}

pub(crate) fn later(env: &TestEnv, time: &str, args: &[&str]) -> Run {
    env.command(args).env("LIVEOPS_NOW", time).run()
}

pub(crate) fn json_of(env: &TestEnv, args: &[&str]) -> Run {
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
    let sent: Vec<Value> = stub.requests().iter().map(|request| request.json()).collect();
    let actions: Vec<&Value> = sent.iter().map(|event| &event["event_action"]).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    let key = format!("liveops/prod/{ID}");
    for event in &sent {
        assert_eq!((&event["dedup_key"], &event["routing_key"]), (&json!(key), &json!(CANARY)));
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
    env.run(["incident", "escalate", "--because", "no idea"]).expect_code(0);
    env.run(["incident", "resolve", "x"]).expect_code(0);
    let sent: Vec<Value> = stub.requests().iter().map(|request| request.json()).collect();
    let keys: Vec<String> = sent
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event["event_action"].as_str().unwrap(),
                event["dedup_key"].as_str().unwrap().rsplit('/').next().unwrap()
            )
        })
        .collect();
    let escalation = keys[1].strip_prefix("trigger ").unwrap();
    assert!(escalation.starts_with("escalated-"), "{keys:?}");
    let ends = [format!("resolve {ID}"), format!("resolve {escalation}")];
    assert_eq!((&keys[0], &keys[2..]), (&format!("trigger {ID}"), &ends[..]));
}

#[test]
fn what_pagerduty_refuses_goes_to_the_next_in_line() {
    let said = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": ["Length of 'routing_key' is incorrect"] });
    let stub = Stub::new().on("POST", "/v2/enqueue", Answer::json(said).status(400));
    let next = "    - { name: phone, type: exec, command: [sh, -c, 'cat > called.json'] }\n";
    let both = env(&format!("{}{next}", pagerduty(&stub)));
    let run = json_of(&both, &OPEN).expect_code(0);
    let states = [("oncall".to_owned(), "given_up".to_owned()), ("phone".to_owned(), "accepted".to_owned())];
    assert_eq!(deliveries(&run), states);
    assert!(run.stdout.contains("Length of 'routing_key' is incorrect"));
    let called: Value = serde_json::from_str(&both.read("called.json")).unwrap();
    assert_eq!(called["message"]["incident"], ID);

    let alone = env(&pagerduty(&stub));
    let run = json_of(&alone, &OPEN).expect_code(5);
    assert_eq!(run.json()["data"]["paged"], false);
    assert!(run.json_error()["error"].as_str().unwrap().contains("NOBODY WAS PAGED"));
    let shown = alone.run(["incident", "show"]);
    assert!(shown.stdout.contains("NOBODY WAS PAGED"), "{}", shown.stdout);
}

#[test]
fn a_page_that_may_have_arrived_is_sent_again_under_the_same_key() {
    let stub = Stub::new()
        .on_fn("POST", "/v2/enqueue", |_| Answer::json(json!({})).status(202).after(Duration::from_secs(20)));
    let env = env(&pagerduty(&stub));
    let run = env.run(OPEN.into_iter().chain(["--timeout", "1s"])).expect_code(5);
    assert!(run.stdout.contains("may have arrived"), "{}", run.stdout);
    stub.set("POST", "/v2/enqueue", Answer::json(json!({ "status": "success" })).status(202));
    let run = later(&env, "2026-01-15T10:30:05Z", &["incident", "note", "too early to try again"]);
    assert_eq!(stub.requests().len(), 1, "{}", run.stdout);
    later(&env, "2026-01-15T10:31:00Z", &["page", "flush"]).expect_code(0);
    let keys: Vec<Value> = stub.requests().iter().map(|request| request.json()["dedup_key"].clone()).collect();
    assert_eq!(keys, [json!(format!("liveops/prod/{ID}")), json!(format!("liveops/prod/{ID}"))]);
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
    let monitored = || env.run(["status", "--nagios"]).stdout;
    let unpaged = monitored();
    assert!(unpaged.starts_with(&format!("LIVEOPS CRITICAL - incident {ID} paged nobody")), "{unpaged}");
    env.run(["incident", "ack"]).expect_code(0);
    assert!(!monitored().contains("paged nobody"), "somebody has it");
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
    env.run(["incident", "open", "--sev", "p4", "--title", "down <!channel>"]).expect_code(0);
    let sent = stub.requests_to(&path);
    assert_eq!(sent.len(), 1);
    let body = sent[0].json();
    assert_eq!(body["text"], "P4 opened: down &lt;!channel&gt; (prod)");
    assert_eq!(body["blocks"][0]["text"]["text"], "P4 opened: down <!channel> (prod)");
    assert_eq!(body["blocks"][0]["text"]["type"], "plain_text");
    assert!(body["blocks"][1]["text"]["text"].as_str().unwrap().starts_with("down &lt;!channel&gt;\nby ada"));
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
        assert!(run.stdout.contains(&format!("answered {status}: {said}")), "{}", run.stdout);
    }
    let stub =
        Stub::new().on("POST", "/services/*", Answer::text("rate_limited").status(429).header("Retry-After", "90"));
    let (env, _) = slack(&stub);
    let run = json_of(&env, &OPEN).expect_code(5);
    assert_eq!(deliveries(&run)[0].1, "failed");
    let outbox = json_of(&env, &["page", "list"]).json();
    assert_eq!(outbox["data"]["outbox"][0]["next_at"], "2026-01-15T10:31:30Z");
}

#[test]
fn discord_is_asked_to_answer_and_says_when_to_come_again() {
    let stub = Stub::new().on("POST", "/api/webhooks/*", Answer::json(json!({ "id": "1" })));
    let hook = format!("{}/api/webhooks/1/{CANARY}", stub.url());
    let env = env("    - { name: guild, type: discord, url: \"${DISCORD}\" }\n").var("DISCORD", &hook);
    env.run(OPEN).expect_code(0);
    let sent = stub.requests();
    assert_eq!(sent[0].param("wait").as_deref(), Some("true"));
    assert_eq!(sent[0].json()["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(sent[0].json()["embeds"][0]["title"], "P1 opened: down \\<!channel\\> (prod)");
    let limited = json!({ "message": "You are being rate limited.", "retry_after": 30.0, "global": false });
    stub.set("POST", "/api/webhooks/*", Answer::json(limited).status(429));
    env.run(["incident", "ack"]).expect_code(0);
    let outbox = json_of(&env, &["page", "list"]).json();
    assert_eq!(outbox["data"]["outbox"][0]["next_at"], "2026-01-15T10:30:30Z");
    let gone = json!({ "message": "Unknown Webhook", "code": 10015 });
    stub.set("POST", "/api/webhooks/*", Answer::json(gone).status(404));
    let run = json_of(&env, &["incident", "mitigate", "x"]).expect_code(0);
    assert!(run.stdout.contains("answered 404: Unknown Webhook"), "{}", run.stdout);
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
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent.header("x-liveops-signature"), Some(format!("v1={hex}").as_str()));
    assert_eq!(sent.header("x-team"), Some("ops"));
    let body = sent.json();
    assert_eq!((&body["schema"], &body["test"]), (&json!("liveops.notification/1"), &json!(false)));
    assert_eq!(body["message"]["id"].as_str(), sent.header("idempotency-key"));
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
            let word = line.split([' ', '\r']).next().unwrap_or_default().to_uppercase();
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
fn a_mail_server_that_never_ends_its_answer_holds_nothing_up() {
    for flood in ["220-stub\r\n", "2"] {
        let server = WireServer::start(move |wire| {
            loop {
                wire.send(flood.repeat(1000).as_bytes())?;
            }
        });
        let env = env(&format!(
            "    - {{ name: mail, type: email, url: \"smtp://127.0.0.1:{}\", from: ops@h.example, to: [lead@h.example] }}\n",
            server.port()
        ));
        let begun = Instant::now();
        let run = json_of(&env, &OPEN).expect_code(5);
        assert_eq!(deliveries(&run)[0].1, "failed", "{flood:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{flood:?}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_rule_for_all_events_ends_the_call_at_the_pager() {
    let pager =
        Stub::new().on("POST", "/v2/enqueue", Answer::json(json!({"status": "success", "dedup_key": "k"})).status(202));
    let env = TestEnv::new().now("2026-01-15T10:30:00Z").var("LIVEOPS_ACTOR", "ada").var("PD", "routing-key");
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nnotify: {{ channels: [ {{ name: pd, type: pagerduty, url: '{}', routing_key: '${{PD}}' }} ], rules: [ {{ page: pd }} ] }}\n",
            pager.url()
        ),
    );
    env.run(["incident", "open", "--sev", "p1", "--title", "x"]).expect_code(0);
    // A raise that the pager never gets.
    env.run(["incident", "severity", "p3"]).expect_code(0);
    env.command(["incident", "severity", "p1"]).env_remove("PD").run().expect_code(5);
    env.run(["incident", "ack"]).expect_code(0);
    let run = env.run(["incident", "resolve", "ok", "--yes"]).expect_code(0);
    assert!(!run.stdout.contains("NOBODY WAS PAGED"), "{}", run.stdout);
    let sent: Vec<String> = pager
        .requests()
        .iter()
        .filter_map(|request| {
            serde_json::from_slice::<Value>(&request.body).ok()?["event_action"].as_str().map(String::from)
        })
        .collect();
    assert_eq!(sent.last().map(String::as_str), Some("resolve"), "{sent:?}");
    assert!(sent.contains(&"acknowledge".to_owned()), "{sent:?}");
}
