//! The facts of a project: everything that the configuration says, each with the key that says it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::check::backups::record;
use crate::config;
use crate::config::backups::{BackupItem, BackupSource};
use crate::config::decode::once;
use crate::config::endpoint::Endpoint;
use crate::config::node::Node;
use crate::config::notify::{ChannelKind, Notify};
use crate::config::rollout::Traffic;
use crate::config::schedule::ON_CALL;
use crate::config::schema::Settings;
use crate::config::service::Service;
use crate::session::Session;
use crate::slo::load;
use liveops_domain::check::backups::restore::Restore;
use liveops_domain::check::deploy::freeze::Freeze;
use liveops_domain::document::alerts::{AlertSpec, Signal, alerts};
use liveops_domain::document::catalog::SCRAPE;
use liveops_domain::document::facts::{
    AlertFacts, BackendFacts, BackupFacts, BurnFacts, ChannelFacts, EmailFacts, ExclusionFacts, Facts, FreezeFacts,
    KpiFacts, PolicyFacts, ServiceFacts, SeverityFacts, SignalFacts, SloFacts,
};
use liveops_domain::document::kind::{Kind, Options};
use liveops_domain::error::Result;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::severity::Severity;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::rollout::plan::Rules;
use liveops_domain::slo::rules::rules;
use liveops_domain::slo::{Method, Slo};
use liveops_domain::text::duration::{human, to_promql};

use crate::runbook::scenario::SCENARIOS;

/// Where a value is from that nobody has set.
const DEFAULT: &str = "default of liveops";

/// The facts, and what they were made of.
pub(super) struct Gathered {
    pub(super) facts: Facts,
    pub(super) specs: Vec<AlertSpec>,
    pub(super) kpis: Vec<Kpi>,
    pub(super) presets: bool,
}

