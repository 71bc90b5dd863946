//! What can be configured: the settings of one environment, decoded from the merged layers.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::decode::{Problems, Section};
use crate::config::kpi;
use crate::config::node::{Node, Value};
use crate::config::secret::{Secret, Source};
use crate::domain::duration;
use crate::domain::kpi::Kpi;
use crate::domain::redact::is_secret_name;
use crate::domain::suggest::nearest;

/// Default bound on a whole command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Default bound on one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Default cap on a silence's length.
const MAX_SILENCE: Duration = Duration::from_secs(4 * 3600);

/// Where an HTTP system is and what it must be sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Base URL; may contain `${VAR}`.
    pub(crate) url: Secret,
    /// Headers: tenant, authorization.
    pub(crate) headers: Vec<(String, Secret)>,
}

/// Which cluster and namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kubernetes {
    pub(crate) context: Option<String>,
    pub(crate) namespace: Option<String>,
}

/// One service of the game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// Unique name.
    pub(crate) name: String,
    /// Team or person.
    pub(crate) owner: Option<String>,
    /// Base of the health API.
    pub(crate) health: Option<Endpoint>,
    /// Metrics endpoints that are scraped when Prometheus cannot answer.
    pub(crate) metrics: Vec<Endpoint>,
    /// The metrics endpoint was derived from the health API's base, so its absence is no fault.
    pub(crate) metrics_guessed: bool,
}

/// Everything that is set for one environment.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) project: Option<String>,
    pub(crate) environment: String,
    pub(crate) protected: bool,
    pub(crate) read_only: bool,
    pub(crate) timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) max_silence: Duration,
    pub(crate) prometheus: Option<Endpoint>,
    pub(crate) alertmanager: Option<Endpoint>,
    pub(crate) flags: Option<Endpoint>,
    pub(crate) clickhouse: Option<Endpoint>,
    pub(crate) kubernetes: Option<Kubernetes>,
    pub(crate) services: Vec<Service>,
    pub(crate) kpis: Vec<Kpi>,
}

impl Settings {
    /// Every endpoint with its system's name.
    pub(crate) fn endpoints(&self) -> Vec<(&str, &Endpoint)> {
        let systems = [
            ("prometheus", &self.prometheus),
            ("alertmanager", &self.alertmanager),
            ("flags", &self.flags),
            ("clickhouse", &self.clickhouse),
        ];
        let named = systems
            .into_iter()
            .filter_map(|(name, endpoint)| Some((name, endpoint.as_ref()?)));
        let services = self.services.iter().flat_map(|service| {
            service
                .health
                .iter()
                .chain(&service.metrics)
                .map(|endpoint| (service.name.as_str(), endpoint))
        });
        named.chain(services).collect()
    }
}

