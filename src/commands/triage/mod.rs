//! `liveops triage`: the on-call checklist; it looks by itself, asks, remembers, and ends with what can be done.

mod checks;
mod keys;
mod log;
mod report;
mod walk;

use clap::Args;

use crate::commands::template::Template;
use crate::commands::triage::checks::Looked;
use crate::commands::triage::log::TriageLog;
use crate::commands::triage::report::TriageReport;
use crate::commands::triage::walk::walk;
use crate::context::Context;
use crate::domain::triage::{Checklist, answer, mitigations};
use crate::error::{Error, Exit, Problem, Result};
use crate::output::prompt;

/// The shipped checklist.
const CHECKLIST: &str = include_str!("../../../templates/triage/oncall.yaml");

/// Go through the on-call checklist; it looks by itself before it asks
///
/// Each item shows what it found, and takes an answer: fine, problem, skip with a reason, a note, run again, back,
/// quit. Answers go into the incident's journal with their evidence, so it can be resumed. It ends with mitigations,
/// ranked, each with its command. Without a terminal, and with `--non-interactive`, it prints what it found.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops triage
  liveops triage --resume
  liveops triage --plain                    one line at a time, for bad connections
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
    let checklist = checklist(cx)?;
    let log = TriageLog::open(cx, args.incident.as_deref())?;
    let interactive =
        !args.non_interactive && prompt::can_prompt() && !cx.output.format().is_machine();
    let mut looked = Looked::at(cx, &checklist.items, log.incident()).await?;
    let mut quit = false;
    if interactive {
        quit = walk(&args, &checklist.items, &mut looked, &log, cx).await?;
    }
    let settings = &cx.config()?.settings;
    let service = log
        .incident()
        .and_then(|one| one.service.clone())
        .or_else(|| settings.services.first().map(|one| one.name.clone()))
        .unwrap_or_else(|| "game-backend".into());
    let ways = mitigations(
        &looked.suspects,
        &looked.changes,
        &service,
        &walk::kubectl(cx)?,
    );
    let events = log.events(cx)?;
    let items = checklist.items.iter().zip(&looked.found);
    let items = items.map(|(item, found)| {
        let answer = answer(&events, &item.id);
        (item.clone(), found.clone(), answer)
    });
    let report = TriageReport::new(cx, log.incident(), items.collect(), ways, &looked, quit)?;
    cx.output.show(&report, cx.clock.now())?;
    if interactive && !quit {
        walk::offer(report.mitigations(), args.plain, cx).await?;
    }
    Ok(report.exit())
}

/// The project's checklist, or the shipped one.
fn checklist(cx: &Context) -> Result<Checklist> {
    let template = Template::find(cx, "triage/oncall.yaml", Some(CHECKLIST))?
        .ok_or_else(|| Error::internal("the shipped checklist is missing"))?;
    Checklist::read(&template.text).map_err(|message| Error::Config {
        problems: vec![Problem {
            source: template.file.unwrap_or_else(|| "triage/oncall.yaml".into()),
            line: 0,
            key: String::new(),
            message,
        }],
    })
}
