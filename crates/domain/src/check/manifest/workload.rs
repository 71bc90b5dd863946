//! What runs pods, and the containers in them.

use crate::check::manifest::node::Node;
use crate::check::manifest::object::Object;

/// What runs pods.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    pub object: &'a Object,
    /// The labels of its pods.
    pub labels: &'a Node,
    /// The annotations of its pods.
    pub annotations: &'a Node,
    /// The `spec` of its pods.
    pub pod: &'a Node,
}

/// What a container is in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Main,
    /// Runs to its end before the others begin.
    Init,
    /// An init container that stays: `restartPolicy: Always`.
    Sidecar,
}

/// A container.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a> {
    pub name: &'a str,
    pub node: &'a Node,
    pub role: Role,
}

impl<'a> Workload<'a> {
    /// Does this object run pods?
    pub fn of(object: &'a Object) -> Option<Self> {
        let spec = &object.root["spec"];
        // A kind of the same name of somebody else is none of these; a wrong group is a finding of its own.
        let foreign = object.group().contains('.') && !object.group().ends_with(".k8s.io");
        let template = match object.kind.as_str() {
            "Rollout" if object.group() == "argoproj.io" => &spec["template"],
            _ if foreign => return None,
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "ReplicationController" => {
                &spec["template"]
            }
            "CronJob" => &spec["jobTemplate"]["spec"]["template"],
            "Pod" => &object.root,
            _ => return None,
        };
        let pod = &template["spec"];
        let meta = &template["metadata"];
        (!pod.is_null()).then_some(Self { object, labels: &meta["labels"], annotations: &meta["annotations"], pod })
    }

    /// Does it end by itself?
    pub fn is_job(&self) -> bool {
        matches!(self.object.kind.as_str(), "Job" | "CronJob")
    }

    /// Does it keep a number of equal pods?
    pub fn is_replicated(&self) -> bool {
        matches!(
            self.object.kind.as_str(),
            "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" | "Rollout"
        )
    }

    /// `spec.replicas`, as it is written.
    pub fn replicas(&self) -> Option<i64> {
        self.object.root["spec"]["replicas"].int()
    }

    /// Every container that is started, in order.
    pub fn containers(&self) -> Vec<Container<'a>> {
        let inits = self.pod["initContainers"].items().iter().map(|node| {
            let stays = node["restartPolicy"].text() == Some("Always");
            Container {
                name: node["name"].text().unwrap_or_default(),
                node,
                role: if stays { Role::Sidecar } else { Role::Init },
            }
        });
        let mains = self.pod["containers"].items().iter().map(|node| Container {
            name: node["name"].text().unwrap_or_default(),
            node,
            role: Role::Main,
        });
        inits.chain(mains).collect()
    }

    /// Those that stay.
    pub fn running(&self) -> Vec<Container<'a>> {
        self.containers().into_iter().filter(|one| one.role != Role::Init).collect()
    }

    /// `Deployment/game`.
    pub fn label(&self) -> String {
        self.object.label()
    }

    /// `Deployment/game:server`.
    pub fn label_of(&self, container: &Container<'_>) -> String {
        format!("{}:{}", self.object.label(), container.name)
    }
}
