//! What is wrong with a flag, or will surprise somebody: stable codes, `E…` for what breaks or means nothing, `W…` for what
//! does something else than it looks like.

#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::check::finding::{RuleInfo, info};
use crate::flag::audience::{Audience, audience};
use crate::flag::bucket;
use crate::flag::definition::Flag;
use crate::flag::document::Malformed;
use crate::flag::history::{Revision, drift};
use crate::flag::js::Js;
use crate::flag::list::IdList;
use crate::flag::name::FlagName;
use crate::flag::reader::Reader;
use crate::flag::rule::{Rule, Rules};
use crate::flag::stale::stale;

/// Every reader fetches the whole flag again every few seconds.
const LARGE: usize = 100_000;

/// Of many users in the same trouble, so many are named.
const NAMED: usize = 5;

/// The rules of `flag lint`: `E…` is HIGH, `W…` MEDIUM.
pub const RULES: &[RuleInfo] = &[
    info("E01", "Readers cannot take it", "The services fail on it, or take it for off."),
    info("E02", "`enabled` is no boolean", "Readers take it by JavaScript's rules, which few expect."),
    info("E03", "`percentage` is no whole number from 0 to 100", "Readers round or refuse it."),
    info("E04", "A list is no list", "Readers fail on it, or find parts of words in it."),
    info("E05", "A list has elements that are no ids", "No user's id equals them."),
    info("E06", "It is on for nobody", "It is enabled, and turns nothing on."),
    info("E07", "`defaultValue` is no boolean", "Readers take it by JavaScript's rules, which few expect."),
    info("E08", "A member stands twice", "Readers see the last one only."),
    info("W10", "On the allowlist, and off", "The percentage is looked at first."),
    info("W11", "In both lists", "Only one of them counts."),
    info("W12", "A rule that cannot be told, or is never reached", "Whom it reaches is not known."),
    info("W13", "`percentage` is missing", "Readers take that for 100 %."),
    info("W14", "It reaches the same users first as others", "Experiments on the same users spoil each other."),
    info("W15", "Users without an id are on", "They all share one bucket."),
    info("W16", "It decides nothing any more", "Code that is the same for everybody can lose its flag."),
    info("W17", "The store drops it by itself", "It is off for everybody then."),
    info("W18", "It is large", "Every reader fetches it again and again."),
    info("W19", "It was changed outside liveops", "Nobody knows by whom, and it cannot be undone."),
    info("W20", "Its name is unsafe", "A shell or a service may read it differently."),
];

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `E01` to `E08`, `W10` to `W20`.
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
}

fn finding(code: &'static str, message: impl Into<String>) -> Finding {
    let severity = if code.starts_with('E') { Severity::Error } else { Severity::Warning };
    Finding { code, severity, message: message.into() }
}

/// What is known beside the flag itself; what is not known is not looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct LintContext<'a> {
    /// The flag's newest revision, and now.
    pub newest: Option<(&'a Revision, DateTime<Utc>)>,
    /// After how long without a change a flag that is the same for everybody is stale.
    pub stale_after: Option<Duration>,
    /// The names of all flags that are on for a part of the users, sorted.
    pub partial: &'a [String],
    /// Does the store drop it by itself (a field of the hash with a time to live)?
    pub expires: bool,
}

/// Everything that is wrong with the bytes of a flag, errors first.
pub fn lint(name: &FlagName, bytes: &[u8], reader: Reader, around: LintContext<'_>) -> Vec<Finding> {
    lint_read(name, (bytes, &Flag::read(bytes)), reader, around)
}

