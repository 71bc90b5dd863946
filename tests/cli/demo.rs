//! `liveops demo`: the first command that a stranger types.

use std::time::Duration;

use crate::support::deadline::happens;
use crate::support::http;
use crate::support::process::free_port;
use crate::support::{TestEnv, until};

#[test]
fn the_demo_shows_a_full_screen_in_seconds_and_leaves_nothing() {
    let env = TestEnv::new();
    let run = env.run(["demo"]).expect_code(0);
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    for shown in [
        "a simulated game service is running at http://127.0.0.1:",
        "$ liveops status",
        "WARNING  starfall · demo",
        "tick p99",
        "active players",
        "liveops demo --keep",
        "liveops init",
    ] {
        assert!(run.stdout.contains(shown), "`{shown}` in\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("unknown"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
    let left = |folder: &str| {
        let entries = std::fs::read_dir(env.root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    assert!(left("tmp").is_empty() && left("work").is_empty() && left("state").is_empty());
    let caches = std::fs::read_dir(env.cache()).map_or(0, Iterator::count);
    assert_eq!(caches, 0, "the cache of the demo is removed");
}

#[test]
fn the_demo_fits_80_columns() {
    let env = TestEnv::new();
    let (code, transcript) = env.pty(["demo"]).wait();
    assert_eq!(code, 0);
    for line in console::strip_ansi_codes(&transcript).lines() {
        assert!(console::measure_text_width(line) <= 80, "`{line}`");
    }
}

#[test]
fn the_demo_speaks_json_too() {
    let env = TestEnv::new();
    let json = env.run(["demo", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["schema"], "liveops.demo/1");
    assert_eq!(json["verdict"], "warn");
    assert_eq!(json["data"]["services"][0]["state"], "healthy");
}

#[test]
fn keep_serves_until_it_is_interrupted_and_cleans_up() {
    let env = TestEnv::new();
    let port = free_port();
    let mut pty = env.pty(["demo", "--keep", "--port", &port.to_string()]);
    pty.expect("until Ctrl-C").expect("cd ").expect("liveops status --watch");
    until("the demo's service", Duration::from_secs(5), || {
        http::get(port, "/api/health").ok().filter(|answer| answer.status == 200)
    });
    let folders = || std::fs::read_dir(env.root().join("tmp")).unwrap().count();
    assert_eq!(folders(), 1);
    pty.interrupt();
    assert_eq!(pty.wait().0, 130);
    assert!(happens(Duration::from_secs(2), || http::get(port, "/api/health").is_err()));
    assert_eq!(folders(), 0, "the throw-away folder is gone");
    let caches = std::fs::read_dir(env.cache()).map_or(0, Iterator::count);
    assert_eq!(caches, 0, "and the cache with it");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = TestEnv::new().run(["demo", "--port", &port]).expect_code(3);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 3
        --- stdout
        --- stderr
        error: cannot listen on 127.0.0.1:[PORT]
        caused by: Address already in use (os error 98)

        hint: check that 127.0.0.1:[PORT] exists, is yours, and has space
        "#);
}

#[test]
fn the_demo_has_a_state_folder_of_its_own() {
    let env = TestEnv::new();
    let port = free_port();
    let mut pty = env.pty(["demo", "--keep", "--port", &port.to_string()]);
    pty.expect("until Ctrl-C").expect("cd ");
    let folder = std::fs::read_dir(env.root().join("tmp")).unwrap().next().unwrap().unwrap().path();
    let config = folder.join("liveops.yaml").display().to_string();
    let flags = env.run(["flag", "list", "--config", &config, "-o", "name"]).expect_code(0).stdout;
    let flag = flags.lines().next().unwrap();
    env.run(["flag", "kill", flag, "--yes", "--config", &config]).expect_code(0);
    assert!(folder.join("state/audit.jsonl").is_file());
    assert!(!env.state().join("audit.jsonl").exists(), "the user's audit log knows nothing of the demo");
    let listed = env.run(["undo", "--list", "--config", &config]).expect_code(0).stdout;
    assert!(listed.contains(flag), "{listed}");
    // A project that only calls itself so keeps nothing out of the user's audit log.
    let text = std::fs::read(&config).unwrap();
    env.write("liveops-demo-x/liveops.yaml", text);
    std::fs::create_dir(env.path().join("liveops-demo-x/state")).unwrap();
    env.write("liveops-demo-x/flags.json", "{\"a\": {\"enabled\": true}}");
    env.run(["flag", "kill", "a", "--yes", "--config", "liveops-demo-x/liveops.yaml"]).expect_code(0);
    assert!(env.state().join("audit.jsonl").is_file());
    pty.interrupt();
    assert_eq!(pty.wait().0, 130);
}
