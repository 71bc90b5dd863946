//! The steps of a run, one after the other: show, confirm (through `change.rs`), journal, run, check, and what then.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::runbook::run::RunArgs;
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::prompt;
use liveops_domain::change::record::LOOK;
use liveops_domain::change::undo::{Impossible, Undo};
use liveops_domain::error::{Error, Result};
use liveops_domain::runbook::run::{RunState, StepState};
use liveops_domain::runbook::step::Step;
use liveops_domain::text::escape::escape_command;
use liveops_domain::text::shell::word;
use liveops_engine::change::confirmed::Confirmed;
use liveops_engine::change::{Changed, Done, Plan};
use liveops_engine::clients::shell;
use liveops_engine::clients::shell::{Ran, Script};
use liveops_engine::postmortem::source;
use liveops_engine::runbook::library::RunbookFile;
use liveops_engine::runbook::log::RunLog;
use liveops_engine::runbook::surroundings;
use liveops_engine::session::store;

/// A step in the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StepReport {
    pub(crate) name: String,
    pub(crate) state: StepState,
    pub(crate) command: String,
    pub(crate) exit_code: Option<i32>,
    /// Why it failed, or was skipped.
    pub(crate) detail: Option<String>,
    pub(crate) output: Option<String>,
}

/// How a step went, for the journals.
#[derive(Debug, Serialize)]
struct StepRun {
    good: bool,
    exit_code: Option<i32>,
    detail: String,
    output: String,
    /// Was there more output than is kept?
    cut: bool,
}

/// How the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExecutionEnd {
    /// Nothing is left, or a step failed and nobody could be asked.
    Over,
    /// Somebody stopped it.
    Stopped,
}

/// What the person wants after a step that failed, or was not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Again,
    RollBack,
    Skip,
    Stop,
}

/// A run under way.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) id: String,
    /// The incident whose journal has the steps, too.
    pub(crate) incident: Option<String>,
    name: String,
    title: String,
    folder: PathBuf,
    steps: Vec<Step>,
    pub(crate) reports: Vec<StepReport>,
    variables: Vec<(String, String)>,
    surroundings: Vec<(String, OsString)>,
    log: RunLog,
    /// What the journal begins with, until something has happened that is worth one.
    begun: Option<Value>,
    taking_back: bool,
    /// All steps of the runbook are in it, so that it can be resumed.
    whole: bool,
}

impl Execution {
    /// A new run, or the one to resume.
    pub(crate) fn begin(
        args: &RunArgs,
        book: &RunbookFile,
        steps: Vec<Step>,
        variables: Vec<(String, String)>,
        cx: &Context,
    ) -> Result<Self> {
        let environment = cx.environment()?;
        let path = book.path.display().to_string();
        let last = RunLog::last(cx, &path, environment);
        let (log, state) = if args.resume {
            let (log, state) = last.ok_or_else(|| Error::NotFound {
                what: "unfinished run of",
                name: book.filed.name.clone(),
                candidates: Vec::new(),
            })?;
            let strangers = state.strangers(&book.filed.book.steps);
            if strangers > 0 {
                return Err(Error::Conflict {
                    what: format!(
                        "{} was changed since that run: {strangers} of its steps are not the same any more",
                        book.filed.path
                    ),
                    hint: "read it, and begin anew without `--resume`".into(),
                });
            }
            (log, state)
        } else {
            if let Some((_, state)) = &last
                && !cx.choices.dry_run
                && let Some(begun) = state.begun
            {
                cx.output.note(&format!(
                    "note: an unfinished run began {}; `{}` goes on with it",
                    liveops_domain::text::time::relative(begun, cx.clock.now()),
                    cx.command(&format!("runbook run {} --resume", word(&args.name)))
                ));
            }
            (RunLog::new(cx), RunState::default())
        };
        let reports = steps.iter().map(|step| StepReport {
            name: step.name.clone(),
            state: state.of(step),
            command: step.command.clone(),
            exit_code: None,
            detail: None,
            output: None,
        });
        let begun = (!args.resume).then(|| {
            json!({ "runbook": path, "environment": environment, "command": cx.command_line, "variables": variables })
        });
        Ok(Self {
            id: log.id.clone(),
            begun,
            incident: source::open(cx)?,
            name: args.name.clone(),
            title: book.filed.name.clone(),
            folder: cx.config()?.folder(),
            reports: reports.collect(),
            steps,
            variables,
            surroundings: surroundings(cx)?,
            log,
            taking_back: args.rollback.is_some(),
            whole: args.step.is_empty() && args.rollback.is_none(),
        })
    }

