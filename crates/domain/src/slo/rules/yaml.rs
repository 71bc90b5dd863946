//! Rules and their tests as YAML, by hand: comments and the order are part of it.

use std::fmt::Write as _;

use crate::slo::rules::test::{RuleTest, Series, runs};
use crate::slo::rules::{GeneratedRule, RuleSet};
use crate::text::duration::to_promql;

/// Who reads the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A rule file of Prometheus.
    Prometheus,
    /// A `PrometheusRule` of the Prometheus operator.
    Operator,
}

/// The rule file.
pub fn document(sets: &[RuleSet], format: Format, name: &str, header: &str) -> String {
    let mut text = String::new();
    for line in header.lines() {
        let _ = writeln!(text, "# {line}");
    }
    let indent = match format {
        Format::Prometheus => "",
        Format::Operator => {
            let _ = writeln!(
                text,
                "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {}\nspec:",
                scalar(name)
            );
            "  "
        }
    };
    let _ = writeln!(text, "{indent}groups:");
    for set in sets {
        group(&mut text, indent, &format!("slo:{}", set.slo), None, &set.fast);
        group(&mut text, indent, &format!("slo:{}:window", set.slo), Some("5m"), &set.slow);
    }
    text
}

pub(crate) fn group(text: &mut String, indent: &str, name: &str, interval: Option<&str>, rules: &[GeneratedRule]) {
    let _ = writeln!(text, "{indent}  - name: {}", scalar(name));
    if let Some(interval) = interval {
        let _ = writeln!(text, "{indent}    interval: {interval}");
    }
    let _ = writeln!(text, "{indent}    rules:");
    for rule in rules {
        if let Some(comment) = &rule.comment {
            let _ = writeln!(text, "{indent}      # {comment}");
        }
        let key = if rule.is_alert { "alert" } else { "record" };
        let _ = writeln!(text, "{indent}      - {key}: {}", rule.name);
        match rule.expr.contains('\n') {
            true => {
                let _ = writeln!(text, "{indent}        expr: |-");
                for line in rule.expr.lines() {
                    let _ = writeln!(text, "{indent}          {line}");
                }
            }
            false => {
                let _ = writeln!(text, "{indent}        expr: {}", scalar(&rule.expr));
            }
        }
        if let Some(hold) = rule.hold {
            let _ = writeln!(text, "{indent}        for: {}", to_promql(hold));
        }
        for (key, members) in [("labels", &rule.labels), ("annotations", &rule.annotations)] {
            if !members.is_empty() {
                let _ = writeln!(text, "{indent}        {key}:");
            }
            for (name, value) in members {
                let _ = writeln!(text, "{indent}          {name}: {}", scalar(value));
            }
        }
    }
}

/// The file that promtool tests the rules with.
pub fn test_document(rules: &str, tests: &[RuleTest], header: &str) -> String {
    let mut text = String::new();
    for line in header.lines() {
        let _ = writeln!(text, "# {line}");
    }
    let _ = writeln!(text, "rule_files:\n  - {}", scalar(rules));
    let interval = tests.first().map_or(60, |test| test.scrape);
    let _ = writeln!(text, "evaluation_interval: {interval}s\ntests:");
    for run in runs(tests) {
        for test in &run {
            let _ = writeln!(text, "  # {}", test.claim);
        }
        let (kind, scrape) = run.first().map_or(("", 60), |test| (test.kind.as_str(), test.scrape));
        let _ = writeln!(text, "  - name: {}\n    interval: {scrape}s", scalar(kind));
        let series: Vec<&Series> = run.iter().flat_map(|test| &test.series).collect();
        let none = if series.is_empty() { " []" } else { "" };
        let _ = writeln!(text, "    input_series:{none}");
        for Series { name, values } in series {
            let _ = writeln!(text, "      - series: {}\n        values: {}", single(name), single(values));
        }
        let _ = writeln!(text, "    promql_expr_test:");
        for test in run {
            for (second, fires) in [(test.silent_at, false), (test.fires_at, true)] {
                let expr = single(&format!("count({})", test.alert));
                let samples = if fires { "\n          - labels: '{}'\n            value: 1" } else { " []" };
                let _ =
                    writeln!(text, "      - expr: {expr}\n        eval_time: {second}s\n        exp_samples:{samples}");
            }
        }
    }
    text
}

/// A plain scalar where YAML reads it as this text, else a quoted one.
fn scalar(text: &str) -> String {
    let plain = !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_/.".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { single(text) }
}

/// In single quotes, where only the quote itself is special; what has control characters in double ones.
fn single(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return serde_json::Value::from(text).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::rules::{Scrape, rules, tests};
    use crate::slo::sample;

    #[test]
    fn both_formats_are_yaml_that_holds_the_same_rules() {
        let slo = sample::slo("99.9%", "30d");
        let set = rules(&slo).expect("rules");
        let read = |format| -> serde_yaml::Value {
            serde_yaml::from_str(&document(std::slice::from_ref(&set), format, "slo", "made by\nliveops"))
                .expect("YAML")
        };
        let (plain, operator) = (read(Format::Prometheus), read(Format::Operator));
        assert_eq!(plain["groups"], operator["spec"]["groups"]);
        assert_eq!(plain["groups"][0]["rules"].as_sequence().expect("rules").len(), set.fast.len());
        assert_eq!(operator["kind"], "PrometheusRule");
        let found = tests(&slo, &set, &Scrape::default()).expect("tests");
        let test: serde_yaml::Value = serde_yaml::from_str(&test_document("slo.yml", &found, "made by")).expect("YAML");
        assert_eq!(test["tests"].as_sequence().expect("tests").len(), 5);
    }

    #[test]
    fn scalars_read_back() {
        for text in ["a", "true", "it's", "a: b", "# x", "", "line\nbreak", "5m", "{{ $value }}", "×"] {
            let back: String = serde_yaml::from_str(&scalar(text)).expect(text);
            assert_eq!(back, text);
        }
    }
}
