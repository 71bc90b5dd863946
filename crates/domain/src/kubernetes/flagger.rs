//! Flagger's Canary: where its analysis is with what we gave it, how much traffic the new version has, and the gate that
//! takes it back.
//!
//! Names and meanings of the fields: fluxcd/flagger, `pkg/apis/flagger/v1beta1/status.go` (phases, `canaryWeight`,
//! `lastAppliedSpec`, condition `Promoted`), `pkg/controller/scheduler.go` (rollback hooks are asked in `Progressing`,
//! `Waiting` and `WaitingPromotion` alone; `skipAnalysis` promotes at once), `pkg/canary/spec.go` (a target that is set
//! back to the promoted spec starts no analysis), `pkg/loadtester/server.go` (`/rollback/{check,open,close}`).

use serde_json::{Value, json};
use url::Url;

use crate::kubernetes::note;
use crate::rollout::exposure::Percent;

/// Where Flagger is with what we gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of ours is under way.
    Idle,
    /// The image is set; its next tick will see it.
    Unseen,
    /// Traffic moves, and its rollback webhook is heard.
    Analysis,
    /// The new version becomes the primary; nothing stops it.
    Promotion,
    Succeeded,
    Failed,
}

/// What tells whether Flagger has seen another spec since.
fn mark(canary: &Value) -> Value {
    let conditions = canary["status"]["conditions"].as_array();
    let promoted = conditions.into_iter().flatten();
    let promoted = promoted.filter(|condition| condition["type"] == "Promoted");
    let since: Vec<&Value> =
        promoted.flat_map(|condition| [&condition["reason"], &condition["lastUpdateTime"]]).collect();
    json!([canary["status"]["lastAppliedSpec"], since])
}

/// What it restores: the mark of the start, whether an analysis was left out even then, and what let it go.
pub fn record(canary: &Value) -> Value {
    json!({
        "mark": mark(canary),
        "skip": canary["spec"]["skipAnalysis"],
        "halt": canary["spec"][HALT],
    })
}

/// Where it is with what we gave it; an object without our note has nothing of ours.
pub fn stage(canary: &Value) -> Stage {
    let Some(originals) = note::read(canary).map(|note| note.originals) else {
        return Stage::Idle;
    };
    let was = &originals.detail["route"]["mark"];
    let now = mark(canary);
    // Both change when an analysis begins; the spec alone also when Flagger looks at one that has failed before.
    if now[0] == was[0] || now[1] == was[1] {
        return Stage::Unseen;
    }
    match canary["status"]["phase"].as_str() {
        Some("Succeeded") => Stage::Succeeded,
        Some("Failed") => Stage::Failed,
        Some("Promoting" | "Finalising") => Stage::Promotion,
        _ => Stage::Analysis,
    }
}

/// Is an analysis under way, of ours or of somebody else?
pub fn is_running(canary: &Value) -> bool {
    !matches!(canary["status"]["phase"].as_str(), None | Some("Initialized" | "Succeeded" | "Failed" | "Initializing"))
}

/// The field of its spec by which a person has the controller stand still.
pub const HALT: &str = "suspend";

/// Does it stand still by a person's will? Then its ticks do nothing at all, so that no rollback hook is asked either
/// (`pkg/controller/scheduler.go` `advanceCanary`).
pub fn is_halted(canary: &Value) -> bool {
    canary["spec"][HALT] == true
}

/// The share of the new version.
pub fn share(canary: &Value) -> Percent {
    match stage(canary) {
        Stage::Succeeded | Stage::Promotion => Percent::FULL,
        Stage::Idle | Stage::Unseen | Stage::Failed => Percent::ZERO,
        Stage::Analysis => {
            let weight = canary["status"]["canaryWeight"].as_f64();
            weight.and_then(Percent::new).unwrap_or(Percent::ZERO)
        }
    }
}

/// Service, namespace, port and path of the gate that the rollback webhook asks; Flagger polls `…/check`.
pub fn gate(canary: &Value) -> Option<(String, String)> {
    let hooks = canary["spec"]["analysis"]["webhooks"].as_array()?;
    let hook = hooks.iter().find(|hook| hook["type"] == "rollback")?;
    let url = Url::parse(hook["url"].as_str()?).ok()?;
    let mut host = url.host_str()?.split('.');
    let service = host.next()?;
    let namespace = host.next().or(canary["metadata"]["namespace"].as_str())?;
    let port = url.port().unwrap_or(80);
    let base = url.path().trim_end_matches("check").trim_end_matches('/');
    let proxy = format!("/api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy{base}");
    Some((format!("{proxy}/open"), format!("{proxy}/close")))
}

/// The shares that it goes through by itself; the last is everything.
pub fn steps(canary: &Value) -> Vec<Percent> {
    let analysis = &canary["spec"]["analysis"];
    let mut steps: Vec<Percent> = match analysis["stepWeights"].as_array() {
        Some(weights) => {
            let weights = weights.iter().filter_map(Value::as_f64);
            weights.filter_map(Percent::new).collect()
        }
        None => {
            let step = analysis["stepWeight"].as_u64().unwrap_or(0);
            let most = analysis["maxWeight"].as_u64().unwrap_or(100).min(100);
            let weights = (1..).map(|n| n * step).take_while(|weight| *weight <= most);
            let weights = weights.take(if step == 0 { 0 } else { 100 });
            weights.filter_map(|weight| Percent::new(weight as f64)).collect()
        }
    };
    steps.retain(|weight| !weight.is_about(Percent::FULL));
    steps.push(Percent::FULL);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_opened_through_the_api_server() {
        let canary = json!({
            "metadata": { "namespace": "game" },
            "spec": { "analysis": { "webhooks": [
                { "type": "load-test", "url": "http://x.y/" },
                { "type": "rollback", "url": "http://flagger-loadtester.tools/rollback/check" },
            ] } },
        });
        let (open, close) = gate(&canary).unwrap();
        let base = "/api/v1/namespaces/tools/services/http:flagger-loadtester:80/proxy/rollback";
        assert_eq!(open, format!("{base}/open"));
        assert_eq!(close, format!("{base}/close"));
        assert_eq!(gate(&json!({})), None);
    }
}