/// As [`lint`], of what has been read already.
pub fn lint_read(
    name: &FlagName,
    (bytes, read): (&[u8], &Result<Flag, Malformed>),
    reader: Reader,
    around: LintContext<'_>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    match read {
        Err(error) => found.push(finding("E01", format!("readers cannot take it: {error}"))),
        Ok(flag) => {
            types(flag, reader, &mut found);
            meaning(flag, name, reader, around.partial, &mut found);
        }
    }
    if bytes.len() > LARGE {
        let size = bytes.len() / 1000;
        found.push(finding(
            "W18",
            format!("it has {size} kB, which every reader fetches again and again; keep long lists in your own store"),
        ));
    }
    if around.expires {
        found.push(finding(
            "W17",
            "the store drops it by itself when its time to live is over (field TTL), and it is then off for everybody",
        ));
    }
    if let Some((newest, now)) = around.newest {
        if drift(Some(bytes), Some(newest)) {
            let at = newest.at.format("%FT%TZ");
            found.push(finding("W19", format!("it was changed outside liveops after revision {} ({at})", newest.rev)));
        } else if let Some(stale) = around.stale_after.and_then(|after| stale(bytes, newest, now, after)) {
            found.push(finding("W16", stale.to_string()));
        }
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    if !name.as_str().chars().all(plain) {
        found.push(finding("W20", "its name has characters that a shell or a service may read differently; letters, digits, `_`, `-` and `.` are safe"));
    }
    found.sort_by_key(|finding| (finding.severity, finding.code));
    found
}

/// E02 to E05, E07, E08, W13: the types of the members.
fn types(flag: &Flag, reader: Reader, found: &mut Vec<Finding>) {
    let document = flag.document();
    for name in document.duplicates() {
        found.push(finding("E08", format!("`{name}` stands more than once; readers see the last one only")));
    }
    let member = |name: &str| document.get(name).map(Js::read);
    match member("enabled") {
        Some(Js::Bool(_)) => {}
        None => found.push(finding("E02", "`enabled` is missing, which readers take for false")),
        Some(other) => {
            let taken = other.is_truthy();
            found.push(finding("E02", format!("`enabled` is {}, which readers take for {taken}", other.kind())));
        }
    }
    if let Some(other) = member("defaultValue").filter(|value| !matches!(value, Js::Bool(_))) {
        let taken = other.is_truthy();
        found.push(finding("E07", format!("`defaultValue` is {}, which readers take for {taken}", other.kind())));
    }
    match member("percentage") {
        None => found.push(finding("W13", "`percentage` is missing, which readers take for 100 %")),
        Some(Js::Number(number)) if !(0.0..=100.0).contains(&number) => {
            found.push(finding("E03", "`percentage` is not between 0 and 100"));
        }
        Some(Js::Number(number)) => {
            if reader == Reader::LegacyV1 && number.fract() != 0.0 {
                let taken = number.ceil();
                found.push(finding(
                    "E03",
                    format!("`percentage` has decimals, which reader legacy-v1 rounds up to {taken}"),
                ));
            }
        }
        Some(Js::Null) => found.push(finding("E03", "`percentage` is null, which lets nobody pass")),
        Some(other) => {
            let gate = flag.gate();
            found.push(finding(
                "E03",
                format!("`percentage` is {}, which reader legacy-v1 takes for {gate} %", other.kind()),
            ));
        }
    }
    for (name, list) in [("allowlist", flag.allowlist()), ("blocklist", flag.blocklist())] {
        list_types(name, list, reader, found);
    }
    if let Rules::Broken(kind) = flag.rules() {
        found.push(finding("E04", format!("`rules` is {kind}, not an array: readers fail on it")));
    }
}

fn list_types(name: &str, list: &IdList, reader: Reader, found: &mut Vec<Finding>) {
    match list {
        IdList::Broken(kind) => {
            found.push(finding("E04", format!("`{name}` is {kind}, not an array: readers fail on it")));
        }
        IdList::Text(_) => found.push(finding(
            "E04",
            format!("`{name}` is a string, not an array: reader legacy-v1 finds every id in it that is a part of it"),
        )),
        IdList::Absent | IdList::Ids(_) => {}
    }
    if let Some((count, kind)) = list.strange(reader) {
        let what = if count == 1 {
            format!("an element that is {kind}")
        } else {
            format!("{count} elements that are no strings, one of them {kind}")
        };
        found.push(finding("E05", format!("`{name}` has {what}: no user's id equals it")));
    }
}

