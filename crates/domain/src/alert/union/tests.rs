//! The union of both sources, in tables and over random worlds.

use proptest::prelude::*;

use super::*;
use crate::alert::rule::Alerting;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
}

fn labels(text: &str) -> Labels {
    text.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

fn alert(text: &str, state: AlertState) -> Alert {
    let labels = labels(text);
    let name = labels.get("alertname").cloned().unwrap_or_default();
    Alert { name, state, labels, since: Some(now() - TimeDelta::hours(1)), ..Alert::default() }
}

fn rule(name: &str, alerts: Vec<Alert>) -> Rule {
    Rule {
        group: "g".into(),
        name: name.into(),
        expression: "x".into(),
        alerting: Some(Alerting {
            state: "firing".into(),
            hold: 0.0,
            labels: Labels::new(),
            annotations: Labels::new(),
            alerts,
        }),
        health: "ok".into(),
        last_error: String::new(),
        evaluation: 0.0,
        last_evaluation: None,
        interval: 15.0,
    }
}

fn down<T>() -> Answered<T> {
    Some(Err(Error::internal("down")))
}

fn both(fired: Vec<Alert>, held: Vec<Alert>, sending: Option<Sending>) -> Union {
    let rules = [rule("A", Vec::new())];
    let answers = Answers {
        fired: Some(Ok(fired)),
        rules: Some(Ok(&rules)),
        held: Some(Ok(held)),
        sending,
        ..Answers::default()
    };
    union(answers, now()).expect("both answered")
}

fn told(union: &Union) -> Vec<(String, AlertState, Option<Delivery>)> {
    let row =
        |alert: &Alert| (alert.labels.values().cloned().collect::<Vec<_>>().join(" "), alert.state, alert.delivery);
    union.alerts.iter().map(row).collect()
}

fn external(text: &str) -> Option<Sending> {
    Some(Sending { external: labels(text), ..Sending::default() })
}

#[test]
fn alerts_are_joined_by_label_set_and_never_by_name() {
    use AlertState::{Firing, Pending, Silenced};
    use Delivery::{Delivered, NotFiring, Undelivered};
    let fired =
        || vec![alert("alertname=A i=1", Firing), alert("alertname=A i=2", Firing), alert("alertname=B", Pending)];
    let row = |text: &str, state, delivery| (text.to_owned(), state, delivery);
    // Another instance of the same name did not arrive.
    let found = both(fired(), vec![alert("alertname=A i=1", Silenced)], external(""));
    assert_eq!(
        told(&found),
        [row("A 1", Silenced, Some(Delivered)), row("A 2", Firing, Some(Undelivered)), row("B", Pending, None)]
    );
    assert_eq!(found.faults, ["Alertmanager does not have `A`, which Prometheus fires: nobody may be paged"]);
    // A flood is one sentence.
    let flood = (0..300).map(|n| alert(&format!("alertname=A{n:03}"), Firing)).collect();
    assert_eq!(
        both(flood, Vec::new(), external("")).faults,
        ["Alertmanager does not have `A000`, `A001`, `A002` and 297 more, which Prometheus fires: nobody may be paged"]
    );
    // External labels are reckoned with; those of another Prometheus are not ours.
    let held = || vec![alert("alertname=A cluster=eu i=1", Firing), alert("alertname=A cluster=us i=2", Firing)];
    let found = both(fired(), held(), external("cluster=eu"));
    assert_eq!(
        told(&found)[..3],
        [
            row("A eu 1", Firing, Some(Delivered)),
            row("A us 2", Firing, Some(NotFiring)),
            row("A 2", Firing, Some(Undelivered))
        ]
    );
    // Where they are not known, a label set within the other is the same alert.
    let found = both(fired(), held(), None);
    assert_eq!(told(&found).iter().filter(|one| one.2 == Some(Delivered)).count(), 2);
    // A narrower alert is not taken for the wider one.
    let nested = vec![alert("alertname=A", Firing), alert("alertname=A i=1", Firing)];
    let found = both(nested, vec![alert("alertname=A i=1", Firing)], None);
    assert_eq!(told(&found), [row("A 1", Firing, Some(Delivered)), row("A", Firing, Some(Undelivered))]);
}

#[test]
fn relabelling_is_given_the_benefit_of_the_doubt() {
    use AlertState::Firing;
    let sending = |drops| Some(Sending { external: labels("replica=a"), relabels: true, drops });
    let fired = || vec![alert("alertname=A i=1 pod=x", Firing), alert("alertname=C", Firing)];
    let found = both(fired(), vec![alert("alertname=A i=1", Firing)], sending(true));
    let deliveries: Vec<_> = found.alerts.iter().map(|alert| alert.delivery).collect();
    assert_eq!(deliveries, [Some(Delivery::Delivered), Some(Delivery::Underway)]);
    let found = both(fired(), vec![alert("alertname=A i=1", Firing)], sending(false));
    assert!(found.alerts[1].is_undelivered());
}

#[test]
fn alerts_without_anybody_to_send_them_to_are_a_fault() {
    let rules = [rule("A", Vec::new())];
    let with = |rules, tells_nobody| {
        let answers =
            Answers { fired: Some(Ok(Vec::new())), rules: Some(Ok(rules)), tells_nobody, ..Answers::default() };
        union(answers, now()).expect("answered").faults
    };
    assert_eq!(with(&rules, true).len(), 1);
    assert!(with(&rules, false).is_empty() && with(&[], true).is_empty());
}

#[test]
fn what_has_just_begun_is_on_its_way() {
    let mut young = alert("alertname=A", AlertState::Firing);
    for (seconds, started, want) in [
        (60, None, Delivery::Underway),
        (80, None, Delivery::Undelivered),
        (3600, Some(30), Delivery::Underway),
        (3600, Some(100), Delivery::Undelivered),
    ] {
        young.since = Some(now() - TimeDelta::seconds(seconds));
        let answers = Answers {
            fired: Some(Ok(vec![young.clone()])),
            rules: Some(Ok(&[rule("A", Vec::new())])),
            held: Some(Ok(Vec::new())),
            sending: None,
            alertmanager_since: started.map(|ago| now() - TimeDelta::seconds(ago)),
            tells_nobody: false,
        };
        let found = union(answers, now()).expect("both answered");
        assert_eq!(found.alerts[0].delivery, Some(want), "{seconds} {started:?}");
    }
}

#[test]
fn one_answer_is_enough_what_it_lacks_is_said_and_none_is_an_error() {
    let one = || Some(Ok(vec![alert("alertname=A", AlertState::Firing)]));
    let ask = |held, fired| union(Answers { held, fired, ..Answers::default() }, now());
    let found = ask(down(), one()).expect("prometheus answered");
    assert_eq!((found.origin, found.gaps.len()), (Origin::Prometheus, 1));
    let found = ask(one(), down()).expect("alertmanager answered");
    assert_eq!(found.origin, Origin::Alertmanager);
    assert!(found.gaps[0].starts_with("nobody evaluates the rules"), "{:?}", found.gaps);
    assert!(ask(None, one()).expect("prometheus answered").gaps.is_empty(), "what is not configured is not missed");
    assert!(ask(down(), down()).is_err() && ask(None, down()).is_err());
}

#[test]
fn no_rule_is_not_none_firing() {
    fn ask(rules: Option<std::result::Result<&[Rule], &Error>>) -> Union {
        union(Answers { fired: Some(Ok(Vec::new())), rules, ..Answers::default() }, now()).expect("answered")
    }
    assert_eq!(ask(Some(Ok(&[]))).gaps, ["Prometheus has no alerting rule: nothing can fire"]);
    assert!(ask(Some(Err(&Error::internal("down")))).gaps[0].starts_with("whether a rule is loaded is not known"));
    assert!(ask(Some(Ok(&[rule("A", Vec::new())]))).gaps.is_empty());
    // What only the rules list fires, too.
    let fires = rule("A", vec![alert("alertname=A", AlertState::Firing)]);
    assert_eq!(ask(Some(Ok(&[fires]))).alerts.len(), 1);
}

#[test]
fn the_words_of_every_make_are_read() {
    use AlertState::{Firing, Pending, Unknown};
    for (word, want) in [
        ("firing", Some(Firing)),
        ("Alerting", Some(Firing)),
        ("Alerting (NoData)", Some(Firing)),
        ("recovering", Some(Firing)),
        ("PENDING", Some(Pending)),
        ("inactive", None),
        ("Normal", None),
        ("Normal (Updated)", None),
        ("Normal (NoData)", Some(Unknown)),
        ("NoData", Some(Unknown)),
        ("Error", Some(Unknown)),
        ("unknown", Some(Unknown)),
        ("", Some(Unknown)),
    ] {
        assert_eq!(AlertState::of_word(word), want, "{word}");
    }
}

#[test]
fn the_configuration_says_what_is_added_on_the_way() {
    let config = "global:\n  scrape_interval: 1s\n  external_labels:\n    cluster: eu\n    shard: 1\nalerting:\n  alert_relabel_configs:\n  - regex: replica\n    action: labeldrop\nscrape_configs:\n- job_name: x\n  relabel_configs:\n  - action: drop\n";
    let read = Sending::of_config(config).expect("has a global section");
    assert_eq!(read, Sending { external: labels("cluster=eu shard=1"), relabels: true, drops: false });
    assert_eq!(Sending::of_config("global:\n  scrape_interval: 1s\n"), Some(Sending::default()));
    assert_eq!(Sending::of_config(""), None);
}

/// Label sets from few names and values, so that they meet.
fn some_labels() -> impl Strategy<Value = Labels> {
    let pair = ("[abc]", "[xy]");
    (prop::sample::select(vec!["A", "B"]), prop::collection::vec(pair, 0..3)).prop_map(|(name, pairs)| {
        let name = ("alertname".to_owned(), name.to_owned());
        pairs.into_iter().chain([name]).collect()
    })
}

fn some_alerts(states: Vec<AlertState>) -> impl Strategy<Value = Vec<Alert>> {
    prop::collection::btree_map(some_labels(), prop::sample::select(states), 0..6).prop_map(|all| {
        let one = |(labels, state): (Labels, AlertState)| Alert {
            name: labels["alertname"].clone(),
            state,
            labels,
            since: Some(now() - TimeDelta::hours(1)),
            ..Alert::default()
        };
        all.into_iter().map(one).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing that either source fires is lost, nothing is made up, and with the external labels known each alert is
    /// delivered exactly when Alertmanager has its labels and the external ones.
    #[test]
    fn no_world_loses_an_alert(
        fired in some_alerts(vec![AlertState::Firing, AlertState::Pending, AlertState::Unknown]),
        held in some_alerts(vec![AlertState::Firing, AlertState::Silenced, AlertState::Inhibited, AlertState::Muted]),
        added in prop::option::of(prop::sample::select(vec!["", "c=x", "d=z"])),
    ) {
        let sending = added.and_then(external);
        let found = both(fired.clone(), held.clone(), sending.clone());
        // Everything that Alertmanager has is there, as it has it.
        for alert in &held {
            let same = found.alerts.iter().filter(|one| one.labels == alert.labels && one.state == alert.state);
            prop_assert!(same.count() >= 1, "{alert:?} is lost");
        }
        for alert in &fired {
            let sent: Labels = sending.iter().flat_map(|sending| sending.external.clone()).chain(alert.labels.clone()).collect();
            let there = match &sending {
                Some(_) => held.iter().any(|one| one.labels == sent),
                None => held.iter().any(|one| alert.labels.iter().all(|(name, value)| one.labels.get(name) == Some(value))),
            };
            let mine = found.alerts[held.len()..].iter().find(|one| one.labels == alert.labels);
            if sending.is_some() {
                prop_assert_eq!(mine.is_none(), there, "{:?} of {:?}", alert, &found);
            } else if !there {
                prop_assert!(mine.is_some(), "{:?} is lost", alert);
            }
            if let Some(mine) = mine {
                let want = (alert.state == AlertState::Firing).then_some(Delivery::Undelivered);
                prop_assert_eq!(mine.delivery, want);
            }
        }
        prop_assert!(found.alerts.len() <= held.len() + fired.len());
        prop_assert!(found.alerts[..held.len()].iter().all(|one| one.delivery.is_some()));
        prop_assert!(found.gaps.is_empty());
        let undelivered = found.alerts.iter().any(Alert::is_undelivered);
        prop_assert_eq!(undelivered, !found.faults.is_empty());
    }
}
