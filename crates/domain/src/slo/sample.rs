//! Series that a selector takes and another does not: what a rule test feeds, made up from the selectors alone.

use std::collections::BTreeSet;

use crate::metric::labels::Labels;
use crate::metric::promql::{MatchOp, Matcher};
use crate::metric::selector::Selector;

/// Values that most patterns take, or that most do not.
const USUAL: [&str; 9] = ["200", "500", "GET", "a", "/a", "ok", "error", "0", "1"];

/// Labels that `selector` takes; where `but` is given, such as it does not take.
pub fn labels(selector: &Selector, but: Option<&Selector>) -> Option<Labels> {
    let none: &[Matcher] = &[];
    let others = but.map_or(none, Selector::matchers);
    let all = || selector.matchers().iter().chain(others);
    let names: BTreeSet<&str> = all().map(|matcher| matcher.name.as_str()).collect();
    let mut pool: Vec<String> = vec![String::new()];
    for matcher in all() {
        match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => pool.push(matcher.value.clone()),
            MatchOp::Regex | MatchOp::NotRegex => pool.extend(examples(&matcher.value)),
        }
    }
    pool.extend(USUAL.map(str::to_owned));
    let mine = |name: &str, value: &str| {
        let mut matchers = selector.matchers().iter().filter(|matcher| matcher.name == name);
        matchers.all(|matcher| matcher.accepts(value) == Some(true))
    };
    let mut found = Labels::new();
    for name in &names {
        found.insert((*name).to_owned(), pool.iter().find(|value| mine(name, value))?.clone());
    }
    if but.is_some() {
        // One label that the other refuses is enough.
        let refused = others.iter().find_map(|matcher| {
            let value =
                pool.iter().find(|value| mine(&matcher.name, value) && matcher.accepts(value) == Some(false))?;
            Some((matcher.name.clone(), value.clone()))
        });
        let (name, value) = refused?;
        found.insert(name, value);
    }
    found.retain(|_, value| !value.is_empty());
    Some(found)
}

/// A text for each alternative of a regular expression, as far as it is a plain one.
fn examples(pattern: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for c in pattern.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if c != '|' || depth > 0 => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts.iter().filter_map(|part| example(part)).collect()
}

fn example(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '.' => text.push('0'),
            '\\' => text.push(match rest.next()? {
                'd' => '0',
                'w' => 'a',
                's' => ' ',
                other => other,
            }),
            '[' => {
                let set: String = rest.by_ref().take_while(|c| *c != ']').collect();
                text.push(set.chars().next().filter(|first| *first != '^')?);
            }
            '(' => {
                let mut inner = String::new();
                let mut depth = 1;
                for c in rest.by_ref() {
                    match c {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    inner.push(c);
                }
                text.push_str(examples(inner.trim_start_matches("?:")).first()?);
            }
            '*' | '?' | '+' | '^' | '$' => {}
            '{' => {
                let count: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let least: usize = count.split(',').next()?.parse().ok()?;
                let last = text.chars().last()?;
                text.extend(std::iter::repeat_n(last, least.saturating_sub(1)));
            }
            literal => text.push(literal),
        }
    }
    Some(text)
}

/// A ratio of requests, for the tests of this noun.
#[cfg(test)]
pub fn slo(objective: &str, window: &str) -> crate::slo::Slo {
    use crate::slo::indicator::{Indicator, Side};
    use crate::slo::objective::Objective;
    use crate::slo::window::Window;
    use crate::slo::{Alerting, Method, Part, Slo};
    let objective = Objective::parse(objective).expect("an objective");
    let indicator =
        Indicator::Ratio { side: Side::Bad, events: "r{status=~\"5..\"}".into(), total: "r".into(), monotonic: true };
    Slo {
        name: "api".into(),
        service: Some("api".into()),
        description: None,
        objective,
        window: Window::parse(window).expect("a window"),
        method: Method::Occurrences,
        parts: vec![Part { name: String::new(), indicator, objective, weight: 1.0 }],
        exclusions: Vec::new(),
        alerting: Alerting::default(),
        place: "liveops.yaml:1".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_fit_one_selector_and_not_the_other() {
        for (total, bad) in [
            ("r", "r{status=~\"5..\"}"),
            ("r{job=\"a\"}", "r{job=\"a\",code=~\"5[0-9]{2}|429\"}"),
            ("r{path!~\"/health.*\"}", "r{path!~\"/health.*\",status=~\"(?:5..)\"}"),
            ("r{status!=\"404\"}", "r{status!=\"404\",status=~\"4..|5..\"}"),
            ("r", "r{ok=\"\"}"),
            ("r{method=~\"GET|POST\"}", "r{method=~\"GET|POST\",code!~\"[23]..\"}"),
        ] {
            let (total, bad) = (Selector::parse(total).expect(total), Selector::parse(bad).expect(bad));
            let fails = labels(&bad, None).expect("bad series");
            assert!(bad.matches("r", &fails) && total.matches("r", &fails), "{bad}: {fails:?}");
            let works = labels(&total, Some(&bad)).expect("good series");
            assert!(!bad.matches("r", &works) && total.matches("r", &works), "{bad}: {works:?}");
        }
        let all = Selector::parse("r").expect("sound");
        assert_eq!(labels(&all, Some(&all)), None);
    }
}
