//! kill -9 of a flag verb between any two of its requests to Redis.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::flag_stores::{Place, at};
use crate::support::TestEnv;
use crate::support::redis::{cli, server};
use crate::support::wire::WireServer;

/// More than any verb sends.
pub(crate) const MOST: usize = 40;

/// Lets requests through to this Redis until the one at `cut`; that one too, but not its reply, when it `arrives`. Then
/// it tells so, and is silent.
pub(crate) fn proxy(upstream: u16, cut: usize, arrives: bool) -> (WireServer, Receiver<()>) {
    let (told, cuts) = channel();
    let (told, count) = (Mutex::new(told), Arc::new(AtomicUsize::new(0)));
    let proxy = WireServer::start(move |wire| {
        let mut redis = TcpStream::connect(("127.0.0.1", upstream))?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            let n = wire.reader.get_mut().read(&mut bytes)?;
            if n == 0 {
                return Ok(());
            }
            let is_cut = count.fetch_add(1, Ordering::SeqCst) == cut;
            if is_cut && !arrives {
                let _ = told.lock().unwrap().send(());
                return wire.hold();
            }
            redis.write_all(&bytes[..n])?;
            redis.set_read_timeout(None)?;
            let mut n = redis.read(&mut bytes)?;
            if is_cut {
                let _ = told.lock().unwrap().send(());
                return wire.hold();
            }
            // Of several requests that came together, all replies.
            redis.set_read_timeout(Some(Duration::from_millis(5)))?;
            while n > 0 {
                wire.send(&bytes[..n])?;
                n = redis.read(&mut bytes).unwrap_or(0);
            }
        }
    });
    (proxy, cuts)
}

/// Runs a verb of flags through the proxy until the cut.
fn flag_killed(env: &TestEnv, port: u16, verb: &[&str], cuts: &Receiver<()>) -> bool {
    let url = format!("redis://127.0.0.1:{port}");
    killed(env, &[&["flag"], verb, &["--yes", "--redis", &url]].concat(), cuts)
}

