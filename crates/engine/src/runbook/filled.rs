//! A runbook from its template, filled with what the rule, the KPIs and the configuration say.

use minijinja::context;
use serde::Serialize;

use crate::runbook::library::{RunbookFile, RunbookLibrary};
use crate::runbook::scenario;
use crate::session::Session;
use crate::template::Template;
use liveops_domain::alert::probe::figures;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::severity::Severity;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::promql::inspect;
use liveops_domain::runbook::check::NamedRunbook;
use liveops_domain::runbook::rule::AlertRule;
use liveops_domain::runbook::{Purpose, Runbook};
use liveops_domain::text::duration::human;
use liveops_domain::text::shell::word;

#[derive(Serialize)]
struct RuleValues<'a> {
    expression: &'a str,
    /// What it compares, each as a word of a shell.
    figures: Vec<String>,
    hold: String,
    severity: &'a str,
    /// The level of incident that it stands for: `p1`.
    level: String,
    impact: &'a str,
    acknowledge: String,
    mitigate: String,
    summary: Option<&'a str>,
    description: Option<&'a str>,
    dashboard: Option<&'a str>,
    place: &'a str,
}

#[derive(Serialize)]
struct KpiValues {
    name: String,
    title: String,
    warn: Option<String>,
    critical: Option<String>,
    related: bool,
}

/// What a service is called until one is configured.
pub const USUAL: &str = "game-backend";

/// What stands for the service where there are several and nobody named one.
const ANY: &str = "SERVICE";

/// The runbook of this name: the project's own, else the one that liveops ships for a scenario, so that what a document
/// names at 3 am can be read without having been written by day.
///
/// # Errors
/// As [`RunbookLibrary::find`].
pub fn find(cx: &Session, name: &str) -> Result<RunbookFile> {
    let library = RunbookLibrary::open(cx)?;
    match (library.find(name), scenario::find(name)) {
        (Err(Error::NotFound { .. }), Some(scenario)) => {
            let (shown, path) = library.place(name, Purpose::Scenario)?;
            let template = Template::find(cx, &format!("runbook/{name}.md.j2"), Some(scenario.text))?
                .ok_or_else(|| Error::internal("a shipped template is missing"))?;
            let service = match cx.config()?.settings.services.as_slice() {
                [] => USUAL,
                [only] => &only.name,
                _ => ANY,
            };
            let text = render(&template, name, service, &[], cx)?;
            let book = Runbook::parse(&text);
            let filed = NamedRunbook { name: name.to_owned(), path: shown, purpose: Purpose::Scenario, book };
            Ok(RunbookFile { filed, text, path, is_written: false })
        }
        (found, _) => found,
    }
}

/// The Markdown of a runbook: of an alert with these rules, or of a scenario.
///
/// # Errors
/// `Usage`, where the user's template is wrong.
pub fn render(template: &Template, name: &str, service: &str, rules: &[AlertRule], cx: &Session) -> Result<String> {
    let config = cx.config()?;
    let settings = &config.settings;
    let metrics: Vec<String> =
        rules.iter().filter_map(|rule| inspect(&rule.expression)).flat_map(|expression| expression.metrics).collect();
    let levels = &settings.incidents.severities;
    let terms = |rule: &AlertRule| levels.terms(Severity::of_alert(rule.severity()));
    let values = rules.iter().map(|rule| RuleValues {
        level: Severity::of_alert(rule.severity()).word().to_lowercase(),
        impact: &terms(rule).impact,
        acknowledge: terms(rule).acknowledge.to_string(),
        mitigate: terms(rule).mitigate.to_string(),
        expression: &rule.expression,
        figures: figures(&rule.expression).iter().map(|figure| word(figure)).collect(),
        hold: human(std::time::Duration::from_secs_f64(rule.hold.max(0.0))),
        severity: rule.severity().unwrap_or("not set"),
        summary: rule.annotation(&["summary"]),
        description: rule.annotation(&["description", "message"]),
        dashboard: rule.annotation(&["dashboard_url", "dashboard", "grafana"]),
        place: &rule.place,
    });
    let kpis: Vec<KpiValues> = settings.kpis.iter().map(|kpi| kpi_values(kpi, &metrics)).collect();
    // Where none is computed from what the rule looks at, those that have limits say how players are.
    let is_any_related = kpis.iter().any(|kpi| kpi.related);
    let is_shown =
        |kpi: &KpiValues| if is_any_related { kpi.related } else { kpi.warn.is_some() || kpi.critical.is_some() };
    let kpis: Vec<KpiValues> = kpis.into_iter().filter(is_shown).collect();
    let known = settings.services.iter().find(|known| known.name == service);
    let container = known.and_then(|known| known.workload.as_ref()?.container.as_deref());
    template.render(context! {
        name => name,
        service => service,
        deployment => known.map_or(service, |known| known.deployment()),
        container => container,
        owner => known.and_then(|known| known.owner.as_deref()),
        project => settings.project.clone().unwrap_or_else(|| service.to_owned()),
        rules => values.collect::<Vec<_>>(),
        kpis => kpis,
    })
}

