//! `liveops slo status`: what is left of each error budget, and how fast it burns.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::commands::slo::view;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::progress::waiting;
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::metric::level::Level;
use liveops_domain::slo::burn::{Tier, WINDOWS};
use liveops_domain::status::source::{Outcome, Recommendation, SourceState, Verdict};
use liveops_domain::text::count::count;
use liveops_domain::text::duration::to_promql;
use liveops_engine::slo::load;
use liveops_engine::slo::status::{SloStatus, ask, verdict};

/// Show what is left of each error budget, and how fast it burns
///
/// A burn of 1 spends the budget exactly in its window; at 14.4 a budget of 30 days is gone in two. What is not known
/// is unknown, with its reason, and never ok.
///
/// Exit code: 0 all objectives hold, 1 a budget is spent or burns fast enough to page, 3 something is not known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops slo status
  liveops slo status api-availability
  liveops slo status slo/api.yaml                 # a file of OpenSLO
  liveops slo status -o json | jq '.data.slos[] | select(.level != \"ok\")'")]
pub(crate) struct StatusArgs {
    /// Only these; a name with a dot or a slash is a file of OpenSLO
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// How all of them stand.
struct SloReport {
    slos: Vec<SloStatus>,
}

impl Serialize for SloReport {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Data {
            slos: Vec<Value>,
        }
        Data { slos: self.slos.iter().map(SloStatus::json).collect() }.serialize(to)
    }
}

pub(super) async fn run(args: StatusArgs, cx: &Context) -> Result<Exit> {
    let slos = load::chosen(cx, &args.names)?;
    let names = || format!("asking Prometheus for {}", count(slos.len(), "SLO"));
    let found = waiting(!cx.choices.quiet, names, ask(cx, slos.clone())).await?;
    let report = SloReport { slos: found.slos };
    let verdict = verdict(&report.slos);
    let next = next(&report.slos, found.source.state);
    let meta = Meta {
        verdict,
        outcome: match found.source.state {
            SourceState::Ok => Outcome::Success,
            SourceState::Degraded => Outcome::Partial,
            SourceState::Down | SourceState::Unconfigured => Outcome::Error,
        },
        sources: vec![found.source],
        ..Meta::next(next.text, next.command.unwrap_or_default())
    };
    cx.show(&report, meta)?;
    Ok(verdict.into())
}

/// The step that helps: with the worst of them.
fn next(slos: &[SloStatus], prometheus: SourceState) -> Recommendation {
    let worst = slos.iter().max_by_key(|one| one.budget.level);
    let step = |text: &str, command: String| Recommendation::new(text, command);
    match worst {
        Some(one) if one.budget.level == Level::Unknown && prometheus != SourceState::Ok => {
            let _ = one;
            step("Prometheus does not answer", "liveops doctor".into())
        }
        Some(one) if one.budget.level != Level::Ok => {
            step("where it went, and by which queries", format!("liveops slo budget {} --explain", one.slo.name))
        }
        Some(one) => step("where it went", format!("liveops slo budget {}", one.slo.name)),
        None => step("all of them", "liveops slo".into()),
    }
}

impl SloReport {
    /// The verdict, with the names of what is wrong.
    fn headline(&self) -> String {
        let worst =
            |level: Level| -> Vec<&SloStatus> { self.slos.iter().filter(|one| one.budget.level == level).collect() };
        let mut parts = Vec::new();
        let only_unknown = verdict(&self.slos) == Verdict::Unknown;
        for (level, what) in [(Level::Critical, ""), (Level::Unknown, "unknown: "), (Level::Warn, "")] {
            let all = worst(level);
            if all.is_empty() {
                continue;
            }
            let named: Vec<String> = all.iter().map(|one| word(one)).collect();
            let named: Vec<&str> = named.iter().map(String::as_str).collect();
            // The verdict says it already.
            let what = if only_unknown { "" } else { what };
            parts.push(format!("{what}{}", view::three(&named, " · ")));
        }
        match parts.is_empty() {
            true => format!("{} within budget", count(self.slos.len(), "SLO")),
            false => parts.join(" · "),
        }
    }
}

/// Name and what is wrong with it.
fn word(one: &SloStatus) -> String {
    let budget = &one.budget;
    let name = &one.slo.name;
    match (budget.level, budget.alerting.first()) {
        (Level::Unknown, _) => name.clone(),
        (_, Some(pair)) if budget.remaining.as_ref().is_ok_and(|left| *left > 0.0) => {
            let tier = if pair.tier == Tier::Page { "burns" } else { "burns slowly" };
            let index = WINDOWS.iter().position(|window| *window == pair.long).unwrap_or(0);
            let burn = budget.burn.get(index).and_then(|burn| burn.as_ref().ok()).copied().unwrap_or_default();
            format!("{name} {tier} {} over {}", liveops_domain::slo::budget::times(burn), to_promql(pair.long))
        }
        _ => format!("{name} {} of its budget left", view::budget(&budget.remaining)),
    }
}

impl Report for SloReport {
    fn schema(&self) -> &'static str {
        "liveops.slo.status/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let verdict = verdict(&self.slos);
        let tone = tone::verdict(verdict);
        let title = match verdict {
            Verdict::Pass => "OK",
            Verdict::Warn => "WARNING",
            Verdict::Fail => "CRITICAL",
            Verdict::Unknown => "UNKNOWN",
        };
        let mut blocks = vec![
            Block::Whole(vec![tone::mark(tone, view), span(format!(" {title}  "), tone), plain(self.headline())]),
            Block::Blank,
            view::table(&self.slos, view),
        ];
        let mut notes = Vec::new();
        for one in &self.slos {
            let mut parts = view::detail(one, view);
            parts.extend(view::trend(one).map(|trend| format!("the burn is {trend}")));
            if !parts.is_empty() {
                let tone = if one.budget.level == Level::Ok { Tone::Dim } else { Tone::Plain };
                notes.push(Block::Whole(vec![plain(format!("  {}: ", one.slo.name)), span(parts.join("; "), tone)]));
            }
        }
        if !notes.is_empty() {
            blocks.push(Block::Blank);
            blocks.extend(notes);
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new([
            "name",
            "service",
            "level",
            "objective",
            "window",
            "attained",
            "bad",
            "total",
            "budget_remaining",
            "exhausts_at",
            "reason",
        ]);
        let text =
            |figure: std::result::Result<f64, String>| figure.map_or_else(|_| String::new(), |value| value.to_string());
        for one in &self.slos {
            let budget = &one.budget;
            table.row(vec![
                plain(&one.slo.name),
                plain(one.slo.service.clone().unwrap_or_default()),
                plain(budget.level.name()),
                plain(one.slo.objective.decimal()),
                plain(one.slo.window.to_string()),
                plain(text(budget.attained.clone())),
                plain(text(budget.counts.clone().map(|tally| tally.bad))),
                plain(text(budget.counts.clone().map(|tally| tally.total))),
                plain(text(budget.remaining.clone())),
                plain(budget.exhausts.map(|one| liveops_domain::text::time::rfc3339(one.at)).unwrap_or_default()),
                plain(budget.reason.clone().unwrap_or_default()),
            ]);
        }
        Some(table)
    }
}
