//! What may help, from what the checks rest on; and running one of them, exactly as if it had been typed.

use serde::Serialize;
use serde_json::json;

use crate::commands::triage::keys::line;
use crate::context::Context;
use crate::output::block::{Block, plain};
use crate::output::prompt;
use liveops_domain::alert::filter::service;
use liveops_domain::change::undo::Impossible;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::level::Level;
use liveops_domain::status::Readings;
use liveops_domain::status::health::ServiceState;
use liveops_domain::text::shell::words;
use liveops_domain::triage::MITIGATED;
use liveops_domain::triage::mitigation::{Mitigation, MitigationFacts, Workload};
use liveops_engine::change::{Changed, Done, Plan};
use liveops_engine::clients::shell;
use liveops_engine::clients::shell::Script;
use liveops_engine::config::service::Service;
use liveops_engine::runbook::library::RunbookLibrary;
use liveops_engine::runbook::surroundings;
use liveops_engine::scale::fleet::Fleet;
use liveops_engine::session::Session;
use liveops_engine::triage::facts::{History, TriageFacts};
use liveops_engine::triage::figures::load;
use liveops_engine::triage::log::TriageLog;

/// How long a mitigation of another program may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(300);

/// Runbooks that may help whatever it is.
const GENERAL: [&str; 2] = ["service-degradation", "load-shedding"];

/// The mitigations, ranked. What cannot be asked leaves its own out.
pub(super) async fn mitigations(facts: &TriageFacts<'_>) -> Result<Vec<Mitigation>> {
    let cx = facts.cx;
    let (status, history) = tokio::join!(facts.status.clone(), facts.history.clone());
    let nothing = History::default();
    let history = history.as_ref().as_ref().unwrap_or(&nothing);
    let settings = &cx.config()?.settings;
    let named = facts.incident.and_then(|one| one.service.clone());
    let gathered = status.as_ref().as_ref().ok();
    let named = named.or_else(|| gathered.and_then(|gathered| hurt(cx, &gathered.readings, history)));
    // Of several, of which none is known to be in trouble, none is meant.
    let only = || settings.services.first().filter(|_| settings.services.len() == 1);
    let service = named.as_ref().and_then(|name| cx.service(name).ok()).or_else(only);
    let kubectl = liveops_engine::session::kubectl(cx).ok();
    let kubectl = kubectl.map(|kubectl| kubectl.by_hand("").trim_end().to_owned());
    let name = named.or_else(|| service.map(|one| one.name.clone()));
    let rollouts = gathered.map_or_else(Vec::new, |gathered| {
        let rows = gathered.rollouts.under_way();
        rows.map(|row| (row.service.clone(), format!("{}, {} %", row.state(), row.weight))).collect()
    });
    let known = MitigationFacts {
        suspects: &history.suspects,
        recent: &history.changes,
        rollouts,
        service: name.as_deref(),
        rolls_out: service.is_some_and(|one| one.rollout.is_some()),
        workload: match (&kubectl, service) {
            (Some(_), Some(service)) => workload(cx, service).await,
            _ => None,
        },
        kubectl,
        load: gathered.map_or_else(Vec::new, |gathered| load(&gathered.readings)),
        runbooks: runbooks(facts, gathered.is_some()),
    };
    Ok(known.mitigations())
}

/// The service that is in trouble: one that is down or not well, that the worst KPI is of, that an alert or the first
/// suspect names.
fn hurt(cx: &Session, readings: &Readings, history: &History) -> Option<String> {
    let down = readings.services.iter().filter(|one| one.state != ServiceState::Healthy);
    let down = down.max_by_key(|one| Level::from(one.state)).map(|one| one.name.clone());
    let bad = readings.kpis.iter().filter(|one| matches!(one.level, Level::Critical | Level::Warn));
    let measured = || bad.max_by_key(|one| one.level).and_then(|one| one.kpi.service.clone());
    let loud = || readings.alerts().filter(|alert| alert.state.is_loud());
    // A job of Prometheus is not always a service that liveops knows.
    let known = |name: &&str| cx.check_service(name).is_ok();
    let alerted = || loud().find_map(|alert| service(&alert.labels).filter(known).map(ToOwned::to_owned));
    let suspected = history.suspects.iter().filter_map(|one| one.change.service.as_deref());
    let suspected = || suspected.take(1).find(known).map(ToOwned::to_owned);
    down.or_else(measured).or_else(alerted).or_else(suspected)
}

async fn workload(cx: &Session, service: &Service) -> Option<Workload> {
    let size = Fleet::of(cx).ok()?.size(service).await.ok()?;
    Some(Workload { deployment: size.deployment, replicas: size.replicas, bounds: size.autoscaler })
}

