//! `environments.<env>.regions`: places that one version is rolled out to one after the other. A region says what is
//! other there than in the rest of its environment: cluster, Prometheus, Alertmanager, members of services.

use crate::config::decode::{PLACE_NAMES, Problems, Section, is_place_name};
use crate::config::node::{Node, Value};

/// What a region may say; the rest is the same in the whole environment.
const MEMBERS: [&str; 4] = ["kubernetes", "prometheus", "alertmanager", "services"];

const KEY: &str = "regions";

/// The names of the regions, in the order of the file. What a region says is checked when it is laid over its environment.
pub fn decode(section: &mut Section<'_>, problems: &mut Problems) -> Vec<String> {
    let path = section.path(KEY);
    let mut names = Vec::new();
    for (name, node) in section.entries(KEY, problems) {
        let path = format!("{path}.{name}");
        if is_place_name(name) {
            names.push(name.to_owned());
        } else {
            problems.error(&node.origin, &path, PLACE_NAMES);
        }
        let mut region = Section::open(node, path, problems);
        for member in MEMBERS {
            let _ = region.get(member);
        }
        region.finish(problems);
    }
    names
}

/// Lays a region over its environment. False when there is no such region.
pub fn overlay(root: &mut Node, environment: &str, region: &str) -> bool {
    let Some(node) = member(root, "environments").and_then(|all| member(all, environment)) else {
        return false;
    };
    let Some(over) = node.get(KEY).and_then(|all| all.get(region)).cloned() else {
        return false;
    };
    node.merge(over);
    true
}

/// The regions of an environment, as the file names them.
pub fn names(root: &Node, environment: &str) -> Vec<String> {
    let all =
        root.get("environments").and_then(|all| all.get(environment)).and_then(|environment| environment.get(KEY));
    match all.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|(key, _)| key.name.clone()).collect(),
        _ => Vec::new(),
    }
}

fn member<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.value {
        Value::Map(entries) => entries.iter_mut().find(|(key, _)| key.name == name).map(|(_, node)| node),
        Value::Null | Value::Scalar { .. } | Value::List(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::schema;
    use crate::config::yaml::parse;

    const FILE: &str = "environments:
  prod:
    kubernetes: { context: eu, namespace: game }
    prometheus: { url: 'http://p:1' }
    regions:
      eu: {}
      us: { kubernetes: { context: us }, services: { game: { rollout: { traffic: { url: 'http://us/w' } } } } }
services:
  - name: game
    rollout: { traffic: { kind: http, url: 'http://eu/w' } }
";

    fn root(text: &str) -> Node {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        parse(text, &layer).expect("valid").root
    }

    #[test]
    fn a_region_is_its_environment_but_for_what_it_says() {
        let mut problems = Problems::default();
        let base = schema::decode(&root(FILE), "prod", &mut problems);
        assert_eq!(base.regions, ["eu", "us"]);
        let mut us = root(FILE);
        assert!(overlay(&mut us, "prod", "us"));
        let settings = schema::decode(&us, "prod", &mut problems);
        let kubernetes = settings.kubernetes.expect("given");
        assert_eq!(kubernetes.context.as_deref(), Some("us"));
        assert_eq!(kubernetes.namespace.as_deref(), Some("game"));
        assert!(settings.prometheus.is_some());
        let shown = format!("{:?}", settings.services[0].rollout);
        assert!(shown.contains("http://us/w"), "{shown}");
        assert_eq!(problems.errors, []);
        assert!(!overlay(&mut us, "prod", "asia"));
    }

    #[test]
    fn every_slip_has_its_line() {
        for (text, want) in [
            (
                "environments:\n  prod:\n    regions:\n      us: { promtheus: { url: x } }\n",
                "liveops.yaml:4: `environments.prod.regions.us.promtheus`: unknown key; did you mean `prometheus`?",
            ),
            ("environments:\n  prod:\n    regions:\n      a/b: {}\n", "a name has letters"),
            ("environments:\n  prod:\n    regions: [ eu ]\n", "must be a mapping"),
        ] {
            let mut problems = Problems::default();
            schema::decode(&root(text), "prod", &mut problems);
            let errors: Vec<String> = problems.errors.iter().map(ToString::to_string).collect();
            assert!(errors.iter().any(|error| error.contains(want)), "{errors:?}");
        }
    }
}
