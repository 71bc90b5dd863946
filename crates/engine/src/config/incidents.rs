//! `incidents`: where they are kept, and what each severity asks for.

use std::str::FromStr;

use chrono::{NaiveTime, Weekday};

use crate::config::decode::{Problems, Section};
use crate::config::endpoint;
use crate::config::endpoint::{Endpoint, Member};
use crate::config::node::Node;
use crate::config::trust::Place;
use liveops_domain::incident::severity::{Limit, Severities, Severity};
use liveops_domain::zone::Zone;

/// What is kept in their folder.
const FOLDER: &str = "incidents";

/// The settings of incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentSettings {
    /// The folder, below that of the project file; `incidents` when it is not said.
    pub folder: Place,
    /// The Redis where teams share one live view.
    pub redis: Option<Endpoint>,
    /// The prefix of its streams.
    pub key: Option<String>,
    pub severities: Severities,
}

impl Default for IncidentSettings {
    fn default() -> Self {
        let folder = Place::usual(FOLDER, "incidents");
        Self { folder, redis: None, key: None, severities: Severities::default() }
    }
}

/// Reads the section.
pub fn decode(top: &mut Section<'_>, problems: &mut Problems) -> IncidentSettings {
    let mut settings = IncidentSettings::default();
    let Some(node) = top.get("incidents") else {
        return settings;
    };
    let mut section = Section::open(node, "incidents", problems);
    if let Some(folder) = section.place("folder", FOLDER, problems) {
        settings.folder = folder;
    }
    if let Some(node) = section.get("redis") {
        settings.key = node.get("key").and_then(Node::text).map(ToOwned::to_owned);
    }
    settings.redis = endpoint::member(&mut section, "redis", &["redis", "rediss"], &[Member::Text("key")], problems);
    if let Some(node) = section.get("severities") {
        let mut table = Section::open(node, "incidents.severities", problems);
        for severity in Severity::ALL {
            if let Some(node) = table.get(severity.key()) {
                terms(node, severity, &mut settings.severities, problems);
            }
        }
        table.finish(problems);
    }
    if let Some(node) = section.get("business_days") {
        business_days(node, &mut settings.severities, problems);
    }
    section.finish(problems);
    settings
}

fn terms(node: &Node, severity: Severity, table: &mut Severities, problems: &mut Problems) {
    let path = format!("incidents.severities.{}", severity.key());
    let mut section = Section::open(node, path, problems);
    let terms = table.terms_mut(severity);
    if let Some(impact) = section.text("impact", problems) {
        terms.impact = impact;
    }
    if let Some(limit) = section.parse("acknowledge", problems, Limit::from_str) {
        terms.acknowledge = limit;
    }
    if let Some(limit) = section.parse("mitigate", problems, Limit::from_str) {
        terms.mitigate = limit;
    }
    let none_or = |text: &str| match text {
        "none" => Ok(None),
        text => text.parse().map(Some).map_err(|error: String| format!("{error}, or `none`")),
    };
    if let Some(limit) = section.parse("postmortem", problems, none_or) {
        terms.postmortem = limit;
    }
    section.finish(problems);
}

fn business_days(node: &Node, table: &mut Severities, problems: &mut Problems) {
    let mut section = Section::open(node, "incidents.business_days", problems);
    let days = section.list("days", problems);
    let read: Vec<Weekday> = days
        .iter()
        .filter_map(|node| {
            let day = node.text().and_then(|text| text.parse().ok());
            if day.is_none() {
                let message = "must be names of days, such as `mon`";
                problems.error(&node.origin, "incidents.business_days.days", message);
            }
            day
        })
        .collect();
    if !days.is_empty() {
        table.business_days.days = read;
    }
    let time = |text: &str| {
        NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| format!("`{text}` is no time of day; write `17:00`"))
    };
    if let Some(end) = section.parse("end", problems, time) {
        table.business_days.end = end;
    }
    // `utc_offset` is what it was called when only offsets were known.
    for key in ["utc_offset", "time_zone"] {
        if let Some(zone) = section.parse(key, problems, Zone::from_str) {
            table.business_days.zone = zone;
        }
    }
    section.finish(problems);
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse;

    fn read(yaml: &str) -> (IncidentSettings, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = parse(yaml, &layer).expect("valid").root;
        let mut problems = Problems::default();
        let mut top = Section::open(&root, "", &mut problems);
        let settings = decode(&mut top, &mut problems);
        top.finish(&mut problems);
        let errors = problems.errors.iter().map(ToString::to_string);
        (settings, errors.collect())
    }

    #[test]
    fn the_table_can_be_overridden_in_part() {
        let (settings, errors) = read(
            "incidents:\n  folder: ops/incidents\n  redis: { url: 'redis://h/0', key: inc }\n  severities:\n    p1: { acknowledge: 3m, postmortem: none }\n    p4: { mitigate: next business day }\n  business_days: { days: [sun, mon], end: '18:00', time_zone: Europe/Berlin }\n",
        );
        assert_eq!(errors, Vec::<String>::new());
        let table = &settings.severities;
        let p1 = table.terms(Severity::P1);
        assert_eq!(p1.acknowledge.to_string(), "3m");
        assert_eq!(p1.mitigate.to_string(), "30m");
        assert_eq!(p1.postmortem, None);
        assert_eq!(table.terms(Severity::P4).mitigate, Limit::NextBusinessDay);
        assert_eq!(table.business_days.days, [Weekday::Sun, Weekday::Mon]);
        assert_eq!(settings.folder.path.to_str(), Some("ops/incidents"));
        assert_eq!(settings.key.as_deref(), Some("inc"));
    }

    #[test]
    fn every_slip_has_its_line() {
        for (yaml, want) in [
            ("incidents: { foldr: x }", "did you mean `folder`?"),
            ("incidents: { severities: { p5: {} } }", "unknown key"),
            ("incidents: { severities: { p1: { acknowledge: soon } } }", "or `next business day`"),
            ("incidents: { business_days: { days: [x] } }", "names of days"),
            ("incidents: { business_days: { end: noon } }", "write `17:00`"),
            ("incidents: { business_days: { time_zone: Berlin } }", "did you mean `Europe/Berlin`?"),
            ("incidents: { business_days: { utc_offset: 2h } }", "an offset such as `+02:00`"),
            ("incidents: { redis: 'http://h' }", "must begin with `redis:`"),
        ] {
            let (_, errors) = read(yaml);
            assert!(errors.len() == 1 && errors[0].contains(want), "{yaml}: {errors:?}");
        }
    }
}
