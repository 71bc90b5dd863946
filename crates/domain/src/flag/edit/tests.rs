//! Edits of bytes, before and after.

use serde_json::json;

use crate::flag::edit::*;

const FLAG: &str = "{ \"enabled\": true, \"percentage\": 10, \"allowlist\": [ ], \"big\": 12345678901234567890, \"defaultValue\": true }";

fn done(current: Option<&str>, edit: &Edit) -> Result<Option<String>, EditError> {
    apply(current.map(str::as_bytes), edit, Reader::LegacyV1)
        .map(|bytes| bytes.map(|bytes| String::from_utf8(bytes).unwrap()))
}

fn text(current: Option<&str>, edit: &Edit) -> String {
    done(current, edit).unwrap().unwrap()
}

fn pct(percentage: u8) -> SetEdit {
    SetEdit { percentage: Some(Percent::whole(percentage)), ..SetEdit::default() }
}

fn add(id: &str) -> ListEdit {
    ListEdit { add: vec![id.into()], remove: vec![] }
}

#[test]
fn a_new_flag_with_a_percentage_is_on_for_that_percentage() {
    assert_eq!(
        text(None, &Edit::Set(pct(10))),
        r#"{"enabled":true,"percentage":10,"allowlist":[],"blocklist":[],"rules":[],"defaultValue":true,"_liveops":{"rev":1}}"#
    );
    let only_rules = SetEdit { rules: Some(vec![json!({ "b": 1, "a": 2 })]), ..SetEdit::default() };
    let made = text(None, &Edit::Set(only_rules));
    assert!(made.contains(r#""percentage":100"#) && made.contains(r#"[{"b":1,"a":2}],"defaultValue":false"#), "{made}");
}

#[test]
fn an_edit_keeps_every_other_byte() {
    let edited = text(Some(FLAG), &Edit::Set(pct(25)));
    assert_eq!(edited, FLAG.replace("10,", "25,").replace("true }", "true, \"_liveops\": {\"rev\":1} }"));
    let again = text(Some(&edited), &Edit::Allow(add("日\"本")));
    assert_eq!(again, edited.replace("[ ]", "[\"日\\\"本\" ]").replace("\"rev\":1", "\"rev\":2"));
    assert_eq!(text(Some(&again), &Edit::Allow(add("日\"本"))), again);
    let removed = ListEdit { add: vec![], remove: vec!["日\"本".into(), "nobody".into()] };
    assert_eq!(text(Some(&again), &Edit::Allow(removed)), edited.replace("\"rev\":1", "\"rev\":3"));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    for edit in [
        Edit::Set(pct(10)),
        Edit::Enable,
        Edit::Set(SetEdit::default()),
        Edit::Allow(ListEdit::default()),
        Edit::Replace(FLAG.into()),
    ] {
        assert_eq!(text(Some(FLAG), &edit), FLAG, "{edit:?}");
    }
    let off = "{\"enabled\" :false}";
    assert_eq!(text(Some(off), &Edit::Kill), off);
    assert_eq!(text(Some("{}"), &Edit::Kill), "{}");
}

#[test]
fn a_value_of_the_wrong_type_is_put_right() {
    assert!(
        text(Some(r#"{"percentage":"10","defaultValue":true}"#), &Edit::Set(pct(10))).contains(r#""percentage":10,"#)
    );
    assert!(text(Some(r#"{"enabled":0}"#), &Edit::Kill).contains(r#""enabled":false"#));
}

#[test]
fn percentages_for_nobody_are_refused() {
    let off = FLAG.replace("\"defaultValue\": true", "\"defaultValue\": false");
    assert_eq!(done(Some(&off), &Edit::Set(pct(10))), Err(EditError::NobodyOn(Percent::whole(10))));
    let meant = SetEdit { default_value: Some(true), ..pct(10) };
    assert!(text(Some(&off), &Edit::Set(meant)).contains("\"defaultValue\": true"));
    assert!(done(Some(&off), &Edit::Set(pct(0))).is_ok());
    assert!(done(Some("{\"percentage\":1}"), &Edit::Set(pct(10))).is_err());
}

#[test]
fn the_reader_must_take_it() {
    let half = SetEdit { percentage: Some(Percent::from_thousandths(10_500)), ..SetEdit::default() };
    let salt = SetEdit { salt: Some("s".into()), ..SetEdit::default() };
    assert_eq!(done(Some(FLAG), &Edit::Set(half.clone())), Err(EditError::Decimals(Percent::from_thousandths(10_500))));
    assert_eq!(done(None, &Edit::Set(salt.clone())), Err(EditError::Salt));
    for edit in [half, salt] {
        assert!(apply(Some(FLAG.as_bytes()), &Edit::Set(edit), Reader::V2).is_ok());
    }
}

#[test]
fn kill_works_on_anything() {
    assert_eq!(text(Some("{broken"), &Edit::Kill), r#"{"enabled":false,"_liveops":{"rev":1}}"#);
    assert_eq!(
        text(Some(r#"{"enabled":false,"enabled":true,"x":[1e400]}"#), &Edit::Kill),
        r#"{"enabled":false,"enabled":false,"x":[1e400],"_liveops":{"rev":1}}"#
    );
    assert_eq!(done(None, &Edit::Kill), Err(EditError::NoSuchFlag));
    assert!(matches!(done(Some("{broken"), &Edit::Disable), Err(EditError::Malformed(_))));
    assert_eq!(done(Some(r#"{"a":1,"a":2}"#), &Edit::Enable), Err(EditError::Duplicate("a".into())));
    assert_eq!(
        done(Some(r#"{"allowlist":{}}"#), &Edit::Allow(add("a"))),
        Err(EditError::NoArray { member: "allowlist", kind: "an object" })
    );
}

#[test]
fn replacing_counts_on() {
    let (old, new) =
        (r#"{"enabled":true,"_liveops":{"rev":3,"owner":"x"}}"#, r#"{"enabled":false,"_liveops":{"rev":9}}"#);
    assert_eq!(text(Some(new), &Edit::Replace(old.into())), old.replace("\"rev\":3", "\"rev\":10"));
    assert_eq!(
        text(Some(&old.replace("\"rev\":3", "\"rev\":10")), &Edit::Replace(old.into())),
        old.replace("\"rev\":3", "\"rev\":10")
    );
    assert_eq!(text(None, &Edit::Replace(old.into())), old.replace("\"rev\":3", "\"rev\":4"));
    assert_eq!(done(Some(old), &Edit::Remove), Ok(None));
    assert_eq!(done(None, &Edit::Remove), Err(EditError::NoSuchFlag));
}

#[test]
fn what_still_means_the_same() {
    let same = |now: &str, edit: &Edit| means_the_same(Some(FLAG.as_bytes()), Some(now.as_bytes()), edit);
    let other_user = FLAG.replace("[ ]", "[\"b\"]");
    let killed = FLAG.replace("\"enabled\": true", "\"enabled\": false");
    assert!(same(&other_user, &Edit::Allow(add("a"))));
    assert!(!same(&other_user, &Edit::Allow(add("b"))));
    assert!(same(&killed, &Edit::Allow(add("a"))));
    assert!(same(&other_user, &Edit::Set(pct(20))));
    assert!(!same(&killed, &Edit::Set(pct(20))));
    assert!(same("{broken", &Edit::Kill));
    assert!(!same("{broken", &Edit::Allow(add("a"))));
    assert!(!same(&other_user, &Edit::Remove));
    assert!(!means_the_same(None, Some(FLAG.as_bytes()), &Edit::Set(pct(20))));
    assert!(!means_the_same(Some(FLAG.as_bytes()), None, &Edit::Remove));
    assert!(means_the_same(None, None, &Edit::Set(pct(20))));
}
