//! K01: kinds and versions that a cluster of a given minor version takes.

use crate::check::finding::{Finding, Level};
use crate::check::manifest::fields::Fields;
use crate::check::manifest::object::{Manifests, Object};
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::workload::Workload;

/// The minor version that is meant where none is said.
pub const MINOR: u32 = 34;

/// Group and version, kind (`*`: all), deprecated since 1.x, gone since 1.x, and what to write instead.
/// <https://kubernetes.io/docs/reference/using-api/deprecation-guide/>
const OLD: &[(&str, &str, u32, u32, &str)] = &[
    ("extensions/v1beta1", "Ingress", 14, 22, "networking.k8s.io/v1"),
    ("extensions/v1beta1", "NetworkPolicy", 9, 16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy", 10, 16, "Pod Security Admission"),
    ("extensions/v1beta1", "*", 9, 16, "apps/v1"),
    ("apps/v1beta1", "*", 9, 16, "apps/v1"),
    ("apps/v1beta2", "*", 9, 16, "apps/v1"),
    ("networking.k8s.io/v1beta1", "*", 19, 22, "networking.k8s.io/v1"),
    ("policy/v1beta1", "PodSecurityPolicy", 21, 25, "Pod Security Admission"),
    ("policy/v1beta1", "*", 21, 25, "policy/v1"),
    ("batch/v1beta1", "*", 21, 25, "batch/v1"),
    ("batch/v2alpha1", "*", 20, 21, "batch/v1"),
    ("autoscaling/v2beta1", "*", 22, 25, "autoscaling/v2"),
    ("autoscaling/v2beta2", "*", 23, 26, "autoscaling/v2"),
    ("rbac.authorization.k8s.io/v1beta1", "*", 17, 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1alpha1", "*", 17, 22, "rbac.authorization.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "*", 16, 22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", "*", 19, 22, "apiregistration.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "*", 19, 22, "admissionregistration.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest", 19, 22, "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "*", 19, 22, "coordination.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "*", 14, 22, "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity", 24, 27, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "*", 19, 22, "storage.k8s.io/v1"),
    ("discovery.k8s.io/v1beta1", "*", 21, 25, "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "*", 19, 25, "events.k8s.io/v1"),
    ("node.k8s.io/v1beta1", "*", 20, 25, "node.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", "*", 23, 26, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "*", 26, 29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "*", 29, 32, "flowcontrol.apiserver.k8s.io/v1"),
];

/// The kinds that a misspelled group or version is most often written for.
const HOME: &[(&str, &str)] = &[
    ("Deployment", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("DaemonSet", "apps/v1"),
    ("ReplicaSet", "apps/v1"),
    ("Job", "batch/v1"),
    ("CronJob", "batch/v1"),
    ("Pod", "v1"),
    ("Service", "v1"),
    ("ConfigMap", "v1"),
    ("Secret", "v1"),
    ("ServiceAccount", "v1"),
    ("PersistentVolumeClaim", "v1"),
    ("Namespace", "v1"),
    ("PodDisruptionBudget", "policy/v1"),
    ("NetworkPolicy", "networking.k8s.io/v1"),
    ("Ingress", "networking.k8s.io/v1"),
    ("Role", "rbac.authorization.k8s.io/v1"),
    ("ClusterRole", "rbac.authorization.k8s.io/v1"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1"),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
];

/// K01 for what could not be read.
pub fn unread(all: &Manifests, command: &str, out: &mut Outcomes) {
    for unread in &all.unread {
        if unread.is_template {
            let why = format!("it is a template; render it first: `helm template CHART | {command} --manifests -`");
            out.unknown("K01", &unread.file, why);
        } else {
            let finding = Finding::new("K01", Level::Blocker, &unread.file, &unread.message);
            let fix = "correct the file; `kubectl apply` refuses it, too";
            out.add(finding.at(&unread.file, unread.line).fix(fix));
        }
    }
}

/// K01 for everything that was read, and for what could not be.
pub fn judge(all: &Manifests, minor: u32, out: &mut Outcomes) {
    unread(all, "liveops check readiness", out);
    let fields = Fields::read();
    for object in &all.objects {
        if let Some(finding) = version(object, minor).or_else(|| shape(object)) {
            out.fail(object, finding);
            continue;
        }
        // What a cluster has, it has taken.
        let found = if object.file.is_some() { fields.judge(object) } else { Vec::new() };
        if found.is_empty() {
            out.pass("K01");
        }
        found.into_iter().for_each(|finding| out.fail(object, finding));
    }
}

fn version(object: &Object, minor: u32) -> Option<Finding> {
    let line = object.root.line_of("apiVersion");
    let old =
        OLD.iter().find(|(version, kind, ..)| object.version == *version && (*kind == "*" || *kind == object.kind));
    if let Some((version, _, since, gone, instead)) = old {
        let (level, why) = if minor >= *gone {
            (Level::Blocker, format!("Kubernetes 1.{gone} removed {version}: a cluster of 1.{minor} refuses it"))
        } else if minor >= *since {
            (Level::Medium, format!("{version} is deprecated since 1.{since}, and gone in 1.{gone}"))
        } else {
            return None;
        };
        let fix = format!("write {instead}");
        return Some(object.finding("K01", level, object.label(), line, why).fix(fix).evidence("apiVersion"));
    }
    let (_, home) = HOME.iter().find(|(kind, _)| *kind == object.kind)?;
    let same_group = object.group() == home.split_once('/').map_or("", |(group, _)| group);
    // A group of somebody else may have a kind of this name.
    let foreign = object.group().contains('.') && !object.group().ends_with(".k8s.io");
    if object.version == *home || foreign || (same_group && object.version.contains("alpha")) {
        return None;
    }
    let why = format!("there is no {} in {}", object.kind, object.version);
    let fix = format!("write `apiVersion: {home}`");
    Some(object.finding("K01", Level::Blocker, object.label(), line, why).fix(fix).evidence("apiVersion"))
}

/// What the API server refuses at first sight.
fn shape(object: &Object) -> Option<Finding> {
    let blocker = |line: usize, field: &str, why: &str| {
        Some(object.finding("K01", Level::Blocker, object.label(), line, why).evidence(field))
    };
    // A file of settings, such as a Kustomization, has a kind and no name.
    let is_stored = HOME.iter().any(|(kind, _)| *kind == object.kind);
    if object.name.is_empty() && is_stored {
        return blocker(object.root.line_of("metadata"), "metadata.name", "it has no name");
    }
    let runs = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].contains(&object.kind.as_str());
    let Some(workload) = Workload::of(object) else {
        return if runs && object.group() == "apps" {
            blocker(object.root.line_of("spec"), "spec.template", "it has no pod template")
        } else {
            None
        };
    };
    if runs && object.version == "apps/v1" && object.root["spec"]["selector"].is_null() {
        return blocker(object.root.line_of("spec"), "spec.selector", "it has no selector");
    }
    if workload.pod["containers"].items().is_empty() {
        return blocker(workload.pod.line, "containers", "it has no container");
    }
    let mut names: Vec<&str> = Vec::new();
    for container in workload.containers() {
        if container.name.is_empty() {
            return blocker(container.node.line, "containers[].name", "a container has no name");
        }
        if names.contains(&container.name) {
            return blocker(container.node.line, "containers[].name", "two containers have one name");
        }
        names.push(container.name);
        // A ReplicaSet's image may be set by whoever owns it; a container without one is refused.
        if container.node["image"].is_null() {
            return blocker(container.node.line, "containers[].image", "a container has no image");
        }
    }
    None
}
