//! `liveops silence`: previews, refusals, confirmation, and what becomes of lost answers.

use serde_json::json;

use crate::alertmanager_stub::{AlertmanagerStub, NOW, Post, alert, silenced};
use crate::support::{Answer, Stub};

const DOWN: [&str; 7] = ["silence", "add", "ServerDown", "--for", "2h", "--reason", "new disk"];

fn world() -> AlertmanagerStub {
    AlertmanagerStub::start(json!([
        alert("TickSlow", "high", "eu-1"),
        alert("ServerDown", "critical", "eu-1"),
        alert("ServerDown", "critical", "eu-2"),
    ]))
}

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn add_previews_and_asks_for_yes() {
    let stub = world();
    let run = stub.env().run(DOWN).expect_code(4);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 4
        --- stdout
        --- stderr
        it matches now:
        ✖ ServerDown  critical   ×2      7m  instance=eu-1|eu-2 job=game
            ServerDown at eu-1
            runbook: runbooks/ServerDown.md
        WARNING: it hides 2 CRITICAL alerts: ServerDown

        silence {alertname="ServerDown"} for 2h, until 2026-01-15T12:30:00Z; it hides 2 alerts now
        error: not confirmed, and nobody can be asked here: silence {alertname="ServerDown"} for 2h, until 2026-01-15T12:30:00Z; it hides 2 alerts now

        hint: pass `--yes` to do it, `--dry-run` to look
        "#);
    assert_eq!(stub.changes(), 0);
    let json = stub.env().run(with(&DOWN, &["-o", "json"])).expect_code(4);
    assert_eq!(json.json_error()["kind"], "refused");
    assert!(json.stderr.trim().starts_with('{'), "one object and no prose: {}", json.stderr);
}

#[test]
fn add_does_it_and_says_how_to_undo_it() {
    let stub = world();
    let run = stub.env().run(with(&DOWN, &["--yes", "-o", "json"])).expect_code(0);
    let json = run.json();
    assert_eq!(json["schema"], "liveops.change/1");
    let data = &json["data"];
    assert_eq!((&data["action"], &data["changed"]), (&json!("silence.add"), &json!(true)));
    assert_eq!(data["result"]["hides"], json!({"count": 2, "matches": 2, "names": ["ServerDown"], "critical": 2}));
    assert_eq!(data["undo"], format!("liveops undo {}", data["id"].as_str().unwrap()));
    assert!(json["warnings"][0].as_str().unwrap().contains("2 CRITICAL alerts: ServerDown"));
    let silences = stub.silences();
    assert_eq!(silences.len(), 1);
    assert_eq!(silences[0]["id"], data["result"]["silence"]);
    assert_eq!(silences[0]["startsAt"], "2026-01-15T10:30:00.000000000Z");
    assert_eq!(silences[0]["endsAt"], "2026-01-15T12:30:00.000000000Z");
    assert_eq!((&silences[0]["createdBy"], &silences[0]["comment"]), (&json!("ada"), &json!("new disk")));
    assert_eq!(
        silences[0]["matchers"],
        json!([{"name": "alertname", "value": "ServerDown", "isRegex": false, "isEqual": true}])
    );
}

#[test]
fn a_dry_run_and_read_only_change_nothing() {
    let stub = world();
    let env = stub.env();
    let run = env.run(with(&DOWN, &["--dry-run"])).expect_code(0);
    assert!(run.stdout.contains("dry run, nothing is changed: silence"), "{}", run.stdout);
    assert!(
        run.stdout.contains("next: liveops silence add ServerDown --for 2h --reason 'new disk'\n"),
        "{}",
        run.stdout
    );
    let json = env.run(with(&DOWN, &["--dry-run", "-o", "json"])).expect_code(0).json();
    assert_eq!((&json["data"]["dry_run"], &json["data"]["id"]), (&json!(true), &json!(null)));
    let refused = env.run(with(&DOWN, &["--read-only", "--yes"])).expect_code(4);
    assert!(refused.stderr.contains("read-only: will not silence"), "{}", refused.stderr);
    env.run(with(&DOWN, &["--read-only", "--dry-run"])).expect_code(0);
    assert_eq!(stub.changes(), 0);
    assert!(!env.state().join("audit.jsonl").exists(), "nothing was begun");
}

#[test]
fn what_nobody_should_type_is_refused() {
    let stub = world();
    for (args, part) in [
        (&["alertname=~.+", "--for", "1h"][..], "would silence (nearly) every alert"),
        (&["nosuch=", "--for", "1h", "--force"], "would silence (nearly) every alert"),
        (&["severity!=critical", "--for", "1h"], "would silence (nearly) every alert"),
        (&["A", "B", "--for", "1h"], "write `alertname=~A|B`"),
        (&["A", "--for", "5h"], "longer than the cap of 4h"),
        (&["A", "--for", "2"], "has no unit"),
        (&["A", "--for", "300y", "--force"], "too long"),
        (&["a=~(", "--for", "1h"], "is no regular expression"),
    ] {
        let line = with(&["silence", "add", "--comment", "x", "--yes"], args);
        let run = stub.env().run(line).expect_code(2);
        assert!(run.stderr.contains(part), "{args:?}: {}", run.stderr);
    }
    stub.env().run(["silence", "add", "A", "--for", "1h", "--comment", ""]).expect_code(2);
    stub.env().run(["silence", "add", "A", "--for", "1h"]).expect_code(2);
    assert_eq!(stub.changes(), 0);
    let long = ["silence", "add", "A", "--for", "5h", "--force", "--comment", "x", "--yes"];
    stub.env().run(long).expect_code(0);
    assert_eq!(stub.live().len(), 1);
}

