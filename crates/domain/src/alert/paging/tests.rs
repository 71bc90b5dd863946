//! Each place at which an alert can stop, and what is then concluded.

use crate::alert::AlertState;
use crate::alert::deliveries::Counted;
use crate::alert::matcher::Matcher;
use crate::alert::paging::*;
use crate::alert::probe::Part;
use crate::alert::rule::Alerting;
use crate::alert::silence::{Draft, SilenceState};
use crate::metric::labels::Labels;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
}

fn alert(state: AlertState) -> Alert {
    Alert {
        name: "Slow".into(),
        state,
        severity: Some("high".into()),
        labels: Labels::from([("alertname".into(), "Slow".into())]),
        since: Some(now() - chrono::TimeDelta::minutes(2)),
        fingerprint: Some("f1".into()),
        receivers: vec!["pager".into()],
        ..Alert::default()
    }
}

fn rule(alerts: Vec<Alert>) -> Rule {
    Rule {
        group: "game".into(),
        name: "Slow".into(),
        expression: "tick > 0.02".into(),
        alerting: Some(Alerting {
            state: "firing".into(),
            hold: 300.0,
            labels: Labels::from([("severity".into(), "high".into())]),
            annotations: Labels::new(),
            alerts,
        }),
        health: "ok".into(),
        last_error: String::new(),
        evaluation: 0.001,
        last_evaluation: Some(now()),
        interval: 15.0,
    }
}

fn facts(in_prometheus: Vec<Alert>, in_alertmanager: Vec<Alert>) -> Facts {
    Facts {
        name: "Slow".into(),
        now: now(),
        rules: Ok(vec![rule(in_prometheus)]),
        probes: vec![Probed {
            part: Part { query: "tick".into(), needs: Some("> 0.02".into()) },
            series: Ok(vec![(Labels::new(), 0.01)]),
            absent: Vec::new(),
        }],
        unrecorded: None,
        delivery: Ok((vec!["http://am/api/v2/alerts".into()], Vec::new())),
        alerts: Ok(in_alertmanager),
        others: Vec::new(),
        silences: Ok(Vec::new()),
        routing: Ok(Routing { reports_muting: true, has_intervals: Some(false), ..Routing::default() }),
        deliveries: Vec::new(),
        matchers: Vec::new(),
        left_out: 0,
    }
}

fn answers(facts: &Facts) -> String {
    let explanation = explain(facts);
    let steps: Vec<String> =
        explanation.steps.iter().map(|step| format!("{}={}", step.step, step.answer.word())).collect();
    format!(
        "{} | paging={} broken={} | {} | {}",
        steps.join(" "),
        explanation.paging.word(),
        explanation.broken,
        explanation.conclusion,
        explanation.next.unwrap_or_default()
    )
}

const PASSED: &str = "rule=yes evaluated=yes condition=yes held=yes delivered=yes received=yes";

#[test]
fn it_pages() {
    let facts = facts(vec![alert(AlertState::Firing)], vec![alert(AlertState::Firing)]);
    assert_eq!(
        answers(&facts),
        format!(
            "{PASSED} inhibited=no silenced=no muted=no receivers=yes | paging=yes broken=false | \
             `Slow` pages pager | silence add Slow --for 1h --dry-run"
        )
    );
}

#[test]
fn its_condition_does_not_hold() {
    let explanation = explain(&facts(Vec::new(), Vec::new()));
    assert_eq!(explanation.paging, Reply::No);
    assert_eq!(explanation.steps[2].evidence, ["is 0.01; must be > 0.02: `tick`"]);
    assert!(explanation.conclusion.ends_with("its condition does not hold"));
    assert!(!explanation.broken);
}

#[test]
fn it_does_not_hold_for_long_enough() {
    let text = answers(&facts(vec![alert(AlertState::Pending)], Vec::new()));
    assert!(text.contains("held=no"), "{text}");
    assert!(text.contains("for another 3m"), "{text}");
}

#[test]
fn somewhere_the_way_is_broken() {
    let firing = || vec![alert(AlertState::Firing)];
    let mut bad_rule = facts(Vec::new(), Vec::new());
    if let Ok(rules) = &mut bad_rule.rules {
        rules[0].health = "err".into();
    }
    let mut late = facts(Vec::new(), Vec::new());
    if let Ok(rules) = &mut late.rules {
        rules[0].last_evaluation = Some(now() - chrono::TimeDelta::minutes(5));
    }
    let mut nowhere = facts(firing(), Vec::new());
    nowhere.delivery = Ok((Vec::new(), Vec::new()));
    let mut deaf = facts(firing(), firing());
    deaf.routing = Ok(Routing { integrations: Some([("pager".into(), Vec::new())].into()), ..Routing::default() });
    for (facts, part) in [
        (&bad_rule, "does not evaluate its rule"),
        (&late, "does not evaluate its rule"),
        (&nowhere, "delivers to no Alertmanager"),
        (&self::facts(firing(), Vec::new()), "Alertmanager does not have it"),
        (&deaf, "its receiver has no integration"),
    ] {
        let text = answers(facts);
        assert!(text.contains(part), "{part}: {text}");
        assert!(text.contains("broken=true"), "{part}: {text}");
    }
}

