//! What every changing verb does after it knows what to say: permission, journal, people, report. In this order.

use crate::commands::incident::view::{delivery_word, head};
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::prompt;
use crate::output::report::{Meta, Report};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::incident::transition::Action;
use liveops_domain::status::source::{Outcome, Recommendation};
use liveops_engine::incident::deliver::DeliveryResult;
use liveops_engine::incident::incident;
use liveops_engine::incident::record::{IncidentChange, IncidentStep, must_allow};

/// Shows what came of it. Exit code 5 when somebody was to be paged and nobody was: the incident is there, and nobody
/// knows.
pub(super) fn show(cx: &Context, change: &IncidentChange) -> Result<Exit> {
    let meta = Meta {
        environment: Some(change.shown.incident.environment.clone()),
        outcome: if change.deliveries.paged == Some(false) { Outcome::Partial } else { Outcome::Success },
        incidents: vec![change.shown.json()],
        warnings: change.warnings.clone(),
        ..Meta::steps(steps(change)).dense()
    };
    cx.show(change, meta)?;
    if let Some((why, command)) = &change.unkept {
        let told = change.deliveries.results.iter().filter(|one| one.state == DeliveryState::Accepted);
        let told: Vec<&str> = told.map(|one| one.channel.as_str()).collect();
        let done = if told.is_empty() {
            "delivered to NOBODY".to_owned()
        } else {
            format!("delivered to {}", told.join(", "))
        };
        return Err(Error::HalfDone {
            done,
            left: format!("NOT IN THE JOURNAL ({why}); when it can be written again"),
            command: command.clone(),
        });
    }
    let deliveries = &change.deliveries;
    let why = |is_meant: &dyn Fn(&DeliveryResult) -> bool| -> String {
        let results = deliveries.results.iter().filter(|result| is_meant(result));
        let reasons: Vec<String> = results.map(|result| format!("{}: {}", result.channel, result.reason)).collect();
        reasons.join("; ")
    };
    let left = if deliveries.paged == Some(false) {
        match why(&|result| result.page) {
            why if why.is_empty() => "NOBODY WAS PAGED, CALL SOMEBODY (no channel is configured for it)".to_owned(),
            why => format!("NOBODY WAS PAGED, CALL SOMEBODY ({why})"),
        }
    } else if !deliveries.ringing.is_empty() {
        let why = why(&|result| deliveries.ringing.contains(&result.channel));
        format!("THE PAGER WAS NOT TOLD AND GOES ON CALLING, STOP IT THERE ({why})")
    } else {
        return Ok(Exit::Good);
    };
    Err(Error::HalfDone {
        done: format!("{} is in the journal of {}", change.summary, change.shown.incident.id),
        left,
        command: cx.command(if deliveries.results.is_empty() { "page list" } else { "page flush" }),
    })
}

fn steps(change: &IncidentChange) -> Vec<Recommendation> {
    let mut steps = Vec::new();
    if change.dry_run {
        steps.push(Recommendation::new("to do it", change.command.clone()));
    } else {
        steps.extend(change.shown.next());
    }
    // What is set up is of less weight than what is on fire.
    steps.extend(change.next.iter().cloned());
    steps
}

/// Journals it, tells the people, and shows what came of it.
pub(super) async fn record(cx: &Context, step: IncidentStep) -> Result<Exit> {
    let change = liveops_engine::incident::record::record(cx, step).await?;
    show(cx, &change)
}

/// What was typed, or what somebody at the terminal answers, which may be nothing. What is refused is not asked about.
pub(super) fn asked(
    cx: &Context,
    id: &str,
    action: Action,
    text: Option<String>,
    question: &str,
) -> Result<Option<String>> {
    must_allow(cx, &incident(cx, id)?, action)?;
    if text.is_some() || cx.choices.yes || cx.is_read_only()? || !prompt::can_prompt() {
        return Ok(text);
    }
    let answer = prompt::text(&format!("{question} (empty: nothing is noted)"), Some(""))?;
    Ok(Some(answer).filter(|answer| !answer.trim().is_empty()))
}

/// `mitigated: rolled back`.
pub(super) fn with_reason(head: String, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{head}: {reason}"),
        None => head,
    }
}

/// Lines of how messages went.
pub(crate) fn result_lines(results: &[DeliveryResult], view: &View) -> Vec<Block> {
    results
        .iter()
        .map(|result| {
            let tone = match result.state {
                DeliveryState::Accepted => Tone::Good,
                DeliveryState::GivenUp => Tone::Bad,
                _ => Tone::Warn,
            };
            let what = match (result.page, result.state) {
                (true, DeliveryState::Accepted) => "page",
                (true, _) => "PAGE",
                (false, _) => "message",
            };
            Block::Whole(vec![
                plain("  "),
                mark(tone, view),
                plain(format!(" {what} {} ({}): ", result.channel, result.kind)),
                span(delivery_word(result.state), tone),
                span(format!(", {}", result.reason), Tone::Dim),
            ])
        })
        .collect()
}

impl Report for IncidentChange {
    fn schema(&self) -> &'static str {
        "liveops.incident.change/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let (tone, word) = if self.dry_run { (Tone::Dim, "dry run, nothing is changed: ") } else { (Tone::Good, "") };
        let mut blocks =
            vec![Block::Whole(vec![mark(tone, view), span(format!(" {word}"), tone), plain(self.summary.clone())])];
        blocks.extend(head(&self.shown, view));
        blocks.extend(result_lines(&self.deliveries.results, view));
        for detail in &self.details {
            blocks.push(Block::Whole(vec![plain(format!("  {detail}"))]));
        }
        blocks
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.shown.incident.id.clone()])
    }
}
