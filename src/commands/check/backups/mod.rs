//! `liveops check backups`: are they young, whole, growing, kept, and has anybody restored one?

mod record;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::gate::{Extra, GateArgs, finish};
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::check::backups::RULES;
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_engine::check::backups::{ItemState, check};
use liveops_engine::check::gate::About;

/// Check that backups are young, whole, and were restored
///
/// What is backed up stands under `backups` in liveops.yaml: in a folder, a bucket, or known to restic, pgBackRest,
/// Barman, WAL-G, Borg, a program of your own, or Prometheus. Age against the RPO, the last run beside the last good
/// backup, size against its trend, gaps of point-in-time recovery, copies, retention, encryption, and restores that were
/// recorded, with the time that they took against the RTO.
#[derive(Debug, Args)]
#[command(subcommand_precedence_over_arg = true, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  liveops check backups
  liveops check backups orders-db --strict             # in CI, each morning
  liveops check backups record orders-db --restored 20261130-020000F --duration 38m --rows-ok")]
pub(super) struct BackupsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// Only these
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    gate: GateArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Record(record::RecordArgs),
}

const ABOUT: About = About {
    name: "check backups",
    rules: RULES,
    nothing: "say what is backed up, under `backups` in liveops.yaml: see docs/gates.md, Backups",
};

pub(super) async fn run(args: BackupsArgs, cx: &Context) -> Result<Exit> {
    if let Some(Verb::Record(args)) = args.verb {
        return record::run(args, cx).await;
    }
    let checked = check(cx, &args.names).await?;
    let mut extra = Extra { sources: checked.sources, ..Extra::default() };
    extra.data.insert("backups".into(), serde_json::to_value(&checked.items)?);
    if !checked.items.is_empty() {
        extra.blocks = vec![Block::Blank, table(&checked.items, &cx.output.view(cx.clock.now()))];
    }
    extra.next = next(&checked.items);
    finish(ABOUT, checked.found, &args.gate, extra, cx).await
}

/// A backup that nobody has restored yet.
fn next(items: &[ItemState]) -> Option<Recommendation> {
    let item = items.iter().find(|item| item.last_restore.is_none() && item.newest_good.is_some())?;
    let (name, id) = (word(&item.name), word(&item.newest_good.as_ref()?.id));
    let command = format!("liveops check backups record {name} --restored {id} --duration 10m --rows-ok");
    Some(Recommendation::new("once you have restored it", command))
}

fn table(items: &[ItemState], view: &View) -> Block {
    let mut table =
        Table::new(["", "backup", "newest good", "last run", "good", "restored"]).right(&[4]).fixed(&[0, 1]);
    for item in items {
        let time = |at| plain(view.time(at));
        let none = || span("none", Tone::Bad);
        let (tone, newest) = match (&item.unknown, &item.newest_good) {
            (Some(_), _) => (Tone::Unknown, span("unknown", Tone::Unknown)),
            (None, Some(backup)) => (Tone::Good, time(backup.finished)),
            (None, None) => (Tone::Bad, none()),
        };
        let run = match &item.last_run {
            Some(run) if run.failed.is_some() => span("failed", Tone::Bad),
            Some(run) => time(run.at),
            None => span("unknown", Tone::Dim),
        };
        let restored = match &item.last_restore {
            Some(restore) => time(restore.at),
            None => span("never", Tone::Warn),
        };
        let good = if item.unknown.is_some() { String::new() } else { item.good.to_string() };
        table.row(vec![tone::mark(tone, view), plain(&item.name), newest, run, plain(good), restored]);
    }
    Block::Table(table)
}
