//! Many writers of one flag on a real Redis, and one who watches them.

use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::flag_stores::{Place, at, set};
use crate::support::redis::{cli, server};
use crate::support::{TestEnv, deadline};

const WRITERS: usize = 64;
const EDITS: usize = 50;
/// Tells a process of this test that it is one of the writers, and which.
const WRITER: &str = "LIVEOPS_TEST_WRITER";
const SELF: &str = "flag_rivals::no_edit_of_many_writers_is_lost";

/// 64 processes with 50 command lines each, every one an `allow add` with all that belongs to it: read, compare-and-set,
/// read anew and apply anew, audit log. A process for each of the 3,200 would test the start of processes.
#[test]
fn no_edit_of_many_writers_is_lost() {
    if let Ok(writer) = std::env::var(WRITER) {
        return write(&writer);
    }
    let redis = server("");
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let first = at(&url);
    set(&first, &["busy", "--pct", "100"]);
    // Each on a machine of its own, with an audit log of its own.
    let homes: Vec<TestEnv> = (0..WRITERS).map(|_| at(&url)).collect();
    let mut children: Vec<Child> = homes.iter().enumerate().map(start).collect();
    // A kill goes first among all of them.
    let begun = || Place::Redis(redis.port(), "0").revisions("busy").len() > WRITERS;
    assert!(deadline::happens(Duration::from_secs(60), begun));
    let kill = first.run(["flag", "kill", "busy", "--yes"]).expect_code(0);
    for (child, home) in children.iter_mut().zip(&homes) {
        let ended = child.wait().expect("it was started");
        assert!(ended.success(), "{}", home.read("said"));
    }
    assert!(kill.took < Duration::from_secs(10), "{:?}", kill.took);
    let place = Place::Redis(redis.port(), "0");
    let flag = place.get("busy").expect("there");
    let mut listed: Vec<&str> = flag["allowlist"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed.len(), WRITERS * EDITS);
    assert_eq!(flag["enabled"], false, "nobody undid the kill");
    let history = place.history("busy");
    let all = u64::try_from(2 + WRITERS * EDITS).expect("few");
    assert_eq!(place.revisions("busy"), (1..=all).collect::<Vec<_>>());
    for pair in history.windows(2) {
        assert_eq!(pair[0]["after"], pair[1]["before"]);
    }
}

/// This test once more, as a writer.
#[allow(
    clippy::disallowed_methods,
    reason = "a test starts itself as one of many writers"
)]
fn start((writer, home): (usize, &TestEnv)) -> Child {
    let said = std::fs::File::create(home.path().join("said")).expect("a fresh folder");
    Command::new(std::env::current_exe().expect("a test has a binary"))
        .args(["--exact", SELF, "--nocapture"])
        .env_clear()
        .envs(
            home.bare([""; 0])
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env(WRITER, writer.to_string())
        .current_dir(home.path())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("it runs already")
}

fn write(writer: &str) {
    for edit in 0..EDITS {
        let user = format!("u{writer}-{edit}");
        let line = [
            "liveops",
            "flag",
            "allow",
            "busy",
            "add",
            &user,
            "--yes",
            "--quiet",
            "--timeout",
            "5m",
        ];
        let code = liveops::run(line.map(Into::into));
        let good = format!("{:?}", ExitCode::SUCCESS);
        assert_eq!(format!("{code:?}"), good, "{user}");
    }
}

const TWO: &str = r#"{"a":{"enabled":true,"percentage":20,"defaultValue":true},"b":{"enabled":false,"percentage":5,"defaultValue":true}}"#;

#[test]
fn watch_hears_of_every_change_at_once_with_who_and_why() {
    let redis = server("");
    let env = at(&format!("redis://127.0.0.1:{}", redis.port()));
    set(&env, &["a", "--pct", "10"]);
    // Longer than the test may take: what is told is told by the notice.
    let mut pty = env.pty(["flag", "watch", "--interval", "10m"]);
    pty.expect("watching all flags");
    let channel = "feature_flags:changes";
    let listens = || cli(redis.port(), &["PUBSUB", "NUMSUB", channel]).ends_with('1');
    assert!(deadline::happens(Duration::from_secs(20), listens));
    env.write("two.json", TWO);
    let import = [
        "flag",
        "import",
        "two.json",
        "--apply",
        "--yes",
        "--reason",
        "both at once",
    ];
    env.run(import).expect_code(0);
    pty.expect("by ada: both at once");
    pty.expect("percentage 10 to 20");
    pty.expect("by ada: both at once");
    pty.expect("on now: nobody");
    cli(redis.port(), &["HSET", "feature_flags", "a", "{}"]);
    cli(redis.port(), &["PUBLISH", channel, "a"]);
    pty.expect("past liveops");
    // One that comes back is heard again.
    cli(redis.port(), &["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert!(deadline::happens(Duration::from_secs(20), || {
        env.run(["flag", "kill", "b", "--yes"]).expect_code(0);
        listens()
    }));
    pty.interrupt();
    assert_eq!(pty.wait().0, 130);
}

