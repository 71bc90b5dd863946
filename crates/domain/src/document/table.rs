//! The tables that documents share, each written in one place: what two documents say of one alert is the same.

use std::collections::BTreeMap;

use crate::document::facts::{AlertFacts, BackupFacts, Facts};
use crate::status::scale::TRIGGERS;
use crate::text::shell::word;

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

/// Alerts where the rest of them is told elsewhere.
fn some_alerts<'a>(rows: impl Iterator<Item = &'a AlertFacts>) -> String {
    let row = |one: &AlertFacts| {
        vec![
            one.name.clone(),
            or(one.service.as_ref(), "all"),
            one.condition.clone(),
            one.hold.clone(),
            format!("{} ({})", one.severity, one.level),
            code(&one.runbook),
        ]
    };
    table(&["alert", "service", "condition", "for", "severity", "runbook"], rows.map(row).collect())
}

/// The figures that have limits.
fn limits(facts: &Facts) -> String {
    let none = || "none".to_owned();
    let judged = facts.kpis.iter().filter(|one| one.warn.is_some() || one.critical.is_some());
    let row = |one: &crate::document::facts::KpiFacts| {
        let limit = |limit: &Option<String>| limit.clone().unwrap_or_else(none);
        vec![one.title.clone(), limit(&one.warn), limit(&one.critical), code(&one.from)]
    };
    table(&["figure", "warning", "critical", "from"], judged.map(row).collect())
}

/// Every table by the name that templates use.
pub fn tables(facts: &Facts) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    all.insert("alerts", alerts(facts.alerts.iter().collect()));
    let signal = |wanted: &str| some_alerts(facts.alerts.iter().filter(|one| one.signal == wanted));
    all.insert("saturation", signal("saturation"));
    all.insert("availability", signal("availability"));
    all.insert("limits", limits(facts));
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
    let mut kpis: Vec<Vec<String>> = facts.kpis.iter().map(kpi).collect();
    kpis.extend(unnamed(facts));
    kpis.sort_by(|a, b| a[0].cmp(&b[0]));
    let head = ["signal", "figure", "query", "warning", "critical", "alerts", "from"];
    all.insert("kpis", table(&head, kpis));
    all.insert("triggers", triggers(facts));
    all.insert("units", units(facts));
    all.insert("freezes", freezes(facts));
    all.insert("backups", backups(facts));
    all.insert("methods", methods(facts));
    all.insert("restores", restores(facts));
    all.insert("services", services(facts));
    all.insert("scaled", scaled(facts));
    all.insert("severities", severities(facts));
    all.insert("slos", slos(facts));
    all.insert("burn", burn(facts));
    all.insert("exclusions", exclusions(facts));
    let rows = facts.signals.iter().map(|one| {
        let from = code(&format!("security.signals.{}", one.name));
        vec![one.name.clone(), code(&one.query), format!("> {}", one.limit), from]
    });
    all.insert("signals", table(&["signal", "query", "finding when", "from"], rows.collect()));
    all.insert("policies", policies(facts));
    let rows = facts.backends.iter().map(|one| vec![one.name.clone(), code(&one.url), code(&one.from)]);
    all.insert("backends", table(&["system", "address", "from"], rows.collect()));
    let rows = facts
        .channels
        .iter()
        .map(|one| vec![one.name.clone(), one.kind.to_owned(), code(&format!("notify.channels.{}", one.name))]);
    all.insert("channels", table(&["channel", "kind", "from"], rows.collect()));
    let rows = facts
        .dependencies
        .iter()
        .map(|(name, url)| vec![name.clone(), format!("<{url}>"), code(&format!("dependencies.{name}"))]);
    all.insert("dependencies", table(&["dependency", "status page", "from"], rows.collect()));
    let rows = facts
        .scenarios
        .iter()
        .map(|(name, when)| vec![code(name), when.clone(), code(&format!("liveops runbook show {name}"))]);
    all.insert("scenarios", table(&["runbook", "when", "read it"], rows.collect()));
    all
}

