//! Ways to reach people. Each says what a service's answer means: taken, refused for good, or worth another try.

mod discord;
mod email;
mod exec;
mod pagerduty;
mod slack;
mod webhook;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::change::confirmed::Confirmed;
use crate::clients::http::Http;
use crate::clients::http::answer::Answer;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use liveops_domain::error::{Barrier, Error, Result};
use liveops_domain::incident::message::Message;
use liveops_domain::text::secret::Revealed;

/// A channel with its secrets, ready to be used.
#[derive(Debug)]
pub enum Transport {
    Slack(Target),
    Discord(Target),
    PagerDuty {
        target: Target,
        key: Revealed,
    },
    Webhook {
        target: Target,
        secret: Option<Revealed>,
    },
    Email {
        url: Revealed,
        from: String,
        to: Vec<String>,
        hello: Option<String>,
    },
    Exec {
        command: Vec<String>,
        /// Where programs are looked for: `PATH`.
        path: String,
    },
}

/// The words of a message, as the templates have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    pub body: String,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The service has it. Whether a phone rang is beyond what it says.
    Accepted(String),
    /// It will never take it.
    Refused(String),
    /// It may take it later; after this time, if it said one.
    Later { reason: String, after: Option<Duration> },
    /// No answer came: it may have arrived, and is tried again.
    Unanswered(String),
}

/// Sends a message, once.
pub async fn send(
    http: &Http,
    transport: &Transport,
    message: &Message,
    words: &Words,
    now: DateTime<Utc>,
    _: &Confirmed,
) -> Sent {
    match transport {
        Transport::Slack(target) => slack::send(http, target, message, words).await,
        Transport::Discord(target) => discord::send(http, target, message, words).await,
        Transport::PagerDuty { target, key } => pagerduty::send(http, target, key.expose(), message, words).await,
        Transport::Webhook { target, secret } => {
            let secret = secret.as_ref().map(Revealed::expose);
            webhook::send(http, target, secret, (message, words), now).await
        }
        Transport::Email { url, from, to, hello } => {
            let envelope = email::Envelope { from, to, hello: hello.as_deref() };
            email::send(url.expose(), &envelope, message, words, http.call_timeout()).await
        }
        Transport::Exec { command, .. } => exec::send(command, message, words, http.call_timeout()).await,
    }
}

/// Proves as much of a way as can be proved without calling anybody.
pub async fn probe(
    http: &Http,
    transport: &Transport,
    message: &Message,
    words: &Words,
    now: DateTime<Utc>,
    confirmed: &Confirmed,
) -> Sent {
    match transport {
        Transport::PagerDuty { target, key } => pagerduty::probe(http, target, key.expose(), message).await,
        Transport::Email { url, hello, .. } => email::probe(url.expose(), hello.as_deref(), http.call_timeout()).await,
        Transport::Exec { command, path } => exec::probe(command, path),
        Transport::Slack(_) | Transport::Discord(_) | Transport::Webhook { .. } => {
            send(http, transport, message, words, now, confirmed).await
        }
    }
}

/// Posts a body, and says of a failure what it means. `refused` says which answers are final; their words are the
/// service's own.
async fn post(http: &Http, target: &Target, request: Request) -> std::result::Result<Answer, Sent> {
    let answer: Result<Answer> = http.send(target, request.insist()).await;
    answer.map_err(|error| match error {
        Error::Timeout { .. } | Error::Unreachable { barrier: Barrier::Broke, .. } => {
            Sent::Unanswered(format!("{}; it may have arrived", error.reason()))
        }
        error => Sent::Later { reason: error.reason(), after: None },
    })
}

/// What an answer means that says no: 408, 425, 429 and 5xx pass, the others stay. A gateway that had no answer does not
/// know whether it arrived.
fn refusal(answer: &Answer, said: &str) -> Sent {
    let reason = match said {
        "" => format!("answered {}", answer.status),
        said => format!("answered {}: {said}", answer.status),
    };
    match answer.status {
        502 | 504 => Sent::Unanswered(format!("{reason}; it may have arrived")),
        408 | 425 | 429 | 500.. => Sent::Later { reason, after: pause(answer) },
        _ => Sent::Refused(reason),
    }
}

/// How long to wait: Discord and Slack say it in the body, too, and more exactly.
fn pause(answer: &Answer) -> Option<Duration> {
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let seconds = said["retry_after"].as_f64();
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).or(answer.retry_after)
}

/// What an answer of 200 means that is not the service's yes: a web page comes from something between, which passes;
/// anything else is not sent again, since it may be posted.
fn no_yes(answer: &Answer, yes: &str) -> Sent {
    let is_page = answer.text().trim_start().starts_with('<') || answer.content_type.starts_with("text/html");
    if is_page {
        return Sent::Later { reason: format!("answered with a web page instead of {yes}"), after: None };
    }
    Sent::Refused(format!("answered `{}` instead of {yes}; it may have arrived", answer.excerpt()))
}

/// At most `most` characters, with `…` in place of the last ones. Never cuts a character.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// As [`cut`], of text that grows when it is escaped: what is escaped is never cut in two. `escape` is told whether the
/// character is of a link.
fn cut_escaped(text: &str, most: usize, escape: impl Fn(char, bool) -> Option<&'static str>) -> String {
    let mut out = String::new();
    let mut length = 0;
    let mut in_link = false;
    for (at, c) in text.char_indices() {
        let begins = || ["http://", "https://"].iter().any(|scheme| text[at..].starts_with(scheme));
        in_link = if in_link { c.is_ascii_alphanumeric() || "-._~:/?#@!$&+,;=%".contains(c) } else { begins() };
        let escaped = escape(c, in_link);
        length += escaped.map_or(1, |text| text.chars().count());
        if length >= most {
            out.push('…');
            break;
        }
        match escaped {
            Some(escaped) => out.push_str(escaped),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub fn example() -> (Message, Words) {
    use liveops_domain::incident::notice::About;
    use liveops_domain::incident::severity::Severity;
    let message = Message {
        id: "m1".into(),
        about: About::Opened,
        page: true,
        incident: "2026-11-22-p1-down".into(),
        title: "<!channel> & @everyone".into(),
        severity: Severity::P1,
        phase: "open".into(),
        environment: "prod".into(),
        service: Some("match".into()),
        alert: None,
        runbook: Some("https://wiki/x".into()),
        text: "it is down".into(),
        by: "ada".into(),
        at: "2026-11-22T03:12:00Z".parse().expect("a time"),
        keys: vec!["liveops/prod/2026-11-22-p1-down".into()],
        earlier: Vec::new(),
        command: "liveops incident show".into(),
    };
    let words = Words { subject: "P1 opened: <!channel> & @everyone".into(), body: "it is *down* & <gone>".into() };
    (message, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cut_in_the_middle() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        let amp = |c: char, _: bool| (c == '&').then_some("&amp;");
        assert_eq!(cut_escaped("a&b", 100, amp), "a&amp;b");
        assert_eq!(cut_escaped("a&&&&", 8, amp), "a&amp;…");
    }
}
