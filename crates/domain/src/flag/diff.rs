//! Two definitions of a flag, member by member.

use std::collections::HashSet;

use serde::Serialize;

use crate::flag::definition::OURS;
use crate::flag::document::Document;
use crate::flag::js::Js;

/// One member that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub member: String,
    /// Raw JSON; `null` as a value of this field means that the member is missing.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Of lists of ids: those that came, and those that went.
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

/// What differs between two definitions, in the order of the first, then of the second. How a value is written does not
/// count, and liveops' own member does not either. A definition that is missing has no members.
pub fn diff(before: Option<&Document>, after: Option<&Document>) -> Vec<Difference> {
    let mut names: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    for (name, _) in before.into_iter().chain(after).flat_map(Document::members) {
        if name != OURS && seen.insert(name) {
            names.push(name);
        }
    }
    let differs = |name: &&str| {
        let raw = |document: Option<&Document>| document.and_then(|document| document.get(name)).map(ToOwned::to_owned);
        let (old, new) = (raw(before), raw(after));
        if old == new || same_value(old.as_deref(), new.as_deref()) {
            return None;
        }
        let (was, is) = (texts(old.as_deref()), texts(new.as_deref()));
        let missing = |from: &[String], other: &[String]| -> Vec<String> {
            let other: HashSet<&String> = other.iter().collect();
            from.iter().filter(|id| !other.contains(id)).cloned().collect()
        };
        Some(Difference {
            member: (*name).to_owned(),
            added: missing(&is, &was),
            removed: missing(&was, &is),
            before: old,
            after: new,
        })
    };
    names.iter().filter_map(differs).collect()
}

/// The same to a reader. Numbers beyond a double's precision are told apart by their digits.
fn same_value(old: Option<&str>, new: Option<&str>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        return false;
    };
    let exact = |raw: &str| {
        raw.chars().filter(char::is_ascii_digit).count() <= 15
            || !raw.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    };
    exact(old) && exact(new) && Js::read(old) == Js::read(new) && Js::read(old) != Js::IllFormed
}

fn texts(raw: Option<&str>) -> Vec<String> {
    match raw.map(Js::read) {
        Some(Js::Array(all)) => {
            all.into_iter().filter_map(|value| if let Js::Text(id) = value { Some(id) } else { None }).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    fn said(before: Option<&str>, after: Option<&str>) -> Vec<String> {
        diff(before.map(document).as_ref(), after.map(document).as_ref())
            .into_iter()
            .map(|one| {
                format!(
                    "{} {} > {} +{:?} -{:?}",
                    one.member,
                    one.before.unwrap_or_default(),
                    one.after.unwrap_or_default(),
                    one.added,
                    one.removed
                )
            })
            .collect()
    }

    #[test]
    fn members_lists_and_what_does_not_count() {
        assert_eq!(
            said(
                Some(r#"{"percentage":10,"allowlist":["a","b"],"_liveops":{"rev":1},"gone":1}"#),
                Some(r#"{"allowlist": ["b","c"],"percentage":1e1,"new":null,"_liveops":{"rev":2}}"#)
            ),
            [r#"allowlist ["a","b"] > ["b","c"] +["c"] -["a"]"#, "gone 1 >  +[] -[]", "new  > null +[] -[]"]
        );
        assert_eq!(said(None, Some("{\"enabled\":true}")), ["enabled  > true +[] -[]"]);
        assert_eq!(said(Some("{\"n\":12345678901234567890}"), Some("{\"n\":12345678901234567891}")).len(), 1);
        assert!(said(Some("{}"), None).is_empty());
    }
}
