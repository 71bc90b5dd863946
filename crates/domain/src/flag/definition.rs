//! What a reader sees in the bytes of a flag, with the coercions of its language; nothing here decides about a user.

use crate::flag::bucket::V2_BUCKETS;
use crate::flag::document::{Document, Malformed};
use crate::flag::js::Js;
use crate::flag::list::IdList;
use crate::flag::reader::Reader;
use crate::flag::rule::Rules;

/// The member with liveops' own data, which readers ignore.
pub const OURS: &str = "_liveops";

/// A flag as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    document: Document,
    enabled: bool,
    percentage: Option<f64>,
    allowlist: IdList,
    blocklist: IdList,
    rules: Rules,
    default_value: bool,
    salt: Option<String>,
    rev: Option<u64>,
    unfit: Option<String>,
}

impl Flag {
    /// Reads a flag's bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        Document::parse(bytes).map(Self::of)
    }

    /// Reads a document.
    pub fn of(document: Document) -> Self {
        let member = |name: &str| document.get(name).map(Js::read);
        let percentage = member("percentage");
        let allowlist = IdList::of(member("allowlist").as_ref());
        let blocklist = IdList::of(member("blocklist").as_ref());
        let rules = Rules::of(member("rules").as_ref());
        let salt = match member("salt") {
            Some(Js::Text(salt)) => Some(salt),
            _ => None,
        };
        let rev = member(OURS).and_then(|ours| ours.get("rev").map(Js::to_number));
        // Doubles hold whole numbers up to 2^53 exactly.
        let rev = rev.filter(|rev| (0.0..=9_007_199_254_740_992.0).contains(rev)).map(|rev| rev as u64);
        Self {
            enabled: member("enabled").is_some_and(|enabled| enabled.is_truthy()),
            default_value: member("defaultValue").is_some_and(|value| value.is_truthy()),
            unfit: unfit(&document, percentage.as_ref()),
            percentage: percentage.as_ref().map(Js::to_number),
            allowlist,
            blocklist,
            rules,
            salt,
            rev,
            document,
        }
    }

    /// Is `enabled` truthy?
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// `percentage` as a number, which may be NaN (then the gate lets everybody pass, as it does when it is missing).
    pub fn percentage(&self) -> Option<f64> {
        self.percentage
    }

    /// How much of the buckets the gate lets pass, 0 to 100; missing is 100.
    pub fn gate(&self) -> f64 {
        match self.percentage {
            Some(percentage) if percentage < 100.0 => percentage.max(0.0),
            _ => 100.0,
        }
    }

    /// The share of buckets that the gate lets pass, 0 to 1: whole buckets of this reader.
    pub fn gate_share(&self, reader: Reader) -> f64 {
        match reader {
            Reader::LegacyV1 => self.gate().ceil() / 100.0,
            Reader::V2 => (self.gate() * 1000.0).ceil() / f64::from(V2_BUCKETS),
        }
    }

    /// The `allowlist`.
    pub fn allowlist(&self) -> &IdList {
        &self.allowlist
    }

    /// The `blocklist`.
    pub fn blocklist(&self) -> &IdList {
        &self.blocklist
    }

    /// The `rules`.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Is `defaultValue` truthy?
    pub fn default_value(&self) -> bool {
        self.default_value
    }

    /// The `salt` of reader `v2`; the flag's name when there is none.
    pub fn salt(&self) -> Option<&str> {
        self.salt.as_deref()
    }

    /// The revision, where liveops wrote it.
    pub fn rev(&self) -> Option<u64> {
        self.rev
    }

    /// Why reader `v2` takes this flag for broken, and therefore for off.
    pub fn unfit(&self) -> Option<&str> {
        self.unfit.as_deref()
    }

    /// Why this reader takes the flag for off as a whole.
    pub fn unfit_for(&self, reader: Reader) -> Option<&str> {
        self.unfit().filter(|_| reader == Reader::V2)
    }

    /// The document that it was read from.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// `v2` coerces nothing: a member of a wrong type makes the flag broken.
fn unfit(document: &Document, percentage: Option<&Js>) -> Option<String> {
    let wrong = |name: &str, value: &Js, expected: &str| Some(format!("`{name}` is {}, not {expected}", value.kind()));
    for (name, expected) in [
        ("enabled", "a boolean"),
        ("defaultValue", "a boolean"),
        ("salt", "a string"),
        ("allowlist", "an array"),
        ("blocklist", "an array"),
        ("rules", "an array"),
    ] {
        // Lists may be long: their first byte says enough.
        match document.get(name).map(|raw| (raw, raw.bytes().next())) {
            None => {}
            Some((_, Some(b'n'))) if name != "enabled" && name != "defaultValue" => {}
            Some((raw, first)) => {
                let fits = match expected {
                    "a boolean" => matches!(first, Some(b't' | b'f')),
                    "a string" => first == Some(b'"'),
                    _ => first == Some(b'['),
                };
                if !fits {
                    return wrong(name, &Js::read(raw), expected);
                }
            }
        }
    }
    match percentage {
        None => None,
        Some(Js::Number(percentage)) if (0.0..=100.0).contains(percentage) => None,
        Some(Js::Number(_)) => Some("`percentage` is not between 0 and 100".into()),
        Some(other) => wrong("percentage", other, "a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(text: &str) -> Flag {
        Flag::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn gates_are_those_of_the_services() {
        for (raw, gate) in [
            ("{}", 100.0),
            ("{\"percentage\":null}", 0.0),
            ("{\"percentage\":\"10\"}", 10.0),
            ("{\"percentage\":10.5}", 10.5),
            ("{\"percentage\":-3}", 0.0),
            ("{\"percentage\":250}", 100.0),
            ("{\"percentage\":\"ten\"}", 100.0),
            ("{\"percentage\":1e400}", 100.0),
            ("{\"percentage\":5,\"percentage\":6}", 6.0),
        ] {
            assert_eq!(flag(raw).gate(), gate, "{raw}");
        }
    }

    #[test]
    fn truthiness_and_revision() {
        let read = flag("{\"enabled\":\"false\",\"defaultValue\":0,\"_liveops\":{\"rev\":17}}");
        assert!(read.enabled() && !read.default_value());
        assert_eq!(read.rev(), Some(17));
        assert_eq!(read.unfit(), Some("`enabled` is a string, not a boolean"));
        assert_eq!(flag("{\"allowlist\":{}}").unfit(), Some("`allowlist` is an object, not an array"));
        assert_eq!(flag("{\"enabled\":true,\"percentage\":12.5,\"allowlist\":null}").unfit(), None);
        assert!(Flag::read(b"[]").is_err());
    }
}
