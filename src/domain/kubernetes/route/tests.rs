//! Weights of routes: only the named backends change, and what cannot be told apart is refused.

use super::*;

fn gateway() -> Route {
    Route::Gateway {
        rule: 0,
        stable: "a".into(),
        canary: "b".into(),
    }
}

fn percent(value: f64) -> Percent {
    Percent::new(value).expect("a percentage")
}

fn apply(object: &Value, operations: Vec<Value>) -> Value {
    let patch: json_patch::Patch = serde_json::from_value(operations.into()).expect("a patch");
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).expect("applies");
    object
}

fn httproute(backends: &Value) -> Value {
    json!({ "metadata": { "generation": 3 }, "spec": { "rules": [{ "backendRefs": backends }] } })
}

#[test]
fn weights_are_set_and_taken_back_to_the_byte() {
    let objects = [
        (
            gateway(),
            httproute(
                &json!([{ "name": "b", "weight": 0, "port": 80 }, { "name": "a", "port": 80 }]),
            ),
        ),
        (
            gateway(),
            httproute(
                &json!([{ "name": "a", "weight": 180 }, { "name": "c", "weight": 20 }, { "name": "b", "weight": 0 }]),
            ),
        ),
        (
            Route::Istio {
                route: Some("primary".into()),
                stable: ("g".into(), Some("v1".into())),
                canary: ("g".into(), Some("v2".into())),
            },
            json!({ "spec": { "http": [
                { "name": "other", "route": [{ "destination": { "host": "x" } }] },
                { "name": "primary", "route": [{ "destination": { "host": "g", "subset": "v1" }, "weight": 100 }, { "destination": { "host": "g", "subset": "v2" }, "weight": 0 }] },
            ] } }),
        ),
        (
            Route::Nginx,
            json!({ "metadata": { "annotations": { "nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-by-cookie": "tester" } } }),
        ),
        (
            Route::Selector {
                stable: Map::from_iter([("v".to_owned(), json!("blue"))]),
                canary: Map::from_iter([("v".to_owned(), json!("green"))]),
            },
            json!({ "spec": { "selector": { "app": "game", "v": "blue" } } }),
        ),
    ];
    for (route, start) in objects {
        let original = route.original(&start).expect("as configured");
        let mut object = start.clone();
        assert_eq!(route.share(&object), Ok(Percent::ZERO), "{route:?}");
        for share in [5.0, 33.0, 100.0] {
            let operations = route.set(&object, percent(share)).expect("can be set");
            object = apply(&object, operations);
            let (got, wanted) = (route.share(&object), route.effective(percent(share)));
            let apart = (got.expect("a share").get() - wanted.get()).abs();
            assert!(apart < 0.5, "{route:?}: {apart}");
        }
        object = apply(&object, route.back(&object, &original).expect("a way back"));
        assert_eq!(route.share(&object), Ok(Percent::ZERO));
        if let Some(patch) = route.tidy(&object, &original) {
            json_patch::merge(&mut object, &patch);
        }
        assert_eq!(object, start, "{route:?}");
    }
}

#[test]
fn tenths_of_a_percent_are_kept_and_others_keep_their_share() {
    let route = gateway();
    let object = httproute(&json!([{ "name": "a" }, { "name": "b", "weight": 0 }]));
    let object = apply(&object, route.set(&object, percent(12.5)).expect("set"));
    assert_eq!(object["spec"]["rules"][0]["backendRefs"][1]["weight"], 125);
    let shared = httproute(
        &json!([{ "name": "a", "weight": 80 }, { "name": "b", "weight": 0 }, { "name": "c", "weight": 20 }]),
    );
    assert!(
        route.original(&shared).is_err(),
        "80 cannot be split by the percent"
    );
}

#[test]
fn what_is_ambiguous_or_missing_is_named() {
    let route = gateway();
    for (backends, words) in [
        (json!([{ "name": "a" }]), "no backend `b`"),
        (
            json!([{ "name": "a" }, { "name": "b" }, { "name": "b" }]),
            "twice",
        ),
    ] {
        let error = route.share(&httproute(&backends)).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    assert!(
        Route::Nginx
            .share(&json!({}))
            .unwrap_err()
            .contains("no canary Ingress")
    );
    let istio = Route::Istio {
        route: None,
        stable: ("a".into(), None),
        canary: ("b".into(), None),
    };
    let two = json!({ "spec": { "http": [{}, {}] } });
    assert!(istio.share(&two).unwrap_err().contains("2 HTTP routes"));
}

#[test]
fn a_gateway_has_settled_when_it_accepts_the_present_generation() {
    let mut object = httproute(&json!([]));
    assert!(gateway().is_settled(&object), "no gateway says anything");
    for (generation, settled) in [(2, false), (3, true)] {
        object["status"] = json!({ "parents": [{ "conditions": [{ "type": "Accepted", "status": "True", "observedGeneration": generation }] }] });
        assert_eq!(gateway().is_settled(&object), settled);
    }
}
