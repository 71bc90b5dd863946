//! A finding, and the system that it is about.

use serde::Serialize;

use liveops_domain::error::Error;
use liveops_domain::text::redact::redact_url;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Looked at, and fine.
    Ok,
    /// Works, and will hurt.
    Warn,
    /// Could not be told.
    Unknown,
    /// Broken.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was looked at: `reachable`, `clock`, `targets` …
    pub check: &'static str,
    pub system: String,
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// What to type, to see more or to fix it.
    pub command: Option<String>,
}

impl Finding {
    fn new(check: &'static str, level: Level, message: impl Into<String>) -> Self {
        Self { check, system: String::new(), level, message: message.into(), fix: None, command: None }
    }

    /// All is well.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, message)
    }

    /// Worth a look by day.
    pub fn warn(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Warn, message)
    }

    /// Broken.
    pub fn fail(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Fail, message)
    }

    /// Could not be told, and why.
    pub fn unknown(check: &'static str, error: &Error) -> Self {
        Self::new(check, Level::Unknown, said(error))
            .fix(error.hint().unwrap_or_else(|| "run `liveops doctor -v` to see each request".into()))
    }

    /// Could not be told, in these words.
    pub fn gap(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Unknown, message)
    }

    /// With what to do about it.
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = Some(text.into());
        self
    }

    /// With what to type.
    pub fn command(mut self, text: impl Into<String>) -> Self {
        self.command = Some(text.into());
        self
    }
}

/// An outside system, or liveops itself, and what was found about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct System {
    pub name: String,
    pub url: Option<String>,
    pub version: Option<String>,
    /// Time to its first answer.
    pub latency_ms: Option<u64>,
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl System {
    /// Nothing is known of it yet.
    pub fn new(name: impl Into<String>, url: Option<String>) -> Self {
        Self {
            name: name.into(),
            url: url.map(|url| redact_url(&url)),
            version: None,
            latency_ms: None,
            findings: Vec::new(),
        }
    }

    pub fn add(&mut self, finding: Finding) {
        self.findings.push(Finding { system: self.name.clone(), ..finding });
    }

    /// Adds several.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.add(finding);
        }
    }

    /// The worst that was found.
    pub fn level(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }
}

/// The system does not answer as it should: which of reachable, credentials and content is it?
pub fn no_answer(error: &Error) -> Finding {
    let message = said(error);
    match error {
        Error::Unreachable { url, .. } => Finding::fail("reachable", message)
            .fix(format!("is it running, and are port-forward and VPN up? `curl -v {url}` says more")),
        Error::Timeout { url, .. } => Finding::fail("reachable", message)
            .fix(format!("is it overloaded, or a firewall dropping packets? `curl -m 10 -v {url}` says more")),
        Error::Rejected { status: 401 | 403, .. } => Finding::fail("credentials", message)
            .fix("set `headers` by reference, such as `Authorization: \"Bearer ${TOKEN}\"`, and check that the token is still valid")
            .command("liveops config show --origin"),
        Error::Secret { hint, .. } => {
            // The hint about trust names the command, with the file that it is about.
            let trust = hint
                .split('`')
                .find(|part| part.starts_with("liveops") && part.ends_with("config trust"));
            let see = trust.unwrap_or("liveops config show --origin");
            Finding::fail("credentials", message)
                .fix(hint.clone())
                .command(see)
        }
        Error::Rejected { .. } | Error::Malformed { .. } => {
            let finding = Finding::fail("answer", message).command("liveops config show --origin");
            match error.hint() {
                Some(hint) => finding.fix(hint),
                None => finding,
            }
        }
        _ => {
            let finding = Finding::fail("reachable", message);
            match error.hint() {
                Some(hint) => finding.fix(hint),
                None => finding,
            }
        }
    }
}

/// The error without system and URL, which stand above it.
pub fn said(error: &Error) -> String {
    match error {
        Error::Unreachable { reason, .. } => format!("cannot be reached: {reason}"),
        Error::Timeout { after, .. } => format!("no answer within {:.1} s", after.as_secs_f64()),
        Error::Rejected { status: status @ (401 | 403), .. } => {
            format!("does not accept the credentials (status {status})")
        }
        Error::Rejected { status, message, .. } if message.is_empty() => format!("answers {status}"),
        Error::Rejected { status, message, .. } => format!("answers {status}: {message}"),
        Error::Malformed { what, .. } => format!("answers something unexpected: {what}"),
        Error::Tool { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// `one, two, three and 4 more`.
pub fn first<T: AsRef<str>>(names: &[T], at_most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(at_most).map(AsRef::as_ref).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(at_most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
