//! One definition of flagd as a flag of this reader.

use serde_json::{Map, Value, json};

use crate::flag::document::Document;
use crate::flag::flagd::logic::{Test, name_of, read};
use crate::flag::flagd::{Converted, Inexpressible, Losses, USER, hashed_id, number, var};
use crate::flag::name::FlagName;
use crate::flag::reader::Reader;

/// How flagd calls the flag that is asked about.
const FLAG_KEY: &str = "$flagd.flagKey";

/// Members of a definition that decide about somebody, or say nothing by themselves.
const CARRIED: [&str; 5] = ["state", "variants", "defaultVariant", "targeting", "$schema"];

/// The bytes of a flag that answers as flagd's definition does.
pub fn import(definition: &Value, name: &FlagName, reader: Reader) -> Result<Converted<Vec<u8>>, Inexpressible> {
    let mut made = FlagBuilder {
        name,
        reader,
        variants: Variants::of(definition)?,
        losses: Losses::default(),
        off: false,
        percentage: None,
        salt: None,
        allow: Vec::new(),
        block: Vec::new(),
        rules: Vec::new(),
        default: false,
    };
    match definition.get("state").and_then(Value::as_str) {
        Some("ENABLED") => {}
        Some("DISABLED") => {
            made.off = true;
            made.losses
                .say("flagd leaves a disabled flag to the default in each caller's code; the services here answer off");
        }
        _ => {
            return Err(Inexpressible::because("its `state` is neither ENABLED nor DISABLED"));
        }
    }
    match definition.get("targeting") {
        None | Some(Value::Null) => made.default = made.variants.default()?,
        Some(Value::Object(none)) if none.is_empty() => made.default = made.variants.default()?,
        Some(targeting @ Value::Object(_)) => made.take(targeting)?,
        Some(other) => {
            return Err(Inexpressible::because(format!(
                "its `targeting` is not an object, and flagd's readers differ: {other}"
            )));
        }
    }
    let left: Vec<String> = definition
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .filter(|member| !CARRIED.contains(&member.as_str()))
        .map(|member| format!("`{member}`"))
        .collect();
    let notes = match left.is_empty() {
        true => Vec::new(),
        false => vec![format!("left out, as no reader here asks for it: {}", left.join(", "))],
    };
    let losses = std::mem::take(&mut made.losses.0);
    Ok(Converted { value: made.bytes(), losses, notes })
}

/// Variants that are on and off.
struct Variants {
    answers: Vec<(String, bool)>,
    default: Option<String>,
}

impl Variants {
    fn of(definition: &Value) -> Result<Self, Inexpressible> {
        let Some(Value::Object(variants)) = definition.get("variants") else {
            return Err(Inexpressible::because("it has no `variants`"));
        };
        let answers: Option<Vec<(String, bool)>> =
            variants.iter().map(|(name, value)| Some((name.clone(), value.as_bool()?))).collect();
        Ok(Self {
            answers: answers.ok_or_else(|| {
                Inexpressible::because("its variants are no booleans, and the services know on and off alone")
            })?,
            default: definition.get("defaultVariant").and_then(Value::as_str).map(ToOwned::to_owned),
        })
    }

    fn named(&self, name: &str) -> Result<bool, Inexpressible> {
        let found = self.answers.iter().find(|(known, _)| known == name);
        found.map(|(_, on)| *on).ok_or_else(|| Inexpressible::because(format!("it has no variant `{name}`")))
    }

    fn default(&self) -> Result<bool, Inexpressible> {
        match &self.default {
            Some(name) => self.named(name),
            None => Err(Inexpressible::because(
                "it has no `defaultVariant`, which leaves the answer to the default in each caller's code",
            )),
        }
    }

    /// The answer of an outcome; none where it is more than a variant.
    fn outcome(&self, outcome: &Value) -> Result<Option<bool>, Inexpressible> {
        match outcome {
            Value::String(name) => self.named(name).map(Some),
            Value::Bool(name) => self.named(&name.to_string()).map(Some),
            Value::Null => self.default().map(Some),
            _ => Ok(None),
        }
    }
}

/// What has been found so far.
struct FlagBuilder<'a> {
    name: &'a FlagName,
    reader: Reader,
    variants: Variants,
    losses: Losses,
    /// Off for everybody.
    off: bool,
    percentage: Option<f64>,
    salt: Option<String>,
    allow: Vec<String>,
    block: Vec<String>,
    rules: Vec<Value>,
    default: bool,
}

