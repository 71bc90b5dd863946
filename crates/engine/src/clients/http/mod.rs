//! The one HTTP client: deadlines, retries, body cap, redirects, redaction. Every other HTTP client is built on it.

pub mod answer;
pub mod breaker;
mod failure;
mod pace;
pub mod request;
pub mod target;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use crate::clients::http::breaker::Breaker;
use crate::clients::http::failure::{failure, no_client};
use crate::clients::http::pace::Pace;
use crate::clients::http::request::{Body, Effort};
use liveops_domain::error::{Barrier, Error, Result};

pub use crate::clients::http::answer::Answer;
pub use crate::clients::http::request::Request;
pub use crate::clients::http::target::Target;

/// No answer that we read is larger (quality: Security).
const MAX_BODY: usize = 16 * 1024 * 1024;

/// From here on an answer is large: of one origin, one of those is read and made sense of at a time, so that a server that
/// sends nonsense to fifty questions takes the memory of one.
const LARGE: usize = 1024 * 1024;

/// Redirects that we follow, all on the same host.
const MAX_REDIRECTS: usize = 5;

/// First pause between tries; it doubles, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The client. TLS is only set up when a URL asks for it: reading the platform's roots costs milliseconds.
#[derive(Debug)]
pub struct Http {
    plain: OnceCell<Client>,
    tls: OnceCell<Client>,
    call: Duration,
    command: Duration,
    started: Instant,
    deadline: Cell<Instant>,
    /// By origin, with the reason of the last failure.
    breakers: RefCell<HashMap<String, (Breaker, Barrier, String)>>,
    /// By origin: whose large answer is in memory.
    large: RefCell<HashMap<String, Arc<Semaphore>>>,
    pace: Pace,
}

impl Http {
    /// A client with a bound on each call and one on everything until the next [`Http::restart`].
    pub fn new(call: Duration, command: Duration) -> Self {
        let now = Instant::now();
        Self {
            plain: OnceCell::new(),
            tls: OnceCell::new(),
            call: call.min(command),
            command,
            started: now,
            deadline: Cell::new(now + command),
            breakers: RefCell::default(),
            large: RefCell::default(),
            pace: Pace::default(),
        }
    }

    /// Begins a new round under a new overall deadline: each frame of `--watch`.
    pub fn restart(&self) {
        self.deadline.set(Instant::now() + self.command);
    }

    /// The bound on one call.
    pub fn call_timeout(&self) -> Duration {
        self.call
    }

    /// When the current round must be over.
    pub fn deadline(&self) -> Instant {
        self.deadline.get()
    }

    /// Sends a request and reads its whole answer, whatever its status.
    ///
    /// # Errors
    /// `Unreachable`, `Timeout`, `Malformed` (body too large, redirects that lead elsewhere).
    pub async fn send(&self, target: &Target, request: Request) -> Result<Answer> {
        let key = target.base.origin().ascii_serialization();
        let (breaker, barrier, reason) = self.breakers.borrow().get(&key).cloned().unwrap_or_default();
        let began = self.started.elapsed();
        if let Err(left) = breaker.admits(began)
            && !request.insistent
            && request.effort != Effort::Look
        {
            return Err(Error::Unreachable {
                system: target.system.clone(),
                url: target.url(),
                barrier,
                reason: format!("{reason} (next try in {} s)", left.as_secs() + 1),
            });
        }
        let done = self.attempts(target, &request).await;
        let mut breakers = self.breakers.borrow_mut();
        let (breaker, barrier, reason) = breakers.entry(key).or_default();
        match &done {
            Err(error @ (Error::Unreachable { .. } | Error::Timeout { .. })) => {
                breaker.failed(began, self.started.elapsed());
                *reason = error.reason();
                *barrier = match error {
                    Error::Unreachable { barrier, .. } => *barrier,
                    _ => Barrier::Way,
                };
            }
            _ => breaker.succeeded(),
        }
        done
    }