/// What alerts watch and no KPI is: whether a service is there, and its requests.
fn unnamed(facts: &Facts) -> Vec<Vec<String>> {
    let mut rows: Vec<(&AlertFacts, Vec<&AlertFacts>)> = Vec::new();
    for alert in facts.alerts.iter().filter(|alert| alert.kpi.is_none()) {
        match rows.iter_mut().find(|(first, _)| first.query == alert.query) {
            Some((_, all)) => all.push(alert),
            None => rows.push((alert, vec![alert])),
        }
    }
    let row = |(first, all): (&AlertFacts, Vec<&AlertFacts>)| {
        let of = |severe: bool| {
            let limits = all.iter().filter(|one| (one.severity == "critical") == severe);
            let limits: Vec<&str> = limits.map(|one| one.limit.as_str()).collect();
            if limits.is_empty() { "none".to_owned() } else { limits.join(", ") }
        };
        let alerts: Vec<String> =
            all.iter().map(|one| format!("{} {} for {}", one.name, one.limit, one.hold)).collect();
        let figure = first.figure.split(':').next().unwrap_or_default().to_owned();
        vec![
            first.signal.to_owned(),
            figure,
            code(&first.query),
            of(false),
            of(true),
            alerts.join("; "),
            code(&first.from),
        ]
    };
    rows.into_iter().map(row).collect()
}

/// When a service wants to be scaled out, and which figure says so.
fn triggers(facts: &Facts) -> String {
    let rows = TRIGGERS.iter().map(|trigger| {
        let kpi = trigger.figures.iter().find_map(|name| facts.kpis.iter().find(|kpi| kpi.name == *name));
        vec![
            format!("{} above {}", trigger.name, trigger.show(trigger.limit)),
            kpi.map_or_else(|| format!("none: a KPI named {}", list_or(trigger.figures)), |kpi| code(&kpi.name)),
            kpi.map_or_else(|| "none".to_owned(), |kpi| code(&kpi.query)),
        ]
    });
    table(&["scale out at", "figure", "query"], rows.collect())
}

fn list_or(names: &[&str]) -> String {
    names.iter().map(|name| code(name)).collect::<Vec<_>>().join(" or ")
}

/// What costs are divided by, as far as the figures know it.
fn units(facts: &Facts) -> String {
    let requests = facts.alerts.iter().find(|one| one.signal == "traffic" && one.kpi.is_none());
    let players = facts.kpis.iter().find(|one| one.name == "active_players");
    let row = |per: &str, query: String, counts: &str| vec![per.to_owned(), code(&query), counts.to_owned()];
    let mean = |query: &str| format!("avg_over_time(({query})[30d:1h])");
    // A month of 30 days has 43,200 minutes.
    let requests = requests
        .map(|one| row("1000 requests", format!("{} * 43.2", mean(&one.query)), "thousands of requests in 30 days"));
    let players = players.map(|one| row("player", mean(&one.query), "players online, on average of 30 days"));
    table(&["cost per", "query", "counts"], requests.into_iter().chain(players).collect())
}

fn freezes(facts: &Facts) -> String {
    let rows = facts.freezes.iter().map(|one| {
        let services = if one.services.is_empty() { "all".to_owned() } else { one.services.join(", ") };
        vec![one.from.clone(), one.to.clone(), services, one.reason.clone()]
    });
    table(&["from (UTC)", "to (UTC)", "services", "why"], rows.collect())
}

fn backups(facts: &Facts) -> String {
    let rows = facts.backups.iter().map(|one| {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        vec![
            one.name.clone(),
            or(one.service.as_ref(), "all"),
            one.source.clone(),
            one.rpo.clone(),
            or(one.rto.as_ref(), "not set"),
            yes(one.archived),
            one.keep.map_or_else(|| "not set".into(), |number| number.to_string()),
            or(one.reach.as_ref(), "not set"),
            if one.copies.is_empty() { "not set".into() } else { one.copies.join(", ") },
            one.encrypted.map_or_else(|| "not set".into(), yes),
            code(&format!("backups.{}", one.name)),
        ]
    });
    let head = [
        "backup",
        "of",
        "known by",
        "RPO",
        "RTO",
        "point in time",
        "kept",
        "reaches back",
        "copies",
        "encrypted",
        "from",
    ];
    table(&head, rows.collect())
}

