//! `page who` and `on-call`: a calendar or people in turn, gaps, overrides, and pages that go along it.

use std::fs;

use serde_json::{Value, json};

use crate::notify::{OPEN, env, json_of, later};
use crate::support::TestEnv;

/// People whose phones append their name to `called`.
fn people(schedule: &str, rules: &str) -> TestEnv {
    let phone = |who: &str| {
        format!(
            "    - {{ name: {who}, type: exec, command: [sh, -c, 'echo {who} >> called; exit $(cat busy-{who} 2>/dev/null || echo 0)'] }}\n"
        )
    };
    env(&format!("{}{}{}  schedule: {schedule}\n{rules}", phone("ada"), phone("bob"), phone("desk")))
}

fn called(env: &TestEnv) -> Vec<String> {
    let text = fs::read_to_string(env.path().join("called")).unwrap_or_default();
    let _ = fs::remove_file(env.path().join("called"));
    text.lines().map(ToOwned::to_owned).collect()
}

const TURN: &str =
    "{ time_zone: Europe/Berlin, rotation: { order: [ada, bob], from: 2026-01-12, handover: 'mon 09:00' } }";

#[test]
fn who_is_on_call_is_said_with_who_comes_next() {
    let env = people(TURN, "");
    let run = env.run(["page", "who"]).expect_code(0);
    assert!(run.stdout.contains("ada is on call until Mon 2026-01-19 09:00 (Europe/Berlin): ada"), "{}", run.stdout);
    assert!(run.stdout.contains("bob  Mon 2026-01-19 09:00"), "{}", run.stdout);
    let data = json_of(&env, &["page", "who", "--at", "2026-01-19 08:00"]).expect_code(0).json()["data"].clone();
    assert_eq!((&data["on_call"]["who"], &data["next"][0]["who"]), (&json!("bob"), &json!("ada")));
    assert_eq!(data["on_call"]["to"], "2026-01-26T08:00:00Z");
    let gap = env.run(["page", "who", "--at", "2026-01-01 00:00"]).expect_code(1);
    assert!(gap.stdout.contains("NOBODY IS ON CALL"), "{}", gap.stdout);
    env.run(["page", "who", "--at", "soon"]).expect_code(2);
    let none = crate::notify::env("    []\n").run(["page", "who"]).expect_code(2);
    assert!(none.stderr.contains("schedule: { who: rota.ics }"), "{}", none.stderr);
}

#[test]
fn pages_go_along_the_schedule_and_an_escalation_begins_with_the_next() {
    let env = people(TURN, "  rules: [ { on: [opened, escalated], page: [on-call, desk] } ]\n");
    let list = env.run(["page", "list"]).expect_code(0);
    assert!(list.stdout.contains("page ada, else bob, else desk"), "{}", list.stdout);
    env.run(OPEN).expect_code(0);
    assert_eq!(called(&env), ["ada"]);
    env.run(["incident", "escalate"]).expect_code(0);
    assert_eq!(called(&env), ["bob"]);
    env.run(["incident", "escalate"]).expect_code(0);
    assert_eq!(called(&env), ["ada"], "the line begins anew");
    env.write("busy-ada", "1");
    env.write("busy-bob", "1");
    later(&env, "2026-01-15T10:31:00Z", &["incident", "resolve", "x"]).expect_code(0);
    later(&env, "2026-01-15T10:32:00Z", &["incident", "open", "--sev", "p1", "--title", "again"]).expect_code(0);
    assert_eq!(called(&env), ["ada", "bob", "desk"], "until somebody takes it");
}

#[test]
fn a_calendar_says_who_and_one_that_cannot_be_read_calls_everybody() {
    let env =
        people("{ who: rota.ics, people: { Ada: ada, Bob: bob } }", "  rules: [ { on: opened, page: on-call } ]\n");
    let entry = |who: &str, day: &str| {
        format!(
            "BEGIN:VEVENT\r\nUID:{who}\r\nSUMMARY:On call: {who}\r\nDTSTART;TZID=Europe/Berlin:{day}T090000\r\nDURATION:P7D\r\nRRULE:FREQ=WEEKLY;INTERVAL=2\r\nEND:VEVENT\r\n"
        )
    };
    let calendar =
        format!("BEGIN:VCALENDAR\r\n{}{}END:VCALENDAR\r\n", entry("Ada", "20260105"), entry("Bob", "20260112"));
    fs::write(env.user_config().join("rota.ics"), calendar).unwrap();
    let who = |at: &str| -> Value { json_of(&env, &["page", "who", "--at", at]).json()["data"]["on_call"].clone() };
    assert_eq!(who("2026-01-15 10:00")["who"], "On call: Bob");
    assert_eq!(who("2026-01-15 10:00")["channels"], json!(["bob"]));
    assert_eq!(who("2026-01-19 08:00")["channels"], json!(["ada"]));
    env.run(OPEN).expect_code(0);
    assert_eq!(called(&env), ["bob"]);
    fs::write(env.user_config().join("rota.ics"), "<html>").unwrap();
    let listed = env.run(["page", "list"]).expect_code(0);
    assert_eq!(listed.stderr.matches("warning: ").count(), 1, "the same is said once: {}", listed.stderr);
    let run =
        later(&env, "2026-01-15T10:32:00Z", &["incident", "open", "--sev", "p1", "--title", "again"]).expect_code(0);
    assert!(run.stderr.contains("everybody of the schedule is called"), "{}", run.stderr);
    let mut all = called(&env);
    all.sort();
    assert_eq!(all, ["ada", "bob"]);
    assert!(env.run(["page", "who"]).expect_code(2).stderr.contains("is no iCalendar file"));
}
