//! PagerDuty's Events API v2: <https://developer.pagerduty.com/docs/events-api-v2/overview/>. An answer of 202 means that
//! it is queued there, not that a phone rang. Every event carries its key, so that a second try makes no second page.

use serde_json::{Value, json};

use crate::clients::http::Http;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use crate::clients::notify::{Sent, Words, cut, post, refusal};
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::severity::Severity;

/// Characters of a summary.
const SUMMARY: usize = 1_024;

/// Bytes of a key.
const KEY: usize = 255;

/// Characters of the details: the whole event may have 512 kB.
const DETAILS: usize = 64_000;

pub async fn send(http: &Http, target: &Target, routing_key: &str, message: &Message, words: &Words) -> Sent {
    let action = match message.about {
        About::Acked | About::Mitigated => "acknowledge",
        About::Resolved => "resolve",
        _ => "trigger",
    };
    let mut all = Sent::Accepted("nothing to say".into());
    for key in &message.keys {
        let event = event(routing_key, action, key, message, words);
        let sent = enqueue(http, target, &event).await;
        // One key that fails keeps no other from being told; all are told again, which does no harm.
        if matches!(all, Sent::Accepted(_)) {
            all = sent;
        }
    }
    all
}

/// The end of something that never began: PagerDuty takes it and drops it, so nobody is called.
pub async fn probe(http: &Http, target: &Target, routing_key: &str, message: &Message) -> Sent {
    let event = json!({
        "routing_key": routing_key,
        "event_action": "resolve",
        "dedup_key": fit(&format!("liveops/test/{}", message.id)),
    });
    match enqueue(http, target, &event).await {
        Sent::Accepted(_) => {
            Sent::Accepted("takes events; that it calls the right people, only `--for-real` can prove".into())
        }
        sent => sent,
    }
}

async fn enqueue(http: &Http, target: &Target, event: &Value) -> Sent {
    let request = Request::deliver("v2/enqueue", event.to_string().into_bytes());
    let answer = match post(http, target, request).await {
        Ok(answer) => answer,
        Err(sent) => return sent,
    };
    if answer.status == 202 {
        return Sent::Accepted("queued by PagerDuty".into());
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let errors: Vec<&str> = said["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let words = match (errors.is_empty(), said["message"].as_str()) {
        (false, _) => errors.join("; "),
        (true, Some(message)) => message.to_owned(),
        (true, None) => answer.excerpt(),
    };
    if (200..300).contains(&answer.status) {
        return Sent::Later { reason: format!("answered {} instead of 202: {words}", answer.status), after: None };
    }
    refusal(&answer, &words)
}

/// A key that is too long is cut to its end, which tells incidents apart.
fn fit(key: &str) -> &str {
    let mut from = key.len().saturating_sub(KEY);
    while !key.is_char_boundary(from) {
        from += 1;
    }
    &key[from..]
}

fn event(routing_key: &str, action: &str, key: &str, message: &Message, words: &Words) -> Value {
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": fit(key),
    });
    if action != "trigger" {
        return event;
    }
    let severity = match message.severity {
        Severity::P1 => "critical",
        Severity::P2 => "error",
        Severity::P3 => "warning",
        Severity::P4 => "info",
    };
    event["payload"] = json!({
        "summary": cut(&words.subject, SUMMARY),
        "source": message.environment,
        "severity": severity,
        "timestamp": message.at.to_rfc3339(),
        "component": message.service,
        "group": message.environment,
        "class": message.alert,
        "custom_details": {
            "incident": message.incident,
            "text": cut(&words.body, DETAILS),
            "opened_by": message.by,
            "command": message.command,
        },
    });
    event["client"] = json!("liveops");
    if let Some(runbook) = message.runbook.as_deref().filter(|link| link.starts_with("http")) {
        event["links"] = json!([{ "href": runbook, "text": "Runbook" }]);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::notify::example;

    #[test]
    fn an_event_has_its_key_and_keeps_the_limits() {
        let (message, mut words) = example();
        words.subject = "é".repeat(3_000);
        words.body = "x".repeat(600_000);
        let sent = event("k", "trigger", &message.keys[0], &message, &words);
        assert_eq!(sent["dedup_key"], "liveops/prod/2026-11-22-p1-down");
        assert_eq!(sent["payload"]["severity"], "critical");
        assert_eq!(sent["links"][0]["href"], "https://wiki/x");
        let summary = sent["payload"]["summary"].as_str().expect("text");
        assert_eq!(summary.chars().count(), SUMMARY);
        assert!(sent.to_string().len() < 512_000);
        let resolved = event("k", "resolve", &"é".repeat(300), &message, &words);
        assert!(resolved.get("payload").is_none());
        assert!(resolved["dedup_key"].as_str().expect("text").len() <= KEY);
    }
}
