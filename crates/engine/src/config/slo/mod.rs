//! Service level objectives as `slos` has them, or files of OpenSLO that it names.

pub mod openslo;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::config::decode::{Problems, Section};
use crate::config::node::{Node, Origin, Value};
use crate::config::trust::Place;
use liveops_domain::metric::promql;
use liveops_domain::metric::promql::Span;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::selector::Selector;
use liveops_domain::metric::threshold::Threshold;
use liveops_domain::slo::expression::counts;
use liveops_domain::slo::indicator::{Indicator, Side};
use liveops_domain::slo::objective::Objective;
use liveops_domain::slo::window::{Unit as Period, Window};
use liveops_domain::slo::{Alerting, Exclusion, Method, Part, Slo, is_name};
use liveops_domain::text::duration::parse_positive;
use liveops_domain::zone::Zone;

/// The window of an objective that names none: OpenSLO leaves it open, and everybody takes four weeks or this.
const WINDOW: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// What is measured: exactly one of these.
const KINDS: [&str; 5] = ["ratio", "latency", "threshold", "up", "gauge"];

/// What `slos` says.
#[derive(Debug, Clone, Default)]
pub struct SloSettings {
    pub defined: Vec<Slo>,
    /// Files of OpenSLO, relative to the file that names them; the last part may hold `*`.
    pub files: Vec<Place>,
}

impl SloSettings {
    pub fn is_empty(&self) -> bool {
        self.defined.is_empty() && self.files.is_empty()
    }
}

/// Reads `slos`: a list, or `{ files: […] }`.
pub fn decode(top: &mut Section<'_>, problems: &mut Problems) -> SloSettings {
    let mut settings = SloSettings::default();
    let Some(node) = top.get("slos") else {
        return settings;
    };
    if let Value::Map(_) = node.value {
        let mut section = Section::open(node, "slos", problems);
        for item in section.list("files", problems) {
            match Place::of("objectives", item) {
                Some(place) => settings.files.push(place),
                None => problems.error(&item.origin, "slos.files", "must be a list of paths"),
            }
        }
        section.finish(problems);
        return settings;
    }
    for (index, node) in top.list("slos", problems).iter().enumerate() {
        let name = node.get("name").and_then(Node::text);
        let path = name.map_or_else(|| format!("slos[{index}]"), |name| format!("slos.{name}"));
        settings.defined.extend(short_form(node, &path, problems));
    }
    refuse_twins(&settings.defined, top.origin(), problems);
    settings
}

/// A name means one objective.
fn refuse_twins(all: &[Slo], origin: &Origin, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for slo in all {
        if !names.insert(slo.name.as_str()) {
            problems.error(origin, &format!("slos.{}", slo.name), "an SLO of this name exists already");
        }
    }
}

fn short_form(node: &Node, path: &str, problems: &mut Problems) -> Option<Slo> {
    let mut section = Section::open(node, path, problems);
    let name = section.parse("name", problems, name);
    section.require("name", name.is_some(), problems);
    let service = section.text("service", problems);
    let description = section.text("description", problems);
    let objective = section.parse("objective", problems, Objective::parse);
    section.require("objective", objective.is_some(), problems);
    let window = window(&mut section, problems).unwrap_or(Window::Rolling(WINDOW));
    let method = method(&mut section, problems);
    let parts = match section.get("composite") {
        Some(_) => composite(&mut section, objective, problems),
        None => {
            let indicator = indicator(&mut section, node, problems);
            let part = |indicator| Some(Part { name: String::new(), indicator, objective: objective?, weight: 1.0 });
            indicator.and_then(part).into_iter().collect()
        }
    };
    let exclusions = exclusions(&mut section, problems);
    let default = Alerting::default();
    let alerting = Alerting {
        min_bad: section
            .parse("min_bad", problems, |text| {
                text.parse().map_err(|_| format!("`{text}` is not a whole number, such as 3; 0 turns the guard off"))
            })
            .unwrap_or(default.min_bad),
        runbook: section.text("runbook", problems),
        dashboard: section.text("dashboard", problems),
    };
    section.finish(problems);
    let slo = Slo {
        name: name?,
        service,
        description,
        objective: objective?,
        window,
        method: method?,
        parts,
        exclusions,
        alerting,
        place: node.origin.show(),
    };
    if slo.parts.is_empty() {
        return None;
    }
    countable(slo, &node.origin, path, problems)
}

