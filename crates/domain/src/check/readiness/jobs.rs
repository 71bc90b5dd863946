//! K17 and K18: jobs and stateful sets.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::workload::Workload;

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    match workload.object.kind.as_str() {
        "Job" | "CronJob" => job(workload, out),
        "StatefulSet" => stateful(scene, workload, out),
        _ => {}
    }
}

fn job(workload: &Workload<'_>, out: &mut Outcomes) {
    let object = workload.object;
    let spec = &object.root["spec"];
    let is_cron = object.kind == "CronJob";
    let inner = if is_cron { &spec["jobTemplate"]["spec"] } else { spec };
    let mut found = Vec::new();
    let mut wants = |present: bool, key: &'static str, level: Level, why: &str, fix: &str| {
        if !present {
            let finding = object.finding("K17", level, object.label(), inner.line, why);
            found.push(finding.fix(fix).evidence(key));
        }
    };
    let has = |key: &str| !inner[key].is_null();
    wants(
        has("activeDeadlineSeconds"),
        "activeDeadlineSeconds",
        Level::Medium,
        "nothing ends it when it hangs",
        "set `activeDeadlineSeconds`",
    );
    wants(
        has("backoffLimit"),
        "backoffLimit",
        Level::Low,
        "it is tried six times more when it fails",
        "set `backoffLimit`",
    );
    if !is_cron {
        wants(
            has("ttlSecondsAfterFinished"),
            "ttlSecondsAfterFinished",
            Level::Low,
            "it and its pods stay for ever once it is done",
            "set `ttlSecondsAfterFinished`",
        );
    }
    if is_cron {
        if spec["startingDeadlineSeconds"].is_null() {
            let why = "after 100 missed starts it is never started again, unless `startingDeadlineSeconds` is set";
            let finding = object.finding("K17", Level::Medium, object.label(), spec.line, why);
            found.push(finding.fix("set `startingDeadlineSeconds`, such as 300").evidence("startingDeadlineSeconds"));
        }
        let name = object.name.to_lowercase();
        let is_backup = ["backup", "dump", "snapshot", "restic", "pgbackrest"].iter().any(|word| name.contains(word));
        let allows = spec["concurrencyPolicy"].text().is_none_or(|policy| policy == "Allow");
        if is_backup && allows {
            let why = "a backup that takes longer than its interval runs beside itself";
            let line = spec.line_of("concurrencyPolicy");
            let finding = object.finding("K17", Level::Medium, object.label(), line, why);
            found.push(finding.fix("set `concurrencyPolicy: Forbid`").evidence("concurrencyPolicy"));
        }
    }
    if found.is_empty() {
        out.pass("K17");
    }
    found.into_iter().for_each(|finding| out.fail(object, finding));
}

fn stateful(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    let object = workload.object;
    let spec = &object.root["spec"];
    let wanted = spec["serviceName"].text().filter(|name| !name.is_empty());
    let named =
        wanted.and_then(|name| scene.all.of_kind("Service").find(|one| one.name == name && one.is_beside(object)));
    let why = match (wanted, named) {
        (None, _) => Some("it names no headless Service, so its pods have no names of their own".to_owned()),
        (Some(name), Some(service)) if service.root["spec"]["clusterIP"].text() != Some("None") => {
            Some(format!("Service {name} is not headless, so its pods have no names of their own"))
        }
        _ => None,
    };
    let name = why.map(|why| {
        let line = if wanted.is_some() { spec.line_of("serviceName") } else { spec.line };
        let finding = object.finding("K18", Level::Medium, object.label(), line, why);
        finding.fix("set `serviceName` to a Service with `clusterIP: None`").evidence("spec.serviceName")
    });
    let update = &spec["updateStrategy"];
    let held = update["rollingUpdate"]["partition"].int().filter(|partition| *partition > 0).map(|partition| {
        let why = format!("`partition: {partition}` keeps the pods below {partition} on the old version");
        let line = update["rollingUpdate"].line_of("partition");
        let finding = object.finding("K18", Level::Medium, object.label(), line, why);
        finding.fix("set it to 0 once the update is done").evidence("spec.updateStrategy.rollingUpdate.partition")
    });
    if name.is_none() && held.is_none() {
        out.pass("K18");
    }
    name.into_iter().chain(held).for_each(|finding| out.fail(object, finding));
}
