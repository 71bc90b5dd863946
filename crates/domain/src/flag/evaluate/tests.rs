//! Answers of both readers, with their steps; raising a percentage turns nobody off.

use proptest::prelude::*;
use serde_json::json;

use crate::flag::evaluate::*;

fn name() -> FlagName {
    "new_matchmaking".parse().unwrap()
}

fn ask(text: &str, reader: Reader, id: &str) -> Evaluation {
    let flag = Flag::read(text.as_bytes()).unwrap();
    let user = User::new(id);
    let found = evaluate(Some(&flag), &name(), reader, &user);
    assert_eq!(found.answer, answer(Some(&flag), &name(), reader, &user));
    found
}

#[test]
fn the_services_own_example_is_on_for_nobody() {
    let text = r#"{"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"blocklist":[],"rules":[],"defaultValue":false}"#;
    let admin = ask(text, Reader::LegacyV1, "admin_user_1");
    assert_eq!((admin.answer, admin.decided_by), (Answer::Off, StepName::Percentage));
    assert_eq!(admin.on_from, Some(Percent::whole(44)));
    let said: Vec<String> = admin
        .steps
        .iter()
        .map(|step| {
            format!("{} {} {} {}", step.step.word(), step.reached, step.answer.map_or("-", Answer::word), step.detail)
        })
        .collect();
    assert_eq!(
        said,
        [
            "exists true - yes",
            "enabled true - true",
            "percentage true off bucket 43 >= 10",
            "allowlist false on listed",
            "blocklist false - not listed",
            "rules false - no rules",
            "default false off false",
        ]
    );
    assert_eq!(ask(text, Reader::V2, "admin_user_1").answer, Answer::On);
    assert_eq!(ask(text, Reader::LegacyV1, "user_2").on_from, None);
    let on = (0..2000).filter(|n| ask(text, Reader::LegacyV1, &format!("user_{n}")).answer == Answer::On);
    assert_eq!(on.count(), 0);
}

#[test]
fn the_order_of_each_reader() {
    let text = r#"{"enabled":true,"percentage":100,"allowlist":["a"],"blocklist":["a","b"],"defaultValue":true}"#;
    assert_eq!(ask(text, Reader::LegacyV1, "a").decided_by, StepName::Allowlist);
    assert_eq!(ask(text, Reader::V2, "a").decided_by, StepName::Blocklist);
    assert_eq!(ask(text, Reader::LegacyV1, "b").answer, Answer::Off);
    assert_eq!(ask(text, Reader::LegacyV1, "c").decided_by, StepName::Default);
    assert_eq!(evaluate(None, &name(), Reader::LegacyV1, &User::new("c")).answer, Answer::Off);
}

#[test]
fn empty_ids_share_the_bucket_of_anonymous_but_not_its_place_in_a_list() {
    let text = r#"{"enabled":true,"percentage":76,"allowlist":["anonymous"],"defaultValue":false}"#;
    assert_eq!(ask(text, Reader::LegacyV1, "").bucket, 75);
    assert_eq!(ask(text, Reader::LegacyV1, "").answer, Answer::Off);
    assert_eq!(ask(text, Reader::LegacyV1, "anonymous").answer, Answer::On);
}

