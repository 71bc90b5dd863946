//! One document from its template, as it would be written now.

use minijinja::context;

use crate::document::facts::{Gathered, gather};
use crate::document::monitoring;
use crate::session::Session;
use crate::template::Template;
use liveops_domain::document::alerts::{AlertSpec, Signal, groups};
use liveops_domain::document::block::{header_line, open_questions, seal};
use liveops_domain::document::dashboard;
use liveops_domain::document::facts::{BackupFacts, Facts, ServiceFacts};
use liveops_domain::document::kind::{Kind, Options, RuleForm, Syntax};
use liveops_domain::document::question::questions;
use liveops_domain::document::review::review;
use liveops_domain::document::table::tables;
use liveops_domain::error::Result;
use liveops_domain::text::shell::word;

/// A document as it would be written.
#[derive(Debug)]
pub struct Rendered {
    pub text: String,
    /// What only people can answer.
    pub questions: usize,
    /// The user's template that was used.
    pub template: Option<String>,
    /// Alerts whose rules are in it.
    pub alerts: Vec<AlertSpec>,
}

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/document/", $name))
    };
}

/// The file of a kind's template, and what is shipped.
fn shipped(kind: Kind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        Kind::MonitoringPlan => ("monitoring-plan.md.j2", template!("monitoring-plan.md.j2")),
        Kind::IncidentResponse => ("incident-response.md.j2", template!("incident-response.md.j2")),
        Kind::Hotfix => ("hotfix.md.j2", template!("hotfix.md.j2")),
        Kind::DeploymentPlan => ("deployment-plan.md.j2", template!("deployment-plan.md.j2")),
        Kind::BackupStrategy => ("backup-strategy.md.j2", template!("backup-strategy.md.j2")),
        Kind::Infrastructure => ("infrastructure.md.j2", template!("infrastructure.md.j2")),
        Kind::CapacityPlan => ("capacity-plan.md.j2", template!("capacity-plan.md.j2")),
        Kind::OperationsReview => ("operations-review.md.j2", template!("operations-review.md.j2")),
        Kind::SloDocument => ("slo-document.md.j2", template!("slo-document.md.j2")),
        Kind::MaintenancePlan => ("maintenance-plan.md.j2", template!("maintenance-plan.md.j2")),
        Kind::Prometheus => ("prometheus.yml.j2", template!("prometheus.yml.j2")),
        Kind::AlertRules => ("alert-rules.yml.j2", template!("alert-rules.yml.j2")),
        Kind::Alertmanager => ("alertmanager.yml.j2", template!("alertmanager.yml.j2")),
        Kind::CiGithub => ("ci-github.yml.j2", template!("ci-github.yml.j2")),
        Kind::CiGitlab => ("ci-gitlab.yml.j2", template!("ci-gitlab.yml.j2")),
        Kind::Grafana => return None,
    })
}

/// The document.
///
/// # Errors
/// Those of the configuration; a service that does not exist; a template of the user's that is wrong.
pub fn render(cx: &Session, kind: Kind, options: &Options) -> Result<Rendered> {
    let other = options.environment.as_deref().filter(|name| cx.environment().is_ok_and(|now| now != *name));
    let session = other.map(|name| cx.in_environment(name));
    let cx = session.as_ref().unwrap_or(cx);
    let gathered = gather(cx, options.service.as_deref())?;
    let (text, template) = match shipped(kind) {
        Some((file, text)) => written(cx, kind, options, &gathered, file, text)?,
        None => (board(&gathered, options), None),
    };
    let text = seal(&text, kind.syntax());
    let alerts = if kind == Kind::AlertRules { gathered.specs } else { Vec::new() };
    Ok(Rendered { questions: open_questions(&text), text, template, alerts })
}

fn board(gathered: &Gathered, options: &Options) -> String {
    let facts = &gathered.facts;
    let services: Vec<String> = facts.services.iter().map(|one| one.name.clone()).collect();
    let source = dashboard::Source {
        project: &facts.project,
        services: &services,
        kpis: &gathered.kpis,
        alerts: &gathered.specs,
        runbooks: &facts.runbooks,
    };
    let mark = format!("{} sha256:{}", header_line(Kind::Grafana, options), "0".repeat(16));
    dashboard::text(&source, options.dashboard, options.grafana, &mark)
}

