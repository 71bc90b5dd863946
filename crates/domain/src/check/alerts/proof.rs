//! The test that promtool runs to prove that an alert fires always, or never (A02, A03): its rules, made-up series for
//! each of its selectors, and what must come of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::alerts::file::WrittenRule;
use crate::check::alerts::fires::Claim;
use crate::check::alerts::infer::bounds_of;
use crate::check::alerts::set::RuleSet;
use crate::metric::labels::{quote, show_name};
use crate::metric::promql::{Expr, MatchOp, VectorSelector};

/// Longer stretches of time are not simulated.
const LONGEST: Duration = Duration::from_secs(40 * 86_400);

/// A sample is taken for the value of a series for so long.
const LOOKBACK: Duration = Duration::from_secs(300);

/// Samples of one series, at most.
const SAMPLES: u64 = 600;

/// What promtool is to find of one claim: rules, made-up series, and what must come of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The metrics and alerts in it.
    names: BTreeSet<String>,
    /// Seconds between two samples.
    step: u64,
    /// Of how many samples, roughly: a long one makes those beside it as long.
    size: u32,
    rules: Vec<Value>,
    series: Vec<Value>,
    expected: Vec<Value>,
}

/// Makes the test of one claim. Its worlds follow one another, with a time between them that is too long to look
/// back over.
///
/// # Errors
/// Why there is none.
pub fn proof(set: &RuleSet<'_>, rule: &WrittenRule, claim: Claim) -> Result<Proof, String> {
    let mut needed: Vec<&WrittenRule> = vec![rule];
    let mut at = 0;
    while let Some(one) = needed.get(at).copied() {
        at += 1;
        let tree = one.tree.as_ref().ok_or_else(|| format!("`{}` cannot be read here", one.name))?;
        for name in tree.selectors().into_iter().filter_map(VectorSelector::metric) {
            for placed in set.recording(name) {
                if !needed.iter().any(|known| std::ptr::eq(*known, placed.rule)) {
                    needed.push(placed.rule);
                }
            }
        }
    }
    let selectors: Vec<&VectorSelector> = needed.iter().flat_map(|rule| &rule.tree).flat_map(Expr::selectors).collect();
    let raw: Vec<&VectorSelector> = selectors
        .iter()
        .copied()
        .filter(|selector| selector.metric().is_none_or(|name| set.recording(name).is_empty()))
        .collect();
    // What fires always does so with and without its series.
    let (series, mut worlds) = match (series(&raw, &needed), claim) {
        (Ok(series), Claim::FiresAlways) => (series, vec![None]),
        (Err(_), Claim::FiresAlways) => (BTreeSet::new(), Vec::new()),
        (series, _) => (series?, Vec::new()),
    };
    worlds.extend(values(series.len()).into_iter().map(Some));
    let back = raw.iter().map(|one| {
        one.range.unwrap_or_default() + one.shift.offset.as_ref().map_or(Duration::ZERO, |offset| offset.by)
    });
    let back = back.max().unwrap_or_default() + subqueries(&needed);
    let length = back * 2 + rule.held() * 2 + LOOKBACK * 2;
    if length > LONGEST {
        return Err("it looks back further than a test can".into());
    }
    let step = (length.as_secs() / SAMPLES).max(60).div_ceil(60) * 60;
    let count = length.as_secs() / step + 1;
    let gap = (back + LOOKBACK).as_secs() / step + 1;
    let world = (count + 1 + gap) * step;
    let input = series.iter().enumerate().map(|(index, series)| {
        // `up` is 0 or 1, in every world.
        let most = bounds_of(series.split('{').next().unwrap_or_default()).high;
        let samples = worlds.iter().map(|world| match world.as_ref().and_then(|values| values.get(index)) {
            Some((start, slope)) => {
                let (start, slope) = if most.is_finite() { ((*start).min(1), 0) } else { (*start, *slope) };
                format!("{start}+{slope}x{count} _x{gap}")
            }
            None => format!("_x{}", count + 1 + gap),
        });
        json!({ "series": series, "values": samples.collect::<Vec<_>>().join(" ") })
    });
    let series = input.collect();
    let begins = (0..worlds.len() as u64).map(|before| before * world);
    let mut names: BTreeSet<String> = needed.iter().map(|rule| rule.name.clone()).collect();
    names.extend(selectors.iter().filter_map(|selector| selector.metric()).map(ToOwned::to_owned));
    Ok(Proof {
        names,
        step,
        size: (world * worlds.len() as u64 / step).ilog2(),
        rules: needed.iter().rev().map(|rule| written(rule)).collect(),
        series,
        expected: begins.flat_map(|begin| expected(rule, claim, begin, count * step)).collect(),
    })
}

