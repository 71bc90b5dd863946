//! Files of rules as they are written, with the place of each rule: Prometheus' own form, `PrometheusRule` objects,
//! lists of them, ConfigMaps that hold rule files, in one document or several. What Prometheus would refuse is A01.

use std::time::Duration;

use crate::check::alerts::template;
use crate::check::finding::{Finding, Level, Unknown};
use crate::metric::labels::{Labels, is_bare_metric};
use crate::metric::promql::{self, Expr, Syntax};
use crate::text::duration;
use crate::text::suggest::nearest;
use crate::text::yaml::{self, Document, Key, Node, Place, Style, Value};

/// One file: its rules, and what is wrong with its form.
#[derive(Debug, Clone, Default)]
pub struct RuleFile {
    pub path: String,
    pub groups: Vec<RuleGroup>,
    /// It says `groups`, be there none.
    pub has_groups: bool,
    pub findings: Vec<Finding>,
    pub unknown: Vec<Unknown>,
}

/// One group: its rules are evaluated one after another, those of different groups at the same time.
#[derive(Debug, Clone)]
pub struct RuleGroup {
    pub name: String,
    pub interval: Option<Duration>,
    pub line: usize,
    pub rules: Vec<WrittenRule>,
}

/// A rule as it is written.
#[derive(Debug, Clone)]
pub struct WrittenRule {
    pub file: String,
    pub line: usize,
    pub expr_line: usize,
    pub is_alert: bool,
    pub name: String,
    pub expr: String,
    /// None where it is no PromQL, or only the server can tell.
    pub tree: Option<Expr>,
    /// None where `for` is not written.
    pub hold: Option<Duration>,
    pub labels: Labels,
    pub annotations: Labels,
}

impl WrittenRule {
    /// A finding about it, at its first line.
    pub fn finding(&self, id: &'static str, level: Level, why: impl Into<String>) -> Finding {
        self.placed(Finding::new(id, level, self.name.clone(), why), self.line)
    }

    /// A finding about its expression.
    pub fn of_expr(&self, id: &'static str, level: Level, why: impl Into<String>) -> Finding {
        self.placed(Finding::new(id, level, self.name.clone(), why), self.expr_line)
    }

    /// What a server has loaded has no place.
    fn placed(&self, finding: Finding, line: usize) -> Finding {
        if self.file.is_empty() { finding } else { finding.at(self.file.clone(), line) }
    }

    /// How long its condition must hold.
    pub fn held(&self) -> Duration {
        self.hold.unwrap_or_default()
    }
}

const GROUP_KEYS: [&str; 6] = ["name", "interval", "query_offset", "limit", "labels", "rules"];

