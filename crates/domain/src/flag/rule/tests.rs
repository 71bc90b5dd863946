//! Every operator, shapes that are strange.

use serde_json::{Value, json};

use crate::flag::rule::*;

fn user(attributes: Value) -> User {
    let Value::Object(attributes) = attributes else { panic!("an object") };
    User { id: "u".into(), attributes }
}

fn rule(value: &Value) -> Rule {
    Rule::of(&Js::read(&value.to_string()))
}

fn ask(operator: &str, values: &Value, attributes: Value) -> Match {
    let key = if values.is_array() { "values" } else { "value" };
    rule(&json!({ "attribute": "a", "operator": operator, key: values, "enabled": true })).matches(&user(attributes))
}

#[test]
fn every_operator() {
    use Match::{CannotTell, No, Yes};
    for (operator, values, attribute, expected) in [
        ("eq", json!("eu"), json!("eu"), Yes),
        ("eq", json!("eu"), json!("us"), No),
        ("eq", json!(12), json!("12"), Yes),
        ("eq", json!("12.0"), json!(12), Yes),
        ("eq", json!(true), json!("true"), Yes),
        ("eq", json!(true), json!(1), No),
        ("ne", json!("eu"), json!("us"), Yes),
        ("in", json!(["eu", "us"]), json!("us"), Yes),
        ("in", json!([]), json!("us"), No),
        ("not_in", json!(["eu", "us"]), json!("us"), No),
        ("lt", json!(10), json!(9.5), Yes),
        ("lt", json!(10), json!("9.5"), Yes),
        ("lt", json!(10), json!(""), No),
        ("lte", json!(10), json!(10), Yes),
        ("gt", json!(10), json!(10), No),
        ("gte", json!("10"), json!("1e1"), Yes),
        ("gt", json!("a"), json!("b"), No),
        ("starts_with", json!("pre"), json!("prefix"), Yes),
        ("ends_with", json!(["x", "fix"]), json!("prefix"), Yes),
        ("ends_with", json!("1"), json!(11), No),
        ("contains", json!("ef"), json!("prefix"), Yes),
        ("contains", json!("vip"), json!(["vip", "beta"]), Yes),
        ("contains", json!("vi"), json!(["vip", "beta"]), No),
        ("matches", json!("^eu-[a-z]+\\d{1,2}$"), json!("eu-west12"), Yes),
        ("matches", json!("^eu"), json!("us"), No),
        ("matches", json!("(?=x)"), json!("x"), CannotTell),
        ("matches", json!("\\pL"), json!("x"), CannotTell),
        ("matches", json!("[a&&b]"), json!("x"), CannotTell),
        ("matches", json!("\\w"), json!("é"), CannotTell),
        ("matches", json!("^日"), json!("日本"), CannotTell),
        ("matches", json!("a.b"), json!("a日b"), Yes),
        ("matches", json!(["(", "x"]), json!("x"), Yes),
        ("matches", json!(["(", "y"]), json!("x"), CannotTell),
        ("semver_lt", json!("1.10.0"), json!("1.9.3"), Yes),
        ("semver_gte", json!("1.4"), json!("1.4.0"), Yes),
        ("semver_gte", json!("1.4.0"), json!("1.4.0-rc.1"), No),
        ("semver_gte", json!("v1.4.0+7"), json!("1.4.0+1"), Yes),
        ("semver_lt", json!("1.4.0"), json!("latest"), No),
    ] {
        assert_eq!(ask(operator, &values, json!({ "a": attribute })), expected, "{attribute} {operator} {values}");
    }
}

#[test]
fn a_missing_attribute_fits_nothing_and_is_ruled_out_by_nothing() {
    for (operator, expected) in [
        ("eq", Match::No),
        ("in", Match::No),
        ("lt", Match::No),
        ("matches", Match::No),
        ("ne", Match::Yes),
        ("not_in", Match::Yes),
    ] {
        assert_eq!(ask(operator, &json!(["x"]), json!({})), expected, "{operator}");
    }
}

#[test]
fn all_of_several() {
    let both = rule(&json!({ "all": [
        { "attribute": "region", "operator": "eq", "value": "eu" },
        { "attribute": "name", "operator": "matches", "value": "(?=x)" },
    ], "enabled": false, "description": "why" }));
    assert_eq!(both.matches(&user(json!({ "region": "us", "name": "x" }))), Match::No);
    assert_eq!(both.matches(&user(json!({ "region": "eu", "name": "x" }))), Match::CannotTell);
    assert_eq!(rule(&json!({ "all": [], "enabled": true })).matches(&user(json!({}))), Match::Yes);
}

#[test]
fn other_shapes_are_strange() {
    for value in [
        json!("x"),
        json!({}),
        json!({ "enabled": true }),
        json!({ "attribute": "a", "operator": "eq", "value": 1 }),
        json!({ "attribute": "a", "operator": "eq", "value": 1, "enabled": "yes" }),
        json!({ "attribute": "a", "operator": "near", "value": 1, "enabled": true }),
        json!({ "attribute": "a", "operator": "eq", "value": 1, "values": [1], "enabled": true }),
        json!({ "attribute": "a", "operator": "eq", "value": null, "enabled": true }),
        json!({ "attribute": "a", "operator": "eq", "value": 1, "enabled": true, "percentage": 10 }),
        json!({ "all": [{ "all": [] }], "enabled": true }),
        json!({ "any": [], "enabled": true }),
    ] {
        assert!(matches!(rule(&value), Rule::Strange(_)), "{value}");
    }
    assert_eq!(rule(&json!(1)), Rule::Strange("it is a number, not an object".into()));
}
