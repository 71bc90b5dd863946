//! The alerts of services and key figures: the one place of their numbers. Rules, plans, dashboards and runbooks are
//! all written from these.

use std::time::Duration;

use serde::Serialize;

use crate::document::catalog::{Bound, Entry, SPIKE, TRAFFIC, entries};
use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::labels::quote;
use crate::metric::level::Level;
use crate::metric::quantity::Unit;
use crate::metric::threshold::Threshold;
use crate::slo::rules::{GeneratedRule, group};
use crate::text::duration::{human, to_promql};

/// The golden signal that an alert or a figure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    Latency,
    Traffic,
    Errors,
    Saturation,
    Availability,
    Business,
}

impl Signal {
    pub fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Traffic => "traffic",
            Self::Errors => "errors",
            Self::Saturation => "saturation",
            Self::Availability => "availability",
            Self::Business => "business",
        }
    }

    /// The signal of a figure, by what it is called and computed from.
    pub fn of(kpi: &Kpi) -> Self {
        let name = kpi.name.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match &kpi.kind {
            _ if has(&["purchase", "revenue", "player", "login", "session", "match"]) => Self::Business,
            _ if has(&["error", "crash", "fail"]) => Self::Errors,
            _ if has(&["cpu", "memory", "disk", "connection", "pool", "queue_depth", "cache", "hit_rate"]) => {
                Self::Saturation
            }
            KpiKind::Quantile { .. } => Self::Latency,
            KpiKind::Rate { .. } => Self::Traffic,
            _ if has(&["latency", "duration", "_p9", "tick"]) => Self::Latency,
            KpiKind::Ratio { .. } => Self::Errors,
            _ => Self::Traffic,
        }
    }
}

/// An alert: what it watches, and its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertSpec {
    pub name: String,
    pub service: Option<String>,
    /// Team or person, as label `team`.
    pub owner: Option<String>,
    /// The figure that it watches.
    pub kpi: Option<String>,
    pub signal: Signal,
    pub expr: String,
    /// What is compared, in words.
    pub figure: String,
    /// The limit, as a person writes it: `> 20ms`.
    pub limit: String,
    /// The unit of what is compared.
    pub unit: Unit,
    pub hold: Duration,
    pub severity: &'static str,
    /// Where its limit was said.
    pub from: String,
}

impl AlertSpec {
    /// `tick p99 > 20ms for 5m`
    pub fn condition(&self) -> String {
        format!("{} {}", self.figure, self.limit)
    }
}

/// Where a figure's limits were said.
fn origin(kpi: &Kpi, member: &str, presets: bool) -> String {
    if presets { format!("preset {}", kpi.name) } else { format!("kpis.{}.{member}", kpi.name) }
}

/// Every alert of these services and figures. `presets`: the figures are liveops' own.
pub fn alerts(services: &[String], kpis: &[Kpi], presets: bool) -> Vec<AlertSpec> {
    let is_game = kpis.iter().flat_map(Kpi::selectors).any(|one| one.name().starts_with("game_"));
    let down = if is_game { "GameServerDown" } else { "ServiceDown" };
    let mut all: Vec<AlertSpec> = services.iter().map(|service| gone(down, service)).collect();
    for kpi in kpis {
        all.extend(of_kpi(kpi, presets));
        all.extend(spike(kpi));
    }
    // One counter of requests is enough: several figures may be computed from it.
    let counter = kpis.iter().find_map(|kpi| match &kpi.kind {
        KpiKind::Ratio { to, window, .. } if Signal::of(kpi) == Signal::Errors => Some((kpi, to, window)),
        _ => None,
    });
    if let Some((kpi, to, window)) = counter {
        let rate = format!("sum (rate({to}[{}])) * 60", to_promql(*window));
        for (name, sign, limit, severity) in
            [("TrafficTooLow", '<', TRAFFIC.0, "critical"), ("TrafficSpike", '>', TRAFFIC.1, "high")]
        {
            all.push(AlertSpec {
                name: name.into(),
                service: kpi.service.clone(),
                owner: None,
                kpi: None,
                signal: Signal::Traffic,
                expr: format!("{rate} {sign} {limit}"),
                figure: "requests a minute".into(),
                limit: format!("{sign} {limit}"),
                unit: Unit::None,
                hold: Duration::from_secs(300),
                severity,
                from: "default of liveops".into(),
            });
        }
    }
    let only = match services {
        [only] => Some(only),
        _ => None,
    };
    for alert in &mut all {
        alert.service = alert.service.take().or_else(|| only.cloned());
    }
    all
}

fn gone(name: &str, service: &str) -> AlertSpec {
    let job = quote(service);
    AlertSpec {
        name: name.into(),
        service: Some(service.to_owned()),
        owner: None,
        kpi: None,
        signal: Signal::Availability,
        // A pod that is gone is no target any more: its `up` is not 0, it is not there.
        expr: format!("up{{job={job}}} == 0 or absent(up{{job={job}}})"),
        figure: format!("scrapes of {service}: absent, or"),
        limit: "== 0".into(),
        unit: Unit::None,
        hold: Duration::from_secs(60),
        severity: "critical",
        from: "services".into(),
    }
}

