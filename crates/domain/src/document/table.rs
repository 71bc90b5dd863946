//! The tables that documents share, each written in one place: what two documents say of one alert is the same.

use std::collections::BTreeMap;

use crate::document::facts::{AlertFacts, Facts};

/// A Markdown table; nothing without rows.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head.iter().map(ToString::to_string).collect());
    text.push_str(&line(head.iter().map(|_| "---".to_owned()).collect()));
    for row in rows {
        text.push_str(&line(row.iter().map(|cell| cell_of(cell)).collect()));
    }
    text.trim_end().to_owned()
}

/// Text that stays in its cell.
fn cell_of(text: &str) -> String {
    let flat = text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.is_empty() { "not set".into() } else { flat }
}

fn or(value: Option<&String>, other: &str) -> String {
    value.cloned().unwrap_or_else(|| other.to_owned())
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| code(item)).collect::<Vec<_>>().join(", ")
}

fn alerts(rows: Vec<&AlertFacts>) -> String {
    let head = [
        "alert",
        "service",
        "condition",
        "for",
        "severity",
        "acknowledge",
        "mitigate",
        "owner",
        "runbook",
        "limit from",
    ];
    let row = |one: &AlertFacts| {
        vec![
            one.name.clone(),
            or(one.service.as_ref(), "all"),
            one.condition.clone(),
            one.hold.clone(),
            format!("{} ({})", one.severity, one.level),
            one.acknowledge.clone(),
            one.mitigate.clone(),
            or(one.owner.as_ref(), "not set"),
            code(&one.runbook),
            code(&one.from),
        ]
    };
    table(&head, rows.into_iter().map(row).collect())
}

/// Every table by the name that templates use.
pub fn tables(facts: &Facts) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    all.insert("alerts", alerts(facts.alerts.iter().collect()));
    let signal = |wanted: &str| alerts(facts.alerts.iter().filter(|one| one.signal == wanted).collect());
    all.insert("saturation", signal("saturation"));
    all.insert("availability", signal("availability"));
    let kpi = |one: &crate::document::facts::KpiFacts| {
        let watched: Vec<String> = facts
            .alerts
            .iter()
            .filter(|alert| alert.kpi.as_ref() == Some(&one.name))
            .map(|alert| format!("{} {} for {}", alert.name, alert.limit, alert.hold))
            .collect();
        let none = || "none".to_owned();
        vec![
            one.signal.to_owned(),
            one.title.clone(),
            code(&one.query),
            one.warn.clone().unwrap_or_else(none),
            one.critical.clone().unwrap_or_else(none),
            if watched.is_empty() { none() } else { watched.join("; ") },
            code(&one.from),
        ]
    };
    let mut kpis: Vec<_> = facts.kpis.iter().collect();
    kpis.sort_by_key(|one| one.signal);
    let head = ["signal", "figure", "query", "warning", "critical", "alerts", "from"];
    all.insert("kpis", table(&head, kpis.into_iter().map(kpi).collect()));
    all.insert("services", services(facts));
    all.insert("severities", severities(facts));
    all.insert("slos", slos(facts));
    all.insert("burn", burn(facts));
    all.insert("policies", policies(facts));
    let rows = facts.backends.iter().map(|one| vec![one.name.clone(), code(&one.url), code(&one.from)]);
    all.insert("backends", table(&["system", "address", "from"], rows.collect()));
    let rows = facts.channels.iter().map(|one| vec![one.name.clone(), one.kind.to_owned()]);
    all.insert("channels", table(&["channel", "kind"], rows.collect()));
    let rows = facts.dependencies.iter().map(|(name, url)| vec![name.clone(), format!("<{url}>")]);
    all.insert("dependencies", table(&["dependency", "status page"], rows.collect()));
    let rows = facts
        .scenarios
        .iter()
        .map(|(name, when)| vec![code(name), when.clone(), code(&format!("liveops runbook show {name}"))]);
    all.insert("scenarios", table(&["runbook", "when", "read it"], rows.collect()));
    for name in ["backups", "capacity", "cost", "maintenance"] {
        let said = facts.said.get(name).cloned().unwrap_or_default();
        let rows = said.into_iter().map(|(key, value)| vec![code(&key), value]).collect();
        all.insert(name, table(&["set in the configuration", "value"], rows));
    }
    all
}

fn services(facts: &Facts) -> String {
    let rows = facts.services.iter().map(|one| {
        vec![
            one.name.clone(),
            or(one.owner.as_ref(), "not set"),
            one.health.as_ref().map_or_else(|| "not set".into(), |url| code(url)),
            list(&one.metrics),
            or(one.workload.as_ref(), "not set"),
            one.policy.as_ref().map_or_else(|| "none".into(), |name| code(name)),
            or(one.traffic.as_ref(), "none"),
        ]
    });
    let head = ["service", "owner", "health API", "metrics", "workload", "rollout policy", "traffic"];
    table(&head, rows.collect())
}

fn severities(facts: &Facts) -> String {
    let rows = facts.severities.iter().map(|one| {
        vec![
            format!("{} ({})", one.name, one.alias),
            one.impact.clone(),
            one.acknowledge.clone(),
            one.mitigate.clone(),
            or(one.postmortem.as_ref(), "none"),
            if one.page.is_empty() { "nobody".into() } else { one.page.join(", ") },
            if one.tell.is_empty() { "nobody".into() } else { one.tell.join(", ") },
        ]
    });
    let head = ["severity", "impact", "acknowledge", "mitigate", "postmortem", "pages", "tells"];
    table(&head, rows.collect())
}

fn slos(facts: &Facts) -> String {
    let rows = facts.slos.iter().map(|one| {
        vec![
            one.name.clone(),
            or(one.service.as_ref(), "all"),
            code(&one.indicator),
            one.objective.clone(),
            one.window.clone(),
            one.budget.clone(),
            code(&one.from),
        ]
    });
    table(&["SLO", "service", "indicator", "objective", "window", "error budget", "from"], rows.collect())
}

fn burn(facts: &Facts) -> String {
    let rows = facts.slos.iter().flat_map(|slo| {
        slo.alerts.iter().map(|one| {
            vec![
                slo.name.clone(),
                one.severity.to_owned(),
                one.long.clone(),
                one.short.clone(),
                one.factor.clone(),
                one.spends.clone(),
            ]
        })
    });
    let head = ["SLO", "severity", "long window", "short window", "burn rate", "budget spent when it fires"];
    table(&head, rows.collect())
}

fn policies(facts: &Facts) -> String {
    let rows = facts.policies.iter().map(|one| {
        vec![
            one.name.clone(),
            one.steps.clone(),
            one.interval.clone(),
            list(&one.success),
            list(&one.rollback),
            one.min_samples.to_string(),
            one.max_blind.clone(),
            one.window.clone(),
            one.preflight.join(", "),
            or(one.approval.as_ref(), "none"),
            code(&one.from),
        ]
    });
    let head = [
        "policy",
        "steps",
        "each",
        "goes on when",
        "rolls back when",
        "requests needed",
        "longest without data",
        "old version kept",
        "preflight",
        "approval",
        "from",
    ];
    table(&head, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_a_cell() {
        assert_eq!(table(&["a"], vec![vec!["x|y\nz".into()]]), "| a |\n| --- |\n| x\\|y z |");
        assert_eq!(table(&["a"], vec![]), "");
    }
}
