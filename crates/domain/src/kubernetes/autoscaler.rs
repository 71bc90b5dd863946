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

    /// The merge patch that sets them.
    pub fn patch(&self) -> Value {
        json!({ "spec": { "minReplicas": self.min, "maxReplicas": self.max } })
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
