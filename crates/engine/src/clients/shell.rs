//! The runbook runner: the one place that starts a shell. Only with a [`Confirmed`], only the command that was shown,
//! stdin closed, with a deadline; every line of output is passed on as it comes, and kept.

#![expect(clippy::disallowed_methods, reason = "this is the one place that runs the steps of runbooks")]

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
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

    /// `exit code 2 after 3 s`.
    pub fn summary(&self) -> String {
        let took = format!("{:.1} s", self.took.as_secs_f64());
        match (self.timed_out, self.code) {
            (true, _) => format!("stopped at its deadline after {took}; what it started may still be running"),
            (_, Some(code)) => format!("exit code {code} after {took}"),
            (_, None) => format!("ended by a signal after {took}"),
        }
    }
}

/// Runs it and waits. Undefined variables and failing commands end it (`-eu`).
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
    let mut child = Command::new(script.shell)
        .args(["-euc", script.text])
        .envs(script.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(script.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
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
    Ok(Ran {
        code: status.and_then(|status| status.code()),
        timed_out,
        output: kept.text,
        cut: kept.cut,
        took: began.elapsed(),
    })
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
        if self.text.len() > KEPT {
            let over = self.text.len() - KEPT;
            let cut = self.text[..].char_indices().map(|(at, _)| at).find(|at| *at >= over).unwrap_or(over);
            self.text.drain(..cut);
            self.cut = true;
        }
    }
}

/// A stream by lines; not all of them are UTF-8.
struct Lines<R> {
    reader: Option<BufReader<R>>,
    part: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(stream: Option<R>) -> Self {
        Self { reader: stream.map(BufReader::new), part: Vec::new() }
    }

    fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// The next line; `None` once, at the end. Nothing is lost when the wait is given up halfway.
    async fn next(&mut self) -> Option<String> {
        let reader = self.reader.as_mut()?;
        let read = reader.read_until(b'\n', &mut self.part).await;
        if self.part.is_empty() || read.is_err() {
            self.reader = None;
            return None;
        }
        let bytes = std::mem::take(&mut self.part);
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    }
}
