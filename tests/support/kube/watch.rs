//! Watches, as an API server answers them: what is there, the bookmark that ends it, then what happens, with bookmarks
//! in between and before the end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::serve::{Place, refuse, selected};
use super::store::{Event, Key, Store};
use crate::support::http::Request;
use crate::support::wire::Wire;

/// So often there is a bookmark, where they are allowed.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// The last bookmark comes so long before the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// So long the server waits for a version that it has not seen yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a client wants of a watch.
#[derive(Debug, Clone, Copy)]
struct Options {
    /// Changes after this version.
    since: u64,
    /// Begins with everything that is there, at `since` or later.
    initial: bool,
    bookmarks: bool,
    limit: Option<Duration>,
}

impl Options {
    fn of(place: &Place<'_>, request: &Request) -> Result<Self, Refusal> {
        let version = request.param("resourceVersion").unwrap_or_default();
        let mut matching = request.param("resourceVersionMatch").unwrap_or_default();
        let mut initial = flag(request, "sendInitialEvents");
        // A watch of the old kind, from any version or the newest, is one that asks for what is there.
        if initial.is_none() && matching.is_empty() && ["", "0"].contains(&version.as_str()) {
            (initial, matching) = (Some(true), "NotOlderThan".to_owned());
        }
        let mut wrong = Vec::new();
        let mut forbidden = |what: &str| wrong.push(("Forbidden", format!("Forbidden: {what}")));
        if initial.is_some() && matching != "NotOlderThan" {
            forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        if initial.is_none() && !matching.is_empty() {
            forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if !matching.is_empty() && matching != "NotOlderThan" {
            let what = format!("Unsupported value: \"{matching}\": supported values: \"NotOlderThan\"");
            wrong.push(("NotSupported", what));
        }
        if !wrong.is_empty() {
            return Err(Refusal::options("resourceVersionMatch", &wrong));
        }
        let since = match version.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| {
                let what = format!("Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax");
                Refusal::invalid(place.kind, place.name, "resourceVersion", &what)
            })?,
        };
        let seconds = request.param("timeoutSeconds").and_then(|text| text.parse().ok());
        Ok(Self {
            since,
            initial: initial.unwrap_or(false),
            bookmarks: flag(request, "allowWatchBookmarks").unwrap_or(false),
            limit: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        })
    }
}

/// A parameter that is on or off, as the API server reads it: everything but `false` and `0` is on.
pub(crate) fn flag(request: &Request, name: &str) -> Option<bool> {
    let value = request.param(name)?;
    Some(!["false", "0"].contains(&value.to_ascii_lowercase().as_str()))
}

/// Streams what is there and what happens, a JSON object a line, until the time is up or the server ends.
pub(crate) fn watch(store: &Arc<Store>, place: &Place<'_>, request: &Request, wire: &mut Wire) -> io::Result<u16> {
    let begun = Instant::now();
    let options = Options::of(place, request).and_then(|options| fresh(store, options).map(|()| options));
    let options = match options {
        Ok(options) => options,
        Err(no) => {
            wire.send(&refuse(&no).bytes())?;
            return Ok(no.code);
        }
    };
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let here = |key: &Key| {
        key.0 == place.kind.resource
            && (place.namespace.is_empty() || key.1 == place.namespace)
            && (place.name.is_empty() || key.2 == place.name)
    };
    let (mut seen, objects) = {
        let state = store.lock();
        let found = state.objects.iter().filter(|(key, _)| options.initial && here(key));
        let seen = if options.initial || options.since == 0 { state.version() } else { options.since };
        (seen, found.map(|(_, object)| object.clone()).collect::<Vec<_>>())
    };
    for object in objects.iter().filter(|object| selected(object, request)) {
        send(wire, "ADDED", object)?;
    }
    if options.initial && options.bookmarks {
        let mut end = bookmark(place, seen);
        end["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        send(wire, "BOOKMARK", &end)?;
    }
    let first = seen;
    let end = options.limit.map(|limit| begun + limit);
    let mut due = next_bookmark(begun, end);
    loop {
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            wire.send(b"0\r\n\r\n")?;
            return Ok(200);
        }
        let wakes = [end, due].into_iter().flatten().map(|at| at.saturating_duration_since(now));
        let wait = wakes.chain([Duration::from_millis(500)]).min().unwrap_or_default();
        let events: Vec<Event> = {
            let state = store.wait(seen, wait);
            if state.stopped {
                return wire.send(b"0\r\n\r\n").and(Err(io::ErrorKind::Interrupted.into()));
            }
            let events = state.events.iter().filter(|event| event.version > seen && here(&event.key));
            let events = events.cloned().collect();
            seen = state.version();
            events
        };
        for (kind, object) in events.iter().filter_map(|event| told(event, request)) {
            send(wire, kind, &object)?;
        }
        if due.is_some_and(|due| Instant::now() >= due) {
            // Nothing new is nothing to mark.
            if options.bookmarks && seen > first {
                send(wire, "BOOKMARK", &bookmark(place, seen))?;
            }
            due = next_bookmark(Instant::now(), end);
        }
        // The server may have been stopped meanwhile.
        wire.pause(Duration::from_millis(1))?;
    }
}

/// Waits until the server has seen the version that the client wants to begin at or after.
fn fresh(store: &Store, options: Options) -> Result<(), Refusal> {
    let begun = Instant::now();
    if !options.initial {
        return Ok(());
    }
    loop {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let state = store.wait(options.since.saturating_sub(1), left);
        if state.version() >= options.since || state.stopped {
            return Ok(());
        }
        if left.is_zero() {
            return Err(Refusal::too_large_version(options.since, state.version()));
        }
    }
}

/// A minute later, or shortly before the end.
fn next_bookmark(now: Instant, end: Option<Instant>) -> Option<Instant> {
    let beat = now + HEARTBEAT;
    let at = end.and_then(|end| end.checked_sub(FAREWELL)).map_or(beat, |last| last.min(beat));
    (at > now).then_some(at)
}

/// What the client is told of an event: an object that begins or ceases to be selected is added or deleted for it.
fn told(event: &Event, request: &Request) -> Option<(&'static str, Value)> {
    let kept = |object: &&Value| selected(object, request);
    match (event.before.as_ref().filter(kept), event.after.as_ref().filter(kept)) {
        (None, None) => None,
        (None, Some(now)) => Some(("ADDED", now.clone())),
        (Some(_), Some(now)) => Some(("MODIFIED", now.clone())),
        (Some(last), None) => {
            let mut last = last.clone();
            last["metadata"]["resourceVersion"] = json!(event.version.to_string());
            Some(("DELETED", last))
        }
    }
}

/// An object of the kind with nothing but a version: everything until there has been told.
fn bookmark(place: &Place<'_>, version: u64) -> Value {
    json!({
        "kind": place.kind.kind,
        "apiVersion": place.kind.api_version(),
        "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null },
    })
}

fn send(wire: &mut Wire, kind: &str, object: &Value) -> io::Result<()> {
    let line = format!("{}\n", json!({ "type": kind, "object": object }));
    wire.send(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes())
}
