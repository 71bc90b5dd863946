//! The hermetic environment of one test: its own folders, nothing inherited from whoever runs the tests.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::pty::Pty;
use super::run::{Invocation, Run};

/// A run that lasts longer than this hangs: it is killed and the test fails.
pub(crate) const RUN_LIMIT: Duration = Duration::from_secs(60);

/// A temporary folder with a home, XDG folders and a working directory, and the `liveops` binary to run in it.
///
/// Folders are removed on drop. Width is 100 columns, the time zone UTC, the locale `C.UTF-8`, colour off.
/// The clock is the real one unless [`TestEnv::now`] fixes it.
#[derive(Debug)]
pub(crate) struct TestEnv {
    root: TempDir,
    vars: Vec<(String, String)>,
}

impl TestEnv {
    /// A fresh environment; the working directory is empty.
    pub(crate) fn new() -> Self {
        let root =
            tempfile::Builder::new().prefix("liveops-test-").tempdir().expect("the temporary folder is writable");
        for folder in ["work", "home", "config", "state", "cache", "runtime", "tmp"] {
            fs::create_dir(root.path().join(folder)).expect("a fresh folder takes sub-folders");
        }
        let at = |folder: &str| root.path().join(folder).display().to_string();
        let vars = [
            ("HOME", at("home")),
            ("XDG_CONFIG_HOME", at("config")),
            ("XDG_STATE_HOME", at("state")),
            ("XDG_CACHE_HOME", at("cache")),
            ("XDG_RUNTIME_DIR", at("runtime")),
            ("TMPDIR", at("tmp")),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("COLUMNS", "100".to_owned()),
            ("LINES", "40".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        Self { root, vars: vars.into() }
    }

    /// Fixes the clock of every later run at `time` (RFC 3339).
    pub(crate) fn now(self, time: &str) -> Self {
        self.var("LIVEOPS_NOW", time)
    }

    /// Sets an environment variable for every later run.
    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts this program on the `PATH` of every later run, under this name.
    pub(crate) fn with_program(self, program: &Path, name: &str) -> Self {
        let bin = self.root.path().join("bin");
        fs::create_dir_all(&bin).expect("the test's own folder is writable");
        symlink(program, bin.join(name)).expect("the test's own folder is writable");
        let path = format!("{}:/usr/bin:/bin", bin.display());
        self.var("PATH", &path)
    }

    /// The working directory of the runs.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The folder above all others of this environment: working directory, home, XDG folders.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// `$XDG_STATE_HOME/liveops`, where journals, audit log and outbox live.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state/liveops")
    }

    /// `$XDG_CACHE_HOME/liveops`.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.path().join("cache/liveops")
    }

    /// `$XDG_CONFIG_HOME/liveops`.
    pub(crate) fn user_config(&self) -> PathBuf {
        self.root.path().join("config/liveops")
    }

    /// Writes a file under the working directory, with the folders above it, and returns its path.
    pub(crate) fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("the test's own folder is writable");
        }
        fs::write(&path, text).expect("the test's own folder is writable");
        path
    }

    /// Reads a file under the working directory.
    #[track_caller]
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Agrees to all that the project's file asks for.
    #[track_caller]
    pub(crate) fn trust(&self) {
        self.run(["config", "trust", "--yes"]).expect_code(0);
    }

    /// Runs `liveops` with these arguments, no stdin, in the working directory.
    #[track_caller]
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.command(args).run()
    }

    /// Runs a line in a shell, in this environment.
    #[track_caller]
    pub(crate) fn shell(&self, line: &str) -> Run {
        Invocation::new(self, self.program("/bin/sh", &["-c", line])).run()
    }

    /// Another program in this environment, such as a shell.
    #[allow(clippy::disallowed_methods, reason = "a test starts what a person types into")]
    pub(crate) fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.vars.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.path());
        command
    }

    /// A run that still takes more environment, stdin or another deadline.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Invocation<'_> {
        Invocation::new(self, self.bare(args))
    }

    /// A run under a limit of the size of files, in blocks of 512 bytes: what a full disk does to a write. Its exit code,
    /// and what it says on stderr.
    pub(crate) fn limited(&self, blocks: u64, args: &[&str]) -> (i32, String) {
        self.under(&format!("trap '' XFSZ; ulimit -f {blocks}"), args)
    }

    /// A run under what a shell has set before it.
    #[allow(clippy::disallowed_methods, reason = "a limit is set by a shell")]
    pub(crate) fn under(&self, limit: &str, args: &[&str]) -> (i32, String) {
        let bare = self.bare(args);
        let script = format!("{limit}; exec \"$0\" \"$@\"");
        let output = Command::new("/bin/sh")
            .args(["-c", &script])
            .arg(bare.get_program())
            .args(bare.get_args())
            .env_clear()
            .envs(bare.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(self.path())
            .output()
            .expect("a shell is there");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (super::run::code(output.status), stderr)
    }

    /// Starts `liveops` on a terminal of 80 columns and 24 lines, in colour.
    pub(crate) fn pty<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Pty {
        let mut command = self.bare(args);
        command.env_remove("COLUMNS").env_remove("LINES").env_remove("NO_COLOR").env("TERM", "xterm-256color");
        Pty::spawn(command)
    }

    /// The binary with this environment and nothing else, for tests that spawn it themselves.
    #[allow(clippy::disallowed_methods, reason = "a test runs the binary it tests")]
    pub(crate) fn bare<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_liveops"));
        command
            .args(args)
            .env_clear()
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path());
        command
    }
}