#[test]
fn a_notice_that_could_not_be_sent_is_said_to_a_person_too() {
    let redis = server(
        "user default off\nuser ops on >p ~feature_flags ~{feature_flags}:* resetchannels +hget +hgetall +xrevrange +info +hset +hdel +xadd +xdel +eval +evalsha",
    );
    let env = at(&format!("redis://ops:${{PW}}@127.0.0.1:{}", redis.port())).var("PW", "p");
    let run = env.run(["flag", "set", "a", "--pct", "10", "--yes"]);
    let run = run.expect_code(0);
    for said in [
        "no notice could be published",
        "only when their cache ends",
        "every service has it by",
    ] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
}

/// The commands that liveops asks the administrator for are enough, and each of them is needed for something.
#[test]
fn the_least_permissions_that_it_names_are_enough_for_every_verb() {
    let redis = server("user default off\nuser admin on >p ~* &* +@all");
    let needs = {
        let env = at(&format!("redis://admin:${{PW}}@127.0.0.1:{}", redis.port())).var("PW", "p");
        let login = ["--user", "admin", "--pass", "p", "--no-auth-warning"];
        let made = cli(
            redis.port(),
            &login
                .iter()
                .chain(&["ACL", "SETUSER", "bare", "on", ">p"])
                .copied()
                .collect::<Vec<_>>(),
        );
        assert_eq!(made, "OK");
        set(&env, &["a", "--pct", "5"]);
        let bare = at(&format!("redis://bare:${{PW}}@127.0.0.1:{}", redis.port())).var("PW", "p");
        let refused = bare.run(["flag", "list"]).expect_code(3);
        let rule = refused
            .stderr
            .split('~')
            .skip(1)
            .collect::<Vec<_>>()
            .join("~");
        format!("~{}", rule.split('`').next().expect("a rule").trim())
    };
    let rule: Vec<&str> = needs.split_whitespace().collect();
    let login = [
        "--user",
        "admin",
        "--pass",
        "p",
        "--no-auth-warning",
        "ACL",
        "SETUSER",
        "least",
        "on",
        ">p",
    ];
    let all: Vec<&str> = login.iter().copied().chain(rule).collect();
    assert_eq!(cli(redis.port(), &all), "OK", "{needs}");
    let env = at(&format!("redis://least:${{PW}}@127.0.0.1:{}", redis.port())).var("PW", "p");
    set(&env, &["a", "--pct", "10"]);
    set(&env, &["b", "--pct", "20"]);
    for line in [
        &["list"][..],
        &["get", "a"],
        &["history", "a"],
        &["lint", "--all"],
        &["stale"],
        &["eval", "a", "--user", "u"],
        &["kill", "a", "--yes"],
        &["undo", "a", "--yes"],
        &["rm", "b", "--yes"],
        &["export"],
    ] {
        env.run(["flag"].iter().chain(line)).expect_code(0);
    }
    let denied = [
        "--user",
        "admin",
        "--pass",
        "p",
        "--no-auth-warning",
        "ACL",
        "LOG",
    ];
    let denied = cli(redis.port(), &denied);
    assert!(!denied.contains("least"), "{denied}");
}
