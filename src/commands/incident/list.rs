//! `liveops incident list`: the open ones, the worst first; with `--all` also those that are over.

use std::collections::BTreeSet;

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::commands::incident::view::head;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::incident::deadline::{DeadlineState, next};
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::state::Incident;
use liveops_domain::status::source::{Outcome, Recommendation};
use liveops_domain::text::time::rfc3339;
use liveops_engine::incident::index;
use liveops_engine::incident::summary::IncidentSummary;

/// List incidents
///
/// Those that are open in this environment, the worst first; with `--all` also those that are over, and those of other
/// environments. Exit code 3 when the journal of one cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident list
  liveops incident list --all --sev p1 -o csv")]
pub(super) struct ListArgs {
    /// Also those that are over, and those of other environments
    #[arg(short, long)]
    all: bool,

    /// Only of this severity; may be repeated
    #[arg(long = "severity", visible_alias = "sev", value_name = "SEVERITY")]
    sev: Vec<Severity>,
}

struct IncidentList {
    incidents: Vec<IncidentSummary>,
    /// Those that are left out.
    others: usize,
    /// Environments with an open one that is left out.
    open_in: BTreeSet<String>,
    /// Those that cannot be read: any of them may be open.
    unreadable: Vec<String>,
}

pub(super) fn run(args: &ListArgs, cx: &Context) -> Result<Exit> {
    let environment = cx.environment()?;
    let index = index(cx)?;
    let unreadable: Vec<String> = index.broken.iter().map(|(id, _)| id.clone()).collect();
    let (total, warnings) = (index.stored.len(), index.warnings());
    let mut open_in = BTreeSet::new();
    let mut incidents: Vec<IncidentSummary> = index
        .incidents()
        .filter(|one| args.sev.is_empty() || args.sev.contains(&one.severity))
        .filter(|one| {
            if one.phase.is_open() && one.environment != environment && !args.all {
                open_in.insert(one.environment.clone());
            }
            args.all || (one.phase.is_open() && one.environment == environment)
        })
        .map(|one| IncidentSummary::of(cx, one))
        .collect::<Result<_>>()?;
    // What is open comes first, the worst before all; what is over, the latest first.
    incidents.sort_by(|a, b| {
        let (a, b) = (&a.incident, &b.incident);
        let over = |one: &Incident| !one.phase.is_open();
        over(a)
            .cmp(&over(b))
            .then_with(|| if over(a) { b.id.cmp(&a.id) } else { (a.severity, &a.id).cmp(&(b.severity, &b.id)) })
    });
    let report = IncidentList { others: total - incidents.len(), open_in, incidents, unreadable };
    let open = report.incidents.iter().filter(|shown| shown.incident.phase.is_open());
    let meta = Meta {
        outcome: if warnings.is_empty() { Outcome::Success } else { Outcome::Partial },
        incidents: open.map(IncidentSummary::json).collect(),
        warnings,
        ..Meta::steps(vec![report.next()])
    };
    cx.show(&report, meta)?;
    Ok(if report.unreadable.is_empty() { Exit::Good } else { Exit::Unknown })
}

impl IncidentList {
    fn next(&self) -> Recommendation {
        match self.incidents.first() {
            Some(first) => {
                let id = &first.incident.id;
                Recommendation::new("next", format!("liveops incident show {id}"))
            }
            None if !self.open_in.is_empty() => Recommendation::new("those too", "liveops incident list --all"),
            None => Recommendation::new("when something is wrong", "liveops incident open --sev p2"),
        }
    }
}

impl Serialize for IncidentList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let incidents: Vec<_> = self.incidents.iter().map(IncidentSummary::json).collect();
        json!({ "incidents": incidents, "others": self.others, "unreadable": self.unreadable }).serialize(serializer)
    }
}

impl Report for IncidentList {
    fn schema(&self) -> &'static str {
        "liveops.incident.list/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks: Vec<Block> = self.incidents.iter().flat_map(|shown| head(shown, view)).collect();
        for id in &self.unreadable {
            blocks.push(Block::Line(vec![
                mark(Tone::Unknown, view),
                span(format!(" {id} cannot be read, and may be open"), Tone::Unknown),
            ]));
        }
        if self.incidents.is_empty() && self.unreadable.is_empty() {
            let place = if self.open_in.is_empty() { "" } else { " here" };
            blocks.push(Block::text(format!("no incident is open{place}")));
        }
        if !self.open_in.is_empty() {
            let names: Vec<String> = self.open_in.iter().map(|name| format!("`{name}`")).collect();
            let text = format!("something is open in {}", names.join(", "));
            blocks.push(Block::Line(vec![span(text, Tone::Warn)]));
        }
        if self.others > 0 {
            let text = match self.others {
                1 => "1 other; `--all` shows it".to_owned(),
                n => format!("{n} others; `--all` shows them"),
            };
            blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new([
            "id",
            "severity",
            "phase",
            "environment",
            "service",
            "started",
            "resolved",
            "lead",
            "next_deadline",
            "missed",
            "title",
        ]);
        for shown in &self.incidents {
            let one = &shown.incident;
            let missed: Vec<&str> = shown
                .deadlines
                .iter()
                .filter(|deadline| deadline.standing == DeadlineState::Breached)
                .map(|deadline| deadline.duty.word())
                .collect();
            table.row(vec![
                plain(&one.id),
                plain(one.severity.key()),
                plain(one.phase.word()),
                plain(&one.environment),
                plain(one.service.clone().unwrap_or_default()),
                plain(one.started.at().map(rfc3339).unwrap_or_default()),
                plain(one.resolved.at().map(rfc3339).unwrap_or_default()),
                plain(one.lead().unwrap_or_default()),
                plain(next(&shown.deadlines).map(|deadline| rfc3339(deadline.due)).unwrap_or_default()),
                plain(missed.join(" ")),
                plain(&one.title),
            ]);
        }
        Some(table)
    }
}
