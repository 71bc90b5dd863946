//! The presets: files that `liveops init` writes, and the KPIs in them. The templates are the one source of both, so
//! that what stands in for a missing configuration is what `init` would write.

use std::collections::BTreeMap;
use std::rc::Rc;

use minijinja::{Environment, context};
use serde::Serialize;

use crate::config::decode::{Problems, Section};
use crate::config::kpi;
use crate::config::node::Layer;
use crate::config::yaml::parse;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::Kpi;

const HEAD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/config/head.yaml.j2"));

const GAME_SERVER: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/config/game-server.yaml.j2"));

const HTTP_API: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/config/http-api.yaml.j2"));

/// What kind of service a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Players, matches, ticks, queues, purchases; and the HTTP signals.
    GameServer,
    /// Requests, errors, latency, saturation.
    HttpApi,
}

impl Preset {
    /// Every preset with its word, and what the word means.
    pub const ALL: &[(&str, &str, Self)] = &[
        ("game-server", "Players, matches, ticks, queues, purchases; and the HTTP signals", Self::GameServer),
        ("http-api", "Requests, errors, latency, saturation", Self::HttpApi),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::GameServer => "game-server",
            Self::HttpApi => "http-api",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::GameServer => GAME_SERVER,
            Self::HttpApi => HTTP_API,
        }
    }
}

/// A service that the file names.
#[derive(Debug, Clone, Serialize)]
pub struct Service {
    pub name: String,
    /// Base of its health API.
    pub url: String,
    /// Its metrics endpoint, where it is not the usual one.
    pub metrics: Option<String>,
}

/// What a file is written from.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    pub project: String,
    pub environment: String,
    pub prometheus: Option<String>,
    pub alertmanager: Option<String>,
    pub flags: Option<String>,
    pub services: Vec<Service>,
    /// KPIs that are known to have data, or known to have none and why. Nothing is known of those left out.
    pub data: BTreeMap<String, Result<(), String>>,
}

/// The file. A KPI that is known to have no data is commented out with the reason, and so is an optional one unless
/// it is known to have data.
///
/// # Errors
/// `Internal`, when a template is broken.
pub fn render(preset: Preset, answers: &Answers) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_keep_trailing_newline(true);
    environment.add_filter("quoted", quoted);
    environment.add_filter("name", name);
    let known = answers.data.clone();
    environment.add_filter("kpi", move |text: String, name: String| match known.get(&name) {
        Some(Err(reason)) => commented(&text, reason),
        _ => text,
    });
    let known = answers.data.clone();
    environment.add_filter("optional", move |text: String, name: String| match known.get(&name) {
        Some(Ok(())) => text,
        Some(Err(reason)) => commented(&text, reason),
        None => commented(&text, ""),
    });
    let broken = |error: minijinja::Error| Error::internal(&format!("a template: {error:#}"));
    let head = environment
        .render_str(
            HEAD,
            context! {
                project => answers.project,
                environment => answers.environment,
                prometheus => answers.prometheus,
                alertmanager => answers.alertmanager,
                flags => answers.flags,
                services => answers.services,
            },
        )
        .map_err(broken)?;
    environment.render_str(preset.template(), context! { head => head }).map_err(broken)
}

/// The KPIs of both presets by name, for a run without any configuration.
pub fn kpis() -> Vec<Kpi> {
    let mut all = Vec::new();
    for preset in [Preset::GameServer, Preset::HttpApi] {
        for kpi in decode(preset, BTreeMap::new()) {
            if !all.iter().any(|known: &Kpi| known.name == kpi.name) {
                all.push(kpi);
            }
        }
    }
    all
}

/// Every KPI that the preset could have, the optional ones too.
pub fn candidates(preset: Preset) -> Vec<Kpi> {
    let optional = optional(preset).into_iter().map(|name| (name.to_owned(), Ok(())));
    decode(preset, optional.collect())
}

/// The KPIs that are only written when they have data.
pub fn optional(preset: Preset) -> Vec<&'static str> {
    preset.template().split("optional(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn decode(preset: Preset, data: BTreeMap<String, Result<(), String>>) -> Vec<Kpi> {
    let answers = Answers { project: "preset".into(), environment: "preset".into(), data, ..Answers::default() };
    let layer = Rc::new(Layer::Default);
    let root = render(preset, &answers).ok().and_then(|text| parse(&text, &layer).ok()).map(|document| document.root);
    let root = root.expect("a test renders and reads every template");
    let mut problems = Problems::default();
    let mut top = Section::open(&root, "", &mut problems);
    kpi::decode_all(&mut top, &mut problems)
}

