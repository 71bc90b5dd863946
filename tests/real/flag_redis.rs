//! Who is spoken to, and with which login: client certificates, Sentinels of their own, redirections in every form.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::flag_stores::{at, set};
use crate::support::TestEnv;
use crate::support::redis::{cli, server};
use crate::support::tls;
use crate::support::wire::WireServer;

fn configured(flags: &str) -> TestEnv {
    let env = TestEnv::new().var("PW", "canary").var("SPW", "sentinel-canary");
    env.write("liveops.yaml", format!("version: 1\nenvironments: {{ dev: {{ flags: {{ {flags} }} }} }}\n"));
    if flags.contains("${") {
        env.trust();
    }
    env
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_it() {
    let folder = tempfile::tempdir().expect("temp dir");
    let (certificate, key) = tls::make_certificate(folder.path());
    let shown = |path: &Path| path.display().to_string();
    let (certificate, key) = (shown(&certificate), shown(&key));
    let redis = server(&format!(
        "tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {certificate}\ntls-auth-clients yes"
    ));
    let url = format!("url: 'rediss://127.0.0.1:{}', ca: '{certificate}'", redis.port());
    // The files lie outside of the project, and may be the user's own.
    let trusted = |flags: &str| {
        let env = configured(flags);
        env.trust();
        env
    };
    let mine = |key: &str| trusted(&format!("{url}, cert: '{certificate}', key_file: '{key}'"));
    let run = trusted(&url).run(["flag", "list"]).expect_code(3);
    assert!(run.stderr.contains("set `cert: FILE` and `key_file: FILE`"), "{}", run.stderr);
    set(&mine(&key), &["a", "--pct", "10"]);
    let run = configured(&format!("{url}, cert: '{certificate}'")).run(["flag", "list"]).expect_code(2);
    assert!(run.stderr.contains("`key_file` is missing"), "{}", run.stderr);
    let run = mine(&certificate).run(["flag", "list"]);
    assert!(run.code != 0 && run.stderr.contains("holds no private key"), "{}", run.stderr);
}

#[test]
fn sentinels_have_a_login_of_their_own() {
    let primary = server("requirepass canary");
    let sentinel = server(&format!(
        "requirepass sentinel-canary\nsentinel monitor main 127.0.0.1 {} 1\nsentinel auth-pass main canary",
        primary.port()
    ));
    let url = format!("url: 'redis+sentinel://127.0.0.1:{}/main', password: '${{PW}}'", sentinel.port());
    let run = configured(&url).run(["flag", "list"]).expect_code(3);
    assert!(run.stderr.contains("set `sentinel_password` beside `flags.url`"), "{}", run.stderr);
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
    set(&configured(&format!("{url}, sentinel_password: '${{SPW}}'")), &["a", "--pct", "10"]);
}

/// A server of a Cluster that redirects every request but the login; what it is told is kept.
fn redirecting(code: &'static str, to: &str) -> (WireServer, Arc<Mutex<Vec<u8>>>) {
    let (told, answer) = (Arc::new(Mutex::new(Vec::new())), format!("-{code} 12284 {to}\r\n"));
    let kept = Arc::clone(&told);
    let server = WireServer::start(move |wire| {
        let mut bytes = [0; 4096];
        loop {
            let n = wire.reader.get_mut().read(&mut bytes)?;
            if n == 0 {
                return Ok(());
            }
            kept.lock().expect("no panic").extend_from_slice(&bytes[..n]);
            let login = bytes[..n].windows(4).any(|word| word == b"AUTH" || word == b"HELL");
            wire.send(if login { b"+OK\r\n" } else { answer.as_bytes() })?;
        }
    });
    (server, told)
}

#[test]
fn a_login_goes_to_no_server_that_was_not_configured() {
    for code in ["MOVED", "ASK"] {
        let (other, told) = redirecting("MOVED", "127.0.0.1:1");
        let (server, _) = redirecting(code, &format!("127.0.0.1:{}", other.port()));
        let url = format!("url: 'redis://127.0.0.1:{}', password: '${{PW}}'", server.port());
        let run = configured(&url).run(["flag", "list"]).expect_code(3);
        assert!(run.stderr.contains("which is not configured"), "{}", run.stderr);
        assert!(run.stderr.contains("`redis+cluster://HOST:PORT`"), "{}", run.stderr);
        assert_eq!(String::from_utf8_lossy(&told.lock().expect("no panic")), "");
    }
}

#[test]
fn redirections_are_followed_in_every_form() {
    let redis = server("");
    cli(redis.port(), &["HSET", "feature_flags", "a", r#"{"enabled":true}"#]);
    for code in ["MOVED", "ASK"] {
        for host in ["127.0.0.1", "localhost", "", "?"] {
            let (seed, _) = redirecting(code, &format!("{host}:{}", redis.port()));
            let run = at(&format!("redis+cluster://127.0.0.1:{}", seed.port())).run(["flag", "list", "-o", "name"]);
            // A server alone refuses ASKING: it was asked.
            let asked = code == "ASK" && run.stderr.contains("answered ERR");
            assert!(asked || (run.code == 0 && run.stdout == "a\n"), "{code} {host}: {}", run.stderr);
        }
    }
    let (seed, _) = redirecting("MOVED", ":0");
    at(&format!("redis+cluster://127.0.0.1:{}", seed.port())).run(["flag", "list"]).expect_code(3);
}

#[test]
fn a_server_that_starts_empty_has_lost_its_flags() {
    let mut redis = server("");
    let env = configured(&format!("url: 'redis://127.0.0.1:{}'", redis.port()));
    set(&env, &["shop", "--pct", "10"]);
    set(&env, &["chat", "--pct", "20", "--create"]);
    let before = env.run(["status"]).expect_code(0).stdout;
    assert!(before.contains("Flags   ● 2"), "{before}");
    redis.restart();
    let run = env.run(["status"]).expect_code(1);
    assert!(
        run.stdout.contains("2 flags that were there") && run.stdout.contains("are gone: chat, shop"),
        "{}",
        run.stdout
    );
    let json = env.run(["status", "-o", "json"]).expect_code(1).json();
    assert_eq!(json["data"]["flags"]["gone"].as_array().map(Vec::len), Some(2), "{json}");
}
