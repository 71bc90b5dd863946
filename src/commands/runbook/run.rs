//! `liveops runbook run`: the steps of a runbook, one after the other, each shown, confirmed, journalled, resumable.

use clap::Args;
use serde::Serialize;

use crate::commands::runbook::execute::{Execution, ExecutionEnd, StepReport};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use crate::output::{prompt, tone};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::runbook::run::StepState;
use liveops_domain::runbook::step::Step;
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_engine::config::environment::variable;
use liveops_engine::config::service::Service;
use liveops_engine::runbook::filled;
use liveops_engine::runbook::library::RunbookFile;

/// Run a runbook step by step
///
/// Each step is shown as it will be run, and asked for; `--yes` runs all of them, `--dry-run` shows them. A step's
/// check runs after it; when either fails the run stops. What was done, by whom, and its output is journalled, in the
/// open incident too. `--resume` goes on where an earlier run stopped.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops runbook run rollback
  liveops runbook run rollback --set VERSION=1.42 --dry-run
  liveops runbook run rollback --resume
  liveops runbook run rollback --rollback 'Roll back'      # takes one step back")]
pub(crate) struct RunArgs {
    /// Alert, scenario, or path of a Markdown file
    #[arg(value_name = "NAME")]
    pub(super) name: String,

    /// Go on with the last run of it
    #[arg(long, conflicts_with_all = ["step", "rollback"])]
    pub(super) resume: bool,

    /// Only this step; may be repeated
    #[arg(long, value_name = "STEP", conflicts_with = "rollback")]
    pub(super) step: Vec<String>,

    /// Run the rollback of this step instead
    #[arg(long, value_name = "STEP")]
    pub(super) rollback: Option<String>,

    /// Variable for the steps; may be repeated. Not for secrets: it is journalled
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(super) set: Vec<(String, String)>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE, such as VERSION=1.42")?;
    if liveops_domain::runbook::step::is_variable(name) {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err(format!("`{name}` is no name of a variable"))
    }
}

/// A run.
#[derive(Debug, Serialize)]
struct RunReport {
    run: String,
    runbook: String,
    path: String,
    environment: String,
    dry_run: bool,
    steps: Vec<StepReport>,
    resume: Option<String>,
    incident: Option<String>,
}

pub(super) async fn run(args: RunArgs, cx: &Context) -> Result<Exit> {
    let book = filled::find(cx, &args.name)?;
    let services = &cx.config()?.settings.services;
    if let (false, [first, _, ..]) = (book.is_written, services.as_slice()) {
        let name = word(&args.name);
        return Err(Error::usage(
            format!("`{name}` is not written yet, and may be for any of {}", names(services)),
            format!("write it for one of them: `liveops runbook new {name} --service {}`", word(&first.name)),
        ));
    }
    let steps = chosen(&args, &book)?;
    let variables = variables(&args, &steps, cx)?;
    let mut execution = Execution::begin(&args, &book, steps, variables, cx)?;
    let ended = execution.go(cx).await;
    let report = RunReport {
        run: execution.id.clone(),
        runbook: book.filed.name.clone(),
        path: book.filed.path.clone(),
        environment: cx.environment()?.to_owned(),
        dry_run: cx.choices.dry_run,
        resume: execution.resume(cx),
        steps: execution.reports.clone(),
        incident: execution.incident.clone(),
    };
    match ended {
        Ok(ExecutionEnd::Over) => {
            cx.show(&report, report.meta())?;
            Ok(if report.verdict() == Verdict::Fail { Exit::Bad } else { Exit::Good })
        }
        Ok(ExecutionEnd::Stopped) if report.touched() > 0 => {
            cx.show(&report, report.meta())?;
            Err(Error::HalfDone {
                done: format!("{} of {} steps", report.over(), report.steps.len()),
                left: "the run was stopped".into(),
                command: report.resume.unwrap_or_default(),
            })
        }
        Ok(ExecutionEnd::Stopped) => Err(Error::Refused {
            why: "stopped before the first step; nothing was run".into(),
            hint: format!("read it with `{}`", cx.command(&format!("runbook show {}", word(&args.name)))),
        }),
        Err(error) => {
            if report.touched() > 0
                && let Some(resume) = &report.resume
            {
                cx.output.note(&format!("go on with: {resume}"));
            }
            Err(error)
        }
    }
}

