//! `liveops incident open`: on the disk first, then evidence and people at once, then the next step.

use clap::Args;

use crate::commands::incident::changed::show;
use crate::context::Context;
use crate::output::prompt;
use liveops_domain::alert::{Alert, AlertState, rank};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::Opened;
use liveops_domain::incident::severity::{Severities, Severity};
use liveops_domain::text::said;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::incident::record::occurred;
use liveops_engine::observe::alerts::backends;
use liveops_engine::opening;

/// Open an incident
///
/// Only the severity is needed; on a terminal it and the title are asked for. The journal is written first. Then the evidence is kept
/// (status, KPIs of the last hour, alerts, changes) and the people are paged, both at once and within a bound: what is
/// dead is noted as unknown, what cannot be delivered stays in the outbox and is tried again by the next command.
///
/// Exit code 5 when somebody was to be paged and no channel took it; the incident is open all the same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident open --sev p1
  liveops incident open --sev p2 --title \"matchmaking slow in eu\" --service matchmaking --started-at \"20m ago\"
  liveops incident open --from-alert            # what fires now, the worst first")]
pub(super) struct OpenArgs {
    /// p1 (critical), p2 (high), p3 (medium) or p4 (low); when in doubt the worse
    #[arg(long = "severity", visible_alias = "sev", value_name = "SEVERITY")]
    sev: Option<Severity>,

    /// What is wrong, in a few words
    #[arg(long, value_name = "TEXT", value_parser = said)]
    title: Option<String>,

    /// The service that is in trouble
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// The alert that showed it
    #[arg(long, value_name = "NAME", conflicts_with = "from_alert")]
    alert: Option<String>,

    /// Take this alert, or the worst that fires now: its name, service, runbook and start
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    from_alert: Option<String>,

    /// When users began to feel it, if not now: `20m ago`, `03:05` (UTC), RFC 3339
    #[arg(long, value_name = "TIME")]
    started_at: Option<String>,
}

pub(super) async fn run(args: OpenArgs, cx: &Context) -> Result<Exit> {
    let started_at = occurred(cx, args.started_at.as_deref())?;
    let mut warnings: Vec<String> = args.service.iter().filter_map(|name| cx.odd_service(name)).collect();
    let alert = match args.from_alert.as_deref() {
        Some(wanted) => firing(cx, wanted, args.title.is_some(), &mut warnings).await?,
        None => None,
    };
    let table = &cx.config()?.settings.incidents.severities;
    let severity = severity(&args, alert.as_ref(), table)?;
    let label = |name: &str| {
        let alert = alert.as_ref()?;
        alert.labels.get(name).cloned()
    };
    let service = args.service.or_else(|| label("service")).or_else(|| label("job"));
    let name = args.alert.or_else(|| Some(alert.as_ref()?.name.clone()));
    let title = match (args.title, &name, &service) {
        (Some(title), _, _) => title,
        (None, Some(alert), Some(service)) => format!("{alert} on {service}"),
        (None, Some(alert), None) => alert.clone(),
        (None, None, _) if prompt::can_prompt() => prompt::text("what is wrong, in a few words?", None)?,
        (None, None, Some(service)) => format!("{service} in trouble"),
        (None, None, None) => "incident".into(),
    };
    let opened = Opened {
        severity,
        title,
        environment: cx.environment()?.to_owned(),
        service,
        alert: name,
        runbook: alert.as_ref().and_then(|alert| alert.runbook.clone()),
        started_at: started_at.or_else(|| alert.as_ref()?.since),
        group_key: None,
    };
    let change = opening::open(cx, opened, warnings).await?;
    show(cx, &change)
}

/// The severity that was said, that of the alert, or the answer of the person.
fn severity(args: &OpenArgs, alert: Option<&Alert>, table: &Severities) -> Result<Severity> {
    if let Some(severity) = args.sev {
        return Ok(severity);
    }
    if let Some(alert) = alert {
        return Ok(Severity::of_alert(alert.severity.as_deref()));
    }
    if !prompt::can_prompt() {
        return Err(Error::usage(
            "how bad is it? no severity was given, and nobody can be asked here",
            "pass `--sev p1` (service down), `p2` (degraded), `p3` (partial) or `p4` (minor); when in doubt the worse",
        ));
    }
    let item = |severity: Severity| {
        let impact = &table.terms(severity).impact;
        format!("{severity}  {}: {impact}", severity.alias())
    };
    let items = Severity::ALL.map(item);
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let chosen = prompt::choose("how bad is it? when in doubt, the worse", &items)?;
    Ok(Severity::ALL[chosen])
}

/// The alert of this name that fires, or the worst of all: the first of those that are equally bad.
async fn firing(cx: &Context, wanted: &str, titled: bool, warnings: &mut Vec<String>) -> Result<Option<Alert>> {
    let asked = async { backends(cx, Effort::Quick)?.ask(cx.clock.now()).await };
    match asked.await {
        Ok(gathered) => {
            let unsure = gathered.warnings();
            let gathered_whole = unsure.is_empty();
            warnings.extend(unsure);
            let firing: Vec<Alert> =
                gathered.alerts.into_iter().filter(|one| one.state == AlertState::Firing).collect();
            let named = |one: &&Alert| wanted.is_empty() || one.name == wanted;
            let worst =
                firing.iter().filter(named).min_by_key(|one| (rank(one.severity.as_deref()), one.since)).cloned();
            if worst.is_none() && !wanted.is_empty() && gathered_whole {
                let mut candidates: Vec<String> = firing.into_iter().map(|one| one.name).collect();
                candidates.sort();
                candidates.dedup();
                return Err(Error::NotFound { what: "firing alert", name: wanted.to_owned(), candidates });
            }
            if worst.is_none() && !titled && gathered_whole {
                return Err(Error::usage(
                    "no alert fires now, so there is none to open an incident from",
                    format!("say what is wrong: `{}`", cx.command("incident open --sev p2 --title \"what is wrong\"")),
                ));
            }
            if worst.is_none() {
                warnings.push("no alert is known to fire; the incident is opened without one".into());
            }
            Ok(worst)
        }
        Err(error) => {
            warnings.push(format!("which alert fires is not known: {error}"));
            Ok(None)
        }
    }
}
