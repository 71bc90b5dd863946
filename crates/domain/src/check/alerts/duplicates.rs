//! Rules that are there twice (A15).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::check::alerts::file::WrittenRule;
use crate::check::alerts::set::RuleSet;
use crate::check::alerts::shape::{Known, Shape};
use crate::check::finding::{Finding, Level};
use crate::metric::labels::Labels;
use crate::metric::promql::Expr;
use crate::text::count::count;

/// At the second of two, with the place of the first. Files may be for different servers, or copies of each other: what
/// two of them share is said once.
pub fn check(set: &RuleSet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names: HashMap<(bool, &str, &Labels), Vec<&WrittenRule>> = HashMap::new();
    let mut expressions: HashMap<(String, Option<&String>, u128), Vec<&WrittenRule>> = HashMap::new();
    let mut shared: BTreeMap<(&str, &str), Vec<&WrittenRule>> = BTreeMap::new();
    for placed in &set.rules {
        let rule = placed.rule;
        let Some(tree) = &rule.tree else { continue };
        let same = names.entry((rule.is_alert, rule.name.as_str(), &rule.labels)).or_default();
        let known = std::mem::take(same);
        *same = known.iter().copied().chain([rule]).collect();
        let is_twin = |first: &&&WrittenRule| first.tree.as_ref() == Some(tree);
        let in_file = |first: &&&WrittenRule| set.setting.is_complete || first.file == rule.file;
        if let Some(first) =
            known.iter().find(|first| in_file(first) && (is_twin(first) || !is_apart(set, first, rule)))
        {
            let (why, fix) = match (is_twin(&first), rule.is_alert) {
                (true, _) => ("it is there twice, with the same labels and expression", "remove one of them"),
                (false, true) => (
                    "another alert has its name and labels, and another condition: nobody can tell which of them fired",
                    "give one of them another name, or a label of its own such as `severity`",
                ),
                (false, false) => (
                    "another rule records it, with the same labels and another expression: the two overwrite each other",
                    "give one of them another name, or a label of its own",
                ),
            };
            findings.push(told(rule, first, why, fix));
            continue;
        }
        if let Some(first) = known.iter().find(|first| !in_file(first) && is_twin(first)) {
            shared.entry((&rule.file, &first.file)).or_default().push(rule);
            continue;
        }
        if !rule.is_alert {
            continue;
        }
        let alike =
            expressions.entry((tree.to_string(), rule.labels.get("severity"), rule.held().as_millis())).or_default();
        if let Some(first) = alike.iter().find(|first| in_file(first) && first.name != rule.name) {
            let why = format!("alert `{}` has the same expression, severity and `for`: both fire at once", first.name);
            findings.push(told(rule, first, &why, "remove one of them"));
        }
        alike.push(rule);
    }
    for ((file, other), rules) in shared {
        let what = match rules.len() {
            1 => format!("`{}`", rules[0].name),
            all => count(all, "rule"),
        };
        let why = format!("{what} of this file stand in {other}, too: a server that loads both has them twice");
        let why =
            if rules.len() == 1 { why.replace("stand in", "stands in").replace("has them", "has it") } else { why };
        let finding = Finding::new("A15", Level::Low, file, why).at(file, rules[0].line);
        findings.push(finding.fix("load one of the two files, or keep each rule in one of them"));
    }
    findings
}

fn told(rule: &WrittenRule, first: &WrittenRule, why: &str, fix: &str) -> Finding {
    let finding = rule.finding("A15", Level::Medium, why).fix(fix);
    match first.file.is_empty() {
        true => finding,
        false => finding.evidence(format!("the first one: {}:{}", first.file, first.line)),
    }
}

