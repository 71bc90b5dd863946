//! `check deploy`: may this service be deployed now? The gates of a rollout, and what a change must not run into.

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::config::service::Service;
use crate::incident::resolve::open_incidents;
use crate::rollout::preflight::{self, GateRow, GateState};
use crate::rollout::resolve;
use crate::runbook::library::{RunbookFile, RunbookLibrary};
use crate::session::{Session, alertmanager};
use liveops_domain::alert::rule::Rule;
use liveops_domain::check::alerts::live::loaded;
use liveops_domain::check::alerts::reach::{self, Routes};
use liveops_domain::check::alerts::routes::RoutingTree;
use liveops_domain::check::alerts::set::{RuleSet, Setting};
use liveops_domain::check::deploy::freeze;
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::error::Result;
use liveops_domain::incident::severity::Severity;
use liveops_domain::rollout::plan::{Gate, Rules};
use liveops_domain::runbook::Purpose;
use liveops_domain::runbook::check::{NamedRunbook, against_rules};
use liveops_domain::runbook::rule::AlertRule;

/// Asks everybody at once. Who does not answer is unknown.
///
/// # Errors
/// `NotFound`: there is no such service or policy. Those of the configuration.
pub async fn check(cx: &Session, name: &str, policy: Option<&str>) -> Result<Findings> {
    let service = cx.service(name)?;
    let (_, rules) = resolve::rules(cx, service, policy)?;
    let rules = Rules { preflight: Gate::ALL.iter().map(|(_, gate)| *gate).collect(), ..rules };
    let mut found = Findings::default();
    let loaded = async {
        let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
        client.rules(&cx.clock).await?.whole()
    };
    let (world, target, loaded) = tokio::join!(preflight::world(cx, &rules, name), target(cx, service, &rules), loaded);
    for row in world {
        take(&mut found, name, &row);
    }
    match target {
        None => {
            let why = "nothing says how it is rolled back: it has no `rollout` section";
            let fix = format!("say how its traffic is split: `rollout` of {name} in liveops.yaml");
            found.add(waivable(Finding::new("D05", Level::Blocker, name, why), &fix));
        }
        Some(Ok(rows)) => rows.iter().for_each(|row| take(&mut found, name, row)),
        Some(Err(error)) => {
            for id in ["D05", "D06", "D10"] {
                found.failed(id, name, &error);
            }
        }
    }
    match loaded {
        Ok(loaded) => {
            let mine = of_service(&loaded, name);
            if mine.is_empty() && loaded.iter().any(|rule| rule.alerting.is_some()) {
                let why = "no alert names it, in a label or in its expression";
                let fix = format!("write one: `{}`, or add the label `service: {name}`", cx.command("slo generate"));
                found.add(waivable(Finding::new("D01", Level::Medium, name, why), &fix));
            }
            reach(cx, name, &mine, &mut found).await;
            runbooks(cx, &mine, &mut found)?;
        }
        Err(error) => {
            for id in ["D02", "D07"] {
                found.failed(id, name, &error);
            }
        }
    }
    incidents(cx, name, &mut found);
    let freezes = &cx.config()?.settings.freezes;
    for freeze in freeze::active(freezes, name, cx.clock.now()) {
        let why = format!("changes are frozen until {}: {}", freeze.to.format("%Y-%m-%d %H:%M UTC"), freeze.reason);
        found.add(waivable(Finding::new("D09", Level::High, name, why), "wait until it ends"));
    }
    found.checked("gates", 10);
    Ok(found)
}

/// With what to do, and how to pass it over.
fn waivable(finding: Finding, fix: &str) -> Finding {
    let (id, subject) = (finding.id, finding.subject.clone());
    finding.fix(format!(
        "{fix}; or waive it: `id: {id}, subject: {subject}` with owner, reason and until in liveops.waivers.yaml"
    ))
}

/// The gates of the target; none where nothing says what that is.
async fn target(cx: &Session, service: &Service, rules: &Rules) -> Option<Result<Vec<GateRow>>> {
    service.rollout.as_ref()?;
    let asked = async {
        let subject = resolve::open_new(cx, service, false)?;
        let originals = subject.target.originals().await?;
        preflight::target(&subject, rules, &originals).await
    };
    Some(asked.await)
}

