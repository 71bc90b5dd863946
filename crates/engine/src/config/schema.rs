//! What can be configured: the settings of one environment, decoded from the merged layers.

use std::borrow::Cow;
use std::time::Duration;

use crate::config::backups::{BackupItem, BackupSource};
use crate::config::decode::{PLACE_NAMES, Problems, Section, argument, is_place_name};
use crate::config::documents::Documents;
use crate::config::endpoint::{HTTP, Member};
use crate::config::incidents::IncidentSettings;
use crate::config::node::{Layer, Node, Value};
use crate::config::notify::Notify;
use crate::config::policy::Policies;
use crate::config::rollout::Traffic;
use crate::config::slo::SloSettings;
use crate::config::trust::Place;
use crate::config::{
    backups, documents, endpoint, flags, freeze, incidents, kpi, notify, policy, presets, regions, security, service,
    slo,
};
use liveops_domain::check::deploy::freeze::Freeze;
use liveops_domain::check::security::signals::Signal;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::text::duration;
use liveops_domain::text::suggest::nearest;

pub use crate::config::endpoint::Endpoint;
pub use crate::config::flags::FlagSettings;
pub use crate::config::service::Service;

/// Default bound on a whole command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Default bound on one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Default cap on a silence's length.
const MAX_SILENCE: Duration = Duration::from_secs(4 * 3600);

/// Which cluster and namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    pub context: Option<String>,
    pub namespace: Option<String>,
}

/// Everything that is set for one environment.
#[derive(Debug, Clone)]
pub struct Settings {
    pub project: Option<String>,
    pub environment: String,
    pub protected: bool,
    pub read_only: bool,
    pub timeout: Duration,
    pub call_timeout: Duration,
    pub max_silence: Duration,
    pub prometheus: Option<Endpoint>,
    pub alertmanager: Option<Endpoint>,
    pub flags: FlagSettings,
    pub clickhouse: Option<Endpoint>,
    pub kubernetes: Option<Kubernetes>,
    /// The names of the environment's regions.
    pub regions: Vec<String>,
    pub services: Vec<Service>,
    pub kpis: Vec<Kpi>,
    pub slos: SloSettings,
    /// Times in which nothing is deployed.
    pub freezes: Vec<Freeze>,
    pub documents: Documents,
    pub incidents: IncidentSettings,
    pub notify: Notify,
    /// By which rules new versions are rolled out.
    pub policies: Policies,
    pub backups: Vec<BackupItem>,
    /// Signals of an attack, and their limits.
    pub signals: Vec<Signal>,
}

impl Settings {
    /// The KPIs: the configured ones; where none is, the presets.
    pub fn known_kpis(&self) -> Cow<'_, [Kpi]> {
        if self.kpis.is_empty() { presets::kpis().into() } else { (&self.kpis).into() }
    }

    /// Where things are kept that belong to the project.
    pub fn places(&self) -> Vec<Cow<'_, Place>> {
        let documents = &self.documents;
        let known = [&documents.runbooks, &documents.deployments, &self.incidents.folder];
        let known = known.into_iter().chain(&documents.templates).chain(&documents.rules).map(Cow::Borrowed);
        known
            .chain(self.backups.iter().filter_map(|item| match &item.source {
                BackupSource::Folder { place, .. } => Some(Cow::Borrowed(place)),
                _ => None,
            }))
            .chain([Cow::Owned(Place::usual("templates", "templates"))])
            .chain(self.flags.file().map(Cow::Owned))
            .chain([&self.flags.ca, &self.flags.cert, &self.flags.key_file].into_iter().flatten().map(Cow::Borrowed))
            .chain(self.slos.files.iter().map(Cow::Borrowed))
            .chain(self.notify.schedule.iter().filter_map(|schedule| schedule.calendar.as_ref()).map(Cow::Borrowed))
            .collect()
    }

    /// Every endpoint with its system's name.
    pub fn endpoints(&self) -> Vec<(&str, &Endpoint)> {
        let systems = [
            ("prometheus", &self.prometheus),
            ("alertmanager", &self.alertmanager),
            ("flags", &self.flags.endpoint),
            ("clickhouse", &self.clickhouse),
        ];
        let named = systems.into_iter().filter_map(|(name, endpoint)| Some((name, endpoint.as_ref()?)));
        let services = self.services.iter().flat_map(|service| {
            let weight = match service.rollout.as_ref().map(|rollout| &rollout.traffic) {
                Some(Traffic::Http { url }) => Some(url),
                _ => None,
            };
            service
                .health
                .iter()
                .chain(&service.metrics)
                .chain(weight)
                .map(|endpoint| (service.name.as_str(), endpoint))
        });
        let channels = self.notify.channels.iter().flat_map(|channel| {
            let parts = channel.endpoint.iter().chain(&channel.key);
            parts.map(|endpoint| (channel.name.as_str(), endpoint))
        });
        let buckets = self.backups.iter().filter_map(|item| match &item.source {
            BackupSource::S3 { endpoint, .. } => Some((item.demand.name.as_str(), endpoint)),
            _ => None,
        });
        let shared = self.incidents.redis.as_ref();
        named
            .chain(services)
            .chain(channels)
            .chain(buckets)
            .chain(shared.map(|endpoint| ("incidents", endpoint)))
            .collect()
    }
}

