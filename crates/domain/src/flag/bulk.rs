//! One flag for millions of users: what does not depend on the id is decided once, the rest is one pass over the bytes.
//!
//! The answers are those of [`evaluate::answer`]; a property holds the two together.

use crate::flag::audience::constant;
use crate::flag::bucket::V2Hash;
use crate::flag::definition::Flag;
use crate::flag::evaluate::{Answer, StepName, verdict};
use crate::flag::list::IdList;
use crate::flag::name::FlagName;
use crate::flag::reader::Reader;
use crate::flag::user::User;
use crate::flag::{bucket, evaluate};

/// A flag that is ready for many users of whom only the id is known.
#[derive(Debug)]
pub struct Bulk {
    flag: Flag,
    name: FlagName,
    reader: Reader,
    /// What every id gets.
    constant: Option<Answer>,
    /// `legacy-v1`: how many of the hundred buckets pass.
    passing: u32,
    /// `v2`: below this bucket users pass.
    below: f64,
    salted: V2Hash,
    /// What the rules say of a user without attributes, if anything.
    ruled: Option<Answer>,
    default: Answer,
}

impl Bulk {
    /// Prepares a flag.
    pub fn new(flag: Flag, name: FlagName, reader: Reader) -> Self {
        let of = |step| verdict(step, &flag, &name, reader, &User::default());
        let off = of(StepName::Enabled).or(if reader == Reader::V2 { of(StepName::Shape) } else { None });
        let gate = flag.percentage().filter(|percentage| *percentage < 100.0);
        Self {
            constant: off.or_else(|| constant(Some(&flag), &name, reader)),
            // A bucket passes when it is below the percentage, so as many do as there are whole numbers below it.
            passing: gate.map_or(100, |percentage| percentage.max(0.0).ceil() as u32),
            below: gate.map_or(f64::INFINITY, |percentage| percentage * 1000.0),
            salted: V2Hash::new(flag.salt().unwrap_or(name.as_str())),
            ruled: of(StepName::Rules),
            default: flag.default_value().into(),
            flag,
            name,
            reader,
        }
    }

    /// For a user with attributes.
    pub fn user(&self, user: &User) -> Answer {
        evaluate::answer(Some(&self.flag), &self.name, self.reader, user)
    }

    /// For a user of whom only the id is known.
    pub fn id(&self, id: &str) -> Answer {
        match (self.constant, self.reader) {
            (Some(answer), _) => answer,
            (None, Reader::LegacyV1) => self.legacy(id.as_bytes(), bucket::hash(id)),
            (None, Reader::V2) => self.v2(id),
        }
    }

    /// As [`Bulk::id`], for an id of ASCII.
    #[inline]
    pub fn ascii(&self, id: &[u8]) -> Answer {
        match (self.constant, self.reader) {
            (Some(answer), _) => answer,
            (None, Reader::LegacyV1) => self.legacy(id, bucket::hash_ascii(id)),
            (None, Reader::V2) => std::str::from_utf8(id).map_or(Answer::CannotTell, |id| self.v2(id)),
        }
    }

    #[inline]
    fn legacy(&self, id: &[u8], hash: i32) -> Answer {
        let spread = if id.is_empty() { bucket::hash_ascii(bucket::ANONYMOUS.as_bytes()) } else { hash };
        if bucket::of_hash(spread) >= self.passing {
            return Answer::Off;
        }
        match has(self.flag.allowlist(), id, hash) {
            Some(true) => return Answer::On,
            Some(false) => {}
            None => return Answer::CannotTell,
        }
        match has(self.flag.blocklist(), id, hash) {
            Some(true) => Answer::Off,
            Some(false) => self.ruled.unwrap_or(self.default),
            None => Answer::CannotTell,
        }
    }

    fn v2(&self, id: &str) -> Answer {
        if self.flag.blocklist().has_or_number(id) {
            return Answer::Off;
        }
        if self.flag.allowlist().has_or_number(id) {
            return Answer::On;
        }
        if let Some(answer) = self.ruled {
            return answer;
        }
        if f64::from(self.salted.bucket(id)) >= self.below { Answer::Off } else { self.default }
    }
}

#[inline]
fn has(list: &IdList, id: &[u8], hash: i32) -> Option<bool> {
    match list {
        IdList::Absent => Some(false),
        IdList::Ids(ids) => Some(ids.has_hashed(id, hash)),
        IdList::Text(_) | IdList::Broken(_) => std::str::from_utf8(id).ok().and_then(|id| list.has(id)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list() -> impl Strategy<Value = String> {
        let listed =
            prop::collection::vec("[ab]{0,2}|日|12345", 0..4).prop_map(|ids| serde_json::Value::from(ids).to_string());
        prop_oneof![4 => listed, 1 => prop::sample::select(vec!["null", "{}", "\"ab\"", "[1,12345]", "7", "[]"]).prop_map(str::to_owned)]
    }

    proptest! {
        #[test]
        fn bulk_answers_as_one_by_one(
            enabled in prop::sample::select(vec!["true", "false", "1", "null"]),
            percentage in prop::sample::select(vec!["0", "10", "10.5", "99.999", "100", "null", "\"50\"", "-3", "1e400", "{}"]),
            (allow, block) in (list(), list()),
            rules in prop::sample::select(vec!["[]", "{}", "null", "[{\"all\":[],\"enabled\":true}]", "[{}]", "[{\"attribute\":\"a\",\"operator\":\"ne\",\"value\":1,\"enabled\":false}]"]),
            default in any::<bool>(),
            id in "[ab]{0,2}|日|12345|\\PC{0,20}",
            v2 in any::<bool>(),
        ) {
            let text = format!("{{\"enabled\":{enabled},\"percentage\":{percentage},\"allowlist\":{allow},\"blocklist\":{block},\"rules\":{rules},\"defaultValue\":{default}}}");
            let reader = if v2 { Reader::V2 } else { Reader::LegacyV1 };
            let bulk = Bulk::new(Flag::read(text.as_bytes()).unwrap(), "f".parse().unwrap(), reader);
            let one = bulk.user(&User::new(id.clone()));
            prop_assert_eq!(bulk.id(&id), one, "{}", text);
            if id.is_ascii() {
                prop_assert_eq!(bulk.ascii(id.as_bytes()), one, "{}", text);
            }
        }
    }
}