fn take(found: &mut Findings, name: &str, row: &GateRow) {
    let (id, level) = match row.gate.as_str() {
        "alerts_exist" => ("D01", Level::High),
        "no_firing_alert" => ("D03", Level::High),
        "error_budget" => ("D04", Level::High),
        "rollback_plan" => ("D05", Level::Blocker),
        "permissions" => ("D10", Level::High),
        _ => ("D06", Level::High),
    };
    let level = match row.state {
        GateState::Refused if row.unknown => {
            found.unknown(id, name, row.text.clone());
            found.silent = true;
            return;
        }
        GateState::Refused => level,
        GateState::Warning => Level::Low,
        GateState::Pass | GateState::Waived => return,
    };
    let finding = Finding::new(id, level, name, format!("{}: {}", row.gate, row.text));
    found.add(waivable(finding, row.hint.as_deref().unwrap_or("see `liveops rollout plan`")));
}

/// The alerts that name a service.
fn of_service(rules: &[Rule], name: &str) -> Vec<Rule> {
    let names = |rule: &&Rule| {
        rule.alerting.as_ref().is_some_and(|alerting| {
            alerting.labels.values().any(|value| value == name) || rule.expression.contains(&format!("\"{name}\""))
        })
    };
    rules.iter().filter(names).cloned().collect()
}

/// Do its alerts reach somebody, by the routes that Alertmanager has loaded?
async fn reach(cx: &Session, name: &str, mine: &[Rule], found: &mut Findings) {
    let asked = async { alertmanager(cx)?.configuration().await };
    let text = match asked.await {
        Ok(text) => text,
        Err(error) => return found.failed("D02", name, &error),
    };
    let tree = match RoutingTree::read(&text) {
        Ok(tree) => tree,
        Err(fault) => {
            return found.unknown("D02", name, format!("Alertmanager does not show its routes: {}", fault.message));
        }
    };
    let file = [loaded(mine)];
    let setting = Setting::default();
    let set = RuleSet::new(&file, &setting);
    let reached = reach::check(&set, &Routes { tree: &tree, file: "alertmanager.yml", paging: &[] });
    for one in reached.findings.into_iter().filter(|one| mine.iter().any(|rule| rule.name == one.subject)) {
        let fix = one.fix.unwrap_or_default();
        found.add(waivable(Finding::new("D02", one.level, one.subject, one.why), &fix));
    }
    for one in reached.unknown {
        found.unknown("D02", one.subject, one.why);
    }
}

fn runbooks(cx: &Session, mine: &[Rule], found: &mut Findings) -> Result<()> {
    let library = RunbookLibrary::open(cx)?;
    let books: Vec<NamedRunbook> = library.all()?.into_iter().map(|RunbookFile { filed, .. }| filed).collect();
    let rules: Vec<AlertRule> = mine.iter().filter_map(AlertRule::of).collect();
    for one in against_rules(&books, &rules, &library.shown(Purpose::Alert), |link| library.exists(link)) {
        if one.level >= Level::High && one.id != "R02" {
            let fix = one.fix.unwrap_or_default();
            found.add(waivable(Finding::new("D07", Level::High, one.subject, one.why), &fix));
        }
    }
    Ok(())
}

fn incidents(cx: &Session, name: &str, found: &mut Findings) {
    let open = match open_incidents(cx) {
        Ok(open) => open,
        Err(error) => return found.failed("D08", name, &error),
    };
    for incident in open.iter().filter(|one| one.service.as_deref().is_none_or(|service| service == name)) {
        let level = if incident.severity <= Severity::P2 { Level::High } else { Level::Medium };
        let why = format!("incident {} is open: {}", incident.id, incident.title);
        let fix = format!("resolve it: `{}`", cx.command(&format!("incident resolve {}", incident.id)));
        found.add(waivable(Finding::new("D08", level, name, why), &fix));
    }
}
