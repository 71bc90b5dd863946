//! The scenarios that liveops ships a runbook for.

/// A shipped runbook of a kind of incident.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line and of its file.
    pub name: &'static str,
    /// When it is the right one.
    pub when: &'static str,
    /// Template.
    pub text: &'static str,
}

macro_rules! scenario {
    ($name:literal, $when:literal) => {
        Scenario {
            name: $name,
            when: $when,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/runbook/", $name, ".md.j2")),
        }
    };
}

/// Each with the moment that it is for.
pub const SCENARIOS: [Scenario; 10] = [
    scenario!("rollback", "a deployment made it worse"),
    scenario!("hotfix", "the fix is known and cannot wait"),
    scenario!("service-degradation", "slow or partly failing, not down"),
    scenario!("data-corruption", "stored data is wrong"),
    scenario!("full-outage", "nobody can play"),
    scenario!("credential-rotation", "a secret leaked or expires"),
    scenario!("backup-restore", "data must come back from a backup"),
    scenario!("failover", "a zone, region or primary is lost"),
    scenario!("circuit-breaker-open", "calls to a dependency are cut off"),
    scenario!("load-shedding", "load is being turned away"),
];

pub const ALERT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/runbook/alert.md.j2"));

pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}
