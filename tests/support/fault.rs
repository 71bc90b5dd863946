//! Every way in which an HTTP backend fails, served on loopback. A test walks [`Fault::ALL`].

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

use super::answers::{self, Content, Members};
use super::http::Request;
use super::stub::Answer;
use super::tls::TlsServer;
use super::wire::{Wire, WireServer};

pub(crate) use super::answers::Backend;

/// Size of the body that no client should take in.
const HUGE: usize = 100 * 1000 * 1000;
/// How far [`Fault::ClockAhead`] and [`Fault::ClockBehind`] are off.
pub(crate) const SKEW: TimeDelta = TimeDelta::minutes(10);
/// How old the samples of [`Fault::StaleSamples`] are.
pub(crate) const AGE: TimeDelta = TimeDelta::hours(1);

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// Nobody listens.
    Refused,
    /// The name does not exist (`.invalid`, RFC 2606).
    DnsFailure,
    /// Accepts, reads, and says nothing.
    NeverAnswers,
    /// One byte a second from the status line on.
    OneByteASecond,
    /// The head at once, then the body one byte a second: each read succeeds, the whole never ends.
    BodyOneByteASecond,
    /// Announces the whole body, sends half, hangs up.
    ClosesMidway,
    /// This status with a short text.
    Status(u16),
    /// 200 with a login page, as a proxy in between gives it.
    HtmlInstead,
    /// 200 with the first half of the document, length and all correct.
    Truncated,
    /// Well-formed, but members have other types than documented.
    WrongTypes,
    /// 100 MB with `Content-Length`.
    HugeBody,
    /// 100 MB in chunks, so that only counting finds out.
    HugeBodyUnannounced,
    /// Redirects to itself.
    RedirectLoop,
    /// An `https` URL at which plain HTTP is spoken.
    TlsToPlain,
    /// An `https` URL with a certificate that nobody vouches for.
    SelfSigned,
    /// A good answer with nothing in it.
    EmptyResult,
    /// The value is not a number.
    NotANumber,
    /// The value is infinite.
    Infinite,
    /// The value is an hour old.
    StaleSamples,
    /// Two series where one is expected (in an exposition: the same series twice).
    TwoSeries,
    /// The backend's clock is ten minutes ahead.
    ClockAhead,
    /// The backend's clock is ten minutes behind.
    ClockBehind,
}

impl Fault {
    /// Every fault, in the order of the fault matrix.
    pub(crate) const ALL: &[Self] = &[
        Self::Refused,
        Self::DnsFailure,
        Self::NeverAnswers,
        Self::OneByteASecond,
        Self::BodyOneByteASecond,
        Self::ClosesMidway,
        Self::Status(401),
        Self::Status(403),
        Self::Status(404),
        Self::Status(429),
        Self::Status(500),
        Self::Status(503),
        Self::HtmlInstead,
        Self::Truncated,
        Self::WrongTypes,
        Self::HugeBody,
        Self::HugeBodyUnannounced,
        Self::RedirectLoop,
        Self::TlsToPlain,
        Self::SelfSigned,
        Self::EmptyResult,
        Self::NotANumber,
        Self::Infinite,
        Self::StaleSamples,
        Self::TwoSeries,
        Self::ClockAhead,
        Self::ClockBehind,
    ];

    /// Whether the fault leaves no usable answer at all, so that liveops could not tell (exit code 3).
    /// The others are answers whose content needs care.
    pub(crate) fn is_outage(self) -> bool {
        !matches!(
            self,
            Self::EmptyResult
                | Self::NotANumber
                | Self::Infinite
                | Self::StaleSamples
                | Self::TwoSeries
                | Self::ClockAhead
                | Self::ClockBehind
        )
    }

    /// Whether this backend can fail so; the others have no numbers or series to get wrong.
    pub(crate) fn applies_to(self, kind: Backend) -> bool {
        match self {
            Self::NotANumber | Self::Infinite | Self::TwoSeries => {
                matches!(kind, Backend::Prometheus | Backend::Metrics)
            }
            _ => true,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(formatter, "status {status}"),
            other => write!(formatter, "{other:?}"),
        }
    }
}

/// A backend that fails; stops on drop.
pub(crate) struct FaultServer {
    /// Base URL of the backend, without a slash at the end.
    pub(crate) url: String,
    /// `HOST:PORT` of [`FaultServer::url`], which an error message must name.
    pub(crate) endpoint: String,
    /// What is wrong with it.
    pub(crate) fault: Fault,
    /// What it claims to be.
    pub(crate) kind: Backend,
    /// Holds the server alive.
    server: Option<Keeper>,
}

enum Keeper {
    Plain(WireServer),
    Tls(TlsServer),
}

