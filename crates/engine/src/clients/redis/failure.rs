//! What goes wrong with Redis, in words that say what to look at; and whether the request may have been carried out.

use std::io;

use redis::{ErrorKind, RedisError};

use crate::clients::redis::{SYSTEM, io_error};
use liveops_domain::error::{Barrier, Error};
use liveops_domain::text::redis_url::Node;

const BROKE: &str = "the connection broke off";

/// Codes that a script's error may carry within its text.
const INNER: [&str; 8] = ["NOPERM", "READONLY", "OOM", "WRONGTYPE", "MISCONF", "NOREPLICAS", "MASTERDOWN", "NOSCRIPT"];
/// So begins in Redis 8 what a user may not do in a script.
const IN_SCRIPT: &str = "ACL failure in script: ";

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The server has not seen the request.
    NotSent(Error),
    /// It was sent, and nothing is known of what became of it.
    NoReply(Error),
    /// The server says why it did not do it.
    Said(Said),
}

/// An error reply.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its first word, such as `NOPERM`.
    pub code: String,
    /// The rest.
    pub text: String,
    url: String,
}

impl Failure {
    /// What became of a request that was sent to this address.
    pub fn of(error: &RedisError, url: &str) -> Self {
        let code = match error.kind() {
            ErrorKind::AuthenticationFailed => Some("WRONGPASS"),
            ErrorKind::Server(_) | ErrorKind::Extension => error.code(),
            _ => None,
        };
        if let Some(code) = code {
            // What a transaction was aborted for stands in no detail.
            let text = match error.detail() {
                None if code == "EXECABORT" => error.to_string(),
                text => text.unwrap_or_default().to_owned(),
            };
            return Self::Said(Said::new(code, &text, url));
        }
        let broke = io_error(error);
        let error = match broke {
            Some(io) if io.kind() == io::ErrorKind::FileTooLarge => malformed(url, &io.to_string()),
            Some(io) => Error::Unreachable {
                system: SYSTEM.into(),
                url: url.to_owned(),
                barrier: Barrier::Broke,
                reason: tls_reason(&io.to_string()).unwrap_or_else(|| BROKE.into()),
            },
            // Half of an answer is to its parser only an answer that ends too early.
            None if error.is_io_error() || error.to_string().contains("nexpected end") => Error::Unreachable {
                system: SYSTEM.into(),
                url: url.to_owned(),
                barrier: Barrier::Broke,
                reason: BROKE.into(),
            },
            None => malformed(
                url,
                "something that is not the protocol of Redis; is it another port, or one that speaks TLS (`rediss:`)?",
            ),
        };
        Self::NoReply(error)
    }

    /// As an error of ours; `needs` is the ACL rule that would allow it.
    pub fn error(self, needs: &str) -> Error {
        match self {
            Self::NotSent(error) | Self::NoReply(error) => error,
            Self::Said(said) => said.error(needs),
        }
    }

    /// Did the server answer with this code?
    pub fn is(&self, code: &str) -> bool {
        matches!(self, Self::Said(said) if said.code == code)
    }
}

fn malformed(url: &str, what: &str) -> Error {
    Error::Malformed { system: SYSTEM.into(), url: url.to_owned(), what: what.to_owned() }
}