fn of_kpi(kpi: &Kpi, presets: bool) -> Vec<AlertSpec> {
    let entries = entries(kpi);
    let spec = |name: String, limit: &Threshold, hold: u64, severity, signal, from: String| AlertSpec {
        name,
        service: kpi.service.clone(),
        owner: None,
        kpi: Some(kpi.name.clone()),
        signal,
        expr: compared(kpi, limit),
        figure: kpi.title().into_owned(),
        limit: limit.text.clone(),
        unit: kpi.unit.clone(),
        hold: Duration::from_secs(hold),
        severity,
        from,
    };
    if !entries.is_empty() {
        let made = entries.iter().filter_map(|entry| {
            let (limit, member) = limit(kpi, entry)?;
            let from = member.map_or_else(|| "default of liveops".into(), |member| origin(kpi, member, presets));
            Some(spec(entry.alert.into(), &limit, entry.hold, entry.severity, entry.signal, from))
        });
        return made.collect();
    }
    let name = |suffix: &str| format!("{}{suffix}", camel(&kpi.name));
    let signal = Signal::of(kpi);
    match (&kpi.critical, &kpi.warn) {
        (Some(critical), _) => {
            vec![spec(name("Critical"), critical, 300, "high", signal, origin(kpi, "critical", presets))]
        }
        (None, Some(warn)) => vec![spec(name("Warning"), warn, 600, "medium", signal, origin(kpi, "warn", presets))],
        (None, None) => Vec::new(),
    }
}

/// The limit of an entry for a figure, and which member of the figure said it.
fn limit(kpi: &Kpi, entry: &Entry) -> Option<(Threshold, Option<&'static str>)> {
    let warn = kpi.warn.clone().map(|limit| (limit, Some("warn")));
    let critical = kpi.critical.clone().map(|limit| (limit, Some("critical")));
    match entry.bound {
        Bound::Critical => critical,
        Bound::Warn => warn,
        Bound::At(text) => {
            let usual = Threshold::parse(text, &kpi.unit).ok()?;
            let level = kpi.level(usual.value);
            let own = match (entry.severity == "critical", level) {
                // What is said to be critical is not so below the figure's own limit.
                (true, Level::Ok | Level::Warn) if critical.is_some() => critical,
                (true, _) => None,
                // Beyond the limit of a warning, and short of that of another alert.
                (false, Level::Warn | Level::Unknown) => None,
                (false, Level::Ok) if warn.is_none() && critical.is_none() => None,
                (false, _) => warn.or(critical),
            };
            Some(own.unwrap_or((usual, None)))
        }
    }
}

fn compared(kpi: &Kpi, limit: &Threshold) -> String {
    let sign: String = limit.text.chars().take_while(|c| "<>=!".contains(*c)).collect();
    let figure = match kpi.kind {
        KpiKind::PromQl(_) => format!("({})", kpi.promql()),
        _ => kpi.promql(),
    };
    format!("{figure} {sign} {}", limit.value)
}

/// Players that come all at once. A gauge: `delta`, and not `rate`, which takes each fall for a restart.
fn spike(kpi: &Kpi) -> Option<AlertSpec> {
    let KpiKind::Gauge { selector, .. } = &kpi.kind else { return None };
    let is_players = kpi.name == "active_players" || selector.name() == "game_active_players";
    is_players.then(|| AlertSpec {
        name: "UnexpectedPlayerSpike".into(),
        service: kpi.service.clone(),
        owner: None,
        kpi: Some(kpi.name.clone()),
        signal: Signal::Traffic,
        expr: format!("sum (delta({selector}[5m])) > {SPIKE}"),
        figure: format!("growth of {} in 5 minutes", kpi.title()),
        limit: format!("> {SPIKE}"),
        unit: Unit::None,
        hold: Duration::from_secs(300),
        severity: "warning",
        from: "default of liveops".into(),
    })
}

/// `tick_p99` → `TickP99`.
fn camel(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let upper = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    let name: String = upper.collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("Kpi{name}") }
}

/// The groups of a rule file: recorded figures, and alerts. `runbooks` is the folder of the alerts' runbooks, `indent` what
/// stands before each line.
pub fn groups(alerts: &[AlertSpec], kpis: &[Kpi], runbooks: &str, indent: &str) -> String {
    let mut text = String::new();
    let recorded: Vec<GeneratedRule> = kpis.iter().map(recorded).collect();
    if !recorded.is_empty() {
        group(&mut text, indent, "liveops-kpis", None, &recorded);
    }
    let rules: Vec<GeneratedRule> = alerts.iter().map(|alert| rule(alert, runbooks)).collect();
    if !rules.is_empty() {
        group(&mut text, indent, "liveops-alerts", None, &rules);
    }
    text
}

fn recorded(kpi: &Kpi) -> GeneratedRule {
    let name = kpi.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_");
    let service = kpi.service.iter().map(|service| ("service", service.clone()));
    GeneratedRule {
        name: format!("kpi:{name}"),
        expr: kpi.promql(),
        is_alert: false,
        hold: None,
        labels: service.collect(),
        annotations: Vec::new(),
        comment: None,
    }
}