/// Runs the line until the cut, and kills it there. `false`: it has ended before.
pub(crate) fn killed(env: &TestEnv, line: &[&str], cuts: &Receiver<()>) -> bool {
    let mut child: Child = env.bare(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    loop {
        match cuts.recv_timeout(Duration::from_millis(5)) {
            Ok(()) => {
                child.kill().expect("it waits for an answer");
                child.wait().expect("it was started");
                return true;
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(ended) = child.try_wait().expect("it was started") {
                    assert!(ended.success(), "{line:?}");
                    return false;
                }
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the proxy is gone"),
        }
    }
}

#[test]
fn killed_between_any_two_requests_it_leaves_old_or_new_and_can_go_on() {
    const OLD: &str = r#"{"enabled":true,"percentage":10,"defaultValue":true,"_liveops":{"rev":7}}"#;
    let redis = server("");
    let place = Place::Redis(redis.port(), "0");
    let (mut before, mut after) = (0, 0);
    for verb in [&["set", "shop", "--pct", "25"][..], &["kill", "shop"], &["rm", "shop"]] {
        for arrives in [false, true] {
            let mut finished = false;
            for cut in 0..MOST {
                let env = at(&format!("redis://127.0.0.1:{}", redis.port()));
                cli(redis.port(), &["FLUSHALL"]);
                cli(redis.port(), &["SCRIPT", "FLUSH"]);
                cli(redis.port(), &["HSET", "feature_flags", "shop", OLD]);
                let old = place.get("shop");
                let (proxy, cuts) = proxy(redis.port(), cut, arrives);
                finished = !flag_killed(&env, proxy.port(), verb, &cuts);
                let at = format!("{verb:?} cut at {cut}, {arrives}");
                // The value is the old one, without a history, or what the history says, to the byte.
                let history = place.history("shop");
                let stored = cli(redis.port(), &["HGET", "feature_flags", "shop"]);
                let is_new = !history.is_empty();
                if is_new {
                    assert_eq!(history.len(), 1, "{at}");
                    assert_eq!(history[0]["before"], OLD, "{at}");
                    assert_eq!(history[0]["after"].as_str().unwrap_or_default(), stored, "{at}");
                    assert_ne!(place.get("shop"), old, "{at}");
                } else {
                    assert_eq!(stored, OLD, "{at}");
                }
                if finished {
                    assert!(is_new, "{at}");
                    break;
                }
                before += usize::from(!is_new);
                after += usize::from(is_new);
                // The audit log tells what is not known, and verifies.
                // It was made through the proxy, which is another place.
                let list = env.run(["audit", "list", "--everywhere", "-o", "json"]).expect_code(0).json();
                let changes = list["data"]["changes"].as_array().expect("a list").clone();
                env.run(["audit", "verify"]).expect_code(0);
                if let Some(change) = changes.first() {
                    assert_eq!(change["state"], "unfinished", "{at}");
                    let undo = env.run(["flag", "undo", "shop", "--yes"]);
                    if is_new {
                        assert_eq!(undo.code, 0, "{at}: {}", undo.stderr);
                        let is = place.get("shop").expect("it is back");
                        let was = old.as_ref().expect("it was there");
                        for member in ["enabled", "percentage", "defaultValue"] {
                            assert_eq!(is[member], was[member], "{at}");
                        }
                    } else {
                        assert_eq!(cli(redis.port(), &["HGET", "feature_flags", "shop"]), OLD, "{at}");
                    }
                } else {
                    assert!(!is_new, "nothing is done before it is in the audit log: {at}");
                }
                env.run(["flag", "set", "shop", "--pct", "33", "--yes"]).expect_code(0);
                let is = place.get("shop").unwrap_or(Value::Null);
                assert_eq!(is["percentage"], 33, "{at}");
            }
            assert!(finished, "{verb:?} sends more than {MOST} requests");
        }
    }
    // Each verb was cut before its change, and after it.
    assert!(before >= 3 && after >= 3, "{before} {after}");
}

#[test]
fn what_writes_several_flags_leaves_each_old_or_new_and_can_be_repeated() {
    const OLD: &str = r#"{"enabled":true,"percentage":10,"defaultValue":true,"_liveops":{"rev":7}}"#;
    const FILE: &str = r#"{"shop":{"enabled":true,"percentage":40,"defaultValue":true},"fresh":{"enabled":true,"percentage":5,"defaultValue":true}}"#;
    let redis = server("");
    let place = Place::Redis(redis.port(), "0");
    let url = format!("redis://127.0.0.1:{}", redis.port());
    for verb in
        [&["import", "new.json", "--apply"][..], &["promote", "--from", "staging", "--to", "dev"], &["undo", "shop"]]
    {
        for arrives in [false, true] {
            let mut finished = false;
            for cut in 0..MOST {
                let env = at(&url);
                env.write(
                    "liveops.yaml",
                    format!("version: 1\ndefault_env: dev\nenvironments: {{ dev: {{ flags: '{url}' }}, staging: {{ flags: 'file:new.json' }} }}\n"),
                );
                env.write("new.json", FILE);
                cli(redis.port(), &["FLUSHALL"]);
                cli(redis.port(), &["HSET", "feature_flags", "shop", OLD]);
                let undoes = verb[0] == "undo";
                if undoes {
                    env.run(["flag", "set", "shop", "--pct", "40", "--yes"]).expect_code(0);
                }
                let (proxy, cuts) = proxy(redis.port(), cut, arrives);
                finished = !flag_killed(&env, proxy.port(), verb, &cuts);
                let at = format!("{verb:?} cut at {cut}, {arrives}");
                for name in ["shop", "fresh"] {
                    let stored = cli(redis.port(), &["HGET", "feature_flags", name]);
                    let last = place.history(name).last().map(|entry| entry["after"].clone());
                    let known = last.as_ref().and_then(Value::as_str).unwrap_or(if name == "shop" { OLD } else { "" });
                    assert_eq!(stored, known, "{at}: the history of {name} says what is there");
                }
                env.run(["audit", "verify"]).expect_code(0);
                if finished {
                    break;
                }
                let again = ["flag"].iter().chain(verb).chain(&["--yes"]);
                let (percentage, took_place) = (place.get("shop").expect("there")["percentage"].clone(), !undoes);
                if took_place || percentage == 40 {
                    env.run(again).expect_code(0);
                }
                let want = if undoes { 10 } else { 40 };
                assert_eq!(place.get("shop").expect("there")["percentage"], want, "{at}");
                assert_eq!(place.get("fresh").is_some(), !undoes, "{at}");
            }
            assert!(finished, "{verb:?} sends more than {MOST} requests");
        }
    }
}