/// Fields of groups for which Prometheus refuses the file, and who reads them.
const OTHERS: [(&str, &str); 13] = [
    ("partial_response_strategy", "Thanos' or Mimir's"),
    ("source_tenants", "Thanos' or Mimir's"),
    ("evaluation_delay", "Thanos' or Mimir's"),
    ("concurrency", "vmalert's"),
    ("params", "vmalert's"),
    ("headers", "vmalert's"),
    ("notifier_headers", "vmalert's"),
    ("eval_offset", "vmalert's"),
    ("eval_delay", "vmalert's"),
    ("eval_alignment", "vmalert's"),
    ("tenant", "vmalert's"),
    ("type", "vmalert's"),
    ("debug", "vmalert's"),
];
const RULE_KEYS: [&str; 7] = ["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];

impl RuleFile {
    /// Reads a file; whatever it is, it can be read, and what is wrong is in `findings`.
    pub fn read(text: &str, path: &str) -> Self {
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        file.text(text, 0);
        file
    }

    /// Does it hold any rule, or what was meant as one?
    pub fn is_empty(&self) -> bool {
        !self.has_groups && self.findings.is_empty() && self.unknown.is_empty()
    }

    /// The alerting rules, in their order.
    pub fn alerts(&self) -> impl Iterator<Item = &WrittenRule> {
        self.rules().filter(|rule| rule.is_alert)
    }

    pub fn rules(&self) -> impl Iterator<Item = &WrittenRule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// Reads a text that begins `below` lines down in the file.
    fn text(&mut self, text: &str, below: usize) {
        let (documents, fault) = yaml::read_until_fault(text);
        if is_erb(text) || (fault.is_some() && is_unrendered(text)) {
            return self.unrendered(&self.path.clone());
        }
        // What follows the first document of a rule file nobody reads, be it right or wrong.
        if let Some(first) = documents.first().filter(|first| is_plain(&first.root)) {
            let second = documents.iter().skip(1).find(|document| is_plain(&document.root));
            if let Some(place) = second.map(|document| document.root.place).or(fault.map(|fault| fault.place)) {
                let why = "Prometheus reads only the first document of a file: what stands here is never loaded";
                let finding = Finding::new("A01", Level::High, self.path.clone(), why);
                let fix = "move it to a file of its own";
                self.findings.push(finding.at(self.path.clone(), place.line + below).column(place.column).fix(fix));
            }
            if let Some(line) =
                text.lines().position(|line| line.starts_with("%YAML") && line.trim_end() != "%YAML 1.1")
            {
                self.wrong(&self.path.clone(), Place { line: line + 1, column: 1 }, below, "Prometheus reads YAML 1.1");
            }
            return self.document(first, below);
        }
        documents.iter().for_each(|document| self.document(document, below));
        if let Some(fault) = fault {
            self.wrong(&self.path.clone(), fault.place, below, fault.message);
        }
    }

    fn unrendered(&mut self, subject: &str) {
        let why = "it is a template of Helm, Jinja or ERB: render it first, and check what comes out";
        self.unknown.push(Unknown { id: "A01", subject: subject.to_owned(), why: why.into() });
    }

    fn wrong(&mut self, subject: &str, place: Place, below: usize, why: impl Into<String>) {
        let finding = Finding::new("A01", Level::Blocker, subject, why).at(self.path.clone(), place.line + below);
        self.findings.push(finding.column(place.column).fix("Prometheus refuses the whole file until this is right"));
    }

    fn document(&mut self, document: &Document, below: usize) {
        let before = self.groups.len();
        self.object(&document.root, below);
        if self.groups.len() > before {
            for fault in &document.repeated {
                self.wrong(&self.path.clone(), fault.place, below, fault.message.clone());
            }
        }
    }

    /// One document, or one item of a list.
    fn object(&mut self, root: &Node, below: usize) {
        let kind = root.get("kind").and_then(Node::text).unwrap_or_default();
        if kind.ends_with("List") {
            root.get("items").map_or(&[][..], Node::items).iter().for_each(|item| self.object(item, below));
        } else if kind == "ConfigMap" {
            for (key, node) in root.get("data").map_or(&[][..], Node::entries) {
                let Value::Scalar { text, style } = &node.value else { continue };
                let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '-']));
                let is_rules = [".yml", ".yaml", ".rules"].iter().any(|end| key.name.ends_with(end))
                    || lines.next().is_some_and(|line| line.starts_with("groups:"));
                if is_rules && text.contains("groups") {
                    // The lines of a block begin below its mark.
                    let first = node.place.line + usize::from(node.place.line == key.place.line);
                    self.text(
                        text,
                        if *style == Style::Literal { below + first - 1 } else { below + node.place.line - 1 },
                    );
                }
            }
        } else if let Some(groups) = root.get("groups").filter(|groups| kind.is_empty() && is_of_rules(groups)) {
            self.unknown_keys(root, &["groups"], below, "rule file");
            self.groups(groups, below);
            groups.items().iter().for_each(|group| self.of_others(group, below));
        } else if let Some(groups) = root.get("spec").and_then(|spec| spec.get("groups")) {
            self.groups(groups, below);
        }
    }

    fn unknown_keys(&mut self, node: &Node, known: &[&str], below: usize, what: &str) {
        for (Key { name, place }, _) in node.entries() {
            if !known.contains(&name.as_str()) {
                let near = nearest(name, known.iter().copied());
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                self.wrong(&self.path.clone(), *place, below, format!("a {what} has no field `{name}`{near}"));
            }
        }
    }

    fn groups(&mut self, groups: &Node, below: usize) {
        self.has_groups = true;
        if !matches!(groups.value, Value::List(_) | Value::Null) {
            self.wrong(&self.path.clone(), groups.place, below, "`groups` is no list");
        }
        let mut names = Vec::new();
        for node in groups.items().iter().filter(|node| !node.is_null()) {
            let name = node.get("name").and_then(Node::text).unwrap_or_default().to_owned();
            let keys: Vec<&str> = GROUP_KEYS.into_iter().chain(OTHERS.map(|(key, _)| key)).collect();
            self.unknown_keys(node, &keys, below, "rule group");
            if name.is_empty() {
                self.wrong(&self.path.clone(), node.place, below, "a group has no name");
            } else if names.contains(&name) {
                self.wrong(&name, node.place, below, format!("group `{name}` is given twice in this file"));
            }
            names.push(name.clone());
            let interval = self.duration(node, "interval", &name, below);
            self.duration(node, "query_offset", &name, below);
            if let Some(limit) = node.get("limit").filter(|limit| !limit.is_null() && !is_number(limit)) {
                self.wrong(&name, limit.place, below, "`limit` is no number");
            }
            if let Some(strategy) = node.get("partial_response_strategy")
                && !strategy.text().is_some_and(|word| ["abort", "warn"].contains(&word.to_lowercase().as_str()))
            {
                let why = "`partial_response_strategy` is `abort` or `warn`";
                self.wrong(&name, strategy.place, below, why);
            }
            let mut rules = Vec::new();
            if let Some(wrong) = node.get("rules").filter(|rules| !matches!(rules.value, Value::List(_) | Value::Null))
            {
                self.wrong(&name, wrong.place, below, "`rules` is no list");
            }
            let labels = self.pairs(node, "labels", &name, below);
            for rule in node.get("rules").map_or(&[][..], Node::items).iter().filter(|rule| !rule.is_null()) {
                let Some(mut rule) = self.rule(rule, below) else { continue };
                // A rule's own labels come before those of its group.
                for (label, value) in &labels {
                    rule.labels.entry(label.clone()).or_insert_with(|| value.clone());
                }
                rules.push(rule);
            }
            self.groups.push(RuleGroup { name, interval, line: node.place.line + below, rules });
        }
    }

    /// Fields that others read, and for which Prometheus refuses the file.
    fn of_others(&mut self, group: &Node, below: usize) {
        for (Key { name, place }, _) in group.entries() {
            let Some((_, whose)) = OTHERS.iter().find(|(key, _)| key == name) else { continue };
            let why = format!("Prometheus has no field `{name}`, and refuses the file: it is {whose}");
            let finding = Finding::new("A01", Level::Medium, self.path.clone(), why);
            let fix = "keep it where these read the rules, and nowhere else";
            self.findings.push(finding.at(self.path.clone(), place.line + below).column(place.column).fix(fix));
        }
    }

    fn duration(&mut self, node: &Node, key: &str, subject: &str, below: usize) -> Option<Duration> {
        let value = node.get(key)?;
        let text = value.text()?;
        match duration::parse(text) {
            Ok(duration) if text == text.trim() => Some(duration),
            Ok(_) => {
                self.wrong(subject, value.place, below, format!("`{key}`: `{text}` has blanks around it"));
                None
            }
            Err(error) => {
                self.wrong(subject, value.place, below, format!("`{key}`: {error}"));
                None
            }
        }
    }

    fn rule(&mut self, node: &Node, below: usize) -> Option<WrittenRule> {
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        let (alert, record) = (text("alert"), text("record"));
        let name = if alert.is_empty() { record.clone() } else { alert.clone() };
        let subject = if name.is_empty() { self.path.clone() } else { name.clone() };
        self.unknown_keys(node, &RULE_KEYS, below, "rule");
        match (alert.is_empty(), record.is_empty()) {
            (true, true) => self.wrong(&subject, node.place, below, "a rule has neither `alert` nor `record`"),
            (false, false) => self.wrong(&subject, node.place, below, "a rule has both `alert` and `record`"),
            _ => {}
        }
        let is_alert = !alert.is_empty();
        if !is_alert {
            for key in ["for", "keep_firing_for", "annotations"] {
                // Nothing, however it is written, is taken for nothing.
                let is_nothing = |value: &Node| match &value.value {
                    Value::Scalar { text, .. } => duration::parse(text).is_ok_and(|hold| hold.is_zero()),
                    Value::Map(entries) => entries.is_empty(),
                    Value::Null => true,
                    Value::List(_) => false,
                };
                if let Some(value) = node.get(key).filter(|value| !is_nothing(value)) {
                    self.wrong(&subject, value.place, below, format!("a recording rule has no `{key}`"));
                }
            }
            if !record.is_empty() && !is_bare_metric(&record) {
                self.wrong(&subject, node.place, below, format!("`{record}` is no name of a metric"));
            }
        }
        let hold = self.duration(node, "for", &subject, below);
        self.duration(node, "keep_firing_for", &subject, below);
        let labels = self.pairs(node, "labels", &subject, below);
        let annotations = self.pairs(node, "annotations", &subject, below);
        let (expr, tree, expr_line) = self.expr(node, &subject, below);
        (!name.is_empty()).then(|| WrittenRule {
            file: self.path.clone(),
            line: node.place.line + below,
            expr_line,
            is_alert,
            name,
            expr,
            tree,
            hold,
            labels,
            annotations,
        })
    }

    fn expr(&mut self, node: &Node, subject: &str, below: usize) -> (String, Option<Expr>, usize) {
        let line = |node: &Node| node.place.line + below;
        let Some((key, value)) = node.entries().iter().find(|(key, _)| key.name == "expr") else {
            self.wrong(subject, node.place, below, "a rule has no `expr`");
            return (String::new(), None, line(node));
        };
        let Value::Scalar { text, style } = &value.value else {
            self.wrong(subject, value.place, below, "`expr` is empty, or no text");
            return (String::new(), None, line(value));
        };
        let tree = promql::checked(text);
        if tree.is_err() && text.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}")) {
            self.unrendered(subject);
            return (text.clone(), None, line(value));
        }
        if let Err(syntax) = &tree {
            let Syntax { line, column, .. } = *syntax;
            let begin = value.place;
            let place = match style {
                Style::Literal => {
                    let first = begin.line + usize::from(begin.line == key.place.line);
                    Place { line: first + line - 1, column: begin.column.max(1) }
                }
                Style::Plain if line == 1 => Place { line: begin.line, column: begin.column + column - 1 },
                Style::Quoted if line == 1 => Place { line: begin.line, column: begin.column + column },
                _ => begin,
            };
            self.wrong(subject, place, below, format!("no PromQL: {syntax}"));
            return (text.clone(), None, place.line + below);
        }
        (text.clone(), tree.ok().flatten(), line(value))
    }

    /// Labels or annotations, with their templates.
    fn pairs(&mut self, node: &Node, key: &str, subject: &str, below: usize) -> Labels {
        let mut labels = Labels::new();
        let Some(map) = node.get(key) else { return labels };
        if !matches!(map.value, Value::Map(_) | Value::Null) {
            self.wrong(subject, map.place, below, format!("`{key}` is no mapping"));
        }
        for (name, value) in map.entries() {
            let is_label = !name.name.contains(':') && is_bare_metric(&name.name);
            if !is_label || (key == "labels" && name.name == "__name__") {
                self.wrong(subject, name.place, below, format!("`{}` is no name of {key}", name.name));
            }
            let text = match &value.value {
                Value::Scalar { text, .. } => text.clone(),
                Value::Null => String::new(),
                _ => {
                    self.wrong(subject, value.place, below, format!("`{}` is no text", name.name));
                    continue;
                }
            };
            if let Err(why) = template::read(&text) {
                self.wrong(subject, value.place, below, format!("the template of `{}`: {why}", name.name));
            }
            labels.insert(name.name.clone(), text);
        }
        labels
    }
}