    /// Goes through what is left.
    pub(crate) async fn go(&mut self, cx: &Context) -> Result<ExecutionEnd> {
        let mut index = 0;
        while index < self.steps.len() {
            if self.reports[index].state.is_over() {
                index += 1;
                continue;
            }
            let tried = self.one(index, self.taking_back, cx).await;
            let choice = match tried {
                Ok(true) => None,
                Ok(false) if prompt::can_prompt() => Some(self.after_failure(index)?),
                Ok(false) => return Ok(ExecutionEnd::Over),
                Err(Error::Refused { .. }) if prompt::can_prompt() && !cx.is_read_only()? && !cx.choices.yes => {
                    Some(self.after_no()?)
                }
                Err(error) => return Err(error),
            };
            match choice {
                None => index += 1,
                Some(Choice::Again) => {}
                Some(Choice::Skip) => {
                    self.skip(index, cx)?;
                    index += 1;
                }
                Some(Choice::Stop) => return Ok(ExecutionEnd::Stopped),
                Some(Choice::RollBack) => {
                    self.one(index, true, cx).await?;
                    return Ok(ExecutionEnd::Stopped);
                }
            }
        }
        if self.whole && !cx.choices.dry_run && self.begun.is_none() {
            self.log.write(cx, "run.ended", json!({}));
        }
        Ok(ExecutionEnd::Over)
    }

    /// Runs a step, or its rollback; `false` when it failed.
    async fn one(&mut self, index: usize, back: bool, cx: &Context) -> Result<bool> {
        let step = self.steps[index].clone();
        let preview = self.preview(index, back);
        if cx.choices.yes && !cx.choices.dry_run && !cx.output.format().is_machine() {
            cx.output.show_plan(&preview, cx.clock.now());
        }
        let verb = if back { "take back" } else { "run" };
        let instead = match &step.rollback {
            Some(_) => format!("runbook run {} --rollback {}", word(&self.name), word(&step.name)),
            None => format!("runbook show {}", word(&self.name)),
        };
        let plan = Plan {
            action: match (back, step.confirm) {
                (true, _) => "runbook.rollback",
                (false, true) => "runbook.step",
                (false, false) => LOOK,
            },
            summary: format!("{verb} step `{}` of {}", step.name, self.title),

            undo: Some(no_undo(instead)),
            // A look changes nothing, and must work when the disk is full.
            kill_switch: !step.confirm,
            undoes: None,
        };
        let quiet = cx.output.format().is_machine();
        let changed = cx
            .change(plan, preview, async |confirmed| {
                let ran = self.act(&step, back, quiet, cx, confirmed).await?;
                Ok(Done { result: ran, undo: Some(no_undo(format!("runbook show {}", word(&self.name)))) })
            })
            .await?;
        let Changed::Done { done, .. } = changed else {
            return Ok(true);
        };
        let result = done.result;
        let state = match (result.good, back) {
            (true, false) => StepState::Done,
            (true, true) => StepState::RolledBack,
            (false, _) => StepState::Failed,
        };
        let report = &mut self.reports[index];
        report.state = state;
        report.exit_code = result.exit_code;
        report.detail = Some(result.detail);
        report.output = Some(result.output);
        Ok(state != StepState::Failed)
    }

