//! `liveops alerts explain NAME`: the alert's way from its rule to its receiver, and where it stops.

use clap::Args;
use serde::Serialize;

use crate::commands::alerts::matchers;
use crate::commands::alerts::show::unknown;
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::progress::waiting;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use crate::output::{prompt, tone};
use liveops_domain::alert::filter::AlertFilter;
use liveops_domain::alert::paging::{Explanation, Reply, Step, explain};
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::{Outcome, Source, SourceState, Verdict};
use liveops_engine::alerts::evidence;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::observe::alerts::backends;

/// Say why an alert does, or does not, page
///
/// Follows it from its rule in Prometheus (is it evaluated, does its condition hold, for long enough?) to
/// Alertmanager (did it arrive, is it inhibited, silenced, muted, who is paged?), with the evidence for each step.
/// Exit code: 1 when something on the way is broken, 3 when a backend that is needed does not answer.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops alerts explain TickPerformanceDegraded
  liveops alerts explain GameServerDown 'instance=~\"eu-.*\"'
  liveops alerts explain GameServerDown -o json | jq -r .data.conclusion")]
pub(crate) struct ExplainArgs {
    /// Name of the alert (label `alertname`)
    #[arg(value_name = "NAME")]
    name: String,

    /// Only those of its alerts that satisfy these, such as region=eu
    #[arg(value_name = "MATCHER")]
    matchers: Vec<String>,
}

/// The explanation, as it is shown.
#[derive(Debug, Serialize)]
struct AlertExplanation {
    #[serde(flatten)]
    explanation: Explanation,
}

impl AlertExplanation {
    fn verdict(&self) -> Verdict {
        match (self.explanation.broken, self.explanation.paging) {
            (true, _) => Verdict::Fail,
            (false, Reply::Unknown) => Verdict::Unknown,
            (false, Reply::Yes | Reply::No) => Verdict::Pass,
        }
    }
}

/// The room that a question takes.
const QUESTION: usize = 34;

fn step(step: &Step, view: &View) -> Vec<Block> {
    let tone = match step.passes {
        Some(true) => Tone::Good,
        Some(false) => Tone::Warn,
        None => Tone::Unknown,
    };
    let mut blocks = vec![Block::Line(vec![
        tone::mark(tone, view),
        plain(format!(" {:<QUESTION$} ", step.question)),
        span(step.answer.word(), tone),
    ])];
    for line in &step.evidence {
        blocks.push(Block::Whole(vec![span(format!("    {line}"), Tone::Dim)]));
    }
    blocks
}

impl Report for AlertExplanation {
    fn schema(&self) -> &'static str {
        "liveops.alerts.explain/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let told = &self.explanation;
        let mut blocks: Vec<Block> = told.steps.iter().flat_map(|told| step(told, view)).collect();
        blocks.push(Block::Blank);
        let tone = if told.broken { Tone::Bad } else { tone::verdict(self.verdict()) };
        blocks.push(Block::Whole(vec![
            span(format!("{} ", view.pick("→", "=>")), tone),
            span(told.conclusion.clone(), Tone::Strong),
        ]));
        blocks
    }
}

pub(super) async fn run(args: ExplainArgs, cx: &Context) -> Result<Exit> {
    let filter = AlertFilter { matchers: matchers(&args.matchers)?, ..AlertFilter::default() };
    let backends = backends(cx, Effort::Full)?;
    let visible = prompt::can_prompt() && !cx.choices.quiet;
    let what = || format!("asking about {}", args.name);
    let work = evidence::gather(cx, &backends, &args.name, &filter);
    let evidence = waiting(visible, what, work).await;
    let facts = &evidence.facts;
    let empty = |known: bool, is_empty: bool| known && is_empty;
    let no_rule =
        empty(facts.rules.is_ok() || backends.prometheus.is_none(), facts.rules.as_ref().map_or(true, Vec::is_empty));
    let no_alert = empty(
        facts.alerts.is_ok() || backends.alertmanager.is_none(),
        facts.alerts.as_ref().map_or(true, Vec::is_empty),
    );
    // A name that all who could know it do not know is a slip of the fingers.
    if no_rule && no_alert && facts.left_out == 0 && backends.prometheus.is_some() {
        return Err(unknown(&args.name, &evidence.all_alerts, &evidence.all_rules));
    }
    let explanation = explain(facts);
    let is_missing = |source: &Source| matches!(source.state, SourceState::Down | SourceState::Degraded);
    let next = explanation.next.as_deref().map(|words| Meta::next(&explanation.conclusion, cx.command(words)).dense());
    let report = AlertExplanation { explanation };
    let meta = Meta {
        outcome: if evidence.sources.iter().any(is_missing) { Outcome::Partial } else { Outcome::Success },
        verdict: report.verdict(),
        sources: evidence.sources,
        ..next.unwrap_or_default()
    };
    cx.show(&report, meta)?;
    Ok(report.verdict().into())
}
