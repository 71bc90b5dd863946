//! Where flags are kept, through the verbs: one suite for every kind of store, then what each can do to us.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::redis::{Cluster, Sentinel, cli, server};
use crate::support::{TestEnv, deadline, tls};

/// An environment whose flags are there.
pub(crate) fn at(url: &str) -> TestEnv {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", format!("version: 1\nenvironments:\n  dev:\n    flags: {{ url: \"{url}\" }}\n"));
    if url.contains("${") {
        env.trust();
    }
    env
}

pub(crate) fn set(env: &TestEnv, args: &[&str]) {
    let all = ["flag", "set"].iter().chain(args).chain(&["--yes"]);
    env.run(all).expect_code(0);
}

/// Where the bytes are, to be looked at without liveops.
pub(crate) enum Place<'a> {
    File(&'a TestEnv),
    Redis(u16, &'a str),
}

impl Place<'_> {
    /// The definition of a flag.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        match self {
            Self::File(env) => {
                let text = std::fs::read(env.path().join("flags.json")).expect("a file of flags");
                let all: Value = serde_json::from_slice(&text).expect("JSON");
                all.get(name).cloned()
            }
            Self::Redis(port, db) => {
                let said = cli(*port, &["-c", "-n", db, "HGET", "feature_flags", name]);
                serde_json::from_str(&said).ok()
            }
        }
    }

    /// The entries of the history about a flag, the oldest first.
    pub(crate) fn history(&self, name: &str) -> Vec<Value> {
        let entries: Vec<Value> = match self {
            Self::File(env) => {
                let text = std::fs::read_to_string(env.path().join("flags.history.jsonl"));
                let text = text.expect("a history");
                text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
            }
            Self::Redis(port, db) => {
                let said = cli(*port, &["-c", "-n", db, "--json", "XRANGE", "{feature_flags}:history", "-", "+"]);
                let entries: Vec<(String, Vec<String>)> = serde_json::from_str(&said).expect("entries");
                let object = |fields: Vec<String>| -> Value {
                    let pairs = fields.chunks(2);
                    pairs
                        .map(|pair| (pair[0].clone(), Value::from(pair[1].clone())))
                        .collect::<serde_json::Map<_, _>>()
                        .into()
                };
                entries.into_iter().map(|(_, fields)| object(fields)).collect()
            }
        };
        entries.into_iter().filter(|entry| entry["flag"] == name).collect()
    }

    /// The revisions that the history has of a flag.
    pub(crate) fn revisions(&self, name: &str) -> Vec<u64> {
        let number = |entry: &Value| entry["rev"].as_str()?.parse().ok();
        self.history(name).iter().filter_map(number).collect()
    }
}

/// What holds for every store.
fn suite(env: &TestEnv, place: &Place<'_>) {
    set(env, &["a", "--pct", "10", "--reason", "it's \"time\" é"]);
    set(env, &["a", "--pct", "20"]);
    set(env, &["b c", "--pct", "5"]);
    let stale = env.run(["flag", "set", "a", "--pct", "30", "--expect-rev", "1", "--yes"]);
    stale.expect_code(4);
    env.run(["flag", "kill", "a", "--yes"]).expect_code(0);
    assert_eq!(place.get("a").expect("there")["enabled"], false);
    env.run(["flag", "undo", "a", "--yes"]).expect_code(0);
    let flag = place.get("a").expect("there");
    assert_eq!((&flag["enabled"], &flag["percentage"]), (&Value::from(true), &Value::from(20)));
    let history = place.history("a");
    assert_eq!(place.revisions("a"), [1, 2, 3, 4]);
    assert_eq!(history[0]["reason"], "it's \"time\" é");
    assert!(history.iter().all(|entry| entry["by"] == "ada"), "{history:?}");
    // Each begins with the bytes that the one before ended with.
    for pair in history.windows(2) {
        assert_eq!(pair[0]["after"], pair[1]["before"]);
    }
    env.run(["flag", "rm", "b c", "--yes"]).expect_code(0);
    assert_eq!(place.get("b c"), None);
    assert!(place.history("b c")[1].get("after").is_none());
}

