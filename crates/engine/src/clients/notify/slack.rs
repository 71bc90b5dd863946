//! Slack's incoming webhooks. Errors are plain text; the URL is the password, so it is never shown.
//! Limits and errors: <https://api.slack.com/messaging/webhooks>, <https://api.slack.com/reference/block-kit/blocks>.

use serde_json::{Value, json};

use crate::clients::http::Http;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use crate::clients::notify::{Sent, Words, cut, cut_escaped, no_yes, post, refusal};
use liveops_domain::incident::message::Message;

/// Characters of a header block.
const HEADER: usize = 150;

/// Characters of a section.
const SECTION: usize = 3_000;

pub async fn send(http: &Http, target: &Target, message: &Message, words: &Words) -> Sent {
    let request = Request::deliver("", body(message, words).to_string().into_bytes());
    let answer = match post(http, target, request).await {
        Ok(answer) => answer,
        Err(sent) => return sent,
    };
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200 if answer.text().trim() == "ok" => Sent::Accepted("posted".into()),
        // Slack's workflows, and Rocket.Chat, which takes the same messages.
        200 if said["ok"] == true || said["success"] == true => Sent::Accepted("posted".into()),
        200..=299 => match said["error"].as_str() {
            Some(error) => Sent::Refused(format!("answered {}: {error}", answer.status)),
            None => no_yes(&answer, "`ok`"),
        },
        _ => refusal(&answer, &answer.excerpt()),
    }
}

/// Only `& < >` need escaping; then no label can call `<!channel>`.
fn escape(c: char, _: bool) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

fn body(message: &Message, words: &Words) -> Value {
    let text = |most, text: &str| cut_escaped(text, most, escape);
    let context = format!("{} · {} · {}", message.incident, message.by, message.at.format("%Y-%m-%d %H:%M:%SZ"));
    json!({
        // What a phone shows.
        "text": text(SECTION, &words.subject),
        "blocks": [
            // A header is plain text, and Slack escapes it by itself.
            { "type": "header", "text": { "type": "plain_text", "text": cut(&words.subject, HEADER), "emoji": false } },
            { "type": "section", "text": { "type": "mrkdwn", "text": text(SECTION, &words.body), "verbatim": true } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": text(SECTION, &context), "verbatim": true }] },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::notify::example;

    #[test]
    fn nobody_is_pinged_by_a_label_and_limits_hold() {
        let (message, mut words) = example();
        let sent = body(&message, &words);
        assert_eq!(sent["text"], "P1 opened: &lt;!channel&gt; &amp; @everyone");
        assert_eq!(sent["blocks"][1]["text"]["text"], "it is *down* &amp; &lt;gone&gt;");
        words.subject = "x".repeat(500);
        words.body = "<".repeat(5_000);
        let sent = body(&message, &words);
        let length = |text: &Value| text.as_str().expect("text").chars().count();
        assert_eq!(length(&sent["blocks"][0]["text"]["text"]), HEADER);
        let section = &sent["blocks"][1]["text"]["text"];
        assert!(length(section) <= SECTION);
        assert!(section.as_str().expect("text").ends_with("&lt;…"));
        assert!(sent.to_string().chars().count() < 8_000);
    }
}
