//! Who may write when two are at it: a holder that hangs and wakes up, one that aborts while another goes forward, and
//! what is done when the way back itself is refused.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::world::{LIMIT, Seen, World, end, lock};
use crate::support::process::signal;
use crate::support::until;

const TAKEN: &str = "somebody else has taken the rollout over";

#[test]
fn a_holder_that_hung_stops_by_itself_and_writes_nothing() {
    let world = World::new(Seen::Nothing, "");
    let first = world.spawn(&[]);
    // From then on it only looks, so that it hangs in the middle of nothing that others wait for.
    until("the hold", LIMIT, || (world.status()["held"]["why"] == "undecided").then_some(()));
    signal(first.id(), "STOP");
    // It looks alive, so it is not taken over by accident.
    let said = world.env.run(["rollout", "resume", "--yes"]).expect_code(0);
    assert!(said.stdout.contains("whoever holds"), "{}", said.stdout);
    let second = world.env.run(["rollout", "resume", "--takeover", "--until", "paused", "--yes"]);
    second.expect_code(5);
    let before = world.weights();
    assert_eq!(before, [0.0, 20.0, 20.0], "claimed, and left where it was");
    signal(first.id(), "CONT");
    let (code, said) = end(first);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(TAKEN), "{said}");
    assert!(said.contains("liveops rollout status game"), "{said}");
    assert_eq!(world.weights(), before, "it wrote nothing");
    assert_eq!(world.status()["held"]["why"], "undecided");
}

#[test]
fn what_the_holder_before_has_in_hand_is_refused() {
    let world = World::new(Seen::Good, "");
    lock(&world.state).keep = Some(60.0);
    let first = world.spawn(&[]);
    until("the second step on its way", LIMIT, || (lock(&world.state).kept > 0).then_some(()));
    signal(first.id(), "STOP");
    world.set(Seen::Nothing);
    let mut second = world.env.bare(["rollout", "resume", "--takeover", "--until", "paused", "--yes"]);
    let second = second.spawn().unwrap();
    until("the claim", LIMIT, || (world.weights().len() > 2).then_some(()));
    // Now what the first one sent arrives; the second one sends its own.
    lock(&world.state).keep = None;
    let (code, said) = end(second);
    assert_eq!(code, Some(5), "{said}");
    let before = world.weights();
    assert_eq!(before, [0.0, 20.0, 20.0, 60.0]);
    signal(first.id(), "CONT");
    let (code, said) = end(first);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(TAKEN), "{said}");
    assert_eq!(world.weights(), before);
}

/// Whenever somebody aborts, the weight is at its start when `abort` returns, and stays there, whatever the holder does.
#[test]
fn after_an_abort_nothing_goes_forward() {
    let delays = [0, 60, 130, 220, 330, 450, 600, 800];
    thread::scope(|scope| {
        for delay in delays {
            scope.spawn(move || {
                let world = World::ruled(
                    Seen::Good,
                    "    canary: { steps: [10, 20, 30, 40, 50, 60, 70, 80, 90, 100], interval: 100ms, poll: 20ms }\n    success: [ 'errors < 1%' ]\n    rollback: []\n    min_samples: 100\n    rollback_window: 60s\n    scrape_interval: 5s\n    preflight: []\n",
                );
                let holder = world.spawn(&[]);
                until("the beginning", LIMIT, || {
                    (!world.weights().is_empty()).then_some(())
                });
                thread::sleep(Duration::from_millis(delay));
                world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
                let then = (world.weight(), world.weights().len());
                assert_eq!(then.0, 0.0, "{:?}", world.weights());
                let (code, said) = end(holder);
                assert_eq!(code, Some(1), "after {delay} ms: {said}");
                let later = world.weights().split_off(then.1);
                assert!(later.iter().all(|weight| *weight == 0.0), "{later:?}");
                assert_eq!(world.status()["phase"], "rolled_back");
                assert_eq!(lock(&world.state).stable, "game:1");
            });
        }
    });
}

#[test]
fn a_rollback_that_is_refused_is_said_to_have_failed_and_is_tried_again() {
    for (verb, code) in [("abort", 0), ("resume", 1)] {
        let world = World::new(Seen::Nothing, "    rollback_timeout: 500ms\n");
        let holder = world.spawn(&[]);
        until("the first step", LIMIT, || (world.weight() == 20.0).then_some(()));
        lock(&world.state).refuse = u32::MAX;
        world.set(Seen::Bad);
        let (left, said) = end(holder);
        assert_eq!(left, Some(5), "{said}");
        for want in [
            "the old version does not have its traffic yet",
            "answered 503: draining",
            "curl -X PUT",
            "liveops rollout abort game --yes",
        ] {
            assert!(said.contains(want), "{want}: {said}");
        }
        // Everything that shows rollouts shows it, and nothing new begins on top of it.
        assert_eq!(world.status()["phase"], "rollback_failed");
        let status = world.env.run(["rollout", "status"]).expect_code(1);
        for want in ["ROLLBACK FAILED", "not back:", "curl -X PUT", "errors > 5%"] {
            assert!(status.stdout.contains(want), "{want}: {}", status.stdout);
        }
        let screen = world.env.run(["status"]);
        assert!(screen.stdout.contains("ROLLBACK FAILED"), "{}", screen.stdout);
        let history = world.env.run(["rollout", "history"]).expect_code(0);
        assert!(history.stdout.contains("rollback failed"), "{}", history.stdout);
        world.start(&[]).expect_code(4);
        lock(&world.state).refuse = 0;
        world.env.run(["rollout", verb, "--yes"]).expect_code(code);
        assert_eq!(world.weight(), 0.0, "{verb}");
        let status = world.status();
        assert_eq!(status["phase"], "rolled_back", "{verb}");
        assert_eq!(status["stuck"], serde_json::Value::Null, "{verb}");
    }
}

/// Forwards connections to `port`, but for as many as are to fail: those are closed without an answer.
fn flaky(port: u16, failures: Arc<AtomicU32>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let fails = |left: u32| left.checked_sub(1);
            if failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
                drop(client.shutdown(Shutdown::Both));
                continue;
            }
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                thread::spawn(move || {
                    drop(io::copy(&mut from, &mut to));
                    drop(to.shutdown(Shutdown::Both));
                });
            }
        }
    });
    own
}

/// Five failures in a row open the circuit breaker; the way back goes on all the same.
#[test]
fn a_way_back_is_tried_until_the_balancer_is_there_again() {
    let world = World::new(Seen::Nothing, "");
    let failures = Arc::new(AtomicU32::new(0));
    let port = world.port();
    let door = flaky(port, Arc::clone(&failures));
    let config = std::fs::read_to_string(world.env.path().join("liveops.yaml")).unwrap();
    world.env.write("liveops.yaml", config.replace(&format!(":{port}/weight"), &format!(":{door}/weight")));
    let mut holder = world.spawn(&[]);
    until("the first step", LIMIT, || (world.weight() == 20.0).then_some(()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    failures.store(10, Ordering::SeqCst);
    world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
    assert_eq!(failures.load(Ordering::SeqCst), 0, "it met every failure");
    assert_eq!(world.weight(), 0.0);
    assert_eq!(world.status()["phase"], "rolled_back");
}