#[test]
fn the_cap_comes_from_the_configuration() {
    let stub = world();
    let env = stub.env();
    env.write("liveops.yaml", "version: 1\nsilences: { max: 30m }\n");
    let run = env.run(with(&DOWN, &["--yes"])).expect_code(2);
    assert!(run.stderr.contains("longer than the cap of 30m"), "{}", run.stderr);
}

#[test]
fn a_misspelt_name_and_a_twin_are_pointed_out() {
    let stub = world();
    stub.add("5117ce00", "ServerDown", "active", "2026-01-15T11:00:00.000Z");
    let rules = json!({"status": "success", "data": {"groups": []}});
    let prometheus = Stub::new().on("GET", "/api/v1/rules", Answer::json(rules));
    let env = stub.env().var("LIVEOPS_PROMETHEUS", &prometheus.url());
    let run = env.run(["silence", "add", "ServerDonw", "--for", "1h", "--comment", "x", "--dry-run"]);
    assert!(run.stderr.contains("did you mean `ServerDown`?"), "{}", run.stderr);
    assert!(run.stderr.contains("it matches nothing now"), "{}", run.stderr);
    let run = env.run(["silence", "add", "instanec=eu-1", "--for", "1h", "--reason", "x", "--dry-run"]);
    assert!(run.stderr.contains("no alert has the label `instanec` now; did you mean `instance`?"), "{}", run.stderr);
    let run = env.run(with(&DOWN, &["--dry-run"]));
    assert!(run.stderr.contains("liveops silence extend 5117ce00 --for 1h"), "{}", run.stderr);
}

#[test]
fn a_lost_answer_never_makes_a_second_silence() {
    for posts in [
        &[Post::KeptAndDropped][..],
        &[Post::KeptAndHeld],
        &[Post::LostAndDropped, Post::Answered],
        &[Post::LostAndHeld, Post::Answered],
        &[Post::LostAndDropped, Post::KeptAndDropped],
        &[Post::LostAndHeld, Post::KeptAndHeld],
    ] {
        let stub = world();
        stub.posts(posts);
        let env = stub.env();
        let run = env.run(with(&DOWN, &["--yes", "--timeout", "1s", "-o", "json"]));
        assert_eq!(run.code, 0, "{posts:?}: {}", run.stderr);
        assert_eq!(stub.live().len(), 1, "{posts:?}");
        assert_eq!(stub.live()[0]["id"], run.json()["data"]["result"]["silence"], "{posts:?}");
        env.run(["undo", "--yes"]).expect_code(0);
        assert_eq!(stub.live().len(), 0, "{posts:?}");
    }
}

#[test]
fn what_did_not_arrive_is_said_and_found_out_later() {
    let stub = world();
    stub.posts(&[Post::LostAndDropped]);
    let env = stub.env();
    let run = env.run(with(&DOWN, &["--yes"])).expect_code(3);
    assert!(run.stderr.contains(&stub.url()), "{}", run.stderr);
    let list = env.run(["audit", "list", "-o", "json"]).json();
    assert_eq!(list["data"]["changes"][0]["state"], "unclear");
    let undo = env.run(["undo", "--yes"]).expect_code(4);
    assert!(undo.stderr.contains("it did not happen: Alertmanager has no silence"), "{}", undo.stderr);
    stub.posts(&[Post::Refused]);
    let refused = env.run(with(&DOWN, &["--yes"])).expect_code(3);
    assert!(refused.stderr.contains("bad matcher"), "{}", refused.stderr);
    assert_eq!(stub.live().len(), 0);
}