/// Everything that is known, or everything about one service.
pub(super) fn gather(cx: &Session, service: Option<&str>) -> Result<Gathered> {
    if let Some(name) = service {
        cx.check_service(name)?;
    }
    let config = cx.config()?;
    let settings = &config.settings;
    let presets = cx.are_kpis_presets()?;
    let is_meant = |name: &str| service.is_none_or(|wanted| wanted == name);
    let mut names: Vec<String> = settings.services.iter().map(|one| one.name.clone()).collect();
    names.retain(|name| is_meant(name));
    names.extend(service.filter(|_| settings.services.is_empty()).map(ToOwned::to_owned));
    let kpis: Vec<Kpi> =
        settings.known_kpis().iter().filter(|kpi| kpi.service.as_deref().is_none_or(is_meant)).cloned().collect();
    let mut specs = alerts(&names, &kpis, presets);
    let severities = severities(settings, &config.root);
    let runbooks = format!("{}/alerts", settings.documents.runbooks.path.display());
    let owner_of = |name: Option<&String>| {
        let known = settings.services.iter().find(|one| Some(&one.name) == name);
        known.and_then(|one| one.owner.clone()).or_else(|| only_owner(&settings.services))
    };
    for spec in &mut specs {
        spec.owner = owner_of(spec.service.as_ref());
    }
    let rows = specs.iter().map(|spec| AlertFacts::of(spec, &severities, &runbooks)).collect();
    let mut slos = load::all(cx)?;
    slos.retain(|slo| slo.service.as_deref().is_none_or(is_meant));
    let environments = config::environments(&config.root);
    let protected = |name: &&String| {
        let node = config.root.get("environments").and_then(|all| all.get(name)).and_then(|one| one.get("protected"));
        node.and_then(Node::text) == Some("true")
    };
    let schedule = settings.notify.schedule.as_ref();
    let rotation = schedule.and_then(|schedule| schedule.rota.rotation.as_ref());
    let handover = rotation.map(|rotation| {
        let one = |handover: &liveops_domain::incident::rota::Handover| {
            let time = handover.time.format("%H:%M");
            handover.day.map_or_else(|| format!("each day at {time}"), |day| format!("each {day} at {time}"))
        };
        rotation.handovers.iter().map(one).collect::<Vec<_>>().join(", ")
    });
    let option = |options: Options, kind: Kind| kind.path(&options);
    let (restores, _) = record::all(cx)?;
    let facts = Facts {
        project: settings.project.clone().unwrap_or_else(|| names.first().cloned().unwrap_or_else(|| "game".into())),
        environment: settings.environment.clone(),
        protected: environments.iter().filter(protected).cloned().collect(),
        environments,
        regions: settings.regions.clone(),
        config: config
            .layers
            .project
            .as_ref()
            .and_then(|path| path.file_name())
            .map(|name| name.to_string_lossy().into()),
        service: service.map(ToOwned::to_owned),
        owner: owner_of(service.map(ToOwned::to_owned).as_ref()),
        services: settings.services.iter().filter(|one| is_meant(&one.name)).map(service_facts).collect(),
        kpis: kpis.iter().map(|kpi| kpi_facts(kpi, presets)).collect(),
        alerts: rows,
        severities,
        slos: slos.iter().map(|slo| slo_facts(slo, config.layers.project.is_some())).collect(),
        policies: policies(settings, service),
        backends: backends(cx)?,
        channels: channels(&settings.notify),
        on_call: rotation.map(|rotation| rotation.order.clone()).unwrap_or_default(),
        handover,
        dependencies: settings.documents.dependencies.iter().map(|one| (one.name.clone(), one.url.clone())).collect(),
        runbooks,
        scenarios: SCENARIOS.iter().map(|one| (one.name.to_owned(), one.when.to_owned())).collect(),
        incidents: settings.incidents.folder.path.display().to_string(),
        deployments: settings.documents.deployments.path.display().to_string(),
        business_days: business_days(settings),
        scrape: format!("{SCRAPE}s"),
        max_silence: human(settings.max_silence),
        rules_path: option(Options::default(), Kind::AlertRules),
        slo_rules_path: "monitoring/rules/slo.yml".into(),
        backups: settings
            .backups
            .iter()
            .filter(|one| one.service.as_deref().is_none_or(is_meant))
            .map(|item| backup(item, &restores))
            .collect(),
        freezes: freezes(settings, service),
        signals: settings
            .signals
            .iter()
            .map(|one| SignalFacts { name: one.name.clone(), query: one.query.clone(), limit: one.limit })
            .collect(),
    };
    Ok(Gathered { facts, specs, kpis, presets })
}

/// The owner of everything, where there is one alone.
fn only_owner(services: &[Service]) -> Option<String> {
    let mut owners: Vec<&String> = services.iter().filter_map(|one| one.owner.as_ref()).collect();
    owners.sort();
    owners.dedup();
    match owners.as_slice() {
        [only] => Some((*only).clone()),
        _ => None,
    }
}

fn service_facts(service: &Service) -> ServiceFacts {
    let traffic = service.rollout.as_ref().map(|rollout| match &rollout.traffic {
        Traffic::Replicas { stable, canary, .. } => format!("replicas of {stable} and {canary}"),
        Traffic::GatewayApi { route, .. } => format!("HTTPRoute {route}"),
        Traffic::Istio { virtual_service, .. } => format!("VirtualService {virtual_service}"),
        Traffic::Nginx { ingress } => format!("Ingress {ingress}"),
        Traffic::Argo { rollout } => format!("Argo Rollout {rollout}"),
        Traffic::Flagger { canary } => format!("Flagger Canary {canary}"),
        Traffic::Http { url } => format!("PUT {}", url.url.show()),
    });
    let policy = service.rollout.as_ref().map(|rollout| {
        rollout.policy.as_ref().map_or_else(|| config::policy::STANDARD.to_owned(), |(name, _)| name.clone())
    });
    ServiceFacts {
        name: service.name.clone(),
        owner: service.owner.clone(),
        health: service.health.as_ref().map(|one| one.url.show()),
        metrics: service.metrics.iter().map(|one| one.url.show()).collect(),
        workload: service.workload.as_ref().and_then(|one| one.deployment.clone()),
        policy,
        traffic,
    }
}

