//! `incident receive --listen` under test, killed on drop.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::support::TestEnv;

/// A listener, and where it listens.
pub(crate) struct Listener {
    child: Child,
    pub(crate) port: u16,
}

impl Listener {
    /// Starts one, by the real clock, and waits until it listens.
    pub(crate) fn start(env: &TestEnv) -> Self {
        let mut child = env
            .bare(["incident", "receive", "--listen", "127.0.0.1:0", "-o", "json"])
            .env_remove("LIVEOPS_NOW")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let port = line.trim().trim_end_matches('/').rsplit(':').next().unwrap().parse();
        let port = port.unwrap_or_else(|_| panic!("no port in `{line}`"));
        // What it warns of goes nowhere, and never fills the pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { child, port }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