fn names(services: &[Service]) -> String {
    services.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The steps that were asked for.
fn chosen(args: &RunArgs, book: &RunbookFile) -> Result<Vec<Step>> {
    let all = &book.filed.book.steps;
    if let Some(fault) = book.filed.book.faults.first() {
        return Err(Error::usage(
            format!("{}:{}: step cannot be read: {}", book.filed.path, fault.line, fault.what),
            "mend it first: a run that leaves a step out in silence is worse than none",
        ));
    }
    if all.is_empty() {
        return Err(Error::usage(
            format!("{} has no steps to run", book.filed.path),
            "mark a code block as a step: ```sh liveops step=\"…\"; `liveops runbook --help` has the rest",
        ));
    }
    let wanted: Vec<&String> = args.step.iter().chain(&args.rollback).collect();
    if wanted.is_empty() {
        return Ok(all.clone());
    }
    let find = |name: &&String| {
        let by_number = name.parse().ok().and_then(|n: usize| all.get(n.wrapping_sub(1)));
        all.iter().find(|step| step.name.eq_ignore_ascii_case(name)).or(by_number).cloned().ok_or_else(|| {
            Error::NotFound {
                what: "step",
                name: (*name).clone(),
                candidates: all.iter().map(|step| step.name.clone()).collect(),
            }
        })
    };
    let steps: Vec<Step> = wanted.iter().map(find).collect::<Result<_>>()?;
    if let (Some(_), Some(step)) = (&args.rollback, steps.first())
        && step.rollback.is_none()
    {
        return Err(Error::usage(
            format!("step `{}` has no rollback", step.name),
            "add `rollback=\"…\"` to it, or take it back by hand",
        ));
    }
    Ok(steps)
}

/// What the steps need: from `--set`, from the environment, or by asking.
fn variables(args: &RunArgs, steps: &[Step], cx: &Context) -> Result<Vec<(String, String)>> {
    let mut values = args.set.clone();
    let mut missing = Vec::new();
    for name in steps.iter().flat_map(|step| &step.needs) {
        if values.iter().any(|(known, _)| known == name) || missing.contains(name) {
            continue;
        }
        match variable(name).filter(|value| !value.is_empty()) {
            Some(value) => values.push((name.clone(), value)),
            None if prompt::can_prompt() && !cx.choices.dry_run => {
                let value = prompt::text(&format!("{name} for this run"), None)?;
                values.push((name.clone(), value));
            }
            None => missing.push(name.clone()),
        }
    }
    if missing.is_empty() || cx.choices.dry_run {
        return Ok(values);
    }
    let flags: Vec<String> = missing.iter().map(|name| format!("--set {name}=…")).collect();
    Err(Error::usage(format!("the steps need {}", missing.join(", ")), format!("pass `{}`", flags.join(" "))))
}

impl RunReport {
    fn over(&self) -> usize {
        self.steps.iter().filter(|s| s.state.is_over()).count()
    }

    fn touched(&self) -> usize {
        self.steps.iter().filter(|step| step.state != StepState::Open).count()
    }

    fn verdict(&self) -> Verdict {
        if self.steps.iter().any(|s| s.state == StepState::Failed) {
            Verdict::Fail
        } else if self.steps.iter().any(|s| s.state == StepState::Unfinished) {
            Verdict::Unknown
        } else {
            Verdict::Pass
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["step", "state", "detail"]).fixed(&[1]);
        for step in &self.steps {
            let tone = match step.state {
                StepState::Done => Tone::Good,
                StepState::Failed => Tone::Bad,
                StepState::Unfinished => Tone::Unknown,
                StepState::Skipped | StepState::RolledBack => Tone::Warn,
                StepState::Open => Tone::Dim,
            };
            table.row(vec![
                plain(&step.name),
                span(step.state.word(), tone),
                plain(step.detail.as_deref().unwrap_or_default()),
            ]);
        }
        table
    }

    fn meta(&self) -> Meta {
        let next = match &self.resume {
            Some(resume) => Recommendation::new("go on", resume),
            None => Recommendation::new("look", "liveops status"),
        };
        let meta = Meta { verdict: self.verdict(), ..Meta::steps(vec![next]).dense() };
        if self.dry_run { Meta { tail: Vec::new(), ..meta } } else { meta }
    }
}

impl Report for RunReport {
    fn schema(&self) -> &'static str {
        "liveops.runbook.run/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        if self.dry_run {
            return vec![Block::Line(vec![span(
                format!("dry run of {}: nothing was run", count(self.steps.len(), "step")),
                Tone::Dim,
            )])];
        }
        let tone = tone::verdict(self.verdict());
        let mut blocks = vec![
            Block::Line(vec![
                tone::mark(tone, view),
                span(format!(" {}: {} of {} steps over", self.runbook, self.over(), self.steps.len()), tone),
            ]),
            Block::Table(self.table()),
            Block::Blank,
        ];
        if let Some(incident) = &self.incident {
            blocks.push(Block::Line(vec![span(format!("journalled in incident {incident}"), Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        Some(self.table())
    }
}
