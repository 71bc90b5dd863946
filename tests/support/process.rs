//! Real servers as children of a test: a free port, their own data folder, ready by polling, ended by process id.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::deadline;

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Another process may take the port between its choice and its use.
const PORT_ATTEMPTS: usize = 3;

/// What to start, and how to tell that it is ready.
pub(crate) struct Program {
    /// Looked up on `PATH`, or a path.
    pub(crate) binary: &'static str,
    /// The Debian package that holds it.
    pub(crate) package: &'static str,
    /// Arguments for a port and the server's folder.
    pub(crate) args: fn(port: u16, folder: &Path) -> Vec<String>,
    /// Whether the server at this port serves.
    pub(crate) ready: fn(port: u16) -> bool,
}

/// The program that the variable names, to run the tests on another version; else this one.
#[allow(clippy::disallowed_methods, reason = "the environment says which version is tested")]
pub(crate) fn named(variable: &str, program: &'static str) -> &'static str {
    std::env::var(variable).map_or(program, |named| named.leak())
}

/// A running server. On drop it is killed, its folder removed, and its log printed when the test is failing.
pub(crate) struct Server {
    program: Program,
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl Server {
    /// Starts `program` in a folder that `prepare` has filled, and waits until it is ready.
    ///
    /// # Panics
    /// When the binary is missing (names the Debian package) or the server is not ready within 30 s (shows its log).
    #[track_caller]
    pub(crate) fn start(program: Program, prepare: impl FnOnce(&Path)) -> Self {
        let folder =
            tempfile::Builder::new().prefix("liveops-server-").tempdir().expect("the temporary folder is writable");
        prepare(folder.path());
        let mut server = Self { program, child: None, port: 0, folder };
        for attempt in 1.. {
            server.port = free_port();
            if server.launch() {
                break;
            }
            let log = server.log();
            assert!(
                attempt < PORT_ATTEMPTS && log.to_lowercase().contains("address already in use"),
                "`{}` does not start; its log:\n{log}",
                server.program.binary
            );
        }
        server
    }

    /// The port of loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The server's configuration and data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything the server has printed.
    pub(crate) fn log(&self) -> String {
        fs::read(self.log_path())
            .map_or_else(|error| format!("(no log: {error})"), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Kills the server at once, as a crash would; the data stay for [`Server::restart`].
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Lets the server hang: connections are taken, and nobody answers.
    #[track_caller]
    pub(crate) fn hang(&self) {
        signal(self.child.as_ref().expect("the server runs").id(), "STOP");
    }

    /// Lets it go on.
    #[track_caller]
    pub(crate) fn go_on(&self) {
        signal(self.child.as_ref().expect("the server runs").id(), "CONT");
    }

    /// Starts a killed server again, on the same port and data.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "`{}` does not start again; its log:\n{}", self.program.binary, self.log());
    }

    /// Starts the child and waits for it; `false` when it ended by itself or is not ready in time.
    #[allow(clippy::disallowed_methods, reason = "a test starts the servers it needs")]
    #[track_caller]
    fn launch(&mut self) -> bool {
        let log = File::create(self.log_path()).expect("the server's folder is writable");
        let errors = log.try_clone().expect("a file handle can be duplicated");
        let binary = self.program.binary;
        let spawned = Command::new(binary)
            .args((self.program.args)(self.port, self.folder.path()))
            .current_dir(self.folder.path())
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let child = spawned.unwrap_or_else(|error| {
            panic!(
                "`{binary}` cannot be started ({error}); install the Debian package `{}`, or run scripts/test",
                self.program.package
            )
        });
        let child = self.child.insert(child);
        let (port, ready) = (self.port, self.program.ready);
        let mut served = false;
        deadline::happens(START_LIMIT, || {
            let ended = child.try_wait().is_ok_and(|status| status.is_some());
            // Asked in this order: a server that ended may have left its port to another one that answers.
            served = !ended && ready(port);
            ended || served
        });
        if !served {
            self.kill();
        }
        served
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

impl Drop for Server {
    #[allow(clippy::print_stderr, reason = "the log belongs to the output of the failed test")]
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- log of {}\n{}", self.program.binary, self.log());
        }
    }
}

/// A port of loopback that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("loopback has a free port")
        .port()
}

/// Sends a signal (`TERM`) to a process of the test's own. By the shell's own `kill`: a bare machine has no other.
#[allow(clippy::disallowed_methods, reason = "signals need a program or unsafe code")]
#[track_caller]
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {pid}");
}
