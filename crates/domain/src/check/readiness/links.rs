//! K12 and K13: what names what.

use crate::check::finding::Level;
use crate::check::manifest::links::{Scene, backends};
use crate::check::manifest::object::Object;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::selector::{names, selects};
use crate::check::manifest::workload::Workload;

pub(super) fn judge(scene: &Scene<'_>, out: &mut Outcomes) {
    scene.all.of_kind("Service").for_each(|service| self::service(scene, service, out));
    for route in scene.all.objects.iter().filter(|object| matches!(object.kind.as_str(), "Ingress" | "HTTPRoute")) {
        self::route(scene, route, out);
    }
    scene.all.of_kind("HorizontalPodAutoscaler").for_each(|scaler| self::scaler(scene, scaler, out));
    scene.all.of_kind("NetworkPolicy").for_each(|policy| self::policy(scene, policy, out));
    scene.workloads.iter().for_each(|workload| own_selector(workload, out));
}

/// Custom objects from which an operator makes pods that no manifest shows.
fn operated<'a>(scene: &Scene<'a>, service: &Object) -> Option<&'a Object> {
    let builtin = |group: &str| !group.contains('.') || group.ends_with(".k8s.io");
    let values: Vec<&str> = service.root["spec"]["selector"].pairs().map(|(_, value)| value).collect();
    scene.all.objects.iter().find(|object| {
        let is_named = values.contains(&object.name.as_str())
            || values.iter().any(|value| value.eq_ignore_ascii_case(&object.kind));
        !builtin(object.group()) && is_named && object.is_beside(service)
    })
}

fn service(scene: &Scene<'_>, service: &Object, out: &mut Outcomes) {
    let spec = &service.root["spec"];
    if spec["selector"].entries().is_empty() || spec["type"].text() == Some("ExternalName") {
        return;
    }
    let pods: Vec<&Workload<'_>> = scene
        .workloads
        .iter()
        .filter(|workload| service.is_beside(workload.object) && names(&spec["selector"], workload.labels))
        .collect();
    let subject = service.label();
    if pods.is_empty() {
        if let Some(owner) = operated(scene, service) {
            out.unknown("K12", subject, format!("its pods are made by an operator from {}", owner.label()));
        } else if scene.workloads.is_empty() {
            out.unknown("K12", subject, "no workload is among the manifests, so what it selects is not known");
        } else {
            let wanted: Vec<String> = spec["selector"].pairs().map(|(key, value)| format!("{key}={value}")).collect();
            let why = format!("it selects no pod of these manifests ({}): it answers nobody", wanted.join(", "));
            let finding = service.finding("K12", Level::Blocker, subject, spec.line_of("selector"), why);
            out.fail(
                service,
                finding.fix("make the selector and the labels of a pod template equal").evidence("spec.selector"),
            );
        }
        return;
    }
    let mut sound = true;
    for port in spec["ports"].items() {
        let Some(name) = port["targetPort"].text().filter(|text| text.parse::<u16>().is_err()) else { continue };
        let named = |workload: &&&Workload<'_>| {
            let ports = workload.running().into_iter().flat_map(|container| container.node["ports"].items());
            ports.into_iter().any(|own| own["name"].text() == Some(name))
        };
        if !pods.iter().any(|workload| named(&workload)) {
            sound = false;
            let why =
                format!("its `targetPort: {name}` is no port of the containers that it selects: it answers nobody");
            let finding = service.finding("K12", Level::Blocker, &subject, port.line_of("targetPort"), why);
            out.fail(service, finding.fix("name a port that a container declares").evidence("spec.ports.targetPort"));
        }
    }
    if sound {
        out.pass("K12");
    }
}

fn route(scene: &Scene<'_>, route: &Object, out: &mut Outcomes) {
    for backend in backends(route) {
        let mut services = scene.all.of_kind("Service").filter(|service| service.is_beside(route)).peekable();
        let what = format!("Service `{}`", backend.name);
        if services.peek().is_none() {
            out.unknown("K12", route.label(), format!("{what} is not among the manifests"));
            continue;
        }
        let finding = match services.find(|service| service.name == backend.name) {
            None => Some((format!("it sends to {what}, which does not exist here"), "name a Service that exists")),
            Some(service) => backend.port.as_ref().and_then(|port| {
                let ports = service.root["spec"]["ports"].items();
                let known =
                    ports.iter().any(|own| own["port"].text() == Some(port) || own["name"].text() == Some(port));
                (!known).then(|| {
                    (format!("it sends to port `{port}` of {what}, which has no such port"), "name one of its ports")
                })
            }),
        };
        let finding = finding.map(|(why, fix)| {
            let finding = route.finding("K12", Level::Blocker, route.label(), backend.line, why);
            finding.fix(fix).evidence("backend")
        });
        out.judge(route, "K12", finding);
    }
}

fn scaler(scene: &Scene<'_>, scaler: &Object, out: &mut Outcomes) {
    let target = &scaler.root["spec"]["scaleTargetRef"];
    let (Some(kind), Some(name)) = (target["kind"].text(), target["name"].text()) else {
        return;
    };
    let exists =
        scene.all.objects.iter().any(|object| object.kind == kind && object.name == name && object.is_beside(scaler));
    if !exists && scene.workloads.is_empty() {
        out.unknown("K12", scaler.label(), format!("{kind} `{name}` is not among the manifests"));
        return;
    }
    let finding = (!exists).then(|| {
        let why = format!("it scales {kind} `{name}`, which does not exist here");
        let line = scaler.root["spec"].line_of("scaleTargetRef");
        let finding = scaler.finding("K12", Level::Blocker, scaler.label(), line, why);
        finding.fix("name a workload that exists").evidence("spec.scaleTargetRef")
    });
    out.judge(scaler, "K12", finding);
}

fn policy(scene: &Scene<'_>, policy: &Object, out: &mut Outcomes) {
    if scene.workloads.is_empty() {
        return;
    }
    let selector = &policy.root["spec"]["podSelector"];
    let means = |workload: &Workload<'_>| policy.is_beside(workload.object) && selects(selector, workload.labels);
    let finding = (!scene.workloads.iter().any(means)).then(|| {
        let why = "it selects no pod of these manifests: it protects nothing";
        let line = policy.root["spec"].line_of("podSelector");
        let finding = policy.finding("K12", Level::Medium, policy.label(), line, why);
        finding.fix("make the selector and the labels of a pod template equal").evidence("spec.podSelector")
    });
    out.judge(policy, "K12", finding);
}

fn own_selector(workload: &Workload<'_>, out: &mut Outcomes) {
    let object = workload.object;
    let selector = &object.root["spec"]["selector"];
    if workload.is_job() || object.kind == "Pod" || selector.is_null() {
        return;
    }
    let means = match object.kind.as_str() {
        "ReplicationController" => names(selector, workload.labels),
        _ => selects(selector, workload.labels),
    };
    let finding = (!means).then(|| {
        let why = "its selector does not mean the labels of its own pods: the API server refuses it";
        let finding =
            object.finding("K13", Level::Blocker, object.label(), object.root["spec"].line_of("selector"), why);
        finding
            .fix("make `spec.selector.matchLabels` and `spec.template.metadata.labels` agree")
            .evidence("spec.selector")
    });
    out.judge(object, "K13", finding);
}
