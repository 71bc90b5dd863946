//! What a rollout has been told to do, fixed at its start: steps, times, conditions. A later edit of the configuration
//! does not change a rollout that is under way.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::guard::no_data::OnNoData;
use crate::guard::statistics::SIGNIFICANCE;
use crate::rollout::exposure::Percent;
use crate::rollout::fleet::OnRegionFailure;

/// The kind of target that is the percentage of a feature flag.
pub const FLAG: &str = "flag";

/// The kind of target that is a balancer of one's own: no cluster holds a lock for it.
pub const HTTP: &str = "http";

/// What is rolled out, and by which rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is rolled out, as it was typed.
    pub image: String,
    /// Name of the policy.
    pub policy: String,
    /// Kind of the target, such as `gateway-api`.
    pub target: String,
    /// Blue/green: everything at once, by the switch of a Service where there is one.
    #[serde(default)]
    pub switch: bool,
    pub rules: Rules,
    /// Preflight gates that were waived, and why.
    pub waived: Vec<Waiver>,
}

impl Plan {
    /// Is what is moved the rollout's alone, to the last byte, as a flag is? Then whatever somebody else changes of it
    /// stops the rollout, and there is no second version that is started, promoted and cleared away.
    pub fn is_exact(&self) -> bool {
        self.target == FLAG
    }
}

/// Steps, times and conditions: what a policy says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Shares of the canary, rising; the last is 100.
    pub steps: Vec<Percent>,
    /// Shares that whole instances come near to are good enough, however far off they are.
    #[serde(default)]
    pub coarse: bool,
    /// How long each step is observed at least.
    #[serde(with = "millis")]
    pub interval: Duration,
    /// Time between two looks.
    #[serde(with = "millis")]
    pub poll: Duration,
    /// Looks in a row that must agree before a rollback.
    pub confirmations: u32,
    /// Time between a weight that is accepted and traffic that follows it.
    #[serde(with = "millis")]
    pub propagation: Duration,
    /// Longest observation of a step; then it is held for a person.
    #[serde(with = "millis")]
    pub max_step: Duration,
    /// Longest time without any evidence while the canary has traffic; then back.
    #[serde(with = "millis")]
    pub max_blind: Duration,
    /// Longest hold while the canary has traffic; then back.
    #[serde(with = "millis")]
    pub hold_timeout: Duration,
    /// Longest wait for the canary to become ready.
    #[serde(with = "millis")]
    pub start_deadline: Duration,
    /// How long the old version is kept after the promotion, for an instant way back.
    #[serde(with = "millis")]
    pub window: Duration,
    /// How long a rollback that is refused is tried before it counts as failed.
    #[serde(with = "millis", default = "rollback_timeout")]
    pub rollback_timeout: Duration,
    /// Requests that a verdict needs.
    pub min_samples: u64,
    /// Conditions to go on; guard expressions, as written.
    pub success: Vec<String>,
    /// Conditions to go back; guard expressions.
    pub rollback: Vec<String>,
    /// What it means that a metric has no data, by its name; one that is not named holds.
    #[serde(default)]
    pub on_no_data: BTreeMap<String, OnNoData>,
    /// What rolls back with a region that turned out bad.
    #[serde(default)]
    pub on_region_failure: OnRegionFailure,
    /// Steps that need people's approval before they begin.
    pub approval: Option<ApprovalRule>,
    /// Gates to pass before anything is written.
    pub preflight: Vec<Gate>,
    /// PromQL for what is left of the error budget; above zero there is some.
    pub error_budget: Option<String>,
    /// How often Prometheus scrapes the service: samples older than twice that are stale.
    #[serde(with = "millis")]
    pub scrape_interval: Duration,
}

impl Rules {
    /// How seldom luck alone may fail a condition at one look: the looks of a whole rollout share what its certainty
    /// leaves (Bonferroni's bound), so that it is as certain as that over all of them.
    pub fn significance(&self) -> f64 {
        let steps = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let watched = self.interval.saturating_mul(steps).saturating_add(self.window);
        let looks = watched.as_secs_f64() / self.poll.as_secs_f64().max(0.001);
        SIGNIFICANCE / looks.max(1.0)
    }
}

impl Default for Rules {
    /// 5 %, then 10 % more every 5 minutes (domain: Safe change).
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let steps = (0..10).filter_map(|n| Percent::new(5.0 + 10.0 * f64::from(n)));
        Self {
            steps: steps.chain([Percent::FULL]).collect(),
            coarse: false,
            interval: minutes(5),
            poll: Duration::from_secs(5),
            confirmations: 2,
            propagation: Duration::from_secs(5),
            max_step: minutes(15),
            max_blind: minutes(5),
            hold_timeout: minutes(30),
            start_deadline: minutes(10),
            window: minutes(60),
            rollback_timeout: rollback_timeout(),
            min_samples: 300,
            success: texts(&["error_rate < 1%", "p99_latency < baseline * 1.2"]),
            rollback: texts(&[
                "error_rate > 5%",
                "p99_latency > baseline * 2.0",
                "alert ServiceDegraded severity=critical",
            ]),
            on_no_data: BTreeMap::new(),
            on_region_failure: OnRegionFailure::default(),
            approval: None,
            preflight: Gate::ALL.iter().map(|(_, gate)| *gate).collect(),
            error_budget: None,
            scrape_interval: Duration::from_secs(15),
        }
    }
}

fn rollback_timeout() -> Duration {
    Duration::from_secs(600)
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// What is checked before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// There is an alert rule for the service.
    AlertsExist,
    /// No critical alert fires.
    NoFiringAlert,
    /// The error budget is not spent.
    ErrorBudget,
    /// There is a way back.
    RollbackPlan,
    /// There is room for the canary, and its share can be had.
    Capacity,
    /// We may do what we would do.
    Permissions,
}

impl Gate {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("alerts_exist", Self::AlertsExist),
        ("no_firing_alert", Self::NoFiringAlert),
        ("error_budget", Self::ErrorBudget),
        ("rollback_plan", Self::RollbackPlan),
        ("capacity", Self::Capacity),
        ("permissions", Self::Permissions),
    ];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, gate)| *gate == self).map_or("", |(name, _)| name)
    }
}

/// Which steps need approval, and of how many people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// Before the first step that reaches each of these shares; 0 is before anything.
    pub before: Vec<Percent>,
    /// Different people that must agree.
    pub by: u32,
    /// How long an approval is good.
    #[serde(with = "millis")]
    pub expires: Duration,
}

/// A preflight gate that somebody passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    pub gate: String,
    pub reason: String,
}

/// Durations in JSON as whole milliseconds.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