#[test]
fn a_file_keeps_flags() {
    let env = at("file:flags.json");
    suite(&env, &Place::File(&env));
}

#[test]
fn one_server_keeps_flags_also_when_it_forgets_its_scripts() {
    let redis = server("");
    let env = at(&format!("redis://127.0.0.1:{}/2", redis.port()));
    let place = Place::Redis(redis.port(), "2");
    suite(&env, &place);
    cli(redis.port(), &["SCRIPT", "FLUSH"]);
    set(&env, &["a", "--pct", "50"]);
    assert_eq!(place.revisions("a").len(), 5);
}

#[test]
fn a_cluster_keeps_flags_and_goes_on_after_a_failover() {
    let mut cluster = Cluster::start();
    let env = at(&cluster.url());
    suite(&env, &Place::Redis(cluster.servers[0].port(), "0"));
    let nodes = cli(cluster.servers[0].port(), &["cluster", "nodes"]);
    // The slot of `feature_flags` is 12284: in the last third.
    let owner = nodes
        .lines()
        .find(|line| line.contains("master") && line.contains("-16383"))
        .and_then(|line| line.split([':', '@']).nth(1))
        .and_then(|port| port.parse::<u16>().ok())
        .expect("somebody serves the slot");
    let lost = cluster.servers.iter_mut().find(|server| server.port() == owner);
    lost.expect("one of ours").kill();
    // Waits for the replica to take over, within the time of a command.
    set(&env, &["a", "--pct", "60"]);
    let left = cluster.servers.iter().find(|server| server.port() != owner);
    let place = Place::Redis(left.expect("five are left").port(), "0");
    assert_eq!(place.revisions("a"), [1, 2, 3, 4, 5]);
}

#[test]
fn sentinels_lead_to_the_new_primary_in_the_middle_of_writes() {
    let mut redis = Sentinel::start();
    let env = at(&redis.url());
    suite(&env, &Place::Redis(redis.primary.port(), "0"));
    let replica = redis.replica.port();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for pct in 1..=12 {
                set(&env, &["busy", "--pct", &pct.to_string()]);
            }
        });
        let began = || cli(replica, &["HEXISTS", "feature_flags", "busy"]) == "1";
        assert!(deadline::happens(Duration::from_secs(30), began));
        redis.primary.kill();
        writer.join().expect("every write went through");
    });
    assert!(cli(replica, &["info", "replication"]).contains("role:master"));
    let revisions = Place::Redis(replica, "0").revisions("busy");
    assert_eq!(revisions, (1..=12).collect::<Vec<u64>>(), "each write once, in order");
}

#[test]
fn tls_is_checked_against_the_authority_that_is_named() {
    let folder = tempfile::tempdir().expect("temp dir");
    let (certificate, key) = tls::make_certificate(folder.path());
    let shown = |path: &Path| path.display().to_string();
    let redis = server(&format!(
        "tls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no\nrequirepass canary",
        shown(&certificate),
        shown(&key),
        shown(&certificate)
    ));
    let url = format!("rediss://127.0.0.1:{}", redis.port());
    let env = at(&url);
    let run = env.run(["flag", "set", "a", "--pct", "1", "--yes"]).expect_code(3);
    assert!(run.stderr.contains("TLS failed"), "{}", run.stderr);
    let env = TestEnv::new().var("PW", "canary");
    let ca = shown(&certificate);
    env.write(
        "liveops.yaml",
        format!("version: 1\nenvironments: {{ dev: {{ flags: {{ url: \"{url}\", ca: \"{ca}\", password: \"${{PW}}\" }} }} }}\n"),
    );
    env.trust();
    set(&env, &["a", "--pct", "10"]);
    let run = env.run(["-vv", "flag", "kill", "a", "--yes"]).expect_code(0);
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
    let plain = at(&url.replace("rediss", "redis")).run(["flag", "kill", "a", "--yes"]).expect_code(3);
    assert!(plain.stderr.contains("redis"), "{}", plain.stderr);
}