fn kpi_values(kpi: &Kpi, metrics: &[String]) -> KpiValues {
    let own: Vec<String> = kpi.selectors().iter().map(|selector| selector.name().to_owned()).collect();
    KpiValues {
        name: kpi.name.clone(),
        title: kpi.title().into_owned(),
        warn: kpi.warn.as_ref().map(ToString::to_string),
        critical: kpi.critical.as_ref().map(ToString::to_string),
        related: own.iter().any(|name| metrics.contains(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::scenario::{ALERT, SCENARIOS};
    use liveops_domain::check::finding::{Finding, Level};
    use liveops_domain::metric::labels::Labels;
    use liveops_domain::runbook::Link;

    fn values(rules: &[RuleValues<'_>], kpis: &[KpiValues]) -> minijinja::Value {
        context! {
            name => "Down", service => "game-backend", deployment => "game", container => Some("server"), owner => Some("platform"), project => "starfall",
            rules => minijinja::Value::from_serialize(rules), kpis => minijinja::Value::from_serialize(kpis),
        }
    }

    fn checked(text: &str, name: &str, purpose: Purpose, values: minijinja::Value) -> Runbook {
        let template = Template { text: text.into(), file: None };
        let markdown = template.render(values).expect(name);
        let filed = NamedRunbook { name: name.into(), path: name.into(), purpose, book: Runbook::parse(&markdown) };
        // A file that a fresh runbook links may not be there yet.
        let dead = |link: &Link| (!link.is_url()).then(|| "a local file".to_owned());
        let required: Vec<String> = purpose.sections().iter().map(|section| (*section).to_owned()).collect();
        let findings = filed.check(&required, dead);
        let grave: Vec<&Finding> = findings.iter().filter(|f| f.level >= Level::High).collect();
        assert!(grave.is_empty(), "{name}: {grave:#?}\n{markdown}");
        assert!(findings.iter().all(|f| f.id != "R12"), "{name}: {findings:#?}");
        assert!(!markdown.contains("\n\n\n"), "{name}: {markdown}");
        filed.book
    }

    #[test]
    fn every_scenario_renders_and_passes_its_own_check() {
        for scenario in &SCENARIOS {
            let book = checked(scenario.text, scenario.name, Purpose::Scenario, values(&[], &[]));
            assert!(book.steps.len() >= 3, "{} has too few steps", scenario.name);
            assert!(book.steps.iter().any(|step| !step.confirm), "{} has no look", scenario.name);
        }
    }

    #[test]
    fn an_alert_runbook_renders_with_and_without_its_rule() {
        let rule = AlertRule {
            name: "Down".into(),
            expression: "up{job=\"game\"} == 0".into(),
            hold: 60.0,
            labels: Labels::default(),
            annotations: Labels::default(),
            place: "group g".into(),
            file: None,
        };
        let full = RuleValues {
            expression: &rule.expression,
            figures: vec![word("up{job=\"game\"}")],
            hold: "1m".into(),
            severity: "critical",
            level: "p1".into(),
            impact: "service down",
            acknowledge: "5m".into(),
            mitigate: "30m".into(),
            summary: Some("A server is down"),
            description: None,
            dashboard: Some("https://grafana.example/d/x"),
            place: &rule.place,
        };
        let kpi = KpiValues {
            name: "tick_p99".into(),
            title: "tick p99".into(),
            warn: Some("> 16ms".into()),
            critical: None,
            related: true,
        };
        checked(ALERT, "Down", Purpose::Alert, values(&[full], &[kpi]));
        checked(ALERT, "Down", Purpose::Alert, values(&[], &[]));
    }
}
