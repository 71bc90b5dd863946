//! `liveops alerts show NAME`: each alert of a name with all that is known of it, and its rule.

use clap::Args;
use serde::Serialize;

use crate::commands::alerts::entry::{entries, verdict};
use crate::commands::alerts::lines;
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::alert::rule::Rule;
use liveops_domain::alert::{Alert, group};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::level::Level;
use liveops_domain::runbook::link_of;
use liveops_domain::status::source::{Outcome, Verdict};
use liveops_domain::text::shell::word;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::observe::alerts::backends;

/// Show every alert of a name, and its rule
///
/// Labels, annotations, since when, who is paged, what keeps it quiet, the runbook, and the expression of the rule.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops alerts show GameServerDown
  liveops alerts show GameServerDown -o json")]
pub(crate) struct ShowArgs {
    /// Name of the alert (label `alertname`)
    #[arg(value_name = "NAME")]
    name: String,
}

/// A rule that makes the alert.
#[derive(Debug, Serialize)]
struct RuleEntry {
    group: String,
    expression: String,
    for_seconds: f64,
    state: String,
    health: String,
    last_error: Option<String>,
    labels: Labels,
    annotations: Labels,
}

impl From<&Rule> for RuleEntry {
    fn from(rule: &Rule) -> Self {
        let made = rule.alerting.as_ref();
        Self {
            group: rule.group.clone(),
            expression: rule.expression.clone(),
            for_seconds: made.map_or(0.0, |made| made.hold),
            state: made.map(|made| made.state.clone()).unwrap_or_default(),
            health: rule.health.clone(),
            last_error: Some(rule.last_error.clone()).filter(|text| !text.is_empty()),
            labels: made.map(|made| made.labels.clone()).unwrap_or_default(),
            annotations: made.map(|made| made.annotations.clone()).unwrap_or_default(),
        }
    }
}

/// Everything about one name.
#[derive(Debug, Serialize)]
struct AlertDetails {
    name: String,
    rules: Vec<RuleEntry>,
    #[serde(serialize_with = "entries")]
    alerts: Vec<Alert>,
    #[serde(skip)]
    verdict: Verdict,
}

impl Report for AlertDetails {
    fn schema(&self) -> &'static str {
        "liveops.alerts.show/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let tone = tone::verdict(self.verdict);
        let all: Vec<&Alert> = self.alerts.iter().collect();
        let mut blocks = vec![Block::Line(vec![
            tone::mark(tone, view),
            span(format!(" {}", self.name), Tone::Strong),
            plain(format!(": {}", lines::count(&all))),
        ])];
        for rule in &self.rules {
            blocks.push(field(
                "rule",
                &format!(
                    "group {}, {}, {}{}",
                    rule.group,
                    hold(rule.for_seconds),
                    rule.state,
                    rule.last_error.as_ref().map(|why| format!(", in error: {why}")).unwrap_or_default()
                ),
            ));
            blocks.push(field("expression", &rule.expression));
        }
        let runbook = self.alerts.iter().find_map(|alert| alert.runbook.clone());
        let written =
            || self.rules.iter().find_map(|rule| link_of(&rule.annotations, &Labels::new()).map(ToOwned::to_owned));
        match runbook.or_else(written) {
            Some(runbook) => blocks.push(field("runbook", &runbook)),
            None => blocks.push(field("runbook", "none, and every alert needs one")),
        }
        for group in group(&self.alerts) {
            for alert in &group.alerts {
                blocks.push(Block::Blank);
                blocks.extend(alert_blocks(alert, view));
            }
        }
        blocks
    }
}

fn hold(seconds: f64) -> String {
    match std::time::Duration::try_from_secs_f64(seconds) {
        Ok(hold) if !hold.is_zero() => format!("for {}", liveops_domain::text::duration::human(hold)),
        _ => "fires at once".into(),
    }
}

fn field(name: &str, text: &str) -> Block {
    Block::Whole(vec![span(format!("  {name:<12}"), Tone::Dim), plain(text)])
}

fn alert_blocks(alert: &Alert, view: &View) -> Vec<Block> {
    let tone = tone::alert(alert.state, alert.severity.as_deref());
    let mut blocks = vec![Block::Line(vec![
        tone::mark(tone, view),
        span(format!(" {}", alert.state.word()), tone),
        plain(format!(" for {}", lines::age(alert.since, view.now))),
        plain(match &alert.severity {
            Some(severity) => format!(", severity {severity}"),
            None => ", without a severity".into(),
        }),
    ])];
    let labels: Vec<String> = alert
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !labels.is_empty() {
        blocks.push(field("labels", &labels.join(" ")));
    }
    for (name, text) in &alert.annotations {
        if !name.starts_with("runbook") {
            blocks.push(field(name, text));
        }
    }
    for (name, list) in [
        ("receivers", &alert.receivers),
        ("silenced by", &alert.silenced_by),
        ("inhibited by", &alert.inhibited_by),
        ("muted by", &alert.muted_by),
    ] {
        if !list.is_empty() {
            blocks.push(field(name, &list.join(", ")));
        }
    }
    blocks.extend(alert.delivery.and_then(lines::delivery).map(|text| field("delivery", text)));
    blocks
}

/// The names that there are, for a name that there is not.
pub(super) fn unknown(name: &str, alerts: &[Alert], rules: &[Rule]) -> Error {
    let made = rules.iter().filter(|rule| rule.alerting.is_some());
    let mut candidates: Vec<String> =
        made.map(|rule| rule.name.clone()).chain(alerts.iter().map(|alert| alert.name.clone())).collect();
    candidates.sort();
    candidates.dedup();
    Error::NotFound { what: "alert", name: name.to_owned(), candidates }
}

pub(super) async fn run(args: ShowArgs, cx: &Context) -> Result<Exit> {
    let backends = backends(cx, Effort::Full)?;
    let gathered = backends.ask(cx.clock.now()).await?;
    let none: &[Rule] = &[];
    let (rules, failed) = match &gathered.rules {
        Some(Ok(rules)) => (rules.as_slice(), None),
        Some(Err(error)) => (none, Some(error)),
        None => (none, None),
    };
    let name = args.name;
    let is_named = |rule: &&Rule| rule.name == name && rule.alerting.is_some();
    let made: Vec<RuleEntry> = rules.iter().filter(is_named).map(Into::into).collect();
    let found: Vec<Alert> = gathered.alerts.iter().filter(|alert| alert.name == name).cloned().collect();
    if made.is_empty() && found.is_empty() {
        for warning in gathered.warnings() {
            cx.output.warn(&warning);
        }
        // Whoever could know it did not answer: that is no answer.
        return match gathered.rules {
            Some(Err(error)) => Err(error),
            rules => Err(unknown(&name, &gathered.alerts, &rules.and_then(Result::ok).unwrap_or_default())),
        };
    }
    let complete = gathered.is_complete() && failed.is_none();
    let verdict = verdict(&found, if complete { gathered.level() } else { Level::Unknown });
    let warnings = gathered.warnings();
    let meta = Meta {
        outcome: if complete { Outcome::Success } else { Outcome::Partial },
        verdict,
        sources: gathered.sources,
        warnings,
        ..Meta::next("why does it (not) page?", cx.command(&format!("alerts explain {}", word(&name))))
    };
    cx.show(&AlertDetails { name, rules: made, alerts: found, verdict }, meta)?;
    Ok(verdict.into())
}
