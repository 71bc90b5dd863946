//! Nobody who should be paged is not: what is news rings, what may have arrived counts as heard, and hints do what they say.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::notify::{CANARY, OPEN, accepts, deliveries, env, json_of, later, pagerduty};
use crate::support::{Answer, Stub, TestEnv};

/// Each event that the pager got: what, and under which key.
fn events(stub: &Stub) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let requests = stub.requests_to("/v2/enqueue");
    requests.iter().map(|one| one.json()).map(|one| (text(&one["event_action"]), text(&one["dedup_key"]))).collect()
}

fn actions(stub: &Stub) -> Vec<String> {
    events(stub).into_iter().map(|(action, _)| action).collect()
}

/// Pages under a key that the pager has acknowledged, or that ring nobody for another reason.
fn silent(stub: &Stub) -> Vec<String> {
    let mut held = Vec::new();
    let mut silent = Vec::new();
    for (action, key) in events(stub) {
        match action.as_str() {
            "trigger" if held.contains(&key) => silent.push(key),
            "acknowledge" => held.push(key),
            "resolve" => held.retain(|one| *one != key),
            _ => {}
        }
    }
    silent
}

pub(crate) fn group(alerts: &[(&str, &str, &str, &str)]) -> Value {
    let alerts = alerts.iter().map(|(name, severity, status, start)| {
        json!({ "status": status, "labels": { "alertname": name, "severity": severity, "service": "db" }, "annotations": {},
            "startsAt": start, "endsAt": "0001-01-01T00:00:00Z", "fingerprint": name })
    });
    json!({ "version": "4", "groupKey": "{}:{service=\"db\"}", "status": "firing", "alerts": alerts.collect::<Vec<_>>() })
}

const T1: &str = "2026-01-15T10:20:00Z";
const T2: &str = "2026-01-15T11:20:00Z";

fn receive(env: &TestEnv, time: &str, alerts: &[(&str, &str, &str, &str)]) -> Value {
    let run = env.command(["incident", "receive", "-o", "json"]).stdin(group(alerts).to_string());
    run.env("LIVEOPS_NOW", time).run().expect_code(0).json()["data"].clone()
}

#[test]
fn what_is_news_to_whoever_has_it_rings_once_and_repeats_stay_quiet() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let first = ("Slow", "warning", "firing", T1);
    receive(&env, "2026-01-15T10:30:00Z", &[first]);
    later(&env, "2026-01-15T10:31:00Z", &["incident", "ack"]).expect_code(0);
    assert_eq!(actions(&stub), ["trigger", "acknowledge"]);

    let other = ("Errors", "warning", "firing", T1);
    receive(&env, "2026-01-15T10:32:00Z", &[first, other]);
    assert_eq!(actions(&stub)[2..], ["trigger"], "another alert");
    receive(&env, "2026-01-15T10:33:00Z", &[first, other]);
    assert_eq!(actions(&stub).len(), 3, "a repeat");
    later(&env, "2026-01-15T10:34:00Z", &["incident", "ack"]).expect_code(0);
    later(&env, "2026-01-15T10:34:00Z", &["incident", "ack"]).expect_code(4);

    let worse = ("Down", "critical", "firing", T1);
    let told = receive(&env, "2026-01-15T10:35:00Z", &[first, other, worse]);
    assert_eq!((&told["incident"]["severity"], &told["paged"]), (&json!("p1"), &json!(true)), "a worse alert");
    later(&env, "2026-01-15T10:36:00Z", &["incident", "mitigate", "restarted"]).expect_code(0);
    let before = actions(&stub).len();
    let ended = [
        ("Slow", "warning", "resolved", T1),
        ("Errors", "warning", "resolved", T1),
        ("Down", "critical", "resolved", T1),
    ];
    receive(&env, "2026-01-15T10:37:00Z", &ended);
    assert_eq!(actions(&stub).len(), before, "an end calls nobody");
    receive(&env, "2026-01-15T11:21:00Z", &[("Down", "critical", "firing", T2)]);
    assert_eq!(actions(&stub)[before..], ["trigger"], "it fires anew");
    let status = later(&env, "2026-01-15T11:22:00Z", &["status"]);
    assert!(!status.stdout.contains("incident resolve"), "{}", status.stdout);
    assert!(status.stdout.contains("incident reopen"), "{}", status.stdout);
    assert_eq!(silent(&stub), Vec::<String>::new());
}

