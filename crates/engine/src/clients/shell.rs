//! The runbook runner: the one place that starts a shell. Only with a [`Confirmed`], only the command that was shown,
//! stdin closed, with a deadline; every line of output is passed on as it comes, and kept.

#![expect(clippy::disallowed_methods, reason = "this is the one place that runs the steps of runbooks")]

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{sleep_until, timeout};

use crate::change::confirmed::Confirmed;
use liveops_domain::error::{Error, Result};

/// Bytes of output that are kept: the last ones, since that is where a failure says what it is.
const KEPT: usize = 16 * 1024;

/// How long output is waited for once the command has ended: what it left in the background may hold its end open.
const DRAIN: Duration = Duration::from_millis(300);

/// What to run.
#[derive(Debug)]
pub struct Script<'a> {
    /// `sh` or `bash`.
    pub shell: &'a str,
    pub text: &'a str,
    /// Beside the environment of liveops itself.
    pub variables: &'a [(String, OsString)],
    pub folder: &'a Path,
    pub limit: Duration,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit code; `None` when a signal or the deadline ended it.
    pub code: Option<i32>,
    pub timed_out: bool,
    /// Both streams, in the order of arrival; at most the last 16 KiB.
    pub output: String,
    /// Lines before it are not kept.
    pub cut: bool,
    pub took: Duration,
}

impl Ran {
    /// Did it end with 0?
    pub fn is_good(&self) -> bool {
        self.code == Some(0)
    }

    /// Could it be run at all, to its end? Not where a program was not found (126, 127), nor where it was killed.
    pub fn is_complete(&self) -> bool {
        self.code.is_some_and(|code| !matches!(code, 126 | 127))
    }

    /// `exit code 2 after 3 s`.
    pub fn summary(&self) -> String {
        let took = format!("{:.1} s", self.took.as_secs_f64());
        match (self.timed_out, self.code) {
            (true, _) => format!("killed at its deadline, after {took}"),
            (_, Some(code @ (126 | 127))) => {
                format!("exit code {code}: a program in it was not found or cannot be run")
            }
            (_, Some(141)) => format!("exit code 141 after {took}: a program of a pipe was cut off"),
            (_, Some(code)) => format!("exit code {code} after {took}"),
            (_, None) => format!("ended by a signal after {took}"),
        }
    }
}