/// Starts a backend of this kind that fails in this way.
#[track_caller]
pub(crate) fn serve(fault: Fault, kind: Backend) -> FaultServer {
    let (url, server) = match fault {
        // Port 1 (tcpmux) is not handed out to anybody: nothing can come to listen there while the test runs.
        Fault::Refused => ("http://127.0.0.1:1".to_owned(), None),
        Fault::DnsFailure => ("http://backend.liveops-test.invalid:9090".to_owned(), None),
        Fault::SelfSigned => {
            let server = TlsServer::start(move |request| healthy(kind, request));
            (server.url(), Some(Keeper::Tls(server)))
        }
        _ => {
            let server = WireServer::start(move |wire| answer(fault, kind, wire));
            let scheme = if fault == Fault::TlsToPlain { "https" } else { "http" };
            (format!("{scheme}://127.0.0.1:{}", server.port()), Some(Keeper::Plain(server)))
        }
    };
    let endpoint = url.rsplit("//").next().unwrap_or_default().to_owned();
    FaultServer { url, endpoint, fault, kind, server }
}

/// What a backend of this kind answers when nothing is wrong with it.
pub(crate) fn healthy(kind: Backend, request: &Request) -> Answer {
    let content = Content::good(now());
    answers::answer(kind, request, &content)
}

fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

fn answer(fault: Fault, kind: Backend, wire: &mut Wire) -> io::Result<()> {
    if fault == Fault::TlsToPlain {
        // What is spoken to it is no HTTP; a plain server says so and hangs up.
        return wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    while let Some(request) = Request::read(&mut wire.reader)? {
        let good = healthy(kind, &request);
        match fault {
            Fault::NeverAnswers => wire.hold()?,
            Fault::OneByteASecond => drip(wire, &good.bytes())?,
            Fault::BodyOneByteASecond => {
                wire.send(&good.head())?;
                drip(wire, &good.body)?;
            }
            Fault::ClosesMidway => {
                let bytes = good.bytes();
                return wire.send(&bytes[..bytes.len() - good.body.len() / 2 - 1]);
            }
            Fault::HugeBody | Fault::HugeBodyUnannounced => {
                return flood(wire, kind, fault == Fault::HugeBody);
            }
            _ => wire.send(&defective(fault, kind, &request, good).bytes())?,
        }
    }
    Ok(())
}

/// The faults that are one whole answer, only not the right one.
fn defective(fault: Fault, kind: Backend, request: &Request, good: Answer) -> Answer {
    let content = Content::good(now());
    let content = match fault {
        Fault::Status(status) => {
            let answer = Answer::new(status, "text/plain", format!("stubbed {status}\n"));
            return match status {
                401 => answer.header("WWW-Authenticate", "Bearer"),
                429 => answer.header("Retry-After", "1"),
                _ => answer,
            };
        }
        Fault::HtmlInstead => {
            let page =
                "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body><form>…</form></body></html>\n";
            return Answer::new(200, "text/html; charset=utf-8", page);
        }
        Fault::Truncated => {
            let mut answer = good;
            answer.body.truncate(answer.body.len() / 2);
            return answer;
        }
        Fault::RedirectLoop => {
            return Answer::new(302, "text/plain", "").header("Location", &request.path);
        }
        Fault::WrongTypes => content.members(Members::Wrong),
        Fault::EmptyResult => content.members(Members::None),
        Fault::NotANumber => content.values(&["NaN"]),
        Fault::Infinite => content.values(&["+Inf"]),
        Fault::TwoSeries => content.values(&["17", "23"]),
        Fault::StaleSamples => content.aged(AGE),
        Fault::ClockAhead => content.skewed(SKEW),
        Fault::ClockBehind => content.skewed(-SKEW),
        _ => content,
    };
    answers::answer(kind, request, &content)
}

fn drip(wire: &mut Wire, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        wire.send(&[*byte])?;
        wire.pause(Duration::from_secs(1))?;
    }
    Ok(())
}

/// Sends [`HUGE`] bytes from one small buffer; the client is free to hang up at any time.
fn flood(wire: &mut Wire, kind: Backend, announced: bool) -> io::Result<()> {
    let (head, filler): (&[u8], &[u8]) = match kind {
        Backend::Metrics => (b"# HELP filler none\n", b"# filler\n"),
        _ => (b"{\"status\":\"success\",\"data\":\"", b"filler-"),
    };
    let block = filler.repeat(64 * 1024 / filler.len());
    let framing = if announced { format!("Content-Length: {HUGE}") } else { "Transfer-Encoding: chunked".to_owned() };
    let kind = kind.content_type();
    wire.send(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n").as_bytes())?;
    let mut sent = 0;
    let mut next = head;
    while sent < HUGE {
        let part = &next[..next.len().min(HUGE - sent)];
        if announced {
            wire.send(part)?;
        } else {
            wire.send(format!("{:x}\r\n", part.len()).as_bytes())?;
            wire.send(part)?;
            wire.send(b"\r\n")?;
        }
        sent += part.len();
        next = &block;
    }
    if !announced {
        wire.send(b"0\r\n\r\n")?;
    }
    Ok(())
}