impl Said {
    /// Of a reply; the error of a script is that of its command.
    pub fn new(code: &str, text: &str, url: &str) -> Self {
        let inner = INNER.iter().find(|inner| {
            let at = text.find(*inner);
            at.is_some_and(|at| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
        });
        let code = match (code, inner) {
            ("ERR" | "EXECABORT", Some(inner)) => inner,
            // How Redis 7 and 8 say it of a command in a script.
            ("ERR", None) if text.contains("user executing the script can't") => "NOPERM",
            ("ERR", None) if text.starts_with(IN_SCRIPT) => "NOPERM",
            _ => code,
        };
        let text = text.trim_start_matches(IN_SCRIPT);
        // A script's error ends with where in the script it was.
        let text = text.split(" script: ").next().unwrap_or(text);
        Self { code: code.to_owned(), text: text.trim_end_matches(['.', ',']).to_owned(), url: url.to_owned() }
    }

    /// In words, with what to do about it.
    pub fn error(&self, needs: &str) -> Error {
        let text = &self.text;
        let (why, hint) = match self.code.as_str() {
            "NOAUTH" => (
                "asks for a password".into(),
                "set `password: \"${REDIS_PASSWORD}\"` beside `flags.url`, and `username` where it has ACL users"
                    .into(),
            ),
            "WRONGPASS" => (
                "does not accept user and password, or the user is disabled".into(),
                "check `flags.username` and `flags.password`; `liveops config show --origin` says where they were set"
                    .into(),
            ),
            "SENTINELPASS" => (
                "is a Sentinel and does not accept user and password".into(),
                "set `sentinel_password` beside `flags.url`, and `sentinel_username` where the Sentinels have ACL users".into(),
            ),
            "MOVED" => (
                format!("belongs to a Cluster and sends us to {text}, which is not configured; the login was not sent there"),
                "write `redis+cluster://HOST:PORT` as `flags.url` to follow the nodes of a Cluster".into(),
            ),
            "TRYAGAIN" => (
                "is moving the slot of the flags to another server: a part of it is on its way, and nothing was changed".into(),
                "wait until it is over, then run it again; `redis-cli --cluster check HOST:PORT` says how far it is. `flag kill` works meanwhile".into(),
            ),
            "NOPERM" => (
                format!("does not allow it: {text}"),
                format!("ask for this rule of the ACL user, which allows all that liveops does: `{needs}`"),
            ),
            "WRONGTYPE" => (
                "has a key of another type where the flags or their history should be".into(),
                "check `flags.key`; `redis-cli TYPE KEY` says what is there".into(),
            ),
            "READONLY" => {
                return Error::Refused {
                    why: format!("redis at {} is a read-only replica: nothing was changed", self.url),
                    hint: "set `flags.url` to the primary, which `redis-cli INFO replication` names, or to `redis+sentinel://…`, which finds it".into(),
                };
            }
            "OOM" => (
                "is out of memory and takes no writes: nothing was changed".into(),
                "free memory or raise `maxmemory`; `redis-cli INFO memory` says how much is used. Reading works".into(),
            ),
            "LOADING" => (
                "is still loading its data from disk".into(),
                "wait until it has; `redis-cli INFO persistence` says how far it is".into(),
            ),
            "MISCONF" => (
                "takes no writes, since it cannot save to disk: nothing was changed".into(),
                "look at its disk and its log; `redis-cli INFO persistence` says when the last save failed".into(),
            ),
            "CLUSTERDOWN" => (
                format!("says that the cluster is down: {text}"),
                "a part of the keys has no server; `redis-cli --cluster check HOST:PORT` says which".into(),
            ),
            "MASTERDOWN" => (
                "is a replica without its primary, and serves no old data".into(),
                "look at the primary; `redis-cli INFO replication` names it".into(),
            ),
            "NOREPLICAS" => (
                "has not enough replicas to take writes: nothing was changed".into(),
                "look at its replicas; `redis-cli INFO replication` lists them".into(),
            ),
            "BUSY" => ("is busy with somebody's script".into(), "wait, or end it with `redis-cli SCRIPT KILL`".into()),
            code => (
                format!("answered {code}{}{text}", if text.is_empty() { "" } else { ": " }),
                "run again with `-v` to see the request; `liveops doctor` checks version and permissions".into(),
            ),
        };
        Error::Declined { system: SYSTEM.into(), url: self.url.clone(), code: self.code.clone(), why, hint }
    }
}

/// No connection, and why.
pub fn unreachable(url: &str, node: &Node, error: &io::Error) -> Error {
    let text = error.to_string();
    let (barrier, reason) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (Barrier::Refused, "connection refused; nothing listens there".into()),
        _ if text.contains("lookup") => (Barrier::Way, format!("the name `{}` cannot be resolved", node.host)),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionAborted => (Barrier::Broke, BROKE.into()),
        _ => (Barrier::Way, tls_reason(&text).unwrap_or(text)),
    };
    Error::Unreachable { system: SYSTEM.into(), url: url.to_owned(), barrier, reason }
}

fn tls_reason(text: &str) -> Option<String> {
    if text.contains("corrupt message") || text.contains("InvalidContentType") {
        Some("TLS failed: what answers there does not speak it; is it `redis:` instead of `rediss:`?".into())
    } else if text.contains("CertificateRequired") || text.contains("HandshakeFailure") {
        Some(
            "TLS failed: it asks for a client certificate; set `cert: FILE` and `key_file: FILE` beside `flags.url`"
                .into(),
        )
    } else if text.contains("UnknownCA") || text.contains("BadCertificate") {
        Some("TLS failed: it does not accept our certificate; check `cert` and `key_file` beside `flags.url`".into())
    } else if text.contains("UnknownIssuer") {
        Some("TLS failed: nobody vouches for its certificate; set `ca: FILE` beside `flags.url`".into())
    } else if text.contains("certificate") || text.contains("tls") || text.contains("TLS") {
        Some(format!("TLS failed: {text}"))
    } else {
        None
    }
}
