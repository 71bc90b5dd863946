//! What is read by the way: versions and contexts for `doctor`, logs for `triage`.

use serde_json::json;

use super::stage::{KINDS, Stage};
use crate::support::kube::LOG;

#[test]
fn doctor_asks_kubectl_and_server_and_names_a_context_that_is_not_there() {
    let stage = Stage::new(KINDS[0].1);
    let run = stage.env.run(["doctor"]);
    assert!(run.stdout.contains("kubernetes  kubectl 1."), "{}", run.stdout);
    assert!(run.stdout.contains("kubectl, context, server"), "{}", run.stdout);
    stage.configure("context: test,", "context: tests,");
    let run = stage.env.run(["doctor"]);
    assert!(run.stdout.contains("did you mean `test`?"), "{}", run.stdout);
}

#[test]
fn triage_counts_the_errors_in_the_logs_of_every_pod() {
    let stage = Stage::new(KINDS[0].1);
    if !stage.kube.is_stand_in() {
        return;
    }
    let lines =
        "{\"level\":\"error\",\"event\":\"db timeout after 5000 ms\"}\n{\"level\":\"info\",\"event\":\"tick\"}\n";
    for pod in stage.kube.list("pods") {
        let log = json!({ "metadata": { "annotations": { LOG: lines } } });
        stage.kube.merge("pods", pod["metadata"]["name"].as_str().unwrap(), "kubelet", &log);
    }
    let json = stage.env.run(["triage", "--non-interactive", "-o", "json"]).json();
    let logs = json["data"]["items"].as_array().unwrap().iter().find(|item| item["id"] == "logs").unwrap();
    assert_eq!(logs["evidence"][0], "game: 2 errors in 4 lines: 2x db timeout after # ms", "{json:#}");
}