/// Text as it is where YAML reads it back as that; else YAML's double-quoted form, of which JSON's is a part.
fn name(text: String) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if plain { text } else { quoted(text) }
}

fn quoted(text: String) -> String {
    serde_json::Value::String(text).to_string()
}

/// Comments each line out; an empty line before the item stays.
fn commented(text: &str, reason: &str) -> String {
    let mut out = String::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if line.trim_start().starts_with('#') {
            out.push_str(line);
            if !reason.is_empty() {
                out.push_str("\n  # (");
                out.push_str(&reason.replace('\n', " "));
                out.push(')');
            }
        } else if let Some(rest) = line.strip_prefix("  ") {
            out.push_str("  # ");
            out.push_str(rest);
        } else {
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema;

    fn answers() -> Answers {
        Answers {
            project: "star: \"fall\" #1".into(),
            environment: "staging".into(),
            prometheus: Some("http://p:9090".into()),
            alertmanager: Some("http://a:9093".into()),
            flags: Some("redis://:${PW}@r:6379/0".into()),
            services: vec![
                Service { name: "game".into(), url: "http://g:5050".into(), metrics: None },
                Service {
                    name: "lobby".into(),
                    url: "http://l:5050".into(),
                    metrics: Some("http://l:5050/metrics".into()),
                },
            ],
            data: BTreeMap::new(),
        }
    }

    fn read(preset: Preset, answers: &Answers) -> schema::Settings {
        let text = render(preset, answers).expect("renders");
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let document = parse(&text, &layer).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut problems = Problems::default();
        let settings = schema::decode(&document.root, "staging", &mut problems);
        assert!(
            document.problems.is_empty() && problems.errors.is_empty() && problems.warnings.is_empty(),
            "{problems:?}\n{text}"
        );
        settings
    }

    #[test]
    fn every_preset_is_a_sound_file_with_all_answers_and_with_none() {
        for preset in [Preset::GameServer, Preset::HttpApi] {
            let full = read(preset, &answers());
            assert_eq!(full.project.as_deref(), Some("star: \"fall\" #1"));
            assert_eq!(full.services.len(), 2);
            assert!(full.prometheus.is_some() && full.alertmanager.is_some());
            assert!(full.flags.endpoint.is_some());
            let bare = Answers { environment: "staging".into(), ..Answers::default() };
            assert!(read(preset, &bare).prometheus.is_none());
        }
    }

    #[test]
    fn a_kpi_without_data_is_commented_out_with_the_reason() {
        let mut answers = answers();
        let none = || Err("no data: no `x`".to_owned());
        answers.data.insert("tick_p99".into(), none());
        answers.data.insert("host_cpu".into(), Ok(()));
        let names =
            |settings: &schema::Settings| -> Vec<String> { settings.kpis.iter().map(|kpi| kpi.name.clone()).collect() };
        let found = names(&read(Preset::GameServer, &answers));
        assert!(!found.contains(&"tick_p99".to_owned()) && found.contains(&"host_cpu".to_owned()));
        let text = render(Preset::GameServer, &answers).expect("renders");
        assert!(text.contains("  # (no data: no `x`)\n  # - name: tick_p99\n"), "{text}");

        for kpi in candidates(Preset::GameServer) {
            answers.data.insert(kpi.name, none());
        }
        assert!(read(Preset::GameServer, &answers).kpis.is_empty());
    }

    #[test]
    fn the_thresholds_are_the_documented_ones() {
        let all = kpis();
        let limits = |name: &str| {
            let kpi = all.iter().find(|kpi| kpi.name == name).expect(name);
            let value =
                |limit: &Option<liveops_domain::metric::threshold::Threshold>| limit.as_ref().map(|limit| limit.value);
            (value(&kpi.warn), value(&kpi.critical))
        };
        for (name, warn, critical) in [
            ("websocket_p95", 50.0, 200.0),
            ("cpu", 0.6, 0.8),
            ("memory", 0.7, 0.85),
            ("error_rate", 0.001, 0.01),
            ("tick_p99", 0.016, 0.02),
            ("queue_p95", 60.0, 120.0),
            ("request_p95", 200.0, 500.0),
        ] {
            assert_eq!(limits(name), (Some(warn), Some(critical)), "{name}");
        }
        assert_eq!(all.iter().filter(|kpi| kpi.name == "cpu").count(), 1);
        assert!(all.iter().any(|kpi| kpi.name == "requests"));
        assert!(!all.iter().any(|kpi| kpi.name == "host_cpu"));
    }
}
