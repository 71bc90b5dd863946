//! The one HTTP client: deadlines, retries, body cap, redirects, redaction. Every other HTTP client is built on it.

mod failure;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use crate::clients::http::failure::{BROKE, failure};
use crate::domain::breaker::Breaker;
use crate::domain::redact::redact_url;
use crate::error::{Error, Result};

/// No answer that we read is larger (quality: Security).
const MAX_BODY: usize = 16 * 1024 * 1024;
/// Redirects that we follow, all on the same host.
const MAX_REDIRECTS: usize = 5;
/// First pause between tries; it doubles, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// An outside system: where it is, and what it wants to be sent along. Secrets are already in it; it never prints them.
#[derive(Clone)]
pub(crate) struct Target {
    /// Name for messages: `prometheus`, or the service's.
    pub(crate) system: String,
    base: Url,
    headers: HeaderMap,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.system, self.url())
    }
}

impl Target {
    /// Checks URL and headers.
    ///
    /// # Errors
    /// A URL or header that cannot be sent; the message never holds their values.
    pub(crate) fn new(system: &str, url: &str, headers: &[(String, &str)]) -> Result<Self> {
        let invalid = |what: String| {
            Error::usage(
                format!("{what} of {system} is not valid"),
                "`liveops config show --origin` says where it was set",
            )
        };
        let base = Url::parse(url).map_err(|_| invalid("the URL".into()))?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let bad = || invalid(format!("header `{name}`"));
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            map.insert(key, value);
        }
        Ok(Self {
            system: system.to_owned(),
            base,
            headers: map,
        })
    }

    /// The base URL, without password.
    pub(crate) fn url(&self) -> String {
        show(&self.base)
    }

    /// The base URL with a path below it; an empty path is the base itself.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if !path.is_empty() {
            let joined = format!(
                "{}/{}",
                url.path().trim_end_matches('/'),
                path.trim_start_matches('/')
            );
            url.set_path(&joined);
        }
        url
    }
}

/// A URL for messages and logs: no password, no query values that look like keys.
fn show(url: &Url) -> String {
    let text = redact_url(url.as_str());
    text.strip_suffix('/')
        .filter(|_| url.path() == "/")
        .unwrap_or(&text)
        .to_owned()
}

/// How often to try. Only idempotent requests are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// A screen: one quick second try, since the next look is near.
    Quick,
    /// A command: five tries within the deadline.
    Full,
    /// A change: exactly once.
    Once,
}

impl Effort {
    fn attempts(self) -> u32 {
        match self {
            Self::Quick => 2,
            Self::Full => 5,
            Self::Once => 1,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Body,
    effort: Effort,
    accept: &'static str,
}

#[derive(Debug, Clone)]
enum Body {
    Empty,
    Form(Vec<(String, String)>),
    Json(serde_json::Value),
}

impl Request {
    fn new(method: Method, path: impl Into<String>, body: Body, effort: Effort) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body,
            effort,
            accept: "application/json",
        }
    }

