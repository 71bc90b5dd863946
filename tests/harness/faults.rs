//! Each fault is what it says, seen by a plain socket.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::fault::{Backend, Fault, FaultServer, SKEW, healthy, serve};
use crate::support::http::{self, Response};
use crate::support::stub::Stub;
use crate::support::tls::TlsServer;

/// What is asked of each backend.
fn path(kind: Backend) -> &'static str {
    match kind {
        Backend::Prometheus => "/api/v1/query?query=up",
        Backend::Alertmanager => "/api/v2/alerts",
        Backend::Health => "/api/health",
        Backend::Metrics => "/metrics",
    }
}

fn port(server: &FaultServer) -> u16 {
    server.endpoint.rsplit(':').next().unwrap().parse().unwrap()
}

fn get(fault: Fault, kind: Backend) -> std::io::Result<Response> {
    let server = serve(fault, kind);
    http::get(port(&server), path(kind))
}

fn good(kind: Backend) -> Response {
    let stub = Stub::new();
    stub.set_fn("*", "/*", move |request| healthy(kind, request));
    http::get(stub.port(), path(kind)).unwrap()
}

#[test]
fn content_faults_answer_200_and_differ_from_the_good_answer() {
    for &kind in Backend::ALL {
        let good = good(kind);
        assert_eq!(good.status, 200, "{kind:?}");
        for &fault in Fault::ALL.iter().filter(|fault| !fault.is_outage() && fault.applies_to(kind)) {
            let answer = get(fault, kind).unwrap();
            assert_eq!(answer.status, 200, "{kind:?} {fault}");
            let differs = answer.text() != good.text();
            assert!(differs || matches!(fault, Fault::ClockAhead | Fault::ClockBehind), "{kind:?} {fault}");
        }
    }
}

#[test]
fn documents_of_json_backends_parse_exactly_when_they_should() {
    for &kind in &[Backend::Prometheus, Backend::Alertmanager, Backend::Health] {
        for fault in [Fault::HtmlInstead, Fault::Truncated] {
            let answer = get(fault, kind).unwrap();
            let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&answer.body);
            assert!(parsed.is_err(), "{kind:?} {fault}: {}", answer.text());
        }
        for fault in [Fault::WrongTypes, Fault::EmptyResult, Fault::StaleSamples] {
            get(fault, kind).unwrap().json();
        }
    }
}

#[test]
fn statuses_are_sent_as_they_are() {
    for status in [401, 403, 404, 429, 500, 503] {
        for &kind in Backend::ALL {
            assert_eq!(get(Fault::Status(status), kind).unwrap().status, status, "{kind:?}");
        }
    }
    let answer = get(Fault::RedirectLoop, Backend::Health).unwrap();
    assert_eq!(answer.status, 302);
    assert!(answer.headers.contains(&("location".to_owned(), "/api/health".to_owned())));
}

#[test]
fn nobody_listens_when_refused_and_the_name_of_a_dns_failure_is_reserved() {
    let refused = get(Fault::Refused, Backend::Health).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let server = serve(Fault::DnsFailure, Backend::Health);
    assert!(server.endpoint.contains(".invalid:"), "{}", server.endpoint);
}

#[test]
fn slow_and_silent_servers_send_what_they_promise_within_a_second() {
    let cases = [
        (Fault::NeverAnswers, 0..=0),
        (Fault::OneByteASecond, 1..=2),
        // The head at once, and the first byte or two of the body.
        (Fault::BodyOneByteASecond, 50..=250),
    ];
    for (fault, expected) in cases {
        let server = serve(fault, Backend::Health);
        let mut stream = TcpStream::connect(("127.0.0.1", port(&server))).unwrap();
        stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        let (mut bytes, mut buffer) = (0, [0; 4096]);
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            bytes += length;
            if bytes >= *expected.start() {
                break;
            }
        }
        assert!(expected.contains(&bytes), "{fault}: {bytes} bytes");
    }
}

#[test]
fn an_answer_that_breaks_off_is_shorter_than_announced() {
    let answer = get(Fault::ClosesMidway, Backend::Prometheus).unwrap();
    let announced = answer.headers.iter().find(|(name, _)| name == "content-length").unwrap();
    assert!(answer.body.len() < announced.1.parse().unwrap());
}

#[test]
fn a_huge_body_is_a_hundred_megabytes_with_and_without_announcement() {
    for fault in [Fault::HugeBody, Fault::HugeBodyUnannounced] {
        let server = serve(fault, Backend::Prometheus);
        let mut stream = TcpStream::connect(("127.0.0.1", port(&server))).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut buffer = vec![0; 1 << 20];
        let mut total = 0;
        while total < 100_000_000 {
            match stream.read(&mut buffer).unwrap() {
                0 => break,
                length => total += length,
            }
        }
        assert!(total >= 100_000_000, "{fault}: {total}");
    }
}

#[test]
fn a_skewed_clock_shows_in_the_date_header_of_every_backend() {
    for (fault, skew) in [(Fault::ClockAhead, SKEW), (Fault::ClockBehind, -SKEW)] {
        for &kind in Backend::ALL {
            let answer = get(fault, kind).unwrap();
            let (_, date) = answer.headers.iter().find(|(name, _)| name == "date").unwrap();
            let date: DateTime<Utc> = DateTime::parse_from_rfc2822(date).unwrap().into();
            let off = date - DateTime::<Utc>::from(SystemTime::now()) - skew;
            assert!(off.abs() < TimeDelta::seconds(30), "{kind:?} {fault}: {off}");
        }
    }
}

#[test]
fn both_bad_tls_servers_have_an_https_url() {
    for fault in [Fault::TlsToPlain, Fault::SelfSigned] {
        let server = serve(fault, Backend::Prometheus);
        assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    }
}

#[test]
fn a_self_signed_server_serves_whoever_trusts_its_certificate_and_nobody_else() {
    let server = TlsServer::start(|request| healthy(Backend::Health, request));
    let certificate = CertificateDer::from_pem_file(server.certificate()).unwrap();
    let ask = |trusted: &[CertificateDer<'static>]| -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "127.0.0.1".try_into().unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let port: u16 = server.url().rsplit(':').next().unwrap().parse().unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port))?);
        stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    assert!(ask(&[certificate]).unwrap().contains("\"status\":\"healthy\""));
    let error = ask(&[]).unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
}