/// The runbooks that are written: of the incident's alert, then those that help with anything.
fn runbooks(facts: &TriageFacts<'_>, looked: bool) -> Vec<String> {
    let Ok(library) = RunbookLibrary::open(facts.cx) else {
        return Vec::new();
    };
    let alert = facts.incident.and_then(|one| one.alert.clone());
    let wanted = alert.into_iter().chain(GENERAL.map(str::to_owned));
    wanted.filter(|name| looked && library.find(name).is_ok_and(|book| !book.filed.book.steps.is_empty())).collect()
}

/// Offers to run the mitigations, one after the other, through the normal confirmation of each.
pub(crate) async fn offer(all: &[Mitigation], plain: bool, log: &TriageLog, cx: &Context) -> Result<()> {
    let offered = &all[..all.len().min(8)];
    if offered.is_empty() || cx.is_read_only()? {
        return Ok(());
    }
    let mut labels = vec!["none of them now".to_owned()];
    labels.extend(offered.iter().map(|one| one.command.clone()));
    let chosen = if plain {
        numbered(&labels, cx)?
    } else {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        prompt::choose("run one of them?", &labels)?
    };
    let Some(one) = chosen.checked_sub(1).and_then(|place| offered.get(place)) else {
        return Ok(());
    };
    let ran = run(one, cx).await;
    let (state, text) = match &ran {
        Ok(code) => (json!(code), format!("ended with exit code {code}")),
        Err(error) => (json!(error.exit_code()), error.to_string()),
    };
    log.write(
        cx,
        MITIGATED,
        json!({ "command": one.command, "exit_code": state, "text": format!("`{}`: {text}", one.command) }),
    );
    ran.map(drop)
}

/// The choice by its number.
fn numbered(labels: &[String], cx: &Context) -> Result<usize> {
    for (number, label) in labels.iter().enumerate() {
        cx.output.note(&format!("{number} {label}"));
    }
    loop {
        let typed = line("run one of them? its number, or Enter for none", true)?;
        if typed.is_empty() {
            return Ok(0);
        }
        if let Some(number) = typed.parse().ok().filter(|number| *number < labels.len()) {
            return Ok(number);
        }
    }
}

/// Runs it, and returns its exit code.
async fn run(one: &Mitigation, cx: &Context) -> Result<u8> {
    let words = words(&one.command);
    if words.first().is_some_and(|word| word == "liveops") {
        cx.output.note(&one.command);
        let matches = (cx.grammar.command)().try_get_matches_from(&words);
        let matches = matches.map_err(|error| Error::internal(&error.to_string()))?;
        // As if it had been typed here: its own plan, its own question, its own undo.
        let inner = cx.typed(&one.command);
        inner.http()?.restart();
        return (cx.grammar.dispatch)(matches, &inner).await;
    }
    by_shell(one, cx).await.map(|()| 0)
}

/// What came of a command of another program.
#[derive(Serialize)]
struct CommandRun {
    command: String,
    exit_code: Option<i32>,
    output: String,
    summary: String,
}

/// A command of another program, shown and asked for.
async fn by_shell(one: &Mitigation, cx: &Context) -> Result<()> {
    let preview = vec![Block::Whole(vec![plain(format!("{}: {}", one.title, one.why))])];
    let plan = Plan {
        action: "triage.mitigate",
        summary: format!("run `{}`", one.command),

        undo: Some(
            Impossible::Nothing { why: "it was a command of another program".into(), instead: "undo --list".into() }
                .into(),
        ),
        kill_switch: false,
        undoes: None,
    };
    let variables = surroundings(cx)?;
    let folder = cx.config()?.folder();
    let changed = cx
        .change(plan, preview, async |confirmed| {
            let script =
                Script { shell: "sh", text: &one.command, variables: &variables, folder: &folder, limit: LIMIT };
            let show = |line: &str| cx.output.note(&format!("  {line}"));
            let ran = shell::run(&script, show, confirmed).await?;
            let summary = ran.summary();
            Ok(Done {
                result: CommandRun { command: one.command.clone(), exit_code: ran.code, output: ran.output, summary },
                undo: None,
            })
        })
        .await?;
    if let Changed::Done { done, .. } = changed {
        let summary = done.result.summary;
        cx.output.note(&summary);
        if done.result.exit_code != Some(0) {
            return Err(Error::HalfDone {
                done: format!("`{}` was run", one.command),
                left: format!("it did not end well: {summary}"),
                command: one.command.clone(),
            });
        }
    }
    Ok(())
}
