//! Laws that hold for any input, seen from outside: whatever backends answer and users type, the program answers in its
//! own words, in time, with a code of its table. Laws of the pure parts stand beside them, in `src`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::support::run::Run;
use crate::support::{Answer, Backends, TestEnv};

/// Each case is a process: enough to find what is common, few enough to stay quick.
fn few() -> ProptestConfig {
    ProptestConfig { cases: 40, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() }
}

const CODES: [i32; 6] = [0, 1, 2, 3, 4, 5];

fn world() -> &'static (Backends, TestEnv) {
    static WORLD: OnceLock<(Backends, TestEnv)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let (backends, env) = (Backends::start(), TestEnv::new());
        env.write("liveops.yaml", backends.config("- { name: players, gauge: game_active_players, by: region }"));
        (backends, env)
    })
}

fn sound(run: &Run) -> Result<(), TestCaseError> {
    prop_assert!(CODES.contains(&run.code), "code {}\n{}", run.code, run.stderr);
    prop_assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    let wild = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    prop_assert!(!wild(&run.stdout) && !wild(&run.stderr), "{:?}\n{:?}", run.stdout, run.stderr);
    Ok(())
}

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["ok", "down", "degraded", "firing", "NaN", "vector", "success"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            any::<String>(),
            prop::sample::select(vec!["status", "data", "result", "labels", "components", "metric", "value"])
                .prop_map(ToOwned::to_owned),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn any_json_from_every_backend_is_survived(body in any_json(), status in prop::sample::select(vec![200_u16, 400, 503])) {
        let (backends, env) = (Backends::start(), &world().1);
        let answer = Answer::json(body).status(status);
        for stub in [&backends.service, &backends.prometheus, &backends.alertmanager] {
            stub.set("*", "/*", answer.clone());
        }
        backends.alertmanager.set("GET", "/api/v2/alerts", answer.clone());
        backends.prometheus.set("GET", "/api/v1/alerts", answer);
        env.write("any.yaml", backends.config("- { name: players, gauge: game_active_players, by: region }"));
        let run = env.run(["status", "--config", "any.yaml", "-o", "json"]);
        sound(&run)?;
        // Nothing that was made up can prove that all is well: the KPI at least is not known.
        prop_assert_ne!(run.code, 0, "{}", run.stdout);
        sound(&env.run(["health", "detailed", "--config", "any.yaml"]))?;
    }

    #[test]
    fn any_exposition_is_read_or_refused(body in "([a-z_]{1,9}(\\{[a-z]{1,3}=\"[^\"\\\\]{0,5}\"\\})? [-+0-9.eEnNaAfFiI]{1,6}( [0-9]{1,14})?\n|# [A-Z]{4} .{0,12}\n|\\PC{0,20}\n){0,6}") {
        let backends = Backends::start();
        backends.expose(&body);
        let env = &world().1;
        let url = backends.service.url();
        for format in ["table", "json", "csv"] {
            let run = env.run(["health", "metrics", "--health", &url, "--config", "/dev/null", "-o", format]);
            sound(&run)?;
            prop_assert!(matches!(run.code, 0 | 3), "{}", run.stderr);
        }
    }

    #[test]
    fn any_words_typed_get_an_answer(words in prop::collection::vec("[a-z-]{1,8}|--[a-z]{2,9}(=\\PC{0,6})?|-[a-zA-Z]|\\PC{0,6}", 0..4)) {
        let env = TestEnv::new();
        let run = env.command(&words).limit(std::time::Duration::from_secs(20)).run();
        prop_assert!(CODES.contains(&run.code), "{words:?}: {} {}", run.code, run.stderr);
        prop_assert!(!run.stderr.contains("panicked"), "{words:?}: {}", run.stderr);
    }

    #[test]
    fn any_configuration_is_taken_or_refused_with_its_place(text in "(version: ?[0-9a-z]{0,3}\n)?((environments|services|kpis|default_env|timeout|x):? ?(\\[|\\{|- |\\PC{0,12})\n? {0,4}){0,5}") {
        let env = TestEnv::new();
        env.write("liveops.yaml", &text);
        let run = env.run(["status"]);
        sound(&run)?;
        prop_assert!(matches!(run.code, 2 | 3), "{} {}", run.code, run.stdout);
        if run.code == 2 {
            prop_assert!(run.stderr.contains("liveops.yaml") || run.stderr.contains("environment"), "{text:?}\n{}", run.stderr);
        }
    }
}