/// Runs it and waits. Undefined variables, failing commands and failing parts of a pipe end it (`-eu`, `pipefail`). It
/// has a session of its own, and all of that ends with it at its deadline, or when it is interrupted.
///
/// # Errors
/// `Tool`, when the shell cannot be started.
pub async fn run(script: &Script<'_>, mut line: impl FnMut(&str), _confirmed: &Confirmed) -> Result<Ran> {
    let began = Instant::now();
    let failed = |error: std::io::Error| Error::Tool {
        program: script.shell.to_owned(),
        reason: error.to_string(),
        hint: format!("is `{}` installed and in PATH?", script.shell),
    };
    // The `sh` of Debian knows no `pipefail`; `bash` in its POSIX mode does.
    let (program, options): (&str, &[&str]) = match script.shell {
        "sh" if has(script, "bash") => ("bash", &["--posix", "-euo", "pipefail", "-c"]),
        "sh" => ("sh", &["-euc"]),
        shell => (shell, &["-euo", "pipefail", "-c"]),
    };
    // In a session of its own, what asks on the terminal (`sudo`, `ssh`) says at once that there is none; in a group of
    // its own on this terminal it would be stopped, and wait until the deadline.
    let mut command = Command::new(if has(script, "setsid") { "setsid" } else { program });
    if has(script, "setsid") {
        command.arg(program);
    } else {
        #[cfg(unix)]
        command.process_group(0);
    }
    let mut child = command
        .args(options)
        .arg(script.text)
        .envs(script.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(script.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut group = Group(child.id());
    tracing::info!(program = script.shell, text = script.text);
    let mut out = Lines::new(child.stdout.take());
    let mut err = Lines::new(child.stderr.take());
    let mut kept = Kept::default();
    let deadline = tokio::time::Instant::now() + script.limit;
    let mut status = None;
    let mut timed_out = false;
    while status.is_none() && !timed_out {
        tokio::select! {
            Some(text) = out.next(), if out.is_open() => kept.take(&text, &mut line),
            Some(text) = err.next(), if err.is_open() => kept.take(&text, &mut line),
            ended = child.wait() => status = Some(ended.map_err(failed)?),
            () = sleep_until(deadline) => timed_out = true,
        }
    }
    if timed_out {
        // Its end is not waited for beyond the drain.
        let _ = child.start_kill();
        drop(group);
    } else {
        // What it left in the background on purpose, such as a port that it forwards, goes on.
        group.0 = None;
    }
    let drain = async {
        while out.is_open() || err.is_open() {
            tokio::select! {
                Some(text) = out.next(), if out.is_open() => kept.take(&text, &mut line),
                Some(text) = err.next(), if err.is_open() => kept.take(&text, &mut line),
                else => {}
            }
        }
    };
    let _ = timeout(DRAIN, drain).await;
    kept.trim();
    Ok(Ran {
        code: status.and_then(|status| status.code()),
        timed_out,
        output: kept.text,
        cut: kept.cut,
        took: began.elapsed(),
    })
}

/// Is there such a program on the path that the script gets?
fn has(script: &Script<'_>, program: &str) -> bool {
    let path = script.variables.iter().rev().find(|(name, _)| name == "PATH");
    path.is_some_and(|(_, path)| std::env::split_paths(path).any(|folder| folder.join(program).is_file()))
}

/// The processes that a script started: they are killed when this is dropped while it has their number.
struct Group(Option<u32>);

impl Drop for Group {
    #[cfg(unix)]
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let id = self.0.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // By the system's own call: the `kill` of one shell does not take what that of another does.
        if let Some(Err(error)) = id.map(|id| kill_process_group(id, Signal::KILL)) {
            tracing::warn!("the processes of a step cannot be killed: {error}");
        }
    }

    #[cfg(not(unix))]
    fn drop(&mut self) {}
}

#[derive(Default)]
struct Kept {
    text: String,
    cut: bool,
}

impl Kept {
    fn take(&mut self, text: &str, line: &mut impl FnMut(&str)) {
        line(text);
        self.text.push_str(text);
        self.text.push('\n');
        // Cut rarely, so that long output costs no more than its length.
        if self.text.len() > 4 * KEPT {
            self.trim();
        }
    }

    fn trim(&mut self) {
        if self.text.len() > KEPT {
            let mut cut = self.text.len() - KEPT;
            while !self.text.is_char_boundary(cut) {
                cut += 1;
            }
            self.text.drain(..cut);
            self.cut = true;
        }
    }
}

/// A stream by lines; not all of them are UTF-8, and one that is longer than what is kept comes in pieces.
struct Lines<R> {
    stream: Option<R>,
    part: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(stream: Option<R>) -> Self {
        Self { stream, part: Vec::new() }
    }

    fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// The next line; `None` once, at the end. Nothing is lost when the wait is given up halfway.
    async fn next(&mut self) -> Option<String> {
        loop {
            let end = memchr::memchr(b'\n', &self.part).map(|at| at + 1);
            if let Some(end) = end.or((self.part.len() >= KEPT).then_some(self.part.len())) {
                let rest = self.part.split_off(end);
                return Some(text(&std::mem::replace(&mut self.part, rest)));
            }
            let read = self.stream.as_mut()?.read_buf(&mut self.part).await;
            if !matches!(read, Ok(count) if count > 0) {
                self.stream = None;
                let last = std::mem::take(&mut self.part);
                return (!last.is_empty()).then(|| text(&last));
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned()
}
