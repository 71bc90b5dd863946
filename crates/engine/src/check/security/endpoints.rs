//! Every endpoint that is configured: its certificates, and whether credentials travel encrypted.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use rustls::RootCertStore;
use url::{Host, Url};

use crate::clients::redis::wire::roots;
use crate::clients::tls::{Refused, Seen, Unseen, look};
use crate::session::Session;
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::check::security::certificate::Certificate;
use liveops_domain::error::Result;

/// An endpoint as it is dialled.
struct Door {
    /// `prometheus (prom.example:443)`.
    subject: String,
    url: Url,
    has_credentials: bool,
    /// The authority that is trusted for it, where one is named.
    ca: Option<std::path::PathBuf>,
}

/// Judges all of them at once.
pub(super) async fn judge(cx: &Session, now: DateTime<Utc>) -> Result<Findings> {
    let mut found = Findings::default();
    let doors = doors(cx, &mut found)?;
    let (limit, _) = cx.timeouts()?;
    found.checked("endpoints", doors.len());
    for door in &doors {
        travel(door, &mut found);
    }
    let encrypted: Vec<&Door> = doors.iter().filter(|door| matches!(door.url.scheme(), "https" | "rediss")).collect();
    let seen = join_all(encrypted.iter().map(|door| shake(door, limit))).await;
    for (door, seen) in encrypted.into_iter().zip(seen) {
        match seen {
            Ok(seen) => chain(door, &seen, now, &mut found),
            Err(Unseen::Silent(why)) => {
                found.silent = true;
                found.unknown("T01", &door.subject, format!("its certificate is not known: {why}"));
            }
            Err(Unseen::Old(why)) => {
                let text = format!("it speaks neither TLS 1.2 nor 1.3 ({why})");
                found.add(Finding::new("T02", Level::High, &door.subject, text).fix("turn on TLS 1.2 and 1.3"));
            }
        }
    }
    Ok(found)
}

fn doors(cx: &Session, found: &mut Findings) -> Result<Vec<Door>> {
    let config = cx.config()?;
    let ca = config.settings.flags.ca.as_ref().map(|place| config.base(&place.origin).join(&place.path));
    let mut known = BTreeSet::new();
    let mut doors = Vec::new();
    for (name, endpoint) in config.settings.endpoints() {
        let url = match config.reveal_url(name, endpoint) {
            Ok(url) => url,
            Err(error) => {
                found.unknown("T01", name, format!("its URL is not known: {}", error.reason()));
                continue;
            }
        };
        let Ok(url) = Url::parse(url.expose()) else { continue };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default().or(port(&url))) else { continue };
        let subject = format!("{name} ({host}:{port})");
        if !known.insert(subject.clone()) {
            continue;
        }
        let has_credentials = !endpoint.headers.is_empty() || url.password().is_some();
        let ca = ca.clone().filter(|_| name == "flags");
        doors.push(Door { subject, url, has_credentials, ca });
    }
    Ok(doors)
}

fn port(url: &Url) -> Option<u16> {
    matches!(url.scheme(), "redis" | "rediss").then_some(6379)
}

/// Is it this machine? What does not leave it needs no encryption.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn travel(door: &Door, found: &mut Findings) {
    if !matches!(door.url.scheme(), "http" | "redis") || is_here(&door.url) {
        return;
    }
    let (level, why) = match door.has_credentials {
        true => (Level::High, "credentials are sent to it without encryption"),
        false => (Level::Low, "it is asked without encryption: who is between can read and change its answers"),
    };
    let fix = format!("use `{}s://`", door.url.scheme());
    found.add(Finding::new("L02", level, &door.subject, why).fix(fix));
}

async fn shake(door: &Door, limit: Duration) -> std::result::Result<Seen, Unseen> {
    let silent = |error: std::io::Error| Unseen::Silent(error.to_string());
    let roots: RootCertStore = roots(door.ca.as_deref()).map_err(silent)?;
    let host = door.url.host_str().unwrap_or_default();
    let port = door.url.port_or_known_default().or(port(&door.url)).unwrap_or(443);
    look(host, port, roots, limit).await
}

fn chain(door: &Door, seen: &Seen, now: DateTime<Utc>, found: &mut Findings) {
    let subject = &door.subject;
    let chain: Vec<Certificate> = seen.chain.iter().filter_map(|der| Certificate::read(der)).collect();
    if chain.len() != seen.chain.len() {
        found.unknown("T01", subject, "a certificate of its chain cannot be read");
    }
    for (at, certificate) in chain.iter().enumerate() {
        let root = at > 0 && certificate.self_signed;
        certificate.judge(subject, root, now).into_iter().for_each(|finding| found.add(finding));
    }
    let own = chain.first();
    let bad = |level: Level, why: String, fix: &str| Finding::new("T01", level, subject, why).fix(fix);
    match &seen.refused {
        // Said by the certificates themselves.
        None | Some(Refused::Time) => {}
        Some(Refused::Other(_)) if found.findings.iter().any(|one| one.id == "T02" && one.subject == *subject) => {}
        Some(Refused::Name) => {
            let names = own.map(|own| own.names.join(", ")).unwrap_or_default();
            let why = format!("its certificate is for {names}, not for {}", door.url.host_str().unwrap_or_default());
            found.add(bad(
                Level::Blocker,
                why,
                "use one of its names in the URL, or have the name put into the certificate",
            ));
        }
        Some(why) if *why == Refused::Issuer || own.is_some_and(|own| own.self_signed) => {
            let issuer =
                own.filter(|own| own.self_signed).map_or("by nobody whom this machine trusts", |_| "by itself");
            let why = format!("its certificate is signed {issuer}, or its chain is not whole");
            found.add(bad(Level::High, why, "serve the whole chain, or trust its authority on this machine"));
        }
        Some(why) => {
            let why = if let Refused::Other(why) = why { why } else { "" };
            let fix = "have the certificate issued anew";
            found.add(bad(Level::High, format!("clients refuse its certificate: {why}"), fix));
        }
    }
}
