//! A service that is ready, and what each rule has against one line of it that is changed.

use super::*;
use crate::check::manifest::links::only;

const GOOD: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: { name: game, labels: { app: game } }
spec:
  replicas: 3
  revisionHistoryLimit: 5
  strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
  selector: { matchLabels: { app: game } }
  template:
    metadata: { labels: { app: game } }
    spec:
      terminationGracePeriodSeconds: 60
      serviceAccountName: game
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: kubernetes.io/hostname }]
      containers:
        - name: server
          image: registry:5000/game:7
          ports: [{ name: http, containerPort: 8080 }]
          envFrom: [{ configMapRef: { name: game } }]
          env: [{ name: MODE, value: live }]
          lifecycle: { preStop: { sleep: { seconds: 10 } } }
          startupProbe: { httpGet: { path: /api/health, port: http }, failureThreshold: 30 }
          readinessProbe: { httpGet: { path: /api/health, port: http }, periodSeconds: 5 }
          livenessProbe: { httpGet: { path: /live, port: http }, periodSeconds: 20 }
          resources: { requests: { cpu: 500m, memory: 1Gi }, limits: { cpu: "2", memory: 1Gi } }
---
apiVersion: v1
kind: Service
metadata: { name: game }
spec:
  selector: { app: game }
  ports: [{ port: 80, targetPort: http }]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: game }
spec: { maxUnavailable: 1, selector: { matchLabels: { app: game } } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: game }
spec: { rules: [{ http: { paths: [{ backend: { service: { name: game, port: { number: 80 } } } }] } }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: game }
data: { ROOMS: "7" }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: game }
"#;

fn look(text: &str, settings: &Settings) -> Outcomes {
    let mut all = Manifests::default();
    all.read("game.yaml", text);
    let today = chrono::NaiveDate::from_ymd_opt(2026, 11, 30);
    let mut out = Outcomes { today, ..Outcomes::default() };
    manifests(&all, settings, &mut out);
    out
}

fn settings() -> Settings {
    Settings { health: vec![("game".into(), "/api/health".into())], ..Settings::default() }
}

fn found(text: &str, settings: &Settings) -> Vec<(&'static str, Level)> {
    look(text, settings).found.findings.iter().map(|finding| (finding.id, finding.level)).collect()
}

#[test]
fn a_service_that_is_ready_passes_everything() {
    let out = look(GOOD, &settings());
    assert_eq!(out.found.findings, []);
    assert_eq!(out.found.unknown, []);
    let score = score::Score::of(&out).expect("rules");
    assert_eq!((score.low, score.high), (100, 100));
}

