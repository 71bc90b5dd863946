//! Weights of routes: only the named backends change, and what cannot be told apart is refused.

use crate::kubernetes::route::*;

fn gateway() -> Route {
    Route::Gateway { rule: 0, stable: "a".into(), canary: "b".into() }
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
        (gateway(), httproute(&json!([{ "name": "b", "weight": 0, "port": 80 }, { "name": "a", "port": 80 }]))),
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
    let shared =
        httproute(&json!([{ "name": "a", "weight": 80 }, { "name": "b", "weight": 0 }, { "name": "c", "weight": 20 }]));
    assert!(route.original(&shared).is_err(), "80 cannot be split by the percent");
}

#[test]
fn what_is_ambiguous_or_missing_is_named() {
    let route = gateway();
    for (backends, words) in [
        (json!([{ "name": "a" }]), "no backend `b`"),
        (json!([{ "name": "a" }, { "name": "b" }, { "name": "b" }]), "twice"),
    ] {
        let error = route.share(&httproute(&backends)).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    assert!(Route::Nginx.share(&json!({})).unwrap_err().contains("no canary Ingress"));
    let istio = Route::Istio { route: None, stable: ("a".into(), None), canary: ("b".into(), None) };
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

#[test]
fn a_weight_of_nginx_is_a_part_of_its_total_where_that_is_more_than_100() {
    let canary = |total: &str| {
        json!({ "metadata": { "annotations": {
            "nginx.ingress.kubernetes.io/canary": "true",
            "nginx.ingress.kubernetes.io/canary-weight-total": total,
        } } })
    };
    for (total, weight) in [("1000", "50"), ("50", "5"), ("none", "5")] {
        let object = canary(total);
        let object = apply(&object, Route::Nginx.set(&object, percent(5.0)).expect("set"));
        let annotations = &object["metadata"]["annotations"];
        assert_eq!(annotations["nginx.ingress.kubernetes.io/canary-weight"], weight);
        assert_eq!(Route::Nginx.share(&object), Ok(percent(5.0)), "of {total}");
    }
}

#[test]
fn a_weight_that_is_not_written_is_one_for_gateways_and_nothing_for_istio() {
    let both = httproute(&json!([{ "name": "a" }, { "name": "b" }]));
    assert_eq!(gateway().share(&both), Ok(percent(50.0)));
    let istio = Route::Istio { route: None, stable: ("a".into(), None), canary: ("b".into(), None) };
    let object = json!({ "spec": { "http": [{ "route": [
        { "destination": { "host": "a" }, "weight": 100 },
        { "destination": { "host": "b" } },
    ] }] } });
    assert_eq!(istio.share(&object), Ok(Percent::ZERO));
}

#[test]
fn a_service_that_fits_both_versions_is_narrowed_switched_and_widened_again() {
    let labels = |value: &str| Map::from_iter([("track".to_owned(), json!(value))]);
    let route = Route::Selector { stable: labels("stable"), canary: labels("canary") };
    let start = json!({ "spec": { "selector": { "app": "game" } } });
    let original = route.original(&start).expect("fits both");
    let mut object = start.clone();
    json_patch::merge(&mut object, &route.narrow(&original).expect("too wide"));
    assert_eq!(object["spec"]["selector"], json!({ "app": "game", "track": "stable" }));
    object = apply(&object, route.set(&object, Percent::FULL).expect("set"));
    assert_eq!(route.share(&object), Ok(Percent::FULL));
    object = apply(&object, route.back(&object, &original).expect("back"));
    assert_eq!(object["spec"]["selector"]["track"], "stable", "as long as pods of the canary are there");
    let widened = route.tidy(&object, &original).expect("to widen");
    json_patch::merge(&mut object, &widened);
    assert_eq!(object, start);
    let other = json!({ "spec": { "selector": { "track": "canary" } } });
    assert!(route.original(&other).is_err());
}
