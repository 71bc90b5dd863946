//! The kinds that the stand-in serves: one table for discovery, storage, and the CRDs of a real API server.

use super::schema;

/// One kind of object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Empty for the core group.
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    /// Plural, as in paths.
    pub(crate) resource: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) short: &'static [&'static str],
    /// Is `metadata.generation` counted?
    pub(crate) generation: bool,
    /// Subresources, such as `status`.
    pub(crate) subresources: &'static [&'static str],
    /// Comes with a CRD, so that strategic merge is not available.
    pub(crate) custom: bool,
}

const fn builtin(group: &'static str, version: &'static str, resource: &'static str, kind: &'static str) -> Kind {
    Kind { group, version, resource, kind, short: &[], generation: false, subresources: &[], custom: false }
}

const fn custom(group: &'static str, version: &'static str, resource: &'static str, kind: &'static str) -> Kind {
    Kind { generation: true, subresources: &["status"], custom: true, ..builtin(group, version, resource, kind) }
}

/// Every kind. Namespaces are the only ones outside a namespace.
pub(crate) const KINDS: &[Kind] = &[
    builtin("", "v1", "namespaces", "Namespace"),
    Kind { subresources: &["status", "log"], short: &["po"], ..builtin("", "v1", "pods", "Pod") },
    Kind { short: &["svc"], ..builtin("", "v1", "services", "Service") },
    Kind { short: &["ep"], ..builtin("", "v1", "endpoints", "Endpoints") },
    Kind { short: &["cm"], ..builtin("", "v1", "configmaps", "ConfigMap") },
    Kind { short: &["ev"], ..builtin("", "v1", "events", "Event") },
    Kind {
        short: &["deploy"],
        generation: true,
        subresources: &["status", "scale"],
        ..builtin("apps", "v1", "deployments", "Deployment")
    },
    Kind {
        short: &["rs"],
        generation: true,
        subresources: &["status", "scale"],
        ..builtin("apps", "v1", "replicasets", "ReplicaSet")
    },
    Kind {
        short: &["hpa"],
        subresources: &["status"],
        ..builtin("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    },
    builtin("", "v1", "serviceaccounts", "ServiceAccount"),
    builtin("apps", "v1", "statefulsets", "StatefulSet"),
    builtin("apps", "v1", "daemonsets", "DaemonSet"),
    builtin("batch", "v1", "jobs", "Job"),
    builtin("batch", "v1", "cronjobs", "CronJob"),
    builtin("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    builtin("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    builtin("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    builtin("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    builtin("coordination.k8s.io", "v1", "leases", "Lease"),
    Kind {
        short: &["ing"],
        generation: true,
        subresources: &["status"],
        ..builtin("networking.k8s.io", "v1", "ingresses", "Ingress")
    },
    custom("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
    Kind { short: &["vs"], ..custom("networking.istio.io", "v1", "virtualservices", "VirtualService") },
    Kind { short: &["dr"], ..custom("networking.istio.io", "v1", "destinationrules", "DestinationRule") },
    Kind { short: &["ro"], ..custom("argoproj.io", "v1alpha1", "rollouts", "Rollout") },
    custom("flagger.app", "v1beta1", "canaries", "Canary"),
];

impl Kind {
    /// The kind at a group, version and plural.
    pub(crate) fn find(group: &str, version: &str, resource: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| (kind.group, kind.version, kind.resource) == (group, version, resource))
    }

    /// The kind of this plural, whatever its group.
    #[track_caller]
    pub(crate) fn of(resource: &str) -> &'static Self {
        KINDS
            .iter()
            .find(|kind| kind.resource == resource)
            .unwrap_or_else(|| panic!("no kind `{resource}` in tests/support/kube/kinds.rs"))
    }

    pub(crate) fn is_namespaced(&self) -> bool {
        self.resource != "namespaces"
    }

    /// `apps/v1`, `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, as messages name it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.resource.to_owned() } else { format!("{}.{}", self.resource, self.group) }
    }

    pub(crate) fn singular(&self) -> String {
        self.kind.to_lowercase()
    }

    /// The CRD of a custom kind.
    pub(crate) fn definition(&self) -> serde_json::Value {
        serde_json::json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": self.qualified(), "annotations": { "api-approved.kubernetes.io": "unapproved, for tests" } },
            "spec": {
                "group": self.group,
                "scope": "Namespaced",
                "names": { "plural": self.resource, "singular": self.singular(), "kind": self.kind, "shortNames": self.short },
                "versions": [{
                    "name": self.version,
                    "served": true,
                    "storage": true,
                    "subresources": { "status": {} },
                    "schema": { "openAPIV3Schema": schema::of(self.resource) },
                }],
            },
        })
    }
}