fn kpi_facts(kpi: &Kpi, presets: bool) -> KpiFacts {
    KpiFacts {
        name: kpi.name.clone(),
        title: kpi.title().into_owned(),
        signal: Signal::of(kpi).word(),
        query: kpi.promql(),
        warn: kpi.warn.as_ref().map(|limit| limit.text.clone()),
        critical: kpi.critical.as_ref().map(|limit| limit.text.clone()),
        from: if presets { format!("preset {}", kpi.name) } else { format!("kpis.{}", kpi.name) },
    }
}

fn severities(settings: &Settings, root: &Node) -> Vec<SeverityFacts> {
    let written = root.get("incidents").and_then(|one| one.get("severities"));
    let one = |severity: Severity| {
        let terms = settings.incidents.severities.terms(severity);
        let (mut page, mut tell): (Vec<Vec<String>>, Vec<String>) = (Vec::new(), Vec::new());
        for rule in &settings.notify.rules {
            let on = rule.on.is_empty() || rule.on.contains(&About::Opened);
            if on && (rule.severity.is_empty() || rule.severity.contains(&severity)) {
                page.extend(rule.page.iter().cloned());
                tell.extend(rule.tell.iter().cloned());
            }
        }
        once(&mut page);
        once(&mut tell);
        SeverityFacts {
            name: severity.word(),
            alias: severity.alias(),
            impact: terms.impact.clone(),
            acknowledge: terms.acknowledge.to_string(),
            mitigate: terms.mitigate.to_string(),
            postmortem: terms.postmortem.map(|limit| limit.to_string()),
            page,
            tell,
            from: match written.and_then(|all| all.get(severity.key())) {
                Some(_) => format!("incidents.severities.{}", severity.key()),
                None => DEFAULT.into(),
            },
        }
    };
    Severity::ALL.into_iter().map(one).collect()
}

fn slo_facts(slo: &Slo, has_file: bool) -> SloFacts {
    let nominal = slo.window.nominal();
    let pairs = rules(slo).map(|set| set.pairs).unwrap_or_default();
    let burn = pairs.iter().map(|pair| BurnFacts {
        severity: pair.tier.name(),
        long: to_promql(pair.long),
        short: to_promql(pair.short),
        factor: pair.factor.to_string(),
        spends: format!("{:.1} %", pair.spends(nominal) * 100.0),
    });
    // The line moves with every line above it: the name says as much, and stays.
    let file = slo.place.rsplit_once(':').map_or(slo.place.as_str(), |(file, _)| file);
    let own = has_file && file.ends_with("liveops.yaml");
    SloFacts {
        name: slo.name.clone(),
        service: slo.service.clone(),
        indicator: slo.parts.iter().map(|part| part.indicator.show()).collect::<Vec<_>>().join(" + "),
        objective: slo.objective.to_string(),
        window: slo.window.to_string(),
        budget: format!("{} of {}", share(slo.objective.budget()), counted(slo.method)),
        outage: human(Duration::from_secs(whole_seconds(nominal.mul_f64(slo.objective.budget())))),
        runbook: slo.alerting.runbook.clone(),
        exclusions: slo
            .exclusions
            .iter()
            .map(|one| ExclusionFacts {
                from: minute(one.from),
                to: minute(one.to),
                reason: one.reason.clone(),
                owner: one.owner.clone(),
            })
            .collect(),
        alerts: burn.collect(),
        from: if own { format!("slos.{}", slo.name) } else { file.to_owned() },
    }
}

/// What the budget is a share of.
fn counted(method: Method) -> String {
    match method {
        Method::Occurrences => "all events".into(),
        Method::Timeslices { target, slice } => {
            format!("the slices of {} with traffic: one below {target} is bad", human(slice))
        }
        Method::RatioTimeslices { slice } => format!("all events, on average of slices of {}", human(slice)),
    }
}

