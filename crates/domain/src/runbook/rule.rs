//! What a runbook needs of an alerting rule, from Prometheus' API or from a rule file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::alert::rule::Rule;
use crate::check::alerts::file::WrittenRule;
use crate::metric::labels::Labels;
use crate::text::duration;
use crate::text::markdown::unmarked;

#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    pub name: String,
    pub expression: String,
    /// How long the condition must hold, in seconds.
    pub hold: f64,
    pub labels: Labels,
    pub annotations: Labels,
    /// Its group, or its file.
    pub place: String,
}

impl AlertRule {
    /// From Prometheus; `None` for a recording rule.
    pub fn of(rule: &Rule) -> Option<Self> {
        let alerting = rule.alerting.as_ref()?;
        Some(Self {
            name: rule.name.clone(),
            expression: rule.expression.clone(),
            hold: alerting.hold,
            labels: alerting.labels.clone(),
            annotations: alerting.annotations.clone(),
            place: format!("group {}", rule.group),
        })
    }

    /// As it is written in a file.
    pub fn written(rule: &WrittenRule) -> Self {
        Self {
            name: rule.name.clone(),
            expression: rule.expr.clone(),
            hold: rule.held().as_secs_f64(),
            labels: rule.labels.clone(),
            annotations: rule.annotations.clone(),
            place: if rule.file.is_empty() { "loaded".to_owned() } else { format!("{}:{}", rule.file, rule.line) },
        }
    }

    /// Every alerting rule of a file, in its order: Prometheus' own form, `PrometheusRule` objects, lists of them,
    /// ConfigMaps that hold rule files, in one YAML document or several. `place` is the file's name. Other objects have
    /// no rules.
    pub fn read_file(text: &str, place: &str) -> Result<Vec<Self>, String> {
        let mut rules = Vec::new();
        for document in serde_yaml::Deserializer::from_str(unmarked(text)) {
            let document = Value::deserialize(document).map_err(|error| error.to_string())?;
            collect(&document, place, &mut rules)?;
        }
        Ok(rules)
    }

    /// Label `severity`.
    pub fn severity(&self) -> Option<&str> {
        self.labels.get("severity").map(String::as_str)
    }

    /// The service that its labels name.
    pub fn service(&self) -> Option<&str> {
        let names = ["service", "job", "app"];
        names.iter().find_map(|name| self.labels.get(*name)).map(String::as_str)
    }

    /// An annotation, by the first of these names that it has.
    pub fn annotation(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.annotations.get(*name)).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Where its annotation says that the runbook is, with the alert's name filled in.
    pub fn runbook(&self) -> Option<String> {
        let link = self.annotation(&["runbook_url", "runbook"])?;
        let mut filled = String::new();
        let mut rest = link;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inside, tail)) = after.split_once("}}") else {
                break;
            };
            filled.push_str(before);
            if inside.contains("alertname") {
                filled.push_str(&self.name);
            } else {
                filled.push_str(&format!("{{{{{inside}}}}}"));
            }
            rest = tail;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// The rules of one document.
fn collect(document: &Value, place: &str, rules: &mut Vec<AlertRule>) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Group {
        #[serde(default)]
        rules: Option<Vec<Entry>>,
    }
    #[derive(Deserialize)]
    struct Entry {
        alert: Option<String>,
        #[serde(default)]
        expr: Value,
        #[serde(default, rename = "for")]
        hold: Option<Value>,
        #[serde(default)]
        labels: Option<BTreeMap<String, Value>>,
        #[serde(default)]
        annotations: Option<BTreeMap<String, Value>>,
    }
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
    if let (true, Some(items)) = (kind.ends_with("List"), document.get("items").and_then(Value::as_array)) {
        return items.iter().try_for_each(|item| collect(item, place, rules));
    }
    if let ("ConfigMap", Some(data)) = (kind, document.get("data").and_then(Value::as_object)) {
        for (name, text) in data {
            let is_rules = [".yml", ".yaml", ".rules"].iter().any(|end| name.ends_with(end));
            if let (true, Some(text)) = (is_rules, text.as_str()) {
                let found = AlertRule::read_file(text, &format!("{place}: {name}"));
                rules.extend(found.map_err(|error| format!("{name}: {error}"))?);
            }
        }
        return Ok(());
    }
    let groups = match document.get("groups") {
        Some(groups) => groups,
        None => match document.pointer("/spec/groups") {
            Some(groups) => groups,
            None => return Ok(()),
        },
    };
    let groups: Option<Vec<Group>> =
        Deserialize::deserialize(groups).map_err(|error: serde_json::Error| error.to_string())?;
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let labels = |all: Option<BTreeMap<String, Value>>| -> Labels {
        all.into_iter().flatten().map(|(name, value)| (name, text(value))).collect()
    };
    for entry in groups.into_iter().flatten().flat_map(|group| group.rules.unwrap_or_default()) {
        let Some(name) = entry.alert else { continue };
        let hold = entry.hold.map(text).and_then(|hold| duration::parse(&hold).ok());
        rules.push(AlertRule {
            name,
            // A number is an expression, too.
            expression: text(entry.expr),
            hold: hold.map_or(0.0, |hold| hold.as_secs_f64()),
            labels: labels(entry.labels),
            annotations: labels(entry.annotations),
            place: place.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_wherever_teams_keep_them() {
        let rule = "{alert: A, expr: up, for: 5m, labels: {severity: page, tier: 1}}";
        let own = format!("groups: [{{name: g, rules: [{rule}, {{record: r, expr: x}}]}}]");
        let object = format!("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n  {own}\n");
        let map = format!("kind: ConfigMap\ndata:\n  a.rules: |\n    {own}\n  other.txt: 'groups: 3'\n");
        let list = format!("kind: List\nitems:\n- kind: PrometheusRule\n  spec:\n    {own}\n- kind: Service\n");
        for (text, count) in [
            (own.clone(), 1),
            (format!("\u{feff}{own}"), 1),
            (object.clone(), 1),
            (map, 1),
            (list, 1),
            (format!("---\n{object}---\nkind: Service\n---\n{own}\n"), 2),
            ("groups:\n".into(), 0),
            ("groups: [{name: g, rules: }]".into(), 0),
            (String::new(), 0),
            ("kind: Deployment\nspec: {replicas: 1}".into(), 0),
        ] {
            let rules = AlertRule::read_file(&text, "r.yml").expect(&text);
            assert_eq!(rules.len(), count, "{text}");
            assert!(rules.iter().all(|rule| rule.labels["tier"] == "1" && rule.hold > 299.0), "{text}");
        }
    }

    #[test]
    fn a_rule_file_is_read_and_links_are_filled_in() {
        let text = "groups:\n- name: g\n  rules:\n  - record: x\n    expr: 1\n  - alert: Down\n    expr: up == 0\n    for: 1m\n    labels: {severity: critical, job: game}\n    annotations: {runbook_url: 'docs/{{ $labels.alertname }}.md'}\n  - alert: Always\n    expr: 1\n";
        let rules = AlertRule::read_file(text, "r.yml").expect("sound");
        assert_eq!(rules.len(), 2);
        let down = &rules[0];
        assert_eq!((down.hold, down.severity(), down.service()), (60.0, Some("critical"), Some("game")));
        assert_eq!(down.runbook().as_deref(), Some("docs/Down.md"));
        assert_eq!(rules[1].expression, "1");
        assert!(AlertRule::read_file("groups: 3", "r.yml").is_err());
    }
}
