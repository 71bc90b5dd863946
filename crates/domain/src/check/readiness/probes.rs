//! K02 to K04: health checks.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::node::Node;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::workload::{Container, Role, Workload};
use crate::check::readiness::Settings;

const PROBES: [&str; 3] = ["readinessProbe", "livenessProbe", "startupProbe"];

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, settings: &Settings, out: &mut Outcomes) {
    if workload.is_job() {
        return;
    }
    let targets = scene.targets(workload);
    for container in workload.running() {
        let service = targets.iter().find(|(known, _)| known.name == container.name).map(|(_, service)| &service.name);
        present(workload, &container, service, out);
        let probes: Vec<(&str, &Node)> =
            PROBES.iter().map(|name| (*name, &container.node[*name])).filter(|(_, probe)| !probe.is_null()).collect();
        if !probes.is_empty() {
            ports(workload, &container, &probes, out);
            path(workload, &container, settings, out);
        }
        pace(workload, &container, out);
    }
}

fn present(workload: &Workload<'_>, container: &Container<'_>, service: Option<&String>, out: &mut Outcomes) {
    let subject = workload.label_of(container);
    let line = container.node.line;
    let readiness = &container.node["readinessProbe"];
    if readiness.is_null() {
        let (level, why) = match service {
            Some(service) => (
                Level::Blocker,
                format!("Service `{service}` sends requests to it, and no readinessProbe says when it can take them"),
            ),
            None if container.role == Role::Sidecar => return,
            None => (Level::Low, "it has no readinessProbe; no Service here sends to it".into()),
        };
        let fix = "add a readinessProbe that asks the container's own health, not that of its dependencies";
        let finding = workload.object.finding("K02", level, &subject, line, why);
        out.fail(workload.object, finding.fix(fix).evidence("readinessProbe"));
    } else if service.is_some() {
        out.pass("K02");
    }
    if container.role == Role::Main && container.node["livenessProbe"].is_null() {
        let why = "it has no livenessProbe: a container that hangs is not restarted";
        let finding = workload.object.finding("K02", Level::Low, &subject, line, why);
        let fix = "add one only if a restart helps, and make it at least three times slower than the readinessProbe";
        out.fail(workload.object, finding.fix(fix).evidence("livenessProbe"));
    }
}

/// How a probe asks: the kind, the port, the path.
fn handler(probe: &Node) -> Option<(&'static str, &Node, Option<&str>)> {
    ["httpGet", "tcpSocket", "grpc"].into_iter().find_map(|kind| {
        let action = &probe[kind];
        let path = (kind == "httpGet").then(|| action["path"].text().unwrap_or("/"));
        (!action.is_null()).then_some((kind, &action["port"], path))
    })
}

fn ports(workload: &Workload<'_>, container: &Container<'_>, probes: &[(&str, &Node)], out: &mut Outcomes) {
    let declared = container.node["ports"].items();
    for (name, probe) in probes {
        let Some((_, port, _)) = handler(probe) else { continue };
        let Some(wanted) = port.text() else { continue };
        let is_number = wanted.parse::<u16>().is_ok();
        let known = declared
            .iter()
            .any(|own| own["containerPort"].text() == Some(wanted) || own["name"].text() == Some(wanted));
        let finding = if known || (is_number && declared.is_empty()) {
            None
        } else {
            // The list of ports is for people and names; a number that is not in it may still be open.
            let level = if is_number { Level::Medium } else { Level::High };
            let why = format!("its {name} asks port `{wanted}`, which the container does not declare");
            let finding = workload.object.finding("K03", level, workload.label_of(container), port.line, why);
            Some(finding.fix("ask a port of `ports`, by its name").evidence(format!("{name}.port")))
        };
        out.judge(workload.object, "K03", finding);
    }
}

fn path(workload: &Workload<'_>, container: &Container<'_>, settings: &Settings, out: &mut Outcomes) {
    let probe = &container.node["readinessProbe"]["httpGet"];
    let known = settings.health.iter().find(|(name, _)| *name == workload.object.name);
    let (Some((_, want)), Some(path)) = (known, probe["path"].text()) else {
        return;
    };
    let finding = (path.trim_end_matches('/') != want.trim_end_matches('/')).then(|| {
        let why = format!("its readinessProbe asks {path}; liveops.yaml has {want} as the health of this service");
        let line = probe.line_of("path");
        let finding = workload.object.finding("K03", Level::High, workload.label_of(container), line, why);
        finding.fix("ask the same path, or correct `health` in liveops.yaml").evidence("readinessProbe.httpGet.path")
    });
    out.judge(workload.object, "K03", finding);
}

/// Seconds from the first failure of a probe until it counts.
fn patience(probe: &Node) -> i64 {
    probe["periodSeconds"].int().unwrap_or(10) * probe["failureThreshold"].int().unwrap_or(3)
}

fn pace(workload: &Workload<'_>, container: &Container<'_>, out: &mut Outcomes) {
    let (liveness, readiness) = (&container.node["livenessProbe"], &container.node["readinessProbe"]);
    if liveness.is_null() {
        return;
    }
    let subject = workload.label_of(container);
    let same = match (handler(liveness), handler(readiness)) {
        (Some((kind, port, path)), Some((other_kind, other_port, other_path))) => {
            kind == other_kind && port.text() == other_port.text() && path == other_path
        }
        (None, None) => {
            let commands = (&liveness["exec"]["command"], &readiness["exec"]["command"]);
            !commands.0.is_null() && words(commands.0) == words(commands.1)
        }
        _ => false,
    };
    let (slow, fast) = (patience(liveness), patience(readiness));
    let twins = (same && slow < 3 * fast).then(|| {
        let why = format!(
            "liveness and readiness ask the same, and liveness gives up after {slow} s, readiness after {fast} s: \
             a busy container is restarted instead of relieved"
        );
        let line = container.node.line_of("livenessProbe");
        let finding = workload.object.finding("K04", Level::Medium, &subject, line, why);
        finding
            .fix(format!(
                "make liveness at least three times slower: `failureThreshold` × `periodSeconds` ≥ {} s",
                3 * fast
            ))
            .evidence("livenessProbe.failureThreshold")
    });
    let start = liveness["initialDelaySeconds"].int().unwrap_or(0) + slow;
    let hasty = (container.node["startupProbe"].is_null() && start < 10).then(|| {
        let why = format!("a start that takes longer than {start} s is killed by the livenessProbe, for ever");
        let line = container.node.line_of("livenessProbe");
        let finding = workload.object.finding("K04", Level::Medium, &subject, line, why);
        finding.fix("add a startupProbe; liveness waits until it has succeeded").evidence("startupProbe")
    });
    if twins.is_none() && hasty.is_none() {
        out.pass("K04");
    }
    for finding in twins.into_iter().chain(hasty) {
        out.fail(workload.object, finding);
    }
}

fn words(list: &Node) -> Vec<&str> {
    list.items().iter().filter_map(Node::text).collect()
}
