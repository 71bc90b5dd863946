//! What liveops knows of a service beside its manifests.

use crate::check::backups;
use crate::flag::catalog::FlagCatalog;
use crate::flagstore::Flags;
use crate::runbook::library::RunbookLibrary;
use crate::runbook::{log, rules};
use crate::session::{Session, alertmanager};
use crate::slo::load;
use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::check::alerts::reach;
use liveops_domain::check::alerts::routes::RoutingTree;
use liveops_domain::check::alerts::set::{RuleSet, Setting};
use liveops_domain::check::readiness::operations::{Facts, Known};
use liveops_domain::error::{Error, Result};
use liveops_domain::runbook::rule::AlertRule;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::text::count::count;

/// Gathers them; whoever does not answer leaves his part unknown.
pub(super) async fn gather(cx: &Session, service: &str) -> Result<(Facts, Vec<Source>)> {
    let config = cx.config()?;
    let known = config.settings.services.iter().find(|one| one.name == service);
    let (rules, (routes, alertmanager), flags) = tokio::join!(rules::gather(cx, &[]), routes(cx), flags(cx));
    let mut sources: Vec<Source> = alertmanager.into_iter().collect();
    let alerts: Known<Vec<AlertRule>> = match rules {
        Ok(rules) => {
            sources.extend(rules.source.clone());
            match (rules.gap(), rules.rules) {
                (None, Some(all)) => Ok(about(all, service, config.settings.services.len())),
                (gap, _) => Err(gap.unwrap_or_else(|| "no alerting rule is known".into())),
            }
        }
        Err(error) => Err(error.reason()),
    };
    let facts = Facts {
        runbooks: runbooks(cx, alerts.as_deref()),
        unheard: routes.and_then(|tree| unheard(alerts.as_deref().unwrap_or_default(), &tree)),
        alerts: alerts.map(|alerts| alerts.len()),
        slos: load::all(cx).map_err(|error| error.reason()).map(|slos| {
            slos.into_iter().filter(|slo| slo.service.as_deref() == Some(service)).map(|slo| slo.name).collect()
        }),
        rollback: rollback(cx, known.is_some_and(|service| service.rollout.is_some())),
        flags,
        backups: restored(cx, service),
        owner: known.and_then(|service| service.owner.clone()),
    };
    Ok((facts, sources))
}

/// The alerts about a service; where there is one service alone, those that name none.
fn about(all: Vec<AlertRule>, service: &str, services: usize) -> Vec<AlertRule> {
    let named: Vec<AlertRule> = all.iter().filter(|rule| rule.service() == Some(service)).cloned().collect();
    if !named.is_empty() || services > 1 {
        return named;
    }
    all.into_iter().filter(|rule| rule.service().is_none()).collect()
}

/// Whom Alertmanager tells.
async fn routes(cx: &Session) -> (Known<RoutingTree>, Option<Source>) {
    let client = match alertmanager(cx) {
        Ok(client) => client,
        Err(Error::Unconfigured { .. }) => {
            return (Err("no Alertmanager is configured, so whom its alerts reach is not known".into()), None);
        }
        Err(error) => return (Err(error.reason()), None),
    };
    let began = std::time::Instant::now();
    let asked = client.configuration().await;
    let source = Source::asked("alertmanager", began.elapsed(), asked.as_ref().map(|_| ()));
    let tree = match asked {
        Ok(text) if text.is_empty() => Err("Alertmanager does not show its configuration".into()),
        Ok(text) => RoutingTree::read(&text).map_err(|fault| fault.message),
        Err(error) => Err(error.reason()),
    };
    (tree, Some(source).filter(|source| source.state != SourceState::Unconfigured))
}

/// Those of these alerts that reach nobody.
fn unheard(alerts: &[AlertRule], tree: &RoutingTree) -> Known<Vec<(String, String)>> {
    let rules: Vec<serde_json::Value> = alerts
        .iter()
        .map(|rule| serde_json::json!({ "alert": rule.name, "expr": rule.expression, "labels": rule.labels }))
        .collect();
    let group = serde_json::json!({ "groups": [{ "name": "service", "rules": rules }] });
    // JSON is YAML.
    let files = [RuleFile::read(&group.to_string(), "")];
    let setting = Setting::default();
    reach::unheard(&RuleSet::new(&files, &setting), tree)
}

/// The runbooks of these alerts, and which of them were run to their end.
fn runbooks(cx: &Session, alerts: Result<&[AlertRule], &String>) -> Known<(Vec<String>, Vec<String>)> {
    let alerts = alerts.map_err(Clone::clone)?;
    let books = RunbookLibrary::open(cx).and_then(|library| library.all()).map_err(|error| error.reason())?;
    let named = |name: &str| alerts.iter().any(|alert| alert.name == name);
    let there: Vec<String> = books.into_iter().map(|book| book.filed.name).filter(|name| named(name)).collect();
    let run = log::ended(cx);
    let done = there.iter().filter(|name| run.contains(*name)).cloned().collect();
    Ok((there, done))
}

/// How the service is rolled back.
fn rollback(cx: &Session, rolled_out: bool) -> Known<Option<String>> {
    if rolled_out {
        return Ok(Some("its rollout policy".into()));
    }
    let books = RunbookLibrary::open(cx).and_then(|library| library.all()).map_err(|error| error.reason())?;
    Ok(books.into_iter().map(|book| book.filed.name).find(|name| name.to_lowercase().contains("rollback")))
}

async fn flags(cx: &Session) -> Known<usize> {
    let configured = cx.config().is_ok_and(|config| config.settings.flags.endpoint.is_some());
    let store = cx.flags().map_err(|error| error.reason())?;
    // Where none is configured, flags are kept in a file that need not be there.
    if !configured && matches!(&store, Flags::File(file) if !file.path().exists()) {
        return Err("no store of flags is configured".into());
    }
    FlagCatalog::of(cx, &store).await.map(|catalog| catalog.flags.len()).map_err(|error| error.reason())
}

/// The backups of a service, each with what is wrong with its restore tests.
fn restored(cx: &Session, service: &str) -> Known<Vec<(String, Option<String>)>> {
    let config = cx.config().map_err(|error| error.reason())?;
    let (restores, complaint) = backups::record::all(cx).map_err(|error| error.reason())?;
    if let Some(complaint) = complaint {
        return Err(complaint);
    }
    let now = cx.clock.now();
    let mine = config.settings.backups.iter().filter(|item| item.service.as_deref() == Some(service));
    let judged = mine.map(|item| {
        let name = &item.demand.name;
        let passed = restores.iter().filter(|restore| restore.name == *name && restore.rows_ok == Some(true));
        let age = passed.map(|restore| restore.at).max().map(|at| now - at);
        let limit = item.demand.restore_every.and_then(|every| chrono::TimeDelta::from_std(every).ok());
        let wrong = match (age, limit) {
            (None, _) => Some("no restore was ever recorded with the right data".to_owned()),
            (Some(age), Some(limit)) if age > limit => Some(format!(
                "its last restore test was {} ago",
                count(usize::try_from(age.num_days()).unwrap_or(0), "day")
            )),
            _ => None,
        };
        (name.clone(), wrong)
    });
    Ok(judged.collect())
}
