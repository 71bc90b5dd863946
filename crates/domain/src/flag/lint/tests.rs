//! Each code has a flag that earns it; a good flag has none.

use crate::flag::lint::*;

fn codes(text: &str, reader: Reader) -> Vec<&'static str> {
    let name = "f".parse().unwrap();
    lint(&name, text.as_bytes(), reader, LintContext::default()).iter().map(|finding| finding.code).collect()
}

#[test]
fn every_code_has_a_flag_that_earns_it() {
    for (text, code) in [
        ("{broken", "E01"),
        ("[]", "E01"),
        (r#"{"enabled":"yes"}"#, "E02"),
        (r#"{"percentage":1}"#, "E02"),
        (r#"{"enabled":true,"percentage":null}"#, "E03"),
        (r#"{"enabled":true,"percentage":"10"}"#, "E03"),
        (r#"{"enabled":true,"percentage":10.5}"#, "E03"),
        (r#"{"enabled":true,"percentage":101}"#, "E03"),
        (r#"{"enabled":true,"allowlist":{}}"#, "E04"),
        (r#"{"enabled":true,"blocklist":"abc"}"#, "E04"),
        (r#"{"enabled":true,"rules":7}"#, "E04"),
        (r#"{"enabled":true,"allowlist":[1]}"#, "E05"),
        (r#"{"enabled":true,"allowlist":[null]}"#, "E05"),
        (r#"{"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"defaultValue":false}"#, "E06"),
        (r#"{"enabled":true,"defaultValue":"x"}"#, "E07"),
        (r#"{"enabled":true,"enabled":true}"#, "E08"),
        (r#"{"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"defaultValue":true}"#, "W10"),
        (r#"{"enabled":true,"allowlist":["a"],"blocklist":["a"]}"#, "W11"),
        (r#"{"enabled":true,"rules":[{"if":1}]}"#, "W12"),
        (r#"{"enabled":true,"rules":[{"all":[],"enabled":true},{"all":[],"enabled":true}]}"#, "W12"),
        (r#"{"enabled":true,"rules":[{"attribute":"a","operator":"matches","value":"(?=x)","enabled":true}]}"#, "W12"),
        (r#"{"enabled":true,"defaultValue":true}"#, "W13"),
        (r#"{"enabled":true,"percentage":76,"defaultValue":true}"#, "W15"),
    ] {
        assert!(codes(text, Reader::LegacyV1).contains(&code), "{text} {code}");
    }
}

#[test]
fn a_good_flag_has_nothing() {
    for text in [
        r#"{"enabled":true,"percentage":10,"allowlist":[],"blocklist":["b"],"rules":[],"defaultValue":true,"extra":1}"#,
        r#"{"enabled":false,"percentage":0,"defaultValue":false}"#,
        r#"{"enabled":true,"percentage":100,"allowlist":["a"],"defaultValue":false}"#,
    ] {
        assert_eq!(codes(text, Reader::LegacyV1), Vec::<&str>::new(), "{text}");
    }
    let v2 = r#"{"enabled":true,"percentage":10.5,"allowlist":["admin_user_1",7],"defaultValue":true}"#;
    assert_eq!(codes(v2, Reader::V2), Vec::<&str>::new());
}

#[test]
fn surroundings_are_looked_at() {
    let bytes = br#"{"enabled":true,"percentage":10,"defaultValue":true}"#;
    let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let revision = Revision {
        op: "o".into(),
        flag: "f".into(),
        rev: 3,
        at: now,
        by: "ada".into(),
        reason: None,
        command: String::new(),
        before: None,
        after: Some(b"{}".to_vec()),
    };
    let around = LintContext {
        newest: Some((&revision, now)),
        partial: &["f".into(), "g".into()],
        expires: true,
        ..LintContext::default()
    };
    let found = lint(&"flag name".parse().unwrap(), bytes, Reader::LegacyV1, around);
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["W14", "W17", "W19", "W20"]);
    assert_eq!(found[2].message, "it was changed outside liveops after revision 3 (2023-11-14T22:13:20Z)");
}

#[test]
fn what_has_been_the_same_for_everybody_for_long_is_stale_and_what_is_large_is_said() {
    let large = format!(r#"{{"enabled":false,"percentage":0,"defaultValue":true,"note":"{}"}}"#, "x".repeat(LARGE));
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let revision = Revision {
        op: "o".into(),
        flag: "f".into(),
        rev: 3,
        at,
        by: "ada".into(),
        reason: None,
        command: String::new(),
        before: None,
        after: Some(large.clone().into_bytes()),
    };
    let day = Duration::from_secs(86_400);
    let name = "f".parse().unwrap();
    for (days, expected) in [(2, &["W16", "W18"][..]), (0, &["W18"])] {
        let around = LintContext {
            newest: Some((&revision, at + day * days)),
            stale_after: Some(day),
            ..LintContext::default()
        };
        let found = lint(&name, large.as_bytes(), Reader::LegacyV1, around);
        let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, expected);
    }
}
