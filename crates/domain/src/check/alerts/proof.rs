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

/// Samples of one series, at most.
const SAMPLES: u64 = 600;

/// Two files that `promtool test rules` reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub rules: String,
    pub test: String,
}

/// Makes the test; `rules` is the name under which the rules will lie beside it.
///
/// # Errors
/// Why there is none.
pub fn proof(set: &RuleSet<'_>, rule: &WrittenRule, claim: Claim, rules: &str) -> Result<Proof, String> {
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
        .into_iter()
        .filter(|selector| selector.metric().is_none_or(|name| set.recording(name).is_empty()))
        .collect();
    // What fires always does so with and without its series.
    let (series, mut worlds) = match (series(&raw, &needed), claim) {
        (Ok(series), Claim::FiresAlways) => (series, vec![Vec::new()]),
        (Err(_), Claim::FiresAlways) => (BTreeSet::new(), Vec::new()),
        (series, _) => (series?, Vec::new()),
    };
    worlds.extend(values(series.len()));
    let back = raw.iter().map(|one| {
        one.range.unwrap_or_default() + one.shift.offset.as_ref().map_or(Duration::ZERO, |offset| offset.by)
    });
    let back = back.max().unwrap_or_default() + subqueries(&needed);
    let length = back * 2 + rule.held() * 2 + Duration::from_secs(1800);
    if length > LONGEST {
        return Err("it looks back further than a test can".into());
    }
    let step = (length.as_secs() / SAMPLES).max(60).div_ceil(60) * 60;
    let count = length.as_secs() / step + 1;
    let end = count * step;
    let tests: Vec<Value> = worlds
        .iter()
        .map(|values| {
            let input: Vec<Value> = series
                .iter()
                .zip(values)
                .map(|(series, (start, slope))| {
                    // `up` is 0 or 1, in every world.
                    let most = bounds_of(series.split('{').next().unwrap_or_default()).high;
                    let (start, slope) = if most.is_finite() { ((*start).min(1), 0) } else { (*start, *slope) };
                    json!({ "series": series, "values": format!("{start}+{slope}x{count}") })
                })
                .collect();
            json!({ "interval": format!("{step}s"), "input_series": input, "promql_expr_test": expected(rule, claim, end) })
        })
        .collect();
    needed.reverse();
    let written: Vec<Value> = needed.iter().map(|rule| written(rule)).collect();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).map_err(|error| error.to_string());
    Ok(Proof {
        rules: pretty(&json!({ "groups": [{ "name": "proof", "interval": format!("{step}s"), "rules": written }] }))?,
        test: pretty(&json!({ "rule_files": [rules], "evaluation_interval": format!("{step}s"), "tests": tests }))?,
    })
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

fn expected(rule: &WrittenRule, claim: Claim, end: u64) -> Vec<Value> {
    let alerts = format!("count(ALERTS{{alertname={},alertstate=\"firing\"}}) > bool 0", quote(&rule.name));
    match claim {
        Claim::FiresAlways | Claim::FiresWithSeries => vec![json!({
            "expr": alerts, "eval_time": format!("{end}s"), "exp_samples": [{ "labels": "{}", "value": 1 }],
        })],
        Claim::NeverFires => [4, 3, 2, 1]
            .iter()
            .map(|part| json!({ "expr": alerts, "eval_time": format!("{}s", end / part), "exp_samples": [] }))
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

    #[test]
    fn regular_expressions_have_examples() {
        for (pattern, want) in
            [("5..", "500"), ("a|b", "b"), ("(foo|bar).*", "foo"), ("eth[0-9]+", "eth1"), ("x.+", "xx")]
        {
            assert!(examples(pattern).contains(&want.to_owned()), "{pattern}: {:?}", examples(pattern));
        }
    }
}
