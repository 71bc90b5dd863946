//! `liveops incident show`: where it stands, what is due, who was reached, what is known.

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::commands::incident::IncidentOrId;
use crate::commands::incident::timeline::block;
use crate::commands::incident::view::{deadline_line, delivery_word, head, times};
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::deadline::DeadlineState;
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::status::source::Verdict;
use liveops_engine::files::incidents::StoredIncident;
use liveops_engine::incident::stored;
use liveops_engine::incident::summary::IncidentSummary;
use liveops_engine::incident::timeline::{Line, line};
use liveops_engine::session::store;

/// Show where an incident stands
///
/// Exit code 1 while a deadline is overdue.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident show
  liveops incident show 2026-11-22-p1-matchmaking-down -o json")]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub(super) incident: IncidentOrId,
}

pub(super) struct IncidentReport {
    pub(super) shown: IncidentSummary,
    faults: Vec<String>,
    last: Vec<Line>,
    folder: String,
}

pub(super) fn run(args: &ShowArgs, cx: &Context) -> Result<Exit> {
    let id = args.incident.id(cx, "show")?;
    let report = gather(cx, &id)?;
    cx.show(&report, report.meta())?;
    Ok(report.verdict().into())
}

/// Everything about an incident, now.
pub(super) fn gather(cx: &Context, id: &str) -> Result<IncidentReport> {
    let StoredIncident { incident, faults, last } = stored(cx, id)?;
    Ok(IncidentReport {
        shown: IncidentSummary::of(cx, incident)?,
        faults,
        last: last.iter().map(line).collect(),
        folder: store(cx)?.folder_of(id).display().to_string(),
    })
}

impl IncidentReport {
    pub(super) fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.shown.incident.environment.clone()),
            verdict: self.verdict(),
            incidents: vec![self.shown.json()],
            warnings: self.faults.clone(),
            ..Meta::steps(self.shown.next())
        }
    }

    fn verdict(&self) -> Verdict {
        if self.shown.overdue().is_some() {
            Verdict::Fail
        } else if !self.faults.is_empty() || self.shown.incident.phase.is_open() {
            Verdict::Warn
        } else {
            Verdict::Pass
        }
    }
}

impl Serialize for IncidentReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let one = &self.shown.incident;
        json!({
            "incident": self.shown.json(),
            "evidence": one.evidence,
            "deliveries": one.deliveries.values().collect::<Vec<_>>(),
            "alerts": one.signals.values().collect::<Vec<_>>(),
            "amended": one.amended,
            "people": one.people,
            "last": self.last,
            "folder": self.folder,
            "faults": self.faults,
        })
        .serialize(serializer)
    }
}

impl Report for IncidentReport {
    fn schema(&self) -> &'static str {
        "liveops.incident.show/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let one = &self.shown.incident;
        let mut blocks = head(&self.shown, view);
        for deadline in &self.shown.deadlines {
            if !deadline.is_open() && deadline.standing == DeadlineState::Kept {
                blocks.push(Block::Line(deadline_line(deadline, view)));
            }
        }
        let times = times(one, view.now);
        blocks.push(Block::Whole(vec![span(format!("  {}", times.join(", ")), Tone::Dim)]));
        let roles: Vec<String> = one.roles.iter().map(|(role, who)| format!("{role} {who}")).collect();
        if !roles.is_empty() {
            blocks.push(Block::Whole(vec![plain(format!("  {}", roles.join(", ")))]));
        }
        if let Some(runbook) = &one.runbook {
            blocks.push(Block::Whole(vec![plain(format!("  runbook: {runbook}"))]));
        }
        for signal in one.signals.values().filter(|signal| signal.firing) {
            let text = format!(" still firing: {}", signal.alert);
            blocks.push(Block::Line(vec![plain("  "), mark(Tone::Bad, view), span(text, Tone::Bad)]));
        }
        let troubled = one.deliveries.values().filter(|one| one.state != DeliveryState::Accepted);
        for delivery in troubled {
            let word = delivery_word(delivery.state);
            let why = delivery.reason.as_deref().unwrap_or_default();
            let what = if delivery.page { "PAGE" } else { "message" };
            let text = format!(" {what} about `{}` to {}: {word}", delivery.about, delivery.channel);
            blocks.push(Block::Whole(vec![
                plain("  "),
                mark(Tone::Warn, view),
                span(text, Tone::Warn),
                span(format!("  {why}"), Tone::Dim),
            ]));
        }
        for fault in &self.faults {
            let text = format!("  JOURNAL: {fault}");
            blocks.push(Block::Whole(vec![span(text, Tone::Bad)]));
        }
        blocks.push(Block::Blank);
        blocks.extend(self.last.iter().map(|line| block(line, view)));
        blocks
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.shown.incident.id.clone()])
    }
}
