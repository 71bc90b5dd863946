//! A flag in one line: its state and for whom it is on.

use serde::Serialize;

use crate::flag::catalog::StoredFlag;
use liveops_domain::flag::audience::{Audience, audience};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;

/// On, off, or not to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    On,
    Off,
    Malformed,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Malformed => "malformed",
        }
    }
}

/// What a screen says of a flag.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub state: State,
    /// As a number; `null` when it is missing or none.
    percentage: Option<f64>,
    /// Who is on, in words.
    pub audience: String,
    /// The same in numbers; `null` for what cannot be read.
    reach: Option<Audience>,
    /// Ids in the lists, rules.
    allowlist: usize,
    blocklist: usize,
    rules: usize,
    default_value: Option<bool>,
    pub rev: Option<u64>,
}

impl Summary {
    pub fn new(stored: &StoredFlag, reader: Reader) -> Self {
        let unread = |audience: String| Self {
            state: State::Malformed,
            percentage: None,
            audience,
            reach: None,
            allowlist: 0,
            blocklist: 0,
            rules: 0,
            default_value: None,
            rev: None,
        };
        let (name, flag) = match (stored.name.parse::<FlagName>(), &stored.read) {
            (Ok(name), Ok(flag)) => (name, flag),
            (_, Err(error)) => return unread(format!("cannot be read: {error}")),
            (Err(error), _) => return unread(format!("cannot be asked for: {error}")),
        };
        let reach = audience(Some(flag), &name, reader);
        Self {
            state: if flag.enabled() { State::On } else { State::Off },
            percentage: flag.percentage().filter(|percentage| percentage.is_finite()),
            audience: words(flag, reader, &reach),
            reach: Some(reach),
            allowlist: flag.allowlist().ids().len(),
            blocklist: flag.blocklist().ids().len(),
            rules: flag.rules().list().len(),
            default_value: Some(flag.default_value()),
            rev: flag.rev(),
        }
    }

    /// The cells of a row from the state to the revision.
    pub fn cells(&self) -> [String; 8] {
        let shown = |value: Option<String>| value.unwrap_or_default();
        [
            self.state.word().to_owned(),
            shown(self.percentage.map(|percentage| percentage.to_string())),
            self.audience.clone(),
            self.allowlist.to_string(),
            self.blocklist.to_string(),
            self.rules.to_string(),
            shown(self.default_value.map(|value| value.to_string())),
            shown(self.rev.map(|rev| rev.to_string())),
        ]
    }

    /// The titles of [`Summary::cells`].
    pub const TITLES: [&str; 8] =
        ["state", "percentage", "audience", "allowlist", "blocklist", "rules", "default", "rev"];
}

/// Who is on, in words. What rules let in depends on attributes: it is named, not counted.
pub fn words(flag: &Flag, reader: Reader, reach: &Audience) -> String {
    if let Some(why) = fails(flag, reader) {
        return why;
    }
    if !flag.enabled() {
        return "nobody: it is switched off".into();
    }
    let gate = flag.gate_share(reader);
    let (in_rules, out_rules) = rules(flag);
    let (listed, behind) = (reach.let_in.len(), reach.shut_out.len());
    let mut parts = Vec::new();
    if flag.default_value() && gate > 0.0 {
        parts.push(share(gate));
        // Under `legacy-v1` who is listed and on is among the share.
        if reader == Reader::V2 && gate < 1.0 && listed > 0 {
            parts.push(format!("and {}", users(listed, "listed user")));
        }
        let blocked = flag.blocklist().ids().len();
        if blocked > 0 {
            parts.push(format!("less {}", users(blocked, "blocked")));
        }
        if in_rules + out_rules > 0 {
            parts.push(format!("as {} may say", users(in_rules + out_rules, "rule")));
        }
        return parts.join(", ");
    }
    if listed > 0 {
        parts.push(users(listed, "listed user"));
    }
    if in_rules > 0 && (gate > 0.0 || reader == Reader::V2) {
        let within = match reader {
            Reader::LegacyV1 if gate < 1.0 => format!(" of {}", percent(gate)),
            _ => String::new(),
        };
        parts.push(format!("turned on by {}{within}", users(in_rules, "rule")));
    }
    if !parts.is_empty() {
        return parts.join(", ");
    }
    let why = match behind {
        _ if flag.default_value() || gate == 0.0 => "the percentage is 0".to_owned(),
        0 => "defaultValue is false".to_owned(),
        n => format!("defaultValue is false, {} behind the gate", users(n, "listed")),
    };
    format!("nobody: {why}")
}

