//! Serves the simulated game service over HTTP. Only the caller knows the address and the clock.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, serve as serve_http};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::sim::Sim;
use crate::{api, exposition, recovery, rollout_api, room_api};

/// Answers the whole health API on `listener` until `shutdown` resolves and the requests in flight
/// are done. Each answer is of the instant that `clock` gives.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    sim: Sim,
    clock: impl Fn() -> DateTime<Utc> + Clone + Send + Sync + 'static,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = Arc::new(Service { sim: Mutex::new(sim), clock: Box::new(clock) });
    serve_http(listener, router(service)).with_graceful_shutdown(shutdown).await
}

struct Service {
    sim: Mutex<Sim>,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl Service {
    fn sim(&self) -> MutexGuard<'_, Sim> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Shared = State<Arc<Service>>;

fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/api/health", get(health))
        .route("/api/health/detailed", document(api::detailed))
        .route("/api/health/metrics", get(metrics))
        .route("/api/system/stats", document(api::system_stats))
        .route("/api/recovery/status", document(recovery::status))
        .route("/api/debug/room-stats", document(room_api::stats))
        .route("/api/event-store/stats", document(api::event_store))
        .route("/api/rooms/{room_id}/events", room(room_api::events))
        .route("/api/rooms/{room_id}/state", room(room_api::state))
        .route("/api/rollout/weight", get(weight).put(set_weight))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(service)
}

/// A document about the whole service.
fn document(write: fn(&Sim, DateTime<Utc>) -> Value) -> axum::routing::MethodRouter<Arc<Service>> {
    get(move |State(service): Shared| async move { Json(write(&service.sim(), (service.clock)())) })
}

/// A document about one room, or 404.
fn room(write: fn(&Sim, &str, DateTime<Utc>) -> Option<Value>) -> axum::routing::MethodRouter<Arc<Service>> {
    get(move |State(service): Shared, Path(id): Path<String>| async move {
        match write(&service.sim(), &id, (service.clock)()) {
            Some(document) => Json(document).into_response(),
            None => refuse(StatusCode::NOT_FOUND, "room_not_found", &format!("no room `{id}`")),
        }
    })
}

async fn health(State(service): Shared) -> Json<Value> {
    Json(api::health((service.clock)()))
}

async fn metrics(State(service): Shared) -> impl IntoResponse {
    let text = service.sim().exposition((service.clock)());
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text)
}

async fn weight(State(service): Shared) -> Response {
    let (tag, document) = rollout_api::show(&service.sim());
    ([(header::ETAG, tag)], Json(document)).into_response()
}

async fn set_weight(State(service): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let expected = headers.get(header::IF_MATCH).map(|tag| tag.to_str().unwrap_or_default());
    let mut sim = service.sim();
    match rollout_api::change(&mut sim, expected, &body, (service.clock)()) {
        Ok(()) => {
            let (tag, document) = rollout_api::show(&sim);
            ([(header::ETAG, tag)], Json(document)).into_response()
        }
        Err((status, error, message)) => refuse(status, error, &message),
    }
}

async fn unknown_path(uri: Uri) -> Response {
    let message = format!("nothing at `{}`", uri.path());
    refuse(StatusCode::NOT_FOUND, "not_found", &message)
}

async fn wrong_method() -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not take that method")
}

fn refuse(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(api::refusal(error, message))).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    /// Asks a fresh server each of these, and returns the heads and bodies of the answers.
    async fn ask(requests: &[(&str, &str)]) -> Vec<(String, String)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let server = tokio::spawn(serve(listener, Sim::new(7), now, shutdown));
        let mut answers = Vec::new();
        for (method, path) in requests {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            answers.push((head.to_lowercase(), body.to_owned()));
        }
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
        answers
    }

    #[tokio::test]
    async fn every_path_answers_with_its_document() {
        let sim = Sim::new(7);
        let overview = room_api::stats(&sim, now());
        let id = overview["rooms"][0]["room_id"].as_str().unwrap();
        let (events, state) = (format!("/api/rooms/{id}/events"), format!("/api/rooms/{id}/state"));
        let cases = [
            ("/api/health", api::health(now())),
            ("/api/health/detailed", api::detailed(&sim, now())),
            ("/api/system/stats", api::system_stats(&sim, now())),
            ("/api/recovery/status", recovery::status(&sim, now())),
            ("/api/debug/room-stats", overview.clone()),
            ("/api/event-store/stats", api::event_store(&sim, now())),
            (&events, room_api::events(&sim, id, now()).unwrap()),
            (&state, room_api::state(&sim, id, now()).unwrap()),
        ];
        let requests = cases.each_ref().map(|(path, _)| ("GET", *path));
        for ((path, expected), (head, body)) in cases.iter().zip(ask(&requests).await) {
            assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
            assert!(head.contains("content-type: application/json"), "{path}: {head}");
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), *expected, "{path}");
        }
    }

    #[tokio::test]
    async fn the_metrics_answer_as_prometheus_text() {
        let (head, body) = ask(&[("GET", "/api/health/metrics")]).await.remove(0);
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        assert_eq!(body, Sim::new(7).exposition(now()));
    }

    #[tokio::test]
    async fn what_does_not_exist_is_refused_in_json() {
        let cases = [
            ("GET", "/", 404, "not_found"),
            ("GET", "/api/nothing", 404, "not_found"),
            ("GET", "/api/rooms/ranked-0001-1/events", 404, "room_not_found"),
            ("GET", "/api/rooms/%1b%5b31m/state", 404, "room_not_found"),
            ("POST", "/api/health", 405, "method_not_allowed"),
        ];
        let requests = cases.map(|(method, path, ..)| (method, path));
        for ((method, path, status, error), (head, body)) in cases.into_iter().zip(ask(&requests).await) {
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{method} {path}: {head}");
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["error"], error, "{method} {path}");
        }
    }
}
