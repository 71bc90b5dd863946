//! The `rollout` section of a service: how its traffic is split, how its two versions are told apart in the metrics,
//! and which metrics guard expressions may name.

use crate::config::decode::{Problems, Section, argument};
use crate::config::endpoint::{Endpoint, HTTP, Member};
use crate::config::node::{Node, Origin};
use crate::config::{endpoint, kpi};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;
use liveops_domain::text::suggest::nearest;

/// What a service says of its rollouts.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Name of the policy that is used when none is given, and where it was written.
    pub policy: Option<(String, Origin)>,
    pub traffic: Traffic,
    pub tracks: Tracks,
    pub metrics: Vec<Kpi>,
}

/// Label matchers that tell the two versions apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracks {
    pub stable: Labels,
    pub canary: Labels,
}

/// A backend of an Istio route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub host: String,
    pub subset: Option<String>,
}

/// How the traffic is split. Names become arguments of `kubectl`, and are checked for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traffic {
    /// Two Deployments behind one Service; the share is that of the pods.
    Replicas { stable: String, canary: String, service: String },
    /// A Gateway API HTTPRoute; names of backends.
    GatewayApi { route: String, rule: usize, stable: String, canary: String },
    /// An Istio VirtualService; `route` is the name of the HTTP route in it.
    Istio { virtual_service: String, route: Option<String>, stable: Destination, canary: Destination },
    /// The canary Ingress of ingress-nginx.
    Nginx { ingress: String },
    /// Argo Rollouts does it.
    Argo { rollout: String },
    /// Flagger does it.
    Flagger { canary: String },
    /// Whoever answers at this URL does it: GET and PUT of the weight.
    Http { url: Endpoint },
}

/// The kinds, as they are written.
const KINDS: [&str; 7] = ["replicas", "gateway-api", "istio", "nginx", "argo", "flagger", "http"];

/// Reads the section; `None` when something essential is wrong, which is then among the problems.
pub fn decode(node: &Node, path: &str, problems: &mut Problems) -> Option<Rollout> {
    let mut section = Section::open(node, path, problems);
    let policy = section.text("policy", problems);
    let policy = policy.zip(section.get("policy").map(|node| node.origin.clone()));
    let traffic = section.get("traffic");
    section.require("traffic", traffic.is_some(), problems);
    let traffic = traffic.and_then(|node| decode_traffic(node, &section.path("traffic"), problems));
    let mut tracks = Tracks {
        stable: Labels::from([("track".into(), "stable".into())]),
        canary: Labels::from([("track".into(), "canary".into())]),
    };
    if let Some(node) = section.get("tracks") {
        let mut both = Section::open(node, section.path("tracks"), problems);
        tracks.stable = labels(&mut both, "stable", problems).unwrap_or(tracks.stable);
        tracks.canary = labels(&mut both, "canary", problems).unwrap_or(tracks.canary);
        both.finish(problems);
        if tracks.stable == tracks.canary {
            problems.error(
                &node.origin,
                &section.path("tracks"),
                "stable and canary have the same labels, so nothing tells them apart",
            );
        }
    }
    let metrics = section
        .entries("metrics", problems)
        .into_iter()
        .filter_map(|(name, node)| kpi::decode_named(node, &format!("{path}.metrics.{name}"), name, problems))
        .collect();
    section.finish(problems);
    Some(Rollout { policy, traffic: traffic?, tracks, metrics })
}

fn labels(section: &mut Section<'_>, key: &'static str, problems: &mut Problems) -> Option<Labels> {
    let entries = section.entries(key, problems);
    if entries.is_empty() {
        return None;
    }
    let mut labels = Labels::new();
    for (name, node) in entries {
        match node.text() {
            Some(value) => {
                labels.insert(name.to_owned(), value.to_owned());
            }
            None => {
                problems.error(&node.origin, &format!("{}.{name}", section.path(key)), "must be the value of a label");
            }
        }
    }
    Some(labels)
}

