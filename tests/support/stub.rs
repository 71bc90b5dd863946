//! A stub HTTP/1.1 server on loopback: a table of routes, every request recorded, stopped on drop.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::http::Request;
use super::wire::{Wire, WireServer};

/// What a stub answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Such as 200.
    pub(crate) status: u16,
    /// Sent as they are, after `Content-Length`.
    pub(crate) headers: Vec<(String, String)>,
    /// Sent whole.
    pub(crate) body: Vec<u8>,
    /// Time between request and answer.
    pub(crate) delay: Duration,
}

impl Answer {
    /// Any body of any type.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: body.into(),
            delay: Duration::ZERO,
        }
    }

    /// 200 with JSON.
    #[allow(clippy::needless_pass_by_value, reason = "reads well with json!({…}) in place")]
    pub(crate) fn json(value: serde_json::Value) -> Self {
        Self::new(200, "application/json", value.to_string())
    }

    /// 200 with plain text, such as a metrics exposition.
    pub(crate) fn text(body: impl Into<String>) -> Self {
        Self::new(200, "text/plain; version=0.0.4; charset=utf-8", body.into())
    }

    /// Another status with the same body.
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// One more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers only after `delay`.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Head of the answer as bytes, up to and with the empty line.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Head and body, as they go over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Stubbed",
    }
}

type Handler = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

struct Route {
    method: String,
    path: String,
    handler: Handler,
}

impl Route {
    fn matches(&self, request: &Request) -> bool {
        let path = match self.path.strip_suffix('*') {
            Some(prefix) => request.path.starts_with(prefix),
            None => request.path == self.path,
        };
        path && (self.method == "*" || self.method == request.method)
    }
}

#[derive(Default)]
struct Shared {
    routes: Mutex<Vec<Route>>,
    requests: Mutex<Vec<Request>>,
}

/// The server. Method `*` stands for any, a path that ends in `*` for all that begin so; the route set last wins.
/// What no route matches is answered 404, and recorded too.
pub(crate) struct Stub {
    shared: Arc<Shared>,
    server: WireServer,
}

impl Stub {
    /// Starts without routes, on a free port.
    pub(crate) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let server = {
            let shared = Arc::clone(&shared);
            WireServer::start(move |wire| serve(wire, &shared))
        };
        Self { shared, server }
    }

    /// Adds a route with a fixed answer.
    pub(crate) fn on(self, method: &str, path: &str, answer: Answer) -> Self {
        self.set(method, path, answer);
        self
    }

    /// Adds a route whose answer depends on the request.
    pub(crate) fn on_fn(
        self,
        method: &str,
        path: &str,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        self.set_fn(method, path, handler);
        self
    }

    /// Sets the answer of a route while the server runs.
    pub(crate) fn set(&self, method: &str, path: &str, answer: Answer) {
        self.set_fn(method, path, move |_| answer.clone());
    }

    /// Sets the handler of a route while the server runs.
    pub(crate) fn set_fn(
        &self,
        method: &str,
        path: &str,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) {
        let mut routes = lock(&self.shared.routes);
        routes.retain(|route| route.method != method || route.path != path);
        routes.push(Route { method: method.to_owned(), path: path.to_owned(), handler: Arc::new(handler) });
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port of loopback.
    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// The requests for one path.
    pub(crate) fn requests_to(&self, path: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.path == path);
        requests
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stub").field("url", &self.url()).finish_non_exhaustive()
    }
}

fn serve(wire: &mut Wire, shared: &Shared) -> io::Result<()> {
    while let Some(request) = Request::read(&mut wire.reader)? {
        lock(&shared.requests).push(request.clone());
        // The lock is given back before the handler runs: a handler may be slow, or set routes itself.
        let handler = lock(&shared.routes)
            .iter()
            .rev()
            .find(|route| route.matches(&request))
            .map(|route| Arc::clone(&route.handler));
        let answer = match handler {
            Some(handler) => handler(&request),
            None => Answer::new(404, "text/plain", "404 page not found\n"),
        };
        wire.pause(answer.delay)?;
        if request.method == "HEAD" {
            wire.send(&answer.head())?;
        } else {
            wire.send(&answer.bytes())?;
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