#[test]
fn every_call_rings_and_every_end_is_told() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    for step in [
        &["incident", "open", "--sev", "p3", "--title", "x"][..],
        &["incident", "ack"],
        &["incident", "severity", "p1"],
        &["incident", "mitigate", "m"],
        &["incident", "reopen", "back"],
        &["incident", "escalate"],
        &["incident", "resolve", "over"],
    ] {
        env.run(step).expect_code(0);
    }
    assert_eq!(silent(&stub), Vec::<String>::new());
    let of = |what: &str| {
        let mut keys: Vec<String> =
            events(&stub).into_iter().filter(|(action, _)| action == what).map(|(_, key)| key).collect();
        keys.sort();
        keys.dedup();
        keys
    };
    assert_eq!(of("trigger").len(), 4, "each call has its own key");
    assert_eq!(of("trigger"), of("resolve"));
    assert_eq!(of("acknowledge").len(), 2, "whoever mitigates has seen the raise");
}

#[test]
fn lowering_the_severity_calls_nobody() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(0);
    env.run(["incident", "severity", "p3"]).expect_code(0);
    assert_eq!(actions(&stub), ["trigger"]);
}

#[test]
fn a_page_whose_answer_never_came_is_acknowledged_and_ended() {
    let stub = accepts();
    stub.set("POST", "/v2/enqueue", Answer::json(json!({})).status(202).after(Duration::from_secs(20)));
    let env = env(&pagerduty(&stub));
    env.run(OPEN.into_iter().chain(["--timeout", "1s"])).expect_code(5);
    stub.set("POST", "/v2/enqueue", Answer::json(json!({})).status(202));
    env.run(["incident", "ack"]).expect_code(0);
    env.run(["page", "flush"]).expect_code(0);
    env.run(["incident", "resolve", "fine"]).expect_code(0);
    assert_eq!(actions(&stub), ["trigger", "acknowledge", "resolve"]);
    assert_eq!(events(&stub)[0].1, events(&stub)[2].1);
}

#[test]
fn a_page_that_is_accepted_after_somebody_acknowledged_is_acknowledged_again() {
    let stub = accepts();
    let slow = Answer::json(json!({ "status": "success" })).status(202).after(Duration::from_secs(3));
    stub.set("POST", "/v2/enqueue", slow);
    let env = env(&pagerduty(&stub));
    thread::scope(|scope| {
        let opening = scope.spawn(|| env.run(OPEN).expect_code(0));
        crate::support::until("the page is on its way", Duration::from_secs(20), || {
            (!stub.requests().is_empty()).then_some(())
        });
        stub.set("POST", "/v2/enqueue", Answer::json(json!({ "status": "success" })).status(202));
        env.run(["incident", "ack"]).expect_code(0);
        opening.join().unwrap();
    });
    // The pager may have taken the first acknowledgement before it knew of the page.
    assert_eq!(actions(&stub), ["trigger", "acknowledge", "acknowledge"]);
    assert_eq!(silent(&stub), Vec::<String>::new());
}

#[test]
fn a_pager_that_cannot_be_told_goes_on_calling_and_that_is_said() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(0);
    stub.set("POST", "/v2/enqueue", Answer::text("down").status(503));
    let run = env.run(["incident", "ack"]).expect_code(5);
    assert!(run.stderr.contains("THE PAGER WAS NOT TOLD"), "{}", run.stderr);
}

