//! `liveops watch`: the screen to operate from, its keys, and the terminal given back.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::emulator::screen;
use crate::support::pty::Pty;
use crate::support::{Answer, Backends, TestEnv, until};

const LEAVE: &str = "\x1b[?1049l";

fn world() -> (Backends, TestEnv) {
    let (backends, env) = (Backends::start(), TestEnv::new());
    let text = format!(
        "version: 1\nproject: starfall\nenvironments: {{ staging: {{ prometheus: \"{}\", flags: {{ url: \"file:flags.json\" }} }} }}\nkpis:\n  - {{ name: active_players, gauge: game_active_players }}\n",
        backends.prometheus.url()
    );
    env.write("liveops.yaml", text);
    env.write("flags.json", r#"{"queue_v2": {"enabled": true, "percentage": 5, "defaultValue": true}}"#);
    (backends, env)
}

/// Waits until the screen shows the text.
#[track_caller]
fn shows(pty: &mut Pty, text: &str) -> String {
    shows_at(pty, (80, 24), text)
}

#[track_caller]
fn shows_at(pty: &mut Pty, (columns, rows): (usize, usize), text: &str) -> String {
    until(format_args!("a screen with {text}"), Duration::from_secs(20), || {
        let lines = screen(pty.transcript(), columns, rows).join("\n");
        lines.contains(text).then_some(lines)
    })
}

#[test]
fn a_line_opens_the_output_of_its_command_and_q_gives_the_terminal_back() {
    let (_backends, env) = world();
    let mut pty = env.pty(["watch", "--interval", "200ms"]);
    let first = shows(&mut pty, "OK  ");
    assert!(first.contains("starfall · staging"), "{first}");
    assert!(first.contains("liveops flag list"), "a title ends with its command\n{first}");
    pty.send("\r");
    shows(&mut pty, "queue_v2");
    pty.send("\x1b");
    shows(&mut pty, "Enter open");
    pty.send("q");
    let (code, transcript) = pty.wait();
    assert_eq!(code, 0, "{transcript:?}");
    assert!(transcript.trim_end().ends_with(LEAVE), "{:?}", &transcript[transcript.len().saturating_sub(80)..]);
}

#[test]
fn the_flag_change_is_found_and_undone_in_few_keys() {
    let (_backends, env) = world();
    assert_eq!(env.run(["flag", "set", "queue_v2", "--pct", "60", "--yes"]).code, 0);
    let mut pty = env.pty(["watch", "--interval", "200ms"]);
    shows(&mut pty, "Changed in the last hour");
    // The filter leaves the change alone; then undo, yes, Enter, and Enter to come back: the question itself asks.
    pty.send("/rcent\r");
    shows(&mut pty, "/rcent");
    pty.send("u");
    pty.expect("[y/N]");
    pty.send("y\r");
    pty.expect("Enter returns");
    pty.send("\r");
    until("the flag is as it was", Duration::from_secs(20), || {
        fs::read_to_string(env.path().join("flags.json"))
            .ok()
            .filter(|text| text.contains("\"percentage\": 5") || text.contains("\"percentage\":5"))
    });
    pty.expect("\x1b[?1049h");
    shows(&mut pty, "q quit");
    pty.interrupt();
    assert_eq!(pty.wait().0, 130);
}

#[test]
fn no_screen_opens_in_the_screen() {
    let (_backends, env) = world();
    for line in ["watch", "-e staging watch", "--read-only status --interval 1s --watch"] {
        let mut pty = env.pty(["watch", "--interval", "200ms"]);
        shows(&mut pty, "OK  ");
        pty.send(&format!(":{line}\r"));
        shows(&mut pty, "this is the watch");
        pty.send("q");
        assert_eq!(pty.wait().0, 0, "{line}");
    }
}

#[test]
fn read_only_takes_the_keys_of_changes_away() {
    let (_backends, env) = world();
    let mut pty = env.pty(["watch", "--read-only"]);
    shows(&mut pty, "read-only");
    pty.send("u");
    shows(&mut pty, "nothing can be changed");
    pty.terminate();
    let (code, transcript) = pty.wait();
    assert_eq!(code, 143);
    assert!(transcript.contains(LEAVE), "{transcript:?}");
}

#[test]
fn what_was_recorded_is_replayed_without_asking_anybody() {
    let (backends, env) = world();
    let mut pty = env.pty(["watch", "--interval", "100ms", "--record", "seen.jsonl"]);
    shows(&mut pty, "recording seen.jsonl");
    until("two looks", Duration::from_secs(20), || {
        fs::read_to_string(env.path().join("seen.jsonl")).ok().filter(|text| text.lines().count() > 1)
    });
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
    drop(backends);
    let mut pty = env.pty(["watch", "--replay", "seen.jsonl"]);
    shows(&mut pty, "OK  ");
    shows(&mut pty, "REPLAY, look ");
    pty.send("t-1h\r");
    shows(&mut pty, "REPLAY, look 1 of");
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
    let again = env.run(["watch", "--record", "seen.jsonl"]);
    assert_eq!(again.code, 2, "in a pipe there is no screen: {}", again.stderr);
}

#[test]
fn where_there_is_no_screen_lines_serve() {
    let (_backends, env) = world();
    let mut pty = env.pty(["watch", "--interval", "100ms"]);
    pty.resize(50, 10);
    pty.expect("starfall");
    pty.interrupt();
    pty.wait();
}

/// Without colour, so that the chosen line has a sign.
#[cfg(feature = "demo")]
fn plain(env: &TestEnv, args: &[&str]) -> Pty {
    let mut command = env.bare(args);
    command.env_remove("COLUMNS").env_remove("LINES").env("NO_COLOR", "1").env("TERM", "xterm");
    Pty::spawn(command)
}

/// Somebody is paged for the queue, looks, and takes the change back: a key for each line down to it, `u`, `y`, Enter.
#[cfg(feature = "demo")]
#[test]
fn on_the_demo_the_flag_change_is_found_and_undone_in_at_most_eight_keys() {
    let env = TestEnv::new();
    let mut demo = env.pty(["demo", "--keep"]);
    demo.expect("until Ctrl-C").expect("cd ").expect("liveops flag list");
    let transcript = console::strip_ansi_codes(demo.transcript()).into_owned();
    let folder = transcript.rsplit_once("go there: cd ").unwrap().1.lines().next().unwrap().trim().to_owned();
    let config = format!("{folder}/liveops.yaml");
    let set = env.run(["flag", "set", "new_matchmaking", "--pct", "40", "--yes", "--config", &config]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    let mut pty = plain(&env, &["watch", "--config", &config, "--interval", "1s"]);
    shows(&mut pty, "percentage 10 to 40");
    let mut keys = 0;
    while !shows(&mut pty, ">").lines().any(|line| line.starts_with('>') && line.contains("percentage 10 to 40")) {
        let before = shows(&mut pty, ">");
        pty.send("j");
        keys += 1;
        assert!(keys < 6, "the change is not reached\n{before}");
        until("the next line is chosen", Duration::from_secs(20), || {
            (screen(pty.transcript(), 80, 24).join("\n") != before).then_some(())
        });
    }
    pty.send("u").expect("[y/N]");
    pty.send("y\r").expect("Enter returns");
    keys += 3;
    assert!(keys <= 8, "{keys} keys");
    let flags = env.run(["flag", "get", "new_matchmaking", "--config", &config, "-o", "json"]);
    assert!(
        flags.stdout.contains("\"percentage\": 10") || flags.stdout.contains("\"percentage\":10"),
        "{}",
        flags.stdout
    );
    pty.send("\r");
    pty.terminate();
    pty.wait();
    demo.interrupt();
    demo.wait();
}

#[test]
fn the_command_is_copied_through_the_terminal() {
    let (_backends, env) = world();
    let mut pty = env.pty(["watch", "--interval", "200ms"]);
    shows(&mut pty, "liveops flag list");
    pty.send("y");
    // `liveops …` in Base64 begins so (OSC 52).
    pty.expect("\x1b]52;c;bGl2ZW9wc");
    shows(&mut pty, "copied: liveops");
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
}

#[test]
fn every_size_is_followed_and_each_signal_gives_the_terminal_back() {
    let (_backends, env) = world();
    for (signal, code) in [("HUP", 129), ("TERM", 143), ("INT", 130)] {
        let mut pty = env.pty(["watch", "--interval", "200ms"]);
        shows(&mut pty, "liveops flag list");
        pty.resize(120, 40);
        shows_at(&mut pty, (120, 40), "? keys");
        pty.resize(60, 15);
        shows_at(&mut pty, (60, 15), "? keys");
        // Smaller than it begins in: it goes on all the same.
        pty.resize(20, 5);
        pty.resize(80, 24);
        shows(&mut pty, "? keys");
        crate::support::process::signal(pty.pid(), signal);
        let (ended, transcript) = pty.wait();
        assert_eq!(ended, code, "{signal}");
        assert!(
            transcript.trim_end().ends_with(LEAVE),
            "{signal}: {:?}",
            &transcript[transcript.len().saturating_sub(80)..]
        );
    }
}

#[test]
fn stopped_and_gone_on_with_the_screen_is_whole_again() {
    let (_backends, env) = world();
    let mut pty = env.pty(["watch", "--interval", "200ms"]);
    shows(&mut pty, "liveops flag list");
    pty.send("\x1a").expect(LEAVE);
    crate::support::process::signal(pty.pid(), "CONT");
    pty.expect("\x1b[?1049h");
    shows(&mut pty, "liveops flag list");
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
}

#[test]
fn time_goes_back_beyond_what_was_seen() {
    let (backends, env) = world();
    let mut pty = env.pty(["watch", "--interval", "200ms"]);
    shows(&mut pty, "OK  ");
    // The looks that were taken come first.
    until("Prometheus is asked for that time", Duration::from_secs(20), || {
        pty.send("[");
        shows(&mut pty, "EARLIER");
        let asked = backends.prometheus.requests_to("/api/v1/query");
        asked.iter().any(|request| String::from_utf8_lossy(&request.body).contains("time=")).then_some(())
    });
    pty.send("\x1b");
    until("now again", Duration::from_secs(20), || {
        let lines = screen(pty.transcript(), 80, 24).join("\n");
        (!lines.contains("EARLIER")).then_some(())
    });
    pty.send("t-2h\r");
    shows(&mut pty, "EARLIER");
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
    let then = env.run(["status", "--at", "-2h"]);
    assert!(then.stdout.contains("as it was at"), "{}{}", then.stdout, then.stderr);
}

/// Without a sample of then, no alert is no calm; and what nobody keeps is said.
#[test]
fn a_time_without_samples_is_unknown() {
    let (backends, env) = world();
    let empty = |kind: &str| json!({"status": "success", "data": {"resultType": kind, "result": []}});
    backends.prometheus.set_fn("POST", "/api/v1/query", move |_| Answer::json(empty("vector")));
    backends.prometheus.set_fn("POST", "/api/v1/query_range", move |_| Answer::json(empty("matrix")));
    let run = env.run(["status", "--at", "-8h"]).expect_code(3);
    for said in ["none known to fire", "Prometheus has no samples of that time", "not kept: health of services"] {
        assert!(run.stdout.contains(said), "{said}\n{}", run.stdout);
    }
    assert!(run.stdout.contains("no samples of that time") && !run.stdout.contains("is the metric scraped"));
    let mut pty = env.pty(["watch"]);
    shows(&mut pty, "Not normal");
    pty.send("t-8h\r");
    shows(&mut pty, "EARLIER");
    shows(&mut pty, "not kept: health of services, silences, rollouts, error budgets");
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
}

#[test]
fn a_source_that_hangs_keeps_back_nobody_else() {
    let (backends, env) = world();
    let text = env
        .read("liveops.yaml")
        .replace("flags: {", &format!("alertmanager: \"{}\", flags: {{", backends.alertmanager.url()));
    env.write("liveops.yaml", text);
    let late = crate::support::Answer::json(serde_json::json!([])).after(Duration::from_secs(60));
    backends.alertmanager.set("GET", "/api/v2/alerts", late);
    let mut pty = env.pty(["watch", "--interval", "300ms"]);
    let seen = shows(&mut pty, "all flags");
    assert!(seen.contains("alerts  asking"), "{seen}");
    assert!(seen.contains("ASKING  waiting for alerts"), "unknown is not green\n{seen}");
    pty.send("?");
    shows(&mut pty, "these keys");
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
}

#[test]
fn a_runbook_is_a_link_that_the_terminal_opens() {
    let (backends, env) = world();
    let alerts = serde_json::json!({"status": "success", "data": {"alerts": [
        {"labels": {"alertname": "TickSlow", "severity": "critical"}, "state": "firing", "value": "1",
         "annotations": {"summary": "ticks are slow", "runbook_url": "https://wiki.example/TickSlow"},
         "activeAt": "2026-01-15T10:20:00Z"}]}});
    backends.prometheus.set("GET", "/api/v1/alerts", crate::support::Answer::json(alerts));
    let mut pty = env.pty(["watch", "--interval", "200ms"]);
    pty.expect("\x1b]8;;https://wiki.example/TickSlow\x1b\\");
    let seen = shows(&mut pty, "ticks are slow");
    assert!(seen.contains("next: liveops incident open --from-alert TickSlow"), "{seen}");
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
}

#[test]
fn any_terminal_starts_or_falls_back() {
    let (_backends, env) = world();
    for term in ["xterm-256color", "tmux-256color", "screen", "linux", "vt100", "nonsense", "dumb"] {
        let mut command = env.bare(["watch", "--interval", "200ms"]);
        command.env_remove("COLUMNS").env_remove("LINES").env_remove("NO_COLOR").env("TERM", term);
        let mut pty = Pty::spawn(command);
        pty.expect("starfall");
        if term == "dumb" {
            pty.interrupt();
            let (_, transcript) = pty.wait();
            assert!(!transcript.contains("\x1b["), "{transcript:?}");
        } else {
            pty.send("q");
            assert_eq!(pty.wait().0, 0, "{term}");
        }
    }
}

#[test]
fn a_screen_on_which_nothing_changes_sends_nothing() {
    let (backends, env) = world();
    let mut pty = env.pty(["watch", "--interval", "100ms"]);
    shows(&mut pty, "OK  ");
    let looks = || backends.prometheus.requests_to("/api/v1/alerts").len();
    let settled = looks() + 3;
    until("it has settled", Duration::from_secs(20), || (looks() > settled).then_some(()));
    let before = pty.transcript().len();
    let later = looks() + 10;
    until("ten more looks", Duration::from_secs(20), || (looks() > later).then_some(()));
    assert_eq!(pty.transcript().len(), before, "{:?}", &pty.transcript()[before..].to_owned());
    pty.send("q");
    assert_eq!(pty.wait().0, 0);
}

/// Ten figures that hang on one endpoint are one line, with their names.
#[test]
fn what_is_unknown_for_one_reason_is_one_line() {
    let env = TestEnv::new();
    let service = "{ name: game, health: { url: 'http://127.0.0.1:9' }, metrics: [ 'http://127.0.0.1:9/metrics' ] }";
    let kpis: String = ["a", "b", "c", "d"].map(|name| format!("  - {{ name: {name}_x, gauge: g }}\n")).concat();
    env.write("liveops.yaml", format!("version: 1\nservices:\n  - {service}\nkpis:\n{kpis}"));
    let mut pty = env.pty(["watch"]);
    let text = shows(&mut pty, "4 KPIs");
    assert!(text.contains("a x, b x, c x, d x"), "{text}");
    assert_eq!(text.matches("? ").count(), 2, "{text}");
    pty.send("q");
    pty.wait();
}
