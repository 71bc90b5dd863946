//! `liveops slo check`: the error budget as a gate.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::commands::slo::view;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::slo::objective::Objective;
use liveops_domain::status::source::{Outcome as Done, SourceState, Verdict};
use liveops_domain::text::duration::parse_positive;
use liveops_domain::text::said;
use liveops_engine::slo::check::{Checked, Gate, LONGEST, Outcome, check, waive, waived};
use liveops_engine::slo::load;

/// Pass only where budget is left and does not burn fast enough to page
///
/// What is not known does not pass. A waiver is written into the audit log with its reason, holds until it ends, and
/// shows in every report; it covers what does not pass now.
///
/// Exit code: 0 all pass or are waived, 1 one does not, 3 one is not known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops slo check                                    # before a release
  liveops slo check api-availability --min-budget 10%
  liveops slo check --waive 'fix for INC-7' --for 2h   # pass it over, with a reason")]
pub(crate) struct CheckArgs {
    /// Only these; a name with a dot or a slash is a file of OpenSLO
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// So much of the budget must be left
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = percent)]
    min_budget: f64,

    /// Let what does not pass now pass for a time, for this reason
    #[arg(long, value_name = "REASON", value_parser = said)]
    waive: Option<String>,

    /// How long the waiver holds
    #[arg(long = "for", value_name = "DURATION", default_value = "24h", value_parser = length, requires = "waive")]
    length: Duration,
}

fn percent(text: &str) -> std::result::Result<f64, String> {
    match text.trim() {
        "0" | "0%" => Ok(0.0),
        text if text.ends_with('%') => Objective::target(text).map(Objective::get).map_err(|_| wrong(text)),
        text => Err(wrong(text)),
    }
}

fn wrong(text: &str) -> String {
    format!("`{text}` is not a share of the budget: 0% to 100%")
}

fn length(text: &str) -> std::result::Result<Duration, String> {
    let length = parse_positive(text).map_err(|error| error.to_string())?;
    if length > LONGEST.to_std().unwrap_or_default() {
        return Err("a waiver holds for 31d at most".into());
    }
    Ok(length)
}

/// All objectives against the gate.
struct CheckReport {
    gate: Gate,
    min_budget: f64,
}

impl Serialize for CheckReport {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Data {
            min_budget: f64,
            slos: Vec<Value>,
        }
        let slos = self.gate.checked.iter().map(Checked::json).collect();
        Data { min_budget: self.min_budget, slos }.serialize(to)
    }
}

pub(super) async fn run(args: CheckArgs, cx: &Context) -> Result<Exit> {
    let slos = load::chosen(cx, &args.names)?;
    let mut gate = check(cx, slos.clone(), args.min_budget).await?;
    let refused = gate.refused();
    if let Some(reason) = args.waive.filter(|_| !refused.is_empty()) {
        let preview = blocks(&gate, &cx.output.view(cx.clock.now()));
        let (plan, waiver) = waive(cx, refused, &reason, args.length);
        cx.change(plan, preview, async |_| Ok(waived(&waiver))).await?;
        if !cx.choices.dry_run {
            gate = check(cx, slos, args.min_budget).await?;
        }
    }
    let verdict = gate.verdict();
    let next = match gate.refused().first() {
        Some(name) => format!("liveops slo budget {name} --explain"),
        None => "liveops slo status".into(),
    };
    let meta = Meta {
        verdict,
        outcome: if gate.source.state == SourceState::Ok { Done::Success } else { Done::Partial },
        sources: vec![gate.source.clone()],
        ..Meta::next("where it went", next)
    };
    cx.show(&CheckReport { gate, min_budget: args.min_budget }, meta)?;
    Ok(verdict.into())
}

fn blocks(gate: &Gate, view: &View) -> Vec<Block> {
    let mut table = Table::new(["", "SLO", "", "budget left", ""]).right(&[3]).fixed(&[0, 1, 2, 3]);
    for one in &gate.checked {
        let (word, tone) = match one.outcome {
            Outcome::Pass => ("passes", Tone::Good),
            Outcome::Fail => ("REFUSED", Tone::Bad),
            Outcome::Unknown => ("unknown", Tone::Unknown),
            Outcome::Waived => ("waived", Tone::Warn),
        };
        let why = match &one.waiver {
            Some(waiver) => {
                format!("{}; waived by {} until {}: {}", one.why, waiver.by, view.time(waiver.until), waiver.reason)
            }
            None => one.why.clone(),
        };
        let history = view::history(&one.status, view).filter(|text| !why.starts_with(text));
        let why = history.map_or(why.clone(), |text| format!("{why}; {text}"));
        table.row(vec![
            tone::mark(tone, view),
            plain(&one.status.slo.name),
            span(word, tone),
            plain(view::budget(&one.status.budget.remaining)),
            span(why, if one.outcome == Outcome::Pass { Tone::Dim } else { Tone::Plain }),
        ]);
    }
    vec![Block::Table(table)]
}

impl Report for CheckReport {
    fn schema(&self) -> &'static str {
        "liveops.slo.check/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let verdict = self.gate.verdict();
        let tone = tone::verdict(verdict);
        let title = match verdict {
            Verdict::Pass => "PASS",
            Verdict::Warn => "PASS, by a waiver",
            Verdict::Fail => "REFUSED",
            Verdict::Unknown => "UNKNOWN, does not pass",
        };
        let names = self.gate.refused();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut all = vec![
            Block::Whole(vec![
                tone::mark(tone, view),
                span(format!(" {title}  "), tone),
                plain(view::three(&names, ", ")),
            ]),
            Block::Blank,
        ];
        all.extend(blocks(&self.gate, view));
        all
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["name", "outcome", "budget_remaining", "why"]);
        for one in &self.gate.checked {
            let outcome = serde_json::to_value(one.outcome).ok();
            table.row(vec![
                plain(&one.status.slo.name),
                plain(outcome.as_ref().and_then(Value::as_str).unwrap_or_default()),
                plain(one.status.budget.remaining.as_ref().map_or_else(|_| String::new(), ToString::to_string)),
                plain(&one.why),
            ]);
        }
        Some(table)
    }
}