    /// Reads a path.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Body::Empty, Effort::Full)
    }

    /// Asks by a POST form that changes nothing (PromQL queries, which can be longer than a URL may be).
    pub(crate) fn ask(path: impl Into<String>, form: Vec<(String, String)>) -> Self {
        Self::new(Method::POST, path, Body::Form(form), Effort::Full)
    }

    /// Sends a change. Only `clients` that hold a `Confirmed` call this.
    pub(crate) fn change(
        method: Method,
        path: impl Into<String>,
        body: Option<serde_json::Value>,
    ) -> Self {
        Self::new(
            method,
            path,
            body.map_or(Body::Empty, Body::Json),
            Effort::Once,
        )
    }

    /// Adds query parameters.
    pub(crate) fn query(mut self, pairs: Vec<(String, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    /// Sets how often to try; never more than once for a change.
    pub(crate) fn effort(mut self, effort: Effort) -> Self {
        if self.effort != Effort::Once {
            self.effort = effort;
        }
        self
    }

    /// Asks for text instead of JSON.
    pub(crate) fn accept(mut self, media: &'static str) -> Self {
        self.accept = media;
        self
    }
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// The server's clock, from its `Date` header.
    pub(crate) date: Option<DateTime<Utc>>,
    pub(crate) body: Vec<u8>,
    pub(crate) elapsed: Duration,
    system: String,
    url: String,
}

impl Answer {
    /// Turns a status of 400 and above into an error with the server's own words.
    ///
    /// # Errors
    /// `Rejected`.
    pub(crate) fn ok(self) -> Result<Self> {
        if self.status < 400 {
            Ok(self)
        } else {
            Err(self.rejected(self.excerpt()))
        }
    }

    /// The error for this status.
    pub(crate) fn rejected(&self, message: String) -> Error {
        Error::Rejected {
            system: self.system.clone(),
            url: self.url.clone(),
            status: self.status,
            message,
        }
    }

    /// The error for a body that makes no sense.
    pub(crate) fn malformed(&self, what: impl Into<String>) -> Error {
        Error::Malformed {
            system: self.system.clone(),
            url: self.url.clone(),
            what: what.into(),
        }
    }

    /// The body as JSON of this type.
    ///
    /// # Errors
    /// `Malformed`, saying what came instead.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| self.malformed(self.not_json(&error)))
    }

    fn not_json(&self, error: &serde_json::Error) -> String {
        let start = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        match start {
            None => "an empty body instead of JSON".into(),
            Some(b'<') => "a web page instead of JSON".into(),
            Some(b'{' | b'[') if error.is_eof() => {
                format!("JSON that breaks off after {} bytes", self.body.len())
            }
            Some(b'{' | b'[') => format!("JSON of another shape: {error}"),
            Some(_) => format!("`{}` instead of JSON", self.excerpt()),
        }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The beginning of a short text body, for messages; nothing of a web page.
    pub(crate) fn excerpt(&self) -> String {
        let text = self.text();
        let line = text.trim().lines().next().unwrap_or_default();
        if line.starts_with('<') {
            String::new()
        } else {
            line.chars().take(160).collect()
        }
    }
}

/// The client. TLS is only set up when a URL asks for it: reading the platform's roots costs milliseconds.
#[derive(Debug)]
pub(crate) struct Http {
    plain: OnceCell<Client>,
    tls: OnceCell<Client>,
    call: Duration,
    command: Duration,
    started: Instant,
    deadline: Cell<Instant>,
    /// By origin, with the reason of the last failure.
    breakers: RefCell<HashMap<String, (Breaker, String)>>,
}

impl Http {
    /// A client with a bound on each call and one on everything until the next [`Http::restart`].
    pub(crate) fn new(call: Duration, command: Duration) -> Self {
        let now = Instant::now();
        Self {
            plain: OnceCell::new(),
            tls: OnceCell::new(),
            call: call.min(command),
            command,
            started: now,
            deadline: Cell::new(now + command),
            breakers: RefCell::default(),
        }
    }

    /// Begins a new round under a new overall deadline: each frame of `--watch`.
    pub(crate) fn restart(&self) {
        self.deadline.set(Instant::now() + self.command);
    }

    /// The bound on one call.
    pub(crate) fn call_timeout(&self) -> Duration {
        self.call
    }

    /// When the current round must be over.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline.get()
    }

    /// Sends a request and reads its whole answer, whatever its status.
    ///
    /// # Errors
    /// `Unreachable`, `Timeout`, `Malformed` (body too large, redirects that lead elsewhere).
    pub(crate) async fn send(&self, target: &Target, request: Request) -> Result<Answer> {
        let key = target.base.origin().ascii_serialization();
        let (breaker, reason) = self
            .breakers
            .borrow()
            .get(&key)
            .cloned()
            .unwrap_or_default();
        if let Err(left) = breaker.admits(self.started.elapsed()) {
            return Err(Error::Unreachable {
                system: target.system.clone(),
                url: target.url(),
                reason: format!("{reason} (next try in {} s)", left.as_secs() + 1),
            });
        }
        let done = self.attempts(target, &request).await;
        let mut breakers = self.breakers.borrow_mut();
        let (breaker, reason) = breakers.entry(key).or_default();
        match &done {
            Err(error @ (Error::Unreachable { .. } | Error::Timeout { .. })) => {
                breaker.failed(self.started.elapsed());
                *reason = error.reason();
            }
            _ => breaker.succeeded(),
        }
        done
    }

    async fn attempts(&self, target: &Target, request: &Request) -> Result<Answer> {
        // One deadline for the call, tries and pauses included.
        let until = (Instant::now() + self.call).min(self.deadline());
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let done = self.once(target, request, until).await;
            if attempt >= request.effort.attempts() || !is_passing(&done) {
                return done;
            }
            let jitter = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            if Instant::now() + jitter >= until {
                return done;
            }
            sleep(jitter).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn once(&self, target: &Target, request: &Request, until: Instant) -> Result<Answer> {
        let mut url = target.join(&request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let shown = show(&url);
        let began = Instant::now();
        let late = || Error::Timeout {
            system: target.system.clone(),
            url: shown.clone(),
            after: began.elapsed(),
        };
        let sent = timeout_at(until, self.exchange(target, request, url, &shown)).await;
        let done = sent.unwrap_or_else(|_| Err(late()));
        match &done {
            Ok(answer) => {
                tracing::info!(method = %request.method, url = %shown, status = answer.status, ms = began.elapsed().as_millis(), bytes = answer.body.len());
            }
            Err(error) => {
                tracing::info!(method = %request.method, url = %shown, ms = began.elapsed().as_millis(), %error);
            }
        }
        done
    }

    async fn exchange(
        &self,
        target: &Target,
        request: &Request,
        url: Url,
        shown: &str,
    ) -> Result<Answer> {
        let fail = |error: reqwest::Error| failure(target, shown, &error);
        let began = Instant::now();
        let mut builder = self
            .client(url.scheme() == "https")?
            .request(request.method.clone(), url)
            .headers(target.headers.clone())
            .header(reqwest::header::ACCEPT, request.accept);
        builder = match &request.body {
            Body::Empty => builder,
            Body::Form(pairs) => builder.form(pairs),
            Body::Json(value) => builder.json(value),
        };
        let mut response = builder.send().await.map_err(fail)?;
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let mut answer = Answer {
            status: response.status().as_u16(),
            content_type: header(reqwest::header::CONTENT_TYPE),
            date: DateTime::parse_from_rfc2822(&header(reqwest::header::DATE))
                .ok()
                .map(|at| at.to_utc()),
            body: Vec::new(),
            elapsed: Duration::ZERO,
            system: target.system.clone(),
            url: shown.to_owned(),
        };
        if response.status().is_redirection() {
            let to = header(reqwest::header::LOCATION);
            return Err(answer.malformed(format!("a redirect to `{to}`, which is another host or a loop; set the URL to where it really is")));
        }
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            if answer.body.len() + chunk.len() > MAX_BODY {
                return Err(answer.malformed(format!("more than {} MiB", MAX_BODY / 1024 / 1024)));
            }
            answer.body.extend_from_slice(&chunk);
        }
        answer.elapsed = began.elapsed();
        Ok(answer)
    }

    fn client(&self, tls: bool) -> Result<&Client> {
        let slot = if tls { &self.tls } else { &self.plain };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        // Fails only when a provider is installed already, and then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let same_host = Policy::custom(|attempt| {
            let from = attempt.previous().last().map(Url::origin);
            // Headers may hold credentials of our own naming, which reqwest would send along to another host.
            if attempt.previous().len() > MAX_REDIRECTS
                || from.is_none_or(|from| from != attempt.url().origin())
            {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let mut builder = Client::builder()
            .user_agent(concat!("liveops/", env!("CARGO_PKG_VERSION")))
            .redirect(same_host)
            .retry(reqwest::retry::never())
            // Probes of an idle connection are for long calls; ours are bounded. Four system calls less for each.
            .tcp_keepalive(None)
            .tcp_keepalive_interval(None)
            .tcp_keepalive_retries(None)
            .connect_timeout(self.call);
        if !tls {
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .build()
            .map_err(|error| Error::internal(&format!("no HTTP client: {error}")))?;
        Ok(slot.get_or_init(|| client))
    }
}

/// Worth another try: the connection broke, or the server says that it is a passing trouble. A refused
/// connection, a name that does not exist, a certificate that is wrong will be the same in half a second.
fn is_passing(done: &Result<Answer>) -> bool {
    match done {
        Ok(answer) => matches!(answer.status, 429 | 502 | 503 | 504),
        Err(Error::Unreachable { reason, .. }) => reason == BROKE,
        Err(_) => false,
    }
}