/// Which proofs fit into one test: those of one length that share no metric and no name of an alert, and read no alerts.
pub fn together(proofs: &[Proof]) -> Vec<Vec<usize>> {
    type Test<'a> = ((u64, u32), BTreeSet<&'a String>, Vec<usize>);
    let mut tests: Vec<Test<'_>> = Vec::new();
    for (index, proof) in proofs.iter().enumerate() {
        let reads_alerts = proof.names.iter().any(|name| name.starts_with("ALERTS"));
        let fits = |(like, names, _): &&mut Test<'_>| {
            *like == (proof.step, proof.size) && !reads_alerts && !proof.names.iter().any(|name| names.contains(name))
        };
        match tests.iter_mut().find(fits) {
            Some((_, names, all)) => {
                names.extend(&proof.names);
                all.push(index);
            }
            // Nothing has a step of 0 seconds: with what reads alerts nothing fits.
            None => {
                let like = if reads_alerts { (0, 0) } else { (proof.step, proof.size) };
                tests.push((like, proof.names.iter().collect(), vec![index]));
            }
        }
    }
    tests.into_iter().map(|(_, _, all)| all).collect()
}

/// The rules of proofs that fit together, and their test, as promtool reads them; `rules` is the file's name.
pub fn files(proofs: &[&Proof], rules: &str) -> (String, String) {
    let interval = format!("{}s", proofs.first().map_or(60, |proof| proof.step));
    let group = |(number, proof): (usize, &&Proof)| json!({ "name": format!("proof {}", number + 1), "interval": interval, "rules": proof.rules });
    let groups: Vec<Value> = proofs.iter().enumerate().map(group).collect();
    let series: Vec<&Value> = proofs.iter().flat_map(|proof| &proof.series).collect();
    let expected: Vec<&Value> = proofs.iter().flat_map(|proof| &proof.expected).collect();
    let test = json!({ "interval": interval, "input_series": series, "promql_expr_test": expected });
    (
        format!("{:#}", json!({ "groups": groups })),
        format!("{:#}", json!({ "rule_files": [rules], "evaluation_interval": interval, "tests": [test] })),
    )
}

/// How far subqueries look back.
fn subqueries(rules: &[&WrittenRule]) -> Duration {
    let mut sum = Duration::ZERO;
    for tree in rules.iter().filter_map(|rule| rule.tree.as_ref()) {
        tree.walk(&mut |expr| {
            if let Expr::Subquery { range, .. } = expr {
                sum += *range;
            }
        });
    }
    sum
}

/// Start and slope of each series, for each test: nothing, one, much, growing, growing unevenly.
fn values(count: usize) -> Vec<Vec<(u64, u64)>> {
    let of = |value: &dyn Fn(u64) -> (u64, u64)| (0..count as u64).map(value).collect::<Vec<_>>();
    if count == 0 {
        return vec![Vec::new()];
    }
    let last = count as u64;
    vec![
        of(&|_| (0, 0)),
        of(&|_| (1, 0)),
        of(&|_| (1_000_000, 0)),
        of(&|n| (n, 60 * (n + 1))),
        of(&|n| (last - n, 60 * (last - n))),
    ]
}

/// What is found in the world that begins at a second, and lasts so long.
fn expected(rule: &WrittenRule, claim: Claim, begin: u64, length: u64) -> Vec<Value> {
    let alerts = format!("count(ALERTS{{alertname={},alertstate=\"firing\"}}) > bool 0", quote(&rule.name));
    match claim {
        Claim::FiresAlways | Claim::FiresWithSeries => vec![json!({
            "expr": alerts, "eval_time": format!("{}s", begin + length), "exp_samples": [{ "labels": "{}", "value": 1 }],
        })],
        Claim::NeverFires => [4, 3, 2, 1]
            .iter()
            .map(
                |part| json!({ "expr": alerts, "eval_time": format!("{}s", begin + length / part), "exp_samples": [] }),
            )
            .collect(),
    }
}

fn written(rule: &WrittenRule) -> Value {
    let kind = if rule.is_alert { "alert" } else { "record" };
    let mut value = json!({ kind: rule.name, "expr": rule.expr, "labels": rule.labels });
    if rule.is_alert {
        value["for"] = json!(format!("{}s", rule.held().as_secs()));
    }
    value
}

