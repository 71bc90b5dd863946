//! Does each alert reach somebody who can act (A17): its labels against Alertmanager's routes, receivers and inhibition.

use crate::alert::{Urgency, urgency};
use crate::check::alerts::fires::is_heartbeat;
use crate::check::alerts::routes::{InhibitRule, RoutingTree, Told, all_match};
use crate::check::alerts::set::{Placed, RuleSet};
use crate::check::alerts::shape::{Known, Shape};
use crate::check::finding::{Finding, Findings, Level};
use crate::text::count::count;

/// Alertmanager's configuration, as findings name it.
#[derive(Debug)]
pub struct Routes<'a> {
    pub tree: &'a RoutingTree,
    pub file: &'a str,
    /// Receivers that page, whatever their integrations are.
    pub paging: &'a [String],
}

/// The labels of an alert as Alertmanager gets them.
#[derive(Debug)]
pub struct AlertLabels<'a> {
    set: &'a RuleSet<'a>,
    placed: Placed<'a>,
    shapes: Vec<Shape>,
}

impl<'a> AlertLabels<'a> {
    pub fn of(set: &'a RuleSet<'a>, placed: Placed<'a>) -> Self {
        Self { set, placed, shapes: set.shapes(placed.rule) }
    }

    pub fn get(&self, name: &str) -> Known {
        let rule = self.placed.rule;
        if name == "alertname" {
            return Known::Is(rule.name.clone());
        }
        match rule.labels.get(name).map(String::as_str) {
            Some("") => return Known::Missing,
            Some(value) if value.contains("{{") => return Known::Open,
            Some(value) => return Known::Is(value.to_owned()),
            None => {}
        }
        let mut all = self.shapes.iter().map(|shape| shape.label(name));
        let first = all.next().unwrap_or(Known::Open);
        let known = if all.all(|other| other == first) { first } else { Known::Open };
        match (known, self.set.setting.external_labels.get(name)) {
            (Known::Missing, Some(value)) => Known::Is(value.clone()),
            (Known::Open, Some(_)) => Known::Some,
            (known, _) => known,
        }
    }
}

pub fn check(set: &RuleSet<'_>, routes: &Routes<'_>) -> Findings {
    let mut found = Findings::default();
    let tree = routes.tree;
    for fault in &tree.faults {
        let why = format!("Alertmanager would not load it: {}", fault.message);
        found.add(
            of_config(routes, Level::Blocker, "alertmanager", fault.place.line, why)
                .fix("check it: `amtool check-config FILE`"),
        );
    }
    for (late, early) in tree.shadowed() {
        let why =
            format!("no alert reaches this route: the one at line {} takes every alert that it matches", early.line);
        found.add(
            of_config(routes, Level::Medium, "route", late.line, why)
                .fix("put it first, or add `continue: true` to the other"),
        );
    }
    let nobody_pages = !tree.receivers.keys().any(|name| tree.pages(name, routes.paging));
    if nobody_pages {
        let why = "no receiver wakes anybody: there is no PagerDuty, Opsgenie, VictorOps, Pushover or webhook";
        let finding = of_config(routes, Level::High, "receivers", tree.root.place.line, why.into());
        found.add(finding.fix("add one, or name the receiver that pages: `--paging NAME`"));
    }
    let alerts: Vec<(Placed<'_>, AlertLabels<'_>)> =
        set.alerts().map(|placed| (placed, AlertLabels::of(set, placed))).collect();
    for (placed, labels) in &alerts {
        reach(routes, *placed, &tree.told(&|name| labels.get(name)), nobody_pages, &mut found);
    }
    for rule in &tree.inhibit {
        found.findings.extend(inhibits_too_much(routes, rule, &alerts));
    }
    found.findings.extend(twice(tree, &alerts));
    found
}

/// What keeps each alert from a person who can act: HIGH and worse of A17, about the alert or about all receivers. What
/// depends on labels that only its series have is unknown.
pub fn unheard(set: &RuleSet<'_>, tree: &RoutingTree) -> Result<Vec<(String, String)>, String> {
    let Findings { findings, unknown, .. } = check(set, &Routes { tree, file: "", paging: &[] });
    let bad = findings.into_iter().filter(|one| one.id == "A17" && one.level >= Level::High);
    let bad: Vec<(String, String)> = bad.map(|one| (one.subject, one.why)).collect();
    match unknown.into_iter().next().filter(|_| bad.is_empty()) {
        Some(open) => Err(format!("{}: {}", open.subject, open.why)),
        None => Ok(bad),
    }
}

