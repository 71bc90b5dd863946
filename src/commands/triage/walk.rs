//! The walk through the checklist with a person, and the offer to run a mitigation at its end.

use serde_json::json;

use crate::change::{Changed, Done, Plan};
use crate::clients::shell::{self, Script};
use crate::commands::runbook::surroundings;
use crate::commands::triage::TriageArgs;
use crate::commands::triage::checks::Looked;
use crate::commands::triage::keys::{Choice, choose};
use crate::commands::triage::log::TriageLog;
use crate::context::Context;
use crate::domain::triage::{Answer, Found, Item, Mitigation, Outcome, answer, event};
use crate::domain::undo::Impossible;
use crate::error::{Error, Result};
use crate::output::block::{Block, Tone, plain, span};
use crate::output::prompt;

const CHOICES: [Choice; 7] = [
    ('f', "fine"),
    ('p', "problem"),
    ('s', "skip"),
    ('n', "note"),
    ('r', "run again"),
    ('b', "back"),
    ('q', "quit"),
];

/// How long a mitigation may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(300);

/// Asks item by item; `true` when the person quit before the end.
///
/// # Errors
/// `Interrupted`; those of the configuration.
pub(super) async fn walk(
    args: &TriageArgs,
    items: &[Item],
    looked: &mut Looked,
    log: &TriageLog,
    cx: &Context,
) -> Result<bool> {
    let resume = cx.command("triage --resume");
    let mut resuming = args.resume;
    let mut index = 0;
    while index < items.len() {
        let item = &items[index];
        let before = answer(&log.events(cx)?, &item.id);
        if resuming && before.is_some() {
            index += 1;
            continue;
        }
        show(
            index,
            items.len(),
            item,
            &looked.found[index],
            before.as_ref(),
            cx,
        );
        let preset = match looked.found[index].outcome {
            Outcome::Clear => 0,
            // Enter must never call something well that is not known to be.
            Outcome::Suspicious => 1,
            Outcome::Unknown | Outcome::Manual => 2,
        };
        let asked = choose(&CHOICES, preset, args.plain, cx).inspect_err(|_| {
            cx.output
                .note(&format!("what was answered is kept; go on with: {resume}"));
        })?;
        let found = looked.found[index].clone();
        let keep = |answer, note: &str| log.keep(cx, event(item, &found, answer, note));
        match asked {
            'f' => keep(Answer::Fine, ""),
            'p' => keep(Answer::Problem, ""),
            's' => {
                let reason = line("why is it left out?", args.plain)?;
                keep(Answer::Skipped, &reason);
            }
            'n' => {
                let note = line("note", args.plain)?;
                let last = before.map_or(Answer::Problem, |(answer, _)| answer);
                keep(last, &note);
            }
            'r' => {
                looked.again(cx, index, item).await?;
                continue;
            }
            'b' => {
                // Whoever goes back wants to see what was answered.
                resuming = false;
                index = index.saturating_sub(1);
                continue;
            }
            _ => {
                cx.output.note(&format!("go on with: {resume}"));
                return Ok(true);
            }
        }
        index += 1;
    }
    Ok(false)
}

/// A line of text.
fn line(question: &str, plain: bool) -> Result<String> {
    if !plain {
        return prompt::text(question, Some(""));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_line(&mut text)
        .map_err(|source| Error::Io {
            action: "read an answer from",
            path: "the terminal".into(),
            source,
        })?;
    Ok(text.trim().to_owned())
}

fn show(
    index: usize,
    count: usize,
    item: &Item,
    found: &Found,
    before: Option<&(Answer, Option<String>)>,
    cx: &Context,
) {
    let tone = match found.outcome {
        Outcome::Clear => Tone::Good,
        Outcome::Suspicious => Tone::Bad,
        Outcome::Unknown => Tone::Unknown,
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
        blocks.push(Block::Line(vec![span(
            format!("  {}", item.help),
            Tone::Dim,
        )]));
    }
    for text in &found.lines {
        blocks.push(Block::Line(vec![plain(format!("  - {text}"))]));
    }
    if let Some(command) = &item.command {
        blocks.push(Block::Whole(vec![
            plain("  "),
            span(cx.output.repeat().apply(command), Tone::Command),
        ]));
    }
    if let Some((answer, note)) = before {
        let note = note
            .as_ref()
            .map_or_else(String::new, |note| format!(": {note}"));
        blocks.push(Block::Line(vec![span(
            format!("  answered before: {}{note}", answer.word()),
            Tone::Dim,
        )]));
    }
    cx.output.show_plan(&blocks, cx.clock.now());
}

/// `kubectl` with the context and namespace of this environment.
///
/// # Errors
/// Those of the configuration.
pub(super) fn kubectl(cx: &Context) -> Result<String> {
    let found = surroundings(cx)?
        .into_iter()
        .find(|(name, _)| name == "KUBECTL")
        .map(|(_, value)| value.to_string_lossy().into_owned());
    Ok(found.unwrap_or_else(|| "kubectl".into()))
}

/// Offers to run one of the mitigations, through the normal confirmation.
///
/// # Errors
/// `Refused`, `Interrupted`, a shell that cannot be started.
pub(super) async fn offer(ways: &[Mitigation], plain: bool, cx: &Context) -> Result<()> {
    // What has a number to fill in cannot be run as it is.
    let ready: Vec<&Mitigation> = ways
        .iter()
        .filter(|way| !way.command.ends_with("=N"))
        .collect();
    if ready.is_empty() || plain || cx.is_read_only()? {
        return Ok(());
    }
    let mut labels = vec!["none of them now".to_owned()];
    labels.extend(
        ready
            .iter()
            .map(|way| format!("{}: {}", way.title, way.command)),
    );
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let chosen = prompt::choose("run one of them?", &labels)?;
    let Some(way) = chosen.checked_sub(1).and_then(|place| ready.get(place)) else {
        return Ok(());
    };
    run(way, cx).await
}

async fn run(way: &Mitigation, cx: &Context) -> Result<()> {
    let plan = Plan {
        action: "triage.mitigate",
        summary: format!("run `{}`", way.command),
        preview: vec![Block::Whole(vec![plain(format!(
            "{}: {}",
            way.title, way.why
        ))])],
        undo: Some(
            Impossible::Nothing {
                why: "it was a command of its own".into(),
                instead: "undo --list".into(),
            }
            .into(),
        ),
        kill_switch: false,
        undoes: None,
    };
    // The question was just answered; the command must not ask it again.
    let text = if way.command.starts_with("liveops ") {
        format!("{} --yes", way.command)
    } else {
        way.command.clone()
    };
    let variables = surroundings(cx)?;
    let folder = cx.config()?.folder();
    let changed = plan
        .carry_out(cx, async |confirmed| {
            let script = Script {
                shell: "sh",
                text: &text,
                variables: &variables,
                folder: &folder,
                limit: LIMIT,
            };
            let show = |line: &str| cx.output.note(&format!("  {line}"));
            let ran = shell::run(&script, show, confirmed).await?;
            Ok(Done {
                result: json!({ "command": text, "exit_code": ran.code, "output": ran.output, "summary": ran.summary() }),
                undo: None,
            })
        })
        .await?;
    if let Changed::Done { done, .. } = changed {
        let summary = done.result["summary"].as_str().unwrap_or_default();
        cx.output.note(summary);
        if done.result["exit_code"] != json!(0) {
            return Err(Error::HalfDone {
                done: format!("`{text}` was run"),
                left: format!("it did not end well: {summary}"),
                command: way.command.clone(),
            });
        }
    }
    Ok(())
}