/// What the reader cannot get past.
pub fn fails(flag: &Flag, reader: Reader) -> Option<String> {
    use liveops_domain::flag::list::IdList;
    use liveops_domain::flag::rule::Rules;
    if reader == Reader::V2 {
        return flag.unfit().map(|why| format!("nobody: {why}"));
    }
    let broken = [("allowlist", flag.allowlist()), ("blocklist", flag.blocklist())];
    let list = broken.iter().find_map(|(name, list)| match list {
        IdList::Broken(kind) => Some((*name, *kind)),
        _ => None,
    });
    let rules = match flag.rules() {
        Rules::Broken(kind) => Some(("rules", *kind)),
        Rules::List(_) => None,
    };
    let (name, kind) = list.or(rules).filter(|_| flag.enabled())?;
    Some(format!("readers fail: `{name}` is {kind}, not an array"))
}

/// How many rules may let somebody in, and how many only keep out.
pub fn rules(flag: &Flag) -> (usize, usize) {
    use liveops_domain::flag::rule::Rule;
    let all = flag.rules().list();
    let out = all.iter().filter(|rule| matches!(rule, Rule::Known { enabled: false, .. })).count();
    (all.len() - out, out)
}

/// `10 %`, with three decimals at most.
pub fn percent(share: f64) -> String {
    format!("{} %", (share * 100_000.0).round() / 1000.0)
}

pub fn share(gate: f64) -> String {
    if gate >= 1.0 {
        return "everybody".into();
    }
    let one_in = gate.recip().round();
    let near = (gate.recip() - one_in).abs() < 0.05 * one_in;
    if near && one_in >= 2.0 { format!("{}, about 1 in {one_in}", percent(gate)) } else { percent(gate) }
}

/// `1 rule`, `2 rules`; participles stay as they are.
pub fn users(n: usize, what: &str) -> String {
    if n == 1 || what.ends_with("ed") { format!("{n} {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(raw: &str, reader: Reader) -> String {
        Summary::new(&StoredFlag::new("f".into(), raw.as_bytes().to_vec()), reader).audience
    }

    #[test]
    fn the_audience_is_that_of_the_reader_and_not_that_of_a_field() {
        let rule = r#"{"attribute":"region","operator":"in","values":["eu"],"enabled":true}"#;
        let out = rule.replace("true", "false");
        for (raw, legacy, v2) in [
            // The services' own example: `admin_user_1` has bucket 43.
            (
                r#"{"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"defaultValue":false}"#.to_owned(),
                "nobody: defaultValue is false, 1 listed behind the gate",
                "1 listed user",
            ),
            (
                r#"{"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"defaultValue":true}"#.to_owned(),
                "10 %, about 1 in 10",
                "10 %, about 1 in 10, and 1 listed user",
            ),
            (
                r#"{"enabled":true,"percentage":100,"blocklist":["a","b"],"defaultValue":true}"#.to_owned(),
                "everybody, less 2 blocked",
                "everybody, less 2 blocked",
            ),
            (r#"{"enabled":true,"defaultValue":true}"#.to_owned(), "everybody", "everybody"),
            (r#"{"enabled":true,"percentage":37,"defaultValue":true}"#.to_owned(), "37 %", "37 %"),
            (
                r#"{"enabled":true,"percentage":0,"defaultValue":true}"#.to_owned(),
                "nobody: the percentage is 0",
                "nobody: the percentage is 0",
            ),
            (
                r#"{"enabled":false,"percentage":50,"defaultValue":true}"#.to_owned(),
                "nobody: it is switched off",
                "nobody: it is switched off",
            ),
            (
                format!(r#"{{"enabled":true,"percentage":50,"rules":[{rule},{out}],"allowlist":["user_123"]}}"#),
                "1 listed user, turned on by 1 rule of 50 %",
                "1 listed user, turned on by 1 rule",
            ),
            (
                format!(r#"{{"enabled":true,"rules":[{out}]}}"#),
                "nobody: defaultValue is false",
                "nobody: defaultValue is false",
            ),
            (
                r#"{"enabled":true,"allowlist":{}}"#.to_owned(),
                "readers fail: `allowlist` is an object, not an array",
                "nobody: `allowlist` is an object, not an array",
            ),
        ] {
            assert_eq!(said(&raw, Reader::LegacyV1), legacy, "{raw}");
            assert_eq!(said(&raw, Reader::V2), v2, "{raw}");
        }
        assert!(said("{", Reader::LegacyV1).starts_with("cannot be read: it is not JSON"));
    }
}