impl FlagBuilder<'_> {
    fn take(&mut self, targeting: &Value) -> Result<(), Inexpressible> {
        if let Some(on) = self.variants.outcome(targeting)? {
            self.default = on;
            return Ok(());
        }
        if let Some(parts) = targeting.get("fractional") {
            let listed = !self.allow.is_empty() || !self.block.is_empty();
            if self.reader == Reader::LegacyV1 && (listed || !self.rules.is_empty()) {
                return Err(Inexpressible::because(
                    "its `fractional` comes after lists or rules; with reader legacy-v1 the percentage comes before them, and who is listed outside of it would be off",
                ));
            }
            let fraction = Fraction::of(parts, &self.variants, self.name)?;
            if fraction.wants_id {
                let default = self.variants.default().ok();
                let same_for_all = match (fraction.inside, fraction.total - fraction.inside) {
                    (0, _) => Some(false),
                    (_, 0) => Some(fraction.passed),
                    _ => None,
                };
                if default.is_none() || same_for_all != default {
                    self.losses.without_id();
                }
            }
            return self.gate(&fraction);
        }
        let Some(Value::Array(steps)) = targeting.get("if") else {
            return Err(Inexpressible::because(format!(
                "its targeting is neither `if` nor `fractional` nor a variant: {targeting}"
            )));
        };
        let (pairs, last) = steps.as_chunks::<2>();
        for [test, outcome] in pairs {
            self.step(test, outcome)?;
        }
        self.take(last.first().unwrap_or(&Value::Null))
    }

    fn step(&mut self, test: &Value, outcome: &Value) -> Result<(), Inexpressible> {
        let Some(on) = self.variants.outcome(outcome)? else {
            return Err(Inexpressible::because(format!("a step answers with more than a variant: {outcome}")));
        };
        if let Some(gate) = self.outside(test, on)? {
            let first = self.allow.is_empty() && self.block.is_empty() && self.rules.is_empty();
            if !first {
                return Err(Inexpressible::because(
                    "its share of users is taken after lists or rules, and not at the end",
                ));
            }
            return self.gate(&gate);
        }
        let test = read(test, &mut self.losses)?;
        self.tested(test, on)
    }

    fn tested(&mut self, test: Test, on: bool) -> Result<(), Inexpressible> {
        let gated = self.percentage.is_some() && self.reader == Reader::V2;
        match test {
            Test::Always(false) => {}
            Test::Always(true) if !on && self.is_untouched() => self.off = true,
            _ if gated => {
                return Err(Inexpressible::because(
                    "its share of users comes before lists or rules; with reader v2 it comes after them, and they would let users in from outside of it",
                ));
            }
            Test::Always(true) => self.rules.push(json!({ "all": [], "enabled": on })),
            Test::User(_) if !self.rules.is_empty() => {
                return Err(Inexpressible::because(
                    "users are listed after other conditions; the services look at lists before rules",
                ));
            }
            // Whoever is in both lists is decided by the first, so that neither reader's order of them matters.
            Test::User(ids) => {
                for id in ids {
                    if !self.allow.contains(&id) && !self.block.contains(&id) {
                        let list = if on { &mut self.allow } else { &mut self.block };
                        list.push(id);
                    }
                }
            }
            Test::All(mut conditions) => self.rules.push(match conditions.len() {
                1 => {
                    let mut rule = conditions.remove(0);
                    rule["enabled"] = json!(on);
                    rule
                }
                _ => json!({ "all": conditions, "enabled": on }),
            }),
            Test::Any(tests) => {
                for test in tests {
                    self.tested(test, on)?;
                }
            }
        }
        Ok(())
    }

    fn is_untouched(&self) -> bool {
        self.percentage.is_none() && self.allow.is_empty() && self.block.is_empty() && self.rules.is_empty()
    }

    /// `{"==": [fraction, variant]}` → off: who is outside of a share.
    fn outside(&mut self, test: &Value, on: bool) -> Result<Option<Fraction>, Inexpressible> {
        let Some(Value::Array(sides)) = test.get("==").or_else(|| test.get("===")) else {
            return Ok(None);
        };
        let [Value::Object(fraction), Value::String(variant)] = sides.as_slice() else {
            return Ok(None);
        };
        let Some(parts) = fraction.get("fractional") else {
            return Ok(None);
        };
        let fraction = Fraction::of(parts, &self.variants, self.name)?;
        if fraction.wants_id && fraction.inside < fraction.total {
            self.losses.without_id();
        }
        if on || fraction.second.as_deref() != Some(variant) {
            return Err(Inexpressible::because(format!(
                "its share of users is asked for in a way that no percentage has: {test}"
            )));
        }
        Ok(Some(fraction))
    }

    /// Takes the share of a fraction for the flag's percentage.
    fn gate(&mut self, fraction: &Fraction) -> Result<(), Inexpressible> {
        let (inside, total) = (fraction.inside, fraction.total);
        if self.percentage.is_some() {
            return Err(Inexpressible::because("it takes a share of users twice, and a flag here has one percentage"));
        }
        self.default = fraction.passed;
        let parts = match self.reader {
            Reader::LegacyV1 => 100,
            Reader::V2 => 100_000,
        };
        let scaled = u128::from(inside) * parts;
        if !scaled.is_multiple_of(u128::from(total)) {
            return Err(Inexpressible::because(format!(
                "its share of {inside} in {total} is no {} of reader {}",
                if parts == 100 { "whole percentage" } else { "thousandth of a percent" },
                self.reader.word()
            )));
        }
        // At most 100 000: exact as a double.
        let share = (scaled / u128::from(total)) as f64;
        self.percentage = Some(share * 100.0 / parts as f64);
        if inside == 0 || inside == total || !self.default {
            self.salt = fraction.salt.clone();
            return Ok(());
        }
        match (&fraction.salt, self.reader) {
            (Some(salt), Reader::V2) => {
                self.salt = Some(salt.clone());
                if !fraction.anonymous {
                    self.losses.say("users without an id: flagd hashes the empty id, reader v2 `anonymous`");
                }
            }
            _ => self.losses.other_users(),
        }
        Ok(())
    }

    fn bytes(self) -> Vec<u8> {
        let mut document = Document::empty();
        document.set("enabled", &json!(!self.off).to_string());
        let percentage = number(self.percentage.unwrap_or(100.0));
        document.set("percentage", &percentage.to_string());
        document.set("allowlist", &json!(self.allow).to_string());
        document.set("blocklist", &json!(self.block).to_string());
        document.set("rules", &json!(self.rules).to_string());
        document.set("defaultValue", &json!(self.default).to_string());
        let salt = self.salt.filter(|salt| salt != self.name.as_str());
        if let Some(salt) = salt.filter(|_| self.reader == Reader::V2) {
            document.set("salt", &json!(salt).to_string());
        }
        document.into_bytes()
    }
}

