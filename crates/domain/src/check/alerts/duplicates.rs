//! Rules that are there twice (A15).

use std::collections::{BTreeSet, HashMap};

use crate::check::alerts::file::WrittenRule;
use crate::check::alerts::set::RuleSet;
use crate::check::alerts::shape::Known;
use crate::check::finding::{Finding, Level};
use crate::metric::labels::Labels;
use crate::metric::promql::Expr;

/// At the second of two, with the place of the first.
pub fn check(set: &RuleSet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names: HashMap<(bool, &str, &Labels), &WrittenRule> = HashMap::new();
    let mut expressions: HashMap<(String, Option<&String>, u128), &WrittenRule> = HashMap::new();
    for placed in &set.rules {
        let rule = placed.rule;
        let key = (rule.is_alert, rule.name.as_str(), &rule.labels);
        let told = |first: &WrittenRule, why: String, fix: &str| {
            let finding = rule.finding("A15", Level::Medium, why).fix(fix);
            match first.file.is_empty() {
                true => finding,
                false => finding.evidence(format!("the first one: {}:{}", first.file, first.line)),
            }
        };
        let Some(tree) = &rule.tree else { continue };
        let text = tree.to_string();
        if let Some(first) = names.get(&key).copied() {
            let same = first.tree.as_ref().is_some_and(|other| other == tree);
            if !same && is_apart(set, first, rule) {
                continue;
            }
            let (why, fix) = match (same, rule.is_alert) {
                (true, _) => ("it is there twice, with the same labels and expression".to_owned(), "remove one of them"),
                (false, true) => (
                    "another alert has its name and labels, and another condition: nobody can tell which of them fired".into(),
                    "give one of them another name, or a label of its own such as `severity`",
                ),
                (false, false) => (
                    "another rule records it, with the same labels and another expression: the two overwrite each other".into(),
                    "give one of them another name, or a label of its own",
                ),
            };
            findings.push(told(first, why, fix));
            continue;
        }
        names.insert(key, rule);
        if !rule.is_alert {
            continue;
        }
        let key = (text, rule.labels.get("severity"), rule.held().as_millis());
        if let Some(first) = expressions.get(&key).copied() {
            let why = format!("alert `{}` has the same expression, severity and `for`: both fire at once", first.name);
            findings.push(told(first, why, "remove one of them"));
        } else {
            expressions.insert(key, rule);
        }
    }
    findings
}

/// Do the two choose by a label that what they record still has, as one rule for each status code?
fn is_apart(set: &RuleSet<'_>, one: &WrittenRule, other: &WrittenRule) -> bool {
    let matchers = |rule: &WrittenRule| -> BTreeSet<(String, String)> {
        let selectors = rule.tree.iter().flat_map(Expr::selectors);
        let all = selectors.flat_map(|selector| selector.matchers.iter().flatten());
        all.map(|matcher| (matcher.name.clone(), format!("{}{}", matcher.op, matcher.value))).collect()
    };
    let (mine, theirs) = (matchers(one), matchers(other));
    let shapes = [set.shapes(one), set.shapes(other)].concat();
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
}
