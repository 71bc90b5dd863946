//! The answer of a reader for one user, with every step on the way to it, those not reached too.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::flag::bucket;
use crate::flag::definition::Flag;
use crate::flag::js::number_to_text;
use crate::flag::list::IdList;
use crate::flag::name::FlagName;
use crate::flag::percent::Percent;
use crate::flag::reader::Reader;
use crate::flag::rule::{Match, Rule, Rules};
use crate::flag::user::User;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Answer {
    #[serde(rename = "on")]
    On,
    #[serde(rename = "off")]
    Off,
    /// The reader throws there, or asks what liveops does not know.
    #[serde(rename = "unknown")]
    CannotTell,
}

impl Answer {
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::CannotTell => "unknown",
        }
    }
}

impl From<bool> for Answer {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// What a reader looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepName {
    /// Is there such a flag?
    Exists,
    /// `v2` alone: are all members of the right type?
    Shape,
    Enabled,
    Percentage,
    Allowlist,
    Blocklist,
    Rules,
    Default,
}

impl StepName {
    pub fn word(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Shape => "shape",
            Self::Enabled => "enabled",
            Self::Percentage => "percentage",
            Self::Allowlist => "allowlist",
            Self::Blocklist => "blocklist",
            Self::Rules => "rules",
            Self::Default => "default",
        }
    }
}

/// The order of the services' class, after the flag was found.
const LEGACY: [StepName; 6] = [
    StepName::Enabled,
    StepName::Percentage,
    StepName::Allowlist,
    StepName::Blocklist,
    StepName::Rules,
    StepName::Default,
];

/// The order of `v2`.
const V2: [StepName; 7] = [
    StepName::Shape,
    StepName::Enabled,
    StepName::Blocklist,
    StepName::Allowlist,
    StepName::Rules,
    StepName::Percentage,
    StepName::Default,
];

/// The steps of a reader in its order, after the flag was found.
pub fn order(reader: Reader) -> &'static [StepName] {
    match reader {
        Reader::LegacyV1 => &LEGACY,
        Reader::V2 => &V2,
    }
}

/// One step as this user meets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub step: StepName,
    /// Does the reader come so far?
    pub reached: bool,
    /// What the step answers; `null` when it passes the question on. Known for steps that are not reached, too.
    pub answer: Option<Answer>,
    /// With its values, in words.
    pub detail: String,
}

/// The answer and its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    pub answer: Answer,
    pub decided_by: StepName,
    pub steps: Vec<Step>,
    /// 0 to 99 under `legacy-v1`, 0 to 99 999 under `v2`.
    pub bucket: u32,
    /// The smallest percentage with which this user is on, everything else as it is; `null` when there is none, or it
    /// cannot be told.
    pub on_from: Option<Percent>,
}

/// The answer alone.
pub fn answer(flag: Option<&Flag>, name: &FlagName, reader: Reader, user: &User) -> Answer {
    let Some(flag) = flag else { return Answer::Off };
    let mut steps = order(reader).iter();
    steps.find_map(|step| verdict(*step, flag, name, reader, user)).unwrap_or(Answer::Off)
}

/// The answer with every step.
pub fn evaluate(flag: Option<&Flag>, name: &FlagName, reader: Reader, user: &User) -> Evaluation {
    let bucket = bucket_of(flag, name, reader, user);
    let Some(flag) = flag else {
        let step = Step {
            step: StepName::Exists,
            reached: true,
            answer: Some(Answer::Off),
            detail: "there is no such flag".into(),
        };
        return Evaluation {
            answer: Answer::Off,
            decided_by: StepName::Exists,
            steps: vec![step],
            bucket,
            on_from: None,
        };
    };
    let mut decided: Option<(StepName, Answer)> = None;
    let mut steps = vec![Step { step: StepName::Exists, reached: true, answer: None, detail: "yes".into() }];
    for &step in order(reader) {
        let answer = verdict(step, flag, name, reader, user);
        steps.push(Step { step, reached: decided.is_none(), answer, detail: detail(step, flag, reader, user, bucket) });
        decided = decided.or(answer.map(|answer| (step, answer)));
    }
    let (decided_by, answer) = decided.unwrap_or((StepName::Default, Answer::Off));
    Evaluation { answer, decided_by, steps, bucket, on_from: on_from(flag, name, reader, user, bucket) }
}

/// What one step answers by itself; none when it passes the question on.
pub fn verdict(step: StepName, flag: &Flag, name: &FlagName, reader: Reader, user: &User) -> Option<Answer> {
    match step {
        StepName::Exists => None,
        StepName::Shape => flag.unfit().map(|_| Answer::Off),
        StepName::Enabled => (!flag.enabled()).then_some(Answer::Off),
        StepName::Percentage => {
            let percentage = flag.percentage().filter(|percentage| *percentage < 100.0)?;
            let beyond = match reader {
                Reader::LegacyV1 => f64::from(bucket::legacy(&user.id)) >= percentage,
                // A percent is a thousand buckets; the product is the same double in every language.
                Reader::V2 => {
                    f64::from(bucket::v2(flag.salt().unwrap_or(name.as_str()), &user.id)) >= percentage * 1000.0
                }
            };
            beyond.then_some(Answer::Off)
        }
        StepName::Allowlist => listed(flag.allowlist(), reader, user, Answer::On),
        StepName::Blocklist => listed(flag.blocklist(), reader, user, Answer::Off),
        StepName::Rules => by_rules(flag.rules(), user).map(|(_, answer)| answer),
        StepName::Default => Some(flag.default_value().into()),
    }
}