#[test]
fn the_end_of_a_call_that_was_refused_waits_for_a_flush() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(0);
    let accepted = || stub.set("POST", "/v2/enqueue", Answer::json(json!({ "status": "success" })).status(202));
    for (args, action) in [(&["incident", "ack"][..], "acknowledge"), (&["incident", "resolve", "fine"], "resolve")] {
        stub.set("POST", "/v2/enqueue", Answer::text("the key was rotated").status(401));
        let run = env.run(args).expect_code(5);
        assert!(run.stderr.contains("liveops page flush"), "{}", run.stderr);
        let waiting = json_of(&env, &["page", "list"]).json()["data"]["outbox"].clone();
        assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
        let before = stub.requests().len();
        accepted();
        env.run(["page", "flush"]).expect_code(0);
        assert_eq!(actions(&stub)[before..], [action.to_owned()]);
        assert_eq!(json_of(&env, &["page", "list"]).json()["data"]["outbox"], json!([]));
    }
}

#[test]
fn an_escalation_that_reaches_nobody_is_no_success() {
    let env = env("    []\n");
    env.run(OPEN).expect_code(0);
    let run = env.run(["incident", "escalate"]).expect_code(5);
    assert!(run.stderr.contains("NOBODY WAS PAGED") && run.stderr.contains("liveops page list"), "{}", run.stderr);
}

#[test]
fn a_page_that_was_refused_for_good_is_sent_when_somebody_mended_it() {
    let refused = Answer::json(json!({ "status": "invalid event", "errors": ["Routing key is invalid"] })).status(400);
    let stub = Stub::new().on("POST", "/v2/enqueue", refused);
    let env = env(&pagerduty(&stub));
    let run = env.run(OPEN).expect_code(5);
    assert!(run.stderr.contains("liveops page flush"), "{}", run.stderr);
    env.run(["page", "flush"]).expect_code(5);
    later(&env, "2026-01-15T10:40:00Z", &["incident", "note", "no flush by the way"]).expect_code(0);
    assert_eq!(stub.requests().len(), 2, "only `page flush` tries it");
    let list = json_of(&env, &["page", "list"]).json();
    assert_eq!(list["data"]["outbox"][0]["given_up"], "answered 400: Routing key is invalid");
    stub.set("POST", "/v2/enqueue", Answer::json(json!({})).status(202));
    env.run(["page", "flush"]).expect_code(0);
    assert_eq!(stub.requests().len(), 3);
    assert_eq!(json_of(&env, &["incident", "show"]).json()["data"]["incident"]["paged"], true);
}

#[test]
fn a_room_that_is_called_in_the_pagers_place_hears_of_it_once_and_as_a_page() {
    for status in [400, 500] {
        let pager = Stub::new().on("POST", "/*", Answer::text("no").status(status));
        let room = Stub::new().on("POST", "/*", Answer::text("ok"));
        let channel =
            |name: &str, stub: &Stub| format!("    - {{ name: {name}, type: webhook, url: \"{}\" }}\n", stub.url());
        let rule = "  rules: [ { on: opened, page: [ pager, room ], tell: room } ]\n";
        let env = env(&format!("{}{}{rule}", channel("pager", &pager), channel("room", &room)));
        env.run(OPEN).expect_code(0);
        let heard: Vec<_> = room.requests().iter().map(|one| one.json()["message"]["page"].clone()).collect();
        assert_eq!(heard, [json!(true)], "{status}");
        // Where the pager takes it, the room only hears of it.
        pager.set("POST", "/*", Answer::text("ok"));
        env.run(["incident", "resolve", "x"]).expect_code(0);
        let before = room.requests().len();
        env.run(OPEN).expect_code(0);
        let heard: Vec<_> = room.requests()[before..].iter().map(|one| one.json()["message"]["page"].clone()).collect();
        assert_eq!(heard, [json!(false)], "{status}");
    }
}