fn of_config(routes: &Routes<'_>, level: Level, subject: &str, line: usize, why: String) -> Finding {
    let finding = Finding::new("A17", level, subject, why);
    if routes.file.is_empty() { finding } else { finding.at(routes.file, line) }
}

fn reach(routes: &Routes<'_>, placed: Placed<'_>, told: &Told, nobody_pages: bool, found: &mut Findings) {
    let (tree, rule) = (routes.tree, placed.rule);
    let severity = rule.labels.get("severity").map(String::as_str);
    let urgency = urgency(severity);
    if urgency == Urgency::Info || is_heartbeat(&rule.name, severity) {
        return;
    }
    let names = |all: &[String]| all.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let show = |finding: Finding| {
        if routes.file.is_empty() {
            return finding;
        }
        finding.evidence(format!(
            "check it: amtool config routes test --config.file={} alertname={}{}",
            routes.file,
            rule.name,
            severity.map_or_else(String::new, |word| format!(" severity={word}"))
        ))
    };
    let hears = |receiver: &String| !tree.is_null(receiver);
    if !told.receivers.iter().any(hears) {
        if told.perhaps.iter().any(hears) {
            let why = format!(
                "it reaches nobody unless a label of its series says so: by default it goes to {}",
                names(&told.receivers)
            );
            found.unknown("A17", rule.name.clone(), why);
            return;
        }
        let level = if urgency == Urgency::Page { Level::Blocker } else { Level::High };
        let why = format!("it reaches nobody: it goes to {}, which tells nobody", names(&told.receivers));
        found.add(show(
            rule.finding("A17", level, why).fix("add a route for its labels, or a receiver with an integration"),
        ));
        return;
    }
    let pages = |receiver: &String| tree.pages(receiver, routes.paging);
    if urgency == Urgency::Page && !nobody_pages && !told.receivers.iter().any(pages) {
        if told.perhaps.iter().any(pages) {
            let why = format!(
                "whether it pages depends on a label of its series: by default it goes to {}",
                names(&told.receivers)
            );
            found.unknown("A17", rule.name.clone(), why);
            return;
        }
        let why = format!(
            "severity {} wakes nobody: it goes to {} alone",
            severity.unwrap_or_default(),
            names(&told.receivers)
        );
        found.add(show(
            rule.finding("A17", Level::High, why)
                .fix("route its severity to the receiver that pages; `--paging NAME` names one"),
        ));
    }
}

/// A label that both sides lack is equal: one alert then inhibits all.
fn inhibits_too_much(
    routes: &Routes<'_>,
    rule: &InhibitRule,
    alerts: &[(Placed<'_>, AlertLabels<'_>)],
) -> Option<Finding> {
    let of =
        |matchers| alerts.iter().filter(move |(_, labels)| all_match(matchers, &|name| labels.get(name)) == Some(true));
    let line = rule.place.line;
    if rule.equal.is_empty() {
        let (source, target) = (of(&rule.source).next()?, of(&rule.target).count());
        let why = format!(
            "it has no `equal`: one `{}` anywhere hides {} everywhere",
            source.0.rule.name,
            count(target, "alert")
        );
        let finding = of_config(routes, Level::Medium, "inhibit rule", line, why);
        return (target > 0).then(|| finding.fix("name what both must share, such as `equal: [cluster, namespace]`"));
    }
    let lacks = |labels: &AlertLabels<'_>| rule.equal.iter().all(|name| labels.get(name) == Known::Missing);
    let source = of(&rule.source).find(|(_, labels)| lacks(labels))?;
    let hidden: Vec<&str> = of(&rule.target)
        .filter(|(placed, labels)| lacks(labels) && !std::ptr::eq(placed.rule, source.0.rule))
        .map(|(placed, _)| placed.rule.name.as_str())
        .collect();
    let first = hidden.first()?;
    let why = format!(
        "one `{}` hides {}, such as `{first}`, wherever they are: neither has {}, and what both lack is equal",
        source.0.rule.name,
        count(hidden.len(), "alert"),
        rule.equal.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    );
    Some(
        of_config(routes, Level::High, "inhibit rule", line, why)
            .fix("keep the label in the queries, or use one that they have"),
    )
}