fn whole_seconds(length: Duration) -> u64 {
    length.as_secs() + u64::from(length.subsec_millis() >= 500)
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M").to_string()
}

fn share(part: f64) -> String {
    let text = format!("{:.5}", part * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn policies(settings: &Settings, service: Option<&str>) -> Vec<PolicyFacts> {
    let used: Vec<&str> = settings
        .services
        .iter()
        .filter(|one| service.is_none_or(|wanted| one.name == wanted))
        .filter_map(|one| one.rollout.as_ref())
        .map(|rollout| rollout.policy.as_ref().map_or(config::policy::STANDARD, |(name, _)| name.as_str()))
        .collect();
    // Where nothing rolls out yet, the usual one is what would be.
    let is_meant = |name: &str| if used.is_empty() { name == config::policy::STANDARD } else { used.contains(&name) };
    settings.policies.iter().filter(|(name, _)| is_meant(name)).map(|(name, rules)| policy(name, rules)).collect()
}

fn policy(name: &str, rules: &Rules) -> PolicyFacts {
    let usual = *rules == Rules::default();
    PolicyFacts {
        name: name.to_owned(),
        steps: rules.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        interval: human(rules.interval),
        success: rules.success.clone(),
        rollback: rules.rollback.clone(),
        min_samples: rules.min_samples,
        max_blind: human(rules.max_blind),
        window: human(rules.window),
        preflight: rules.preflight.iter().map(|gate| gate.name()).collect(),
        approval: rules.approval.as_ref().map(|rule| {
            let shares: Vec<String> = rule.before.iter().map(ToString::to_string).collect();
            format!("before {}, by {}", shares.join(", "), rule.by)
        }),
        from: if usual { DEFAULT.into() } else { format!("policies.{name}") },
    }
}

/// The systems of the environment, and those that a region has of its own.
fn backends(cx: &Session) -> Result<Vec<BackendFacts>> {
    let settings = &cx.config()?.settings;
    let place = format!("environments.{}", settings.environment);
    let mut all = systems(settings, &place, "");
    for region in &settings.regions {
        let there = cx.in_region(region);
        let own = systems(&there.config()?.settings, &format!("{place}.regions.{region}"), &format!(" of {region}"));
        let is_own = |one: &BackendFacts| !all.iter().any(|other| other.url == one.url);
        let own: Vec<BackendFacts> = own.into_iter().filter(is_own).collect();
        all.extend(own);
    }
    Ok(all)
}

fn systems(settings: &Settings, place: &str, of: &str) -> Vec<BackendFacts> {
    let systems: [(&str, &Option<Endpoint>); 4] = [
        ("prometheus", &settings.prometheus),
        ("alertmanager", &settings.alertmanager),
        ("flags", &settings.flags.endpoint),
        ("clickhouse", &settings.clickhouse),
    ];
    let from = |name: &str| format!("{place}.{name}");
    let one = |(name, endpoint): (&str, &Option<Endpoint>)| {
        let url = endpoint.as_ref()?.url.show();
        Some(BackendFacts { name: format!("{name}{of}"), url, from: from(name) })
    };
    let mut all: Vec<BackendFacts> = systems.into_iter().filter_map(one).collect();
    // Without an address, flags are in a file all the same.
    if let (None, Some(file)) = (&settings.flags.endpoint, settings.flags.file()) {
        let url = format!("file:{}", file.path.display());
        all.push(BackendFacts { name: format!("flags{of}"), url, from: DEFAULT.into() });
    }
    if let Some(kubernetes) = &settings.kubernetes {
        let part = |word: &str, value: &Option<String>| value.as_ref().map(|value| format!("{word} {value}"));
        let parts = [part("context", &kubernetes.context), part("namespace", &kubernetes.namespace)];
        let url = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let url = if url.is_empty() { "current context".into() } else { url };
        all.push(BackendFacts { name: format!("kubernetes{of}"), url, from: from("kubernetes") });
    }
    all
}

fn channels(notify: &Notify) -> Vec<ChannelFacts> {
    let one = |channel: &config::notify::Channel| {
        let url = channel.endpoint.as_ref().map(|endpoint| &endpoint.url);
        let email = match &channel.kind {
            ChannelKind::Email { from, to, .. } => Some(EmailFacts {
                from: from.clone(),
                to: to.join(", "),
                smarthost: url
                    .and_then(|url| url::Url::parse(&url.show()).ok())
                    .and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port().unwrap_or(587)))),
            }),
            _ => None,
        };
        let open = matches!(channel.kind, ChannelKind::Webhook);
        ChannelFacts {
            name: channel.name.clone(),
            kind: channel.word(),
            url: url.filter(|url| open && url.is_literal()).map(config::secret::Secret::show),
            email,
        }
    };
    notify.channels.iter().map(one).collect()
}