#[test]
fn a_program_that_leaves_the_call_running_behind_it_has_called() {
    let env = env(
        "    - { name: phone, type: exec, command: [sh, -c, 'cat > /dev/null; echo >> called; (sleep 60) & exit 0'] }\n",
    );
    env.run(OPEN).expect_code(0);
    env.run(["incident", "note", "x"]).expect_code(0);
    assert_eq!(env.read("called").lines().count(), 1);
    let env = crate::notify::env(
        "    - { name: phone, type: exec, command: [sh, -c, '(sleep 60) & echo no line >&2; exit 1'] }\n",
    );
    let run = env.run(OPEN).expect_code(5);
    assert!(run.stderr.contains("no line"), "{}", run.stderr);
}

#[test]
fn of_several_who_raise_the_severity_one_does() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    env.run(["incident", "open", "--sev", "p3", "--title", "x"]).expect_code(0);
    let start = Barrier::new(4);
    let codes: Vec<i32> = thread::scope(|scope| {
        let raise = || {
            start.wait();
            env.run(["incident", "severity", "p1"]).code
        };
        let people: Vec<_> = (0..4).map(|_| scope.spawn(raise)).collect();
        people.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| [0, 4].contains(code)), "{codes:?}");
    assert_eq!(actions(&stub).iter().filter(|action| *action == "trigger").count(), 2, "the opening, and one raise");
}

#[test]
fn flushes_at_once_deliver_once_and_agree() {
    let stub = Stub::new().on("POST", "/v2/enqueue", Answer::text("down").status(503));
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(5);
    stub.set("POST", "/v2/enqueue", Answer::json(json!({})).status(202).after(Duration::from_millis(700)));
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                env.run(["page", "flush"]).expect_code(0)
            });
        }
    });
    assert_eq!(stub.requests().len(), 2, "the one that failed, and one more");
}

/// A crash, or somebody's editor.
#[test]
fn a_message_that_cannot_be_read_is_named_and_takes_no_other_along() {
    let stub = Stub::new().on("POST", "/v2/enqueue", Answer::text("down").status(503));
    let env = env(&pagerduty(&stub));
    env.run(OPEN).expect_code(5);
    env.run(["incident", "open", "--sev", "p1", "--title", "other"]).expect_code(5);
    let outbox = env.state().join("outbox");
    let project = std::fs::read_dir(outbox).unwrap().next().unwrap().unwrap().path();
    let named =
        |name: &str| {
            std::fs::read_dir(&project).unwrap().flatten().map(|one| one.path()).find(|path| {
                path.extension().is_some_and(|end| end == "json") && path.display().to_string().contains(name)
            })
        };
    let lost = named("down-channel").expect("in the outbox");
    std::fs::write(&lost, "{\"channel\":").unwrap();
    stub.set("POST", "/v2/enqueue", Answer::json(json!({})).status(202));
    const SAID: &str = "A MESSAGE IN THE OUTBOX CANNOT BE READ";
    let listed = env.run(["page", "list"]).expect_code(0);
    assert!(listed.stderr.contains(SAID) && listed.stderr.contains("down-channel"), "{}", listed.stderr);
    let flushed = env.run(["page", "flush"]).expect_code(5);
    assert!(flushed.stderr.contains(SAID), "{}", flushed.stderr);
    assert_eq!(named("other"), None, "delivered");
    assert!(lost.exists(), "it is kept");
    std::fs::remove_file(&lost).unwrap();
    let flushed = env.run(["page", "flush"]).expect_code(0);
    assert!(!flushed.stderr.contains(SAID), "{}", flushed.stderr);
}

fn room(stub: &Stub) -> TestEnv {
    env("    - { name: team, type: slack, url: \"${SLACK}\" }\n  rules: [ { tell: team } ]\n")
        .var("SLACK", &format!("{}/services/{CANARY}", stub.url()))
}

