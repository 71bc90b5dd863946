//! Redis with every fault of the transport: an answer in time, exit code 3, the address and a next step; and a write
//! whose reply is lost, which must take place once.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::TestEnv;
use crate::support::process::free_port;
use crate::support::redis::{cli, server};
use crate::support::wire::{Wire, WireServer};

/// Longer than the timeout that is given, by what a busy machine may take.
const DEADLINE: Duration = Duration::from_secs(20);

fn fails(what: &str, url: &str, said: &str) {
    let env = TestEnv::new().var("LIVEOPS_REDIS", url);
    let run = env.run(["flag", "kill", "a", "--yes", "--timeout", "2s"]);
    let all = format!("{what}: {}\n{}", run.code, run.stderr);
    assert_eq!(run.code, 3, "{all}");
    assert!(run.took < DEADLINE, "{all}");
    assert!(run.stderr.contains(said), "{all}");
    assert!(run.stderr.contains("hint: "), "{all}");
    assert!(!run.stderr.contains("panicked"), "{all}");
}

fn serves(what: &str, said: &str, serve: fn(&mut Wire) -> io::Result<()>) {
    let server = WireServer::start(move |wire| {
        let mut request = [0; 4096];
        let _ = wire.reader.get_mut().read(&mut request)?;
        serve(wire)
    });
    fails(what, &format!("redis://127.0.0.1:{}", server.port()), said);
}

#[test]
fn every_fault_of_redis_is_said_in_time() {
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    fails("refused", &nobody, "connection refused");
    fails("no name", "redis://redis.invalid:6379", "cannot be resolved");
    serves("never answers", "did not answer within", |wire| wire.hold());
    serves("hangs up", "the connection broke off", |_| Ok(()));
    serves("a byte a second", "did not answer within", |wire| {
        wire.send(b"$100\r\n")?;
        loop {
            wire.send(b"x")?;
            wire.pause(Duration::from_secs(1))?;
        }
    });
    serves("closes midway", "the connection broke off", |wire| wire.send(b"$100\r\n{\"enabled\""));
    serves("another protocol", "not the protocol of Redis", |wire| {
        wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        wire.hold()
    });
    serves("another type", "a number where Redis has something else", |wire| {
        wire.send(b":7\r\n")?;
        wire.hold()
    });
    serves("a flood", "redis at redis://", |wire| {
        wire.send(b"$900000000\r\n")?;
        let chunk = vec![b'x'; 1 << 20];
        loop {
            wire.send(&chunk)?;
        }
    });
    for (answer, said) in [
        (&b"-LOADING Redis is loading the dataset in memory\r\n"[..], "still loading"),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "replica without its primary"),
        (b"-CLUSTERDOWN Hash slot not served\r\n", "the cluster is down"),
        (b"-BUSY Redis is busy running a script\r\n", "busy with somebody's script"),
        (b"-ERR max number of clients reached\r\n", "max number of clients"),
        (b"-MOVED 12284 127.0.0.1:1\r\n", "connection refused"),
    ] {
        let server = WireServer::start(move |wire| {
            let mut request = [0; 4096];
            let _ = wire.reader.get_mut().read(&mut request)?;
            wire.send(answer)?;
            wire.hold()
        });
        fails("an error", &format!("redis://127.0.0.1:{}", server.port()), said);
    }
}

/// Redis carries the write out, and the connection breaks before its reply is there.
#[test]
fn a_write_whose_reply_is_lost_takes_place_once() {
    let redis = server("");
    let (upstream, cut) = (redis.port(), Arc::new(AtomicUsize::new(0)));
    let cuts = Arc::clone(&cut);
    let proxy = WireServer::start(move |wire| {
        let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            let n = wire.reader.get_mut().read(&mut bytes)?;
            if n == 0 {
                return Ok(());
            }
            let is_write = bytes[..n].windows(4).any(|word| word == b"EVAL");
            server.write_all(&bytes[..n])?;
            let n = server.read(&mut bytes)?;
            if is_write && bytes[0] == b'*' && cuts.fetch_add(1, Ordering::SeqCst) == 0 {
                return Ok(());
            }
            wire.send(&bytes[..n])?;
        }
    });
    let env = TestEnv::new().var("LIVEOPS_REDIS", &format!("redis://127.0.0.1:{}", proxy.port()));
    env.run(["flag", "set", "a", "--pct", "10", "--yes"]).expect_code(0);
    assert_eq!(cut.load(Ordering::SeqCst), 1, "it found its own write, and did not write again");
    assert_eq!(cli(upstream, &["XLEN", "{feature_flags}:history"]), "1");
    assert!(cli(upstream, &["HGET", "feature_flags", "a"]).contains("\"rev\":1"));
}