#[test]
fn what_cannot_be_told_is_said() {
    for (text, step) in [
        (r#"{"enabled":true,"allowlist":{},"defaultValue":true}"#, StepName::Allowlist),
        (r#"{"enabled":true,"rules":[{"if":1}],"defaultValue":true}"#, StepName::Rules),
        (r#"{"enabled":true,"rules":"x","defaultValue":true}"#, StepName::Rules),
    ] {
        let found = ask(text, Reader::LegacyV1, "u");
        assert_eq!((found.answer, found.decided_by, found.on_from), (Answer::CannotTell, step, None), "{text}");
    }
    let broken = ask(r#"{"enabled":true,"allowlist":{},"defaultValue":true}"#, Reader::V2, "u");
    assert_eq!((broken.answer, broken.decided_by), (Answer::Off, StepName::Shape));
}

#[test]
fn rules_ask_attributes() {
    let flag = Flag::read(br#"{"enabled":true,"rules":[{"attribute":"region","operator":"in","values":["eu"],"enabled":true}],"defaultValue":false}"#).unwrap();
    let mut user = User::new("u");
    assert_eq!(answer(Some(&flag), &name(), Reader::LegacyV1, &user), Answer::Off);
    user.attributes.insert("region".into(), json!("eu"));
    assert_eq!(answer(Some(&flag), &name(), Reader::LegacyV1, &user), Answer::On);
    let found = evaluate(Some(&flag), &name(), Reader::LegacyV1, &user);
    assert_eq!(found.steps[5].detail, "rule 1 matches: on");
    assert_eq!(found.on_from, Some(Percent::from_thousandths((found.bucket + 1) * 1000)));
}

#[test]
fn the_percentage_that_just_lets_a_bucket_pass_is_the_readers_own_arithmetic() {
    let passes = |bucket: u32, percentage: Percent| f64::from(bucket) < percentage.value() * 1000.0;
    for bucket in 0..bucket::V2_BUCKETS - 1 {
        let from = just_passes(Reader::V2, bucket);
        assert!(passes(bucket, from), "{bucket}");
        let finer = from.thousandths().checked_sub(1).map(Percent::from_thousandths);
        assert!(finer.is_none_or(|finer| !passes(bucket, finer)), "{bucket}");
    }
}

proptest! {
    #[test]
    fn raising_the_percentage_turns_nobody_off(
        id in "\\PC{0,12}", low in 0u32..=100, more in 0u32..=100, default in any::<bool>(), listed in any::<bool>(), v2 in any::<bool>(),
    ) {
        let reader = if v2 { Reader::V2 } else { Reader::LegacyV1 };
        let list = if listed { vec![id.clone()] } else { vec![] };
        let of = |percentage: u32| {
            let flag = json!({ "enabled": true, "percentage": percentage.min(100), "allowlist": list, "defaultValue": default });
            ask(&flag.to_string(), reader, &id)
        };
        let (before, after) = (of(low), of(low + more));
        prop_assert!(before.answer != Answer::On || after.answer == Answer::On);
        if let Some(from) = before.on_from {
            let on = |percentage: Percent| {
                let flag = json!({ "enabled": true, "percentage": percentage, "allowlist": list, "defaultValue": default });
                ask(&flag.to_string(), reader, &id).answer == Answer::On
            };
            let finest = if v2 { 1 } else { 1000 };
            prop_assert!(on(from));
            prop_assert!(from == Percent::NOBODY || !on(Percent::from_thousandths(from.thousandths() - finest)) );
        }
    }

    #[test]
    fn no_flag_panics(text in "\\PC{0,40}", id in "\\PC{0,8}") {
        for text in [text.clone(), format!("{{\"enabled\":true,\"percentage\":{text},\"rules\":[{text}]}}")] {
            if let Ok(flag) = Flag::read(text.as_bytes()) {
                for reader in Reader::ALL {
                    evaluate(Some(&flag), &name(), reader, &User::new(id.clone()));
                }
            }
        }
    }
}

/// The values of `contrib/readers`, which the reader there is held to as well.
#[test]
fn golden_values_of_the_readers() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/readers/golden.json")))
            .unwrap();
    for bucket in golden["buckets"].as_array().unwrap() {
        let id = bucket["id"].as_str().unwrap();
        assert_eq!(bucket["legacy"], json!(bucket::legacy(id)), "{id}");
        assert_eq!(bucket["v2"], json!(bucket::v2(name().as_str(), id)), "{id}");
    }
    for case in golden["cases"].as_array().unwrap() {
        let flag = case["flag"].as_str().map(|text| Flag::read(text.as_bytes()).unwrap());
        let user = User {
            id: case["user"].as_str().unwrap().into(),
            attributes: case["attributes"].as_object().unwrap().clone(),
        };
        for (reader, word) in [(Reader::LegacyV1, "legacy"), (Reader::V2, "v2")] {
            let found = match answer(flag.as_ref(), &name(), reader, &user) {
                Answer::On => json!(true),
                Answer::Off => json!(false),
                Answer::CannotTell => json!("unknown"),
            };
            assert_eq!(found, case[word], "{reader:?} {case}");
        }
    }
}