/// One series for each selector; labels that are named anywhere have the same value everywhere they may.
fn series(selectors: &[&VectorSelector], rules: &[&WrittenRule]) -> Result<BTreeSet<String>, String> {
    let mut names: BTreeSet<String> = ["instance", "job"].map(str::to_owned).into();
    for tree in rules.iter().filter_map(|rule| rule.tree.as_ref()) {
        tree.walk(&mut |expr| match expr {
            Expr::Aggregate { grouping: Some(grouping), .. } => names.extend(grouping.labels.iter().cloned()),
            Expr::Binary(both) => names.extend(both.matching.on.iter().flat_map(|on| on.labels.iter().cloned())),
            Expr::Call { function, args } if function.name == "label_replace" => {
                names.extend(args.get(3).and_then(|arg| match arg {
                    Expr::Text(text) if !text.is_empty() => Some(text.clone()),
                    _ => None,
                }));
            }
            _ => {}
        });
    }
    let mut all = BTreeSet::new();
    for selector in selectors {
        let name = selector.metric().ok_or_else(|| format!("`{selector}` names no metric"))?;
        let matchers = selector.matchers.first().map_or(&[][..], Vec::as_slice);
        let mut labels: BTreeMap<&str, String> = names.iter().map(|name| (name.as_str(), "a".to_owned())).collect();
        if name.ends_with("_bucket") {
            labels.insert("le", "+Inf".into());
        }
        for label in matchers.iter().map(|matcher| matcher.name.as_str()).filter(|label| *label != "__name__") {
            let mine = || matchers.iter().filter(|matcher| matcher.name == label);
            let mut candidates = vec!["a".to_owned(), "b".to_owned(), "0".into(), "+Inf".into(), String::new()];
            for matcher in mine().filter(|matcher| matcher.op == MatchOp::Equal) {
                candidates.insert(0, matcher.value.clone());
            }
            for matcher in mine().filter(|matcher| matcher.op == MatchOp::Regex) {
                candidates.extend(examples(&matcher.value));
            }
            let fits = |value: &&String| mine().all(|matcher| matcher.accepts(value) == Some(true));
            let value = candidates
                .iter()
                .find(fits)
                .ok_or_else(|| format!("no value was found for `{label}` of `{selector}`"))?;
            labels.insert(label, value.clone());
        }
        let shown: Vec<String> = labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{}={}", show_name(name), quote(value)))
            .collect();
        all.insert(format!("{name}{{{}}}", shown.join(",")));
    }
    Ok(all)
}

/// Texts that a regular expression may mean.
fn examples(pattern: &str) -> Vec<String> {
    let plain = pattern.replace(['(', ')', '^', '$'], "").replace("?:", "");
    let filled = |text: &str| {
        text.replace(".*", "")
            .replace(".+", "x")
            .replace("[0-9]+", "1")
            .replace("[0-9]", "1")
            .replace("\\d", "1")
            .replace("\\.", ".")
            .replace('.', "0")
    };
    plain
        .split('|')
        .flat_map(|part| [part.to_owned(), filled(part), filled(part).replace(['*', '+', '?'], "")])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;
    use crate::check::alerts::set::Setting;

    fn proofs(expressions: &[&str]) -> Vec<Proof> {
        let rules: Vec<String> =
            expressions.iter().enumerate().map(|(n, expr)| format!("{{alert: A{n}, expr: '{expr}'}}")).collect();
        let files = [RuleFile::read(&format!("groups: [{{name: g, rules: [{}]}}]", rules.join(", ")), "r.yml")];
        let setting = Setting::default();
        let set = RuleSet::new(&files, &setting);
        set.alerts().map(|placed| proof(&set, placed.rule, Claim::NeverFires).expect("a proof")).collect()
    }

    #[test]
    fn one_test_holds_what_has_nothing_in_common() {
        let all = proofs(&["x > 1", "y > 1", "x > 2", "z > ALERTS", "z > 1", "rate(a[1d]) > 1"]);
        assert_eq!(together(&all), [vec![0, 1, 4], vec![2], vec![3], vec![5]]);
        let (rules, test) = files(&[&all[0], &all[1]], "rules.yml");
        assert!(rules.contains("\"proof 2\"") && rules.contains("x > 1") && rules.contains("y > 1"), "{rules}");
        // Five worlds of eleven steps, and five minutes without samples after each.
        assert!(test.contains("0+0x11 _x6 1+0x11 _x6 1000000+0x11 _x6 0+60x11"), "{test}");
        assert!(test.contains(&format!("\"{}s\"", (18 + 11) * 60)), "{test}");
    }

    #[test]
    fn regular_expressions_have_examples() {
        for (pattern, want) in
            [("5..", "500"), ("a|b", "b"), ("(foo|bar).*", "foo"), ("eth[0-9]+", "eth1"), ("x.+", "xx")]
        {
            assert!(examples(pattern).contains(&want.to_owned()), "{pattern}: {:?}", examples(pattern));
        }
    }
}