/// Is it Prometheus' own form, and no object of Kubernetes?
fn is_plain(root: &Node) -> bool {
    root.get("groups").is_some() && root.get("kind").is_none()
}

/// Other tools have groups, too; of what is none of rules nothing can be told.
fn is_of_rules(groups: &Node) -> bool {
    let of_rule = |rule: &Node| rule.entries().is_empty() || RULE_KEYS.iter().any(|key| rule.get(key).is_some());
    let is_group = |group: &Node| match group.get("rules") {
        Some(rules) => rules.items().is_empty() || rules.items().iter().any(of_rule),
        // Rules where groups belong.
        None if ["alert", "record", "expr"].iter().any(|key| group.get(key).is_some()) => true,
        None => group
            .entries()
            .iter()
            .all(|(key, _)| GROUP_KEYS.contains(&key.name.as_str()) || nearest(&key.name, GROUP_KEYS).is_some()),
    };
    groups.items().is_empty() || groups.items().iter().any(is_group)
}

fn is_number(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, style: Style::Plain } if text.parse::<f64>().is_ok())
}

/// `<%= p('x') %>`: YAML may hold it, and no rule does.
fn is_erb(text: &str) -> bool {
    text.split_once("<%").is_some_and(|(_, rest)| rest.contains("%>"))
}

/// Does the text wait for a tool that writes YAML from it?
fn is_unrendered(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        // No value of YAML begins with two braces.
        ["{{", "{%"].iter().any(|mark| line.starts_with(mark))
            || [": {{", "- {{", "{{ .Values", "{{ include"].iter().any(|mark| line.contains(mark))
    })
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
