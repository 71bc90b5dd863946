//! Is a service ready for production? The rules on manifests, what liveops knows beside them, and what people say.

pub mod answers;
mod availability;
mod env;
mod jobs;
mod lifecycle;
mod links;
pub mod operations;
mod probes;
mod resources;
pub mod review;
pub mod score;

use crate::check::finding::{Level, RuleInfo};
use crate::check::manifest::links::Scene;
use crate::check::manifest::object::Manifests;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::schema;

/// What is known of the place that the manifests are for.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// 1.x of the cluster.
    pub minor: Option<u32>,
    pub protected: bool,
    /// The path that answers whether a service is well, by the workload's name.
    pub health: Vec<(String, String)>,
    /// Workloads that are rolled out by a canary.
    pub canaries: Vec<String>,
}

/// A rule, and how much it counts.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub info: RuleInfo,
    pub weight: Level,
}

const fn rule(id: &'static str, weight: Level, title: &'static str, why: &'static str) -> Rule {
    Rule { info: RuleInfo { id, title, why }, weight }
}

/// Every rule, in order: manifests first, then what is around them.
pub const RULES: &[Rule] = &[
    rule("K01", Level::Blocker, "The API server takes it", "an object that is refused stops the deployment halfway"),
    rule(
        "K02",
        Level::Blocker,
        "Health checks",
        "without a readiness probe a Service sends requests to a container that is still starting, or broken",
    ),
    rule("K03", Level::High, "Probes ask the right place", "a probe of a port that does not exist never succeeds"),
    rule(
        "K04",
        Level::Medium,
        "Liveness is slower than readiness",
        "where both fail at once, a busy container is restarted instead of relieved, and its load breaks the next one",
    ),
    rule(
        "K05",
        Level::Blocker,
        "Resources are bounded",
        "a container without a memory limit takes its neighbours down; without requests it is placed anywhere",
    ),
    rule(
        "K06",
        Level::High,
        "Graceful shutdown",
        "endpoints are removed while the container is already told to stop: without a preStop pause, requests fail at each deployment",
    ),
    rule("K07", Level::High, "More than one replica", "one replica is an outage at each drain and each crash"),
    rule(
        "K08",
        Level::High,
        "Disruption budget",
        "without one a drain may evict all pods at once; one that allows nothing blocks every drain",
    ),
    rule("K09", Level::High, "Rolling update", "`Recreate` stops every pod before the first new one starts"),
    rule(
        "K10",
        Level::Blocker,
        "Can be rolled back",
        "without old revisions `kubectl rollout undo` has nothing to go back to",
    ),
    rule(
        "K11",
        Level::High,
        "The image is pinned",
        "a tag that moves makes two pods of one revision run different code",
    ),
    rule("K12", Level::Blocker, "References lead somewhere", "a Service that selects nothing answers nobody"),
    rule("K13", Level::Blocker, "The selector means its own pods", "the API server refuses the object"),
    rule("K14", Level::Medium, "Spread over nodes", "replicas on one node fail together"),
    rule("K15", Level::High, "Configuration is there", "a pod whose ConfigMap or Secret is missing does not start"),
    rule("K16", Level::High, "Environment", "a secret in a manifest is in git, and in `kubectl describe`"),
    rule("K17", Level::Medium, "Jobs are bounded", "a job without bounds retries, hangs or overlaps with itself"),
    rule(
        "K18",
        Level::Medium,
        "Stateful sets",
        "without its headless Service no pod has a name; a partition holds updates back",
    ),
    rule("O01", Level::High, "Alerts reach a person", "what nobody is paged for, players report"),
    rule("O02", Level::Medium, "Runbooks were run", "a runbook that nobody has run is a guess"),
    rule("O03", Level::Medium, "An objective", "without an SLO nobody can say whether the service is good enough"),
    rule("O04", Level::Blocker, "A rollback plan", "a deployment that cannot be rolled back must not begin"),
    rule("O05", Level::Medium, "Feature flags", "a flag turns a feature off in seconds; a deployment takes minutes"),
    rule("O06", Level::High, "Backups were restored", "a backup that nobody has restored is a hope"),
    rule("O07", Level::Medium, "An owner", "at night somebody must be asked"),
    rule(
        "Q01",
        Level::High,
        "Timeouts and bounded retries",
        "calls without a timeout (5 s) hold every thread once a dependency is slow",
    ),
    rule(
        "Q02",
        Level::High,
        "Circuit breakers on critical paths",
        "a dependency that is down must not take the service with it",
    ),
    rule(
        "Q03",
        Level::High,
        "Backward-compatible with the version before",
        "during a rollout and after a rollback both run",
    ),
    rule("Q04", Level::Medium, "Bounded queues and pools", "what grows without a bound ends by being killed"),
    rule(
        "Q05",
        Level::Medium,
        "Configuration is checked at start, and fails closed",
        "a bad value must stop the new version, not the players",
    ),
    rule("Q06", Level::Medium, "Load tested at the expected peak", "capacity that was never tried is not known"),
    rule("Q07", Level::Low, "Cost is estimated", "a surprise is found by the bill"),
];

/// The rule of this id.
pub fn rule_of(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.info.id == id)
}

/// K01 to K18.
pub fn manifests(all: &Manifests, settings: &Settings, out: &mut Outcomes) {
    let minor = settings.minor.unwrap_or(schema::MINOR);
    schema::judge(all, minor, out);
    let scene = Scene::of(all);
    for workload in &scene.workloads {
        probes::judge(&scene, workload, settings, out);
        resources::judge(&scene, workload, settings, out);
        lifecycle::judge(&scene, workload, settings, minor, out);
        availability::judge(&scene, workload, out);
        env::judge(&scene, workload, out);
        jobs::judge(&scene, workload, out);
    }
    availability::budgets(&scene, out);
    availability::scalers(&scene, out);
    links::judge(&scene, out);
    out.found.checked("objects", all.objects.len());
    out.found.checked("workloads", scene.workloads.len());
}

#[cfg(test)]
mod tests;
