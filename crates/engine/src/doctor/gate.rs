//! What `doctor` found, in the shape of all gates: its rules by name, and findings from what was looked at.

use crate::doctor::finding::{Finding as Look, Level as Weight, System};
use liveops_domain::check::finding::{Finding, Findings, Level, RuleInfo};

/// What is looked at; each rule is called by its name.
pub const RULES: &[RuleInfo] = &[
    info("reachable", "A system does not answer"),
    info("credentials", "A system does not accept the credentials"),
    info("answer", "A system answers something else than it should"),
    info("latency", "A first answer is slow: no screen can be faster"),
    info("clock", "A clock is wrong: times on every screen are, too"),
    info("targets", "Targets are not scraped"),
    info("scrapes", "Scrapes take longer than their interval"),
    info("rules", "Rules fail or are late"),
    info("runbooks", "Alerts have no runbook"),
    info("delivery", "Alerts do not reach anybody"),
    info("alerts", "Alerts are not known"),
    info("fatigue", "More fires than anybody can read"),
    info("silences", "Silences are not known, or hide too much"),
    info("cluster", "The Alertmanagers do not see each other"),
    info("kpis", "A KPI has no data"),
    info("slos", "An objective has no data, or cannot be read"),
    info("health", "A service is not healthy"),
    info("metrics", "Metrics cannot be read"),
    info("server", "The store of flags is not what it should be"),
    info("role", "The store of flags is a replica"),
    info("key", "The key of flags holds something else"),
    info("expiry", "The store of flags may drop them"),
    info("file", "The file of flags cannot be read or written"),
    info("encryption", "Credentials travel in clear"),
    info("kubectl", "kubectl is missing or too old"),
    info("context", "The context of kubectl does not exist"),
    info("permissions", "A file can be read or changed by others"),
    info("configuration", "The configuration names nothing, or something that does not exist"),
    info("state", "liveops' own files are in the way"),
    info("audit", "The audit log is not whole"),
    info("incidents", "Journals of incidents cannot be read"),
    info("terminal", "The terminal cannot show what liveops draws"),
];

const fn info(id: &'static str, title: &'static str) -> RuleInfo {
    RuleInfo { id, title, why: "`liveops doctor` looks at what every other command relies on." }
}

/// The problems as findings, what could not be told as unknown, and how much was looked at.
pub fn findings(systems: &[System]) -> Findings {
    let mut found = Findings::default();
    found.checked("systems", systems.len());
    for look in systems.iter().flat_map(|system| &system.findings) {
        found.checked("checks", 1);
        let level = match look.level {
            Weight::Ok => continue,
            Weight::Unknown => {
                let fix = look.fix.as_ref().map_or_else(String::new, |fix| format!("; {fix}"));
                found.unknown(look.check, look.system.clone(), format!("{}{fix}", look.message));
                found.silent = true;
                continue;
            }
            Weight::Warn => Level::Medium,
            Weight::Fail => Level::High,
        };
        let finding = Finding::new(look.check, level, look.system.clone(), look.message.clone());
        found.add(Finding { fix: fix(look), ..finding });
    }
    found
}

fn fix(look: &Look) -> Option<String> {
    match (&look.fix, &look.command) {
        (Some(fix), Some(command)) if fix.contains(command.as_str()) => Some(fix.clone()),
        (Some(fix), Some(command)) => Some(format!("{fix}; see `{command}`")),
        (Some(fix), None) => Some(fix.clone()),
        (None, Some(command)) => Some(format!("see `{command}`")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_is_high_and_what_is_unknown_does_not_pass() {
        let mut system = System::new("prometheus", None);
        system.extend([
            Look::ok("clock", "agrees with ours"),
            Look::warn("targets", "it scrapes nothing").fix("add a target").command("liveops query up"),
            Look::fail("reachable", "cannot be reached"),
            Look::gap("kpis", "not asked"),
        ]);
        let found = findings(&[system]);
        let levels: Vec<_> = found.findings.iter().map(|one| (one.id, one.level)).collect();
        assert_eq!(levels, [("targets", Level::Medium), ("reachable", Level::High)]);
        assert_eq!(found.findings[0].fix.as_deref(), Some("add a target; see `liveops query up`"));
        assert!(found.silent && found.unknown.len() == 1);
        assert_eq!(found.checked["checks"], 4);
    }
}
