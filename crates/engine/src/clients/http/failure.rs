//! Why a request got no answer, in words that say what to look at.

use std::io::ErrorKind as Kind;

use crate::clients::http::target::Target;
use liveops_domain::error::{Barrier, Error};

const BROKE: &str = "the connection broke off";

/// The error that a person understands, whatever the client library calls it.
pub fn failure(target: &Target, url: &str, error: &reqwest::Error) -> Error {
    let mut texts = Vec::new();
    let mut source = std::error::Error::source(error);
    let mut kind = None;
    while let Some(current) = source {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            kind = Some(io.kind());
        }
        texts.push(current.to_string());
        source = current.source();
    }
    let all = texts.join(": ");
    let host = target.base.host_str().unwrap_or_default();
    let reason: String = match kind {
        Some(Kind::ConnectionRefused) => "connection refused; nothing listens there".to_owned(),
        _ if all.contains("dns error") || all.contains("failed to lookup") => {
            format!("the name `{host}` cannot be resolved")
        }
        _ if all.contains("certificate")
            || all.contains("tls")
            || all.contains("Corrupt")
            || all.contains("corrupt message") =>
        {
            let why = texts.last().cloned().unwrap_or_default();
            if all.contains("corrupt message") {
                "TLS failed: what answers there does not speak it; is it `http:` instead of `https:`?".to_owned()
            } else {
                format!("TLS failed: {why}")
            }
        }
        Some(Kind::ConnectionReset | Kind::BrokenPipe | Kind::UnexpectedEof | Kind::ConnectionAborted) => BROKE.into(),
        _ if error.is_body()
            || error.is_decode()
            || all.contains("connection closed")
            || all.contains("end of file")
            || all.contains("incomplete") =>
        {
            BROKE.into()
        }
        Some(kind) => kind.to_string(),
        None => texts.last().cloned().unwrap_or_else(|| "the request failed".into()),
    };
    let barrier = match kind {
        Some(Kind::ConnectionRefused) => Barrier::Refused,
        _ if reason == BROKE => Barrier::Broke,
        _ => Barrier::Way,
    };
    Error::Unreachable { system: target.system.clone(), url: url.to_owned(), barrier, reason }
}

/// A client cannot be set up: for TLS, a machine without certificate authorities is the cause.
pub fn no_client(target: &Target, url: &str, is_tls: bool, error: &reqwest::Error) -> Error {
    if !is_tls {
        return Error::internal(&format!("no HTTP client: {error}"));
    }
    let reason = "TLS cannot verify anybody: this machine has no certificate authorities; install the package \
                  `ca-certificates`, or name a file of them in SSL_CERT_FILE";
    let (system, url) = (target.system.clone(), url.to_owned());
    Error::Unreachable { system, url, barrier: Barrier::Way, reason: reason.into() }
}