/// The environments that the configuration names, in order.
pub(crate) fn environments(root: &Node) -> Vec<String> {
    match root.get("environments").map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|(key, _)| key.name.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Reads the settings of one environment. Problems are collected, so that all of them can be shown at once.
pub(crate) fn decode(root: &Node, environment: &str, problems: &mut Problems) -> Settings {
    let mut top = Section::open(root, "", problems);
    if let Some(node) = top.get("version")
        && node.text() != Some("1")
    {
        problems.error(
            &node.origin,
            "version",
            "must be 1, the only version that this liveops reads",
        );
    }
    let project = top.text("project", problems);
    if let Some(node) = top.get("default_env") {
        let names = environments(root);
        if let Some(name) = node.text()
            && !names.iter().any(|known| known == name)
        {
            let known = if names.is_empty() {
                "none is defined".into()
            } else {
                format!("there is {}", names.join(", "))
            };
            problems.error(
                &node.origin,
                "default_env",
                format!("environment `{name}` does not exist; {known}"),
            );
        }
    }
    let read_only = top.boolean("read_only", problems).unwrap_or(false);
    let timeout = top
        .parse("timeout", problems, duration::parse)
        .unwrap_or(COMMAND_TIMEOUT);
    let call_timeout = top
        .parse("call_timeout", problems, duration::parse)
        .unwrap_or(CALL_TIMEOUT);
    let max_silence = top.get("silences").and_then(|node| {
        let mut section = Section::open(node, "silences", problems);
        let max = section.parse("max", problems, duration::parse);
        section.finish(problems);
        max
    });
    let kpis = kpi::decode_all(&mut top, problems);
    if let Some(node) = top.get("policies") {
        problems.warning(
            &node.origin,
            "policies",
            "accepted, but this version has no `rollout` command to use it",
        );
    }

    let mut settings = Settings {
        project,
        environment: environment.to_owned(),
        protected: false,
        read_only,
        timeout,
        call_timeout,
        max_silence: max_silence.unwrap_or(MAX_SILENCE),
        prometheus: None,
        alertmanager: None,
        flags: None,
        clickhouse: None,
        kubernetes: None,
        services: Vec::new(),
        kpis,
    };
    let empty = Node {
        value: Value::Null,
        origin: root.origin.clone(),
    };
    let found = top.entries("environments", problems);
    let node = found
        .iter()
        .find(|(name, _)| *name == environment)
        .map_or(&empty, |(_, node)| *node);
    let overrides = decode_environment(node, &mut settings, problems);
    settings.services = decode_services(&mut top, &overrides, environment, problems);
    top.finish(problems);
    settings
}

fn decode_environment<'a>(
    node: &'a Node,
    settings: &mut Settings,
    problems: &mut Problems,
) -> Vec<(&'a str, &'a Node)> {
    let mut section = Section::open(
        node,
        format!("environments.{}", settings.environment),
        problems,
    );
    settings.protected = section.boolean("protected", problems).unwrap_or(false);
    settings.read_only |= section.boolean("read_only", problems).unwrap_or(false);
    settings.prometheus = endpoint(
        &mut section,
        "prometheus",
        &["http", "https"],
        &[],
        problems,
    );
    settings.alertmanager = endpoint(
        &mut section,
        "alertmanager",
        &["http", "https"],
        &[],
        problems,
    );
    settings.clickhouse = endpoint(
        &mut section,
        "clickhouse",
        &["http", "https"],
        &["database", "user", "password"],
        problems,
    );
    settings.flags = endpoint(
        &mut section,
        "flags",
        &["redis", "rediss", "file"],
        &["key", "reader"],
        problems,
    );
    settings.kubernetes = section.get("kubernetes").map(|node| {
        let mut kubernetes = Section::open(node, section.path("kubernetes"), problems);
        let found = Kubernetes {
            context: kubernetes.parse("context", problems, argument),
            namespace: kubernetes.parse("namespace", problems, argument),
        };
        kubernetes.finish(problems);
        found
    });
    let overrides = section.entries("services", problems);
    section.finish(problems);
    overrides
}

/// A name that becomes an argument of `kubectl`: it cannot begin with `-`, so it can never be taken for an option.
fn argument(text: &str) -> Result<String, String> {
    let sound = !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if sound {
        Ok(text.into())
    } else {
        Err(format!(
            "`{text}` is not a valid name: no spaces, and not beginning with `-`"
        ))
    }
}

