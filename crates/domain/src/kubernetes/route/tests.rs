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

#[test]
fn what_a_gateway_says_that_is_no_longer_named_is_of_the_past() {
    let mut object = httproute(&json!([{ "name": "a" }, { "name": "b" }]));
    object["spec"]["parentRefs"] = json!([{ "name": "gw" }]);
    let entry = |name: &str, generation: u64, resolved: &str| {
        json!({ "parentRef": { "name": name, "namespace": "game" }, "conditions": [
            { "type": "Accepted", "status": "True", "observedGeneration": generation },
            { "type": "ResolvedRefs", "status": resolved, "reason": "BackendNotFound", "message": "no b", "observedGeneration": generation },
        ] })
    };
    for (parents, settled, broken) in [
        (json!([entry("gw", 3, "True"), entry("old-gw", 1, "False")]), true, None),
        (json!([entry("gw", 2, "True")]), false, None),
        // A controller that is gone has left its report beside that of the one that is there.
        (json!([entry("gw", 1, "False"), entry("gw", 3, "True")]), true, None),
        (json!([entry("gw", 3, "False")]), true, Some("gateway gw does not resolve a backend (BackendNotFound: no b)")),
    ] {
        object["status"] = json!({ "parents": parents });
        assert_eq!((gateway().is_settled(&object), gateway().broken(&object).as_deref()), (settled, broken));
    }
}

#[test]
fn a_rule_is_found_where_it_is_now_and_a_pair_in_two_rules_is_refused() {
    let pair = || json!({ "backendRefs": [{ "name": "a", "weight": 50 }, { "name": "b", "weight": 50 }] });
    let other = || json!({ "backendRefs": [{ "name": "c" }] });
    let object = |rules: Value| json!({ "spec": { "rules": rules } });
    let moved = object(json!([other(), pair()]));
    assert_eq!(gateway().share(&moved), Ok(percent(50.0)));
    let back = gateway().back(&moved, &json!([100, 0])).expect("the way back");
    assert_eq!(back[0]["path"], "/spec/rules/1/backendRefs/0/name");
    let twice = object(json!([pair(), other(), pair()]));
    let why = gateway().original(&twice).expect_err("ambiguous");
    assert!(why.contains("rules 0, 2 all split between `a` and `b`"), "{why}");
    // One that was added while it is under way keeps nobody from the way back.
    assert!(gateway().back(&twice, &json!([100, 0])).is_ok());
}

#[test]
fn rules_that_reach_the_canary_whatever_the_weight_are_found() {
    let object = json!({ "spec": { "rules": [
        { "backendRefs": [{ "name": "a" }, { "name": "b", "weight": 0 }] },
        { "backendRefs": [{ "name": "a" }] },
        { "matches": [{ "headers": [{ "name": "x-tester", "value": "1" }] }], "backendRefs": [{ "name": "b" }] },
        { "filters": [{ "type": "RequestMirror", "requestMirror": { "backendRef": { "name": "b" } } }], "backendRefs": [{ "name": "a" }] },
    ] } });
    assert_eq!(gateway().strays(&object), [2, 3]);
}
