//! The Rollout of Argo Rollouts: what its status says, and when that is to be believed.
//!
//! Names and meanings of the fields: argoproj/argo-rollouts, `pkg/apis/rollouts/v1alpha1/types.go` (`RolloutStatus`,
//! `CanaryStatus`, `PauseCondition`), `utils/rollout/rolloututil.go` (`GetRolloutPhase`, `IsUnpausing`), `rollout/canary.go`
//! (`syncRolloutStatusCanary`); the patches are those of its plugin, `pkg/kubectl-argo-rollouts/cmd/{abort,promote}`.

use serde_json::Value;

use crate::rollout::exposure::Percent;

/// Has the controller seen the last change? `observedGeneration` is a string there.
pub fn is_observed(rollout: &Value) -> bool {
    let generation = rollout["metadata"]["generation"].as_u64();
    let observed = &rollout["status"]["observedGeneration"];
    let observed = observed.as_str().and_then(|text| text.parse().ok()).or_else(|| observed.as_u64());
    generation == observed
}

/// Does the controller wait, in one of its steps?
pub fn is_paused(rollout: &Value) -> bool {
    let conditions = rollout["status"]["pauseConditions"].as_array();
    conditions.is_some_and(|conditions| !conditions.is_empty())
}

/// The field of its spec by which a person has the controller stand still.
pub const HALT: &str = "paused";

/// The label that tells the pods of its ReplicaSets apart.
pub const POD_HASH: &str = "rollouts-pod-template-hash";

/// Does it stand still by a person's will? No step ends then, and no ReplicaSet is scaled; an abort still gives the
/// router its weights back (`rollout/context.go` `haltProgress`, `rollout/trafficrouting.go`).
pub fn is_halted(rollout: &Value) -> bool {
    rollout["spec"][HALT] == true
}

/// Has somebody let it go on, and the controller has not yet done so?
pub fn is_unpausing(rollout: &Value) -> bool {
    rollout["status"]["controllerPause"] == true && !is_paused(rollout)
}

/// `Healthy`, `Degraded`, `Paused`; `Progressing` as long as the status is of before.
pub fn phase(rollout: &Value) -> &str {
    if is_observed(rollout) && !is_unpausing(rollout) {
        rollout["status"]["phase"].as_str().unwrap_or("Progressing")
    } else {
        "Progressing"
    }
}

/// Is one version alone there?
pub fn is_whole(rollout: &Value) -> bool {
    let status = &rollout["status"];
    is_observed(rollout) && status["currentPodHash"].is_string() && status["currentPodHash"] == status["stableRS"]
}

/// The steps of its strategy.
pub fn steps(rollout: &Value) -> &[Value] {
    let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array();
    steps.map(Vec::as_slice).unwrap_or_default()
}

/// The share of what the controller calls the canary: what the router was told, else the last weight of its steps.
pub fn share(rollout: &Value) -> Percent {
    let status = &rollout["status"];
    if is_whole(rollout) {
        return Percent::ZERO;
    }
    let told = status.pointer("/canary/weights/canary/weight").and_then(Value::as_f64);
    if status["abort"] == true {
        // Without a router the canary's pods are scaled away; with one, it says when the weight is back.
        return Percent::new(told.unwrap_or(0.0)).unwrap_or(Percent::ZERO);
    }
    let index = status["currentStepIndex"].as_u64().unwrap_or(0);
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let all = steps(rollout);
    let step = if index >= all.len() {
        Some(100.0)
    } else {
        let done = all.iter().take(index.saturating_add(1));
        done.filter_map(|step| step["setWeight"].as_f64()).next_back()
    };
    Percent::new(told.or(step).unwrap_or(0.0)).unwrap_or(Percent::ZERO)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rollout(status: &Value) -> Value {
        json!({
            "metadata": { "generation": 4 },
            "spec": { "strategy": { "canary": { "steps": [{ "setWeight": 10 }, { "pause": {} }, { "setWeight": 50 }, { "pause": {} }] } } },
            "status": status,
        })
    }

    #[test]
    fn the_share_is_that_of_the_router_or_of_the_steps_that_are_done() {
        let share_of = |status: Value| share(&rollout(&status)).get();
        let two = json!({ "observedGeneration": "4", "currentPodHash": "b", "stableRS": "a" });
        let with = |name: &str, value: Value| {
            let mut status = two.clone();
            status[name] = value;
            status
        };
        assert_eq!(share_of(with("currentStepIndex", json!(1))), 10.0);
        assert_eq!(share_of(with("currentStepIndex", json!(3))), 50.0);
        let told = json!({ "weights": { "canary": { "weight": 30 } } });
        assert_eq!(share_of(with("canary", told)), 30.0);
        assert_eq!(share_of(with("abort", json!(true))), 0.0);
        assert_eq!(share_of(with("currentPodHash", json!("a"))), 0.0);
    }

    #[test]
    fn a_status_of_an_older_generation_is_not_believed() {
        let status = |observed: Value| json!({ "observedGeneration": observed, "phase": "Healthy" });
        assert_eq!(phase(&rollout(&status(json!("4")))), "Healthy");
        assert_eq!(phase(&rollout(&status(json!("3")))), "Progressing");
    }
}