fn endpoint(
    section: &mut Section<'_>,
    key: &'static str,
    schemes: &[&str],
    also: &[&'static str],
    problems: &mut Problems,
) -> Option<Endpoint> {
    let node = section.get(key)?;
    decode_endpoint(node, &section.path(key), schemes, also, problems)
}

fn decode_endpoint(
    node: &Node,
    path: &str,
    schemes: &[&str],
    also: &[&'static str],
    problems: &mut Problems,
) -> Option<Endpoint> {
    // `prometheus: http://…` is short for `prometheus: { url: http://… }`.
    if node.text().is_some() {
        let url = checked_url(node, path, schemes, problems)?;
        return Some(Endpoint {
            url,
            headers: Vec::new(),
        });
    }
    let mut section = Section::open(node, path, problems);
    let url = section
        .get("url")
        .and_then(|node| checked_url(node, &format!("{path}.url"), schemes, problems));
    section.require("url", url.is_some(), problems);
    let headers = section
        .entries("headers", problems)
        .into_iter()
        .filter_map(|(name, node)| {
            let key = format!("{path}.headers.{name}");
            let value = Secret::decode(node, &key, problems)?;
            if is_secret_name(name) && value.is_literal() {
                problems.error(&node.origin, &key, "a secret must not stand in a file; write a reference such as `\"Bearer ${TOKEN}\"`, `{file: PATH}` or `{command: […]}`");
            }
            Some((name.to_owned(), value))
        })
        .collect();
    for key in also {
        // Read by the commands that use this system.
        let _ = section.get(key);
    }
    section.finish(problems);
    Some(Endpoint { url: url?, headers })
}

fn checked_url(
    node: &Node,
    path: &str,
    schemes: &[&str],
    problems: &mut Problems,
) -> Option<Secret> {
    let url = Secret::decode(node, path, problems)?;
    if !url.is_literal() {
        return Some(url);
    }
    let text = node.text().unwrap_or_default();
    match url::Url::parse(text) {
        Ok(parsed) if !schemes.contains(&parsed.scheme()) => {
            let fix = if text.contains("://") {
                String::new()
            } else {
                format!("; did you mean `{}://{text}`?", schemes[0])
            };
            problems.error(
                &node.origin,
                path,
                format!(
                    "must begin with {}{fix}",
                    schemes
                        .iter()
                        .map(|scheme| format!("`{scheme}:`"))
                        .collect::<Vec<_>>()
                        .join(" or ")
                ),
            );
        }
        Ok(parsed) if parsed.password().is_some() => {
            problems.error(
                &node.origin,
                path,
                "a password must not stand in a file; write `${VARIABLE}` in its place",
            );
        }
        Ok(_) => return Some(url),
        Err(error) => {
            let fix = if text.contains("://") {
                String::new()
            } else {
                format!("; did you mean `{}://{text}`?", schemes[0])
            };
            problems.error(
                &node.origin,
                path,
                format!("`{text}` is not a URL: {error}{fix}"),
            );
        }
    }
    None
}

fn decode_services(
    top: &mut Section<'_>,
    overrides: &[(&str, &Node)],
    environment: &str,
    problems: &mut Problems,
) -> Vec<Service> {
    let mut names = BTreeSet::new();
    let mut services = Vec::new();
    for (index, node) in top.list("services", problems).iter().enumerate() {
        let name = node.get("name").and_then(Node::text).map(ToOwned::to_owned);
        let path = name.as_ref().map_or_else(
            || format!("services[{index}]"),
            |name| format!("services.{name}"),
        );
        let mut node = node.clone();
        if let Some(over) = overrides
            .iter()
            .find(|(known, _)| Some(*known) == name.as_deref())
        {
            node.merge(over.1.clone());
        }
        let service = decode_service(&node, &path, problems);
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

fn decode_service(node: &Node, path: &str, problems: &mut Problems) -> Service {
    let http: &[&str] = &["http", "https"];
    let mut section = Section::open(node, path, problems);
    let name = section.parse("name", problems, argument);
    section.require("name", name.is_some(), problems);
    let owner = section.text("owner", problems);
    let health = endpoint(&mut section, "health", http, &[], problems);
    let given = section.list("metrics", problems);
    let mut metrics: Vec<Endpoint> = given
        .iter()
        .enumerate()
        .filter_map(|(index, node)| {
            decode_endpoint(
                node,
                &format!("{path}.metrics[{index}]"),
                http,
                &[],
                problems,
            )
        })
        .collect();
    let metrics_guessed = given.is_empty();
    if metrics_guessed && let Some(health) = &health {
        metrics.extend(guess_metrics(health));
    }
    if let Some(node) = section.get("workload") {
        let mut workload = Section::open(node, format!("{path}.workload"), problems);
        let _ = workload.parse("deployment", problems, argument);
        let _ = workload.parse("container", problems, argument);
        workload.finish(problems);
    }
    if let Some(node) = section.get("rollout") {
        problems.warning(
            &node.origin,
            &format!("{path}.rollout"),
            "accepted, but this version has no `rollout` command to use it",
        );
    }
    section.finish(problems);
    Service {
        name: name.unwrap_or_default(),
        owner,
        health,
        metrics,
        metrics_guessed,
    }
}

/// The health API has the metrics at a known path (domain: Service health API).
fn guess_metrics(health: &Endpoint) -> Option<Endpoint> {
    let Source::Template(base) = &health.url.source else {
        return None;
    };
    let url = format!("{}/api/health/metrics", base.trim_end_matches('/'));
    let source = Source::Template(url);
    Some(Endpoint {
        url: Secret {
            source,
            origin: health.url.origin.clone(),
        },
        headers: health.headers.clone(),
    })
}
