//! Services: name, health API, metrics endpoints, and what an environment overrides of them.

use std::collections::BTreeSet;

use crate::config::decode::{Problems, Section, argument};
use crate::config::endpoint::{Endpoint, HTTP};
use crate::config::node::Node;
use crate::config::rollout::Rollout;
use crate::config::secret::{Secret, Source};
use crate::config::{endpoint, rollout};
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::threshold::{Threshold, ThresholdError};
use liveops_domain::text::suggest::nearest;

/// The Deployment of a service, and the container in it that has its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    pub deployment: Option<String>,
    pub container: Option<String>,
}

/// From where on an answer of the health API is late.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latency {
    pub warn: Option<Threshold>,
    pub critical: Option<Threshold>,
}

/// One service of the game.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Unique name.
    pub name: String,
    /// Team or person.
    pub owner: Option<String>,
    /// Base of the health API.
    pub health: Option<Endpoint>,
    /// Metrics endpoints that are scraped when Prometheus cannot answer.
    pub metrics: Vec<Endpoint>,
    /// The metrics endpoint was derived from the health API's base, so its absence is no fault.
    pub metrics_guessed: bool,
    /// From which latency of the health API on it is slow.
    pub latency: Latency,
    pub workload: Option<Workload>,
    /// How its new versions are rolled out.
    pub rollout: Option<Rollout>,
}

impl Service {
    /// Its Deployment: the configured one, else that of its name.
    pub fn deployment(&self) -> &str {
        self.workload.as_ref().and_then(|one| one.deployment.as_deref()).unwrap_or(&self.name)
    }
}

/// Reads `services`, with an environment's overrides laid over them.
pub fn decode_all(
    top: &mut Section<'_>,
    overrides: &[(&str, &Node)],
    environment: &str,
    problems: &mut Problems,
) -> Vec<Service> {
    let mut names = BTreeSet::new();
    let mut services = Vec::new();
    for (index, node) in top.list("services", problems).iter().enumerate() {
        let name = node.get("name").and_then(Node::text).map(ToOwned::to_owned);
        let path = name.as_ref().map_or_else(|| format!("services[{index}]"), |name| format!("services.{name}"));
        let mut node = node.clone();
        if let Some(over) = overrides.iter().find(|(known, _)| Some(*known) == name.as_deref()) {
            node.merge(over.1.clone());
        }
        let service = decode(&node, &path, problems);
        if !service.name.is_empty() && !names.insert(service.name.clone()) {
            problems.error(&node.origin, &path, "a service of this name exists already");
        }
        services.push(service);
    }
    for (name, node) in overrides {
        if !names.contains(*name) {
            let near = nearest(name, names.iter().map(String::as_str));
            let help = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            problems.error(
                &node.origin,
                &format!("environments.{environment}.services.{name}"),
                format!("there is no such service to override{help}"),
            );
        }
    }
    services
}

fn decode(node: &Node, path: &str, problems: &mut Problems) -> Service {
    let mut section = Section::open(node, path, problems);
    let name = section.parse("name", problems, argument);
    section.require("name", name.is_some(), problems);
    let owner = section.text("owner", problems);
    let health = endpoint::member(&mut section, "health", HTTP, &[], problems);
    let given = section.list("metrics", problems);
    let mut metrics: Vec<Endpoint> = given
        .iter()
        .enumerate()
        .filter_map(|(index, node)| endpoint::decode(node, &format!("{path}.metrics[{index}]"), HTTP, &[], problems))
        .collect();
    let metrics_guessed = given.is_empty();
    if metrics_guessed && let Some(health) = &health {
        metrics.extend(guess_metrics(health));
    }
    let latency = section.get("latency").map(|node| {
        let mut latency = Section::open(node, format!("{path}.latency"), problems);
        let found = Latency {
            warn: latency.parse("warn", problems, milliseconds),
            critical: latency.parse("critical", problems, milliseconds),
        };
        latency.finish(problems);
        found
    });
    let workload = section.get("workload").map(|node| {
        let mut workload = Section::open(node, format!("{path}.workload"), problems);
        let found = Workload {
            deployment: workload.parse("deployment", problems, argument),
            container: workload.parse("container", problems, argument),
        };
        workload.finish(problems);
        found
    });
    let rollout = section.get("rollout").and_then(|node| rollout::decode(node, &format!("{path}.rollout"), problems));
    section.finish(problems);
    let (name, latency) = (name.unwrap_or_default(), latency.unwrap_or_default());
    Service { name, owner, health, metrics, metrics_guessed, latency, workload, rollout }
}

/// `200ms` is `> 200ms`: what is late is above its limit.
fn milliseconds(text: &str) -> Result<Threshold, ThresholdError> {
    let is_bare = text.trim().starts_with(|c: char| c.is_ascii_digit());
    let text = if is_bare { format!("> {}", text.trim()) } else { text.to_owned() };
    Threshold::parse(&text, &Unit::Milliseconds)
}

/// The health API has the metrics at a known path (domain: Service health API).
fn guess_metrics(health: &Endpoint) -> Option<Endpoint> {
    let Source::Template(base) = &health.url.source else {
        return None;
    };
    let url = format!("{}/api/health/metrics", base.trim_end_matches('/'));
    let source = Source::Template(url);
    Some(Endpoint {
        url: Secret { source, origin: health.url.origin.clone() },
        headers: health.headers.clone(),
        is_channel: false,
    })
}