/// The environments that the configuration names, in order.
pub fn environments(root: &Node) -> Vec<String> {
    match root.get("environments").map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|(key, _)| key.name.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Reads the settings of one environment. Problems are collected, so that all of them can be shown at once.
pub fn decode(root: &Node, environment: &str, problems: &mut Problems) -> Settings {
    let mut top = Section::open(root, "", problems);
    if let Some(node) = top.get("version")
        && node.text() != Some("1")
    {
        problems.error(&node.origin, "version", "must be 1, the only version that this liveops reads");
    }
    let project = top.text("project", problems);
    if let Some(node) = top.get("default_env") {
        let names = environments(root);
        if let Some(name) = node.text()
            && !names.iter().any(|known| known == name)
        {
            let known = if names.is_empty() {
                "none is defined".into()
            } else if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
                format!("did you mean `{near}`?")
            } else {
                format!("there is {}", names.join(", "))
            };
            problems.error(&node.origin, "default_env", format!("environment `{name}` does not exist; {known}"));
        }
    }
    let read_only = top.boolean("read_only", problems).unwrap_or(false);
    let timeout = top.parse("timeout", problems, duration::parse_positive).unwrap_or(COMMAND_TIMEOUT);
    let call_timeout = top.parse("call_timeout", problems, duration::parse_positive).unwrap_or(CALL_TIMEOUT);
    let max_silence = top.get("silences").and_then(|node| {
        let mut section = Section::open(node, "silences", problems);
        let max = section.parse("max", problems, duration::parse_positive);
        section.finish(problems);
        max
    });
    let kpis = kpi::decode_all(&mut top, problems);
    let slos = slo::decode(&mut top, problems);
    let policies = policy::decode_all(&mut top, problems);
    let freezes = freeze::decode_all(&mut top, problems);

    let incidents = incidents::decode(&mut top, problems);

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
        flags: FlagSettings::default(),
        clickhouse: None,
        kubernetes: None,
        regions: Vec::new(),
        services: Vec::new(),
        kpis,
        slos,
        documents: documents::decode(&mut top, problems),
        incidents,
        notify: Notify::default(),
        policies,
        backups: backups::decode(&mut top, problems),
        signals: security::decode(&mut top, problems),
        freezes,
    };
    let empty = Node { value: Value::Null, origin: root.origin.clone() };
    let found = top.entries("environments", problems);
    for (name, node) in found.iter().filter(|(name, _)| !is_place_name(name)) {
        problems.error(&node.origin, &format!("environments.{name}"), PLACE_NAMES);
    }
    let node = found.iter().find(|(name, _)| *name == environment).map_or(&empty, |(_, node)| *node);
    let overrides = decode_environment(node, &mut settings, problems);
    settings.notify = notify::decode(&mut top, node.get("notify"), problems);
    settings.services = service::decode_all(&mut top, &overrides, environment, problems);
    check_owners(root, &settings, problems);
    policy::check(&settings, problems);
    misplaced(root, environment, &mut top, problems);
    top.finish(problems);
    settings
}