#[test]
fn late_news_never_have_the_last_word() {
    let stub = Stub::new().on("POST", "/services/*", Answer::text("down").status(503));
    let env = room(&stub);
    env.run(["incident", "open", "--sev", "p2", "--title", "db down"]).expect_code(0);
    later(&env, "2026-01-15T10:40:00Z", &["incident", "severity", "p1"]).expect_code(0);
    let before = stub.requests().len();
    stub.set("POST", "/services/*", Answer::text("ok"));
    later(&env, "2026-01-15T12:00:00Z", &["incident", "resolve", "all well"]).expect_code(0);
    later(&env, "2026-01-15T13:00:00Z", &["page", "flush"]).expect_code(0);
    let told: Vec<Value> = stub.requests()[before..].iter().map(|one| one.json()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["text"], "P1 resolved: db down (prod)");
    let body = told[0]["blocks"][1]["text"]["text"].as_str().unwrap();
    let lines: Vec<&str> = body.lines().filter(|line| line.starts_with("not delivered in time")).collect();
    assert!(lines.len() == 2 && lines[0].contains("opened") && lines[1].contains("severity"), "{body}");
}

#[test]
fn only_a_yes_of_the_service_is_one_and_nothing_is_posted_twice() {
    for (kind, answer, state) in [
        ("slack", Answer::json(json!({ "ok": true })), "accepted"),
        ("slack", Answer::json(json!({ "success": true })), "accepted"),
        ("slack", Answer::json(json!({ "ok": false, "error": "channel_not_found" })), "given_up"),
        ("slack", Answer::text("<html>log in"), "failed"),
        ("discord", Answer::text("<html>log in"), "failed"),
        ("discord", Answer::text("").status(204), "accepted"),
        ("discord", Answer::text("queued"), "given_up"),
    ] {
        let stub = Stub::new().on("POST", "/services/*", answer);
        let channels =
            format!("    - {{ name: team, type: {kind}, url: \"${{SLACK}}\" }}\n  rules: [ {{ tell: team }} ]\n");
        let env = env(&channels).var("SLACK", &format!("{}/services/x", stub.url()));
        let run = json_of(&env, &["incident", "open", "--sev", "p2", "--title", "x"]).expect_code(0);
        assert_eq!(deliveries(&run)[0].1, state, "{kind}: {}", run.stdout);
        if state != "failed" {
            env.run(["page", "flush"]);
            assert_eq!(stub.requests().len(), 1, "{kind}");
        }
    }
}

#[test]
fn a_teams_own_words_lie_where_templates_do_and_empty_ones_are_none() {
    let stub = Stub::new().on("POST", "/services/*", Answer::text("ok"));
    let env = room(&stub);
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\ntemplates: my/forms\n");
    env.write("my/forms/notify/subject.j2", "OWN {{ title }}");
    env.write("my/forms/notify/body.j2", "{% if alert %}alert {{ alert }}{% endif %}\n");
    env.run(["incident", "open", "--sev", "p2", "--title", "x"]).expect_code(0);
    let sent = stub.requests()[0].json();
    assert_eq!(sent["text"], "OWN x");
    assert!(sent["blocks"][1]["text"]["text"].as_str().unwrap().contains("by ada at"));
}

#[test]
fn a_variable_that_is_set_to_nothing_is_none() {
    let env = env("    []\n");
    env.run(["incident", "open", "--sev", "p2", "--title", "db down"]).expect_code(0);
    for name in
        ["ENV", "CONFIG", "TIMEOUT", "READ_ONLY", "OUTPUT", "PROMETHEUS", "ALERTMANAGER", "REDIS", "HEALTH", "NOW"]
    {
        let run = env.command(["incident", "list"]).env(&format!("LIVEOPS_{name}"), "").run().expect_code(0);
        assert!(run.stdout.contains("db down"), "{name}: {}", run.stdout);
    }
}
