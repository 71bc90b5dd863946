//! K07, K08, K14: replicas, disruption budgets, spread.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::quantity::pods;
use crate::check::manifest::workload::Workload;

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    if !workload.is_replicated() || workload.replicas() == Some(0) {
        return;
    }
    replicas(scene, workload, out);
    budget(scene, workload, out);
    spread(scene, workload, out);
}

fn replicas(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    let object = workload.object;
    let subject = workload.label();
    let served = !scene.services(workload).is_empty();
    let level = if served && object.kind == "Deployment" { Level::High } else { Level::Medium };
    if let Some(scaler) = scene.autoscaler(workload) {
        if workload.replicas().is_some() {
            let why = format!(
                "it says `replicas`, and autoscaler `{}` does, too: each apply undoes the scaling",
                scaler.name
            );
            let line = object.root["spec"].line_of("replicas");
            let finding = object.finding("K07", Level::Medium, &subject, line, why);
            out.fail(object, finding.fix("leave `spec.replicas` out").evidence("spec.replicas"));
        }
        return;
    }
    let count = workload.replicas().unwrap_or(1);
    let finding = (count < 2).then(|| {
        let why = "it has 1 replica: each drain and each crash is an outage";
        let line = object.root["spec"].line_of("replicas");
        object
            .finding("K07", level, &subject, line, why)
            .fix("set `replicas: 2`, or an autoscaler")
            .evidence("spec.replicas")
    });
    out.judge(object, "K07", finding);
}

/// Autoscalers that go down to one, whether or not their workload is among the manifests.
pub(super) fn scalers(scene: &Scene<'_>, out: &mut Outcomes) {
    for scaler in scene.all.of_kind("HorizontalPodAutoscaler") {
        let spec = &scaler.root["spec"];
        let Some(least) = spec["minReplicas"].int().or_else(|| spec["minReplicas"].is_null().then_some(1)) else {
            continue;
        };
        let finding = (least < 2).then(|| {
            let why = format!("it may go down to {least} replica: one crash is an outage");
            let line = spec.line_of("minReplicas");
            let field = if spec["minReplicas"].is_null() { "spec.minReplicas unset" } else { "spec.minReplicas" };
            scaler.finding("K07", Level::High, scaler.label(), line, why).fix("set `minReplicas: 2`").evidence(field)
        });
        out.judge(scaler, "K07", finding);
    }
}

fn budget(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    let budgets = scene.selecting("PodDisruptionBudget", "selector", workload);
    let least = scene.least(workload);
    let object = workload.object;
    if budgets.is_empty() {
        if least >= 2 {
            let why = "no PodDisruptionBudget selects its pods: a drain may evict all of them at once";
            let finding = object.finding("K08", Level::Medium, workload.label(), object.root.line, why);
            out.fail(object, finding.fix("add one with `maxUnavailable: 1`").evidence("PodDisruptionBudget"));
        }
        return;
    }
    if let [first, second, ..] = budgets[..] {
        let why = format!("budgets `{}` and `{}` select the same pods: no eviction succeeds", first.name, second.name);
        let finding = second.finding("K08", Level::High, second.label(), second.root.line, why);
        out.fail(second, finding.fix("keep one").evidence("spec.selector"));
        return;
    }
    let budget = budgets[0];
    let spec = &budget.root["spec"];
    let must = spec["minAvailable"].text();
    // What allows nothing whatever the number is said once, by `budgets`.
    let blocks = must.is_some_and(|text| text.trim() != "100%" && pods(text, least).is_some_and(|pods| pods >= least));
    let finding = blocks.then(|| {
        let must = must.unwrap_or_default();
        let why = format!("`minAvailable: {must}` of {least} allows no eviction: every drain of a node waits for ever");
        let line = spec.line_of("minAvailable");
        budget
            .finding("K08", Level::High, budget.label(), line, why)
            .fix("use `maxUnavailable: 1`")
            .evidence("spec.minAvailable")
    });
    out.judge(budget, "K08", finding);
}

/// Budgets that allow nothing, whomever they select.
pub(super) fn budgets(scene: &Scene<'_>, out: &mut Outcomes) {
    for budget in scene.all.of_kind("PodDisruptionBudget") {
        let spec = &budget.root["spec"];
        let is = |key: &str, values: [&str; 2]| spec[key].text().is_some_and(|text| values.contains(&text.trim()));
        let found = [
            ("maxUnavailable", is("maxUnavailable", ["0", "0%"])),
            ("minAvailable", is("minAvailable", ["100%", "100%"])),
        ];
        for (key, _) in found.into_iter().filter(|(_, bad)| *bad) {
            let value = spec[key].text().unwrap_or_default();
            let why = format!("`{key}: {value}` allows no eviction: every drain of a node waits for ever");
            let finding = budget.finding("K08", Level::High, budget.label(), spec.line_of(key), why);
            out.fail(budget, finding.fix("use `maxUnavailable: 1`").evidence(format!("spec.{key}")));
        }
    }
}

fn spread(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    if scene.least(workload) < 2 {
        return;
    }
    let anti = &workload.pod["affinity"]["podAntiAffinity"];
    let keeps_apart =
        ["requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"]
            .iter()
            .any(|key| !anti[*key].items().is_empty());
    let spreads = !workload.pod["topologySpreadConstraints"].items().is_empty();
    let finding = (!keeps_apart && !spreads).then(|| {
        let why = "nothing keeps its replicas apart: they may all be on one node";
        let fix = "add `topologySpreadConstraints` on `kubernetes.io/hostname`";
        let finding = workload.object.finding("K14", Level::Medium, workload.label(), workload.pod.line, why);
        finding.fix(fix).evidence("topologySpreadConstraints")
    });
    out.judge(workload.object, "K14", finding);
}
