//! A kill switch needs the switch alone: whatever stands beside it in Redis, the flag is off, and what could not be kept is
//! said.

use std::time::{Duration, Instant};

use crate::flag_stores::{Place, at, set};
use crate::support::TestEnv;
use crate::support::redis::{Cluster, cli, server};

const ON: &str = r#"{"enabled":true,"percentage":10,"allowlist":[],"blocklist":[],"rules":[],"defaultValue":true}"#;

/// Kills `a`: it is off, and its history is said not to have it, unless it has.
fn killed(env: &TestEnv, place: &Place<'_>, kept: bool) {
    let run = env.run(["flag", "kill", "a", "--yes"]).expect_code(0);
    assert_eq!(place.get("a").expect("there")["enabled"], false);
    let said = run.stderr.contains("flag `a` is off, and this change is not in its history");
    assert_eq!(said, !kept, "{}", run.stderr);
    if !kept {
        assert!(run.stderr.contains("`liveops flag enable a` takes it back"), "{}", run.stderr);
        assert!(!run.stderr.contains("nothing was changed"), "{}", run.stderr);
    }
}

#[test]
fn no_history_and_no_right_to_it_stands_before_a_kill() {
    let redis = server(
        "user op on >p ~feature_flags &* +hget +hgetall +hset +eval +evalsha +publish\n\
         user bare on >p ~feature_flags &* +hget +hset\n\
         user watch on >p ~feature_flags &* +hget +hset +watch +multi +exec",
    );
    let port = redis.port();
    let place = Place::Redis(port, "0");
    cli(port, &["HSET", "feature_flags", "a", ON]);
    cli(port, &["SET", "{feature_flags}:history", "somebody's text"]);
    killed(&at(&format!("redis://127.0.0.1:{port}")), &place, false);
    cli(port, &["DEL", "{feature_flags}:history"]);
    for user in ["op", "bare", "watch"] {
        cli(port, &["HSET", "feature_flags", "a", ON]);
        killed(&at(&format!("redis://{user}:${{PW}}@127.0.0.1:{port}")).var("PW", "p"), &place, false);
    }
    // Who may do all keeps all.
    cli(port, &["HSET", "feature_flags", "a", ON]);
    killed(&at(&format!("redis://127.0.0.1:{port}")), &place, true);
    assert_eq!(place.revisions("a"), [1]);
}

#[test]
fn a_server_out_of_memory_takes_a_kill() {
    let redis = server("");
    let port = redis.port();
    cli(port, &["HSET", "feature_flags", "a", ON, "b", ON]);
    cli(port, &["CONFIG", "SET", "maxmemory", "1"]);
    killed(&at(&format!("redis://127.0.0.1:{port}")), &Place::Redis(port, "0"), false);
    assert_eq!(cli(port, &["HGET", "feature_flags", "b"]), ON);
}

#[test]
fn a_slot_that_is_being_moved_holds_up_no_kill() {
    let cluster = Cluster::start();
    let env = at(&cluster.url());
    set(&env, &["a", "--pct", "10"]);
    let any = cluster.servers[0].port();
    let nodes = cli(any, &["cluster", "nodes"]);
    let primaries: Vec<(String, u16, bool)> = nodes
        .lines()
        // A replica is called a master until its role has come round; slots it has none.
        .filter(|line| line.contains("master") && line.split(' ').count() > 8)
        .map(|line| {
            let id = line.split(' ').next().expect("an id").to_owned();
            let port = line.split([':', '@']).nth(1).and_then(|port| port.parse().ok()).expect("a port");
            (id, port, line.contains("-16383"))
        })
        .collect();
    let (from, from_port, _) = primaries.iter().find(|(.., owns)| *owns).expect("an owner");
    let (to, to_port, _) = primaries.iter().find(|(.., owns)| !*owns).expect("another");
    assert_eq!(cli(*to_port, &["cluster", "setslot", "12284", "importing", from]), "OK");
    assert_eq!(cli(*from_port, &["cluster", "setslot", "12284", "migrating", to]), "OK");
    let port = to_port.to_string();
    assert_eq!(cli(*from_port, &["migrate", "127.0.0.1", &port, "feature_flags", "0", "2000"]), "OK");
    let began = Instant::now();
    env.run(["flag", "kill", "a", "--yes"]).expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let run = env.run(["flag", "set", "a", "--pct", "20", "--yes", "--timeout", "2s"]).expect_code(3);
    assert!(run.stderr.contains("is moving the slot of the flags"), "{}", run.stderr);
    assert_eq!(cli(*from_port, &["migrate", "127.0.0.1", &port, "{feature_flags}:history", "0", "2000"]), "OK");
    set(&env, &["a", "--pct", "30"]);
    let flag = env.run(["flag", "get", "a", "-o", "json"]).expect_code(0).json();
    assert_eq!(flag["data"]["value"]["enabled"], false);
    assert_eq!(flag["data"]["value"]["percentage"], 30);
}