fn written(
    cx: &Session,
    kind: Kind,
    options: &Options,
    gathered: &Gathered,
    file: &str,
    text: &str,
) -> Result<(String, Option<String>)> {
    let facts = &gathered.facts;
    let template = Template::find(cx, &format!("document/{file}"), Some(text))?;
    let template = template.ok_or_else(|| liveops_domain::error::Error::internal("a shipped template is missing"))?;
    let named = |words: &[&str]| {
        facts.kpis.iter().any(|kpi| words.iter().any(|word| kpi.name.contains(word) || kpi.query.contains(word)))
    };
    let missing: Vec<&str> = [Signal::Latency, Signal::Traffic, Signal::Errors, Signal::Saturation]
        .into_iter()
        .map(Signal::word)
        .filter(|signal| facts.kpis.iter().all(|kpi| kpi.signal != *signal))
        .filter(|signal| *signal != "traffic" || facts.alerts.iter().all(|alert| alert.signal != "traffic"))
        .collect();
    let services = |lacks: fn(&ServiceFacts) -> bool| {
        facts.services.iter().filter(|one| lacks(one)).map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    let backups = |lacks: fn(&BackupFacts) -> bool| {
        facts.backups.iter().filter(|one| lacks(one)).map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    let ownerless = services(|one| one.owner.is_none());
    let (jobs, unknown_jobs) = monitoring::jobs(cx, facts.service.as_deref())?;
    let (weekdays, start, end, zone) = monitoring::hours(cx)?;
    let config = facts.config.clone().unwrap_or_else(|| "the configuration".into());
    let provenance = format!(
        "Written by `liveops new {}`. What stands between the marks comes from `{config}` (environment {}), and `liveops new --check` compares it; what stands outside is yours. `kpis.NAME` and the like are keys of that file, `preset` and `default` are liveops' own.",
        kind.name(),
        facts.environment
    );
    let migrations = monitoring::migrations(cx)?;
    let namespace = cx.config()?.settings.kubernetes.as_ref().and_then(|one| one.namespace.clone());
    let operator = options.form == RuleForm::Operator;
    let indent = if operator { "  " } else { "" };
    let values = context! {
        header => header_line(kind, options),
        provenance,
        f => facts,
        t => tables(facts),
        ask => questions(facts.owner.as_deref(), kind.syntax()),
        presets => gathered.presets,
        missing,
        ownerless,
        has => context! {
            database => named(&["db_", "database"]), cache => named(&["cache", "redis"]), disk => named(&["disk", "filesystem"]),
        },
        without => context! {
            workload => services(|one| one.workload.is_none()),
            policy => services(|one| one.policy.is_none()),
            rto => backups(|one| one.rto.is_none()),
            copies => backups(|one| one.copies.is_empty() || one.encrypted.is_none()),
        },
        // Somebody is called after those who are called first.
        escalates => facts.severities.first().is_some_and(|one| one.page.len() > 1),
        review => review(facts),
        service => named_service(facts),
        runbook_folder => cx.config()?.settings.documents.runbooks.path.display().to_string(),
        staging => staging(facts),
        operator,
        indent,
        rules => groups(&gathered.specs, &gathered.kpis, &facts.runbooks, indent).trim_end(),
        prometheus => cx.config()?.settings.prometheus.is_some(),
        alertmanagers => monitoring::alertmanagers(cx)?,
        discovery => options.discovery.name(),
        namespace, jobs, unknown_jobs,
        labels => monitoring::labels(),
        repeat => monitoring::repeat(cx)?,
        receivers => monitoring::receivers(cx, gathered)?,
        weekdays, start, end, zone,
        gates => monitoring::gates(gathered, migrations),
        migrations,
        own_path => kind.path(options),
    };
    let text = template.render(values)?;
    // What is left out leaves an empty line behind.
    let text = if kind.syntax() == Syntax::Markdown { squeezed(&text) } else { text };
    Ok((text, template.file))
}

/// One empty line in the place of several.
fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = false;
    for line in text.lines() {
        let is_empty = line.trim().is_empty();
        if !(is_empty && empty) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        empty = is_empty;
    }
    out
}

/// The service as commands name it: the one of the document, or the only one.
fn named_service(facts: &Facts) -> String {
    let only = match facts.services.as_slice() {
        [only] => Some(&only.name),
        _ => None,
    };
    facts.service.as_ref().or(only).map_or_else(|| "SERVICE".into(), |name| word(name))
}

/// An environment in which a version can be tried before it reaches the one of the document.
fn staging(facts: &Facts) -> Option<String> {
    let other = |name: &&String| **name != facts.environment && !facts.protected.contains(name);
    let is_staging = |name: &&String| name.contains("stag") || name.contains("test") || name.contains("dev");
    let all = || facts.environments.iter().filter(other);
    all().find(is_staging).or_else(|| all().next()).map(|name| word(name))
}
