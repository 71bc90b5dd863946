//! `incident receive --listen`: just enough of HTTP/1.1 to take a POST from Alertmanager, on loopback only. An answer
//! of 200 means that it is in the journal; until then Alertmanager tries again.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::change::confirmed::Confirmed;
use crate::opening::receive::{ReceiveReport, follow_up, journal};
use crate::session::Session;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::webhook::Webhook;

/// How long one delivery may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head of a request.
const HEAD: usize = 16 * 1024;

/// Deliveries that are under way at once.
const AT_ONCE: usize = 32;

/// The most that is read.
pub const LARGEST: u64 = 4 * 1024 * 1024;

/// Takes deliveries until it is interrupted.
pub async fn run(cx: &Session, address: SocketAddr, show: impl Fn(&ReceiveReport) -> Result<()>) -> Result<Exit> {
    if !address.ip().is_loopback() {
        return Err(Error::usage(
            format!("will not listen on {address}: nobody is asked who they are"),
            "listen on loopback, such as `--listen 127.0.0.1:9095`, and put a proxy that asks before it",
        ));
    }
    let Some(confirmed) = cx.unasked("take deliveries of Alertmanager")? else {
        cx.voice.note(&format!("dry run: would listen on {address}"));
        return Ok(Exit::Good);
    };
    let io = |source| Error::Io { action: "listen on", path: address.to_string().into(), source };
    let listener = TcpListener::bind(address).await.map_err(io)?;
    let bound = listener.local_addr().map_err(io)?;
    cx.voice.note(&format!("listening on http://{bound}/"));
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if under_way.len() < AT_ONCE => match accepted {
                Ok((stream, _)) => under_way.push(serve(cx, stream, &confirmed, &show)),
                // Too many open files, most likely: it passes.
                Err(error) => {
                    cx.voice.warn(&format!("a connection was lost: {error}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(served) = under_way.next(), if !under_way.is_empty() => {
                if let Err(error) = served {
                    cx.voice.warn(&error.to_string());
                }
                if cx.voice.is_closed() {
                    return Ok(Exit::Good);
                }
            }
        }
    }
}

async fn serve(
    cx: &Session,
    mut stream: TcpStream,
    confirmed: &Confirmed,
    show: &impl Fn(&ReceiveReport) -> Result<()>,
) -> Result<()> {
    let read = timeout(PATIENCE, read(&mut stream)).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err((status, why))) => {
            answer(&mut stream, status, why).await;
            return Ok(());
        }
        Err(_) => {
            answer(&mut stream, 408, "too slow").await;
            return Ok(());
        }
    };
    let webhook = match Webhook::parse(&body) {
        Ok(webhook) => webhook,
        Err(why) => {
            answer(&mut stream, 400, &why).await;
            return Ok(());
        }
    };
    let journalled = match journal(cx, &webhook) {
        Ok(journalled) => journalled,
        Err(error) => {
            answer(&mut stream, 500, &error.to_string()).await;
            return Err(error);
        }
    };
    answer(&mut stream, 200, "ok").await;
    let report = follow_up(cx, journalled, confirmed).await?;
    show(&report)
}

/// The body of a POST.
async fn read(stream: &mut TcpStream) -> std::result::Result<Vec<u8>, (u16, &'static str)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() > HEAD {
            return Err((431, "the head is too long"));
        }
        let count = stream.read_buf(&mut bytes).await.unwrap_or(0);
        if count == 0 {
            return Err((400, "the connection ended in the head"));
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if !head.starts_with("POST ") {
        return Err((405, "only POST"));
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or((411, "no Content-Length"))?;
    if length as u64 > LARGEST {
        return Err((413, "too large"));
    }
    let mut body = bytes.split_off(end);
    while body.len() < length {
        let count = stream.read_buf(&mut body).await.unwrap_or(0);
        if count == 0 {
            return Err((400, "the connection ended in the body"));
        }
    }
    body.truncate(length);
    Ok(body)
}

async fn answer(stream: &mut TcpStream, status: u16, text: &str) {
    let word = if status == 200 { "OK" } else { "Refused" };
    let answer = format!(
        "HTTP/1.1 {status} {word}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    // Who asked and does not wait for the answer asks again.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
