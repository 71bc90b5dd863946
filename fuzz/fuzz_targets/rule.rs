//! A rule as it is typed: it is refused, or makes one that the readers know.
#![no_main]

use liveops_domain::flag::js::Js;
use liveops_domain::flag::rule::Rule;
use liveops_domain::flag::rule_text::parse;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(rule) = parse(&String::from_utf8_lossy(data)) {
        let rule = Rule::of(&Js::read(&rule.to_string()));
        assert!(matches!(rule, Rule::Known { .. } | Rule::Strange(_)));
    }
});
