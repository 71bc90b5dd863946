//! E-mail over SMTP (RFC 5321), with TLS where there is a password. A 4yz answer passes, a 5yz answer stays.

use std::time::Duration;

use futures_util::future::join_all;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};
use tokio::sync::oneshot;
use url::Url;

use crate::clients::notify::{Sent, Words};
use liveops_domain::incident::message::Message;

/// Who sends to whom, and how the sender calls itself.
pub struct Envelope<'a> {
    pub from: &'a str,
    pub to: &'a [String],
    /// The name in `EHLO`, where a server wants another than that of the machine.
    pub hello: Option<&'a str>,
}

/// A mail to each address: one that is refused takes no other along.
pub async fn send(url: &str, envelope: &Envelope<'_>, message: &Message, words: &Words, limit: Duration) -> Sent {
    let transport = match transport(url, envelope.hello, limit) {
        Ok(transport) => transport,
        Err(reason) => return Sent::Refused(reason),
    };
    let mails = envelope.to.iter().map(|to| async {
        let mail = match mail(envelope.from, to, message, words) {
            Ok(mail) => mail,
            Err(reason) => return Sent::Refused(reason),
        };
        let transport = transport.clone();
        match within(limit, move || transport.send(&mail)).await {
            Some(Ok(response)) => Sent::Accepted(format!("taken with {}", response.code())),
            Some(Err(error)) => failure(&error),
            None => late(limit),
        }
    });
    together(envelope.to, join_all(mails).await)
}

/// Taken, where one address is reached; the others are named.
fn together(to: &[String], all: Vec<Sent>) -> Sent {
    let is_taken = |sent: &Sent| matches!(sent, Sent::Accepted(_));
    let taken = all.iter().filter(|sent| is_taken(sent)).count();
    let named: Vec<String> = to
        .iter()
        .zip(&all)
        .filter_map(|(to, sent)| match sent {
            Sent::Accepted(_) => None,
            Sent::Refused(reason) | Sent::Unanswered(reason) | Sent::Later { reason, .. } => {
                Some(format!("NOT to {to}: {reason}"))
            }
        })
        .collect();
    let worst = all.into_iter().reduce(|one, other| match (&one, &other) {
        // What passes is tried again, for all.
        (Sent::Refused(_), Sent::Later { .. } | Sent::Unanswered(_)) => other,
        (Sent::Accepted(_), _) => other,
        _ => one,
    });
    match worst {
        Some(one) if to.len() == 1 => one,
        _ if taken > 0 => Sent::Accepted(
            std::iter::once(format!("taken for {taken} of {}", to.len())).chain(named).collect::<Vec<_>>().join("; "),
        ),
        Some(Sent::Later { after, .. }) => Sent::Later { reason: named.join("; "), after },
        Some(Sent::Unanswered(_)) => Sent::Unanswered(named.join("; ")),
        _ => Sent::Refused(named.join("; ")),
    }
}

/// Connects, says who we are, and sends nothing.
pub async fn probe(url: &str, hello: Option<&str>, limit: Duration) -> Sent {
    let transport = match transport(url, hello, limit) {
        Ok(transport) => transport,
        Err(reason) => return Sent::Refused(reason),
    };
    match within(limit, move || transport.test_connection()).await {
        Some(Ok(true)) => Sent::Accepted("the mail server accepts us; no mail was sent".into()),
        Some(Ok(false)) => Sent::Later { reason: "the mail server hung up".into(), after: None },
        Some(Err(error)) => failure(&error),
        None => late(limit),
    }
}

/// Asks on a thread of its own. An answer that never ends keeps the library busy, and on the same thread no deadline
/// would come; what is late is left behind.
async fn within<T: Send + 'static>(limit: Duration, ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, answer) = oneshot::channel();
    let asking = std::thread::Builder::new().spawn(move || {
        // Nobody waits any more when it was too slow.
        let _ = sender.send(ask());
    });
    asking.ok()?;
    tokio::time::timeout(limit, answer).await.ok()?.ok()
}

fn late(limit: Duration) -> Sent {
    Sent::Unanswered(format!("no answer within {} s; it may have arrived", limit.as_secs()))
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
    if let Some(hint) = hint(&reason) {
        reason = format!("{reason}; {hint}");
    }
    if error.is_permanent() || error.is_client() { Sent::Refused(reason) } else { Sent::Later { reason, after: None } }
}