const KEYS: &str = "~feature_flags ~{feature_flags}:*";
const READ: &str = "+hget +hgetall +xrevrange +info";
const WRITE: &str = "+hset +hdel +xadd +xdel";

#[test]
fn what_a_user_may_not_do_is_done_another_way_or_said() {
    let redis = server(&format!(
        "user default off\nuser admin on >p ~* &* +@all\n\
         user noeval on >p {KEYS} &* {READ} {WRITE} +publish +watch +multi +exec\n\
         user noevalsha on >p {KEYS} &* {READ} {WRITE} +publish +eval\n\
         user nopublish on >p {KEYS} resetchannels {READ} {WRITE} +eval +evalsha\n\
         user reader on >p {KEYS} &* {READ} +eval +evalsha\n\
         user nohistory on >p ~feature_flags &* {READ} {WRITE} +eval +evalsha"
    ));
    let with = |user: &str, password: &str| {
        let url = format!("redis://{user}:${{PW}}@127.0.0.1:{}", redis.port());
        at(&url).var("PW", password)
    };
    let admin = |args: &[&str]| {
        let login = ["--user", "admin", "--pass", "p", "--no-auth-warning"];
        cli(redis.port(), &login.iter().chain(args).copied().collect::<Vec<_>>())
    };
    for user in ["noeval", "noevalsha", "nopublish"] {
        let env = with(user, "p");
        set(&env, &[user, "--pct", "10"]);
        set(&env, &[user, "--pct", "20"]);
    }
    for user in ["reader", "nohistory"] {
        let run = with(user, "p").run(["flag", "set", user, "--pct", "10", "--yes"]).expect_code(3);
        assert!(run.stderr.contains("does not allow it"), "{}", run.stderr);
        assert!(run.stderr.contains("~feature_flags ~{feature_flags}:history"), "{}", run.stderr);
        assert_eq!(admin(&["HEXISTS", "feature_flags", user]), "0", "{user}");
    }
    assert_eq!(admin(&["XLEN", "{feature_flags}:history"]), "6", "no entry without its change");
    let run = with("noeval", "wrong-canary").run(["flag", "kill", "a", "--yes"]).expect_code(3);
    assert!(run.stderr.contains("does not accept user and password"), "{}", run.stderr);
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
}

#[test]
fn a_server_that_takes_no_writes_says_why() {
    let primary = server("");
    let replica = server(&format!("replicaof 127.0.0.1 {}", primary.port()));
    let linked = || cli(replica.port(), &["info", "replication"]).contains("master_link_status:up");
    assert!(deadline::happens(Duration::from_secs(30), linked));
    let env = at(&format!("redis://127.0.0.1:{}", replica.port()));
    let run = env.run(["flag", "set", "a", "--pct", "10", "--yes"]).expect_code(4);
    let said = format!("read-only replica: nothing was changed; its primary is 127.0.0.1:{}", primary.port());
    assert!(run.stderr.contains(&said), "{}", run.stderr);

    let full = server("maxmemory 100kb\nmaxmemory-policy noeviction");
    let env = at(&format!("redis://127.0.0.1:{}", full.port()));
    let run = env.run(["flag", "set", "a", "--pct", "10", "--yes"]).expect_code(3);
    assert!(run.stderr.contains("out of memory and takes no writes: nothing was changed"), "{}", run.stderr);

    let cases = [
        ("feature_flags", "has a string at `feature_flags`, where a hash is meant"),
        ("{feature_flags}:history", "has a string at `{feature_flags}:history`, where a stream is meant"),
    ];
    for (db, (key, want)) in cases.into_iter().enumerate() {
        cli(primary.port(), &["-n", &db.to_string(), "SET", key, "x"]);
        let env = at(&format!("redis://127.0.0.1:{}/{db}", primary.port()));
        let run = env.run(["flag", "set", "a", "--pct", "10", "--yes"]).expect_code(3);
        assert!(run.stderr.contains(want), "{}", run.stderr);
        assert_ne!(cli(primary.port(), &["-n", &db.to_string(), "HEXISTS", "feature_flags", "a"]), "1");
    }
}