fn decode_traffic(node: &Node, path: &str, problems: &mut Problems) -> Option<Traffic> {
    let mut section = Section::open(node, path, problems);
    let kind = section.text("kind", problems);
    section.require("kind", kind.is_some(), problems);
    let kind = kind?;
    let mut name = |section: &mut Section<'_>, key: &'static str| {
        let value = section.parse(key, problems, argument);
        section.require(key, value.is_some(), problems);
        value
    };
    let traffic = match kind.as_str() {
        "replicas" => {
            let stable = name(&mut section, "stable");
            let canary = name(&mut section, "canary");
            let service = name(&mut section, "service");
            (|| Some(Traffic::Replicas { stable: stable?, canary: canary?, service: service? }))()
        }
        "gateway-api" => {
            let route = name(&mut section, "route");
            let stable = name(&mut section, "stable");
            let canary = name(&mut section, "canary");
            let rule = section
                .parse("rule", problems, |text| {
                    text.parse::<usize>().map_err(|_| format!("`{text}` is not the index of a rule, from 0"))
                })
                .unwrap_or(0);
            (|| Some(Traffic::GatewayApi { route: route?, rule, stable: stable?, canary: canary? }))()
        }
        "istio" => {
            let virtual_service = name(&mut section, "virtual_service");
            let route = section.parse("route", problems, argument);
            let stable = destination(&mut section, "stable", problems);
            let canary = destination(&mut section, "canary", problems);
            (|| Some(Traffic::Istio { virtual_service: virtual_service?, route, stable: stable?, canary: canary? }))()
        }
        "nginx" => name(&mut section, "ingress").map(|ingress| Traffic::Nginx { ingress }),
        "argo" => name(&mut section, "rollout").map(|rollout| Traffic::Argo { rollout }),
        "flagger" => name(&mut section, "canary").map(|canary| Traffic::Flagger { canary }),
        "http" => {
            // The endpoint is this mapping itself: `url`, `headers`.
            let url = endpoint::decode(node, path, HTTP, &[Member::Text("kind")], problems);
            return url.map(|url| Traffic::Http { url });
        }
        other => {
            let help = nearest(other, KINDS)
                .map_or_else(|| format!("there is {}", KINDS.join(", ")), |near| format!("did you mean `{near}`?"));
            problems.error(&node.origin, &section.path("kind"), format!("there is no kind `{other}`; {help}"));
            return None;
        }
    };
    section.finish(problems);
    traffic
}

fn destination(section: &mut Section<'_>, key: &'static str, problems: &mut Problems) -> Option<Destination> {
    let node = section.get(key);
    section.require(key, node.is_some(), problems);
    let mut inner = Section::open(node?, section.path(key), problems);
    let host = inner.parse("host", problems, argument);
    inner.require("host", host.is_some(), problems);
    let subset = inner.parse("subset", problems, argument);
    inner.finish(problems);
    Some(Destination { host: host?, subset })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse;

    fn read(yaml: &str) -> (Option<Rollout>, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = parse(yaml, &layer).expect("valid").root;
        let mut problems = Problems::default();
        let rollout = decode(&root, "services.game.rollout", &mut problems);
        let errors = problems.errors.iter().map(ToString::to_string);
        (rollout, errors.collect())
    }

    #[test]
    fn every_kind_is_read() {
        for traffic in [
            "{ kind: replicas, stable: a, canary: b, service: c }",
            "{ kind: gateway-api, route: r, rule: 1, stable: a, canary: b }",
            "{ kind: istio, virtual_service: v, stable: { host: a }, canary: { host: a, subset: s } }",
            "{ kind: nginx, ingress: i }",
            "{ kind: argo, rollout: r }",
            "{ kind: flagger, canary: c }",
            "{ kind: http, url: 'http://127.0.0.1:7000/weight' }",
        ] {
            let (rollout, errors) =
                read(&format!("policy: p\ntraffic: {traffic}\nmetrics: {{ e: {{ ratio: {{ of: x, to: y }} }} }}"));
            assert_eq!(errors, Vec::<String>::new(), "{traffic}");
            let rollout = rollout.expect(traffic);
            assert_eq!(rollout.metrics[0].name, "e");
            assert_eq!(rollout.tracks.canary["track"], "canary");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (yaml, want) in [
            ("policy: p", "`traffic` is missing"),
            ("traffic: { kind: argoo, rollout: r }", "did you mean `argo`?"),
            ("traffic: { kind: nginx }", "`ingress` is missing"),
            ("traffic: { kind: nginx, ingress: --all }", "not beginning with `-`"),
            ("traffic: { kind: http }", "`url` is missing"),
            ("traffic: { kind: nginx, ingress: i, ingres: j }", "did you mean `ingress`?"),
            ("traffic: { kind: gateway-api, route: r, rule: x, stable: a, canary: b }", "not the index of a rule"),
            (
                "traffic: { kind: nginx, ingress: i }\ntracks: { stable: { a: x }, canary: { a: x } }",
                "nothing tells them apart",
            ),
            ("traffic: { kind: nginx, ingress: i }\nmetrics: { e: { ratio: { of: x } } }", "`to` is missing"),
        ] {
            let errors = read(yaml).1.join("\n");
            assert!(errors.contains(want), "{yaml}: {errors}");
            assert!(errors.starts_with("liveops.yaml:"), "{errors}");
        }
    }
}