/// An objective whose expressions can be counted.
fn countable(slo: Slo, origin: &Origin, path: &str, problems: &mut Problems) -> Option<Slo> {
    match counts(&slo, Span::last(WINDOW)) {
        Ok(_) => Some(slo),
        Err(why) => {
            problems.error(origin, path, why);
            None
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a name: up to 63 of a-z, 0-9 and `-`, as a label of DNS"))
}

fn window(section: &mut Section<'_>, problems: &mut Problems) -> Option<Window> {
    let node = section.get("window")?;
    if node.text().is_some() {
        return section.parse("window", problems, Window::parse);
    }
    let mut inner = Section::open(node, section.path("window"), problems);
    let unit = inner.parse("calendar", problems, |text| {
        let found = Period::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, unit)| *unit).ok_or_else(|| format!("must be week, month, quarter or year, not `{text}`"))
    });
    inner.require("calendar", unit.is_some(), problems);
    let zone = inner.parse("zone", problems, str::parse::<Zone>).unwrap_or(Zone::UTC);
    inner.finish(problems);
    Some(Window::calendar(unit?, zone))
}

fn method(section: &mut Section<'_>, problems: &mut Problems) -> Option<Method> {
    let ways = [("timeslices", true), ("ratio_timeslices", false)];
    let [timed, ratio] = ways.map(|(key, has_target)| {
        let node = section.get(key)?;
        let mut inner = Section::open(node, section.path(key), problems);
        let slice = inner.parse("slice", problems, parse_positive);
        inner.require("slice", slice.is_some(), problems);
        let target = if has_target {
            let target = inner.parse("target", problems, Objective::target);
            inner.require("target", target.is_some(), problems);
            target
        } else {
            None
        };
        inner.finish(problems);
        Some((slice, target))
    });
    match (timed, ratio) {
        (None, None) => Some(Method::Occurrences),
        (Some((slice, target)), None) => Some(Method::Timeslices { target: target?, slice: slice? }),
        (None, Some((slice, _))) => Some(Method::RatioTimeslices { slice: slice? }),
        (Some(_), Some(_)) => {
            let origin = section.origin();
            problems.error(origin, &section.path("timeslices"), "stands beside ratio_timeslices; choose one");
            None
        }
    }
}

fn composite(section: &mut Section<'_>, objective: Option<Objective>, problems: &mut Problems) -> Vec<Part> {
    for kind in KINDS {
        if section.get(kind).is_some() {
            problems.error(section.origin(), &section.path(kind), "stands beside composite; put it among its parts");
        }
    }
    let path = section.path("composite");
    let mut parts: Vec<Part> = Vec::new();
    for (index, node) in section.list("composite", problems).iter().enumerate() {
        let mut inner = Section::open(node, format!("{path}[{index}]"), problems);
        let name = inner.parse("name", problems, name);
        inner.require("name", name.is_some(), problems);
        let own = inner.parse("objective", problems, Objective::parse);
        let weight = inner.parse("weight", problems, weight).unwrap_or(1.0);
        let indicator = indicator(&mut inner, node, problems);
        inner.finish(problems);
        if let (Some(name), Some(objective), Some(indicator)) = (name, own.or(objective), indicator) {
            if parts.iter().any(|part| part.name == name) {
                problems.error(&node.origin, &format!("{path}[{index}]"), "a part of this name exists already");
            }
            parts.push(Part { name, indicator, objective, weight });
        }
    }
    if parts.len() == 1 {
        problems.error(section.origin(), &path, "has one part; a composite has at least two");
    }
    parts
}

fn weight(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(weight) if weight.is_finite() && weight > 0.0 => Ok(weight),
        _ => Err(format!("`{text}` is not a weight: a number above 0")),
    }
}

fn indicator(section: &mut Section<'_>, node: &Node, problems: &mut Problems) -> Option<Indicator> {
    let is_given = |kind: &&str| node.get(kind).is_some_and(|node| node.value != Value::Null);
    let given: Vec<&str> = KINDS.into_iter().filter(is_given).collect();
    let found = match given.as_slice() {
        [only] => of_kind(only, section, problems),
        [] => {
            let path = section.path("ratio");
            let path = path.rsplit_once('.').map_or("", |(path, _)| path);
            problems.error(section.origin(), path, format!("needs one of {}, composite", KINDS.join(", ")));
            None
        }
        several => {
            problems.error(
                section.origin(),
                &section.path(several[1]),
                format!("stands beside {}; choose one", several[0]),
            );
            None
        }
    };
    for kind in KINDS {
        let _ = section.get(kind);
    }
    found
}

