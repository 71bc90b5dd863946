//! Everything that can go wrong, grouped by who can fix it, with its exit code and the next thing to try.

mod hint;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The one table of exit codes: `--help`, the man page, the README and a test read it.
pub const EXIT_CODES: [(&str, &str); 7] = [
    ("0", "done; or asked, and the answer is good"),
    ("1", "asked, and the answer is bad: critical status, failed check, gate refused. Never an error"),
    ("2", "usage, configuration, not found, unsafe request"),
    ("3", "could not tell: unreachable, timeout, malformed, no evidence; and nothing known to be bad"),
    ("4", "refused: not confirmed, read-only, lost a race (conflict), lock held by somebody else"),
    ("5", "half done: some effects happened; what is left is printed with the command for it"),
    ("130/143", "interrupted"),
];

/// How a command that did its job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Good,
    /// 1
    Bad,
    /// 3
    Unknown,
    /// The classic monitoring-plugin codes of `--nagios`: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    Nagios(u8),
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::Unknown => 3,
            Self::Nagios(code) => code,
        }
    }
}

/// One thing wrong in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File (or `LIVEOPS_…`, or a flag) that holds it.
    pub source: String,
    /// Line, from 1; 0 when the source has none.
    pub line: usize,
    /// Dotted path of the key.
    pub key: String,
    /// What is wrong, and the nearest valid name where there is one.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": `{}`", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

fn list(problems: &[Problem]) -> String {
    let head = match problems.len() {
        1 => "the configuration has a problem".into(),
        n => format!("the configuration has {n} problems"),
    };
    let mut text = problems.iter().take(LISTED).fold(head, |mut text, problem| {
        let _ = write!(text, "\n  {problem}");
        text
    });
    if problems.len() > LISTED {
        let _ = write!(text, "\n  … and {} more", problems.len() - LISTED);
    }
    text
}

/// So many problems of a configuration stand in its error; all of them in its JSON.
const LISTED: usize = 30;

/// The characters of a server's text that an error repeats: its beginning and its end.
const BEGINNING: usize = 1400;
const END: usize = 600;

/// What somebody else wrote, at a length that a terminal and an incident can take.
pub fn capped(text: &str) -> Cow<'_, str> {
    // With the words between them: what was shortened once stays as it is.
    if text.len() <= BEGINNING + END + 64 {
        return Cow::Borrowed(text);
    }
    let begin = (0..=BEGINNING).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = (text.len() - END..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let left = text[begin..end].len();
    Cow::Owned(format!("{} … ({left} B left out) … {}", &text[..begin], &text[end..]))
}

/// What kept us from a system. What may be concluded from it differs, and is never read from the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Barrier {
    /// The machine itself says that nothing listens there.
    Refused,
    /// The connection was there, and broke: another try may do.
    Broke,
    /// The name, TLS, the network: something on the way.
    #[default]
    Way,
}

