//! What went wrong by the last lines of logs: structured ones (`level`, `event`), and plain ones by their words. Errors
//! of the same kind are counted together, so that one look shows what is loud.

use serde_json::Value;

/// Errors of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The event or message, its numbers taken out.
    pub what: String,
    pub count: usize,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    pub lines: usize,
    /// The most frequent first.
    pub errors: Vec<Group>,
}

/// Words of plain lines that tell of an error.
const LOUD: [&str; 8] = ["error", "fatal", "panic", "panicked", "exception", "traceback", "critical", "oomkilled"];

/// Longer messages are cut: the beginning says what it is.
const LONGEST: usize = 90;

/// Reads lines as `kubectl logs --prefix` gives them (`[pod/name/container] …`), or without the prefix.
pub fn digest(text: &str) -> Digest {
    let mut digest = Digest::default();
    for line in text.lines() {
        let line = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(line, |(_, said)| said).trim();
        if line.is_empty() {
            continue;
        }
        digest.lines += 1;
        let Some(what) = error_of(line) else {
            continue;
        };
        match digest.errors.iter_mut().find(|group| group.what == what) {
            Some(group) => group.count += 1,
            None => digest.errors.push(Group { what, count: 1 }),
        }
    }
    digest.errors.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.what.cmp(&b.what)));
    digest
}

/// What the line complains of; `None` when it does not.
fn error_of(line: &str) -> Option<String> {
    let structured = serde_json::from_str::<Value>(line).ok().filter(Value::is_object);
    let Some(value) = structured else {
        let lower = line.to_lowercase();
        let loud = lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| LOUD.contains(&word));
        return loud.then(|| kind(line));
    };
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| value[*key].as_str());
        found.map(ToOwned::to_owned)
    };
    let level = text(&["level", "severity", "lvl"]).unwrap_or_default();
    let level = level.to_lowercase();
    let loud = ["err", "fatal", "crit", "panic", "alert", "emerg"].iter().any(|start| level.starts_with(start));
    if !loud {
        return None;
    }
    let event = text(&["event", "message", "msg", "error"]);
    let category = text(&["category"]).filter(|category| category != "error");
    let what = event.unwrap_or_else(|| "an error without a message".into());
    Some(match category {
        Some(category) => kind(&format!("{category}: {what}")),
        None => kind(&what),
    })
}

/// The message without what differs each time: numbers become `#`.
fn kind(message: &str) -> String {
    let mut kind = String::new();
    for c in message.chars() {
        if c.is_ascii_digit() {
            if !kind.ends_with('#') {
                kind.push('#');
            }
        } else {
            kind.push(c);
        }
    }
    if kind.chars().count() > LONGEST {
        kind = kind.chars().take(LONGEST).collect::<String>() + "…";
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_one_kind_are_counted_together() {
        let text = "[pod/game-1/server] {\"level\":\"error\",\"category\":\"websocket\",\"event\":\"send failed after 31 ms\"}\n\
             [pod/game-2/server] {\"level\":\"ERROR\",\"category\":\"websocket\",\"event\":\"send failed after 7 ms\"}\n\
             {\"level\":\"info\",\"event\":\"error rate is fine\"}\n\
             2026-01-15 10:00:00 FATAL: out of memory\n\
             all terrors are imaginary\n\n";
        let digest = digest(text);
        assert_eq!(digest.lines, 5);
        let found: Vec<(&str, usize)> = digest.errors.iter().map(|group| (group.what.as_str(), group.count)).collect();
        assert_eq!(found, [("websocket: send failed after # ms", 2), ("#-#-# #:#:# FATAL: out of memory", 1)]);
    }

    #[test]
    fn any_text_can_be_read() {
        for text in ["", "\n", "[", "[x] ", "{}", "{\"level\":\"error\"}", "[1,2]", "\u{0}error"] {
            digest(text);
        }
        assert_eq!(digest("{\"level\":\"error\"}").errors[0].what, "an error without a message");
    }
}