fn of_kind(kind: &str, section: &mut Section<'_>, problems: &mut Problems) -> Option<Indicator> {
    match kind {
        "ratio" => {
            let mut ratio = Section::open(section.get("ratio")?, section.path("ratio"), problems);
            let expression = |text: &str| promql::check(text).map(|()| text.to_owned());
            let good = ratio.parse("good", problems, expression);
            let bad = ratio.parse("bad", problems, expression);
            let total = ratio.parse("total", problems, expression);
            ratio.require("total", total.is_some(), problems);
            if good.is_some() == bad.is_some() {
                problems.error(ratio.origin(), &section.path("ratio"), "needs one of good and bad, beside total");
            }
            ratio.finish(problems);
            let (side, events) = match (good, bad) {
                (Some(good), None) => (Side::Good, good),
                (None, Some(bad)) => (Side::Bad, bad),
                _ => return None,
            };
            Some(Indicator::Ratio { side, events, total: total?, monotonic: true })
        }
        "latency" => {
            let mut latency = Section::open(section.get("latency")?, section.path("latency"), problems);
            let histogram = latency.parse("histogram", problems, Selector::parse);
            latency.require("histogram", histogram.is_some(), problems);
            let native = latency.boolean("native", problems).unwrap_or(false);
            let found = latency.parse("below", problems, |text| match histogram.clone() {
                Some(histogram) => Indicator::latency(&histogram, text, native).map(Some),
                None => Ok(None),
            });
            latency.require("below", found.is_some(), problems);
            latency.finish(problems);
            found.flatten()
        }
        "threshold" => {
            let mut threshold = Section::open(section.get("threshold")?, section.path("threshold"), problems);
            let query = threshold.parse("query", problems, |text| promql::check(text).map(|()| text.to_owned()));
            threshold.require("query", query.is_some(), problems);
            // Of an expression over one metric, too: `max(queue_seconds)`.
            let named = query.as_deref().and_then(promql::inspect).map(|found| found.metrics);
            let metric = named.and_then(|names| <[String; 1]>::try_from(names).ok()).map(|[only]| only);
            let unit = metric.map_or(Unit::None, |name| Unit::from_metric_name(&name));
            let bad = threshold.parse("bad", problems, |text| Threshold::parse(text, &unit));
            threshold.require("bad", bad.is_some(), problems);
            threshold.finish(problems);
            Some(Indicator::Threshold { query: query?, bad: bad? })
        }
        _ => {
            let kind = if kind == "up" { "up" } else { "gauge" };
            Some(Indicator::Up { selector: section.parse(kind, problems, Selector::parse)? })
        }
    }
}

fn exclusions(section: &mut Section<'_>, problems: &mut Problems) -> Vec<Exclusion> {
    let path = section.path("exclusions");
    let mut all = Vec::new();
    for (index, node) in section.list("exclusions", problems).iter().enumerate() {
        let mut inner = Section::open(node, format!("{path}[{index}]"), problems);
        let owner = inner.text("owner", problems);
        let reason = inner.text("reason", problems);
        let from = inner.parse("from", problems, moment);
        let to = inner.parse("to", problems, moment);
        for (key, is_given) in
            [("owner", owner.is_some()), ("reason", reason.is_some()), ("from", from.is_some()), ("to", to.is_some())]
        {
            inner.require(key, is_given, problems);
        }
        inner.finish(problems);
        if let (Some(owner), Some(reason), Some(from), Some(to)) = (owner, reason, from, to) {
            if from >= to {
                problems.error(&node.origin, &format!("{path}[{index}].to"), "is not after `from`");
                continue;
            }
            all.push(Exclusion { owner, reason, from, to });
        }
    }
    all
}

