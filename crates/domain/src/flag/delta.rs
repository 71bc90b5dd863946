//! What an edit does to a flag, member by member and in the words of a preview; ids of lists one by one.

use crate::flag::diff::{Difference, diff};
use crate::flag::document::Document;
use crate::flag::js::Js;
use crate::text::count;

/// Ids that a line names; the others are counted.
const NAMED: usize = 3;

/// The longest raw value that a line shows, in characters.
const LONGEST: usize = 40;

/// One member that is not as it was.
pub type Delta = Difference;

/// The members that differ, in the order of the flag; without liveops' own. What is no JSON object has no members.
pub fn deltas(before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<Delta> {
    let read = |bytes: Option<&[u8]>| bytes.and_then(|bytes| Document::parse(bytes).ok());
    diff(read(before).as_ref(), read(after).as_ref())
}

/// Who joins a list, and who leaves it.
struct ListDelta {
    old: usize,
    new: usize,
    /// `+qa_1 -qa_2`
    text: String,
}

impl Difference {
    /// Does it only bring a member that holds nothing?
    pub fn is_empty(&self) -> bool {
        self.before.is_none() && self.after.as_deref() == Some("[]")
    }

    /// What it was and what it becomes, short enough for a line.
    pub fn shown(&self) -> (String, String) {
        match self.moved() {
            Some(ListDelta { old, new, text }) => (count(old), format!("{}: {text}", count(new))),
            None => (short(self.before.as_deref()), short(self.after.as_deref())),
        }
    }

    /// In a sentence: `percentage 10 to 25`, `allowlist +qa_1`.
    fn words(&self) -> String {
        let member = &self.member;
        if let Some(ListDelta { text, .. }) = self.moved() {
            return format!("{member} {text}");
        }
        let (old, new) = self.shown();
        match (&self.before, &self.after) {
            (None, _) => format!("{member} {new}"),
            (_, None) => format!("{member} {old} taken away"),
            _ => format!("{member} {old} to {new}"),
        }
    }

    /// For the lists of ids.
    fn moved(&self) -> Option<ListDelta> {
        let count = |raw: &Option<String>| match raw.as_deref().map(Js::read) {
            None => Some(0),
            Some(Js::Array(elements)) => Some(elements.len()),
            Some(_) => None,
        };
        if !self.member.ends_with("list") || (self.added.is_empty() && self.removed.is_empty()) {
            return None;
        }
        Some(ListDelta {
            old: count(&self.before)?,
            new: count(&self.after)?,
            text: [signed('+', &self.added), signed('-', &self.removed)].concat().join(" "),
        })
    }
}

fn count(ids: usize) -> String {
    if ids == 0 { "nobody".into() } else { count::count(ids, "user") }
}

fn signed(sign: char, ids: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = ids.iter().take(NAMED).map(|id| format!("{sign}{id}")).collect();
    if ids.len() > NAMED {
        shown.push(format!("({sign}{} more)", ids.len() - NAMED));
    }
    shown
}

fn short(raw: Option<&str>) -> String {
    match raw {
        None => "none".into(),
        Some(raw) if raw.chars().count() <= LONGEST => raw.to_owned(),
        Some(raw) => format!("{}...", raw.chars().take(LONGEST - 3).collect::<String>()),
    }
}

/// All of it in one line: `percentage 10 to 25, defaultValue false to true`; what has no members is said.
pub fn words(before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    let whole = |bytes: Option<&[u8]>| match bytes {
        None => Some("no flag"),
        Some(bytes) if Document::parse(bytes).is_err() => Some("no valid JSON"),
        Some(_) => None,
    };
    match (whole(before), whole(after)) {
        (Some(old), Some(new)) if old == new && before == after => "no change".into(),
        (_, Some("no flag")) => "the flag is removed".into(),
        (Some("no flag"), None) => members(before, after),
        (_, Some(new)) => format!("its value becomes {new}"),
        (Some(old), None) => format!("its value was {old} and becomes {}", members(None, after)),
        (None, None) => match members(before, after) {
            text if text.is_empty() && before == after => "no change".into(),
            text if text.is_empty() => "only spelling and revision".into(),
            text => text,
        },
    }
}

fn members(before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    // Of a new flag, what is empty says nothing.
    let says = |delta: &&Delta| before.is_some() || !delta.is_empty();
    let deltas = deltas(before, after);
    let lines: Vec<String> = deltas.iter().filter(says).map(Delta::words).collect();
    lines.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(before: Option<&str>, after: Option<&str>) -> String {
        words(before.map(str::as_bytes), after.map(str::as_bytes))
    }

    #[test]
    fn an_edit_in_words() {
        let flag = r#"{"enabled":true,"percentage":10,"allowlist":["a"],"_liveops":{"rev":1}}"#;
        for (after, want) in [
            (r#"{"enabled":true,"percentage":25,"allowlist":["a"],"_liveops":{"rev":2}}"#, "percentage 10 to 25"),
            (
                r#"{"enabled":false,"percentage":10,"allowlist":["b","c","d","e","f"]}"#,
                "enabled true to false, allowlist +b +c +d (+2 more) -a",
            ),
            (r#"{"enabled":true,"percentage":10,"allowlist":{}}"#, "allowlist [\"a\"] to {}"),
            (r#"{"enabled":true,"allowlist":["a"],"new":1}"#, "percentage 10 taken away, new 1"),
            (r#"{ "enabled": true, "percentage": 10.0, "allowlist": ["a"] }"#, "only spelling and revision"),
            (flag, "no change"),
            ("{", "its value becomes no valid JSON"),
        ] {
            assert_eq!(said(Some(flag), Some(after)), want, "{after}");
        }
        assert_eq!(said(Some(flag), None), "the flag is removed");
        assert_eq!(said(None, Some(r#"{"enabled":true,"percentage":10}"#)), "enabled true, percentage 10");
        assert_eq!(
            said(Some("{"), Some(r#"{"enabled":false}"#)),
            "its value was no valid JSON and becomes enabled false"
        );
    }

    #[test]
    fn ids_that_join_are_named() {
        let old = r#"{"allowlist":["z"]}"#;
        let new = r#"{"allowlist":["z","y","x"]}"#;
        let delta = &deltas(Some(old.as_bytes()), Some(new.as_bytes()))[0];
        assert_eq!(delta.shown(), ("1 user".into(), "3 users: +y +x".into()));
    }
}
