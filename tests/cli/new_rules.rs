//! What `new` writes passes liveops' own gates, also as an object of the Prometheus operator.

use crate::new::env;

#[test]
fn what_is_written_passes_the_gates() {
    let env = env();
    env.run(["new", "alertmanager"]).expect_code(0);
    for (more, file) in
        [(&[][..], "monitoring/rules/liveops.yml"), (&["--format", "operator"][..], "monitoring/operator/liveops.yaml")]
    {
        env.run(["new", "alert-rules"].iter().chain(more)).expect_code(0);
        let run = env.run(["check", "alerts", file, "--fail-on", "high", "-o", "json"]);
        assert_eq!(run.code, 0, "{file}: {}", run.stdout);
        let books = env.run(["runbook", "check", "--rules", file, "-o", "json"]).expect_code(0);
        assert!(books.json()["data"]["checked"]["runbooks"].as_u64() >= Some(8), "{}", books.stdout);
        env.run(["new", "--check", file]).expect_code(0);
    }
    // The rules are the same, in an object that asks for the labels that its operator selects by.
    let (plain, object) = (env.read("monitoring/rules/liveops.yml"), env.read("monitoring/operator/liveops.yaml"));
    let yaml = |text: &str| serde_yaml::from_str::<serde_yaml::Value>(text).expect("YAML");
    let (plain, parsed) = (yaml(&plain), yaml(&object));
    assert_eq!(
        (parsed["kind"].as_str(), parsed["metadata"]["name"].as_str()),
        (Some("PrometheusRule"), Some("starfall-liveops"))
    );
    assert_eq!(parsed["spec"]["groups"], plain["groups"]);
    assert!(object.contains("ruleSelector"), "{object}");
    // A number that is changed by hand is seen, and what is written by hand is kept.
    env.write("monitoring/operator/liveops.yaml", object.replacen("for: ", "for: 9", 1));
    env.run(["new", "--check", "monitoring/operator/liveops.yaml"]).expect_code(1);
    env.write("monitoring/operator/liveops.yaml", object.replacen("labels: {}", "labels: { release: prom }", 1));
    env.run(["new", "alert-rules", "--format", "operator"]).expect_code(0);
    assert!(env.read("monitoring/operator/liveops.yaml").contains("labels: { release: prom }"));
}