/// A time as RFC 3339 has it.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let read = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    read.map_err(|_| format!("`{text}` is not a time such as 2026-11-28T22:00:00Z"))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse;

    fn read(item: &str) -> (Vec<Slo>, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = parse(&format!("slos: [ {item} ]"), &layer).expect("valid").root;
        let mut problems = Problems::default();
        let mut top = Section::open(&root, "", &mut problems);
        let settings = decode(&mut top, &mut problems);
        (settings.defined, problems.errors.iter().map(ToString::to_string).collect())
    }

    const RATIO: &str = "ratio: { bad: 'r{status=~\"5..\"}', total: r }";

    #[test]
    fn every_kind_is_read() {
        for item in [
            format!("{{ name: a, objective: 99.9%, {RATIO} }}"),
            format!("{{ name: a, service: s, objective: 0.999, window: 28d, {RATIO} }}"),
            format!("{{ name: a, objective: 99%, window: {{ calendar: month, zone: Europe/Berlin }}, {RATIO} }}"),
            format!("{{ name: a, objective: 99%, timeslices: {{ slice: 1m, target: 95% }}, {RATIO} }}"),
            format!("{{ name: a, objective: 99%, ratio_timeslices: {{ slice: 5m }}, {RATIO} }}"),
            "{ name: a, objective: 99%, ratio: { good: 'r{ok=\"1\"}', total: 'sum(rate(r[5m]))' } }".into(),
            "{ name: a, objective: 99%, latency: { histogram: d_seconds, below: 300ms } }".into(),
            "{ name: a, objective: 99%, latency: { histogram: d_seconds, below: 300ms, native: true } }".into(),
            "{ name: a, objective: 99%, threshold: { query: queue_seconds, bad: '> 2m' } }".into(),
            "{ name: a, objective: 99%, up: 'up{job=\"game\"}' }".into(),
            "{ name: a, objective: 99%, gauge: probe_success }".into(),
            "{ name: a, objective: 99%, composite: [{ name: x, up: up }, { name: y, weight: 2, objective: 95%, up: up }] }".into(),
            format!("{{ name: a, objective: 99%, {RATIO}, exclusions: [{{ owner: ada, reason: move, from: 2026-11-01T00:00:00Z, to: 2026-11-01T02:00:00Z }}] }}"),
        ] {
            let (slos, errors) = read(&item);
            assert!(errors.is_empty(), "{item}: {errors:?}");
            assert_eq!(slos.len(), 1, "{item}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (item, want) in [
            (format!("{{ objective: 99%, {RATIO} }}"), "`name` is missing"),
            (format!("{{ name: A_b, objective: 99%, {RATIO} }}"), "is not a name"),
            (format!("{{ name: a, {RATIO} }}"), "`objective` is missing"),
            (format!("{{ name: a, objective: 100%, {RATIO} }}"), "leaves no error budget"),
            (format!("{{ name: a, objective: 99.9, {RATIO} }}"), "write per cent"),
            (format!("{{ name: a, objective: 99%, window: 1h, {RATIO} }}"), "too short"),
            (format!("{{ name: a, objective: 99%, window: {{ calendar: fortnight }}, {RATIO} }}"), "must be week"),
            (
                format!("{{ name: a, objective: 99%, window: {{ calendar: week, zone: Berlin }}, {RATIO} }}"),
                "Europe/Berlin",
            ),
            (format!("{{ name: a, objective: 99%, timeslices: {{ slice: 1m }}, {RATIO} }}"), "`target` is missing"),
            ("{ name: a, objective: 99% }".into(), "needs one of ratio, latency"),
            (format!("{{ name: a, objective: 99%, up: up, {RATIO} }}"), "stands beside"),
            ("{ name: a, objective: 99%, ratio: { total: r } }".into(), "needs one of good and bad"),
            ("{ name: a, objective: 99%, ratio: { bad: 'r{', total: r } }".into(), "slos.a.ratio.bad"),
            ("{ name: a, objective: 99%, ratio: { bad: 'r offset 1h', total: r } }".into(), "moved in time"),
            ("{ name: a, objective: 99%, latency: { histogram: d, below: 3MB } }".into(), "does not fit"),
            ("{ name: a, objective: 99%, latency: { histogram: d } }".into(), "`below` is missing"),
            ("{ name: a, objective: 99%, composite: [{ name: x, up: up }] }".into(), "at least two"),
            (
                format!(
                    "{{ name: a, objective: 99%, {RATIO}, exclusions: [{{ owner: ada, from: 2026-11-01T00:00:00Z, to: 2026-11-01T02:00:00Z }}] }}"
                ),
                "`reason` is missing",
            ),
            (
                format!(
                    "{{ name: a, objective: 99%, {RATIO}, exclusions: [{{ owner: a, reason: b, from: 2026-11-02T00:00:00Z, to: 2026-11-01T02:00:00Z }}] }}"
                ),
                "is not after `from`",
            ),
            (format!("{{ name: a, objectiv: 99%, {RATIO} }}"), "did you mean `objective`?"),
            (
                format!("{{ name: a, objective: 99%, {RATIO} }}, {{ name: a, objective: 99%, up: up }}"),
                "exists already",
            ),
        ] {
            let errors = read(&item).1.join("\n");
            assert!(errors.contains(want), "{item}: {errors}");
            assert!(errors.starts_with("liveops.yaml:1"), "{errors}");
        }
    }
}
