//! `liveops status --watch`: redrawn in place, truthful when a source dies, and the terminal given back.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fault::{Backend, healthy};
use crate::support::pty::Pty;
use crate::support::run::code;
use crate::support::{Answer, Backends, TestEnv, until};

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const FRAME: &str = "\x1b[?2026h\x1b[H";
const FRAME_END: &str = "\x1b[?2026l";

/// Watches Prometheus alone, with values of the real time.
fn watched() -> (Backends, TestEnv) {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nproject: starfall\nenvironments: {{ staging: {{ prometheus: \"{}\" }} }}\nkpis:\n  - {{ name: active_players, gauge: game_active_players }}\n",
            backends.prometheus.url()
        ),
    );
    (backends, env)
}

/// The last whole frame on the terminal, without its codes.
fn last_frame(pty: &mut Pty) -> Option<String> {
    let transcript = pty.transcript();
    let end = transcript.rfind(FRAME_END)?;
    let start = transcript[..end].rfind(FRAME)? + FRAME.len();
    Some(console::strip_ansi_codes(&transcript[start..end]).into_owned())
}

#[track_caller]
fn await_frame(pty: &mut Pty, what: &str, accepts: impl Fn(&str) -> bool) -> String {
    until(format_args!("a frame with {what}"), Duration::from_secs(20), || {
        last_frame(pty).filter(|frame| accepts(frame))
    })
}

#[test]
fn the_screen_is_redrawn_in_place_and_restored_on_ctrl_c() {
    let (_backends, env) = watched();
    let mut pty = env.pty(["status", "--watch", "--plain", "--interval", "100ms"]);
    pty.expect(ENTER).expect(FRAME).expect("starfall · staging").expect("every 100ms");
    pty.expect(FRAME_END).expect(FRAME).expect("starfall · staging");
    let transcript = pty.transcript().to_owned();
    assert!(!transcript.contains("\x1b[2J"), "no clearing between frames: that would flicker");
    let (code, transcript) = {
        pty.interrupt();
        pty.wait()
    };
    assert_eq!(code, 130);
    assert!(transcript.ends_with(LEAVE), "{:?}", &transcript[transcript.len().saturating_sub(80)..]);
    assert_eq!(transcript.matches(ENTER).count(), 1);
}

#[test]
fn sigterm_restores_the_terminal_too() {
    let (_backends, env) = watched();
    let mut pty = env.pty(["status", "--watch", "--plain", "--interval", "10s"]);
    pty.expect(FRAME_END);
    pty.terminate();
    let (code, transcript) = pty.wait();
    assert_eq!(code, 143);
    assert!(transcript.ends_with(LEAVE), "{transcript:?}");
}

#[test]
fn values_of_a_source_that_died_are_marked_with_their_age_and_prove_nothing() {
    let (backends, env) = watched();
    let mut pty = env.pty(["status", "--watch", "--plain", "--interval", "200ms"]);
    let good = await_frame(&mut pty, "the value", |frame| frame.contains("17"));
    assert!(good.contains("OK  starfall"), "{good}");
    drop(backends.prometheus);
    let dead = await_frame(&mut pty, "an age", |frame| frame.contains("last known, ") && frame.contains("s ago"));
    assert!(dead.contains("UNKNOWN  starfall"), "{dead}");
    assert!(dead.contains("17"), "the last good value stays\n{dead}");
    assert!(dead.contains("prometheus down: "), "{dead}");
    assert!(dead.contains(" unknown"), "{dead}");
    pty.interrupt();
    assert_eq!(pty.wait().0, 130);
}

#[test]
fn a_source_that_comes_back_is_believed_again() {
    let (backends, env) = watched();
    let broken = || Answer::text("").status(500);
    let mut pty = env.pty(["status", "--watch", "--plain", "--interval", "100ms"]);
    await_frame(&mut pty, "OK", |frame| frame.contains("OK  starfall"));
    backends.prometheus.set("POST", "/api/v1/query", broken());
    await_frame(&mut pty, "UNKNOWN", |frame| frame.contains("UNKNOWN") && frame.contains("last known"));
    backends.prometheus.set_fn("POST", "/api/v1/query", |request| healthy(Backend::Prometheus, request));
    let again = await_frame(&mut pty, "OK", |frame| frame.contains("OK  starfall"));
    assert!(!again.contains("last known"), "{again}");
    pty.interrupt();
    pty.wait();
}

#[test]
fn a_resize_is_followed_at_once_and_nothing_scrolls() {
    let (backends, env) = watched();
    backends.prometheus.set("GET", "/api/v1/alerts", many_alerts());
    let mut pty = env.pty(["status", "--watch", "--plain", "--interval", "60s"]);
    let first = await_frame(&mut pty, "alerts", |frame| frame.contains("Alert"));
    assert!(first.split("\r\n").count() <= 24, "{first}");
    pty.resize(60, 10);
    let small = await_frame(&mut pty, "ten lines", |frame| frame.split("\r\n").count() <= 10);
    assert!(small.split("\r\n").all(|line| console::measure_text_width(line) <= 60), "{small}");
    assert!(small.contains("more lines; make the window taller"), "{small}");
    pty.resize(200, 60);
    await_frame(&mut pty, "everything", |frame| !frame.contains("more lines"));
    pty.interrupt();
    assert_eq!(pty.wait().0, 130);
}

fn many_alerts() -> Answer {
    let alerts: Vec<Value> = (0..30)
        .map(|n| {
            json!({"labels": {"alertname": format!("Alert{n:02}"), "severity": "warning"}, "annotations": {},
                "state": "firing", "activeAt": "2026-01-15T10:30:00Z", "value": "1"})
        })
        .collect();
    Answer::json(json!({"status": "success", "data": {"alerts": alerts}}))
}

#[test]
fn json_is_one_object_a_line_and_memory_stays() {
    let (_backends, env) = watched();
    let mut child = env
        .bare(["status", "--watch", "--interval", "100ms", "-o", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let resident = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        // Its own memory: how much of the program's file is mapped hangs on the build, and on who else uses it.
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    for _ in 0..30 {
        assert_eq!(next()["schema"], "liveops.status/1");
    }
    let early = resident(child.id());
    for _ in 0..120 {
        next();
    }
    let late = resident(child.id());
    assert!(late < early + 2048, "{early} kB after 30 frames, {late} kB after 150");
    assert!(late < 16 * 1024, "{late} kB");
    drop(lines);
    // With nobody reading any more it ends by itself, with the verdict of its last look.
    assert_eq!(code(child.wait().unwrap()), 0);
}

#[test]
fn in_a_pipe_frames_follow_each_other_without_terminal_codes() {
    let (_backends, env) = watched();
    let mut child = env
        .bare(["status", "--watch", "--interval", "100ms"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen: Vec<String> = lines.map(Result::unwrap).take(30).collect();
    assert!(seen.iter().filter(|line| line.contains("starfall")).count() >= 2, "{seen:?}");
    assert!(seen.iter().all(|line| !line.contains('\x1b')));
    assert_eq!(code(child.wait().unwrap()), 0);
}