/// A KPI that names a service names one that there is; with `--health` other services stand in for the file's.
fn check_owners(root: &Node, settings: &Settings, problems: &mut Problems) {
    let services = root.get("services");
    if services.is_some_and(|node| matches!(*node.origin.layer, Layer::Flag(_))) {
        return;
    }
    let Some(Value::List(items)) = root.get("kpis").map(|node| &node.value) else {
        return;
    };
    for item in items {
        let Some(node) = item.get("service") else {
            continue;
        };
        let name = node.text().unwrap_or_default();
        let names = || settings.services.iter().map(|service| service.name.as_str());
        if !name.is_empty() && !names().any(|known| known == name) {
            let kpi = item.get("name").and_then(Node::text).unwrap_or_default();
            let near = nearest(name, names()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            problems.error(&node.origin, &format!("kpis.{kpi}.service"), format!("there is no service `{name}`{near}"));
        }
    }
}

/// A system at the top of the file is a frequent slip, and "unknown key" alone does not help.
fn misplaced(root: &Node, environment: &str, top: &mut Section<'_>, problems: &mut Problems) {
    for key in ["prometheus", "alertmanager", "flags", "kubernetes", "clickhouse", "protected"] {
        if let Some(line) = root.line_of(key) {
            let _ = top.get(key);
            let node = root.get(key).unwrap_or(root);
            let origin = crate::config::node::Origin { line, ..node.origin.clone() };
            problems.error(&origin, key, format!("belongs below an environment: `environments.{environment}.{key}`"));
        }
    }
}

fn decode_environment<'a>(
    node: &'a Node,
    settings: &mut Settings,
    problems: &mut Problems,
) -> Vec<(&'a str, &'a Node)> {
    let mut section = Section::open(node, format!("environments.{}", settings.environment), problems);
    settings.protected = section.boolean("protected", problems).unwrap_or(false);
    settings.read_only |= section.boolean("read_only", problems).unwrap_or(false);
    settings.prometheus = endpoint::member(&mut section, "prometheus", HTTP, &[], problems);
    settings.alertmanager = endpoint::member(&mut section, "alertmanager", HTTP, &[], problems);
    let clickhouse = [
        Member::Header("database", "X-ClickHouse-Database"),
        Member::Header("user", "X-ClickHouse-User"),
        Member::Header("password", "X-ClickHouse-Key"),
    ];
    settings.clickhouse = endpoint::member(&mut section, "clickhouse", HTTP, &clickhouse, problems);
    if let Some(node) = section.get("flags") {
        settings.flags = flags::decode(node, &section.path("flags"), problems);
    }
    settings.kubernetes = section.get("kubernetes").map(|node| {
        let mut kubernetes = Section::open(node, section.path("kubernetes"), problems);
        let found = Kubernetes {
            context: kubernetes.parse("context", problems, argument),
            namespace: kubernetes.parse("namespace", problems, argument),
        };
        kubernetes.finish(problems);
        found
    });
    settings.regions = regions::decode(&mut section, problems);
    let _ = section.get("notify");
    let overrides = section.entries("services", problems);
    section.finish(problems);
    overrides
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::yaml::parse;

    fn read(yaml: &str, environment: &str) -> (Settings, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = parse(yaml, &layer).expect("valid").root;
        let mut problems = Problems::default();
        let settings = decode(&root, environment, &mut problems);
        (settings, problems.errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_slip_has_its_line_and_the_nearest_name() {
        for (yaml, want) in [
            ("version: 2", "liveops.yaml:1: `version`: must be 1"),
            ("projekt: x", "liveops.yaml:1: `projekt`: unknown key; did you mean `project`?"),
            (
                "prometheus: http://h",
                "liveops.yaml:1: `prometheus`: belongs below an environment: `environments.prod.prometheus`",
            ),
            (
                "default_env: prdo\nenvironments: { prod: {} }",
                "liveops.yaml:1: `default_env`: environment `prdo` does not exist; did you mean `prod`?",
            ),
            ("timeout: 0s", "liveops.yaml:1: `timeout`: "),
            (
                "environments:\n  prod:\n    promethues: {}",
                "liveops.yaml:3: `environments.prod.promethues`: unknown key; did you mean `prometheus`?",
            ),
            ("environments: { prod: { kubernetes: { context: --token=x } } }", "not beginning with `-`"),
            (
                "environments: { prod: { services: { lobbi: {} } } }\nservices: [{ name: lobby }]",
                "there is no such service to override; did you mean `lobby`?",
            ),
            ("services: [{ name: a }, { name: a }]", "a service of this name exists already"),
            ("services: [{ health: http://h }]", "`name` is missing"),
            (
                "kpis: [{ name: k, gauge: g, service: lobbi }]\nservices: [{ name: lobby }]",
                "there is no service `lobbi`; did you mean `lobby`?",
            ),
        ] {
            let (_, errors) = read(yaml, "prod");
            assert!(errors.iter().any(|error| error.contains(want)), "{yaml}: {errors:?}");
            assert_eq!(errors.len(), 1, "{yaml}: {errors:?}");
        }
    }

    #[test]
    fn an_environment_overrides_a_service() {
        let yaml = "
services: [{ name: game, owner: platform, health: http://dev:1 }]
environments:
  dev: {}
  prod: { services: { game: { health: { url: 'https://game.example' } } }, protected: true }
";
        for (environment, url, protected) in [("dev", "http://dev:1", false), ("prod", "https://game.example", true)] {
            let (settings, errors) = read(yaml, environment);
            assert!(errors.is_empty(), "{errors:?}");
            let game = &settings.services[0];
            assert_eq!(game.owner.as_deref(), Some("platform"));
            assert_eq!(game.health.as_ref().map(|h| h.url.show()).as_deref(), Some(url));
            assert_eq!(game.metrics[0].url.show(), format!("{url}/api/health/metrics"));
            assert_eq!(settings.protected, protected);
        }
    }
}