/// What to write instead, where the words are of TLS: the server wants it, has none, or has it from the first byte.
fn hint(reason: &str) -> Option<&'static str> {
    match reason {
        _ if reason.contains("STARTTLS is not supported") => {
            Some("it offers no TLS after the greeting: write `smtps://` for port 465, if it has that")
        }
        _ if reason.to_uppercase().contains("STARTTLS") => {
            Some("it wants TLS: write `smtp://…?tls=required`, or `smtps://` for port 465")
        }
        _ if reason.contains("InvalidContentType") => {
            Some("it does not begin with TLS: write `smtp://…?tls=required` for ports 587 and 25")
        }
        _ => None,
    }
}

fn transport(url: &str, hello: Option<&str>, limit: Duration) -> Result<SmtpTransport, String> {
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
    let mut builder = SmtpTransport::from_url(parsed.as_str()).map_err(|_| bad())?.timeout(Some(limit));
    if let Some(name) = hello {
        builder = builder.hello_name(ClientId::Domain(name.to_owned()));
    }
    Ok(builder.build())
}

/// RFC 3834: no vacation notice answers what a machine sends.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn mail(from: &str, to: &str, message: &Message, words: &Words) -> Result<Mail, String> {
    let mailbox = |text: &str| -> Result<Mailbox, String> {
        text.parse().map_err(|error| format!("`{text}` is no address: {error}"))
    };
    let thread = format!("<{}@liveops>", message.incident);
    Mail::builder()
        .from(mailbox(from)?)
        // The library folds and encodes it, so no line of ours can become a header.
        .subject(words.subject.replace(['\r', '\n'], " "))
        .message_id(Some(format!("<{}@liveops>", message.id)))
        .in_reply_to(thread.clone())
        .references(thread)
        .date(message.at.into())
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .to(mailbox(to)?)
        .body(words.body.clone())
        .map_err(|error| format!("it makes no mail: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::notify::example;

    #[test]
    fn a_title_cannot_become_a_header() {
        let (message, mut words) = example();
        words.subject = "down\r\nBcc: eve@h".into();
        let mail = mail("a@h", "b@h", &message, &words).expect("a mail");
        let text = String::from_utf8_lossy(&mail.formatted()).into_owned();
        assert!(!text.contains("\nBcc:"), "{text}");
        assert!(text.contains("Message-ID: <m1@liveops>"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        assert!(mail_error("no address").contains("is no address"));
    }

    #[test]
    fn one_address_that_is_refused_takes_no_other_along() {
        let to = ["a@h".to_owned(), "b@h".to_owned()];
        let (yes, no) = (|| Sent::Accepted("taken with 250".into()), || Sent::Refused("no such user".into()));
        let later = || Sent::Later { reason: "greylisted".into(), after: None };
        assert_eq!(
            together(&to, vec![yes(), no()]),
            Sent::Accepted("taken for 1 of 2; NOT to b@h: no such user".into())
        );
        assert_eq!(together(&to[..1], vec![no()]), no());
        assert!(matches!(together(&to, vec![no(), no()]), Sent::Refused(_)));
        assert!(matches!(together(&to, vec![no(), later()]), Sent::Later { .. }));
        assert!(matches!(together(&to, vec![later(), no()]), Sent::Later { .. }));
    }

    #[test]
    fn a_hint_says_what_to_write_instead() {
        for (reason, want) in [
            ("permanent error (530): 5.7.0 Must issue a STARTTLS command first", Some("tls=required")),
            ("internal client error: STARTTLS is not supported on this server", Some("smtps://")),
            ("Connection error: received corrupt message of type InvalidContentType", Some("tls=required")),
            ("permanent error (550): no such user", None),
        ] {
            assert_eq!(hint(reason).is_some(), want.is_some(), "{reason}");
            assert!(hint(reason).unwrap_or_default().contains(want.unwrap_or_default()), "{reason}");
        }
    }

    fn mail_error(to: &str) -> String {
        let (message, words) = example();
        mail("a@h", to, &message, &words).expect_err("invalid")
    }
}
