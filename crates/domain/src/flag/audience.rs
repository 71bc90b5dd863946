//! Whom a flag reaches: the share of users that can be expected, the listed ones by name, and exact counts where ids are
//! given; who flips when it changes; how much two flags overlap.

use serde::Serialize;

use crate::flag::definition::Flag;
use crate::flag::evaluate::{Answer, StepName, answer, order, verdict};
use crate::flag::list::IdList;
use crate::flag::name::FlagName;
use crate::flag::reader::Reader;
use crate::flag::rule::{Rule, Rules};
use crate::flag::user::User;

/// What can be said without a list of users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audience {
    /// The share of all users, 0 to 1, that is on at least: as if rules turned off all whom they may.
    pub at_least: f64,
    /// And at most. Without rules the two are equal.
    pub at_most: f64,
    /// Is this no more than a bound, since the reader fails on the flag or a rule is of another shape?
    pub uncertain: bool,
    /// Ids of the allowlist that are on.
    pub let_in: Vec<String>,
    /// Ids of the allowlist that are off all the same.
    pub shut_out: Vec<String>,
    /// What a user without an id gets.
    pub anonymous: Answer,
}

impl Audience {
    /// Is nobody on for certain?
    pub fn is_nobody(&self) -> bool {
        self.at_most == 0.0 && self.let_in.is_empty() && !self.uncertain
    }
}

/// Whom a flag can be expected to reach. Listed users are too few to move a share, and are named instead.
pub fn audience(flag: Option<&Flag>, name: &FlagName, reader: Reader) -> Audience {
    let anonymous = answer(flag, name, reader, &User::default());
    let Some(flag) = flag.filter(|flag| flag.enabled() && flag.unfit_for(reader).is_none()) else {
        return Audience {
            at_least: 0.0,
            at_most: 0.0,
            uncertain: false,
            let_in: Vec::new(),
            shut_out: Vec::new(),
            anonymous,
        };
    };
    let gate = flag.gate_share(reader);
    let inside = if flag.default_value() { gate } else { 0.0 };
    let (mut at_least, mut at_most) = (inside, inside);
    let reach = match reader {
        Reader::LegacyV1 => gate,
        Reader::V2 => 1.0,
    };
    let mut uncertain =
        [flag.allowlist(), flag.blocklist()].iter().any(|list| matches!(list, IdList::Broken(_) | IdList::Text(_)))
            && reader == Reader::LegacyV1
            && gate > 0.0;
    // The last rule first: each may take all users from those after it, or none.
    for rule in flag.rules().list().iter().rev() {
        match rule {
            Rule::Known { all, enabled } if all.is_empty() => {
                at_least = if *enabled { reach } else { 0.0 };
                at_most = at_least;
            }
            Rule::Known { enabled: true, .. } => at_most = reach,
            Rule::Known { enabled: false, .. } => at_least = 0.0,
            Rule::Strange(_) => {
                (at_least, at_most) = (0.0, reach);
                uncertain = true;
            }
        }
    }
    if matches!(flag.rules(), Rules::Broken(_)) {
        (at_least, at_most) = (0.0, reach);
        uncertain = true;
    }
    let is_on = |id: &&str| answer(Some(flag), name, reader, &User::new(*id)) == Answer::On;
    let (on, off): (Vec<&str>, Vec<&str>) = flag.allowlist().ids().into_iter().partition(is_on);
    let owned = |ids: Vec<&str>| ids.into_iter().map(ToOwned::to_owned).collect();
    Audience { at_least, at_most, uncertain, let_in: owned(on), shut_out: owned(off), anonymous }
}

/// Exact counts over users that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    pub on: u64,
    pub off: u64,
    pub unknown: u64,
}

impl Counts {
    pub fn total(&self) -> u64 {
        self.on + self.off + self.unknown
    }