#[test]
fn each_rule_has_something_against_one_line() {
    use Level::{Blocker, High, Low, Medium};
    for (from, to, id, level) in [
        ("apps/v1", "extensions/v1beta1", "K01", Blocker),
        ("apps/v1", "v1", "K01", Blocker),
        ("policy/v1", "policy/v1beta1", "K01", Blocker),
        ("image: registry:5000/game:7", "imagePullPolicy: Always", "K01", Blocker),
        ("readinessProbe: {", "nothing: {", "K02", Blocker),
        ("livenessProbe: {", "nothing: {", "K02", Low),
        ("path: /live, port: http", "path: /live, port: htp", "K03", High),
        ("path: /live, port: http", "path: /live, port: 9", "K03", Medium),
        ("readinessProbe: { httpGet: { path: /api/health", "readinessProbe: { httpGet: { path: /", "K03", High),
        (
            "path: /live, port: http }, periodSeconds: 20",
            "path: /api/health, port: http }, periodSeconds: 5",
            "K04",
            Medium,
        ),
        (
            "startupProbe: { httpGet: { path: /api/health, port: http }, failureThreshold: 30 }\n          readinessProbe: { httpGet: { path: /api/health, port: http }, periodSeconds: 5 }\n          livenessProbe: { httpGet: { path: /live, port: http }, periodSeconds: 20 }",
            "readinessProbe: { httpGet: { path: /api/health, port: http } }\n          livenessProbe: { tcpSocket: { port: http }, periodSeconds: 1 }",
            "K04",
            Medium,
        ),
        ("limits: { cpu: \"2\", memory: 1Gi }", "limits: { cpu: \"2\" }", "K05", Blocker),
        ("limits: { cpu: \"2\", memory: 1Gi }", "limits: { memory: 1Gi }", "K05", Low),
        ("limits: { cpu: \"2\", memory: 1Gi }", "limits: { cpu: \"2\", memory: 512Mi }", "K05", High),
        (
            "requests: { cpu: 500m, memory: 1Gi }, limits: { cpu: \"2\", memory: 1Gi }",
            "requests: { memory: 1Gi }, limits: { memory: 1Gi }",
            "K05",
            High,
        ),
        ("lifecycle: { preStop: { sleep: { seconds: 10 } } }", "stdin: false", "K06", High),
        ("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 10", "K06", High),
        ("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 0", "K06", High),
        ("sleep: { seconds: 10 }", "exec: { command: [sh, -c, \"sleep 75; true\"] }", "K06", High),
        ("replicas: 3", "paused: false", "K07", High),
        ("spec: { maxUnavailable: 1,", "spec: { maxUnavailable: 0,", "K08", High),
        ("spec: { maxUnavailable: 1,", "spec: { minAvailable: 3,", "K08", High),
        ("spec: { maxUnavailable: 1,", "spec: { minAvailable: 70%,", "K08", High),
        ("kind: PodDisruptionBudget", "kind: PodDisruptionBugdet", "K08", Medium),
        (
            "strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }",
            "strategy: { type: Recreate }",
            "K09",
            High,
        ),
        ("maxSurge: 1, maxUnavailable: 0", "maxSurge: 0, maxUnavailable: 0", "K09", High),
        ("maxSurge: 1, maxUnavailable: 0", "maxSurge: 1, maxUnavailable: 100%", "K09", High),
        ("revisionHistoryLimit: 5", "revisionHistoryLimit: 0", "K10", Blocker),
        ("revisionHistoryLimit: 5", "progressDeadlineSeconds: 60", "K10", Medium),
        ("registry:5000/game:7", "registry:5000/game", "K11", High),
        ("registry:5000/game:7", "registry:5000/game:latest", "K11", High),
        ("  selector: { app: game }", "  selector: { app: gmae }", "K12", Blocker),
        ("targetPort: http", "targetPort: web", "K12", Blocker),
        ("service: { name: game, port: { number: 80 }", "service: { name: gmae, port: { number: 80 }", "K12", Blocker),
        ("service: { name: game, port: { number: 80 }", "service: { name: game, port: { number: 81 }", "K12", Blocker),
        (
            "selector: { matchLabels: { app: game } }\n  template",
            "selector: { matchLabels: { app: g } }\n  template",
            "K13",
            Blocker,
        ),
        ("topologySpreadConstraints", "schedulerNames", "K14", Medium),
        ("configMapRef: { name: game }", "configMapRef: { name: gaem }", "K15", High),
        (
            "env: [{ name: MODE, value: live }]",
            "env: [{ name: ROOM, valueFrom: { configMapKeyRef: { name: game, key: ROOM } } }]",
            "K15",
            High,
        ),
        (
            "env: [{ name: MODE, value: live }]",
            "env: [{ name: MODE, value: live }, { name: MODE, value: x }]",
            "K16",
            High,
        ),
        ("env: [{ name: MODE, value: live }]", "env: [{ name: DB_PASSWORD, value: hunter2 }]", "K16", High),
        ("env: [{ name: MODE, value: live }]", "args: [--db-password=hunter2]", "K16", High),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let found = found(&GOOD.replacen(from, to, 1), &settings());
        assert!(found.contains(&(id, level)), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn what_is_right_is_left_alone() {
    for (from, to, not) in [
        // Equal endpoints, and liveness much slower.
        ("path: /live, port: http }, periodSeconds: 20", "path: /api/health, port: http }, periodSeconds: 60", "K04"),
        ("sleep: { seconds: 10 }", "exec: { command: [sleep, \"10\"] }", "K06"),
        ("spec: { maxUnavailable: 1,", "spec: { minAvailable: 50%,", "K08"),
        ("spec: { maxUnavailable: 1,", "spec: { minAvailable: 2,", "K08"),
        ("targetPort: http", "targetPort: 8080", "K12"),
        (
            "env: [{ name: MODE, value: live }]",
            "env: [{ name: DB_PASSWORD, valueFrom: { secretKeyRef: { name: s, key: k, optional: true } } }]",
            "K16",
        ),
        ("registry:5000/game:7", "registry:5000/game@sha256:abc", "K11"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let found = found(&GOOD.replacen(from, to, 1), &settings());
        assert!(found.iter().all(|(id, _)| *id != not), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn jobs_stateful_sets_and_autoscalers_have_rules_of_their_own() {
    let job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: db-backup }\nspec:\n  jobTemplate: { spec: { template: { spec: { containers: [{ name: a, image: a:1, resources: { requests: { cpu: 1, memory: 1Gi }, limits: { cpu: 1, memory: 1Gi } } }] } } } }\n";
    let all = found(job, &settings());
    assert!(all.iter().all(|(id, _)| *id == "K17") && all.len() == 4, "{all:?}");
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: db }\nspec: { replicas: 0, selector: { matchLabels: { a: b } }, updateStrategy: { rollingUpdate: { partition: 2 } }, template: { metadata: { labels: { a: b } }, spec: { containers: [{ name: a, image: a:1 }] } } }\n";
    assert_eq!(found(set, &settings()).iter().filter(|(id, _)| *id == "K18").count(), 2);
    let scaled = format!(
        "{GOOD}---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: game }}\nspec: {{ minReplicas: 1, maxReplicas: 9, scaleTargetRef: {{ kind: Deployment, name: game }} }}\n"
    );
    let all = found(&scaled, &settings());
    assert!(all.contains(&("K07", Level::High)) && all.contains(&("K07", Level::Medium)), "{all:?}");
    let lost = scaled.replace("name: game } }", "name: gone } }");
    assert!(found(&lost, &settings()).contains(&("K12", Level::Blocker)));
}

#[test]
fn a_finding_knows_its_line_and_an_annotation_accepts_it_until_its_end() {
    let text = GOOD.replacen("revisionHistoryLimit: 5", "revisionHistoryLimit: 0", 1);
    let out = look(&text, &settings());
    assert_eq!(out.found.findings[0].place().as_deref(), Some("game.yaml:6"));
    let annotated = |waiver: &str| {
        let meta = format!("metadata: {{ name: game, annotations: {{ liveops.dev/waive: \"{waiver}\" }} }}");
        let out = look(&text.replacen("metadata: { name: game, labels: { app: game } }", &meta, 1), &settings());
        out.found.findings.iter().map(|one| (one.id, one.waived.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(annotated("K10 owner=ana until=2027-01-31 helm keeps them"), [("K10", true)]);
    assert_eq!(annotated("K10 owner=ana until=2026-01-31 helm keeps them"), [("WAIVER-ENDED", false), ("K10", false)]);
    assert_eq!(annotated("K10 no end"), [("WAIVER-INVALID", false), ("K10", false)]);
    assert_eq!(annotated("K11 owner=ana until=2027-01-31 other"), [("K10", false)]);
}

#[test]
fn settings_matter_and_one_service_is_told_from_others() {
    let protected = Settings { protected: true, ..settings() };
    assert_eq!(found(GOOD, &protected), [("K11", Level::Low)]);
    let canary = Settings { canaries: vec!["game".into()], ..settings() };
    assert_eq!(found(GOOD, &canary), [("K10", Level::Medium)]);
    let old = Settings { minor: Some(28), ..settings() };
    assert_eq!(found(GOOD, &old), [("K06", Level::High)]);
    let mut all = Manifests::default();
    all.read("game.yaml", GOOD);
    all.read("other.yaml", &GOOD.replace("game", "lobby"));
    let kept = only(&all, "game");
    assert_eq!(
        kept.objects.len(),
        8,
        "{:?}",
        kept.objects.iter().map(super::super::manifest::object::Object::label).collect::<Vec<_>>()
    );
    assert!(only(&all, "nobody").objects.is_empty());
}

#[test]
fn templates_are_unknown_and_broken_files_are_not() {
    let out = look(
        "apiVersion: v1\nkind: Service\nmetadata:\n  {{- include \"x\" . }}\n  name: {{ .Values.name }}\n",
        &settings(),
    );
    assert_eq!((out.found.unknown.len(), out.found.findings.len()), (1, 0));
    let out = look("apiVersion: v1\nkind: Service\nmetadata: [\n", &settings());
    assert_eq!(out.found.findings[0].level, Level::Blocker);
}

/// A deployment beside GOOD's, with what each case adds.
fn with(addition: &str) -> Vec<(&'static str, Level)> {
    found(&format!("{GOOD}---\n{addition}"), &settings())
}

const SIDECAR: &str = "containers:\n        - { name: proxy, image: p:1, resources: { requests: { cpu: 1, memory: 1Gi }, limits: { cpu: 1, memory: 1Gi } }, readinessProbe: { tcpSocket: { port: 9000 } }, ports: [{ containerPort: 9000 }] }\n";

#[test]
fn the_container_that_a_service_targets_needs_the_probe() {
    // The proxy has a probe, the server has none: one probe of any container is not enough.
    let text = GOOD.replacen("containers:\n", SIDECAR, 1);
    assert!(!found(&text, &settings()).contains(&("K02", Level::Blocker)), "{:?}", found(&text, &settings()));
    let text = text.replacen("readinessProbe: { httpGet", "nothing: { httpGet", 1);
    assert!(found(&text, &settings()).contains(&("K02", Level::Blocker)));
    // And the other way: nobody is sent to the proxy.
    let text =
        GOOD.replacen("containers:\n", &SIDECAR.replace("readinessProbe: { tcpSocket: { port: 9000 } }, ", ""), 1);
    assert!(!found(&text, &settings()).contains(&("K02", Level::Blocker)));
    // Nothing is sent to a Job, or to a pod that no Service selects.
    let worker = GOOD.split("---\n").next().unwrap().replace("app: game", "app: w").replace("name: game,", "name: w,");
    let worker = worker.replacen("readinessProbe: {", "nothing: {", 1);
    assert!(!with(&worker).contains(&("K02", Level::Blocker)), "{:?}", with(&worker));
}

#[test]
fn references_lead_somewhere() {
    use Level::{Blocker, High};
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: { rules: [{ backendRefs: [{ name: NAME, port: 80 }] }] }\n";
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: n }\nspec: { podSelector: { matchLabels: { app: NAME } } }\n";
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: second }\nspec: { maxUnavailable: 1, selector: { matchLabels: { app: NAME } } }\n";
    for (kind, id, level) in [(route, "K12", Blocker), (policy, "K12", High)] {
        assert!(with(&kind.replace("NAME", "gmae")).iter().any(|(one, _)| *one == id), "{kind} {level:?}");
        assert!(with(&kind.replace("NAME", "game")).iter().all(|(one, _)| *one != id), "{kind}");
    }
    // Two budgets for one pod: no eviction is possible.
    assert!(with(&budget.replace("NAME", "game")).contains(&("K08", High)));
    for (from, bad, good) in [
        ("serviceAccountName: game", "serviceAccountName: gmae", "serviceAccountName: default"),
        (
            "      containers:",
            "      volumes: [{ name: v, persistentVolumeClaim: { claimName: gone } }]\n      containers:",
            "      volumes: [{ name: v, emptyDir: {} }]\n      containers:",
        ),
        (
            "envFrom: [{ configMapRef: { name: game } }]",
            "envFrom: [{ secretRef: { name: gone } }]",
            "envFrom: [{ secretRef: { name: gone, optional: true } }]",
        ),
    ] {
        let ids = |to: &str| look(&GOOD.replacen(from, to, 1), &settings()).found;
        let (bad_found, good_found) = (ids(bad), ids(good));
        let tells =
            bad_found.findings.iter().any(|one| one.id == "K15") || bad_found.unknown.iter().any(|one| one.id == "K15");
        assert!(tells, "{bad}: {:?}", bad_found.findings);
        assert!(good_found.findings.iter().all(|one| one.id != "K15"), "{good}: {:?}", good_found.findings);
        assert!(good_found.unknown.iter().all(|one| one.id != "K15"), "{good}");
    }
}

#[test]
fn each_rule_has_a_clean_twin() {
    let job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: db-backup }\nspec:\n  schedule: 0 3 * * *\n  startingDeadlineSeconds: 600\n  concurrencyPolicy: Forbid\n  jobTemplate: { spec: { backoffLimit: 2, activeDeadlineSeconds: 3600, ttlSecondsAfterFinished: 86400, template: { spec: { restartPolicy: Never, containers: [{ name: a, image: a:1, resources: { requests: { cpu: 1, memory: 1Gi }, limits: { cpu: 1, memory: 1Gi } } }] } } } }\n";
    assert_eq!(found(job, &settings()), []);
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: db }\nspec: { serviceName: db, replicas: 0, selector: { matchLabels: { a: b } }, template: { metadata: { labels: { a: b } }, spec: { containers: [{ name: a, image: a:1 }] } } }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: db }\nspec: { clusterIP: None, selector: { a: b }, ports: [{ port: 5432 }] }\n";
    assert!(found(set, &settings()).iter().all(|(id, _)| *id != "K18"), "{:?}", found(set, &settings()));
    let not_headless = set.replace("clusterIP: None, ", "");
    assert!(found(&not_headless, &settings()).iter().any(|(id, _)| *id == "K18"));
    // An autoscaler that starts at two, and a Deployment that leaves the number to it.
    let scaled = format!(
        "{}---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: game }}\nspec: {{ minReplicas: 2, maxReplicas: 9, scaleTargetRef: {{ kind: Deployment, name: game }} }}\n",
        GOOD.replacen("  replicas: 3\n", "", 1)
    );
    assert_eq!(found(&scaled, &settings()), []);
    for (from, to, not) in [
        (
            "topologySpreadConstraints: [{ maxSkew: 1, topologyKey: kubernetes.io/hostname }]",
            "affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { topologyKey: kubernetes.io/hostname, labelSelector: { matchExpressions: [{ key: app, operator: In, values: [game] }] } } }] } }",
            "K14",
        ),
        (
            "strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }",
            "strategy: { rollingUpdate: { maxSurge: 25%, maxUnavailable: 25% } }",
            "K09",
        ),
        ("revisionHistoryLimit: 5", "minReadySeconds: 10", "K10"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let found = found(&GOOD.replacen(from, to, 1), &settings());
        assert!(found.iter().all(|(id, _)| *id != not), "{from} -> {to}: {found:?}");
    }
}
