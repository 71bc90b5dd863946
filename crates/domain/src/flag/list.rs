//! `allowlist` and `blocklist` as the services' reader sees them: `list?.includes(id)`.

use std::collections::HashSet;

use crate::flag::bucket;
use crate::flag::js::{Js, number_to_text};
use crate::flag::reader::Reader;

/// A list member of a flag.
#[derive(Debug, Clone, PartialEq)]
pub enum IdList {
    /// Missing or `null`: nobody is in it.
    Absent,
    /// An array.
    Ids(Ids),
    /// A string: `includes` looks for the id as a part of it.
    Text(String),
    /// Something without `includes`, with its kind: the reader throws.
    Broken(&'static str),
}

/// The ids of an array.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ids {
    strings: HashSet<Box<str>>,
    /// Numbers in it, as text: `legacy-v1` finds no id in them, `v2` does.
    numbers: HashSet<Box<str>>,
    /// Elements that are neither, by their kind.
    odd: Vec<&'static str>,
    /// A bit for each hash of a string or number that is in it: most ids that are not in the list are told by one bit.
    bits: Vec<u64>,
}

/// Bits for each id: one in sixteen of the others passes.
const SPREAD: usize = 16;

impl IdList {
    /// Reads a member.
    pub fn of(value: Option<&Js>) -> Self {
        match value {
            None | Some(Js::Null) => Self::Absent,
            Some(Js::Array(elements)) => Self::Ids(Ids::of(elements)),
            Some(Js::Text(text)) => Self::Text(text.clone()),
            Some(other) => Self::Broken(other.kind()),
        }
    }

    /// Is this raw id in it, for `legacy-v1`? None: the reader throws.
    pub fn has(&self, id: &str) -> Option<bool> {
        match self {
            Self::Absent => Some(false),
            Self::Ids(ids) => Some(ids.has(id)),
            Self::Text(text) => Some(text.contains(id)),
            Self::Broken(_) => None,
        }
    }

    /// Is this id in it, for `v2`, which compares numbers by their text?
    pub fn has_or_number(&self, id: &str) -> bool {
        matches!(self, Self::Ids(ids) if ids.has(id) || (!ids.numbers.is_empty() && ids.numbers.contains(id)))
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Ids(ids) => ids.strings.is_empty() && ids.numbers.is_empty() && ids.odd.is_empty(),
            Self::Text(_) | Self::Broken(_) => false,
        }
    }

    /// The ids that are strings, in order of the alphabet.
    pub fn ids(&self) -> Vec<&str> {
        let Self::Ids(ids) = self else {
            return Vec::new();
        };
        let mut all: Vec<&str> = ids.strings.iter().map(AsRef::as_ref).collect();
        all.sort_unstable();
        all
    }

    /// The ids that this reader finds in an array, in order of the alphabet.
    pub fn found_by(&self, reader: Reader) -> Vec<&str> {
        let mut all = self.ids();
        if let (Self::Ids(ids), Reader::V2) = (self, reader) {
            all.extend(ids.numbers.iter().map(AsRef::as_ref));
            all.sort_unstable();
            all.dedup();
        }
        all
    }

    /// How many elements no id equals, with the kind of one. Numbers are such under `legacy-v1`.
    pub fn strange(&self, reader: Reader) -> Option<(usize, &'static str)> {
        let Self::Ids(ids) = self else { return None };
        let numbers = if reader == Reader::LegacyV1 { ids.numbers.len() } else { 0 };
        let kind = ids.odd.first().copied().or((numbers > 0).then_some("a number"))?;
        Some((ids.odd.len() + numbers, kind))
    }
}

impl Ids {
    fn of(elements: &[Js]) -> Self {
        let mut ids = Self::default();
        for element in elements {
            match element {
                Js::Text(text) => {
                    ids.strings.insert(text.as_str().into());
                }
                Js::Number(number) => {
                    ids.numbers.insert(number_to_text(*number).into());
                }
                other => ids.odd.push(other.kind()),
            }
        }
        let words = (ids.strings.len() * SPREAD).div_ceil(64).next_power_of_two();
        ids.bits = vec![0; words];
        for id in &ids.strings {
            let (word, bit) = place(bucket::hash(id), words);
            ids.bits[word] |= bit;
        }
        ids
    }

    fn has(&self, id: &str) -> bool {
        !self.strings.is_empty() && self.strings.contains(id)
    }

    /// As [`IdList::has`], for the bytes of an id whose [`bucket::hash`] is known already.
    #[inline]
    pub fn has_hashed(&self, id: &[u8], hash: i32) -> bool {
        let (word, bit) = place(hash, self.bits.len());
        self.bits[word] & bit != 0 && std::str::from_utf8(id).is_ok_and(|id| self.strings.contains(id))
    }
}

/// Where the bit of a hash stands. `words` is a power of two.
#[inline]
fn place(hash: i32, words: usize) -> (usize, u64) {
    // Neighbouring ids have neighbouring hashes: the upper half of a product spreads them (Knuth's 2^64 / φ).
    let mixed = u64::from(hash.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = (mixed >> 32) as usize & (words - 1);
    (word, 1 << (mixed >> 58))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(raw: &str) -> IdList {
        IdList::of(Some(&Js::read(raw)))
    }

    #[test]
    fn is_what_includes_says() {
        assert_eq!(list("[\"a\",\"日本\",1]").has("日本"), Some(true));
        assert_eq!(list("[12345]").has("12345"), Some(false));
        assert!(list("[12345,1e3]").has_or_number("1000"));
        assert_eq!(list("\"player_1\"").has("layer"), Some(true));
        assert_eq!(list("{}").has("a"), None);
        assert_eq!(list("null").has("a"), Some(false));
        assert_eq!(IdList::of(None).has("a"), Some(false));
        assert_eq!(list("[1,null,\"a\"]").strange(Reader::LegacyV1), Some((2, "null")));
        assert!(list("[]").is_empty());
    }

    #[test]
    fn the_hashed_look_finds_the_same() {
        let raw: Vec<String> = (0..500).map(|n| format!("\"user_{n}\"")).collect();
        let IdList::Ids(ids) = list(&format!("[{}]", raw.join(","))) else { panic!("an array") };
        for n in 0..2000 {
            let id = format!("user_{n}");
            assert_eq!(ids.has_hashed(id.as_bytes(), bucket::hash(&id)), n < 500, "{id}");
        }
        assert!(!Ids::default().has("x"));
        let IdList::Ids(none) = list("[]") else { panic!("an array") };
        assert!(!none.has_hashed(b"x", bucket::hash("x")));
    }
}