    /// The command, then its check; each line of output is shown as it comes.
    async fn act(
        &mut self,
        step: &Step,
        back: bool,
        quiet: bool,
        cx: &Context,
        confirmed: &Confirmed,
    ) -> Result<StepRun> {
        let command = match (&step.rollback, back) {
            (Some(rollback), true) => rollback.as_str(),
            _ => step.command.as_str(),
        };
        self.note(cx, "step.begun", step, json!({ "command": command, "back": back }));
        let ran = self.shell(step, command, quiet, cx, confirmed).await;
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                self.note(cx, "step.failed", step, json!({ "detail": error.to_string() }));
                return Err(error);
            }
        };
        let mut detail = ran.summary();
        // A look informs: whatever it found, the next step may follow. One that could not be run has not looked.
        let mut good = ran.is_good() || (!step.confirm && step.check.is_none() && ran.is_complete());
        let mut output = ran.output.clone();
        if let (true, false, Some(check)) = (good, back, &step.check) {
            let checked = self.shell(step, check, quiet, cx, confirmed).await?;
            good = checked.is_good();
            detail = if good {
                format!("{detail}; its check holds")
            } else {
                format!("{detail}, but its check fails: {}", checked.summary())
            };
            output.push_str(&checked.output);
        }
        let kind = match (good, back) {
            (true, false) => "step.done",
            (true, true) => "step.rolled_back",
            (false, _) => "step.failed",
        };
        let run = StepRun { good, exit_code: ran.code, detail, output, cut: ran.cut };
        self.note(cx, kind, step, json!(run));
        if !quiet {
            let how = if good { "done:" } else { "FAILED:" };
            cx.output.note(&format!("{how} `{}`: {}", step.name, run.detail));
        }
        Ok(run)
    }

    async fn shell(&self, step: &Step, text: &str, quiet: bool, cx: &Context, confirmed: &Confirmed) -> Result<Ran> {
        let mut variables = self.surroundings.clone();
        for (name, value) in &self.variables {
            variables.push((name.clone(), value.into()));
        }
        if let Some(incident) = &self.incident {
            variables.push(("LIVEOPS_INCIDENT".into(), incident.into()));
        }
        let script =
            Script { shell: step.shell, text, variables: &variables, folder: &self.folder, limit: step.timeout };
        let show = |line: &str| {
            if !quiet {
                cx.output.note(&format!("  {line}"));
            }
        };
        shell::run(&script, show, confirmed).await
    }

    /// An event of a step, in the run's journal.
    fn note(&mut self, cx: &Context, kind: &str, step: &Step, mut data: Value) {
        data["step"] = json!(step.name);
        data["digest"] = json!(step.digest());
        if let Some(begun) = self.begun.take() {
            self.log.write(cx, "run.begun", begun);
        }
        if let (Some(id), true) = (&self.incident, kind != "step.begun") {
            let how = kind.trim_start_matches("step.").replace('_', " ");
            let mut copy = data.clone();
            copy["runbook"] = json!(self.title);
            copy["text"] = json!(format!("{} `{}` {how}", self.title, step.name));
            let kept = store(cx).and_then(|store| store.append(id, cx.clock.now(), &cx.actor, "runbook.step", &copy));
            if let Err(error) = kept {
                cx.output.warn(&format!("the step is not in the incident's journal: {error}"));
            }
        }
        self.log.write(cx, kind, data);
    }

    fn skip(&mut self, index: usize, cx: &Context) -> Result<()> {
        let step = self.steps[index].clone();
        let reason = prompt::text("why is it left out?", Some(""))?;
        let reason = if reason.is_empty() { "no reason given".to_owned() } else { reason };
        self.note(cx, "step.skipped", &step, json!({ "detail": reason }));
        let report = &mut self.reports[index];
        (report.state, report.detail) = (StepState::Skipped, Some(reason));
        (report.exit_code, report.output) = (None, None);
        Ok(())
    }

    fn after_failure(&self, index: usize) -> Result<Choice> {
        let mut items =
            vec![("stop here", Choice::Stop), ("try it again", Choice::Again), ("go on without it", Choice::Skip)];
        if self.steps[index].rollback.is_some() {
            items.push(("take it back, and stop", Choice::RollBack));
        }
        choose("it failed; what now?", &items)
    }

    fn after_no(&self) -> Result<Choice> {
        choose(
            "not run; what now?",
            &[("stop here", Choice::Stop), ("leave this step out", Choice::Skip), ("ask again", Choice::Again)],
        )
    }

    fn preview(&self, index: usize, back: bool) -> Vec<Block> {
        let step = &self.steps[index];
        let mut blocks = vec![
            Block::Blank,
            Block::Line(vec![
                span(format!("step {} of {}: {}", index + 1, self.steps.len(), step.name), Tone::Strong),
                span(if step.confirm { "" } else { "  (the runbook says: only looks)" }, Tone::Dim),
            ]),
        ];
        if self.reports[index].state == StepState::Unfinished {
            blocks.push(Block::Whole(vec![span(
                "  it was begun before, and its end is not known: look before it runs twice",
                Tone::Warn,
            )]));
        }
        let needed = self.variables.iter().filter(|(name, _)| step.needs.contains(name));
        for (name, value) in needed {
            blocks.push(Block::Whole(vec![plain(format!("  {name}={}", word(value)))]));
        }
        let command = match (&step.rollback, back) {
            (Some(rollback), true) => rollback,
            _ => &step.command,
        };
        for line in command.lines() {
            blocks.push(Block::Whole(vec![plain("  $ "), span(escape_command(line), Tone::Command)]));
        }
        let more = [("check", &step.check), ("rollback", &step.rollback)];
        for (label, text) in more.into_iter().filter(|_| !back) {
            if let Some(text) = text {
                blocks.push(Block::Whole(vec![span(format!("  {label}: "), Tone::Dim), plain(escape_command(text))]));
            }
        }
        blocks
    }

    /// The command that goes on, while something is left.
    pub(crate) fn resume(&self, cx: &Context) -> Option<String> {
        let left = self.reports.iter().any(|step| !step.state.is_over());
        let resumable = left && self.whole && self.log.is_sound() && !cx.choices.dry_run;
        resumable.then(|| cx.command(&format!("runbook run {} --resume", word(&self.name))))
    }
}

/// What to do in place of an undo.
fn no_undo(instead: String) -> Undo {
    Impossible::Nothing { why: "a runbook's step is a command of its own".into(), instead }.into()
}

fn choose(question: &str, items: &[(&str, Choice)]) -> Result<Choice> {
    let labels: Vec<&str> = items.iter().map(|(label, _)| *label).collect();
    Ok(items[prompt::choose(question, &labels)?].1)
}