    /// One more.
    pub fn add(&mut self, answer: Answer) {
        match answer {
            Answer::On => self.on += 1,
            Answer::Off => self.off += 1,
            Answer::CannotTell => self.unknown += 1,
        }
    }
}

/// What a change does to one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flip {
    TurnsOn,
    TurnsOff,
    StaysOn,
    StaysOff,
    CannotTell,
}

/// What a change of the flag does to a user.
pub fn flip(before: Option<&Flag>, after: Option<&Flag>, name: &FlagName, reader: Reader, user: &User) -> Flip {
    match (answer(before, name, reader, user), answer(after, name, reader, user)) {
        (Answer::CannotTell, _) | (_, Answer::CannotTell) => Flip::CannotTell,
        (Answer::Off, Answer::On) => Flip::TurnsOn,
        (Answer::On, Answer::Off) => Flip::TurnsOff,
        (Answer::On, Answer::On) => Flip::StaysOn,
        (Answer::Off, Answer::Off) => Flip::StaysOff,
    }
}

/// How two flags share their users, by percentage and default alone; shares of all users, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overlap {
    pub a: f64,
    pub b: f64,
    pub both: f64,
    /// Would it be so by chance, or do both flags sort users the same way?
    pub independent: bool,
}

/// The overlap of two flags. Under `legacy-v1` all flags sort users alike: the smaller group lies wholly in the larger
/// one. Under `v2` that holds for one salt; two salts are independent.
pub fn overlap(a: (&FlagName, &Flag), b: (&FlagName, &Flag), reader: Reader) -> Overlap {
    let share = |(_, flag): (&FlagName, &Flag)| {
        let on = flag.enabled() && flag.default_value() && flag.unfit_for(reader).is_none();
        if on { flag.gate_share(reader) } else { 0.0 }
    };
    fn salt<'a>((name, flag): (&'a FlagName, &'a Flag)) -> &'a str {
        flag.salt().unwrap_or(name.as_str())
    }
    let independent = reader == Reader::V2 && salt(a) != salt(b);
    let (share_a, share_b) = (share(a), share(b));
    let both = if independent { share_a * share_b } else { share_a.min(share_b) };
    Overlap { a: share_a, b: share_b, both, independent }
}

/// Does the flag ask for attributes, so that an id alone does not tell?
pub fn asks_attributes(flag: &Flag) -> bool {
    !flag.rules().is_empty()
}

