//! What goes out comes back with the same answers; what other people write is read, or refused with its reason.

use proptest::prelude::*;

use crate::flag::definition::Flag;
use crate::flag::evaluate::answer;
use crate::flag::flagd::*;
use crate::flag::name::FlagName;
use crate::flag::reader::Reader;
use crate::flag::user::User;

fn name() -> FlagName {
    "f".parse().unwrap()
}

fn out(text: &str, reader: Reader) -> Result<Converted<Value>, Inexpressible> {
    export(&name(), &Flag::read(text.as_bytes()).unwrap(), reader)
}

fn back(definition: &Value, reader: Reader) -> Result<(String, Vec<String>), String> {
    let carried = import(definition, &name(), reader).map_err(|why| why.to_string())?;
    Ok((String::from_utf8(carried.value).unwrap(), carried.losses))
}

const LEGACY: Reader = Reader::LegacyV1;

#[test]
fn what_is_exact_comes_back_to_the_byte_without_a_loss() {
    for (text, reader) in [
        (
            r#"{"enabled":true,"percentage":100,"allowlist":["a"],"blocklist":["b","日"],"rules":[],"defaultValue":true}"#,
            LEGACY,
        ),
        (r#"{"enabled":false,"percentage":100,"allowlist":[],"blocklist":[],"rules":[],"defaultValue":false}"#, LEGACY),
        (
            r#"{"enabled":true,"percentage":10.5,"allowlist":["a"],"blocklist":["b"],"rules":[{"attribute":"region","operator":"in","values":["eu","12",true],"enabled":false}],"defaultValue":true}"#,
            Reader::V2,
        ),
        (
            r#"{"enabled":true,"percentage":10,"allowlist":[],"blocklist":[],"rules":[],"defaultValue":true,"salt":"s"}"#,
            Reader::V2,
        ),
    ] {
        let exported = out(text, reader).unwrap();
        assert_eq!(exported.losses, [""; 0], "{text}");
        let again = back(&exported.value, reader).unwrap();
        assert_eq!(again, (text.to_owned(), vec![]), "{}", exported.value);
    }
}

#[test]
fn how_it_is_written() {
    let text = r#"{"enabled":true,"percentage":10,"allowlist":["a"],"rules":[{"attribute":"level","operator":"gte","values":[5],"enabled":true}],"defaultValue":true,"note":1}"#;
    let exported = out(text, LEGACY).unwrap();
    assert_eq!(
        exported.value["targeting"].to_string(),
        r#"{"if":[{"==":[{"fractional":[{"cat":["f",":",{"if":[{"var":"targetingKey"},{"var":"targetingKey"},"anonymous"]}]},["on",10000],["off",90000]]},"off"]},"off",{"in":[{"var":"targetingKey"},["a"]]},"on",{"and":[{"!":[{"missing":["level"]}]},{">=":[{"var":"level"},5]}]},"on","on"]}"#
    );
    assert!(exported.losses[0].contains("other users"), "{exported:?}");
    assert!(exported.losses[1].contains("`level`"), "{exported:?}");
    assert_eq!(exported.notes, ["left out, as readers do: `note`"]);
    // Who is off is off there too, whatever the caller's default.
    let off = out(r#"{"enabled":false,"defaultValue":true}"#, LEGACY).unwrap();
    assert_eq!(off.value["state"], "ENABLED");
    assert_eq!(off.value["targeting"], json!({ "if": [true, "off", "on"] }));
    let on = out(r#"{"enabled":true,"defaultValue":true}"#, LEGACY).unwrap();
    assert_eq!(on.value["defaultVariant"], "on");
    // A number in a list is nobody for the one reader, and its text for the other.
    let listed = r#"{"enabled":true,"percentage":100,"blocklist":[1],"defaultValue":true}"#;
    assert_eq!(out(listed, LEGACY).unwrap().value["targeting"], json!({}));
    let v2 = out(listed, Reader::V2).unwrap().value;
    assert_eq!(v2["targeting"]["if"][0]["in"][1], json!(["1"]));
}

#[test]
fn what_has_no_counterpart_there_is_refused() {
    for (text, said) in [
        (r#"{"enabled":true,"rules":[{}]}"#, "rule 1: "),
        (r#"{"enabled":true,"rules":7}"#, "`rules` are a number"),
        (r#"{"enabled":true,"allowlist":{}}"#, "`allowlist` is an object"),
        (r#"{"enabled":true,"allowlist":"ab"}"#, "a string, not an array"),
        (
            r#"{"enabled":true,"rules":[{"attribute":"a","operator":"matches","value":"x","enabled":true}]}"#,
            "no regular expressions",
        ),
        (r#"{"enabled":true,"rules":[{"attribute":"a.b","operator":"eq","value":"x","enabled":true}]}"#, "`a.b`"),
    ] {
        let why = out(text, LEGACY).unwrap_err().to_string();
        assert!(why.contains(said), "{text}: {why}");
    }
    let why = out(r#"{"enabled":"yes"}"#, Reader::V2).unwrap_err();
    assert!(why.to_string().contains("broken"), "{why}");
}

fn foreign(more: &Value) -> Value {
    let mut flag =
        json!({ "state": "ENABLED", "variants": { "on": true, "off": false, "true": true }, "defaultVariant": "off" });
    flag.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flag
}

#[test]
fn what_other_people_write_is_read() {
    let (on, off) = (true, false);
    for (more, reader, user, expected, losses) in [
        (json!({ "defaultVariant": "on" }), LEGACY, json!({}), on, 0),
        (json!({ "targeting": null, "metadata": { "team": "x" } }), LEGACY, json!({}), off, 0),
        (json!({ "state": "DISABLED", "defaultVariant": "on" }), LEGACY, json!({}), off, 1),
        (
            json!({ "targeting": { "if": [{ "==": [{ "var": "tier" }, "gold"] }, true] } }),
            LEGACY,
            json!({ "tier": "gold" }),
            on,
            0,
        ),
        (
            json!({ "targeting": { "if": [{ "===": ["gold", { "var": ["tier"] }] }, "on", null] } }),
            LEGACY,
            json!({ "tier": "tin" }),
            off,
            0,
        ),
        (
            json!({ "targeting": { "if": [{ "!=": [{ "var": "tier" }, "tin"] }, "on"] } }),
            LEGACY,
            json!({ "tier": "tin" }),
            off,
            0,
        ),
        (
            json!({ "targeting": { "if": [{ "ends_with": [{ "var": "email" }, "@x.y"] }, "on", { "if": [{ "in": [{ "var": "targetingKey" }, ["z"]] }, "off", "off"] }] } }),
            LEGACY,
            json!({}),
            off,
            9,
        ),
        (
            json!({ "targeting": { "if": [{ "or": [{ "starts_with": [{ "var": "b" }, "x"] }, { "in": ["vip", { "var": "tags" }] }] }, "on", "off"] } }),
            LEGACY,
            json!({ "tags": ["vip"] }),
            on,
            1,
        ),
        (
            json!({ "targeting": { "if": [{ "and": [{ "sem_ver": [{ "var": "v" }, ">=", "1.4.0"] }, { "<": [{ "var": "level" }, 7] }] }, "on", "off"] } }),
            LEGACY,
            json!({ "v": "1.5.0", "level": 3 }),
            on,
            2,
        ),
        (
            json!({ "targeting": { "if": [{ "==": [{ "var": "n" }, 5] }, "on", "off"] } }),
            LEGACY,
            json!({ "n": 5 }),
            on,
            1,
        ),
        (
            json!({ "targeting": { "if": [{ "in": [{ "var": "n" }, ["5"]] }, "on", "off"] } }),
            LEGACY,
            json!({ "n": "5" }),
            on,
            1,
        ),
        (json!({ "targeting": { "fractional": [["on", 100], ["off", 0]] } }), LEGACY, json!({}), on, 0),
        (json!({ "targeting": { "fractional": [["off", 100], ["on", 0]] } }), LEGACY, json!({}), off, 0),
        (json!({ "targeting": { "fractional": [["on"], ["off", 3]] } }), LEGACY, json!({}), on, 1),
        (json!({ "targeting": { "fractional": [["off", 90], ["on", 10]] } }), Reader::V2, json!({}), off, 1),
        (
            json!({ "targeting": { "fractional": [{ "cat": [{ "var": "$flagd.flagKey" }, ":", { "var": "targetingKey" }] }, ["on", 1], ["off", 999]] } }),
            Reader::V2,
            json!({}),
            off,
            1,
        ),
        (
            json!({ "targeting": { "if": [{ "in": [{ "var": "targetingKey" }, ["u"]] }, "on", { "fractional": [["on", 1], ["off", 9]] }] } }),
            Reader::V2,
            json!({}),
            on,
            1,
        ),
    ] {
        // The one that lists users behind a rule is refused below.
        let read = back(&foreign(&more), reader);
        if losses == 9 {
            assert!(read.unwrap_err().contains("lists before rules"), "{more}");
            continue;
        }
        let (text, said) = read.unwrap_or_else(|why| panic!("{more}: {why}"));
        // That goes for each share, and is no loss of this text.
        let without_id = said.iter().filter(|one| one.starts_with("users without an id")).count();
        assert!([said.len(), said.len() - without_id].contains(&losses), "{more}: {said:?}");
        let flag = Flag::read(text.as_bytes()).unwrap();
        let Value::Object(attributes) = user else { panic!("an object") };
        let user = User { id: "u".into(), attributes };
        assert_eq!(answer(Some(&flag), &name(), reader, &user), expected.into(), "{more}: {text}");
    }
    let both = json!({ "targeting": { "if": [
        { "in": [{ "var": "targetingKey" }, ["a", "b"]] }, "on",
        { "in": [{ "var": "targetingKey" }, ["b", "c"]] }, "off", "on"] } });
    for reader in Reader::ALL {
        let (text, _) = back(&foreign(&both), reader).unwrap();
        assert!(text.contains(r#""allowlist":["a","b"],"blocklist":["c"]"#), "{text}");
    }
}

#[test]
fn what_no_flag_here_can_do_is_refused() {
    let user = json!({ "in": [{ "var": "targetingKey" }, ["u"]] });
    let share = json!({ "fractional": [["on", 1], ["off", 1]] });
    for (more, reader, said) in [
        (json!({ "state": "ON" }), LEGACY, "neither ENABLED nor DISABLED"),
        (json!({ "defaultVariant": null }), LEGACY, "each caller's code"),
        (json!({ "defaultVariant": "blue" }), LEGACY, "no variant `blue`"),
        (json!({ "variants": { "red": "r" } }), LEGACY, "no booleans"),
        (json!({ "variants": null }), LEGACY, "no `variants`"),
        (json!({ "targeting": { "==": [1, 1] } }), LEGACY, "neither `if`"),
        (json!({ "targeting": { "if": [{ "$ref": "vip" }, "on", "off"] } }), LEGACY, "no rule here can ask"),
        (json!({ "targeting": { "if": [{ "!": [{ "missing": ["a"] }] }, "on", "off"] } }), LEGACY, "can ask"),
        (
            json!({ "targeting": { "if": [{ "and": [user, true, { "==": [{ "var": "a" }, "b"] }] }, "on", "off"] } }),
            LEGACY,
            "together with",
        ),
        (json!({ "targeting": { "if": [user, share, "off"] } }), LEGACY, "more than a variant"),
        (json!({ "targeting": { "if": [user, "on", share] } }), LEGACY, "comes after lists"),
        (
            json!({ "targeting": { "if": [{ "==": [share, "off"] }, "off", user, "on", "off"] } }),
            Reader::V2,
            "comes before lists",
        ),
        (
            json!({ "targeting": { "fractional": [{ "var": "email" }, ["on", 1], ["off", 1]] } }),
            Reader::V2,
            "by {\"var\":\"email\"}",
        ),
        (json!({ "targeting": { "fractional": [["on", 1], ["off", 2]] } }), Reader::V2, "1 in 3"),
        (json!({ "targeting": { "fractional": [["on", 125], ["off", 875]] } }), LEGACY, "no whole percentage"),
        (json!({ "targeting": { "fractional": [["on", -1]] } }), LEGACY, "cannot be read"),
        (json!({ "targeting": { "fractional": [] } }), LEGACY, "cannot be read"),
    ] {
        let why = back(&foreign(&more), reader).expect_err(&more.to_string());
        assert!(why.contains(said), "{more}: {why}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["eu", "12", "12.0", "true", "", " ", "x1", "1.4", "v2.0.0", "e"])
            .prop_map(Value::from),
        prop::sample::select(vec![json!(12), json!(1.5), json!(-3), json!(true), json!(false)]),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let operators = prop::sample::select(vec![
        "eq",
        "ne",
        "in",
        "not_in",
        "lt",
        "lte",
        "gt",
        "gte",
        "starts_with",
        "ends_with",
        "contains",
        "semver_lt",
        "semver_gte",
    ]);
    (prop::sample::select(vec!["a", "b"]), operators, prop::collection::vec(value(), 0..3)).prop_map(
        |(attribute, operator, values)| json!({ "attribute": attribute, "operator": operator, "values": values }),
    )
}

fn rule() -> impl Strategy<Value = Value> {
    let one = (condition(), any::<bool>()).prop_map(|(mut one, enabled)| {
        one["enabled"] = json!(enabled);
        one
    });
    let all = (prop::collection::vec(condition(), 0..3), any::<bool>())
        .prop_map(|(all, enabled)| json!({ "all": all, "enabled": enabled }));
    prop_oneof![one, all]
}

fn flag() -> impl Strategy<Value = Value> {
    let ids = || prop::collection::vec(prop::sample::select(vec!["u1", "u2", "u3", "日本"]), 0..3);
    let percentage = prop::sample::select(vec![0, 1, 37, 99, 100]);
    let rules = prop::collection::vec(rule(), 0..3);
    (any::<bool>(), percentage, ids(), ids(), rules, any::<bool>()).prop_map(
        |(enabled, percentage, allow, block, rules, default)| {
            json!({ "enabled": enabled, "percentage": percentage, "allowlist": allow, "blocklist": block, "rules": rules, "defaultValue": default })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_and_back_the_answers_are_the_same(
        flag in flag(),
        id in prop::sample::select(vec!["u1", "u2", "u3", "日本", "", "nobody"]),
        a in prop::option::of(value()),
        b in prop::option::of(prop::collection::vec(value(), 0..3)),
    ) {
        let user = User {
            id: id.to_owned(),
            attributes: [("a", a), ("b", b.map(Value::from))]
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect(),
        };
        for reader in Reader::ALL {
            let before = Flag::read(flag.to_string().as_bytes()).unwrap();
            let exported = export(&name(), &before, reader).unwrap();
            let carried = import(&exported.value, &name(), reader).unwrap();
            let after = Flag::read(&carried.value).unwrap();
            prop_assert_eq!(
                answer(Some(&before), &name(), reader, &user),
                answer(Some(&after), &name(), reader, &user),
                "{}", exported.value
            );
            // What an export says is a loss is one for an import too.
            prop_assert!(exported.losses.len() >= carried.losses.len(), "{:?} {:?}", exported.losses, carried.losses);
        }
    }
}
