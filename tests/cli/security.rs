//! `check security` beside manifests: real certificates on loopback, liveops' own files, signals, and what nobody set up.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::process::free_port;
use crate::support::{Answer, Stub, TestEnv, until};

/// What `openssl ca` needs to sign for any time, and what it signs: a server, or an authority below it.
const AUTHORITY: &str = "[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
[below]
basicConstraints = critical, CA:TRUE
[req]
prompt = no
distinguished_name = name
[name]
CN = test
";

#[allow(clippy::disallowed_methods, reason = "certificates are made for each test")]
fn openssl(folder: &Path, words: &str) {
    let done = Command::new("openssl").args(words.split(' ')).current_dir(folder).output();
    let done = done.expect("the Debian package `openssl` is installed");
    assert!(done.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A certificate that its own authority signed, and a server that shows it.
struct Door {
    env: TestEnv,
    server: Child,
    port: u16,
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[allow(clippy::disallowed_methods, reason = "openssl writes certificates by this machine's clock")]
fn day(days: i64) -> String {
    (chrono::Utc::now() + chrono::TimeDelta::days(days)).format("%Y%m%d%H%M%SZ").to_string()
}

/// What is special about a certificate.
struct Cert {
    names: &'static str,
    from: i64,
    to: i64,
    key: &'static str,
    digest: &'static str,
    /// Days that an authority between lives; none: the root has signed.
    between: Option<i64>,
    server: &'static str,
}

const GOOD: Cert = Cert {
    names: "DNS:localhost,IP:127.0.0.1",
    from: -10,
    to: 90,
    key: "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1",
    digest: "sha256",
    between: None,
    server: "",
};

impl Door {
    #[allow(clippy::disallowed_methods, reason = "a test starts the server that it looks at")]
    fn open(cert: &Cert) -> Self {
        let env = TestEnv::new();
        let folder: PathBuf = env.root().join("authority");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ca.cnf"), AUTHORITY).unwrap();
        std::fs::write(folder.join("index.txt"), "").unwrap();
        std::fs::write(folder.join("serial"), "01").unwrap();
        let root = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=root";
        openssl(&folder, &format!("{root} -config ca.cnf -extensions below -keyout ca.key -out ca.pem"));
        let sign = |name: &str, what: &str, from: i64, to: i64, digest: &str| {
            let times = format!("-startdate {} -enddate {}", day(from), day(to));
            openssl(
                &folder,
                &format!(
                    "ca -batch -notext -config ca.cnf -extensions {what} -md {digest} {times} -in {name}.csr -out {name}.pem"
                ),
            );
        };
        std::fs::copy(folder.join("ca.pem"), folder.join("root.pem")).unwrap();
        if let Some(days) = cert.between {
            openssl(
                &folder,
                &format!(
                    "req -new {} -nodes -config ca.cnf -subj /CN=between -keyout between.key -out between.csr",
                    GOOD.key
                ),
            );
            sign("between", "below", -10, days, "sha256");
            std::fs::copy(folder.join("between.pem"), folder.join("ca.pem")).unwrap();
            std::fs::copy(folder.join("between.key"), folder.join("ca.key")).unwrap();
        }
        openssl(
            &folder,
            &format!(
                "req -new {} -nodes -config ca.cnf -subj /CN=server -addext subjectAltName={} -keyout server.key -out server.csr",
                cert.key, cert.names
            ),
        );
        sign("server", "server", cert.from, cert.to, cert.digest);
        let port = free_port();
        let chain = if cert.between.is_some() { "-cert_chain between.pem" } else { "" };
        let words = format!(
            "s_server -quiet -accept 127.0.0.1:{port} -cert server.pem -key server.key {chain} {}",
            cert.server
        );
        let server = Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the server", Duration::from_secs(20), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let config =
            format!("version: 1\nenvironments: {{ prod: {{ prometheus: {{ url: 'https://127.0.0.1:{port}' }} }} }}\n");
        env.write("liveops.yaml", config);
        let env = env.var("SSL_CERT_FILE", folder.join("root.pem").to_str().unwrap());
        Self { env, server, port }
    }

    /// Findings about the endpoint: rule, level, why.
    fn found(&self) -> Vec<(String, String, String)> {
        let json = self.env.run(["check", "security", "-o", "json"]).json();
        let of = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        let all = json["data"]["findings"].as_array().unwrap();
        let subject = format!("prometheus (127.0.0.1:{})", self.port);
        let unknown = json["data"]["unknown"].as_array().unwrap();
        assert!(!unknown.iter().any(|one| one["subject"] == subject), "{json:#}");
        let mine = all.iter().filter(|one| one["subject"] == subject);
        mine.map(|one| (of(one, "id"), of(one, "level"), of(one, "why"))).collect()
    }
}

#[test]
fn each_fault_of_a_certificate_and_of_its_chain_is_seen_and_a_sound_one_passes() {
    const WEAK: &str = "-cipher DEFAULT:@SECLEVEL=0";
    let good: &[(&str, Cert)] = &[
        ("ECDSA", GOOD),
        ("RSA of 2048 bits", Cert { key: "-newkey rsa:2048", ..GOOD }),
        ("an authority between", Cert { between: Some(60), ..GOOD }),
    ];
    for (name, cert) in good {
        assert_eq!(Door::open(cert).found(), [], "{name}");
    }
    let bad: &[(&str, Cert, &str, &str, &str)] = &[
        ("expired", Cert { to: -1, ..GOOD }, "T01", "BLOCKER", "ended on"),
        ("not yet", Cert { from: 2, ..GOOD }, "T01", "BLOCKER", "begins on"),
        ("20 days", Cert { to: 20, ..GOOD }, "T01", "MEDIUM", "ends in"),
        ("5 days", Cert { to: 5, ..GOOD }, "T01", "HIGH", "ends in"),
        ("another name", Cert { names: "DNS:other.example", ..GOOD }, "T01", "BLOCKER", "not for 127.0.0.1"),
        ("an authority that ends", Cert { between: Some(20), ..GOOD }, "T01", "MEDIUM", "of between ends in"),
        ("1024 bits", Cert { key: "-newkey rsa:1024", server: WEAK, ..GOOD }, "T02", "HIGH", "1024 bits"),
        ("SHA-1", Cert { digest: "sha1", server: WEAK, ..GOOD }, "T02", "HIGH", "SHA-1"),
    ];
    for (name, cert, id, level, why) in bad {
        let found = Door::open(cert).found();
        assert!(found.iter().any(|one| one.0 == *id && one.1 == *level && one.2.contains(why)), "{name}: {found:?}");
    }
    // TLS 1.1 alone: there is no chain, but that is known to be bad.
    let found = Door::open(&Cert { server: "-tls1_1 -cipher DEFAULT:@SECLEVEL=0", ..GOOD }).found();
    assert!(found.iter().any(|one| one.0 == "T02" && one.2.contains("neither TLS 1.2 nor 1.3")), "{found:?}");
    // The same certificate, where nobody trusts its authority.
    let door = Door::open(&GOOD);
    std::fs::remove_file(door.env.root().join("authority/root.pem")).unwrap();
    std::fs::copy(door.env.root().join("authority/server.pem"), door.env.root().join("authority/root.pem")).unwrap();
    let found = door.found();
    assert!(found.iter().any(|one| one.0 == "T01" && one.1 == "HIGH" && one.2.contains("signed by")), "{found:?}");
}

#[test]
fn what_nobody_set_up_is_nothing_to_check_or_unknown_and_never_passes() {
    let env = TestEnv::new();
    let run = env.run(["check", "security"]);
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("found nothing to check"), "{}", run.stderr);
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\n");
    let run = env.run(["check", "security", "-o", "json"]);
    let unknown: Vec<_> =
        run.json()["data"]["unknown"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(unknown, ["G01", "S01", "T01"], "{}", run.stdout);
    assert_eq!(env.run(["check", "security", "--strict"]).code, 3);
    // Who asks about manifests alone is answered about them alone.
    env.write("ns.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { ROOMS: '7' }\n");
    let run = env.run(["check", "security", "--manifests", "ns.yaml", "--strict"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn certificates_names_and_issuers_are_seen_and_what_is_silent_is_unknown() {
    let env = TestEnv::new();
    let server = crate::support::tls::TlsServer::start(|_| Answer::text("ok"));
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nenvironments:\n  prod:\n    prometheus: {{ url: '{}' }}\n    alertmanager: {{ url: 'https://127.0.0.1:1' }}\n    clickhouse: {{ url: 'http://db.example:8123', user: ana }}\n",
            server.url()
        ),
    );
    let run = env.run(["check", "security", "-o", "json"]);
    let json = run.json();
    let all = json["data"]["findings"].as_array().unwrap();
    let why =
        |id: &str| all.iter().filter(|one| one["id"] == id).map(|one| one["why"].as_str().unwrap()).collect::<Vec<_>>();
    assert!(why("T01").iter().any(|why| why.contains("signed")), "{}", run.stdout);
    assert_eq!(why("L02"), ["credentials are sent to it without encryption"]);
    let unknown = json["data"]["unknown"].as_array().unwrap();
    assert!(unknown.iter().any(|one| one["subject"] == "alertmanager (127.0.0.1:1)"), "{}", run.stdout);
    assert_eq!(run.code, 1);
}

#[test]
fn liveops_own_house_is_looked_at() {
    use std::os::unix::fs::PermissionsExt;
    let env = TestEnv::new();
    let file = env.write("liveops.yaml", "version: 1\nenvironments: { prod: { flags: { url: 'file:flags.json' } } }\n");
    env.run(["flag", "set", "a", "--enable", "--create", "--yes"]).expect_code(0);
    let clean = env.run(["check", "security", "-o", "json"]);
    assert_eq!(clean.json()["data"]["findings"].as_array().unwrap().len(), 0, "{}", clean.stdout);
    let log = env.state().join("audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replacen("flag", "flog", 1)).unwrap();
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let bad = env.run(["check", "security", "-o", "json"]).json();
    let ids: Vec<_> = bad["data"]["findings"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["L04", "L03", "L03"], "{bad}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a signal is as old as the clock says")]
fn signals_are_judged_by_what_prometheus_says_and_no_data_is_unknown() {
    let env = TestEnv::new();
    let now = chrono::Utc::now().timestamp();
    let stub = Stub::new().on_fn("POST", "/api/v1/query", move |request| {
        let asked = String::from_utf8_lossy(&request.body).into_owned();
        let result = match asked.contains("logins") {
            true => serde_json::json!([{ "metric": {}, "value": [now, "12"] }]),
            false => serde_json::json!([]),
        };
        Answer::json(serde_json::json!({ "status": "success", "data": { "resultType": "vector", "result": result } }))
    });
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nenvironments: {{ prod: {{ prometheus: {{ url: '{}' }} }} }}\nsecurity:\n  signals:\n    - {{ name: failed logins, promql: logins, limit: 5 }}\n    - {{ name: rate limits, promql: limited, limit: 5 }}\n",
            stub.url()
        ),
    );
    let json = env.run(["check", "security", "-o", "json"]).json();
    assert_eq!(json["data"]["findings"][0]["why"], "failed logins is 12, the limit is 5");
    assert_eq!(json["data"]["unknown"][0]["subject"], "rate limits");
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { prod: {} }\nsecurity: { signals: [{ name: a, promql: b, limt: 5 }] }\n",
    );
    let slip = env.run(["check", "security"]);
    assert!(slip.stderr.contains("did you mean `limit`"), "{}", slip.stderr);
}
