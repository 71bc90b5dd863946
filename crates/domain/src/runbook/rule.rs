//! What a runbook needs of an alerting rule, from Prometheus' API or from a rule file.

use serde::Deserialize;

use crate::alert::rule::Rule;
use crate::metric::labels::Labels;
use crate::text::duration;

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

    /// Every alerting rule of a rule file, in its order; `place` is the file's name.
    pub fn read_file(text: &str, place: &str) -> Result<Vec<Self>, String> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            #[serde(default)]
            rules: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            alert: Option<String>,
            #[serde(default)]
            expr: serde_json::Value,
            #[serde(default, rename = "for")]
            hold: Option<String>,
            #[serde(default)]
            labels: Labels,
            #[serde(default)]
            annotations: Labels,
        }
        let file: File = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let entries = file.groups.into_iter().flat_map(|group| group.rules);
        let rules = entries.filter_map(|entry| {
            Some(Self {
                name: entry.alert?,
                // A number is an expression, too.
                expression: match entry.expr {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                },
                hold: entry.hold.and_then(|text| duration::parse(&text).ok()).map_or(0.0, |hold| hold.as_secs_f64()),
                labels: entry.labels,
                annotations: entry.annotations,
                place: place.to_owned(),
            })
        });
        Ok(rules.collect())
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

#[cfg(test)]
mod tests {
    use super::*;

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