    async fn attempts(&self, target: &Target, request: &Request) -> Result<Answer> {
        // One deadline for the call, tries and pauses included.
        let now = Instant::now();
        let until = if request.insistent { now + self.call } else { (now + self.call).min(self.deadline()) };
        // A call that comes when the command's time is over has waited that long.
        let began = if until > now { now } else { until - self.command };
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let done = self.once(target, request, began, until).await;
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

    async fn once(&self, target: &Target, request: &Request, began: Instant, until: Instant) -> Result<Answer> {
        let mut url = target.join(&request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let shown = target.show(&url);
        let sent_at = Instant::now();
        let late = || Error::Timeout { system: target.system.clone(), url: shown.clone(), after: began.elapsed() };
        let sent = timeout_at(until, self.exchange(target, request, url, &shown)).await;
        let done = sent.unwrap_or_else(|_| Err(late()));
        match &done {
            Ok(answer) => {
                tracing::info!(method = %request.method, url = %shown, status = answer.status, ms = sent_at.elapsed().as_millis(), bytes = answer.body.len());
            }
            Err(error) => {
                tracing::info!(method = %request.method, url = %shown, ms = sent_at.elapsed().as_millis(), %error);
            }
        }
        done
    }

    async fn exchange(&self, target: &Target, request: &Request, asked: Url, shown: &str) -> Result<Answer> {
        let fail = |error: reqwest::Error| failure(target, shown, &error);
        self.pace.turn().await;
        let began = Instant::now();
        let client = |url: &Url| {
            let is_tls = url.scheme() == "https";
            self.client(is_tls).map_err(|error| no_client(target, shown, is_tls, &error))
        };
        let mut builder = client(&asked)?
            .request(request.method.clone(), asked.clone())
            .headers(target.headers.clone())
            .header(reqwest::header::ACCEPT, request.accept);
        if let Some(tag) = &request.if_match {
            builder = builder.header(reqwest::header::IF_MATCH, tag);
        }
        builder = match &request.body {
            Body::Empty => builder,
            Body::Form(pairs) => builder.form(pairs),
            Body::Json(value) => builder.json(value),
            Body::Written(bytes) => {
                builder.header(reqwest::header::CONTENT_TYPE, "application/json").body(bytes.clone())
            }
        };
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let mut response = builder.send().await.map_err(fail)?;
        // 301 to 303 make a GET of a POST, without its form: it is asked again there, with the form in the URL.
        if let Body::Form(pairs) = &request.body
            && *response.url() != asked
            && response.status().is_client_error()
        {
            let mut url = response.url().clone();
            url.query_pairs_mut().extend_pairs(pairs);
            let again = client(&url)?.get(url).headers(target.headers.clone());
            response = again.header(reqwest::header::ACCEPT, request.accept).send().await.map_err(fail)?;
        }
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
            date: DateTime::parse_from_rfc2822(&header(reqwest::header::DATE)).ok().map(|at| at.to_utc()),
            etag: Some(header(reqwest::header::ETAG)).filter(|tag| !tag.is_empty()),
            retry_after: retry_after(&header(reqwest::header::RETRY_AFTER), &header(reqwest::header::DATE)),
            body: Vec::new(),
            large: None,
            elapsed: Duration::ZERO,
            system: target.system.clone(),
            url: shown.to_owned(),
        };
        if response.status().is_redirection() {
            let to = match header(reqwest::header::LOCATION).as_str() {
                "" => "that names no address".to_owned(),
                to => format!("to `{to}`, which is another host or a loop"),
            };
            return Err(answer.malformed(format!("a redirect {to}; set the URL to where it really is")));
        }
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            if answer.body.len() + chunk.len() > MAX_BODY {
                return Err(answer.malformed(format!("more than {} MiB", MAX_BODY / 1024 / 1024)));
            }
            if answer.body.len() + chunk.len() > LARGE && answer.large.is_none() {
                answer.large = self.only_large(&asked).await;
            }
            answer.body.extend_from_slice(&chunk);
        }
        answer.elapsed = began.elapsed();
        Ok(answer)
    }

    /// Waits for its turn among the large answers of an origin; it ends when the answer is dropped.
    async fn only_large(&self, url: &Url) -> Option<Arc<OwnedSemaphorePermit>> {
        let origin = url.origin().ascii_serialization();
        let turns = Arc::clone(self.large.borrow_mut().entry(origin).or_insert_with(|| Arc::new(Semaphore::new(1))));
        turns.acquire_owned().await.ok().map(Arc::new)
    }

    fn client(&self, tls: bool) -> reqwest::Result<&Client> {
        let slot = if tls { &self.tls } else { &self.plain };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        // Fails only when a provider is installed already, and then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let same_host = Policy::custom(|attempt| {
            let from = attempt.previous().last().map(Url::origin);
            // Headers may hold credentials of our own naming, which reqwest would send along to another host.
            if attempt.previous().len() > MAX_REDIRECTS || from.is_none_or(|from| from != attempt.url().origin()) {
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
        let client = builder.build()?;
        Ok(slot.get_or_init(|| client))
    }
}

/// Seconds, with a fraction as some write them, or a date by the server's clock (RFC 9110, 10.2.3).
fn retry_after(value: &str, date: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    Some((at(value)? - at(date)?).to_std().unwrap_or_default())
}

/// Worth another try: the connection broke, or the server says that it is a passing trouble. A refused
/// connection, a name that does not exist, a certificate that is wrong will be the same in half a second.
fn is_passing(done: &Result<Answer>) -> bool {
    match done {
        Ok(answer) => matches!(answer.status, 429 | 502 | 503 | 504),
        Err(Error::Unreachable { barrier, .. }) => *barrier == Barrier::Broke,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_again_is_read_in_all_forms() {
        let date = "Sun, 22 Nov 2026 03:00:00 GMT";
        for (value, want) in [
            ("90", Some(90_000)),
            ("1.5", Some(1_500)),
            ("0", Some(0)),
            ("Sun, 22 Nov 2026 03:01:00 GMT", Some(60_000)),
            ("Sun, 22 Nov 2026 02:01:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, date).map(|pause| pause.as_millis()), want, "{value}");
        }
    }
}