fn listed(list: &IdList, reader: Reader, user: &User, answer: Answer) -> Option<Answer> {
    let found = match reader {
        Reader::LegacyV1 => list.has(&user.id),
        Reader::V2 => Some(list.has_or_number(&user.id)),
    };
    match found {
        Some(true) => Some(answer),
        Some(false) => None,
        None => Some(Answer::CannotTell),
    }
}

/// The first rule that says something, counted from 0.
fn by_rules(rules: &Rules, user: &User) -> Option<(usize, Answer)> {
    let Rules::List(rules) = rules else {
        return Some((0, Answer::CannotTell));
    };
    rules.iter().enumerate().find_map(|(place, rule)| match (rule.matches(user), rule) {
        (Match::Yes, Rule::Known { enabled, .. }) => Some((place, (*enabled).into())),
        (Match::No, _) => None,
        _ => Some((place, Answer::CannotTell)),
    })
}

fn bucket_of(flag: Option<&Flag>, name: &FlagName, reader: Reader, user: &User) -> u32 {
    match reader {
        Reader::LegacyV1 => bucket::legacy(&user.id),
        Reader::V2 => bucket::v2(flag.and_then(Flag::salt).unwrap_or(name.as_str()), &user.id),
    }
}

/// The percentage that just lets this bucket pass.
fn just_passes(reader: Reader, bucket: u32) -> Percent {
    match reader {
        Reader::LegacyV1 => Percent::from_thousandths((bucket + 1) * 1000),
        // The readers' product of doubles is not always the whole number: 0.001 % too early, for a few buckets.
        Reader::V2 => {
            let own = Percent::from_thousandths(bucket);
            let passes = f64::from(bucket) < own.value() * 1000.0;
            if passes { own } else { Percent::from_thousandths(bucket + 1) }
        }
    }
}

fn on_from(flag: &Flag, name: &FlagName, reader: Reader, user: &User, bucket: u32) -> Option<Percent> {
    let mut gated = false;
    for &step in order(reader) {
        if step == StepName::Percentage {
            gated = true;
            continue;
        }
        // A percentage of a wrong type would be put right by the new one.
        if step == StepName::Shape && flag.unfit().is_some_and(|why| why.starts_with("`percentage`")) {
            continue;
        }
        match verdict(step, flag, name, reader, user) {
            None => {}
            Some(Answer::On) if gated => return Some(just_passes(reader, bucket)),
            Some(Answer::On) => return Some(Percent::NOBODY),
            Some(Answer::Off | Answer::CannotTell) => return None,
        }
    }
    None
}

fn detail(step: StepName, flag: &Flag, reader: Reader, user: &User, bucket: u32) -> String {
    let raw = |name: &str| flag.document().get(name).map_or_else(|| "missing".to_owned(), short);
    match step {
        StepName::Exists => "yes".into(),
        StepName::Shape => {
            flag.unfit().map_or_else(|| "every member has its type".into(), |why| format!("broken: {why}"))
        }
        StepName::Enabled => raw("enabled"),
        StepName::Percentage => gate(flag, reader, bucket),
        StepName::Allowlist => in_list(flag.allowlist(), reader, user),
        StepName::Blocklist => in_list(flag.blocklist(), reader, user),
        StepName::Rules => rules(flag.rules(), user),
        StepName::Default => raw("defaultValue"),
    }
}

/// Values of wrong types may be long.
fn short(raw: &str) -> String {
    if raw.chars().count() <= 40 {
        return raw.to_owned();
    }
    raw.chars().take(39).chain(['…']).collect()
}

fn gate(flag: &Flag, reader: Reader, bucket: u32) -> String {
    let bucket = match reader {
        Reader::LegacyV1 => f64::from(bucket),
        Reader::V2 => f64::from(bucket) / 1000.0,
    };
    match flag.percentage() {
        None => format!("missing, so 100: bucket {bucket} passes"),
        Some(percentage) if percentage.is_nan() => {
            format!("no number, so the gate is open: bucket {bucket} passes")
        }
        Some(percentage) if percentage < 100.0 && bucket >= percentage => {
            format!("bucket {bucket} >= {}", number_to_text(percentage))
        }
        Some(percentage) => format!("bucket {bucket} < {}", number_to_text(percentage)),
    }
}

fn in_list(list: &IdList, reader: Reader, user: &User) -> String {
    let found = match reader {
        Reader::LegacyV1 => list.has(&user.id),
        Reader::V2 => Some(list.has_or_number(&user.id)),
    };
    match (list, found) {
        (IdList::Broken(kind), _) => format!("it is {kind}, not an array: the reader fails"),
        (IdList::Text(_), Some(true)) => "it is a text, and the id is a part of it".into(),
        (_, Some(true)) => "listed".into(),
        (IdList::Absent, _) => "no list".into(),
        _ => "not listed".into(),
    }
}

fn rules(rules: &Rules, user: &User) -> String {
    let list = match rules {
        Rules::Broken(kind) => return format!("it is {kind}, not an array: the reader fails"),
        Rules::List(list) if list.is_empty() => return "no rules".into(),
        Rules::List(list) => list,
    };
    let Some((place, answer)) = by_rules(rules, user) else {
        return match list.len() {
            1 => "the rule does not match".into(),
            n => format!("none of {n} rules matches"),
        };
    };
    let number = place + 1;
    match (&list[place], answer) {
        (Rule::Strange(why), _) => format!("rule {number} is of another shape ({why})"),
        (Rule::Known { .. }, Answer::CannotTell) => {
            format!("rule {number} has a regular expression that may mean something else in JavaScript")
        }
        (Rule::Known { .. }, answer) => format!("rule {number} matches: {}", answer.word()),
    }
}
