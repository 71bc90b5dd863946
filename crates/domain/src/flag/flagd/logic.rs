//! Conditions of rules and JsonLogic, in both directions.
//!
//! The services take a text that is written as a number for the number, and `"true"` for true; JsonLogic's `in` does not.
//! So each such value is written twice, and read back as one.

use serde_json::{Value, json};

use crate::flag::flagd::{Inexpressible, Losses, USER, number, var};
use crate::flag::js::{Js, number_to_text, numeral};
use crate::flag::rule::condition::{Condition, Operator};
use crate::flag::rule::version::full as full_version;

/// Orders: JsonLogic's sign, and ours.
const ORDERS: [(&str, Operator); 4] =
    [("<", Operator::Lt), ("<=", Operator::Lte), (">", Operator::Gt), (">=", Operator::Gte)];

/// Parts of texts.
const PARTS: [(&str, Operator); 2] = [("starts_with", Operator::StartsWith), ("ends_with", Operator::EndsWith)];

/// Versions: flagd's sign, and ours.
const VERSIONS: [(&str, Operator); 2] = [("<", Operator::SemverLt), (">=", Operator::SemverGte)];

/// A condition in JsonLogic.
pub(super) fn written(condition: &Condition, losses: &mut Losses) -> Result<Value, Inexpressible> {
    let (name, operator) = (condition.attribute.as_str(), condition.operator);
    if !is_attribute(name) {
        return Err(Inexpressible::because(format!("flagd cannot ask for an attribute named `{name}`")));
    }
    let sign = |table: &[(&'static str, Operator)]| {
        let found = table.iter().find(|(_, known)| *known == operator);
        found.map(|(sign, _)| *sign).unwrap_or_default()
    };
    let texts = condition.values.iter().filter_map(|value| match value {
        Js::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let tests: Vec<Value> = match operator {
        Operator::Matches => {
            return Err(Inexpressible::because("flagd has no regular expressions (`matches`)"));
        }
        Operator::Eq | Operator::In => return Ok(one_of(condition, losses)),
        Operator::Ne | Operator::NotIn => return Ok(json!({ "!": [one_of(condition, losses)] })),
        Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte => {
            losses.order(name);
            let numbers = condition.values.iter().filter_map(as_number);
            numbers.map(|value| json!({ (sign(&ORDERS)): [var(name), number(value)] })).collect()
        }
        Operator::StartsWith | Operator::EndsWith => {
            texts.map(|text| json!({ (sign(&PARTS)): [var(name), text] })).collect()
        }
        Operator::Contains => {
            losses.contains(name);
            condition.values.iter().map(|value| json!({ "in": [scalar(value), var(name)] })).collect()
        }
        Operator::SemverLt | Operator::SemverGte => {
            losses.version(name);
            texts
                .filter_map(full_version)
                .map(|version| json!({ "sem_ver": [var(name), sign(&VERSIONS), version] }))
                .collect()
        }
    };
    let any = any_of(tests);
    Ok(match operator {
        Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte if any != json!(false) => {
            json!({ "and": [there(name), any] })
        }
        _ => any,
    })
}

/// Does the user have the attribute?
fn there(name: &str) -> Value {
    json!({ "!": [{ "missing": [name] }] })
}

fn any_of(mut tests: Vec<Value>) -> Value {
    match tests.len() {
        0 => json!(false),
        1 => tests.remove(0),
        _ => json!({ "or": tests }),
    }
}

/// The value as a number, where the services see one.
fn as_number(value: &Js) -> Option<f64> {
    let found = match value {
        Js::Number(number) => Some(*number),
        Js::Text(text) => numeral(text),
        _ => None,
    };
    found.filter(|number| number.is_finite())
}

fn scalar(value: &Js) -> Value {
    match value {
        Js::Text(text) => json!(text),
        Js::Bool(value) => json!(value),
        Js::Number(value) => number(*value),
        _ => Value::Null,
    }
}

/// What the services take for the same as this value.
fn twin(value: &Js) -> Option<Value> {
    match value {
        Js::Bool(value) => Some(json!(value.to_string())),
        Js::Text(text) if text == "true" => Some(json!(true)),
        Js::Text(text) if text == "false" => Some(json!(false)),
        Js::Text(_) => as_number(value).map(number),
        Js::Number(value) => Some(json!(number_to_text(*value))),
        _ => None,
    }
}

/// Is it one of the values?
fn one_of(condition: &Condition, losses: &mut Losses) -> Value {
    let mut values = Vec::new();
    for value in &condition.values {
        if matches!(value, Js::Number(_)) {
            losses.number(&condition.attribute);
        }
        for one in std::iter::once(scalar(value)).chain(twin(value)) {
            if !values.contains(&one) {
                values.push(one);
            }
        }
    }
    json!({ "in": [var(&condition.attribute), values] })
}

/// What a test of JsonLogic comes to here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// The same for everybody.
    Always(bool),
    /// The user is one of these.
    User(Vec<String>),
    /// All conditions hold, each in the words of a rule.
    All(Vec<Value>),
    /// One of these holds.
    Any(Vec<Test>),
}

pub(super) fn read(test: &Value, losses: &mut Losses) -> Result<Test, Inexpressible> {
    let unknown = || Inexpressible::because(format!("no rule here can ask {test}"));
    let (operator, arguments) = match test {
        Value::Bool(always) => return Ok(Test::Always(*always)),
        Value::Object(one) if one.len() == 1 => one.iter().next().ok_or_else(unknown)?,
        _ => return Err(unknown()),
    };
    let arguments = match arguments {
        Value::Array(arguments) => arguments.as_slice(),
        one => std::slice::from_ref(one),
    };
    match (operator.as_str(), arguments) {
        // What they are without parts depends on whom one asks.
        ("and" | "or", []) => Err(unknown()),
        ("and", parts) => all_of(parts, losses),
        ("or", parts) => {
            let parts: Vec<Test> = parts.iter().map(|part| read(part, losses)).collect::<Result<_, _>>()?;
            Ok(merged(&parts).unwrap_or(Test::Any(parts)))
        }
        ("!", [inner]) => match read(inner, losses)? {
            Test::Always(always) => Ok(Test::Always(!always)),
            Test::All(one) => negated(&one).ok_or_else(unknown),
            _ => Err(unknown()),
        },
        ("in", [asked, Value::Array(values)]) => {
            let values = scalars(values).ok_or_else(unknown)?;
            match name_of(asked).ok_or_else(unknown)? {
                USER => users(&values).ok_or_else(unknown),
                _ => Ok(equals(attribute(asked).ok_or_else(unknown)?, "in", &values, losses)),
            }
        }
        ("in", [value, asked]) if scalars(std::slice::from_ref(value)).is_some() => {
            let name = attribute(asked).ok_or_else(unknown)?;
            losses.contains(name);
            Ok(condition(name, "contains", std::slice::from_ref(value)))
        }
        ("==" | "===" | "!=" | "!==", [left, right]) => {
            let (asked, value) = if name_of(left).is_some() { (left, right) } else { (right, left) };
            let values = scalars(std::slice::from_ref(value)).ok_or_else(unknown)?;
            let is_not = operator.starts_with('!');
            match name_of(asked).ok_or_else(unknown)? {
                USER if is_not => Err(unknown()),
                USER => users(&values).ok_or_else(unknown),
                _ => {
                    let name = attribute(asked).ok_or_else(unknown)?;
                    Ok(equals(name, if is_not { "ne" } else { "eq" }, &values, losses))
                }
            }
        }
        ("starts_with" | "ends_with", [asked, Value::String(part)]) => {
            let name = attribute(asked).ok_or_else(unknown)?;
            Ok(condition(name, operator, &[json!(part)]))
        }
        ("sem_ver", [asked, Value::String(sign), Value::String(version)]) => {
            let word = VERSIONS.iter().find(|(known, _)| known == sign);
            let (Some((_, word)), Some(name)) = (word, attribute(asked)) else {
                return Err(unknown());
            };
            losses.version(name);
            Ok(condition(name, word.word(), &[json!(version)]))
        }
        (sign, [asked, value @ Value::Number(_)]) => {
            let word = ORDERS.iter().find(|(known, _)| *known == sign);
            let (Some((_, word)), Some(name)) = (word, attribute(asked)) else {
                return Err(unknown());
            };
            losses.order(name);
            Ok(condition(name, word.word(), std::slice::from_ref(value)))
        }
        _ => Err(unknown()),
    }
}

/// `and`, without the guards that only keep what is missing from being compared as a number.
fn all_of(parts: &[Value], losses: &mut Losses) -> Result<Test, Inexpressible> {
    let mut conditions = Vec::new();
    let mut guarded = Vec::new();
    for part in parts {
        if let Some(name) = guard(part) {
            guarded.push(name);
            continue;
        }
        match read(part, losses)? {
            Test::Always(true) => {}
            Test::Always(false) => return Ok(Test::Always(false)),
            Test::All(more) => conditions.extend(more),
            Test::User(_) | Test::Any(_) => {
                return Err(Inexpressible::because(format!(
                    "no rule here can ask {part} together with something else"
                )));
            }
        }
    }
    let compared = |name: &str| {
        conditions.iter().any(|condition| {
            let word = condition["operator"].as_str().unwrap_or_default();
            let orders = ORDERS.iter().any(|(_, order)| order.word() == word);
            orders && condition["attribute"] == name
        })
    };
    match guarded.into_iter().find(|name| !compared(name)) {
        Some(name) => Err(Inexpressible::because(format!("no rule here can ask whether `{name}` is there"))),
        None if conditions.is_empty() => Ok(Test::Always(true)),
        None => Ok(Test::All(conditions)),
    }
}

/// The attribute of `{"!": [{"missing": [name]}]}`.
fn guard(part: &Value) -> Option<&str> {
    let missing = match part.get("!")? {
        Value::Array(one) => one.first()?,
        one => one,
    };
    match missing.get("missing")? {
        Value::Array(names) if names.len() == 1 => names.first()?.as_str(),
        _ => None,
    }
}

/// Conditions that ask the same of the same attribute are one with several values, unless they are negative.
fn merged(parts: &[Test]) -> Option<Test> {
    let mut found: Option<Value> = None;
    for part in parts {
        let Test::All(one) = part else { return None };
        let [one] = one.as_slice() else { return None };
        let found = found.get_or_insert_with(|| {
            let mut empty = one.clone();
            empty["values"] = json!([]);
            empty
        });
        let same = |member: &str| found[member] == one[member];
        let negative = matches!(one["operator"].as_str(), Some("ne" | "not_in"));
        if negative || !same("attribute") || !same("operator") {
            return None;
        }
        let more = one["values"].as_array()?.clone();
        found["values"].as_array_mut()?.extend(more);
    }
    found.map(|one| Test::All(vec![one]))
}

fn negated(conditions: &[Value]) -> Option<Test> {
    let [one] = conditions else { return None };
    let word = match one["operator"].as_str()? {
        "eq" | "in" => "not_in",
        "ne" | "not_in" => "in",
        _ => return None,
    };
    let mut negated = one.clone();
    negated["operator"] = json!(word);
    Some(Test::All(vec![negated]))
}

fn condition(name: &str, operator: &str, values: &[Value]) -> Test {
    Test::All(vec![json!({ "attribute": name, "operator": operator, "values": values })])
}

/// Equality: of a value and its twin the first stays; one without its twin finds more here than there.
fn equals(name: &str, operator: &str, values: &[Value], losses: &mut Losses) -> Test {
    let mut kept: Vec<Value> = Vec::new();
    for value in values {
        let twin_of = |value: &Value| twin(&Js::read(&value.to_string()));
        let twin = twin_of(value);
        let known = |one: &Value| Some(one) == twin.as_ref() || twin_of(one).as_ref() == Some(value);
        if kept.iter().any(known) {
            continue;
        }
        if value.is_number() {
            losses.number(name);
        } else if let Some(twin) = twin.filter(|twin| !values.contains(twin)) {
            losses.say(format!(
                "`{name}` is compared with {value}: the services take {twin} for the same, flagd does not"
            ));
        }
        // Its `in` compares strictly.
        if operator != "in" && value.as_str().is_some_and(|text| text.trim().is_empty()) {
            losses.blank(name);
        }
        kept.push(value.clone());
    }
    condition(name, operator, &kept)
}

fn users(values: &[Value]) -> Option<Test> {
    // An empty id is one that is missing to the services, and not to flagd.
    let id = |id: &Value| id.as_str().filter(|id| !id.is_empty()).map(ToOwned::to_owned);
    let ids: Option<Vec<String>> = values.iter().map(id).collect();
    ids.map(Test::User)
}

fn scalars(values: &[Value]) -> Option<Vec<Value>> {
    let fits = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    values.iter().all(fits).then(|| values.to_vec())
}

/// The name that `{"var": name}` asks for.
pub(super) fn name_of(asked: &Value) -> Option<&str> {
    match asked.get("var")? {
        Value::String(name) => Some(name),
        Value::Array(one) if one.len() == 1 => one.first()?.as_str(),
        _ => None,
    }
}

/// What every object of JavaScript has.
const INHERITED: [&str; 12] = [
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
];

/// May it be asked for here and there? A path (`user.region`) is none, nor is what flagd or JavaScript puts there.
fn is_attribute(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['.', '\\', '/'])
        && !name.starts_with('$')
        && name != USER
        && !INHERITED.contains(&name)
}

/// The attribute that is asked for.
fn attribute(asked: &Value) -> Option<&str> {
    name_of(asked).filter(|name| is_attribute(name))
}
