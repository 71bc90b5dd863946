//! One run of the binary: built, started, watched, and its outcome made comparable.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use regex::Regex;

use super::deadline;
use super::env::{RUN_LIMIT, TestEnv};

/// How long output may still come after the program has ended: a child that it left behind would hold the pipe.
const PIPE_LIMIT: Duration = Duration::from_secs(5);

/// A run that is being prepared; [`Invocation::run`] starts it and waits.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    env: &'a TestEnv,
    command: Command,
    stdin: Option<Vec<u8>>,
    limit: Duration,
}

impl<'a> Invocation<'a> {
    pub(crate) fn new(env: &'a TestEnv, command: Command) -> Self {
        Self { env, command, stdin: None, limit: RUN_LIMIT }
    }

    /// Adds an environment variable for this run.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes an environment variable away for this run.
    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// What the program reads on stdin; without it, stdin is empty.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Fails the test after `limit` instead of a minute.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it cannot be started, or does not end before the limit (it is killed first).
    #[track_caller]
    pub(crate) fn run(mut self) -> Run {
        let started = Instant::now();
        self.command
            .stdin(match self.stdin {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child =
            self.command.spawn().unwrap_or_else(|error| panic!("`{:?}` does not start: {error}", self.command));
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.stdin.take()) {
            // A program that stops reading early is not this thread's failure.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let stdout = collect(child.stdout.take().expect("stdout is a pipe"));
        let stderr = collect(child.stderr.take().expect("stderr is a pipe"));
        let Some(status) = wait(&mut child, self.limit) else {
            // Killed below; what it said until then is all there is to find the cause by.
            drop(child.kill());
            drop(child.wait());
            panic!(
                "`{:?}` did not end within {:?}\n--- stdout\n{}\n--- stderr\n{}",
                self.command,
                self.limit,
                text(&stdout),
                text(&stderr),
            );
        };
        let took = started.elapsed();
        Run {
            stdout: text(&stdout),
            stderr: text(&stderr),
            code: code(status),
            took,
            root: self.env.root().display().to_string(),
        }
    }
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let mut status = None;
    deadline::happens(limit, || {
        status = child.try_wait().expect("the child is ours to wait for");
        status.is_some()
    });
    status
}

fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // An error ends the output like its end does.
        drop(pipe.read_to_end(&mut bytes));
        drop(sender.send(bytes));
    });
    receiver
}

fn text(pipe: &Receiver<Vec<u8>>) -> String {
    match pipe.recv_timeout(PIPE_LIMIT) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => "(a child process still holds this pipe)".to_owned(),
    }
}

/// The exit code as a shell sees it: 128 + signal for a program that a signal ended.
pub(crate) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .expect("a program that ended has a code or a signal")
}

/// What a run left: its output, its exit code, its duration.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Everything on stdout.
    pub(crate) stdout: String,
    /// Everything on stderr.
    pub(crate) stderr: String,
    /// Exit code; 128 + signal when a signal ended it.
    pub(crate) code: i32,
    /// Wall clock from start to end.
    pub(crate) took: Duration,
    root: String,
}

impl Run {
    /// Code, stdout and stderr as one text for an inline snapshot; ports, the temporary folder, the version and
    /// durations in `ms`, `µs` and `"latency_ms"`, and how long a look took, are replaced by names.
    pub(crate) fn snapshot(&self) -> String {
        static DURATION: LazyLock<Regex> = LazyLock::new(|| pattern(r" *\b\d+(\.\d+)? ?(ms|µs|us)\b"));
        static MEMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r#"("latency_ms": ?)\d+(\.\d+)?"#));
        let exact = self.snapshot_exact();
        static LOOK: LazyLock<Regex> = LazyLock::new(|| pattern(r"Z in \d+\.\d s\b"));
        let text = MEMBER.replace_all(&exact, "${1}0");
        let text = LOOK.replace_all(&text, "Z in [S]");
        DURATION.replace_all(&text, " [MS]").into_owned()
    }

    /// As [`Run::snapshot`], but durations stay: for output whose milliseconds are the thing tested.
    pub(crate) fn snapshot_exact(&self) -> String {
        let text =
            format!("code: {}\n--- stdout\n{}--- stderr\n{}", self.code, closed(&self.stdout), closed(&self.stderr));
        self.filter(&text)
    }

    /// `text` with the temporary folder, loopback ports and the version of the program replaced by names.
    pub(crate) fn filter(&self, text: &str) -> String {
        static PORT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}\b"));
        let text = text.replace(&self.root, "[TEMP]");
        let text = PORT.replace_all(&text, "$1:[PORT]");
        text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
    }

    /// stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        parse("stdout", &self.stdout, self)
    }

    /// stdout as JSON lines, one document each.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| parse("a line of stdout", line, self)).collect()
    }

    /// stderr as the one JSON object that `-o json` makes of an error: its last line that is an object.
    #[track_caller]
    pub(crate) fn json_error(&self) -> serde_json::Value {
        let object = self.stderr.find('{').map_or("", |start| &self.stderr[start..]);
        parse("stderr", object, self)
    }

    /// Fails unless the program ended with `code`; returns itself for the next question.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

#[track_caller]
fn parse(what: &str, text: &str, run: &Run) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| {
        panic!(
            "{what} is not JSON: {error}\ncode: {}\n--- stdout\n{}\n--- stderr\n{}",
            run.code, run.stdout, run.stderr
        )
    })
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant of this file")
}

fn closed(text: &str) -> String {
    match text {
        "" => String::new(),
        text if text.ends_with('\n') => text.to_owned(),
        text => format!("{text}(no newline at the end)\n"),
    }
}
