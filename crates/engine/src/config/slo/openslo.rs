//! OpenSLO v1 and v1alpha, as its reference SDK accepts and refuses them. Only Prometheus can be asked.

use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::NaiveDateTime;

use crate::config::decode::{Problems, Section};
use crate::config::node::{Layer, Node, Origin, Value};
use crate::config::slo::{countable, moment, weight};
use crate::config::yaml::parse_all;
use liveops_domain::metric::promql;
use liveops_domain::metric::threshold::Threshold;
use liveops_domain::slo::indicator::{Indicator, Side};
use liveops_domain::slo::objective::Objective;
use liveops_domain::slo::openslo::{DASHBOARD_KEY, EXCLUSIONS_KEY, MIN_BAD_KEY, OPERATORS, RUNBOOK_KEY};
use liveops_domain::slo::window::{Unit, Window, length, shorthand};
use liveops_domain::slo::{Alerting, Exclusion, Method, Part, Slo, is_name};
use liveops_domain::zone::Zone;

const V1: &str = "openslo/v1";

const V1ALPHA: &str = "openslo/v1alpha";

/// Kinds that hold no objective, and are read over.
const OTHER_KINDS: [&str; 5] = ["DataSource", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"];

/// What the SDK allows of a description.
const LONGEST_DESCRIPTION: usize = 1_050;

/// Reads the objectives of a file.
pub fn read(text: &str, name: &str, problems: &mut Problems) -> Vec<Slo> {
    let layer = Rc::new(Layer::Project(name.to_owned()));
    let documents = match parse_all(text, &layer) {
        Ok(documents) => documents,
        Err(problem) => {
            problems.errors.push(problem);
            return Vec::new();
        }
    };
    let mut objects: Vec<&Node> = Vec::new();
    for document in &documents {
        problems.errors.extend(document.problems.iter().cloned());
        match &document.root.value {
            Value::List(items) => objects.extend(items),
            Value::Map(_) => objects.push(&document.root),
            Value::Null => {}
            Value::Scalar { .. } => problems.error(&document.root.origin, "", "is no object of OpenSLO"),
        }
    }
    let indicators: BTreeMap<&str, &Node> = objects
        .iter()
        .filter(|object| object.get("kind").and_then(Node::text) == Some("SLI"))
        .filter_map(|object| Some((object.get("metadata")?.get("name")?.text()?, object.get("spec")?)))
        .collect();
    let mut slos = Vec::new();
    for object in objects {
        slos.extend(one(object, &indicators, problems));
    }
    slos
}

fn one(object: &Node, indicators: &BTreeMap<&str, &Node>, problems: &mut Problems) -> Option<Slo> {
    let mut section = Section::open(object, "", problems);
    let version = section.text("apiVersion", problems);
    let kind = section.text("kind", problems);
    let mut metadata = member(&mut section, "metadata", problems)?;
    let name = metadata.parse("name", problems, |text| {
        if is_name(text) { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a label of DNS")) }
    });
    metadata.require("name", name.is_some(), problems);
    let version = match version.as_deref() {
        Some(version @ (V1 | V1ALPHA)) => version.to_owned(),
        Some(other) => {
            problems.error(&object.origin, "apiVersion", format!("`{other}` is not read; `{V1}` and `{V1ALPHA}` are"));
            return None;
        }
        None => {
            problems.error(&object.origin, "apiVersion", "is missing");
            return None;
        }
    };
    match kind.as_deref() {
        Some("SLO") => {}
        Some("SLI") => {
            let spec = member(&mut section, "spec", problems)?;
            sli(spec, problems);
            return None;
        }
        Some(other) if OTHER_KINDS.contains(&other) => return None,
        Some(other) => {
            problems.error(&object.origin, "kind", format!("`{other}` is no kind of OpenSLO"));
            return None;
        }
        None => {
            problems.error(&object.origin, "kind", "is missing");
            return None;
        }
    }
    let annotations = metadata.get("annotations");
    let spec = member(&mut section, "spec", problems)?;
    let mut reader = Reader { indicators, alpha: version == V1ALPHA, problems };
    let slo = reader.slo(name?, spec, annotations, &object.origin)?;
    let path = slo.name.clone();
    countable(slo, &object.origin, &path, problems)
}

fn member<'a>(section: &mut Section<'a>, key: &'static str, problems: &mut Problems) -> Option<Section<'a>> {
    let node = section.get(key);
    section.require(key, node.is_some(), problems);
    node.map(|node| Section::open(node, section.path(key), problems))
}

struct Reader<'a, 'p> {
    indicators: &'a BTreeMap<&'a str, &'a Node>,
    alpha: bool,
    problems: &'p mut Problems,
}

/// An indicator that still lacks the operator and the value of its objective.
enum Measured {
    Whole(Indicator),
    Threshold(String),
}

impl Reader<'_, '_> {
    fn slo(&mut self, name: String, mut spec: Section<'_>, annotations: Option<&Node>, origin: &Origin) -> Option<Slo> {
        let before = self.problems.errors.len();
        let description = spec.text("description", self.problems);
        if description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
            self.problems.error(origin, "spec.description", format!("is longer than {LONGEST_DESCRIPTION} characters"));
        }
        let service = spec.text("service", self.problems);
        spec.require("service", service.is_some(), self.problems);
        let window = self.window(&mut spec);
        let way = spec.parse("budgetingMethod", self.problems, |text| match text {
            "Occurrences" | "Timeslices" | "RatioTimeslices" => Ok(text.to_owned()),
            other => Err(format!("must be Occurrences, Timeslices or RatioTimeslices, not `{other}`")),
        });
        spec.require("budgetingMethod", way.is_some(), self.problems);
        let (parts, method) = self.objectives(&mut spec, way.as_deref().unwrap_or_default());
        let (alerting, exclusions) = self.annotated(annotations);
        if self.problems.errors.len() > before {
            return None;
        }
        let objective = parts.iter().map(|part| part.objective).min()?;
        let window = window.unwrap_or(Window::Rolling(super::WINDOW));
        let place = origin.show();
        Some(Slo { name, service, description, objective, window, method: method?, parts, exclusions, alerting, place })
    }

    fn annotated(&mut self, annotations: Option<&Node>) -> (Alerting, Vec<Exclusion>) {
        let text = |key: &str| annotations.and_then(|node| node.get(key)).and_then(Node::text);
        let mut alerting = Alerting::default();
        if let Some(n) = text(MIN_BAD_KEY).and_then(|text| text.parse().ok()) {
            alerting.min_bad = n;
        }
        alerting.runbook = text(RUNBOOK_KEY).map(ToOwned::to_owned);
        alerting.dashboard = text(DASHBOARD_KEY).map(ToOwned::to_owned);
        let list: Vec<BTreeMap<String, String>> =
            text(EXCLUSIONS_KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let exclusion = |one: BTreeMap<String, String>| {
            let time = |key: &str| moment(one.get(key)?).ok();
            Some(Exclusion {
                owner: one.get("owner")?.clone(),
                reason: one.get("reason")?.clone(),
                from: time("from")?,
                to: time("to")?,
            })
        };
        (alerting, list.into_iter().filter_map(exclusion).collect())
    }

    fn window(&mut self, spec: &mut Section<'_>) -> Option<Window> {
        let key = if self.alpha { "timeWindows" } else { "timeWindow" };
        let items = spec.list(key, self.problems);
        let item = match items {
            [] => return None,
            [only] => only,
            [_, second, ..] => {
                self.problems.error(&second.origin, &spec.path(key), "must have one item");
                return None;
            }
        };
        let mut section = Section::open(item, format!("spec.{key}[0]"), self.problems);
        let duration = if self.alpha {
            let unit = section.parse("unit", self.problems, |text| match text {
                "Day" => Ok('d'),
                "Week" => Ok('w'),
                "Month" => Ok('M'),
                "Quarter" => Ok('Q'),
                "Year" => Ok('Y'),
                other => Err(format!("must be Day, Week, Month, Quarter or Year, not `{other}`")),
            });
            let count = section.parse("count", self.problems, |text| {
                text.parse::<u32>().ok().filter(|n| *n > 0).ok_or_else(|| format!("`{text}` is not a number above 0"))
            });
            section.require("unit", unit.is_some(), self.problems);
            section.require("count", count.is_some(), self.problems);
            count.zip(unit)
        } else {
            let duration = section.parse("duration", self.problems, shorthand);
            section.require("duration", duration.is_some(), self.problems);
            duration
        }?;
        let is_rolling = section.boolean("isRolling", self.problems).unwrap_or(false);
        let calendar = section.get("calendar");
        match (is_rolling, calendar) {
            (true, Some(_)) => {
                let path = section.path("calendar");
                self.problems.error(section.origin(), &path, "cannot be set when `isRolling` is true");
                None
            }
            (false, None) => {
                let path = section.path("calendar");
                self.problems.error(section.origin(), &path, "must be set when `isRolling` is false");
                None
            }
            (true, None) => match Window::rolling(length(duration)) {
                Ok(window) => Some(window),
                Err(why) => {
                    self.problems.error(section.origin(), &section.path("duration"), why);
                    None
                }
            },
            (false, Some(calendar)) => {
                let mut inner = Section::open(calendar, section.path("calendar"), self.problems);
                let start = inner.parse("startTime", self.problems, |text| {
                    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
                        .map_err(|_| format!("`{text}` is not a time such as `2026-01-01 00:00:00`"))
                });
                inner.require("startTime", start.is_some(), self.problems);
                let zone = inner.parse("timeZone", self.problems, str::parse::<Zone>);
                inner.require("timeZone", zone.is_some(), self.problems);
                let unit = match duration {
                    (1, 'w') | (7, 'd') => Some(Unit::Week),
                    (1, 'M') => Some(Unit::Month),
                    (1, 'Q') | (3, 'M') => Some(Unit::Quarter),
                    (1, 'Y') | (12, 'M') | (4, 'Q') => Some(Unit::Year),
                    _ => None,
                };
                if unit.is_none() {
                    let why = "a calendar is read as one week, month, quarter or year (1w, 1M, 1Q, 1Y)";
                    self.problems.error(section.origin(), &section.path("duration"), why);
                }
                Some(Window::Calendar { unit: unit?, anchor: start?, zone: zone? })
            }
        }
    }

    /// The parts, and how they are counted.
    fn objectives(&mut self, spec: &mut Section<'_>, way: &str) -> (Vec<Part>, Option<Method>) {
        let shared = (spec.get("indicator"), spec.text("indicatorRef", self.problems));
        let items = spec.list("objectives", self.problems);
        if items.is_empty() {
            self.problems.error(spec.origin(), "spec", "`objectives` is missing");
        }
        let is_composite =
            items.iter().any(|item| item.get("indicator").is_some() || item.get("indicatorRef").is_some());
        let of_alpha = self.alpha && items.iter().any(|item| item.get("ratioMetrics").is_some());
        let has_shared = shared.0.is_some() || shared.1.is_some();
        if is_composite == has_shared && !of_alpha {
            let why = "`indicator` or `indicatorRef` stands either here, or at each of `objectives`";
            let what = if has_shared { "not at both" } else { "and at neither is one" };
            self.problems.error(spec.origin(), "spec", format!("{why}, {what}"));
            return (Vec::new(), None);
        }
        if !is_composite && items.len() > 1 {
            let why = "several objectives of one indicator: write an SLO for each";
            self.problems.error(&items[1].origin, "spec.objectives", why);
            return (Vec::new(), None);
        }
        let mut parts = Vec::new();
        let mut method = None;
        for (index, item) in items.iter().enumerate() {
            let mut section = Section::open(item, format!("spec.objectives[{index}]"), self.problems);
            let target = section.parse("target", self.problems, Objective::parse);
            let percent = section.parse("targetPercent", self.problems, |text| Objective::parse(&format!("{text}%")));
            if item.get("target").is_some() == item.get("targetPercent").is_some() {
                self.problems.error(&item.origin, &section.path("target"), "needs one of target and targetPercent");
            }
            let found = self.method(&mut section, way);
            if method.is_some() && found.is_some() && method != found {
                self.problems.error(
                    &item.origin,
                    &section.path("timeSliceWindow"),
                    "is not that of the first objective",
                );
            }
            method = method.or(found);
            let weight = section.parse("compositeWeight", self.problems, weight).unwrap_or(1.0);
            let own = (section.get("indicator"), section.text("indicatorRef", self.problems));
            let from = if is_composite { own } else { shared.clone() };
            let measured = if of_alpha { self.alpha_ratio(&mut section) } else { self.indicator(from, &item.origin) };
            let indicator = measured.and_then(|measured| self.complete(measured, &mut section));
            let title = section.text("displayName", self.problems);
            if let (Some(objective), Some(indicator)) = (target.or(percent), indicator) {
                let name = if is_composite { part_name(title, index) } else { String::new() };
                parts.push(Part { name, indicator, objective, weight });
            }
        }
        (parts, method)
    }

    fn method(&mut self, section: &mut Section<'_>, way: &str) -> Option<Method> {
        let slice = section.parse("timeSliceWindow", self.problems, |text| {
            let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            shorthand(&if bare { format!("{text}m") } else { text.to_owned() }).map(length)
        });
        let target = section.parse("timeSliceTarget", self.problems, Objective::target);
        match way {
            "Occurrences" => Some(Method::Occurrences),
            "Timeslices" => {
                section.require("timeSliceTarget", target.is_some(), self.problems);
                section.require("timeSliceWindow", slice.is_some(), self.problems);
                Some(Method::Timeslices { target: target?, slice: slice? })
            }
            _ => {
                section.require("timeSliceWindow", slice.is_some(), self.problems);
                Some(Method::RatioTimeslices { slice: slice? })
            }
        }
    }

    fn indicator(&mut self, (inline, reference): (Option<&Node>, Option<String>), origin: &Origin) -> Option<Measured> {
        let spec = match (inline, reference) {
            (Some(_), Some(_)) => {
                self.problems.error(origin, "indicatorRef", "stands beside indicator; choose one");
                return None;
            }
            (Some(node), None) if self.alpha => node,
            (Some(node), None) => {
                let mut section = Section::open(node, "indicator", self.problems);
                let mut metadata = member(&mut section, "metadata", self.problems)?;
                let name = metadata.text("name", self.problems);
                metadata.require("name", name.is_some(), self.problems);
                let spec = section.get("spec");
                section.require("spec", spec.is_some(), self.problems);
                spec?
            }
            (None, Some(name)) => match self.indicators.get(name.as_str()) {
                Some(spec) => spec,
                None => {
                    self.problems.error(origin, "indicatorRef", format!("no SLI `{name}` in this file"));
                    return None;
                }
            },
            (None, None) => {
                self.problems.error(origin, "indicator", "is missing");
                return None;
            }
        };
        sli(Section::open(spec, "indicator.spec", self.problems), self.problems)
    }

    fn alpha_ratio(&mut self, section: &mut Section<'_>) -> Option<Measured> {
        let mut ratio = Section::open(section.get("ratioMetrics")?, section.path("ratioMetrics"), self.problems);
        let monotonic = ratio.boolean("incremental", self.problems).unwrap_or(true);
        ratio_of(&mut ratio, monotonic, self.problems)
    }

    /// The operator and the value of an objective: of a threshold, and of nothing else.
    fn complete(&mut self, measured: Measured, section: &mut Section<'_>) -> Option<Indicator> {
        let op = section.parse("op", self.problems, |text| {
            let found = OPERATORS.iter().find(|(name, _)| *name == text);
            found.map(|(_, op)| *op).ok_or_else(|| format!("must be lte, lt, gte or gt, not `{text}`"))
        });
        let value = section.parse("value", self.problems, |text| {
            text.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(|| format!("`{text}` is not a number"))
        });
        match measured {
            Measured::Whole(indicator) => {
                // v1alpha wants a value of every objective, whatever it means.
                for (key, is_given) in [("op", op.is_some()), ("value", value.is_some())] {
                    if is_given && !self.alpha {
                        let why = "is for a thresholdMetric alone";
                        self.problems.error(section.origin(), &section.path(key), why);
                    }
                }
                Some(indicator)
            }
            Measured::Threshold(query) => {
                section.require("op", op.is_some(), self.problems);
                section.require("value", value.is_some(), self.problems);
                let (op, value) = (op?, value?);
                Some(Indicator::Threshold { query, bad: Threshold::new(op, value) })
            }
        }
    }
}

/// What a part of a composite is called: its title as a label of DNS.
fn part_name(title: Option<String>, index: usize) -> String {
    let named = title.map(|title| title.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    let named = named.map(|name| name.trim_matches('-').to_owned()).filter(|name| is_name(name));
    named.unwrap_or_else(|| format!("part-{}", index + 1))
}

/// The `spec` of an SLI.
fn sli(mut spec: Section<'_>, problems: &mut Problems) -> Option<Measured> {
    if spec.text("description", problems).is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        let path = spec.path("description");
        problems.error(spec.origin(), &path, format!("is longer than {LONGEST_DESCRIPTION} characters"));
    }
    let (threshold, ratio) = (spec.get("thresholdMetric"), spec.get("ratioMetric"));
    match (threshold, ratio) {
        (Some(node), None) => {
            let path = spec.path("thresholdMetric");
            query(node, &path, problems).map(Measured::Threshold)
        }
        (None, Some(node)) => {
            let mut ratio = Section::open(node, spec.path("ratioMetric"), problems);
            let monotonic = ratio.boolean("counter", problems).unwrap_or(false);
            if let Some(raw) = ratio.get("raw") {
                return raw_of(raw, &mut ratio, problems);
            }
            ratio_of(&mut ratio, monotonic, problems)
        }
        _ => {
            let origin = spec.origin();
            problems.error(origin, &spec.path("ratioMetric"), "needs one of thresholdMetric and ratioMetric");
            None
        }
    }
}

fn ratio_of(ratio: &mut Section<'_>, monotonic: bool, problems: &mut Problems) -> Option<Measured> {
    let (good, bad, total) = (ratio.get("good"), ratio.get("bad"), ratio.get("total"));
    ratio.require("total", total.is_some(), problems);
    let (side, node) = match (good, bad) {
        (Some(good), None) => (Side::Good, good),
        (None, Some(bad)) => (Side::Bad, bad),
        _ => {
            problems.error(ratio.origin(), &ratio.path("good"), "needs one of good and bad, beside total");
            return None;
        }
    };
    let events = query(node, &ratio.path("good"), problems);
    let total = query(total?, &ratio.path("total"), problems);
    Some(Measured::Whole(Indicator::Ratio { side, events: events?, total: total?, monotonic }))
}

fn raw_of(raw: &Node, ratio: &mut Section<'_>, problems: &mut Problems) -> Option<Measured> {
    for key in ["total", "good", "bad"] {
        if ratio.get(key).is_some() {
            problems.error(ratio.origin(), &ratio.path(key), "stands beside raw; choose one");
        }
    }
    let side = ratio.parse("rawType", problems, |text| match text {
        "success" => Ok(Side::Good),
        "failure" => Ok(Side::Bad),
        other => Err(format!("must be success or failure, not `{other}`")),
    });
    ratio.require("rawType", side.is_some(), problems);
    let query = query(raw, &ratio.path("raw"), problems)?;
    // What generators fill in: a share is looked at each minute, over the last five.
    let query = query.replace("{{.window}}", "5m");
    Some(Measured::Whole(Indicator::Raw { query, side: side? }))
}

/// The PromQL of a metric: of v1 below `metricSource.spec`, of v1alpha beside its source.
fn query(node: &Node, path: &str, problems: &mut Problems) -> Option<String> {
    let mut section = Section::open(node, path, problems);
    if let Some(source) = section.get("metricSource") {
        let mut source = Section::open(source, section.path("metricSource"), problems);
        let kind = source.text("type", problems);
        let mut spec = member(&mut source, "spec", problems)?;
        return text(&mut spec, kind, problems);
    }
    if section.get("source").is_none() {
        section.require("metricSource", false, problems);
        return None;
    }
    let kind = section.text("source", problems);
    text(&mut section, kind, problems)
}

fn text(section: &mut Section<'_>, kind: Option<String>, problems: &mut Problems) -> Option<String> {
    if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("prometheus")) {
        let why = format!("is of `{kind}`; only queries of Prometheus can be asked");
        problems.error(section.origin(), &section.path("query"), why);
        return None;
    }
    let query = section.parse("query", problems, |text| {
        promql::check(&text.replace("{{.window}}", "5m")).map(|()| text.trim().to_owned())
    });
    section.require("query", query.is_some(), problems);
    query
}

#[cfg(test)]
mod tests;
