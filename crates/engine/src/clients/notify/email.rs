//! E-mail over SMTP (RFC 5321), with TLS where there is a password. A 4yz answer passes, a 5yz answer stays.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use url::Url;

use crate::clients::notify::{Sent, Words};
use liveops_domain::incident::message::Message;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

pub async fn send(url: &str, (from, to): (&str, &[String]), message: &Message, words: &Words, limit: Duration) -> Sent {
    let ready = transport(url, limit).and_then(|transport| {
        let mail = mail(from, to, message, words)?;
        Ok((transport, mail))
    });
    let (transport, mail) = match ready {
        Ok(ready) => ready,
        Err(reason) => return Sent::Refused(reason),
    };
    match tokio::time::timeout(limit, transport.send(mail)).await {
        Ok(Ok(response)) => Sent::Accepted(format!("taken with {}", response.code())),
        Ok(Err(error)) => failure(&error),
        Err(_) => late(limit),
    }
}

/// Connects, says who we are, and sends nothing.
pub async fn probe(url: &str, limit: Duration) -> Sent {
    let transport = match transport(url, limit) {
        Ok(transport) => transport,
        Err(reason) => return Sent::Refused(reason),
    };
    match tokio::time::timeout(limit, transport.test_connection()).await {
        Ok(Ok(true)) => Sent::Accepted("the mail server accepts us; no mail was sent".into()),
        Ok(Ok(false)) => Sent::Later { reason: "the mail server hung up".into(), after: None },
        Ok(Err(error)) => failure(&error),
        Err(_) => late(limit),
    }
}

fn late(limit: Duration) -> Sent {
    Sent::Later { reason: format!("no answer within {} s; it may have arrived", limit.as_secs()), after: None }
}

fn failure(error: &SmtpError) -> Sent {
    // The library's own words hold the server's answer, and no address or password.
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(current) = source {
        let text = current.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        source = current.source();
    }
    if error.is_permanent() || error.is_client() { Sent::Refused(reason) } else { Sent::Later { reason, after: None } }
}

fn transport(url: &str, limit: Duration) -> Result<Transport, String> {
    let bad = || "its URL is not valid: `smtps://user:…@host`, or `smtp://host:587`".to_owned();
    let mut parsed = Url::parse(url).map_err(|_| bad())?;
    let has_password = parsed.password().is_some();
    let is_local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let says_tls = parsed.query_pairs().any(|(name, _)| name == "tls");
    if parsed.scheme() == "smtp" && has_password && !is_local && !says_tls {
        // A password never goes over the wire in the clear.
        parsed.query_pairs_mut().append_pair("tls", "required");
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Transport::from_url(parsed.as_str()).map_err(|_| bad())?.timeout(Some(limit)).build())
}

fn mail(from: &str, to: &[String], message: &Message, words: &Words) -> Result<Mail, String> {
    let mailbox = |text: &str| -> Result<Mailbox, String> {
        text.parse().map_err(|error| format!("`{text}` is no address: {error}"))
    };
    let thread = format!("<{}@liveops>", message.incident);
    let mut builder = Mail::builder()
        .from(mailbox(from)?)
        // The library folds and encodes it, so no line of ours can become a header.
        .subject(words.subject.replace(['\r', '\n'], " "))
        .message_id(Some(format!("<{}@liveops>", message.id)))
        .in_reply_to(thread.clone())
        .references(thread)
        .date(message.at.into())
        .header(ContentType::TEXT_PLAIN);
    for address in to {
        builder = builder.to(mailbox(address)?);
    }
    builder.body(words.body.clone()).map_err(|error| format!("it makes no mail: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::notify::example;

    #[test]
    fn a_title_cannot_become_a_header() {
        let (message, mut words) = example();
        words.subject = "down\r\nBcc: eve@h".into();
        let mail = mail("a@h", &["b@h".into()], &message, &words).expect("a mail");
        let text = String::from_utf8_lossy(&mail.formatted()).into_owned();
        assert!(!text.contains("\nBcc:"), "{text}");
        assert!(text.contains("Message-ID: <m1@liveops>"), "{text}");
        assert!(mail_error("no address").contains("is no address"));
    }

    fn mail_error(to: &str) -> String {
        let (message, words) = example();
        mail("a@h", &[to.into()], &message, &words).expect_err("invalid")
    }
}
