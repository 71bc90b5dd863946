//! The HTTP side of `incident receive --listen`: who may deliver, how much, and how slowly.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};

use liveops_domain::incident::webhook::Webhook;

/// The most that is read.
pub const LARGEST: u64 = 4 * 1024 * 1024;

/// How long a connection may stay: a delivery takes milliseconds, and whoever sends makes a new one for the next.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections at once; a process may have 1,024 files open, and the journals are some of them.
const CONNECTIONS: usize = 256;

/// A delivery, and where to say whether it is safe.
pub struct Delivery {
    pub webhook: Webhook,
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// Takes deliveries and hands them on.
pub async fn serve(listener: TcpListener, intake: mpsc::Sender<Delivery>) {
    let limit = usize::try_from(LARGEST).unwrap_or(usize::MAX);
    let router = Router::new().fallback(take).layer(DefaultBodyLimit::max(limit)).with_state(intake);
    let listener = Bounded { listener, places: Arc::new(Semaphore::new(CONNECTIONS)) };
    // Ends with the runtime.
    let _ = axum::serve(listener, router).await;
}

async fn take(State(intake): State<mpsc::Sender<Delivery>>, request: Request) -> Response {
    let (status, text) = match taken(&intake, request).await {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(refused) => refused,
    };
    // Each connection carries one delivery, so that a silent one can be told from one that is between two.
    (status, [(CONNECTION, "close")], text).into_response()
}

async fn taken(intake: &mpsc::Sender<Delivery>, request: Request) -> Result<(), (StatusCode, String)> {
    let refuse = |status: StatusCode, why: &str| Err((status, why.to_owned()));
    let headers = request.headers();
    if request.method() != Method::POST {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "only POST");
    }
    if let Err(why) = is_no_web_page(headers) {
        return refuse(StatusCode::FORBIDDEN, why);
    }
    if !is_json(headers) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "only application/json");
    }
    // What says that it is too large is not waited for.
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > LARGEST) {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "a delivery has at most 4 MiB");
    }
    let body = Bytes::from_request(request, &()).await;
    let body = body.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    let webhook = Webhook::parse(&body).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
    let (answer, answered) = oneshot::channel();
    let busy = || (StatusCode::SERVICE_UNAVAILABLE, "the listener ends".to_owned());
    intake.send(Delivery { webhook, answer }).await.map_err(|_| busy())?;
    answered.await.map_err(|_| busy())?.map_err(|why| (StatusCode::INTERNAL_SERVER_ERROR, why))
}

/// A browser says where its page is from, and a page that had its name moved to this machine says that name.
fn is_no_web_page(headers: &HeaderMap) -> Result<(), &'static str> {
    if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Err("not from a web page");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_local = !name.contains('.') || name.ends_with(".localhost");
    match name.parse::<std::net::IpAddr>() {
        Ok(address) if address.is_loopback() => Ok(()),
        Err(_) if is_local => Ok(()),
        _ => Err("not for this machine: the Host is another; let the proxy send `Host: localhost`"),
    }
}

/// A form of a web page cannot send JSON unasked. Who says nothing is no form.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// Connections, each with its deadline, so many at once.
struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Listener for Bounded {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let end = Box::pin(sleep_until(Instant::now() + PATIENCE));
                    return (Timed { stream, end, _place: place }, address);
                }
                // Too many open files, most likely: it passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends after [`PATIENCE`].
struct Timed {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_of_this_machine_may_deliver() {
        let headers = |pairs: &[(&'static str, &str)]| {
            pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
        };
        for (host, allowed) in [
            ("127.0.0.1:9095", true),
            ("localhost:9095", true),
            ("[::1]:9095", true),
            ("alerts", true),
            ("evil.example:9095", false),
            ("169.254.169.254", false),
            ("[2001:db8::1]:9095", false),
        ] {
            let headers: HeaderMap = headers(&[("host", host)]);
            assert_eq!(is_no_web_page(&headers).is_ok(), allowed, "{host}");
        }
        let page: HeaderMap = headers(&[("host", "localhost"), ("origin", "null")]);
        assert!(is_no_web_page(&page).is_err());
        for (kind, allowed) in [("application/json; charset=utf-8", true), ("text/plain", false), ("", false)] {
            assert_eq!(is_json(&headers(&[("content-type", kind)])), allowed, "{kind}");
        }
    }
}
