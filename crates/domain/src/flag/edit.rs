//! One operation on a flag's bytes: what is shown, written, and applied again when somebody else was faster.

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::flag::definition::{Flag, OURS};
use crate::flag::document::{Document, Malformed, quoted};
use crate::flag::js::Js;
use crate::flag::layout::{append, items, without};
use crate::flag::percent::Percent;
use crate::flag::reader::Reader;

/// What is to be done with a flag.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Sets what is named; makes the flag when there is none.
    Set(SetEdit),
    /// Changes the allowlist.
    Allow(ListEdit),
    /// Changes the blocklist.
    Block(ListEdit),
    Enable,
    Disable,
    /// As `Disable`, also where the bytes are no JSON.
    Kill,
    Remove,
    /// Puts other bytes in its place: undo, import, promotion.
    Replace(Vec<u8>),
}

/// Members to set; none stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SetEdit {
    pub percentage: Option<Percent>,
    pub enabled: Option<bool>,
    pub default_value: Option<bool>,
    /// All rules, in place of those that are there.
    pub rules: Option<Vec<Value>>,
    /// Reader `v2` alone.
    pub salt: Option<String>,
}

/// Ids to put into a list and to take out of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListEdit {
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

/// Why an operation is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("there is no such flag")]
    NoSuchFlag,
    #[error("the flag cannot be edited: {0}")]
    Malformed(#[from] Malformed),
    #[error("the flag cannot be edited: `{0}` stands in it more than once, and readers see the last one only")]
    Duplicate(String),
    #[error("`{member}` is {kind}, not an array: an id cannot be put into it or taken out")]
    NoArray { member: &'static str, kind: &'static str },
    #[error(
        "with `defaultValue` false, {0} % would be on for nobody: the default decides about everybody whom the percentage lets pass"
    )]
    NobodyOn(Percent),
    #[error("reader legacy-v1 takes whole percentages only, and {0} has decimals")]
    Decimals(Percent),
    #[error("reader legacy-v1 does not know `salt`: it would change nothing")]
    Salt,
}

/// The bytes after the operation, with the revision counted up; none when the flag is removed. What changes nothing
/// returns the very bytes that are there.
pub fn apply(current: Option<&[u8]>, edit: &Edit, reader: Reader) -> Result<Option<Vec<u8>>, EditError> {
    let Some(bytes) = current else {
        return match edit {
            Edit::Set(set) => create(set, reader).map(Some),
            Edit::Replace(new) => Ok(Some(counted(Document::parse(new)?, None))),
            _ => Err(EditError::NoSuchFlag),
        };
    };
    let edited = match edit {
        Edit::Remove => return Ok(None),
        Edit::Kill => return Ok(Some(kill(bytes))),
        Edit::Replace(new) => return replace(bytes, new).map(Some),
        Edit::Set(set) => apply_set(editable(bytes)?, set, reader)?,
        Edit::Allow(list) => apply_list(editable(bytes)?, "allowlist", list)?,
        Edit::Block(list) => apply_list(editable(bytes)?, "blocklist", list)?,
        Edit::Enable => with_member(editable(bytes)?, "enabled", "true"),
        Edit::Disable => with_member(editable(bytes)?, "enabled", "false"),
    };
    Ok(Some(if edited.bytes() == bytes { bytes.to_vec() } else { counted(edited, Some(bytes)) }))
}

fn editable(bytes: &[u8]) -> Result<Document, EditError> {
    let document = Document::parse(bytes)?;
    match document.duplicates() {
        [] => Ok(document),
        [name, ..] => Err(EditError::Duplicate(name.clone())),
    }
}

/// A new flag, all of its members written out. Without a percentage it is one that only lists and rules turn on.
fn create(set: &SetEdit, reader: Reader) -> Result<Vec<u8>, EditError> {
    check(set, reader)?;
    let default = set.default_value.unwrap_or(set.percentage.is_some());
    let mut document = Document::empty();
    document.set("enabled", boolean(set.enabled.unwrap_or(true)));
    document.set("percentage", &set.percentage.unwrap_or(Percent::ALL).to_string());
    document.set("allowlist", "[]");
    document.set("blocklist", "[]");
    document.set("rules", &Value::from(set.rules.clone().unwrap_or_default()).to_string());
    document.set("defaultValue", boolean(default));
    if let Some(salt) = &set.salt {
        document.set("salt", &quoted(salt));
    }
    Ok(counted(document, None))
}

fn check(set: &SetEdit, reader: Reader) -> Result<(), EditError> {
    if reader == Reader::LegacyV1 {
        if let Some(percentage) = set.percentage.filter(|percentage| !percentage.is_whole()) {
            return Err(EditError::Decimals(percentage));
        }
        if set.salt.is_some() {
            return Err(EditError::Salt);
        }
    }
    Ok(())
}