#[test]
fn it_is_kept_quiet() {
    let mut silenced = alert(AlertState::Silenced);
    silenced.silenced_by = vec!["s-1".into()];
    let mut facts = facts(vec![alert(AlertState::Firing)], vec![silenced]);
    facts.silences = Ok(vec![Silence {
        id: "s-1".into(),
        state: SilenceState::Active,
        draft: Draft {
            matchers: vec![Matcher::parse("Slow").expect("valid")],
            starts_at: now(),
            ends_at: now() + chrono::TimeDelta::hours(1),
            created_by: "ada".into(),
            comment: "deploying".into(),
            other: serde_json::Map::new(),
        },
    }]);
    let explanation = explain(&facts);
    let step = &explanation.steps[7];
    assert_eq!(step.evidence, ["by silence s-1 of ada for another 1h, until 2023-11-14T23:13:20Z: deploying"]);
    assert_eq!(explanation.next.as_deref(), Some("silence expire s-1"));

    let mut inhibited = alert(AlertState::Inhibited);
    inhibited.inhibited_by = vec!["f2".into()];
    let mut cause = alert(AlertState::Firing);
    cause.name = "Down".into();
    cause.fingerprint = Some("f2".into());
    facts.alerts = Ok(vec![inhibited, alert(AlertState::Firing)]);
    facts.others = vec![cause];
    let text = answers(&facts);
    assert!(text.contains("pages pager with 1 of 2 alerts; the rest: 1 inhibited"), "{text}");
    if let Ok(alerts) = &mut facts.alerts {
        alerts.pop();
    }
    let text = answers(&facts);
    assert!(text.contains("it is inhibited by `Down`"), "{text}");
    assert!(text.ends_with("alerts explain Down"), "{text}");
}

#[test]
fn what_cannot_be_asked_is_unknown() {
    let mut facts = facts(vec![alert(AlertState::Firing)], vec![alert(AlertState::Firing)]);
    facts.routing = Ok(Routing { has_intervals: Some(true), ..Routing::default() });
    assert!(answers(&facts).contains("muted=unknown"));
    facts.alerts = Err("down".into());
    let text = answers(&facts);
    assert!(text.contains("paging=unknown"), "{text}");
    facts.rules = Err("down".into());
    facts.alerts = Ok(Vec::new());
    let text = answers(&facts);
    assert!(text.starts_with("rule=unknown"), "{text}");
    assert!(text.contains("paging=unknown"), "{text}");
}

#[test]
fn a_page_needs_evidence() {
    let firing = || vec![alert(AlertState::Firing)];
    let mut failing = facts(firing(), firing());
    let has_webhook =
        Routing { integrations: Some([("pager".into(), vec!["webhook".into()])].into()), ..Routing::default() };
    failing.routing = Ok(Routing { has_intervals: Some(false), ..has_webhook });
    failing.deliveries = vec![Deliveries {
        integration: "webhook".into(),
        notifications: Counted { all: 7.0, failed: 6.0 },
        ..Deliveries::default()
    }];
    let text = answers(&failing);
    assert!(
        text.contains("receivers=no | paging=no broken=true | `Slow` is handed to pager, whose notifications fail"),
        "{text}"
    );
    let mut waiting = facts(firing(), firing());
    if let Ok(routing) = &mut waiting.routing {
        routing.group_wait = [("pager".into(), std::time::Duration::from_secs(600))].into();
    }
    let text = answers(&waiting);
    assert!(
        text.contains("`Slow` does not page pager yet: its group waits 10m (group_wait), for another 8m"),
        "{text}"
    );
}

#[test]
fn labels_that_no_alert_has_are_said() {
    let mut facts = facts(Vec::new(), Vec::new());
    facts.matchers = vec![Matcher::parse("cluster=eu").expect("valid")];
    facts.left_out = 1;
    let text = answers(&facts);
    assert!(text.contains("condition=unknown") && text.contains("paging=unknown"), "{text}");
    assert!(text.contains("no alert `Slow` has {cluster=\"eu\"}"), "{text}");
    facts.left_out = 0;
    facts.probes[0].series = Err("404".into());
    assert!(answers(&facts).contains("whether `Slow` fires is not known"), "{}", answers(&facts));
}
