//! Redis on loopback: one server with any options, a Cluster of six, a primary with replica and Sentinel.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::deadline;
use super::process::{Program, Server, free_port};

/// How long servers may take to agree with each other.
const AGREED: Duration = Duration::from_secs(40);

/// With this line it is a Sentinel.
const SENTINEL: &str = "sentinel monitor ";

/// A `redis-server` with these lines in its configuration.
#[track_caller]
pub(crate) fn server(lines: &str) -> Server {
    let data = if lines.contains(SENTINEL) { "" } else { "save \"\"\nappendonly no\n" };
    let config = format!("bind 127.0.0.1\n{data}{lines}\n");
    Server::start(program(), |folder| {
        let config = config.replace("FOLDER", &folder.display().to_string());
        std::fs::write(folder.join("redis.conf"), config).expect("a fresh folder is writable");
    })
}

fn program() -> Program {
    Program {
        binary: binary(),
        package: "redis-server",
        args: |port, folder| {
            // Port 0 in the file: only TLS is spoken, at the port that the test knows.
            let config = folder.join("redis.conf");
            let text = std::fs::read_to_string(&config).unwrap_or_default();
            let option = match text.contains("tls-cert-file") {
                true => "--tls-port",
                false => "--port",
            };
            let mut args = vec![config.display().to_string()];
            if text.contains(SENTINEL) {
                args.push("--sentinel".into());
            }
            if option == "--tls-port" {
                args.extend(["--port".to_owned(), "0".to_owned()]);
            }
            args.extend([option.to_owned(), port.to_string()]);
            args
        },
        ready,
    }
}

/// `redis-server`, or the program that `LIVEOPS_TEST_REDIS` names: what `scripts/redis` unpacks.
#[allow(clippy::disallowed_methods, reason = "which server the tests run on is said outside of them")]
fn binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var("LIVEOPS_TEST_REDIS").unwrap_or_else(|_| "redis-server".into()))
}

/// Does it take connections? Redis listens once its data are there.
fn ready(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// What `redis-cli` prints.
///
/// # Panics
/// When there is no `redis-cli` (Debian package `redis-tools`).
#[allow(clippy::disallowed_methods, reason = "a test looks at the server by its own tool")]
#[track_caller]
pub(crate) fn cli(port: u16, args: &[&str]) -> String {
    let run = Command::new("redis-cli").args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(args).output();
    let output = run.unwrap_or_else(|error| {
        panic!("`redis-cli` cannot be started ({error}); install the Debian package `redis-tools`")
    });
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Three primaries with a replica each.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    /// Starts six servers and lets `redis-cli` join them.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let servers: Vec<Server> = (0..6)
            .map(|_| {
                // The bus would be 10,000 above the port, which may be no port.
                server(&format!(
                    "cluster-enabled yes\ncluster-node-timeout 2000\ncluster-replica-validity-factor 0\n\
                     repl-diskless-sync-delay 0\ncluster-port {}\ndir FOLDER",
                    free_port()
                ))
            })
            .collect();
        let nodes: Vec<String> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        let mut args = vec!["--cluster", "create"];
        args.extend(nodes.iter().map(String::as_str));
        args.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        let said = cli(servers[0].port(), &args);
        let is_up = |server: &Server| {
            let info = cli(server.port(), &["cluster", "info"]);
            let replication = cli(server.port(), &["info", "replication"]);
            info.contains("cluster_state:ok")
                && info.contains("cluster_known_nodes:6")
                && (replication.contains("connected_slaves:1") || replication.contains("master_link_status:up"))
        };
        let agreed = deadline::happens(AGREED, || servers.iter().all(is_up));
        assert!(agreed, "the cluster does not come up: {said}");
        Self { servers }
    }

    /// The seeds, as a URL.
    pub(crate) fn url(&self) -> String {
        let nodes: Vec<String> = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }
}

/// A primary called `main`, its replica, and a Sentinel that watches them.
pub(crate) struct Sentinel {
    pub(crate) primary: Server,
    pub(crate) replica: Server,
    sentinel: Server,
}

impl Sentinel {
    /// Starts all three, and waits until the Sentinel knows both servers.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let primary = server("repl-diskless-sync-delay 0");
        let replica = server(&format!("replicaof 127.0.0.1 {}", primary.port()));
        let linked = || cli(replica.port(), &["info", "replication"]).contains("master_link_status:up");
        assert!(deadline::happens(AGREED, linked), "the replica does not follow");
        let watched = primary.port();
        let sentinel = Server::start(
            Program {
                binary: binary(),
                package: "redis-server",
                args: |port, folder: &Path| {
                    vec![
                        folder.join("sentinel.conf").display().to_string(),
                        "--sentinel".into(),
                        "--port".into(),
                        port.to_string(),
                    ]
                },
                ready,
            },
            |folder| {
                let config = format!(
                    "bind 127.0.0.1\nsentinel monitor main 127.0.0.1 {watched} 1\n\
                     sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
                );
                std::fs::write(folder.join("sentinel.conf"), config).expect("a fresh folder is writable");
            },
        );
        let knows = || cli(sentinel.port(), &["sentinel", "replicas", "main"]).contains("127.0.0.1");
        assert!(deadline::happens(AGREED, knows), "the Sentinel does not see the replica");
        Self { primary, replica, sentinel }
    }

    /// The Sentinel, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.sentinel.port())
    }
}
