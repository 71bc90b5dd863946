//! A secret that was looked up: it goes on the wire, and never into a text that somebody reads. What was looked up is
//! remembered for the whole run, so that it can be masked in whatever a server, a program or an error says back.

use std::borrow::Cow;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::text::markdown::percent_decoded;
use crate::text::redact::is_secret_name;

/// A shorter value hides nothing, and would blacken words at random.
const SHORTEST: usize = 6;

/// A value that only may be a secret, since it stands in a path or an unknown header, is one from this length on: with
/// letters of both cases, or with digits among letters of one.
const SHORTEST_GUESS: (usize, usize) = (8, 16);

const MASK: &str = "***";

/// All forms of all secrets of this run, the longest first.
static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// A value that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed(String);

impl Revealed {
    /// Hides a value.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, to put on the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Remembers a secret: a password, a token, a key.
pub fn remember(secret: &str) {
    // `Bearer TOKEN`: servers echo the second half.
    let bare = secret.split_once(' ').filter(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphabetic()));
    for part in [secret, bare.map_or(secret, |(_, token)| token)] {
        if part.len() >= SHORTEST {
            let quoted = serde_json::to_string(part).unwrap_or_default();
            let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
            add([part.to_owned(), percent_encoded(part), base64(part.as_bytes()), inner]);
        }
    }
}

/// Remembers a value that is a secret if it looks like one: a token in a path, an unknown header, a user's name.
pub fn remember_if_secret(value: &str) {
    if looks_secret(value) {
        remember(value);
    }
}

/// Remembers what is secret of a URL: its password, what looks like a token in its user, path and query. The host is
/// none: it is what every error must name.
pub fn remember_url(text: &str) {
    let Ok(url) = url::Url::parse(text) else {
        return;
    };
    let user = percent_decoded(url.username());
    match url.password().map(percent_decoded) {
        Some(password) => {
            remember(&password);
            add([base64(format!("{user}:{password}").as_bytes())]);
        }
        // A token that stands alone before the host.
        None => {
            remember_if_secret(&user);
            if looks_secret(&user) {
                add([base64(format!("{user}:").as_bytes())]);
            }
        }
    }
    for segment in url.path().split('/') {
        remember_if_secret(segment);
        remember_if_secret(&percent_decoded(segment));
    }
    for (name, value) in url.query_pairs() {
        if is_secret_name(&name) { remember(&value) } else { remember_if_secret(&value) }
    }
}

/// Long enough for its letters and digits: what people call a thing has few digits, and letters of one case.
pub fn looks_secret(value: &str) -> bool {
    let (short, long) = SHORTEST_GUESS;
    let many = |is: fn(&char) -> bool| value.chars().filter(is).count();
    let (upper, lower, digits) =
        (many(char::is_ascii_uppercase), many(char::is_ascii_lowercase), many(char::is_ascii_digit));
    let word = value.chars().all(|c| c.is_ascii_alphanumeric() || "-_=+/.~%:".contains(c));
    let mixed = upper > 0 && lower > 0 && value.len() >= short;
    word && (mixed || (digits >= 3 && upper + lower >= 3 && value.len() >= long))
}

/// The text without any secret of this run.
pub fn mask(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut out = Cow::Borrowed(text);
    for secret in known.iter() {
        if out.contains(secret.as_str()) {
            out = Cow::Owned(out.replace(secret.as_str(), MASK));
        }
    }
    out
}

/// The same for what is written to a file, where it is text.
pub fn mask_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(bytes).map(mask) {
        Ok(Cow::Owned(masked)) => Cow::Owned(masked.into_bytes()),
        Ok(Cow::Borrowed(_)) | Err(_) => Cow::Borrowed(bytes),
    }
}

/// The same for every text in a value.
pub fn mask_value(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => {
            if let Cow::Owned(masked) = mask(text) {
                *text = masked;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_value),
        Value::Object(members) => members.values_mut().for_each(mask_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn add(forms: impl IntoIterator<Item = String>) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        if form.len() >= SHORTEST && !known.contains(&form) {
            known.push(form);
        }
    }
    known.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Base64 with padding (RFC 4648, 4), as in `Authorization: Basic`.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), want);
        }
    }

    #[test]
    fn what_was_revealed_is_masked_in_all_its_forms() {
        remember("Bearer w0rd9!x");
        remember("other$ecret 1");
        remember_url("https://joe:uncommon5pass@host.example:1/services/T0AbcDef12/x?token=uncommontok&a=game");
        for text in [
            "the token is w0rd9!x.",
            "GET /?k=other%24ecret%201",
            "Authorization: Basic am9lOnVuY29tbW9uNXBhc3M=",
            "uncommon5pass",
            "/services/T0AbcDef12",
            "uncommontok",
        ] {
            let masked = mask(text);
            assert!(masked.contains("***"), "{text}: {masked}");
        }
        for text in ["https://host.example:1 cannot be reached", "services", "game", "joe"] {
            assert_eq!(mask(text), text);
        }
        let mut value = serde_json::json!({ "a": ["x uncommontok y", 1] });
        mask_value(&mut value);
        assert_eq!(value, serde_json::json!({ "a": ["x *** y", 1] }));
    }

    #[test]
    fn names_are_no_secrets() {
        for name in [
            "game-backend",
            "prometheus",
            "api",
            "v1",
            "eu-west-1",
            "Game",
            "2026-11-30T10:00:00Z",
            "prod eu",
            "game-backend-v2",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
        for token in ["T0AbcDef12", "xoxb-123456789012-abc", "CANARYcli"] {
            assert!(looks_secret(token), "{token}");
        }
    }
}
