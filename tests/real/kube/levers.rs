//! The second lever of a way back, where the API server does not take the first.

use serde_json::{Value, json};

use super::faults::said;
use super::stage::{KINDS, LIMIT, NEW, OLD, Stage, essence};
use crate::support::kube::Trouble;
use crate::support::until;

/// Where this write stands in the log, the first that was taken (or not).
fn place(stage: &Stage, resource: &str, words: &str, taken: bool) -> Option<usize> {
    let log = stage.kube.log();
    log.iter().position(|asked| {
        asked.method == "PATCH"
            && asked.path.contains(resource)
            && asked.body.contains(words)
            && asked.is_accepted_write() == taken
    })
}

#[test]
fn subsets_of_istio_are_made_to_mean_the_stable_pods() {
    let stage = Stage::new(
        "{ kind: istio, virtual_service: game, route: primary, stable: { host: game, subset: old }, canary: { host: game, subset: new } }",
    );
    let to =
        |subset: &str, weight: u64| json!({ "destination": { "host": "game", "subset": subset }, "weight": weight });
    let http = json!([{ "name": "primary", "route": [to("old", 100), to("new", 0)] }]);
    let patch = json!({ "spec": { "http": http } });
    stage.kube.merge("virtualservices", "game", "ada", &patch);
    let plan = || {
        let words = ["rollout", "plan", "game", "--image", NEW];
        stage.env.run(words).expect_code(0).stdout
    };
    assert!(plan().contains("one way back alone"), "{}", plan());
    stage.kube.create(&json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": { "name": "game" },
        "spec": { "host": "game.game.svc.cluster.local", "subsets": [
            { "name": "old", "labels": { "track": "stable" } },
            { "name": "new", "labels": { "track": "canary" }, "trafficPolicy": { "tls": { "mode": "DISABLE" } } },
        ] },
    }));
    assert!(!plan().contains("one way back alone"), "{}", plan());
    let rule = || stage.kube.get("destinationrules", "game");
    let before = (stage.essences(), essence(&rule()));
    let mut run = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
    let weight = |route: &Value| route["spec"]["http"][0]["route"][1]["weight"].as_u64();
    until("a weight", LIMIT, || (weight(&stage.kube.get("virtualservices", "game"))? > 0).then_some(()));
    stage.kube.trouble("patch", "virtualservices", Trouble::Forbidden);
    stage.fail();
    until("the second lever", LIMIT, || (rule()["spec"]["subsets"][1]["labels"]["track"] == "stable").then_some(()));
    // It is pulled after the first try, and not after some more.
    let first = place(&stage, "virtualservices/game", "/weight", false).unwrap();
    let second = place(&stage, "destinationrules/game", "/labels", true).unwrap();
    let between = &stage.kube.log()[first + 1..second];
    let again = between.iter().filter(|asked| asked.method == "PATCH" && asked.path.contains("virtualservices"));
    assert_eq!(again.count(), 0);
    let text = said(&stage, "second lever");
    assert!(text.contains("subset `new` of DestinationRule `game`"), "{text}");
    stage.kube.calm();
    assert_eq!(run.code(), Some(1));
    assert_eq!((stage.essences(), essence(&rule())), before);
}

#[test]
fn a_switched_service_that_cannot_be_switched_back_gets_the_old_version_behind_it() {
    let stage = Stage::new(KINDS[3].1);
    let before = stage.essences();
    let words = ["rollout", "bluegreen", "game", "--image", NEW];
    let mut run = stage.begin(&[&words[..], &["--policy", "windowed", "--yes"]].concat());
    stage.until_phase("window");
    stage.kube.trouble("patch", "services", Trouble::Forbidden);
    stage.fail();
    until("the second lever", LIMIT, || (stage.image("game-canary") == OLD).then_some(()));
    let text = said(&stage, "second lever");
    assert!(text.contains("returns to game:1, pod by pod"), "{text}");
    stage.kube.calm();
    assert_eq!(run.code(), Some(1));
    assert_eq!(stage.essences(), before);
}
