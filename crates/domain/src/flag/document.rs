//! The bytes of one flag, edited member by member: order, precision, spacing and everything that liveops does not know
//! stay as somebody else wrote them.

use serde::Deserialize as _;
use serde_json::value::RawValue;

use crate::flag::js::key;
use crate::flag::layout::{Item, append, items, without};

/// A JSON object, as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    text: String,
    members: Vec<(String, Item)>,
    duplicates: Vec<String>,
}

/// Why bytes are no flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it is empty")]
    Empty,
    #[error("it is not UTF-8 (byte {0})")]
    Encoding(usize),
    #[error("it is not JSON: {0}")]
    Json(String),
    #[error("it is {0}, where an object `{{…}}` is meant")]
    Kind(&'static str),
}

impl Document {
    /// Reads the bytes of a flag. Numbers of any size and texts with half a surrogate pair pass, as they do in the
    /// services.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|error| Malformed::Encoding(error.valid_up_to()))?;
        if text.is_empty() {
            return Err(Malformed::Empty);
        }
        check(text)?;
        let first = text.trim_start_matches([' ', '\t', '\n', '\r']).bytes().next();
        match first {
            Some(b'{') => Ok(Self::of(text.to_owned())),
            Some(b'[') => Err(Malformed::Kind("an array")),
            Some(b'"') => Err(Malformed::Kind("a string")),
            Some(b'n') => Err(Malformed::Kind("null")),
            Some(b't' | b'f') => Err(Malformed::Kind("a boolean")),
            _ => Err(Malformed::Kind("a number")),
        }
    }

    /// The text must be a valid object.
    fn of(text: String) -> Self {
        let name = |item: Item| (key(&text[item.key.clone()]), item);
        let members: Vec<(String, Item)> = items(&text).into_iter().map(name).collect();
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
        let mut duplicates: Vec<String> = twice.map(|pair| pair[0].to_owned()).collect();
        duplicates.dedup();
        Self { text, members, duplicates }
    }

    /// An object without members.
    pub fn empty() -> Self {
        Self::of("{}".into())
    }

    /// The raw JSON of a member; of several with one name the last, as for `JSON.parse`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, item) = self.members.iter().rev().find(|(key, _)| key == name)?;
        self.text.get(item.value.clone())
    }

    /// The members in order, with their raw JSON; duplicates included.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(name, item)| (name.as_str(), &self.text[item.value.clone()]))
    }

    /// Sets a member to a valid JSON text, in its place; a new one is put at the end.
    pub fn set(&mut self, name: &str, raw_json: &str) {
        let text = match self.members.iter().rev().find(|(key, _)| key == name) {
            Some((_, item)) => {
                let mut text = self.text.clone();
                text.replace_range(item.value.clone(), raw_json);
                text
            }
            None => append(&self.text, &quoted(name), raw_json),
        };
        *self = Self::of(text);
    }

    /// Takes a member away, all of its name.
    pub fn remove(&mut self, name: &str) {
        let places: Vec<usize> = (0..self.members.len()).filter(|place| self.members[*place].0 == name).collect();
        if !places.is_empty() {
            *self = Self::of(without(&self.text, &places));
        }
    }

    /// Names that stand more than once, in order of the alphabet.
    pub fn duplicates(&self) -> &[String] {
        &self.duplicates
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The bytes, without copying.
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

/// Is it JSON? Without building it, so that neither the size of numbers nor depth matters.
fn check(text: &str) -> Result<(), Malformed> {
    let json = |error: serde_json::Error| Malformed::Json(error.to_string());
    let mut reader = serde_json::Deserializer::from_str(text);
    <&RawValue>::deserialize(&mut reader).map_err(json)?;
    reader.end().map_err(json)
}

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_edit_touches_its_member_only() {
        let text = "{\n  \"big\": 12345678901234567890123, \"huge\":1e400 ,\n  \"enabled\" : true,\"allowlist\":[ ],\n  \"odd\": \"\\ud800\"\n}\n";
        let mut edited = document(text);
        edited.set("enabled", "false");
        assert_eq!(edited.text(), text.replace("true", "false"));
        edited.set("percentage", "10");
        assert_eq!(
            edited.text(),
            text.replace("true", "false").replace("\"\\ud800\"\n", "\"\\ud800\",\n  \"percentage\": 10\n")
        );
        edited.remove("percentage");
        edited.set("enabled", "true");
        assert_eq!(edited.text(), text);
        edited.remove("big");
        assert!(edited.text().starts_with("{\n  \"huge\":1e400 ,"), "{}", edited.text());
    }

    #[test]
    fn the_last_of_duplicates_counts() {
        let mut edited = document("{\"a\":1,\"a\":2,\"\\u0061\":3,\"b\":4}");
        assert_eq!(edited.duplicates(), ["a"]);
        assert_eq!(edited.get("a"), Some("3"));
        edited.set("a", "9");
        assert_eq!(edited.text(), "{\"a\":1,\"a\":2,\"\\u0061\":9,\"b\":4}");
        edited.remove("a");
        assert_eq!(edited.text(), "{\"b\":4}");
        edited.remove("b");
        assert_eq!(edited.text(), "{}");
        edited.set("c", "1");
        assert_eq!(edited.text(), "{\"c\":1}");
    }

    #[test]
    fn what_no_reader_takes_is_refused() {
        for (bytes, error) in [
            (&b""[..], "it is empty"),
            (b"[]", "it is an array, where an object `{…}` is meant"),
            (b"null", "it is null, where an object `{…}` is meant"),
            (b"{\"a\":\xff}", "it is not UTF-8 (byte 5)"),
        ] {
            assert_eq!(Document::parse(bytes).unwrap_err().to_string(), error);
        }
        for bytes in ["{", "{\"a\":1}x", "{'a':1}", "{\"a\":01}", "{\"a\":1,}", "\u{feff}{}", "{\"a\":NaN}", "   "] {
            assert!(matches!(Document::parse(bytes.as_bytes()), Err(Malformed::Json(_))), "{bytes}");
        }
    }

    #[test]
    fn depth_does_not_overflow() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(document(&deep).members().count(), 1);
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("1e400".to_owned()),
            Just("-0.10".to_owned()),
            Just("\"\\ud83d\"".to_owned()),
            Just("[ ]".to_owned()),
            "[0-9]{1,25}".prop_map(|digits| format!("1{digits}")),
            any::<String>().prop_map(|text| quoted(&text)),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(" , "))),
                prop::collection::vec((any::<String>(), inner), 0..4).prop_map(object),
            ]
        })
    }

    fn object(members: Vec<(String, String)>) -> String {
        let members: Vec<String> =
            members.into_iter().map(|(key, value)| format!(" {}\t: {value}", quoted(&key))).collect();
        format!("{{{}\n}}", members.join(","))
    }

    proptest! {
        #[test]
        fn any_object_round_trips_and_edits_are_local(
            members in prop::collection::vec(("[a-f\\PC]{0,3}", json()), 0..6), name in "[a-f]{0,2}", value in json(),
        ) {
            let text = object(members);
            let read = document(&text);
            prop_assert_eq!(read.text(), &text);
            let mut edited = read.clone();
            edited.set(&name, &value);
            prop_assert_eq!(edited.get(&name), Some(value.as_str()));
            let others = |document: &Document| -> Vec<(String, String)> {
                document.members().filter(|(key, _)| *key != name).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
            };
            prop_assert_eq!(others(&edited), others(&read));
            prop_assert!(Document::parse(edited.bytes()).is_ok());
            match read.get(&name) {
                Some(old) => {
                    let old = old.to_owned();
                    edited.set(&name, &old);
                }
                None => edited.remove(&name),
            }
            prop_assert_eq!(edited.text(), &text);
            let mut gone = read.clone();
            gone.remove(&name);
            prop_assert_eq!(gone.get(&name), None);
            prop_assert_eq!(others(&gone), others(&read));
            prop_assert!(Document::parse(gone.bytes()).is_ok());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Document::parse(&bytes);
        }
    }
}
