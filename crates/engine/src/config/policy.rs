//! `policies`: by which rules new versions are rolled out. What a policy does not say is as in the built-in `standard`.

use std::collections::BTreeMap;

use crate::config::decode::{Problems, Section};
use crate::config::node::{Node, Origin};
use crate::config::schema::Settings;
use crate::config::service::Service;
use liveops_domain::guard::expression::Condition;
use liveops_domain::guard::no_data::OnNoData;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::rollout::exposure::Percent;
use liveops_domain::rollout::fleet::OnRegionFailure;
use liveops_domain::rollout::plan::{ApprovalRule, Gate, Rules};
use liveops_domain::rollout::schedule;
use liveops_domain::text::duration::{parse, parse_positive};
use liveops_domain::text::suggest::nearest;

/// The policy that is always there.
pub const STANDARD: &str = "standard";

/// The policies, by name.
pub type Policies = BTreeMap<String, Rules>;

/// Reads `policies`.
pub fn decode_all(top: &mut Section<'_>, problems: &mut Problems) -> Policies {
    let mut policies = Policies::from([(STANDARD.to_owned(), Rules::default())]);
    for (name, node) in top.entries("policies", problems) {
        let rules = decode(node, &format!("policies.{name}"), problems);
        policies.insert(name.to_owned(), rules);
    }
    policies
}

fn decode(node: &Node, path: &str, problems: &mut Problems) -> Rules {
    let usual = Rules::default();
    let mut section = Section::open(node, path, problems);
    let mut rules = decode_canary(&mut section, problems);
    let whole = |text: &str| {
        text.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(|| format!("`{text}` is not a whole number above 0"))
    };
    if let Some(list) = conditions(&mut section, "success", problems) {
        rules.success = list;
    }
    if let Some(list) = conditions(&mut section, "rollback", problems) {
        rules.rollback = list;
    }
    if rules.success.is_empty() && rules.rollback.is_empty() {
        problems.error(section.origin(), path, "has neither `success` nor `rollback`: nothing would be looked at");
    }
    rules.min_samples = section.parse("min_samples", problems, whole).unwrap_or(usual.min_samples);
    rules.confirmations = section
        .parse("confirmations", problems, |text| whole(text).map(|n| u32::try_from(n).unwrap_or(u32::MAX)))
        .unwrap_or(usual.confirmations);
    rules.max_blind = section.parse("max_blind", problems, parse_positive).unwrap_or(usual.max_blind);
    rules.window = section.parse("rollback_window", problems, parse).unwrap_or(usual.window);
    rules.hold_timeout = section.parse("hold_timeout", problems, parse_positive).unwrap_or(usual.hold_timeout);
    rules.rollback_timeout =
        section.parse("rollback_timeout", problems, parse_positive).unwrap_or(usual.rollback_timeout);
    rules.start_deadline = section.parse("start_deadline", problems, parse_positive).unwrap_or(usual.start_deadline);
    rules.scrape_interval = section.parse("scrape_interval", problems, parse_positive).unwrap_or(usual.scrape_interval);
    rules.on_region_failure = section
        .parse("on_region_failure", problems, |text| {
            let found = OnRegionFailure::ALL.iter().find(|(word, _)| *word == text);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words = OnRegionFailure::ALL.map(|(word, _)| word).join(", ");
                format!("`{text}` is none of {words}")
            })
        })
        .unwrap_or_default();
    rules.on_no_data = on_no_data(&mut section, &rules, problems);
    rules.error_budget = section
        .parse("error_budget", problems, |text| liveops_domain::metric::promql::check(text).map(|()| text.to_owned()));
    if section.get("preflight").is_some() {
        let path = section.path("preflight");
        let list = section.list("preflight", problems);
        rules.preflight = list.iter().filter_map(|node| gate(node, &path, problems)).collect();
    }
    rules.approval = section.get("approval").map(|node| approval(node, &section.path("approval"), problems));
    section.finish(problems);
    rules
}

fn decode_canary(section: &mut Section<'_>, problems: &mut Problems) -> Rules {
    let mut rules = Rules::default();
    let Some(node) = section.get("canary") else {
        return rules;
    };
    let path = section.path("canary");
    let mut canary = Section::open(node, path.clone(), problems);
    let initial = canary.parse("initial", problems, Percent::parse);
    let increment = canary.parse("increment", problems, Percent::parse);
    let steps: Vec<&str> = canary.list("steps", problems).iter().filter_map(Node::text).collect();
    let made = if steps.is_empty() {
        let usual = |value, other: f64| Option::or(value, Percent::new(other));
        let both = usual(initial, 5.0).zip(usual(increment, 10.0));
        both.map(|(initial, increment)| schedule::regular(initial, increment))
    } else {
        Some(schedule::given(&steps.join(",")))
    };
    match made {
        Some(Ok(steps)) => rules.steps = steps,
        Some(Err(message)) => problems.error(&node.origin, &path, message),
        None => {}
    }
    let mut time =
        |key: &'static str, usual: std::time::Duration| canary.parse(key, problems, parse_positive).unwrap_or(usual);
    rules.interval = time("interval", rules.interval);
    // A fast policy looks often enough, and does not wait for minutes where it counts in seconds.
    rules.poll = time("poll", rules.poll.min(rules.interval / 2));
    rules.max_step = time("max_step", rules.interval * 3);
    rules.propagation = time("propagation", rules.propagation.min(rules.interval / 4));
    canary.finish(problems);
    rules
}

