//! What the templates of Prometheus, Alertmanager and CI need beside the facts: addresses, receivers, gates.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use serde::Serialize;
use url::Url;

use crate::config::endpoint::Endpoint;
use crate::config::service::Service;
use crate::document::facts::{Gathered, reached};
use crate::session::Session;
use liveops_domain::document::facts::ChannelFacts;
use liveops_domain::error::Result;
use liveops_domain::incident::severity::{Limit, Severity};
use liveops_domain::text::duration::to_promql;
use liveops_domain::text::shell::word;

/// Where secrets lie that Alertmanager reads.
const SECRETS: &str = "/etc/alertmanager/secrets";

/// A system in the configuration of Prometheus.
#[derive(Debug, Serialize)]
pub(super) struct Address {
    scheme: String,
    address: String,
    path: String,
}

/// A scrape job.
#[derive(Debug, Serialize)]
pub(super) struct Job {
    name: String,
    service: String,
    scheme: String,
    path: String,
    targets: Vec<String>,
    /// Headers that Prometheus would have to send, too.
    secret: Option<String>,
    /// Name of the file of targets, without its ending.
    file: String,
}

fn address(endpoint: &Endpoint) -> Option<Address> {
    if !endpoint.url.is_literal() {
        return None;
    }
    let url = Url::parse(&endpoint.url.show()).ok()?;
    let port = url.port_or_known_default()?;
    let address = format!("{}:{port}", url.host_str()?);
    Some(Address { scheme: url.scheme().to_owned(), address, path: url.path().to_owned() })
}

pub(super) fn alertmanagers(cx: &Session) -> Result<Vec<Address>> {
    Ok(cx.config()?.settings.alertmanager.iter().filter_map(address).collect())
}

/// The scrape jobs, and the services without an address.
pub(super) fn jobs(cx: &Session, service: Option<&str>) -> Result<(Vec<Job>, Vec<String>)> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut unknown = Vec::new();
    let all = cx.config()?.settings.services.iter();
    for one in all.filter(|one| service.is_none_or(|wanted| one.name == wanted)) {
        let found = of_service(one);
        if found.is_empty() {
            unknown.push(one.name.clone());
        }
        jobs.extend(found);
    }
    Ok((jobs, unknown))
}

fn of_service(service: &Service) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for endpoint in &service.metrics {
        let Some(found) = address(endpoint) else { continue };
        if let Some(job) = jobs.iter_mut().find(|job| job.scheme == found.scheme && job.path == found.path) {
            job.targets.push(found.address);
            continue;
        }
        // A name of a job may stand there once.
        let number = if jobs.is_empty() { String::new() } else { format!("/{}", jobs.len() + 1) };
        let secret = (!endpoint.headers.is_empty())
            .then(|| endpoint.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
        jobs.push(Job {
            name: format!("{}{number}", service.name),
            service: service.name.clone(),
            scheme: found.scheme,
            path: found.path,
            targets: vec![found.address],
            secret,
            file: format!("{}{}", service.name, number.replace('/', "-")),
        });
    }
    jobs
}

/// The values of `severity` that mean each level.
pub(super) fn labels() -> BTreeMap<&'static str, &'static str> {
    [
        ("P1", "critical|page|p1|sev1|emergency|fatal"),
        ("P2", "high|error|major|p2|sev2"),
        ("P3", "medium|warning|warn|ticket|p3|sev3"),
        ("P4", "low|info|informational|none|p4|sev4"),
    ]
    .into()
}

/// How often an alert is repeated: as long as it may take until users are well again.
pub(super) fn repeat(cx: &Session) -> Result<BTreeMap<&'static str, String>> {
    let table = &cx.config()?.settings.incidents.severities;
    let one = |severity: Severity| {
        let text = match table.terms(severity).mitigate {
            Limit::Within(length) => to_promql(length),
            Limit::NextBusinessDay => "1d".to_owned(),
        };
        (severity.word(), text)
    };
    Ok(Severity::ALL.into_iter().map(one).collect())
}

