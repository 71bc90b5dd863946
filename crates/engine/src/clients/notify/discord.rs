//! Discord's webhooks: <https://discord.com/developers/docs/resources/webhook#execute-webhook>. The URL is the
//! password. `wait=true` makes it answer with the message, so that an answer means that it is posted.

use serde_json::{Value, json};

use crate::clients::http::Http;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use crate::clients::notify::{Sent, Words, cut_escaped, no_yes, post, refusal};
use liveops_domain::incident::message::Message;
use liveops_domain::incident::severity::Severity;

/// Characters of an embed's title.
const TITLE: usize = 256;

/// Characters of an embed's description.
const DESCRIPTION: usize = 4_096;

pub async fn send(http: &Http, target: &Target, message: &Message, words: &Words) -> Sent {
    let request =
        Request::deliver("", body(message, words).to_string().into_bytes()).query(vec![("wait".into(), "true".into())]);
    let answer = match post(http, target, request).await {
        Ok(answer) => answer,
        Err(sent) => return sent,
    };
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        204 => return Sent::Accepted("posted".into()),
        200..=299 if said["id"].is_string() => return Sent::Accepted("posted".into()),
        200..=299 => return no_yes(&answer, "the message"),
        _ => {}
    }
    let words = said["message"].as_str().map_or_else(|| answer.excerpt(), ToOwned::to_owned);
    refusal(&answer, &words)
}

/// What Discord's Markdown would take for its own. A link stays as it is: an escaped one leads elsewhere.
fn escape(c: char, in_link: bool) -> Option<&'static str> {
    Some(match c {
        '_' | '~' | '#' if in_link => return None,
        '\\' => "\\\\",
        '*' => "\\*",
        '_' => "\\_",
        '~' => "\\~",
        '`' => "\\`",
        '|' => "\\|",
        '>' => "\\>",
        '#' => "\\#",
        '[' => "\\[",
        ']' => "\\]",
        '<' => "\\<",
        _ => return None,
    })
}

fn body(message: &Message, words: &Words) -> Value {
    let colour = match message.severity {
        Severity::P1 => 0x00d7_263d,
        Severity::P2 => 0x00f4_6036,
        Severity::P3 => 0x00f7_c548,
        Severity::P4 => 0x0083_8383,
    };
    json!({
        "embeds": [{
            "title": cut_escaped(&words.subject, TITLE, escape),
            "description": cut_escaped(&words.body, DESCRIPTION, escape),
            "color": colour,
            "footer": { "text": message.incident },
            "timestamp": message.at.to_rfc3339(),
        }],
        // Whatever a label says, nobody is pinged by it.
        "allowed_mentions": { "parse": [] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::notify::example;

    #[test]
    fn markdown_is_escaped_and_nobody_is_pinged() {
        let (message, mut words) = example();
        let sent = body(&message, &words);
        assert_eq!(sent["embeds"][0]["description"], "it is \\*down\\* & \\<gone\\>");
        assert_eq!(sent["allowed_mentions"], json!({ "parse": [] }));
        let link = "https://wiki.example.com/run_books/too_many_5xx#what_to_do";
        words.body = format!("_see_ {link}\n[{link}](https://x_y)");
        let said = body(&message, &words)["embeds"][0]["description"].clone();
        assert_eq!(said, format!("\\_see\\_ {link}\n\\[{link}\\](https://x_y)"), "no label makes a link of its own");
        words.subject = "*".repeat(500);
        words.body = "x".repeat(9_000);
        let sent = body(&message, &words);
        let length = |name: &str| sent["embeds"][0][name].as_str().expect("text").chars().count();
        assert!(length("title") <= TITLE && length("description") <= DESCRIPTION);
    }
}
