//! K06, K09, K10: how pods begin, end, and are replaced.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::node::Node;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::quantity::pods;
use crate::check::manifest::workload::{Container, Workload};
use crate::check::readiness::Settings;

/// Kubernetes' own default.
const GRACE: i64 = 30;

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, settings: &Settings, minor: u32, out: &mut Outcomes) {
    if workload.is_job() {
        return;
    }
    let targets = scene.targets(workload);
    for (container, service) in &targets {
        shutdown(workload, container, &service.name, minor, out);
    }
    strategy(scene, workload, !targets.is_empty(), out);
    revisions(workload, settings, out);
}

fn shutdown(workload: &Workload<'_>, container: &Container<'_>, service: &str, minor: u32, out: &mut Outcomes) {
    let hook = &container.node["lifecycle"]["preStop"];
    let subject = workload.label_of(container);
    let grace = workload.pod["terminationGracePeriodSeconds"].int().unwrap_or(GRACE);
    let line = container.node.line_of("lifecycle");
    let high = |line: usize, why: String, field: &str| {
        workload.object.finding("K06", Level::High, &subject, line, why).evidence(field)
    };
    let finding = if grace == 0 {
        let line = workload.pod.line_of("terminationGracePeriodSeconds");
        let why = "its grace period is 0: it is killed with its requests".to_owned();
        Some(high(line, why, "terminationGracePeriodSeconds").fix("allow the longest request, and the preStop pause"))
    } else if hook.is_null() {
        let why = format!(
            "it is told to stop while Service `{service}` still sends to it: endpoints are removed later, and by others"
        );
        let fix = if minor >= 29 {
            "add `lifecycle.preStop.sleep.seconds: 10`"
        } else {
            "add `lifecycle.preStop.exec.command: [sleep, \"10\"]`"
        };
        Some(high(container.node.line, why, "lifecycle.preStop").fix(fix))
    } else if !hook["sleep"].is_null() && minor < 29 {
        let why = format!("`preStop.sleep` begins with Kubernetes 1.29, and the cluster is 1.{minor}");
        Some(high(line, why, "lifecycle.preStop.sleep").fix("write `exec: { command: [sleep, \"10\"] }`"))
    } else if let Some(pause) = pause(hook)
        && pause >= grace
    {
        let why = format!(
            "its preStop pause of {pause} s is as long as its grace period of {grace} s: it is killed before it can finish requests"
        );
        let fix =
            format!("set `terminationGracePeriodSeconds` to the pause and the longest request, such as {}", pause + 30);
        Some(high(line, why, "terminationGracePeriodSeconds").fix(fix))
    } else {
        None
    };
    out.judge(workload.object, "K06", finding);
}

/// For how long a hook does nothing.
fn pause(hook: &Node) -> Option<i64> {
    if let Some(seconds) = hook["sleep"]["seconds"].int() {
        return Some(seconds);
    }
    let words: Vec<&str> =
        hook["exec"]["command"].items().iter().filter_map(Node::text).flat_map(str::split_whitespace).collect();
    let at = words.iter().position(|word| word.rsplit('/').next() == Some("sleep"))?;
    words.get(at + 1)?.trim_end_matches([';', 's', '&']).parse().ok()
}

fn strategy(scene: &Scene<'_>, workload: &Workload<'_>, served: bool, out: &mut Outcomes) {
    if workload.object.kind != "Deployment" {
        return;
    }
    let spec = &workload.object.root["spec"];
    let strategy = &spec["strategy"];
    let line = spec.line_of("strategy");
    let subject = workload.label();
    if strategy["type"].text() == Some("Recreate") {
        if served {
            let why = "`Recreate` stops every pod before the first new one starts, and a Service sends to them";
            let finding = workload.object.finding("K09", Level::High, &subject, line, why);
            out.fail(workload.object, finding.fix("use `RollingUpdate`").evidence("spec.strategy.type"));
        }
        return;
    }
    let rolling = &strategy["rollingUpdate"];
    let replicas = scene.least(workload).max(1);
    let down = rolling["maxUnavailable"].text();
    let surge = rolling["maxSurge"].text();
    let is_zero = |text: Option<&str>| text.is_some_and(|text| matches!(text.trim(), "0" | "0%"));
    let finding = if is_zero(down) && is_zero(surge) {
        let why = "`maxSurge` and `maxUnavailable` are both 0: nothing can be replaced, and the API server refuses it";
        Some(workload.object.finding("K09", Level::High, &subject, line, why).fix("set `maxSurge: 1`"))
    } else if replicas > 1
        && down.is_some_and(|text| text == "100%" || pods(text, replicas).is_some_and(|n| n >= replicas))
    {
        let why = format!("`maxUnavailable: {}` may stop all {replicas} pods at once", down.unwrap_or_default());
        Some(
            workload
                .object
                .finding("K09", Level::High, &subject, line, why)
                .fix("set `maxUnavailable: 0`, `maxSurge: 1`"),
        )
    } else {
        None
    };
    out.judge(workload.object, "K09", finding.map(|finding| finding.evidence("spec.strategy.rollingUpdate")));
}

fn revisions(workload: &Workload<'_>, settings: &Settings, out: &mut Outcomes) {
    if !["Deployment", "StatefulSet", "DaemonSet"].contains(&workload.object.kind.as_str()) {
        return;
    }
    let spec = &workload.object.root["spec"];
    let subject = workload.label();
    let history = spec["revisionHistoryLimit"].int() == Some(0);
    if history {
        let why = "`revisionHistoryLimit: 0` keeps no old revision: there is no rollback";
        let line = spec.line_of("revisionHistoryLimit");
        let finding = workload.object.finding("K10", Level::Blocker, &subject, line, why);
        let fix = "keep at least 3, or leave it out: Kubernetes keeps 10";
        out.fail(workload.object, finding.fix(fix).evidence("spec.revisionHistoryLimit"));
    }
    let ready = spec["minReadySeconds"].int().unwrap_or(0);
    let deadline = spec["progressDeadlineSeconds"].int().unwrap_or(600);
    let start = workload
        .running()
        .iter()
        .map(|container| {
            let probe = &container.node["readinessProbe"];
            let startup = &container.node["startupProbe"];
            let startup = match startup.is_null() {
                true => 0,
                false => startup["periodSeconds"].int().unwrap_or(10) * startup["failureThreshold"].int().unwrap_or(3),
            };
            startup + probe["initialDelaySeconds"].int().unwrap_or(0)
        })
        .max()
        .unwrap_or_default();
    let hasty = workload.object.kind == "Deployment" && deadline <= start + ready;
    if hasty {
        let why = format!(
            "`progressDeadlineSeconds` is {deadline} s, and a pod may take {} s to be ready: each deployment is called failed",
            start + ready
        );
        let line = spec.line_of("progressDeadlineSeconds");
        let finding = workload.object.finding("K10", Level::Medium, &subject, line, why);
        out.fail(
            workload.object,
            finding.fix("allow more than the probes do").evidence("spec.progressDeadlineSeconds"),
        );
    }
    let abrupt =
        ready == 0 && settings.canaries.contains(&workload.object.name) && workload.object.kind == "Deployment";
    if abrupt {
        let why = "`minReadySeconds` is 0, and the service is rolled out by a canary: a pod that crashes after one look counts as ready";
        let finding = workload.object.finding("K10", Level::Medium, &subject, spec.line, why);
        out.fail(workload.object, finding.fix("set `minReadySeconds: 10`").evidence("spec.minReadySeconds"));
    }
    if !history && !hasty && !abrupt {
        out.pass("K10");
    }
}