/// Killed at any moment, a writer leaves the old or the new value and a history that agrees with it.
#[test]
#[allow(clippy::disallowed_methods, reason = "a process is started to be killed")]
fn a_killed_writer_of_the_file_leaves_nothing_half_done() {
    let env = at("file:flags.json");
    set(&env, &["a", "--pct", "1"]);
    let place = Place::File(&env);
    let mut killed = 0;
    for step in 0..24_u64 {
        let pct = (step + 2).to_string();
        let mut child = env
            .bare(["flag", "set", "a", "--pct", &pct, "--yes"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the binary runs");
        // The moment differs: from before it has read anything to after it is done.
        let until = std::time::Instant::now() + Duration::from_millis(step * 3);
        while std::time::Instant::now() < until {
            thread::yield_now();
        }
        killed += u64::from(child.kill().is_ok() && !child.wait().expect("it ends").success());
        assert!(place.get("a").is_some(), "the file is whole after step {step}");
    }
    assert!(killed > 0, "none was killed");
    // One more, which settles what the last has left.
    set(&env, &["a", "--pct", "77"]);
    let history = place.history("a");
    let newest = history.last().expect("there");
    let flag = place.get("a").expect("there");
    assert_eq!(newest["after"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()), Some(flag));
    for pair in history.windows(2) {
        assert_eq!(pair[0]["after"], pair[1]["before"], "nothing is missing between");
    }
}

#[test]
fn two_writers_of_a_file_lose_nothing() {
    let env = at("file:flags.json");
    set(&env, &["a", "--pct", "100"]);
    thread::scope(|scope| {
        for writer in 0..4 {
            let env = &env;
            scope.spawn(move || {
                for edit in 0..5 {
                    let user = format!("u{writer}-{edit}");
                    env.run(["flag", "allow", "a", "add", &user, "--yes"]).expect_code(0);
                }
            });
        }
    });
    let place = Place::File(&env);
    assert_eq!(place.get("a").expect("there")["allowlist"].as_array().expect("a list").len(), 20);
    assert_eq!(place.revisions("a"), (1..=21).collect::<Vec<u64>>());
}

/// The time of `list` grows with the flags, not with their square: ten times the flags take less than thirty times as
/// long, start of the process included.
#[test]
fn a_list_of_ten_thousand_flags_stays_linear() {
    let redis = server("");
    let env = at(&format!("redis://127.0.0.1:{}", redis.port()));
    let value = r#"{"enabled":true,"percentage":10,"allowlist":["qa_1"],"blocklist":[],"rules":[],"defaultValue":true,"_liveops":{"rev":1}}"#;
    let mut filled = 0;
    let mut fastest = |count: usize| {
        while filled < count {
            let names: Vec<String> = (filled..filled + 1000).map(|n| format!("flag_{n}")).collect();
            let mut args = vec!["HSET", "feature_flags"];
            args.extend(names.iter().flat_map(|name| [name.as_str(), value]));
            assert_eq!(cli(redis.port(), &args), "1000");
            filled += 1000;
        }
        let list = || {
            let run = env.run(["flag", "list", "-o", "name"]).expect_code(0);
            assert_eq!(run.stdout.lines().count(), count);
            run.took
        };
        (0..3).map(|_| list()).min().expect("three")
    };
    let (few, many) = (fastest(1000), fastest(10_000));
    assert!(many < few * 30, "{few:?} {many:?}");
}
