//! `liveops watch`: the screen to operate from, its keys, and the terminal given back.

use std::fs;
use std::time::Duration;

use crate::support::emulator::screen;
use crate::support::pty::Pty;
use crate::support::{Backends, TestEnv, until};

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
    until(format_args!("a screen with {text}"), Duration::from_secs(20), || {
        let lines = screen(pty.transcript(), 80, 24).join("\n");
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
    pty.send("[");
    shows(&mut pty, "EARLIER LOOK");
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