/// The ways of keeping data, what each is good for, and which of the backups use it.
fn methods(facts: &Facts) -> String {
    let by = |uses: fn(&BackupFacts) -> bool| {
        let names: Vec<&str> = facts.backups.iter().filter(|one| uses(one)).map(|one| one.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let unknown = || "not in the configuration".to_owned();
    let row = |method: &str, from: &str, not: &str, by: String| vec![method.into(), from.into(), not.into(), by];
    let rows = vec![
        row("replication", "the loss of a machine", "a wrong write: it is replicated, too", unknown()),
        row("point in time", "a wrong write, to the second", "the loss of the region", by(|one| one.archived)),
        row(
            "incremental, and a full one from time to time",
            "both, with less storage",
            "a chain with one broken link",
            unknown(),
        ),
        row("copies in another place", "the loss of the region", "a leaked key", by(|one| one.is_off_site)),
        row("encryption", "a stolen copy", "a lost key", by(|one| one.encrypted == Some(true))),
        row("event store", "wrong state: it is computed anew", "wrong events", unknown()),
    ];
    table(&["method", "protects from", "does not protect from", "used by"], rows)
}

/// How often a restore is tested, and when it was.
fn restores(facts: &Facts) -> String {
    let rows = facts.backups.iter().map(|one| {
        vec![
            one.name.clone(),
            or(one.restore_test.as_ref(), "never"),
            or(one.restored.as_ref(), "none is written down"),
            code(&format!("liveops check backups record {} --restored ID --duration 40m --rows-ok", word(&one.name))),
        ]
    });
    table(&["backup", "restore tested every", "the last one", "write it down"], rows.collect())
}

/// What runs where, and the command that scales it.
fn scaled(facts: &Facts) -> String {
    let rows = facts.services.iter().map(|one| {
        let name = word(&one.name);
        vec![
            one.name.clone(),
            or(one.owner.as_ref(), "not set"),
            or(one.workload.as_ref(), &format!("{} by default", one.name)),
            code(&format!("liveops scale {name} --replicas N")),
            code(&format!("liveops scale {name} --min N --max N")),
            code(&format!("services.{}", one.name)),
        ]
    });
    table(&["service", "owner", "workload", "by hand", "the bounds of its autoscaler", "from"], rows.collect())
}

fn exclusions(facts: &Facts) -> String {
    let rows = facts.slos.iter().flat_map(|slo| {
        slo.exclusions.iter().map(|one| {
            let from = code(&format!("{}.exclusions", slo.from));
            vec![slo.name.clone(), one.from.clone(), one.to.clone(), one.reason.clone(), one.owner.clone(), from]
        })
    });
    table(&["SLO", "from (UTC)", "to (UTC)", "why", "who says so", "from"], rows.collect())
}

fn services(facts: &Facts) -> String {
    let rows = facts.services.iter().map(|one| {
        vec![
            one.name.clone(),
            or(one.owner.as_ref(), "not set"),
            one.health.as_ref().map_or_else(|| "not set".into(), |url| code(url)),
            list(&one.metrics),
            or(one.workload.as_ref(), &format!("{} by default", one.name)),
            one.policy.as_ref().map_or_else(|| "none".into(), |name| code(name)),
            or(one.traffic.as_ref(), "none"),
            code(&format!("services.{}", one.name)),
        ]
    });
    let head = ["service", "owner", "health API", "metrics", "workload", "rollout policy", "traffic", "from"];
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
            pages(&one.page),
            if one.tell.is_empty() { "nobody".into() } else { one.tell.join(", ") },
            code(&one.from),
        ]
    });
    let head = ["severity", "impact", "acknowledge", "mitigate", "postmortem", "pages", "tells", "from"];
    table(&head, rows.collect())
}

/// `on-call, then pager and mail`
fn pages(groups: &[Vec<String>]) -> String {
    if groups.is_empty() {
        return "nobody".into();
    }
    groups.iter().map(|group| group.join(" and ")).collect::<Vec<_>>().join(", then ")
}

fn slos(facts: &Facts) -> String {
    let rows = facts.slos.iter().map(|one| {
        let owner = |name: &String| facts.services.iter().find(|service| service.name == *name)?.owner.as_ref();
        vec![
            one.name.clone(),
            or(one.service.as_ref(), "all"),
            or(one.service.as_ref().and_then(owner), "not set"),
            code(&one.indicator),
            one.objective.clone(),
            one.window.clone(),
            one.budget.clone(),
            one.outage.clone(),
            code(&one.from),
        ]
    });
    let head = [
        "SLO",
        "service",
        "owner",
        "indicator",
        "objective",
        "window",
        "error budget",
        "full outage it allows",
        "from",
    ];
    table(&head, rows.collect())
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
                code(slo.runbook.as_deref().unwrap_or(&format!("{}/ErrorBudgetBurn.md", facts.runbooks))),
            ]
        })
    });
    let head = ["SLO", "severity", "long window", "short window", "burn rate", "budget spent when it fires", "runbook"];
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
