//! `liveops triage`: the on-call checklist; it looks by itself, asks, remembers, and ends with what can be done.

mod keys;
mod mitigations;
mod questions;
mod report;

use clap::Args;

use crate::commands::triage::mitigations::{mitigations, offer};
use crate::commands::triage::questions::ask_all;
use crate::commands::triage::report::TriageReport;
use crate::context::Context;
use crate::output::progress::waiting;
use crate::output::prompt;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::triage::{Checklist, answer};
use liveops_engine::config::checklist;
use liveops_engine::template::Template;
use liveops_engine::triage::log::TriageLog;
use liveops_engine::triage::scheduler::CheckScheduler;

/// The shipped checklist.
const CHECKLIST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/triage/oncall.yaml"));

/// Go through the on-call checklist; it looks by itself before it asks
///
/// Each item shows what it found, and takes an answer: fine, problem, skip with a reason, a note, run again, back,
/// quit. Answers go into the incident's journal with their evidence, so it can be resumed. It ends with mitigations,
/// ranked, each with its command, and runs one if you choose it. Without a terminal, and with `--non-interactive`, it
/// prints what it found. What cannot be asked is unknown, and holds nothing up. The checklist is a file: put your own at
/// `triage/oncall.yaml` below `templates` of the configuration.
///
/// Exit code 1 when something is suspicious or was called a problem, 3 when something is unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops triage
  liveops triage --resume
  liveops triage --plain                    # one line at a time, for bad connections
  liveops triage --non-interactive -o json")]
pub(crate) struct TriageArgs {
    /// Incident that the answers belong to, or a part of its id [default: the one that is open]
    #[arg(short = 'i', long, value_name = "ID")]
    incident: Option<String>,

    /// Go on with the first item that has no answer yet
    #[arg(long, conflicts_with = "non_interactive")]
    resume: bool,

    /// Ask nothing; print what was found
    #[arg(long)]
    non_interactive: bool,

    /// Answer with letters and Enter, without drawing
    #[arg(long)]
    plain: bool,
}

pub(crate) async fn run(args: TriageArgs, cx: &Context) -> Result<Exit> {
    let elsewhere = cx.where_incident(args.incident.as_deref())?;
    let cx = elsewhere.as_ref().unwrap_or(cx);
    let checklist = find(cx)?;
    let log = TriageLog::open(cx, args.incident.as_deref())?;
    let interactive = !args.non_interactive && prompt::can_prompt() && !cx.output.format().is_machine();
    if args.resume && !interactive {
        return Err(Error::usage(
            "nobody can be asked here, so there is nothing to go on with",
            "`liveops triage --non-interactive` prints what the checks find",
        ));
    }
    let items = &checklist.items;
    let mut scheduler = CheckScheduler::start(cx, items, log.incident());
    let quit = interactive && ask_all(&args, items, &mut scheduler, &log, cx).await?;
    let looked = async { (scheduler.all().await, mitigations(&scheduler.facts).await) };
    let visible = prompt::can_prompt() && !cx.choices.quiet;
    let (found, mitigations) = waiting(visible, || "looking at everything".into(), looked).await;
    let sources = match scheduler.facts.history.clone().await.as_ref() {
        Ok(history) => history.sources.clone(),
        Err(_) => Vec::new(),
    };
    let events = log.events(cx)?;
    let gone = items.iter().zip(found);
    let gone = gone.map(|(item, found)| (item.clone(), found, answer(&events, &item.id)));
    let report = TriageReport::new(cx, &log, gone.collect(), mitigations?, quit);
    cx.show(&report, report.meta(sources, &log))?;
    if interactive && !quit {
        offer(report.mitigations(), args.plain, &log, cx).await?;
    }
    Ok(report.verdict().into())
}

/// The project's checklist, or the shipped one.
fn find(cx: &Context) -> Result<Checklist> {
    let template = Template::find(cx, "triage/oncall.yaml", Some(CHECKLIST))?
        .ok_or_else(|| Error::internal("the shipped checklist is missing"))?;
    let name = template.file.as_deref().unwrap_or("triage/oncall.yaml");
    checklist::read(&template.text, name).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::usage(
            format!("the checklist is not sound:\n  {}", lines.join("\n  ")),
            format!("mend {name}, or move it away to use the shipped one"),
        )
    })
}