/// Is the answer the same for every id, whatever its attributes? Then that answer.
pub fn constant(flag: Option<&Flag>, name: &FlagName, reader: Reader) -> Option<Answer> {
    let Some(flag) = flag else {
        return Some(Answer::Off);
    };
    for &step in order(reader) {
        let varies = match step {
            StepName::Percentage if flag.gate_share(reader) == 0.0 => return Some(Answer::Off),
            StepName::Percentage => flag.gate_share(reader) < 1.0,
            StepName::Allowlist => !flag.allowlist().is_empty(),
            StepName::Blocklist => !flag.blocklist().is_empty(),
            StepName::Rules => !flag.rules().is_empty(),
            StepName::Exists | StepName::Shape | StepName::Enabled | StepName::Default => false,
        };
        if varies {
            return None;
        }
        if let Some(answer) = verdict(step, flag, name, reader, &User::default()) {
            return Some(answer);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(text: &str) -> Flag {
        Flag::read(text.as_bytes()).unwrap()
    }

    fn of(text: &str, reader: Reader) -> Audience {
        audience(Some(&flag(text)), &"f".parse().unwrap(), reader)
    }

    fn bounds(text: &str, reader: Reader) -> (f64, f64) {
        let whom = of(text, reader);
        (whom.at_least, whom.at_most)
    }

    #[test]
    fn shares_with_and_without_rules() {
        let legacy = Reader::LegacyV1;
        assert_eq!(bounds(r#"{"enabled":true,"percentage":10,"defaultValue":true}"#, legacy), (0.1, 0.1));
        assert_eq!(bounds(r#"{"enabled":true,"percentage":10.5,"defaultValue":true}"#, legacy), (0.11, 0.11));
        assert_eq!(bounds(r#"{"enabled":true,"percentage":10.5,"defaultValue":true}"#, Reader::V2), (0.105, 0.105));
        assert_eq!(bounds(r#"{"enabled":false,"defaultValue":true}"#, legacy), (0.0, 0.0));
        let rule = |enabled: bool, default: bool| {
            format!(
                r#"{{"enabled":true,"percentage":50,"rules":[{{"attribute":"a","operator":"eq","value":1,"enabled":{enabled}}}],"defaultValue":{default}}}"#
            )
        };
        assert_eq!(bounds(&rule(true, false), legacy), (0.0, 0.5));
        assert_eq!(bounds(&rule(false, true), legacy), (0.0, 0.5));
        assert_eq!(bounds(&rule(true, true), legacy), (0.5, 0.5));
        assert_eq!(bounds(&rule(true, false), Reader::V2), (0.0, 1.0));
        assert!(of(r#"{"enabled":true,"rules":[{}],"defaultValue":true}"#, legacy).uncertain);
    }

    #[test]
    fn listed_users_are_named() {
        let whom = of(
            r#"{"enabled":true,"percentage":50,"allowlist":["admin_user_1","user_1"],"defaultValue":false}"#,
            Reader::LegacyV1,
        );
        assert_eq!(
            (whom.let_in.as_slice(), whom.shut_out.as_slice()),
            (&["admin_user_1".to_owned()][..], &["user_1".to_owned()][..])
        );
        assert_eq!(whom.anonymous, Answer::Off);
        assert!(!whom.is_nobody());
    }

    #[test]
    fn legacy_cohorts_are_nested() {
        let (a, b) = (
            flag(r#"{"enabled":true,"percentage":10,"defaultValue":true}"#),
            flag(r#"{"enabled":true,"percentage":20,"defaultValue":true}"#),
        );
        let (name_a, name_b): (FlagName, FlagName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let both = |reader| overlap((&name_a, &a), (&name_b, &b), reader);
        assert_eq!(both(Reader::LegacyV1).both, 0.1);
        assert!((both(Reader::V2).both - 0.02).abs() < 1e-12);
        let users = (0..20_000).map(|n| User::new(format!("u{n}")));
        let on = |flag: &Flag, name: &FlagName, user: &User| answer(Some(flag), name, Reader::V2, user) == Answer::On;
        let count = users.filter(|user| on(&a, &name_a, user) && on(&b, &name_b, user)).count();
        assert!((300..500).contains(&count), "{count}");
    }

    #[test]
    fn flips_and_constants() {
        let name: FlagName = "f".parse().unwrap();
        let before = flag(r#"{"enabled":true,"percentage":40,"defaultValue":true}"#);
        let after = flag(r#"{"enabled":true,"percentage":50,"defaultValue":true}"#);
        let user = User::new("admin_user_1");
        assert_eq!(flip(Some(&before), Some(&after), &name, Reader::LegacyV1, &user), Flip::TurnsOn);
        assert_eq!(flip(Some(&after), None, &name, Reader::LegacyV1, &user), Flip::TurnsOff);
        let fixed = |text: &str| constant(Some(&flag(text)), &name, Reader::LegacyV1);
        assert_eq!(fixed(r#"{"enabled":false}"#), Some(Answer::Off));
        assert_eq!(fixed(r#"{"enabled":true,"percentage":0,"allowlist":["a"]}"#), Some(Answer::Off));
        assert_eq!(fixed(r#"{"enabled":true,"percentage":100,"allowlist":[],"defaultValue":true}"#), Some(Answer::On));
        assert_eq!(fixed(r#"{"enabled":true,"percentage":100,"allowlist":["a"],"defaultValue":true}"#), None);
    }
}