/// What went wrong. Exit 1 is never an error, and an error is never exit 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line, or an unsafe request.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// The configuration; every problem at once.
    #[error("{}", list(.problems))]
    Config { problems: Vec<Problem> },
    /// The configuration says nothing about what is needed.
    #[error("no {what} is configured for environment `{environment}`")]
    Unconfigured { what: &'static str, environment: String, hint: String },
    /// A name that does not exist.
    #[error("{what} `{name}` does not exist")]
    NotFound { what: &'static str, name: String, candidates: Vec<String> },
    /// No connection.
    #[error("{system} at {url} cannot be reached: {}", capped(.reason))]
    Unreachable { system: String, url: String, barrier: Barrier, reason: String },
    /// No answer in time.
    #[error("{system} at {url} did not answer within {}", seconds(.after))]
    Timeout { system: String, url: String, after: Duration },
    /// An answer that says no.
    #[error("{system} at {url} answered {status}{}", detail(.message))]
    Rejected { system: String, url: String, status: u16, message: String },
    /// An answer that says no in words of its own protocol rather than by a status.
    #[error("{system} at {url} {}", capped(.why))]
    Declined { system: String, url: String, code: String, why: String, hint: String },
    /// An answer that makes no sense.
    #[error("{system} at {url} answered something unexpected: {}", capped(.what))]
    Malformed { system: String, url: String, what: String },
    /// A secret that may not be used, or cannot be had.
    #[error("{what}: {reason}")]
    Secret { what: String, reason: String, hint: String },
    /// An outside program.
    #[error("`{program}` failed: {reason}")]
    Tool { program: String, reason: String, hint: String },
    /// The file system.
    #[error("cannot {action} {}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file of ours that is not as we wrote it.
    #[error("{} is damaged: {what}", .path.display())]
    Damaged { path: PathBuf, what: String, hint: String },
    /// Somebody else holds the lock.
    #[error("{} is locked by another liveops", .path.display())]
    Locked { path: PathBuf },
    /// The world changed between reading and writing.
    #[error("{what}")]
    Conflict { what: String, hint: String },
    /// Not allowed, or not confirmed.
    #[error("{why}")]
    Refused { why: String, hint: String },
    /// Some effects happened.
    #[error("half done: {done}; left: {left}")]
    HalfDone { done: String, left: String, command: String },
    /// The same, in one of several places that were asked.
    #[error("{place}: {error}")]
    At { place: String, error: Box<Error> },
    /// Ctrl-C (130) or SIGTERM (143).
    #[error("interrupted")]
    Interrupted { code: u8 },
    /// A bug of ours.
    #[error("internal: {0}")]
    Internal(String),
}

fn seconds(after: &Duration) -> String {
    format!("{:.1} s", after.as_secs_f64())
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {}", capped(message)) }
}

/// How the reason of an endpoint begins that was not asked, for want of a secret.
pub const NOT_ASKED: &str = "not asked";

impl Error {
    /// A usage error with a hint.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// The same, with the place where it went wrong.
    pub fn at(self, place: impl Into<String>) -> Self {
        Self::At { place: place.into(), error: Box::new(self) }
    }

    /// Something that cannot happen did.
    pub fn internal(what: &str) -> Self {
        Self::Internal(what.to_owned())
    }

    /// The process's exit code (contracts: Exit codes).
    pub fn exit_code(&self) -> u8 {
        match self {
            // A file that was named and is not there is not found, as a flag or a service.
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => 2,
            Self::Usage { .. } | Self::Config { .. } | Self::Unconfigured { .. } | Self::NotFound { .. } => 2,
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Rejected { .. }
            | Self::Declined { .. }
            | Self::Malformed { .. }
            | Self::Secret { .. }
            | Self::Tool { .. }
            | Self::Io { .. }
            | Self::Damaged { .. }
            | Self::Internal(_) => 3,
            Self::Locked { .. } | Self::Conflict { .. } | Self::Refused { .. } => 4,
            Self::HalfDone { .. } => 5,
            Self::At { error, .. } => error.exit_code(),
            Self::Interrupted { code } => *code,
        }
    }

    /// What went wrong without where: for a line that names the system already.
    pub fn reason(&self) -> String {
        match self {
            Self::Unreachable { reason, .. } => reason.clone(),
            Self::Timeout { after, .. } => format!("no answer within {}", seconds(after)),
            Self::Rejected { status: 404, message, .. } => {
                format!("answered 404{}; is the path right?", detail(message))
            }
            Self::Rejected { status, message, .. } => format!("answered {status}{}", detail(message)),
            Self::Secret { what, reason, .. } => {
                format!("{NOT_ASKED}: {reason} ({})", what.trim_start_matches("secret at "))
            }
            Self::Declined { why, .. } => why.clone(),
            Self::Malformed { what, .. } => format!("answered {what}"),
            Self::At { place, error } => format!("{place}: {}", error.reason()),
            other => other.to_string(),
        }
    }

    /// Is this the system not answering, rather than answering that something is wrong with the question?
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Rejected { status, .. } => !matches!(status, 400 | 404 | 405 | 422),
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Declined { .. }
            | Self::Malformed { .. }
            | Self::Secret { .. } => true,
            Self::At { error, .. } => error.is_outage(),
            _ => false,
        }
    }

    /// The variant's name, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Config { .. } => "config",
            Self::Unconfigured { .. } => "unconfigured",
            Self::NotFound { .. } => "not_found",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Rejected { .. } => "rejected",
            Self::Declined { .. } => "declined",
            Self::Malformed { .. } => "malformed",
            Self::Secret { .. } => "secret",
            Self::Tool { .. } => "tool",
            Self::Io { .. } => "io",
            Self::Damaged { .. } => "damaged",
            Self::Locked { .. } => "locked",
            Self::Conflict { .. } => "conflict",
            Self::Refused { .. } => "refused",
            Self::HalfDone { .. } => "half_done",
            Self::At { error, .. } => error.kind(),
            Self::Interrupted { .. } => "interrupted",
            Self::Internal(_) => "internal",
        }
    }

    /// The next thing to try, with the command to type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Config { .. } => Some("fix the lines above, then run `liveops config validate`".into()),
            Self::NotFound { what, name, candidates } => Some(hint::not_found(what, name, candidates)),
            Self::Unreachable { system, url, .. } => Some(format!(
                "is {system} running, and the port-forward or VPN up? try `{}`, then `liveops doctor`",
                hint::probe(url, "-v")
            )),
            Self::Timeout { system, url, .. } => Some(format!(
                "{system} is slow or hangs; try `{}`, or give it longer with `--timeout 60s`",
                hint::probe(url, "-m 10 -v")
            )),
            Self::Rejected { system, status, .. } => Some(hint::rejected(system, *status)),
            Self::Malformed { system, .. } => Some(format!(
                "check that the URL is {system}'s own and not a login page or a proxy; `liveops config show --origin` says where it was set, `-v` shows each request"
            )),
            Self::Unconfigured { hint, .. }
            | Self::Declined { hint, .. }
            | Self::Secret { hint, .. }
            | Self::Tool { hint, .. }
            | Self::Damaged { hint, .. }
            | Self::Conflict { hint, .. }
            | Self::Refused { hint, .. } => Some(hint.clone()),
            Self::Io { path, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some(format!("check the path: {} does not exist", path.display()))
            }
            Self::Io { path, .. } => Some(format!("check that {} exists, is yours, and has space", path.display())),
            Self::Locked { .. } => Some("another liveops is writing; try again in a moment".into()),
            Self::HalfDone { command, .. } => Some(format!("run `{command}`")),
            Self::At { error, .. } => error.hint(),
            Self::Interrupted { .. } => None,
            Self::Internal(_) => {
                Some("this is a bug in liveops; run again with `-vv` and report what it prints".into())
            }
        }
    }

    /// One JSON object for `-o json`: error, kind, exit code, causes, hint.
    pub fn to_json(&self) -> serde_json::Value {
        let mut causes = Vec::new();
        let mut cause = std::error::Error::source(self);
        while let Some(current) = cause {
            causes.push(current.to_string());
            cause = current.source();
        }
        let mut object = json!({
            "error": self.to_string(),
            "kind": self.kind(),
            "exit_code": self.exit_code(),
            "caused_by": causes,
            "hint": self.hint(),
        });
        if let Self::Config { problems } = self {
            let problem = |problem: &Problem| json!({ "source": problem.source, "line": problem.line, "key": problem.key, "message": problem.message });
            object["problems"] = problems.iter().map(problem).collect();
        }
        object
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("a report could not be written as JSON: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_text_is_cut_and_keeps_its_end() {
        let message = format!("{}é… the cause", "é".repeat(8_000_000));
        for error in [
            Error::Rejected { system: "x".into(), url: "u".into(), status: 500, message: message.clone() },
            Error::Malformed { system: "x".into(), url: "u".into(), what: message },
        ] {
            let said = error.to_string();
            assert!(said.len() < 2200 && said.ends_with("the cause"), "{}", said.len());
        }
        let problem = Problem { source: "f".into(), line: 1, key: "k".into(), message: "m".into() };
        assert!(Error::Config { problems: vec![problem; 90_000] }.to_string().lines().count() < 40);
    }

    #[test]
    fn every_error_code_stands_in_the_table() {
        let listed: Vec<&str> = EXIT_CODES.iter().map(|(code, _)| *code).collect();
        for error in [
            Error::usage("x", "y"),
            Error::Refused { why: "x".into(), hint: "y".into() },
            Error::HalfDone { done: "x".into(), left: "y".into(), command: "z".into() },
            Error::internal("x"),
        ] {
            let code = error.exit_code().to_string();
            assert!(listed.contains(&code.as_str()), "{code}");
            assert_ne!(code, "1", "an error is never exit 1");
        }
    }
}