#[test]
fn extend_counts_from_the_present_end_and_keeps_the_cap() {
    let stub = world();
    stub.add("5117ce00-1", "ServerDown", "active", "2026-01-15T12:30:00.000Z");
    let env = stub.env();
    env.run(["silence", "extend", "5117ce00", "--by", "1h", "--yes"]).expect_code(0);
    assert_eq!(stub.live()[0]["endsAt"], "2026-01-15T13:30:00.000000000Z");
    assert_eq!(stub.live()[0]["createdBy"], "bob", "whose silence it is does not change");
    assert_eq!(stub.live()[0]["annotations"], json!({"ticket": "INC-1"}), "what liveops does not know is kept");
    let run = env.run(["silence", "extend", "5117ce00", "--by", "2h", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("would last another 5h, and the cap is 4h"), "{}", run.stderr);
    env.run(["silence", "extend", "5117ce00", "--by", "2h", "--force", "--yes"]).expect_code(0);
    stub.add("5117ce00-2", "TickSlow", "expired", "2026-01-15T10:10:00.000Z");
    let run = env.run(["silence", "extend", "5117ce00-2", "--by", "1h", "--yes"]).expect_code(4);
    assert!(
        run.stderr.contains("liveops silence add 'alertname=\"TickSlow\"' --for 1h --reason known"),
        "{}",
        run.stderr
    );
    let run = env.run(["silence", "extend", "5117ce00", "--by", "1m", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("ids of 2 silences begin with"), "{}", run.stderr);
    env.run(["silence", "extend", "none-such", "--by", "1m", "--yes"]).expect_code(2);
}

#[test]
fn expire_is_a_kill_switch_and_may_be_repeated() {
    let stub = world();
    stub.add("5117ce00", "ServerDown", "active", "2026-01-15T12:30:00.000Z");
    let env = stub.env();
    // A protected environment asks for its name, but not for this.
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: { protected: true } }\n");
    // And an audit log that cannot be written does not stop it.
    std::fs::create_dir_all(env.state().join("audit.jsonl")).unwrap();
    let run = env.run(["silence", "expire", "5117ce00", "--yes", "-o", "json"]).expect_code(0);
    assert!(run.stderr.contains("this change is not in the audit log"), "{}", run.stderr);
    assert_eq!(run.json()["data"]["id"], json!(null));
    assert_eq!(stub.live().len(), 0);
    let again = env.run(["silence", "expire", "5117ce00", "--yes", "-o", "json"]).expect_code(0);
    assert_eq!(again.json()["data"]["changed"], json!(false));
    // Adding one does need the log.
    let add = env.run(with(&DOWN, &["--yes", "--confirm", "prod"])).expect_code(3);
    assert!(add.stderr.contains("audit.jsonl"), "{}", add.stderr);
    assert_eq!(stub.live().len(), 0);
}

#[test]
fn list_says_who_why_until_when_and_what_it_holds() {
    let stub = AlertmanagerStub::start(json!([silenced(alert("ServerDown", "critical", "eu-1"), "5117ce00-1")]));
    stub.add("5117ce00-1", "ServerDown", "active", "2026-01-15T12:30:00.000Z");
    stub.add("01d00000-2", "TickSlow", "expired", "2026-01-15T10:10:00.000Z");
    let env = stub.env();
    insta::assert_snapshot!(env.run(["silence", "list"]).expect_code(0).snapshot(), @r#"
        code: 0
        --- stdout
        ● 5117ce00  active, ends 2026-01-15T12:30:00Z, holds 1 alert, by bob
            {alertname="ServerDown"}
            known
        1 expired; `--all` shows them

        next: liveops silence expire 5117ce00
        --- stderr
        "#);
    assert_eq!(env.run(["silence", "list", "-o", "name"]).stdout, "5117ce00-1\n");
    let all = env.run(["silence", "list", "--all", "-o", "json"]).expect_code(0).json();
    assert_eq!(all["data"]["silences"][0]["holds"], 1);
    assert_eq!(all["data"]["silences"][1]["state"], "expired");
    assert_eq!(all["data"]["silences"][1]["ends_at"], "2026-01-15T10:10:00Z");
}

#[test]
fn a_terminal_is_asked_and_enter_is_no() {
    let stub = world();
    let env = stub.env();
    let mut pty = env.pty(DOWN);
    pty.expect("CRITICAL").expect("go on in").send_line("");
    let (code, transcript) = pty.wait();
    assert_eq!(code, 4, "{transcript}");
    assert!(transcript.contains("nothing was changed"), "{transcript}");
    let mut pty = env.pty(DOWN);
    pty.expect("go on in").interrupt();
    assert_eq!(pty.wait().0, 130);
    assert_eq!(stub.changes(), 0);
    let mut pty = env.pty(DOWN);
    pty.expect("go on in").send_line("y").expect("undo:");
    assert_eq!(pty.wait().0, 0);
    assert_eq!(stub.live().len(), 1);
}

#[test]
fn a_protected_environment_wants_its_name() {
    let stub = world();
    let env = stub.env();
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: { protected: true } }\n");
    for (typed, code) in [("", 4), ("y", 4), ("staging", 4), ("prod", 0)] {
        let mut pty = env.pty(DOWN);
        pty.expect("type its name").send_line(typed);
        let (ended, transcript) = pty.wait();
        assert_eq!(ended, code, "{typed}: {transcript}");
    }
    assert_eq!(stub.live().len(), 1);
}

#[test]
fn a_change_in_progress_is_finished_before_an_interrupt() {
    let stub = world();
    stub.posts(&[Post::KeptAndHeld]);
    let mut pty = stub.env().pty(with(&DOWN, &["--yes", "--timeout", "2s"]));
    crate::support::until("the post", std::time::Duration::from_secs(10), || (stub.changes() > 0).then_some(()));
    pty.interrupt().expect("finishing the change");
    let (_, transcript) = pty.wait();
    assert_eq!(stub.live().len(), 1, "{transcript}");
    assert!(NOW.starts_with("2026"));
}
