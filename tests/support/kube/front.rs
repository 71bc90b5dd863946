//! The door of the API server for the tests: a log of every request, and faults between `kubectl` and whatever answers
//! behind it (the stand-in, or a real API server through `kubectl proxy`).

use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::review;
use super::serve::{self, Place};
use super::store::Store;
use crate::support::http::Request;
use crate::support::stub::Answer;
use crate::support::wire::{Wire, WireServer};

/// A request and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) manager: String,
    pub(crate) body: String,
    /// 0 as long as there is no answer.
    pub(crate) status: u16,
}

impl Logged {
    /// Did it ask for a change?
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET" && !self.path.ends_with("selfsubjectaccessreviews")
    }

    /// Verb, plural and subresource of a change by liveops, as RBAC names them.
    pub(crate) fn deed(&self) -> Option<(String, String, String)> {
        let ours = self.manager == "liveops" || self.method == "DELETE";
        let place = Place::of(&self.path)?;
        let part = place.subresource;
        (self.is_write() && (ours || part == "proxy")).then(|| {
            let words = [place.verb(&self.method), place.kind.resource, part];
            words.map(str::to_owned).into()
        })
    }

    /// What was asked about in a review of access.
    pub(crate) fn review(&self) -> Option<(String, String, String)> {
        let review: Value = serde_json::from_str(&self.body).ok()?;
        let asked = review.pointer("/spec/resourceAttributes")?;
        let words = ["verb", "resource", "subresource"].map(|name| asked[name].as_str());
        Some(words.map(|word| word.unwrap_or_default().to_owned()).into())
    }

    /// A change that was made.
    pub(crate) fn is_accepted_write(&self) -> bool {
        self.is_write() && (200..300).contains(&self.status)
    }
}

/// What happens to a request instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 403, and `auth can-i` says no.
    Forbidden,
    /// 503.
    Unavailable,
    /// Never answered.
    Hangs,
    /// 409, this many times: others are faster.
    Conflicts(u32),
}

#[derive(Debug, Clone)]
struct Rule {
    verb: &'static str,
    resource: &'static str,
    trouble: Trouble,
}

#[derive(Debug, Default)]
pub(crate) struct Desk {
    log: Mutex<Vec<Logged>>,
    rules: Mutex<Vec<Rule>>,
    /// What was asked of Services through the API server's proxy.
    proxied: Mutex<Vec<String>>,
}

/// Who answers behind the door.
#[derive(Debug, Clone)]
pub(crate) enum Behind {
    StandIn(Arc<Store>),
    /// The port of `kubectl proxy`.
    Proxy(u16),
}

impl Desk {
    /// Everything that was asked.
    pub(crate) fn log(&self) -> Vec<Logged> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on, this verb (`*` for any) on this resource (`*` for any) is in trouble.
    pub(crate) fn trouble(&self, verb: &'static str, resource: &'static str, trouble: Trouble) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.push(Rule { verb, resource, trouble });
    }

    /// No trouble any more.
    pub(crate) fn calm(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Paths that were asked of Services through the proxy, oldest first.
    pub(crate) fn proxied(&self) -> Vec<String> {
        self.proxied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, verb: &str, resource: &str) -> Option<Trouble> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|rule| rule.trouble != Trouble::Conflicts(0));
        let fits = |rule: &&mut Rule| {
            (rule.verb == "*" || rule.verb == verb) && (rule.resource == "*" || rule.resource == resource)
        };
        let rule = rules.iter_mut().find(fits)?;
        if let Trouble::Conflicts(left) = &mut rule.trouble {
            *left -= 1;
            return Some(Trouble::Conflicts(*left));
        }
        Some(rule.trouble)
    }

    fn begin(&self, request: &Request) -> usize {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(Logged {
            at: Instant::now(),
            method: request.method.clone(),
            path: request.path.clone(),
            manager: request.param("fieldManager").unwrap_or_default(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            status: 0,
        });
        log.len() - 1
    }

    fn end(&self, entry: usize, status: u16) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log[entry].status = status;
    }
}

/// Opens the door on this port; 0 for a free one.
pub(crate) fn open(port: u16, desk: &Arc<Desk>, behind: &Behind) -> WireServer {
    let (desk, behind) = (Arc::clone(desk), behind.clone());
    WireServer::start_at(port, move |wire| {
        while let Some(request) = Request::read(&mut wire.reader)? {
            let entry = desk.begin(&request);
            let status = answer(&desk, &behind, &request, wire)?;
            desk.end(entry, status);
        }
        Ok(())
    })
}

fn answer(desk: &Desk, behind: &Behind, request: &Request, wire: &mut Wire) -> io::Result<u16> {
    if let Some((_, asked)) = request.path.split_once("/proxy/")
        && request.path.contains("/services/")
    {
        let mut proxied = desk.proxied.lock().unwrap_or_else(PoisonError::into_inner);
        proxied.push(asked.to_owned());
        drop(proxied);
        return send(wire, &Answer::json(json!({})).status(202));
    }
    if let Some(place) = Place::of(&request.path) {
        let verb = place.verb(&request.method);
        match desk.find(verb, place.kind.resource) {
            Some(Trouble::Hangs) => wire.hold()?,
            Some(Trouble::Forbidden) => {
                let no = Refusal::forbidden(place.kind, place.namespace, place.name, verb);
                return send(wire, &serve::refuse(&no));
            }
            Some(Trouble::Conflicts(_)) => {
                return send(wire, &serve::refuse(&Refusal::conflict(place.kind, place.name)));
            }
            Some(Trouble::Unavailable) => {
                return send(wire, &serve::refuse(&Refusal::unavailable()));
            }
            None => {}
        }
    }
    if request.path.ends_with("/selfsubjectaccessreviews") {
        let (verb, resource) = review::asked(request);
        let denied = desk.find(&verb, &resource) == Some(Trouble::Forbidden);
        if denied || matches!(behind, Behind::StandIn(_)) {
            return send(wire, &Answer::json(review::answer(request, !denied)).status(201));
        }
    }
    match behind {
        Behind::StandIn(store) => serve::serve(store, request, wire),
        Behind::Proxy(port) => forward(*port, request, wire),
    }
}

fn send(wire: &mut Wire, answer: &Answer) -> io::Result<u16> {
    wire.send(&answer.bytes())?;
    Ok(answer.status)
}

/// Passes the request on and the answer back, byte by byte. HTTP/1.0, so that the end of the connection ends the answer,
/// whatever the client speaks.
fn forward(port: u16, request: &Request, wire: &mut Wire) -> io::Result<u16> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&request.query);
    let query = query.finish();
    let mut head = format!("{} {}?{query} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        if !["host", "connection", "accept-encoding"].contains(&name.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("\r\n");
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    // A watch is silent for long; the test may end meanwhile.
    server.set_read_timeout(Some(Duration::from_millis(200)))?;
    server.write_all(head.as_bytes())?;
    server.write_all(&request.body)?;
    let mut buffer = [0; 16 * 1024];
    let mut status = 0;
    loop {
        let read = match server.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wire.pause(Duration::ZERO)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if status == 0 {
            let line = String::from_utf8_lossy(&buffer[..read.min(16)]).into_owned();
            status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        }
        wire.send(&buffer[..read])?;
    }
    wire.hang_up()?;
    Ok(status)
}