fn conditions(section: &mut Section<'_>, key: &'static str, problems: &mut Problems) -> Option<Vec<String>> {
    section.get(key)?;
    let path = section.path(key);
    let mut texts = Vec::new();
    for node in section.list(key, problems) {
        let text = node.text().unwrap_or_default();
        match Condition::parse(text) {
            Ok(condition) => texts.push(condition.text().to_owned()),
            Err(error) => problems.error(&node.origin, &path, error.to_string()),
        }
    }
    Some(texts)
}

/// What a metric without data means, by the name of the metric; it must be one that a condition asks for.
fn on_no_data(section: &mut Section<'_>, rules: &Rules, problems: &mut Problems) -> BTreeMap<String, OnNoData> {
    let path = section.path("on_no_data");
    let asked: Vec<String> = rules
        .success
        .iter()
        .chain(&rules.rollback)
        .filter_map(|text| match Condition::parse(text) {
            Ok(Condition::Metric(written)) => Some(written.metric),
            _ => None,
        })
        .collect();
    let mut found = BTreeMap::new();
    for (name, node) in section.entries("on_no_data", problems) {
        let text = node.text().unwrap_or_default();
        let known = OnNoData::ALL.iter().find(|(word, _)| *word == text);
        let place = format!("{path}.{name}");
        if !asked.iter().any(|metric| metric == name) {
            let near = nearest(name, asked.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let message = format!("no condition of the policy asks for `{name}`{near}");
            problems.error(&node.origin, &place, message);
        } else if let Some((_, meaning)) = known {
            found.insert(name.to_owned(), *meaning);
        } else {
            let words = OnNoData::ALL.map(|(word, _)| word).join(", ");
            let message = format!("`{text}` is none of {words}");
            problems.error(&node.origin, &place, message);
        }
    }
    found
}

fn gate(node: &Node, path: &str, problems: &mut Problems) -> Option<Gate> {
    let text = node.text().unwrap_or_default();
    let names = || Gate::ALL.iter().map(|(name, _)| *name);
    let found = Gate::ALL.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let help = nearest(text, names()).map_or_else(
            || format!("there is {}", names().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        problems.error(&node.origin, path, format!("there is no gate `{text}`; {help}"));
    }
    found.map(|(_, gate)| *gate)
}

fn approval(node: &Node, path: &str, problems: &mut Problems) -> ApprovalRule {
    let mut section = Section::open(node, path, problems);
    let before = section
        .list("before", problems)
        .iter()
        .filter_map(|node| match Percent::parse(node.text().unwrap_or_default()) {
            Ok(percent) => Some(percent),
            Err(message) => {
                problems.error(&node.origin, &format!("{path}.before"), message);
                None
            }
        })
        .collect();
    let by = section.parse("by", problems, |text| {
        text.parse::<u32>()
            .ok()
            .filter(|n| (1..=20).contains(n))
            .ok_or_else(|| format!("`{text}` is not a number of people, 1 to 20"))
    });
    let expires = section.parse("expires", problems, parse_positive);
    section.finish(problems);
    ApprovalRule { before, by: by.unwrap_or(1), expires: expires.unwrap_or(std::time::Duration::from_secs(3600)) }
}

/// The metrics that a service's guard expressions may name: its own, then the KPIs.
pub fn metrics(service: &Service, kpis: &[Kpi]) -> Vec<Kpi> {
    let own = service.rollout.iter().flat_map(|rollout| &rollout.metrics);
    let others = kpis.iter().filter(|kpi| kpi.service.as_ref().is_none_or(|name| *name == service.name));
    own.chain(others).cloned().collect()
}

/// A service names a policy that there is, and the policy names metrics that the service has.
pub fn check(settings: &Settings, problems: &mut Problems) {
    let policies = &settings.policies;
    for service in &settings.services {
        let Some((name, origin)) = service.rollout.as_ref().and_then(|rollout| rollout.policy.as_ref()) else {
            continue;
        };
        let path = format!("services.{}.rollout.policy", service.name);
        let Some(rules) = policies.get(name) else {
            unknown(name, origin, &path, policies, problems);
            continue;
        };
        let metrics = metrics(service, &settings.known_kpis());
        for text in rules.success.iter().chain(&rules.rollback) {
            if let Ok(Condition::Metric(written)) = Condition::parse(text)
                && let Err(error) = written.bind(&metrics)
            {
                problems.error(origin, &path, format!("policy `{name}`: {error}"));
            }
        }
    }
}

fn unknown(name: &str, origin: &Origin, path: &str, policies: &Policies, problems: &mut Problems) {
    let names = || policies.keys().map(String::as_str);
    let help = nearest(name, names()).map_or_else(
        || format!("there is {}", names().collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    problems.error(origin, path, format!("there is no policy `{name}`; {help}"));
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse as yaml;
    use crate::config::{presets, schema};

    fn read(text: &str) -> (Policies, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = yaml(text, &layer).expect("valid").root;
        let mut problems = Problems::default();
        let settings = schema::decode(&root, "prod", &mut problems);
        let errors = problems.errors.iter().map(ToString::to_string);
        (settings.policies, errors.collect())
    }

    /// What `init` writes, without the marks before it.
    #[test]
    fn the_policy_in_a_new_file_is_the_built_in_one() {
        let file = presets::render(presets::Preset::HttpApi, &presets::Answers::default());
        let file = file.expect("rendered");
        let from = file.find("# policies:").expect("it is in there");
        let block = file[from..].split("\n\n").next().unwrap_or_default();
        let lines = block.lines().filter_map(|line| line.strip_prefix("# "));
        let text: Vec<&str> = lines.collect();
        let (mut policies, errors) = read(&text.join("\n"));
        assert_eq!(errors, Vec::<String>::new());
        let standard = policies.get_mut(STANDARD).expect("it is there");
        assert_eq!(standard.on_no_data["error_rate"], OnNoData::Hold);
        standard.on_no_data.clear();
        assert_eq!(*standard, Rules::default());
    }

    #[test]
    fn a_policy_is_read_and_the_rest_is_as_usual() {
        let (policies, errors) = read(
            "policies:\n  fast:\n    canary: { initial: 50%, increment: 50%, interval: 4s }\n    success: [ 'error_rate < 1%' ]\n    rollback: []\n    min_samples: 20\n    rollback_window: 0s\n    preflight: []\n    on_no_data: { error_rate: pass }\n    rollback_timeout: 2m\n    on_region_failure: all\n    approval: { before: [50%], by: 2 }\n",
        );
        assert_eq!(errors, Vec::<String>::new());
        let fast = &policies["fast"];
        assert_eq!(fast.steps.len(), 2);
        assert_eq!(fast.poll.as_secs(), 2);
        assert_eq!(fast.max_step.as_secs(), 12);
        assert!(fast.window.is_zero() && fast.preflight.is_empty());
        assert_eq!(fast.approval.as_ref().map(|rule| rule.by), Some(2));
        assert_eq!(fast.on_no_data["error_rate"], OnNoData::Pass);
        assert_eq!(fast.rollback_timeout.as_secs(), 120);
        assert_eq!(fast.on_region_failure, OnRegionFailure::All);
        assert_eq!(fast.max_blind, Rules::default().max_blind);
        assert_eq!(policies["standard"], Rules::default());
    }

    #[test]
    fn every_slip_has_its_line() {
        for (text, want) in [
            (
                "policies:\n  a:\n    sucess: []",
                "liveops.yaml:3: `policies.a.sucess`: unknown key; did you mean `success`?",
            ),
            (
                "policies:\n  a:\n    success: [ 'error_rate = 1%' ]",
                "liveops.yaml:3: `policies.a.success`: `error_rate = 1%`, column 12",
            ),
            ("policies:\n  a:\n    preflight: [ capacty ]", "did you mean `capacity`?"),
            ("policies:\n  a:\n    canary: { initial: 0% }", "must be above 0%"),
            ("policies:\n  a:\n    canary: { steps: [20, 10] }", "the steps must rise"),
            (
                "policies:\n  a:\n    success: [ 'errors < 1%' ]\n    rollback: []\n    on_no_data: { erors: pass }",
                "liveops.yaml:5: `policies.a.on_no_data.erors`: no condition of the policy asks for `erors`; did you mean `errors`?",
            ),
            (
                "policies:\n  a:\n    success: [ 'errors < 1%' ]\n    rollback: []\n    on_no_data: { errors: ignore }",
                "`ignore` is none of hold, pass, fail",
            ),
            ("policies:\n  a:\n    min_samples: 0", "whole number above 0"),
            ("policies:\n  a: { success: [], rollback: [] }", "nothing would be looked at"),
            (
                "policies: { fast: { success: [ 'eror_rate < 1%' ], rollback: [] } }\nservices:\n  - name: game\n    rollout: { policy: fast, traffic: { kind: nginx, ingress: i }, metrics: { error_rate: { ratio: { of: a, to: b } } } }",
                "liveops.yaml:4: `services.game.rollout.policy`: policy `fast`: `eror_rate < 1%`, column 1: there is no metric `eror_rate`; did you mean `error_rate`?",
            ),
            (
                "services:\n  - name: game\n    rollout: { policy: standart, traffic: { kind: nginx, ingress: i } }",
                "did you mean `standard`?",
            ),
        ] {
            let errors = read(text).1;
            assert!(errors.iter().any(|error| error.contains(want)), "{text}: {errors:?}");
        }
    }
}
