//! The checklist with a person: what was found is shown before it is asked for.

use crate::commands::triage::TriageArgs;
use crate::commands::triage::keys::{Choice, choose, line};
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::progress::waiting;
use crate::output::prompt::aside;
use liveops_domain::error::{Error, Result};
use liveops_domain::triage::{Answer, CheckResult, Item, Outcome, Said, answer, event};
use liveops_engine::triage::log::TriageLog;
use liveops_engine::triage::scheduler::CheckScheduler;

const CHOICES: [Choice; 7] =
    [('f', "fine"), ('p', "problem"), ('s', "skip"), ('n', "note"), ('r', "run again"), ('b', "back"), ('q', "quit")];

/// Asks item by item; `true` when the person quit before the end.
///
/// # Errors
/// `Interrupted`; those of the configuration.
pub(super) async fn ask_all(
    args: &TriageArgs,
    items: &[Item],
    scheduler: &mut CheckScheduler<'_>,
    log: &TriageLog,
    cx: &Context,
) -> Result<bool> {
    let resume = format!("go on with: {}", cx.command(&log.resume()));
    cx.interrupts.claim(resume.clone());
    let asked = steps(args, items, scheduler, log, cx).await;
    cx.interrupts.unclaim();
    if matches!(asked, Ok(true) | Err(Error::Interrupted { .. })) {
        cx.output.note(&format!("what was answered is kept; {resume}"));
    }
    asked
}

async fn steps(
    args: &TriageArgs,
    items: &[Item],
    scheduler: &mut CheckScheduler<'_>,
    log: &TriageLog,
    cx: &Context,
) -> Result<bool> {
    let plain = args.plain;
    let mut resuming = args.resume;
    let mut index = 0;
    while index < items.len() {
        let item = &items[index];
        let before = answer(&log.events(cx)?, &item.id);
        if resuming && before.is_some() {
            index += 1;
            continue;
        }
        let found = found(scheduler, index, item, cx).await?;
        show((index, items.len()), item, &found, before.as_ref(), cx);
        let preset = match found.outcome {
            Outcome::Clear => 0,
            // Enter must never call something well that is not known to be.
            Outcome::Suspicious => 1,
            Outcome::Unknown | Outcome::NotLookedAt | Outcome::Manual => 2,
        };
        let asked = scheduler.beside(aside(move || choose(&CHOICES, preset, plain))).await?;
        let keep = |answer, note: &str| log.keep(cx, event(item, &found, answer, note));
        match asked {
            'f' => keep(Answer::Fine, ""),
            'p' => keep(Answer::Problem, ""),
            's' => {
                let reason = aside(move || line("why is it left out?", plain));
                keep(Answer::Skipped, &scheduler.beside(reason).await?);
            }
            'n' => {
                let note = scheduler.beside(aside(move || line("note", plain))).await?;
                // Who has something to say of what nobody answered yet has not said that it is fine.
                let last = before.map_or(Answer::Problem, |(answer, _)| answer);
                keep(last, &note);
            }
            'r' => {
                scheduler.again(index)?;
                continue;
            }
            'b' => {
                // Whoever goes back wants to see what was answered.
                resuming = false;
                index = index.saturating_sub(1);
                continue;
            }
            _ => return Ok(true),
        }
        index += 1;
    }
    Ok(false)
}

/// What the check found; while it looks, it says so.
async fn found(scheduler: &mut CheckScheduler<'_>, index: usize, item: &Item, cx: &Context) -> Result<CheckResult> {
    if scheduler.has(index) {
        return Ok(scheduler.of(index).await);
    }
    let interrupts = &cx.interrupts;
    let look = async {
        tokio::select! {
            found = scheduler.of(index) => Ok(found),
            code = interrupts.delivered() => Err(Error::Interrupted { code }),
        }
    };
    waiting(true, || format!("{} (looking)", item.ask), look).await
}

fn show((index, count): (usize, usize), item: &Item, found: &CheckResult, before: Option<&Said>, cx: &Context) {
    let tone = match found.outcome {
        Outcome::Clear => Tone::Good,
        Outcome::Suspicious => Tone::Bad,
        Outcome::Unknown | Outcome::NotLookedAt => Tone::Unknown,
        Outcome::Manual => Tone::Dim,
    };
    let mut blocks = vec![
        Block::Blank,
        Block::Line(vec![
            span(format!("{}/{count} {}", index + 1, item.ask), Tone::Strong),
            span(format!("  {}", found.outcome.word()), tone),
        ]),
    ];
    if !item.help.is_empty() {
        blocks.push(Block::Line(vec![span(format!("  {}", item.help), Tone::Dim)]));
    }
    for text in &found.lines {
        blocks.push(Block::Whole(vec![plain(format!("  - {text}"))]));
    }
    if let Some(command) = &item.command {
        blocks.push(Block::Whole(vec![plain("  "), span(cx.output.repeat().apply(command), Tone::Command)]));
    }
    if let Some((answer, note)) = before {
        let note = note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        blocks.push(Block::Line(vec![span(format!("  answered before: {}{note}", answer.word()), Tone::Dim)]));
    }
    cx.output.show_plan(&blocks, cx.clock.now());
}
