//! A webhook of the team's own: one JSON object, signed so that the receiver can tell that it is ours and fresh.
//!
//! `X-Liveops-Signature: v1=<hex>` is HMAC-SHA256 of `<timestamp>.<body>` with the shared secret, the timestamp being
//! that of `X-Liveops-Timestamp` in unix seconds, when this try was made. `Idempotency-Key` is the message's id, the same at each try.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::clients::http::Http;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use crate::clients::notify::{Sent, Words, post, refusal};
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::About;

pub async fn send(
    http: &Http,
    target: &Target,
    secret: Option<&str>,
    (message, words): (&Message, &Words),
    now: DateTime<Utc>,
) -> Sent {
    let body = body(message, words);
    let timestamp = now.timestamp().to_string();
    let mut headers = vec![("idempotency-key", message.id.clone())];
    if let Some(secret) = secret {
        let Some(signature) = sign(secret, &timestamp, &body) else {
            return Sent::Refused("its secret cannot sign".into());
        };
        headers.push(("x-liveops-timestamp", timestamp));
        headers.push(("x-liveops-signature", format!("v1={signature}")));
    }
    let request = Request::deliver("", body.into_bytes()).headers(headers);
    match post(http, target, request).await {
        Ok(answer) if (200..300).contains(&answer.status) => Sent::Accepted(format!("answered {}", answer.status)),
        Ok(answer) => refusal(&answer, &answer.excerpt()),
        Err(sent) => sent,
    }
}

fn body(message: &Message, words: &Words) -> String {
    json!({
        "schema": "liveops.notification/1",
        "test": message.about == About::Test,
        "message": message,
        "subject": words.subject,
        "body": words.body,
    })
    .to_string()
}

fn sign(secret: &str, timestamp: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let signature = mac.finalize().into_bytes();
    Some(signature.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_every_library() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            sign("secret", "1700000000", "{\"a\":1}").as_deref(),
            Some("49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686")
        );
    }
}