/// `{"fractional": […]}` as a share of users.
struct Fraction {
    inside: u64,
    total: u64,
    /// What those inside get.
    passed: bool,
    /// The variant of those outside, where there are two.
    second: Option<String>,
    /// What is hashed before `:id`; none where users are taken in another way.
    salt: Option<String>,
    /// Is an empty id hashed as the readers do it?
    anonymous: bool,
    /// Does it decide about nobody who has no id?
    wants_id: bool,
}

impl Fraction {
    fn of(parts: &Value, variants: &Variants, name: &FlagName) -> Result<Self, Inexpressible> {
        let odd = || Inexpressible::because(format!("its `fractional` cannot be read: {parts}"));
        let parts_of = parts.as_array().ok_or_else(odd)?;
        let (key, weighed) = match parts_of.split_first() {
            Some((key, rest)) if !key.is_array() => (Some(key), rest),
            _ => (None, parts_of.as_slice()),
        };
        let mut parts: Vec<(&str, bool, u64)> = Vec::new();
        for part in weighed {
            let (variant, weight) = match part.as_array().map(Vec::as_slice) {
                Some([Value::String(variant)]) => (variant, 1),
                Some([Value::String(variant), weight]) => (variant, weight.as_u64().ok_or_else(odd)?),
                _ => return Err(odd()),
            };
            parts.push((variant, variants.named(variant)?, weight));
        }
        let total: u64 = parts.iter().map(|(.., weight)| weight).sum();
        if total == 0 || total > u64::from(u32::MAX) {
            return Err(odd());
        }
        let wants_id = key.is_none_or(|key| *key == var(USER));
        let (salt, anonymous) = match key {
            None => (None, false),
            Some(key) => salted(key, name)?,
        };
        if let [(_, passed, inside), (second, false, _)] = parts.as_slice() {
            return Ok(Self {
                inside: *inside,
                total,
                passed: *passed,
                second: Some((*second).to_owned()),
                salt,
                anonymous,
                wants_id,
            });
        }
        // Any other order of the parts takes users from elsewhere than a percentage does.
        let on = parts.iter().filter(|(_, on, _)| *on);
        Ok(Self {
            inside: on.map(|(.., weight)| weight).sum(),
            total,
            passed: true,
            second: None,
            salt: None,
            anonymous,
            wants_id,
        })
    }
}

/// What a key hashes before `:id`, and whether it takes an empty id as the readers do. No salt: the id, otherwise mixed.
fn salted(key: &Value, name: &FlagName) -> Result<(Option<String>, bool), Inexpressible> {
    let is_id = |value: &Value| *value == hashed_id() || *value == var(USER);
    if is_id(key) {
        return Ok((None, *key == hashed_id()));
    }
    let elsewhere = || Inexpressible::because(format!("its share of users is not taken by their id, but by {key}"));
    let parts = key.get("cat").and_then(Value::as_array).ok_or_else(elsewhere)?;
    let (id, before) = parts.split_last().ok_or_else(elsewhere)?;
    if !is_id(id) {
        return Err(elsewhere());
    }
    let mut prefix = String::new();
    for part in before {
        match part {
            Value::String(text) => prefix.push_str(text),
            var if name_of(var) == Some(FLAG_KEY) => prefix.push_str(name.as_str()),
            _ => return Err(elsewhere()),
        }
    }
    let salt = prefix.strip_suffix(':').map(ToOwned::to_owned);
    Ok((salt, *id == hashed_id()))
}
