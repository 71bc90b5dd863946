//! One flag in flagd's words.

use serde_json::{Value, json};

use crate::flag::bucket::V2_BUCKETS;
use crate::flag::definition::{Flag, OURS};
use crate::flag::flagd::{Converted, Inexpressible, Losses, USER, hashed_id, logic, var};
use crate::flag::js::Js;
use crate::flag::list::IdList;
use crate::flag::name::FlagName;
use crate::flag::reader::Reader;
use crate::flag::rule::{Rule, Rules, has_remarks};

/// The members that the targeting is made of.
const CARRIED: [&str; 7] = ["enabled", "percentage", "allowlist", "blocklist", "rules", "defaultValue", OURS];

/// A flag as flagd would have it. A flag that is not enabled stays `ENABLED` with a first step that answers "off": a
/// `DISABLED` one leaves the answer to the default in each caller's code.
pub fn export(name: &FlagName, flag: &Flag, reader: Reader) -> Result<Converted<Value>, Inexpressible> {
    if let Some(why) = flag.unfit_for(reader) {
        return Err(Inexpressible::because(format!("readers take it for broken: {why}; put it right first")));
    }
    let mut losses = Losses::default();
    let mut steps = Vec::new();
    if !flag.enabled() {
        steps.extend([json!(true), json!("off")]);
    }
    let gate = PercentageGate::of(name, flag, reader);
    if let Some(gate) = gate.as_ref().filter(|_| reader == Reader::LegacyV1) {
        losses.other_users();
        let outside = json!({ "==": [gate.fraction("on"), "off"] });
        steps.extend([outside, json!("off")]);
    }
    let (allow, block) = (("allowlist", "on"), ("blocklist", "off"));
    for (member, outcome) in match reader {
        Reader::LegacyV1 => [allow, block],
        Reader::V2 => [block, allow],
    } {
        let ids = ids(flag, member, reader)?;
        if !ids.is_empty() {
            steps.extend([json!({ "in": [var(USER), ids] }), json!(outcome)]);
        }
    }
    rules(flag.rules(), &mut steps, &mut losses)?;
    let last = variant(flag.default_value());
    let gate = gate.filter(|_| reader == Reader::V2);
    let (targeting, default) = match (gate, steps.is_empty()) {
        (Some(gate), true) => (gate.fraction(last), "off"),
        (None, true) => (json!({}), last),
        (gate, false) => {
            steps.push(gate.map_or(json!(last), |gate| gate.fraction(last)));
            (json!({ "if": steps }), "off")
        }
    };
    Ok(Converted {
        value: json!({
            "state": "ENABLED",
            "variants": { "on": true, "off": false },
            "defaultVariant": default,
            "targeting": targeting,
        }),
        losses: losses.0,
        notes: notes(flag, reader),
    })
}

/// A percentage that lets some pass and not others.
struct PercentageGate<'a> {
    salt: &'a str,
    /// Of [`V2_BUCKETS`].
    inside: u32,
}

impl<'a> PercentageGate<'a> {
    fn of(name: &'a FlagName, flag: &'a Flag, reader: Reader) -> Option<Self> {
        let inside = (flag.gate_share(reader) * f64::from(V2_BUCKETS)).round() as u32;
        let salt = flag.salt().filter(|_| reader == Reader::V2);
        (inside < V2_BUCKETS).then_some(Self { salt: salt.unwrap_or(name.as_str()), inside })
    }

    /// `v2`'s bucket is flagd's formula over `salt:id`, so weights out of its buckets take the same users.
    fn fraction(&self, passed: &str) -> Value {
        let key = json!({ "cat": [self.salt, ":", hashed_id()] });
        json!({ "fractional": [key, [passed, self.inside], ["off", V2_BUCKETS - self.inside]] })
    }
}

fn variant(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Whom a list names, for this reader.
fn ids<'a>(flag: &'a Flag, member: &str, reader: Reader) -> Result<Vec<&'a str>, Inexpressible> {
    let list = match member {
        "allowlist" => flag.allowlist(),
        _ => flag.blocklist(),
    };
    match list {
        IdList::Absent => Ok(Vec::new()),
        IdList::Ids(_) => Ok(list.found_by(reader)),
        IdList::Text(_) => {
            Err(Inexpressible::because(format!("its `{member}` is a string, not an array; put it right first")))
        }
        IdList::Broken(kind) => Err(Inexpressible::because(format!(
            "its `{member}` is {kind}, not an array, on which readers fail; put it right first"
        ))),
    }
}

fn rules(rules: &Rules, steps: &mut Vec<Value>, losses: &mut Losses) -> Result<(), Inexpressible> {
    if let Rules::Broken(kind) = rules {
        return Err(Inexpressible::because(format!("its `rules` are {kind}, not an array; put it right first")));
    }
    for (place, rule) in rules.list().iter().enumerate() {
        let at = |why: &str| Inexpressible::because(format!("rule {}: {why}", place + 1));
        match rule {
            Rule::Strange(why) => {
                return Err(at(&format!("{why}, so what it does is not known")));
            }
            Rule::Known { all, enabled } => {
                let all: Result<Vec<Value>, Inexpressible> =
                    all.iter().map(|condition| logic::written(condition, losses)).collect();
                let mut all = all.map_err(|why| at(&why.to_string()))?;
                let test = match all.len() {
                    0 => json!(true),
                    1 => all.remove(0),
                    _ => json!({ "and": all }),
                };
                steps.extend([test, json!(variant(*enabled))]);
            }
        }
    }
    Ok(())
}

/// What decides about nobody, and has no place there.
fn notes(flag: &Flag, reader: Reader) -> Vec<String> {
    let carried = |name: &str| CARRIED.contains(&name) || (name == "salt" && reader == Reader::V2);
    let left: Vec<String> =
        flag.document().members().filter(|(name, _)| !carried(name)).map(|(name, _)| format!("`{name}`")).collect();
    let mut notes = Vec::new();
    if !left.is_empty() {
        notes.push(format!("left out, as readers do: {}", left.join(", ")));
    }
    let remarked = flag.document().get("rules").map(Js::read);
    if remarked.is_some_and(|rules| has_remarks(&rules)) {
        notes.push("left out: the names and remarks of its rules".into());
    }
    if reader == Reader::V2 && flag.enabled() && flag.gate_share(reader) < 1.0 {
        notes.push(
            "flagd's engine in Go takes the same share of users as reader v2; its engine in JavaScript hashes ids outside ASCII otherwise".into(),
        );
    }
    notes
}