fn apply_set(mut document: Document, set: &SetEdit, reader: Reader) -> Result<Document, EditError> {
    check(set, reader)?;
    let default = document.get("defaultValue").is_some_and(|raw| Js::read(raw).is_truthy());
    if let Some(percentage) = set.percentage
        && percentage > Percent::NOBODY
        && set.default_value.is_none()
        && !default
    {
        return Err(EditError::NobodyOn(percentage));
    }
    let wanted = [
        ("enabled", set.enabled.map(|value| boolean(value).to_owned())),
        ("percentage", set.percentage.map(|percentage| percentage.to_string())),
        ("rules", set.rules.as_ref().map(|rules| Value::from(rules.clone()).to_string())),
        ("defaultValue", set.default_value.map(|value| boolean(value).to_owned())),
        ("salt", set.salt.as_deref().map(quoted)),
    ];
    for (name, raw) in wanted {
        if let Some(raw) = raw {
            document = with_member(document, name, &raw);
        }
    }
    Ok(document)
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Sets a member, unless it has this value already, however it is written.
fn with_member(mut document: Document, name: &str, raw: &str) -> Document {
    let same = document.get(name).is_some_and(|now| Js::read(now) == Js::read(raw));
    if !same {
        document.set(name, raw);
    }
    document
}

fn apply_list(mut document: Document, member: &'static str, edit: &ListEdit) -> Result<Document, EditError> {
    let mut array = match document.get(member) {
        None | Some("null") => "[]".to_owned(),
        Some(raw) if raw.starts_with('[') => raw.to_owned(),
        Some(raw) => {
            return Err(EditError::NoArray { member, kind: Js::read(raw).kind() });
        }
    };
    let before = array.clone();
    let texts =
        |array: &str| -> Vec<Js> { items(array).into_iter().map(|item| Js::read(&array[item.value])).collect() };
    let unwanted = |value: &Js| matches!(value, Js::Text(id) if edit.remove.contains(id));
    let elements = texts(&array);
    let places: Vec<usize> = (0..elements.len()).filter(|place| unwanted(&elements[*place])).collect();
    array = without(&array, &places);
    let mut known: std::collections::HashSet<String> =
        texts(&array).into_iter().filter_map(|value| if let Js::Text(id) = value { Some(id) } else { None }).collect();
    for id in &edit.add {
        if known.insert(id.clone()) {
            array = append(&array, "", &quoted(id));
        }
    }
    if array != before {
        document.set(member, &array);
    }
    Ok(document)
}

/// Off, whatever the bytes are: the last `enabled` is the one that readers see. What is no JSON object has nothing to
/// keep; the history keeps its bytes.
fn kill(bytes: &[u8]) -> Vec<u8> {
    let Ok(document) = Document::parse(bytes) else {
        let mut fresh = Document::empty();
        fresh.set("enabled", "false");
        return counted(fresh, None);
    };
    if document.get("enabled").is_none_or(|raw| Js::read(raw) == Js::Bool(false)) {
        return bytes.to_vec();
    }
    let mut killed = document;
    killed.set("enabled", "false");
    counted(killed, Some(bytes))
}

fn replace(bytes: &[u8], new: &[u8]) -> Result<Vec<u8>, EditError> {
    let document = Document::parse(new)?;
    let (had, now) = (rev(&document), Document::parse(bytes).ok().and_then(|now| rev(&now)));
    // The same but for the count of revisions: nothing to do.
    let mut level = document.clone();
    if let (Some(_), Some(now)) = (had, now) {
        set_rev(&mut level, now);
    }
    if level.bytes() == bytes {
        return Ok(bytes.to_vec());
    }
    Ok(counted(document, Some(bytes)))
}

/// Counts the revision up: beyond that of the document itself, and of the bytes that it takes the place of.
fn counted(mut document: Document, over: Option<&[u8]>) -> Vec<u8> {
    let over = over.and_then(|bytes| Document::parse(bytes).ok()).and_then(|over| rev(&over));
    let last = rev(&document).max(over).unwrap_or(0);
    set_rev(&mut document, last.saturating_add(1));
    document.into_bytes()
}

fn set_rev(document: &mut Document, rev: u64) {
    let ours = document.get(OURS).and_then(|raw| Document::parse(raw.as_bytes()).ok());
    let mut ours = ours.unwrap_or_else(Document::empty);
    ours.set("rev", &rev.to_string());
    document.set(OURS, ours.text());
}

fn rev(document: &Document) -> Option<u64> {
    Flag::of(document.clone()).rev()
}

/// May the operation that was decided on at `before` be applied to `now`? Only where what it touches, and what its
/// audience was computed from, is as it was: nobody confirmed anything else.
pub fn means_the_same(before: Option<&[u8]>, now: Option<&[u8]>, edit: &Edit) -> bool {
    if before == now {
        return true;
    }
    let (Some(before), Some(now)) = (before, now) else {
        return false;
    };
    if *edit == Edit::Kill {
        return true;
    }
    let (Ok(before), Ok(now)) = (editable(before), editable(now)) else {
        return false;
    };
    let same = |name: &str| before.get(name).map(Js::read) == now.get(name).map(Js::read);
    match edit {
        Edit::Kill | Edit::Disable => true,
        Edit::Remove | Edit::Replace(_) => {
            let without_ours = |document: &Document| {
                let mut bare = document.clone();
                bare.remove(OURS);
                bare
            };
            without_ours(&before) == without_ours(&now)
        }
        Edit::Set(_) | Edit::Enable => ["enabled", "percentage", "rules", "defaultValue", "salt"].into_iter().all(same),
        Edit::Allow(list) => same_membership(&before, &now, "allowlist", list),
        Edit::Block(list) => same_membership(&before, &now, "blocklist", list),
    }
}

/// Did nobody else touch the ids in question?
fn same_membership(before: &Document, now: &Document, member: &'static str, edit: &ListEdit) -> bool {
    let has = |document: &Document| -> Option<Vec<bool>> {
        let list = match document.get(member) {
            None | Some("null") => Vec::new(),
            Some(raw) if raw.starts_with('[') => match Js::read(raw) {
                Js::Array(list) => list,
                _ => return None,
            },
            Some(_) => return None,
        };
        let texts: std::collections::HashSet<&str> =
            list.iter().filter_map(|value| if let Js::Text(id) = value { Some(id.as_str()) } else { None }).collect();
        Some(edit.add.iter().chain(&edit.remove).map(|id| texts.contains(id.as_str())).collect())
    };
    has(before).is_some_and(|before| has(now) == Some(before))
}
