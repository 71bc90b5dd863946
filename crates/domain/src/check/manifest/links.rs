//! What belongs together: Services and their pods, autoscalers and budgets and their workloads.

use crate::check::manifest::node::Node;
use crate::check::manifest::object::{Manifests, Object};
use crate::check::manifest::selector::{names, selects};
use crate::check::manifest::workload::{Container, Role, Workload};

/// The manifests with the workloads among them.
#[derive(Debug)]
pub struct Scene<'a> {
    pub all: &'a Manifests,
    pub workloads: Vec<Workload<'a>>,
}

impl<'a> Scene<'a> {
    pub fn of(all: &'a Manifests) -> Self {
        Self { all, workloads: all.objects.iter().filter_map(Workload::of).collect() }
    }

    /// The Services that send to the pods of a workload.
    pub fn services(&self, workload: &Workload<'_>) -> Vec<&'a Object> {
        let sends = |service: &&Object| {
            service.is_beside(workload.object) && names(&service.root["spec"]["selector"], workload.labels)
        };
        self.all.of_kind("Service").filter(sends).collect()
    }

    /// The containers that Services send to.
    pub fn targets(&self, workload: &Workload<'a>) -> Vec<(Container<'a>, &'a Object)> {
        let mut targets: Vec<(Container<'a>, &Object)> = Vec::new();
        for service in self.services(workload) {
            for port in service.root["spec"]["ports"].items() {
                let Some(container) = target(workload, port) else { continue };
                if !targets.iter().any(|(known, _)| known.name == container.name) {
                    targets.push((container, service));
                }
            }
        }
        targets
    }

    /// The autoscaler of a workload.
    pub fn autoscaler(&self, workload: &Workload<'_>) -> Option<&'a Object> {
        self.all.of_kind("HorizontalPodAutoscaler").find(|scaler| {
            let target = &scaler.root["spec"]["scaleTargetRef"];
            scaler.is_beside(workload.object)
                && target["kind"].text() == Some(&workload.object.kind)
                && target["name"].text() == Some(&workload.object.name)
        })
    }

    /// The fewest pods that a workload has at work.
    pub fn least(&self, workload: &Workload<'_>) -> i64 {
        match self.autoscaler(workload) {
            Some(scaler) => scaler.root["spec"]["minReplicas"].int().unwrap_or(1),
            None => workload.replicas().unwrap_or(1),
        }
    }

    /// The objects of a kind whose selector (`spec.selector`, `spec.podSelector`) means the pods of a workload.
    pub fn selecting(&self, kind: &'a str, key: &str, workload: &Workload<'_>) -> Vec<&'a Object> {
        let means = |object: &&Object| {
            let selector = &object.root["spec"][key];
            object.is_beside(workload.object) && !selector.is_null() && selects(selector, workload.labels)
        };
        self.all.of_kind(kind).filter(means).collect()
    }
}

/// The container that a port of a Service leads to.
fn target<'a>(workload: &Workload<'a>, port: &Node) -> Option<Container<'a>> {
    let wanted = port["targetPort"].text().or_else(|| port["port"].text())?;
    let running = workload.running();
    let declares = |container: &&Container<'_>| {
        let ports = container.node["ports"].items().iter();
        ports.into_iter().any(|own| own["containerPort"].text() == Some(wanted) || own["name"].text() == Some(wanted))
    };
    // A number need not be declared; then it is the first that is meant.
    let first = || running.iter().find(|container| container.role == Role::Main);
    running.iter().find(declares).or_else(first).copied()
}

/// Only what belongs to the workload of this name, or whose pods carry it as `app` or `app.kubernetes.io/name`.
pub fn only(all: &Manifests, name: &str) -> Manifests {
    let scene = Scene::of(all);
    let called = |workload: &&Workload<'_>| workload.object.name == name;
    let labelled = |workload: &&Workload<'_>| {
        ["app.kubernetes.io/name", "app"].iter().any(|key| workload.labels[*key].text() == Some(name))
    };
    let mut meant: Vec<&Workload<'_>> = scene.workloads.iter().filter(called).collect();
    if meant.is_empty() {
        meant = scene.workloads.iter().filter(labelled).collect();
    }
    let services: Vec<String> =
        meant.iter().flat_map(|workload| scene.services(workload)).map(|service| service.name.clone()).collect();
    let belongs = |object: &&Object| match object.kind.as_str() {
        "Service" => services.contains(&object.name) || (object.name == name && !meant.is_empty()),
        "HorizontalPodAutoscaler" => {
            let target = object.root["spec"]["scaleTargetRef"]["name"].text();
            meant.iter().any(|workload| target == Some(&workload.object.name))
        }
        "PodDisruptionBudget" => {
            meant.iter().any(|workload| selects(&object.root["spec"]["selector"], workload.labels))
        }
        "NetworkPolicy" => meant.iter().any(|workload| selects(&object.root["spec"]["podSelector"], workload.labels)),
        "Ingress" | "HTTPRoute" => backends(object).iter().any(|backend| services.contains(&backend.name)),
        "ConfigMap" | "Secret" | "ServiceAccount" | "PersistentVolumeClaim" | "LimitRange" => true,
        _ => meant.iter().any(|workload| std::ptr::eq(workload.object, *object)),
    };
    Manifests {
        objects: if meant.is_empty() { Vec::new() } else { all.objects.iter().filter(belongs).cloned().collect() },
        unread: all.unread.clone(),
        files: all.files,
        is_whole: all.is_whole,
    }
}

/// A Service that is named by an Ingress or a route.
#[derive(Debug)]
pub struct Backend {
    pub name: String,
    /// Number or name, where one is said.
    pub port: Option<String>,
    pub line: usize,
}

/// The Services that an Ingress or an HTTPRoute sends to.
pub fn backends(object: &Object) -> Vec<Backend> {
    let spec = &object.root["spec"];
    let ingress = |node: &Node| {
        let service = &node["service"];
        let name = service["name"].text().or_else(|| node["serviceName"].text())?;
        let port = &service["port"];
        let port = port["number"].text().or_else(|| port["name"].text()).or_else(|| node["servicePort"].text());
        Some(Backend { name: name.to_owned(), port: port.map(ToOwned::to_owned), line: node.line })
    };
    let mut all = Vec::new();
    if object.kind == "Ingress" {
        all.extend(ingress(&spec["defaultBackend"]).or_else(|| ingress(&spec["backend"])));
        for rule in spec["rules"].items() {
            all.extend(rule["http"]["paths"].items().iter().filter_map(|path| ingress(&path["backend"])));
        }
    } else {
        for rule in spec["rules"].items() {
            for one in rule["backendRefs"].items() {
                let is_service = one["kind"].text().is_none_or(|kind| kind == "Service");
                let elsewhere = one["namespace"].text().is_some_and(|other| other != object.namespace);
                if let Some(name) = one["name"].text().filter(|_| is_service && !elsewhere) {
                    let port = one["port"].text().map(ToOwned::to_owned);
                    all.push(Backend { name: name.to_owned(), port, line: one.line });
                }
            }
        }
    }
    all
}
