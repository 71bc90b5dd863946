//! What liveops knows of a service beside its manifests.

use crate::check::backups;
use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::request::Effort;
use crate::flag::catalog::FlagCatalog;
use crate::runbook::library::RunbookLibrary;
use crate::runbook::{log, rules};
use crate::session::Session;
use crate::slo::load;
use liveops_domain::check::readiness::operations::{Facts, Known};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::notice::Reach;
use liveops_domain::runbook::rule::AlertRule;
use liveops_domain::status::source::{Source, SourceState};

/// Gathers them; whoever does not answer leaves his part unknown.
pub(super) async fn gather(cx: &Session, service: &str) -> Result<(Facts, Vec<Source>)> {
    let config = cx.config()?;
    let known = config.settings.services.iter().find(|one| one.name == service);
    let (rules, (paged_by, alertmanager), flags) = tokio::join!(rules::gather(cx, &[]), paged_by(cx), flags(cx));
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
        alerts: alerts.map(|alerts| alerts.len()),
        paged_by,
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

/// The ways that lead to a person.
async fn paged_by(cx: &Session) -> (Known<Vec<String>>, Option<Source>) {
    let channels = cx.config().map(|config| {
        let pagers = config.settings.notify.channels.iter().filter(|channel| channel.reach() == Reach::Pager);
        pagers.map(|channel| channel.name.clone()).collect::<Vec<_>>()
    });
    let mut ways = channels.unwrap_or_default();
    let target = match cx.alertmanager() {
        Ok(target) => target,
        Err(Error::Unconfigured { .. }) if ways.is_empty() => {
            return (Err("no Alertmanager is configured, so whom alerts reach is not known".into()), None);
        }
        Err(Error::Unconfigured { .. }) => return (Ok(ways), None),
        Err(error) => return (Err(error.reason()), None),
    };
    let Ok(http) = cx.http() else { return (Ok(ways), None) };
    let client = Alertmanager::new(http, target, Effort::Quick);
    let began = std::time::Instant::now();
    let routing = client.routing().await;
    let source = Source::asked("alertmanager", began.elapsed(), routing.as_ref().map(|_| ()));
    let known = match routing {
        Ok(routing) => match routing.integrations {
            Some(receivers) => {
                ways.extend(receivers.into_iter().filter(|(_, ways)| !ways.is_empty()).map(|(name, _)| name));
                Ok(ways)
            }
            None if ways.is_empty() => Err("Alertmanager does not show its configuration".into()),
            None => Ok(ways),
        },
        Err(_) if !ways.is_empty() => Ok(ways),
        Err(error) => Err(error.reason()),
    };
    (known, Some(source).filter(|source| source.state != SourceState::Unconfigured))
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
    if !configured {
        return Err("no store of flags is configured".into());
    }
    let store = cx.flags().map_err(|error| error.reason())?;
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
            (Some(age), Some(limit)) if age > limit => {
                Some(format!("its last restore test is {} days old", age.num_days()))
            }
            _ => None,
        };
        (name.clone(), wrong)
    });
    Ok(judged.collect())
}