/// Do the two choose by a label that what they record still has, as one rule for each status code?
fn is_apart(set: &RuleSet<'_>, one: &WrittenRule, other: &WrittenRule) -> bool {
    let matchers = |rule: &WrittenRule| -> BTreeSet<(String, String)> {
        let selectors = rule.tree.iter().flat_map(Expr::selectors);
        let all = selectors.flat_map(|selector| selector.matchers.iter().flatten());
        all.map(|matcher| (matcher.name.clone(), format!("{}{}", matcher.op, matcher.value))).collect()
    };
    let (mine, theirs) = (matchers(one), matchers(other));
    let (first, second) = (set.shapes(one), set.shapes(other));
    let differ = |one: &Shape, other: &Shape| {
        one.fixed.iter().any(|(label, value)| match other.label(label) {
            Known::Is(theirs) => theirs != *value,
            known => known == Known::Missing,
        })
    };
    let is_told = |one: &Shape| second.iter().all(|other| differ(one, other) || differ(other, one));
    if !first.is_empty() && !second.is_empty() && first.iter().all(is_told) {
        return true;
    }
    let shapes = [first, second].concat();
    mine.symmetric_difference(&theirs)
        .any(|(label, _)| !shapes.is_empty() && shapes.iter().all(|shape| shape.label(label) != Known::Missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;
    use crate::check::alerts::set::Setting;

    #[test]
    fn each_is_caught_and_its_twin_is_not() {
        for (rules, want) in [
            ("{alert: A, expr: x > 1}, {alert: A, expr: x > 1}", Some("there twice")),
            ("{alert: A, expr: x > 1}, {alert: A, expr: x > 2}", Some("another condition")),
            ("{alert: A, expr: x > 1, labels: {severity: a}}, {alert: A, expr: x > 2, labels: {severity: b}}", None),
            ("{alert: A, expr: 'absent(x{l=\"a\"})'}, {alert: A, expr: 'absent(x{l=\"b\"})'}", None),
            ("{alert: A, expr: 'x{l=\"a\"} > 1'}, {alert: A, expr: 'x{l=\"b\"} > 2'}", None),
            (
                "{alert: A, expr: 'sum(x{l=\"a\"}) > 1'}, {alert: A, expr: 'sum(x{l=\"b\"}) > 2'}",
                Some("another condition"),
            ),
            (
                "{alert: A, expr: 'label_replace(sum(x), \"b\", \"5\", \"\", \"\") > 1'}, {alert: A, expr: 'label_replace(sum(y), \"b\", \"8\", \"\", \"\") > 2'}",
                None,
            ),
            (
                "{alert: A, expr: 'label_replace(sum(x), \"b\", \"5\", \"\", \"\") > 1'}, {alert: A, expr: 'label_replace(sum(y), \"b\", \"5\", \"\", \"\") > 2'}",
                Some("another condition"),
            ),
            ("{alert: A, expr: x > 1}, {alert: B, expr: (x>1)}", None),
            ("{alert: A, expr: x > 1}, {alert: B, expr: x>1}", Some("both fire at once")),
            ("{alert: A, expr: x > 1, for: 1m}, {alert: B, expr: x>1}", None),
            ("{record: a, expr: x}, {record: a, expr: y}", Some("overwrite")),
            ("{record: a, expr: x, labels: {l: a}}, {record: a, expr: y, labels: {l: b}}", None),
            ("{record: a, expr: x}, {record: b, expr: x}", None),
            (
                "{record: a, expr: 'sum by (code) (x{code=~\"2..\"})'}, {record: a, expr: 'sum by (code) (x{code=~\"5..\"})'}",
                None,
            ),
            (
                "{record: a, expr: 'sum(x{code=~\"2..\"})'}, {record: a, expr: 'sum(x{code=~\"5..\"})'}",
                Some("overwrite"),
            ),
        ] {
            let files = [RuleFile::read(&format!("groups: [{{name: g, rules: [{rules}]}}]"), "r.yml")];
            let setting = Setting::default();
            let found = check(&RuleSet::new(&files, &setting));
            match want {
                None => assert!(found.is_empty(), "{rules}: {found:?}"),
                Some(want) => assert!(found.len() == 1 && found[0].why.contains(want), "{rules}: {found:?}"),
            }
        }
    }

    #[test]
    fn what_two_files_share_is_said_once() {
        let text =
            "groups: [{name: g, rules: [{alert: A, expr: x > 1}, {record: b, expr: y}, {alert: C, expr: z > 1}]}]";
        let other =
            "groups: [{name: g, rules: [{alert: A, expr: x > 1}, {record: b, expr: y}, {alert: C, expr: z > 2}]}]";
        let files = [RuleFile::read(text, "a.yml"), RuleFile::read(other, "b.yml")];
        let setting = Setting::default();
        let found = check(&RuleSet::new(&files, &setting));
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(only.why, "2 rules of this file stand in a.yml, too: a server that loads both has them twice");
        assert_eq!((only.level, only.file.as_deref(), only.line), (Level::Low, Some("b.yml"), Some(1)));
    }
}