/// The same alert at two severities, and neither hides the other.
fn twice(tree: &RoutingTree, alerts: &[(Placed<'_>, AlertLabels<'_>)]) -> Vec<Finding> {
    let severity = |placed: &Placed<'_>| urgency(placed.rule.labels.get("severity").map(String::as_str));
    let mut findings = Vec::new();
    for (worse, labels) in alerts.iter().filter(|(placed, _)| severity(placed) == Urgency::Page) {
        let milder = alerts
            .iter()
            .find(|(placed, _)| placed.rule.name == worse.rule.name && severity(placed) == Urgency::Notice);
        let Some((placed, others)) = milder else { continue };
        let inhibits = |rule: &InhibitRule| {
            all_match(&rule.source, &|name| labels.get(name)) != Some(false)
                && all_match(&rule.target, &|name| others.get(name)) != Some(false)
        };
        if !tree.inhibit.iter().any(inhibits) {
            let why = "both severities fire at once, and no inhibit rule hides the milder one: two notifications for one cause";
            let fix = "add an inhibit rule: source `severity=\"critical\"`, target `severity=\"warning\"`, equal `[alertname, …]`";
            findings.push(placed.rule.finding("A15", Level::Medium, why).fix(fix));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;
    use crate::check::alerts::set::Setting;

    const RECEIVERS: &str =
        "receivers: [{name: 'null'}, {name: chat, slack_configs: [{}]}, {name: pager, pagerduty_configs: [{}]}]\n";

    fn found(route: &str, rules: &str) -> String {
        let tree = RoutingTree::read(&format!("{RECEIVERS}{route}\n")).unwrap();
        let files = [RuleFile::read(&format!("groups: [{{name: g, rules: [{rules}]}}]"), "r.yml")];
        let setting = Setting::default();
        let set = RuleSet::new(&files, &setting);
        let found = check(&set, &Routes { tree: &tree, file: "am.yml", paging: &[] });
        let mut all: Vec<String> =
            found.findings.iter().map(|one| format!("{} {}", one.id, one.level.name())).collect();
        all.extend(found.unknown.iter().map(|_| "unknown".to_owned()));
        all.join(", ")
    }

    #[test]
    fn each_is_caught_and_its_twin_is_not() {
        let critical = "{alert: A, expr: x > 1, labels: {severity: critical}}";
        let warning = "{alert: A, expr: x > 1, labels: {severity: warning}}";
        let info = "{alert: A, expr: x > 1, labels: {severity: info}}";
        let to = |receiver: &str| format!("route: {{receiver: '{receiver}'}}");
        let by_label = "route: {receiver: 'null', routes: [{matchers: [team=\"a\"], receiver: pager}]}";
        for (route, rules, want) in [
            (to("pager"), critical, ""),
            (to("null"), critical, "A17 BLOCKER"),
            (to("null"), warning, "A17 HIGH"),
            (to("null"), info, ""),
            (to("null"), "{alert: Watchdog, expr: vector(1), labels: {severity: critical}}", ""),
            (to("chat"), critical, "A17 HIGH"),
            (to("chat"), warning, ""),
            (by_label.into(), critical, "unknown"),
            (by_label.into(), "{alert: A, expr: x > 1, labels: {severity: critical, team: a}}", ""),
            (by_label.into(), "{alert: A, expr: sum(x) > 1, labels: {severity: critical}}", "A17 BLOCKER"),
            (by_label.into(), "{alert: A, expr: x > 1, labels: {severity: critical, team: b}}", "A17 BLOCKER"),
            (to("nobody"), warning, "A17 BLOCKER, A17 HIGH"),
            (
                "route: {receiver: pager, routes: [{receiver: chat}, {matchers: [a=b], receiver: pager}]}".into(),
                warning,
                "A17 MEDIUM",
            ),
        ] {
            assert_eq!(found(&route, rules), want, "{route} {rules}");
        }
    }

    #[test]
    fn inhibition_by_labels_that_nobody_has() {
        let inhibit = |equal: &str| {
            format!(
                "route: {{receiver: pager}}\ninhibit_rules: [{{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [{equal}]}}]"
            )
        };
        let rules = |expr: &str| {
            format!(
                "{{alert: A, expr: '{expr}', labels: {{severity: critical}}}}, {{alert: B, expr: '{expr}', labels: {{severity: warning}}}}"
            )
        };
        for (equal, expr, want) in [
            ("cluster", "sum(x) > 1", "A17 HIGH"),
            ("cluster", "sum by (cluster) (x) > 1", ""),
            ("cluster", "x > 1", ""),
            ("", "x > 1", "A17 MEDIUM"),
        ] {
            assert_eq!(found(&inhibit(equal), &rules(expr)), want, "{equal} {expr}");
        }
        let both = "{alert: A, expr: x > 1, labels: {severity: warning}}, {alert: A, expr: x > 2, labels: {severity: critical}}";
        assert_eq!(found("route: {receiver: pager}", both), "A15 MEDIUM");
        assert_eq!(found(&inhibit("alertname"), both), "");
    }
}
