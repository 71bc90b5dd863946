//! What a runbook needs of an alerting rule, from Prometheus' API or from a rule file.

use crate::alert::rule::Rule;
use crate::check::alerts::file::WrittenRule;
use crate::check::finding::Finding;
use crate::metric::labels::Labels;
use crate::runbook::link_of;

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
    /// Where it is written.
    pub file: Option<(String, usize)>,
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
            file: None,
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
            place: if rule.file.is_empty() { "loaded".to_owned() } else { rule.file.clone() },
            file: (!rule.file.is_empty()).then(|| (rule.file.clone(), rule.line)),
        }
    }

    /// The finding, where the rule is written; what a server has loaded has no place.
    pub fn placed(&self, finding: Finding) -> Finding {
        match &self.file {
            Some((file, line)) => finding.at(file.clone(), *line),
            None => finding,
        }
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
        let link = link_of(&self.annotations, &self.labels)?;
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
    use crate::check::alerts::file::RuleFile;

    #[test]
    fn a_rule_file_is_read_and_links_are_filled_in() {
        let text = "groups:\n- name: g\n  rules:\n  - record: x\n    expr: 1\n  - alert: Down\n    expr: up == 0\n    for: 1m\n    labels: {severity: critical, job: game}\n    annotations: {runbook_url: 'docs/{{ $labels.alertname }}.md'}\n  - alert: Always\n    expr: 1\n";
        let file = RuleFile::read(text, "r.yml");
        let rules: Vec<AlertRule> = file.alerts().map(AlertRule::written).collect();
        assert_eq!(rules.len(), 2);
        let down = &rules[0];
        assert_eq!((down.hold, down.severity(), down.service()), (60.0, Some("critical"), Some("game")));
        assert_eq!(down.runbook().as_deref(), Some("docs/Down.md"));
        assert_eq!(rules[1].expression, "1");
        assert_eq!((down.place.as_str(), &down.file), ("r.yml", &Some(("r.yml".to_owned(), 6))));
    }
}