/// The value of a firing alert, as a template of Prometheus. `humanize` writes a thousandth as `m`, which is read as
/// minutes or millions.
fn shown(unit: &Unit) -> &'static str {
    match unit {
        Unit::Ratio => "{{ $value | humanizePercentage }}",
        Unit::Percent => "{{ printf `%.3g` $value }} %",
        Unit::Seconds => "{{ $value | humanizeDuration }}",
        Unit::Milliseconds => "{{ printf `%.3g` $value }} ms",
        Unit::Bytes => "{{ $value | humanize1024 }}B",
        Unit::BytesPerSecond => "{{ $value | humanize1024 }}B/s",
        Unit::PerSecond => "{{ printf `%.3g` $value }}/s",
        Unit::None | Unit::Custom(_) => "{{ printf `%.6g` $value }}",
    }
}

fn rule(alert: &AlertSpec, runbooks: &str) -> GeneratedRule {
    let mut labels = vec![("severity", alert.severity.to_owned())];
    labels.extend(alert.service.iter().map(|service| ("service", service.clone())));
    labels.extend(alert.owner.iter().map(|owner| ("team", owner.clone())));
    labels.extend(alert.kpi.iter().map(|kpi| ("kpi", kpi.clone())));
    let of = alert.service.as_ref().map_or_else(String::new, |service| format!(" on {service}"));
    let (summary, now) = match alert.signal {
        Signal::Availability => {
            let service = alert.service.as_deref().unwrap_or("a service");
            (format!("{service} is down, or no target of it is left"), String::new())
        }
        _ => (format!("{}{of} is {}", alert.figure, alert.limit), format!("now {}, ", shown(&alert.unit))),
    };
    let description = format!(
        "{}; {now}held for {}. See it: `liveops alerts show {}`.",
        alert.condition(),
        human(alert.hold),
        alert.name
    );
    let annotations = vec![
        ("summary", summary),
        ("description", description),
        ("runbook_url", format!("{runbooks}/{}.md", alert.name)),
    ];
    GeneratedRule {
        name: alert.name.clone(),
        expr: alert.expr.clone(),
        is_alert: true,
        hold: Some(alert.hold),
        labels,
        annotations,
        comment: Some(format!("from {}", alert.from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::selector::Selector;

    fn ratio(warn: &str, critical: &str) -> Kpi {
        let unit = Unit::Ratio;
        Kpi {
            name: "error_rate".into(),
            title: None,
            kind: KpiKind::Ratio {
                of: Selector::parse("r{status=~\"5..\"}").expect("sound"),
                to: Selector::parse("r").expect("sound"),
                window: Duration::from_secs(300),
            },
            by: None,
            warn: Threshold::parse(warn, &unit).ok(),
            critical: Threshold::parse(critical, &unit).ok(),
            unit,
            service: None,
        }
    }

    #[test]
    fn the_value_of_an_alert_is_written_in_its_unit() {
        let all = alerts(&["api".into()], &[ratio("> 1%", "> 2%")], false);
        let text = groups(&all, &[], "runbooks", "");
        assert!(text.contains("now {{ $value | humanizePercentage }}, "), "{text}");
        assert!(!text.contains("$value | humanize }}"), "a thousandth is no minute: {text}");
    }

    #[test]
    fn limits_are_those_of_the_figure_where_the_tables_do_not_fit() {
        for (warn, critical, high) in
            [("> 0.1%", "> 1%", "> 0.5%"), ("> 2%", "> 5%", "> 2%"), ("> 0.1%", "> 0.3%", "> 0.1%")]
        {
            let found = alerts(&["api".into()], &[ratio(warn, critical)], false);
            let limit = |name: &str| found.iter().find(|one| one.name == name).map(|one| one.limit.clone());
            assert_eq!(limit("ErrorRateCritical").as_deref(), Some(critical));
            assert_eq!(limit("ErrorRateHigh").as_deref(), Some(high), "{warn} {critical}");
            assert_eq!(limit("ServiceDown").as_deref(), Some("== 0"));
            assert_eq!(limit("TrafficTooLow").as_deref(), Some("< 10"));
            assert!(found.iter().all(|one| one.service.as_deref() == Some("api")));
        }
    }

    #[test]
    fn names_are_words() {
        assert_eq!(camel("tick_p99"), "TickP99");
        assert_eq!(camel("9lives"), "Kpi9lives");
    }

    #[test]
    fn rules_are_yaml_with_what_an_alert_needs() {
        let kpis = [ratio("> 0.1%", "> 1%")];
        let rules = groups(&alerts(&["api".into()], &kpis, false), &kpis, "docs/runbooks/alerts", "");
        let text = format!("groups:\n{rules}");
        let yaml: serde_yaml::Value = serde_yaml::from_str(&text).expect("YAML");
        let rules = yaml["groups"][1]["rules"].as_sequence().expect("rules");
        for rule in rules {
            assert!(rule["labels"]["severity"].is_string() && rule["for"].is_string(), "{rule:?}");
            assert!(rule["annotations"]["runbook_url"].is_string());
        }
    }
}
