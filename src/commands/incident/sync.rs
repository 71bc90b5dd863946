//! `liveops incident sync`: brings the journals here and those in Redis together, both ways, without loss.

use std::collections::BTreeSet;

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::status::source::Outcome;
use liveops_domain::text::count::count;
use liveops_engine::incident::sync::{SyncedIncident, streams, sync_one};
use liveops_engine::session::store;

/// Bring the incidents here and those in Redis together
///
/// Both ways, event by event: each has an id, so that nothing is lost and nothing comes twice, in whatever order copies
/// meet. Where `incidents.redis` is set, every step does this for its own incident.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident sync
  liveops incident sync -o json | jq .data.incidents")]
pub(super) struct SyncArgs {}

struct SyncReport {
    moved: Vec<SyncedIncident>,
    failed: Vec<(String, Error)>,
    dry_run: bool,
    url: String,
}

pub(super) async fn run(_: SyncArgs, cx: &Context) -> Result<Exit> {
    let streams = streams(cx)?.ok_or_else(|| Error::Unconfigured {
        what: "second store of incidents",
        environment: cx.environment().unwrap_or("default").to_owned(),
        hint: "set `incidents.redis.url` in liveops.yaml, such as `redis://127.0.0.1:6379/0`".into(),
    })?;
    let store = store(cx)?;
    let mut report = SyncReport { moved: Vec::new(), failed: Vec::new(), dry_run: true, url: streams.url() };
    let there = streams.ids().await?;
    let Some(confirmed) = cx.unasked("bring the incidents together")? else {
        cx.show(&report, report.meta())?;
        return Ok(Exit::Good);
    };
    report.dry_run = false;
    let ids: BTreeSet<String> = store.ids()?.into_iter().chain(there).collect();
    for id in ids {
        match sync_one(&store, &streams, &id, &confirmed).await {
            Ok(moved) => report.moved.push(moved),
            Err(error) => report.failed.push((id, error)),
        }
    }
    cx.show(&report, report.meta())?;
    if report.failed.is_empty() {
        return Ok(Exit::Good);
    }
    Err(Error::HalfDone {
        done: format!("brought together: {}", count(report.moved.len(), "incident")),
        left: report.failed.iter().map(|(id, error)| format!("{id}: {error}")).collect::<Vec<_>>().join("; "),
        command: cx.command("incident sync"),
    })
}

impl SyncReport {
    fn meta(&self) -> Meta {
        let outcome = if self.failed.is_empty() { Outcome::Success } else { Outcome::Partial };
        Meta { outcome, ..Meta::next("next", "liveops incident list").dense() }
    }

    fn total(&self) -> (usize, usize) {
        let sum = |of: fn(&SyncedIncident) -> usize| self.moved.iter().map(of).sum();
        (sum(|one| one.received), sum(|one| one.sent))
    }
}

impl Serialize for SyncReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (received, sent) = self.total();
        let failed = self.failed.iter().map(|(id, error)| json!({ "id": id, "error": error.to_string() }));
        json!({
            "store": self.url,
            "dry_run": self.dry_run,
            "received": received,
            "sent": sent,
            "incidents": self.moved,
            "failed": failed.collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

impl Report for SyncReport {
    fn schema(&self) -> &'static str {
        "liveops.incident.sync/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.moved.iter().map(|moved| moved.id.clone()).collect())
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let (received, sent) = self.total();
        let head = match (self.dry_run, received + sent) {
            (true, _) => format!("dry run, nothing is changed; {} answers", self.url),
            (false, 0) => format!("{}, the same here and in {}", count(self.moved.len(), "incident"), self.url),
            (false, _) => format!("{} came from {}, {sent} went there", count(received, "event"), self.url),
        };
        let mut blocks = vec![Block::Whole(vec![plain(head)])];
        let mut table = Table::new(["incident", "came", "went"]).right(&[1, 2]);
        for one in self.moved.iter().filter(|one| one.received + one.sent > 0) {
            table.row(vec![plain(&one.id), plain(one.received.to_string()), plain(one.sent.to_string())]);
        }
        if !table.rows.is_empty() {
            blocks.push(Block::Table(table));
        }
        for (id, error) in &self.failed {
            blocks.push(Block::Whole(vec![span(format!("{id}: {error}"), Tone::Bad)]));
        }
        blocks
    }
}