/// Days, begin, end and zone of the business hours, as Alertmanager writes them.
pub(super) fn hours(cx: &Session) -> Result<(Vec<String>, String, String, String)> {
    let days = &cx.config()?.settings.incidents.severities.business_days;
    let names = days.days.iter().map(|day| match day {
        chrono::Weekday::Mon => "monday",
        chrono::Weekday::Tue => "tuesday",
        chrono::Weekday::Wed => "wednesday",
        chrono::Weekday::Thu => "thursday",
        chrono::Weekday::Fri => "friday",
        chrono::Weekday::Sat => "saturday",
        chrono::Weekday::Sun => "sunday",
    });
    let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default();
    let start = if nine < days.end { nine } else { NaiveTime::default() };
    let time = |at: NaiveTime| at.format("%H:%M").to_string();
    let zone = days.zone.to_string();
    // An offset is no name that Alertmanager reads.
    let zone = if zone.starts_with(['+', '-']) { "UTC".to_owned() } else { zone };
    Ok((names.map(ToOwned::to_owned).collect(), time(start), time(days.end), zone))
}

/// The receivers' entries by severity and kind, from the channels of `notify`.
pub(super) fn receivers(
    cx: &Session,
    gathered: &Gathered,
) -> Result<BTreeMap<&'static str, BTreeMap<&'static str, Vec<String>>>> {
    let mut all = BTreeMap::new();
    for severity in &gathered.facts.severities {
        let mut kinds: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for name in reached(cx, severity)? {
            let channel = gathered.facts.channels.iter().find(|channel| channel.name == name);
            if let Some((kind, entry)) = channel.and_then(receiver) {
                kinds.entry(kind).or_default().push(entry);
            }
        }
        all.insert(severity.name, kinds);
    }
    Ok(all)
}

fn receiver(channel: &ChannelFacts) -> Option<(&'static str, String)> {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let secret = quote(&format!("{SECRETS}/{}", channel.name));
    Some(match channel.kind {
        "slack" => ("slack", format!("{{ api_url_file: {secret}, send_resolved: true }}")),
        "pagerduty" => ("pagerduty", format!("{{ routing_key_file: {secret} }}")),
        "webhook" => ("webhook", format!("{{ url: {} }}", quote(channel.url.as_ref()?))),
        "email" => {
            let email = channel.email.as_ref()?;
            let smarthost = quote(email.smarthost.as_ref()?);
            let (from, to) = (quote(&email.from), quote(&email.to));
            ("email", format!("{{ from: {from}, to: {to}, smarthost: {smarthost} }}"))
        }
        // Its URL is a secret that the oldest Alertmanager cannot read from a file.
        _ => return None,
    })
}

/// Where migrations usually lie.
const MIGRATIONS: [&str; 4] = ["migrations", "db/migrations", "database/migrations", "sql/migrations"];

/// The folder of the project's migrations.
pub(super) fn migrations(cx: &Session) -> Result<Option<&'static str>> {
    let folder = cx.config()?.folder();
    Ok(MIGRATIONS.into_iter().find(|name| folder.join(name).is_dir()))
}

/// A gate of CI.
#[derive(Debug, Serialize)]
pub(super) struct Gate {
    name: String,
    command: String,
    /// Does it give findings for the code host?
    sarif: bool,
}

/// The gates, in the order in which they are cheap.
pub(super) fn gates(gathered: &Gathered, migrations: Option<&str>) -> Vec<Gate> {
    let one = |name: &str, command: String, sarif| Gate { name: name.to_owned(), command, sarif };
    let rules = gathered.facts.rules_path.rsplit_once('/').map_or("monitoring/rules", |(folder, _)| folder);
    let mut gates = vec![
        one("config", "liveops config validate".into(), false),
        one("documents", "liveops new --check".into(), false),
        one("alerts", format!("liveops check alerts {rules}"), true),
        one("runbooks", "liveops check runbooks".into(), true),
        one("readiness", "liveops check readiness".into(), true),
        one("security", "liveops check security".into(), true),
        one("backups", "liveops check backups".into(), true),
    ];
    gates.extend(migrations.map(|folder| one("migration", format!("liveops check migration {}", word(folder)), true)));
    for service in &gathered.facts.services {
        gates.push(one(
            &format!("deploy-{}", service.name),
            format!("liveops check deploy {}", word(&service.name)),
            true,
        ));
    }
    if !gathered.facts.slos.is_empty() {
        gates.push(one("slo", "liveops slo check".into(), false));
    }
    gates
}