/// E06, W10 to W12, W14, W15: whom it reaches.
fn meaning(flag: &Flag, name: &FlagName, reader: Reader, partial: &[String], found: &mut Vec<Finding>) {
    let whom = audience(Some(flag), name, reader);
    if flag.enabled() && flag.gate() > 0.0 && flag.unfit_for(reader).is_none() && whom.is_nobody() {
        found.push(finding("E06", "it is enabled, and on for nobody: `defaultValue` is false, and no rule or reachable allowlist turns anybody on"));
    }
    if flag.enabled() {
        behind_the_gate(flag, &whom, reader, found);
    }
    let both: Vec<&str> =
        flag.allowlist().ids().into_iter().filter(|id| flag.blocklist().has(id) == Some(true)).collect();
    if !both.is_empty() {
        let wins = match reader {
            Reader::LegacyV1 => "allowlist",
            Reader::V2 => "blocklist",
        };
        found.push(finding("W11", format!("{} in both lists; the {wins} wins", are(&both))));
    }
    opaque(flag.rules(), found);
    let gate = flag.gate();
    let is_part = flag.enabled() && gate > 0.0 && gate < 100.0 && flag.default_value();
    if is_part && reader == Reader::LegacyV1 {
        // Of a hundred thousand flags each looks at a few others, and counts the rest.
        let others: Vec<&str> =
            partial.iter().map(String::as_str).filter(|other| *other != name.as_str()).take(NAMED).collect();
        if !others.is_empty() {
            let itself = partial.binary_search_by(|other| other.as_str().cmp(name.as_str())).is_ok();
            let more = partial.len() - usize::from(itself) - others.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named = format!("{}{more}", others.join(", "));
            found.push(finding(
                "W14",
                format!("it reaches the same users first as {named}: reader legacy-v1 has no salt"),
            ));
        }
        if gate > f64::from(bucket::legacy("")) {
            found.push(finding("W15", "every user without an id is on: they all share bucket 75"));
        }
    }
}

fn behind_the_gate(flag: &Flag, whom: &Audience, reader: Reader, found: &mut Vec<Finding>) {
    if reader != Reader::LegacyV1 || whom.shut_out.is_empty() {
        return;
    }
    let bucket = |id: &&str| format!("{id} (bucket {})", bucket::legacy(id));
    let named: Vec<String> = whom.shut_out.iter().map(String::as_str).take(NAMED).map(|id| bucket(&id)).collect();
    let more = whom.shut_out.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    found.push(finding(
        "W10",
        format!(
            "on the allowlist and still off, since the percentage {} comes first: {}{more}",
            flag.gate(),
            named.join(", ")
        ),
    ));
}

fn opaque(rules: &Rules, found: &mut Vec<Finding>) {
    for (place, rule) in rules.list().iter().enumerate() {
        let number = place + 1;
        match rule {
            Rule::Strange(why) => found.push(finding(
                "W12",
                format!("rule {number} is of another shape ({why}): whom it reaches cannot be told"),
            )),
            Rule::Known { all, .. } if all.is_empty() && number < rules.list().len() => {
                found
                    .push(finding("W12", format!("rule {number} matches everybody: those after it are never reached")));
            }
            Rule::Known { all, .. } if all.iter().any(|condition| !condition.is_sure()) => {
                found.push(finding("W12", format!("rule {number} has a regular expression that may mean something else in JavaScript: whom it reaches cannot be told")));
            }
            Rule::Known { .. } => {}
        }
    }
}

fn are(ids: &[&str]) -> String {
    let verb = if ids.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", listed(ids))
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
