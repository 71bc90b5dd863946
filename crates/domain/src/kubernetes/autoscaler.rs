//! HorizontalPodAutoscalers: which one owns a Deployment, its bounds, and how it is pinned and restored.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The bounds of an autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub name: String,
    pub min: u64,
    pub max: u64,
}

impl Bounds {
    /// Those of an object; `minReplicas` is 1 where it is not set.
    pub fn of(object: &Value) -> Option<Self> {
        let spec = &object["spec"];
        Some(Self {
            name: object["metadata"]["name"].as_str()?.to_owned(),
            min: spec["minReplicas"].as_u64().unwrap_or(1),
            max: spec["maxReplicas"].as_u64()?,
        })
    }

    /// The merge patch that sets each bound that is as in `from` to what it is in `to`; none where nothing changes. The
    /// two stay in order, whatever somebody else has made of the other.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Value> {
        let one = |now: u64, from: u64, to: u64| if now == from { to } else { now };
        let mut min = one(self.min, from.min, to.min);
        let mut max = one(self.max, from.max, to.max);
        if min > max {
            (min, max) = if self.max == from.max { (min, min) } else { (max, max) };
        }
        let mut spec = serde_json::Map::new();
        for (name, now, then) in [("minReplicas", self.min, min), ("maxReplicas", self.max, max)] {
            if now != then {
                spec.insert(name.into(), json!(then));
            }
        }
        (!spec.is_empty()).then(|| json!({ "spec": spec }))
    }

    /// At least `replicas`, so that the old version keeps its capacity.
    pub fn floor(&self, replicas: u64) -> Self {
        let min = self.min.max(replicas);
        Self { min, max: self.max.max(min), ..self.clone() }
    }

    /// Exactly `replicas`, where a ratio of pods is the share of the traffic.
    pub fn pinned(&self, replicas: u64) -> Self {
        let replicas = replicas.max(1);
        Self { min: replicas, max: replicas, ..self.clone() }
    }
}

/// The autoscaler of a Deployment, among all of the namespace.
pub fn find<'a>(all: &'a [Value], deployment: &str) -> Option<&'a Value> {
    all.iter().find(|object| {
        let target = &object["spec"]["scaleTargetRef"];
        target["kind"] == "Deployment" && target["name"] == deployment
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_put_back_by_itself() {
        let bounds = |min, max| Bounds { name: "game".into(), min, max };
        let (pinned, before) = (bounds(4, 10), bounds(2, 10));
        let back = |now: Bounds| now.moved(&pinned, &before).map(|patch| patch["spec"].clone());
        assert_eq!(back(bounds(4, 10)), Some(json!({ "minReplicas": 2 })));
        // An operator has raised the upper one: that stays, and ours goes back.
        assert_eq!(back(bounds(4, 20)), Some(json!({ "minReplicas": 2 })));
        assert_eq!(back(bounds(3, 10)), None);
        assert_eq!(back(bounds(2, 10)), None);
        // Both were pinned to one number; one of them is somebody else's now.
        let back = |now: Bounds| now.moved(&bounds(4, 4), &before).map(|patch| patch["spec"].clone());
        assert_eq!(back(bounds(4, 4)), Some(json!({ "minReplicas": 2, "maxReplicas": 10 })));
        assert_eq!(back(bounds(4, 6)), Some(json!({ "minReplicas": 2 })));
        // Never out of order.
        assert_eq!(bounds(2, 3).moved(&before, &bounds(4, 4)), Some(json!({ "spec": { "minReplicas": 3 } })));
    }
}