/// The channels that a severity reaches; whoever is on call stands for all of theirs.
pub(super) fn reached(cx: &Session, severity: &SeverityFacts) -> Result<Vec<String>> {
    let schedule = cx.config()?.settings.notify.schedule.as_ref();
    let mut all: Vec<String> = Vec::new();
    for name in severity.page.iter().flatten().chain(&severity.tell) {
        if name == ON_CALL {
            let people = schedule.map(|schedule| schedule.people.as_slice()).unwrap_or_default();
            all.extend(people.iter().flat_map(|(_, ways)| ways.iter().cloned()));
        } else {
            all.push(name.clone());
        }
    }
    once(&mut all);
    Ok(all)
}

fn business_days(settings: &Settings) -> String {
    let days = &settings.incidents.severities.business_days;
    let names: Vec<String> = days.days.iter().map(ToString::to_string).collect();
    format!("{}, until {} ({})", names.join(", "), days.end.format("%H:%M"), days.zone)
}

fn backup(item: &BackupItem, restores: &[Restore]) -> BackupFacts {
    let demand = &item.demand;
    let last = restores.iter().filter(|restore| restore.name == demand.name).max_by_key(|restore| restore.at);
    let restored = last.map(|restore| {
        let verdict = match restore.rows_ok {
            Some(true) => "right",
            Some(false) => "WRONG",
            None => "not compared",
        };
        let took = restore.took().map(|took| format!(" in {}", human(took))).unwrap_or_default();
        format!("{}{took}: {verdict}", restore.at.format("%F"))
    });
    let copies = demand.places.iter().map(|place| {
        let marks = [(place.off_site, "off-site"), (place.immutable, "immutable")];
        let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        if marks.is_empty() { place.name.clone() } else { format!("{} ({})", place.name, marks.join(", ")) }
    });
    BackupFacts {
        name: demand.name.clone(),
        service: item.service.clone(),
        source: match &item.source {
            BackupSource::Folder { place, .. } => format!("files in {}", place.path.display()),
            BackupSource::S3 { bucket, prefix, .. } => format!("objects in s3://{bucket}/{prefix}"),
            BackupSource::Program(program) => {
                program.command.first().map_or_else(String::new, |name| format!("what {name} says"))
            }
            BackupSource::Metrics { .. } => "Prometheus".into(),
        },
        rpo: human(demand.rpo),
        rto: demand.rto.map(human),
        restore_test: demand.restore_every.map(human),
        restored,
        keep: demand.keep,
        reach: demand.reach.map(human),
        copies: copies.collect(),
        is_off_site: demand.places.iter().any(|place| place.off_site),
        encrypted: demand.encrypted,
        archived: demand.archived,
    }
}

fn freezes(settings: &Settings, service: Option<&str>) -> Vec<FreezeFacts> {
    let is_meant = |one: &&Freeze| {
        one.services.is_empty() || service.is_none_or(|wanted| one.services.iter().any(|name| name == wanted))
    };
    let one = |one: &Freeze| FreezeFacts {
        from: minute(one.from),
        to: minute(one.to),
        reason: one.reason.clone(),
        services: one.services.clone(),
    };
    settings.freezes.iter().filter(is_meant).map(one).collect()
}
