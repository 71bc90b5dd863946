//! Does a change only take a flag away from users, and give it to nobody? Then nothing may hold it up.

use std::collections::HashSet;

use crate::flag::definition::Flag;
use crate::flag::js::Js;
use crate::flag::list::IdList;
use crate::flag::reader::Reader;

/// Is everybody who is on with `after` certainly on with `before`? Decided by the members, for all users at once, so
/// "no" also means "that cannot be told".
pub fn only_takes_away(before: Option<&[u8]>, after: Option<&[u8]>, reader: Reader) -> bool {
    let Some(after) = after else {
        return true;
    };
    let Ok(after) = Flag::read(after) else {
        return false;
    };
    if !after.enabled() {
        return true;
    }
    let Some(before) = before.and_then(|bytes| Flag::read(bytes).ok()) else {
        return false;
    };
    let fit = [&before, &after].iter().all(|flag| flag.unfit().is_none());
    let same = |member: &str| {
        let read = |flag: &Flag| flag.document().get(member).map(Js::read);
        read(&before) == read(&after)
    };
    // Every percentage stands for the buckets below it, as long as the hash is the same.
    let gate = after.gate() <= before.gate() && (reader == Reader::LegacyV1 || same("salt"));
    fit && before.enabled()
        && gate
        && within(after.allowlist(), before.allowlist())
        && within(before.blocklist(), after.blocklist())
        && same("rules")
        && (before.default_value() || !after.default_value())
}

/// Is everybody of the first list in the second? Numbers are ids for one reader only: with them it is not told.
fn within(inner: &IdList, outer: &IdList) -> bool {
    if inner == outer {
        return true;
    }
    let plain =
        |list: &IdList| matches!(list, IdList::Absent | IdList::Ids(_)) && list.strange(Reader::LegacyV1).is_none();
    let outer_ids: HashSet<&str> = outer.ids().into_iter().collect();
    plain(inner) && plain(outer) && inner.ids().iter().all(|id| outer_ids.contains(id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flag::evaluate::{Answer, answer};
    use crate::flag::user::User;

    fn takes_away(before: &str, after: &str) -> bool {
        only_takes_away(Some(before.as_bytes()), Some(after.as_bytes()), Reader::LegacyV1)
    }

    #[test]
    fn what_gives_and_what_takes() {
        let on = r#"{"enabled":true,"percentage":50,"allowlist":["a"],"defaultValue":true}"#;
        for (after, want) in [
            (r#"{"enabled":false,"percentage":100,"defaultValue":true}"#, true),
            (r#"{"enabled":true,"percentage":10,"allowlist":[],"defaultValue":true}"#, true),
            (r#"{"enabled":true,"percentage":51,"allowlist":["a"],"defaultValue":true}"#, false),
            (r#"{"enabled":true,"percentage":10,"allowlist":["b"],"defaultValue":true}"#, false),
            (r#"{"enabled":true,"percentage":10,"rules":[{}],"defaultValue":true}"#, false),
            (r#"{"enabled":true,"percentage":10,"blocklist":["x"],"defaultValue":false}"#, true),
        ] {
            assert_eq!(takes_away(on, after), want, "{after}");
        }
        assert!(!takes_away("{", on) && !takes_away(on, "{"));
        assert!(only_takes_away(Some(b"{"), None, Reader::V2));
        assert!(!only_takes_away(None, Some(on.as_bytes()), Reader::V2));
    }

    fn flag() -> impl Strategy<Value = String> {
        let list = || prop::sample::subsequence(vec!["u1", "u2", "u3"], 0..=3);
        (any::<bool>(), 0..=100u32, list(), list(), any::<bool>(), any::<bool>()).prop_map(
            |(enabled, percentage, allow, block, rule, default)| {
                let rules: &[_] = if rule {
                    &[serde_json::json!({ "attribute": "id", "operator": "ne", "values": ["x"], "enabled": true })]
                } else {
                    &[]
                };
                serde_json::json!({ "enabled": enabled, "percentage": percentage, "allowlist": allow,
                    "blocklist": block, "rules": rules, "defaultValue": default })
                .to_string()
            },
        )
    }

    proptest! {
        #[test]
        fn nobody_is_switched_on_by_what_only_takes_away(before in flag(), after in flag()) {
            let name = "f".parse().expect("a name");
            let read = |text: &str| Flag::read(text.as_bytes()).expect("JSON");
            for reader in Reader::ALL {
                if !only_takes_away(Some(before.as_bytes()), Some(after.as_bytes()), reader) {
                    continue;
                }
                let (old, new) = (read(&before), read(&after));
                for id in (0..60).map(|n| format!("u{n}")).chain([String::new()]) {
                    let user = User::new(id);
                    let on = |flag: &Flag| answer(Some(flag), &name, reader, &user) == Answer::On;
                    prop_assert!(!on(&new) || on(&old), "{before} {after} {}", user.id);
                }
            }
        }
    }
}
