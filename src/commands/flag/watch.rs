//! `liveops flag watch`: every change as it happens, with who and why; changes past liveops too.

use liveops_domain::text::count::count;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio::time::sleep;

use crate::commands::flag::name;
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::format::Format;
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::delta;
use liveops_domain::flag::delta::{Delta, deltas};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::text::duration;
use liveops_domain::text::time::rfc3339;
use liveops_engine::flag::catalog::StoredFlag;
use liveops_engine::flag::summary::Summary;
use liveops_engine::flagstore::FlagStore as _;
use liveops_engine::flagstore::watch::StoreChange;

/// Show changes as they happen, until Ctrl-C
///
/// Each change with who made it and why; one that was made past liveops is shown without, since nobody knows. With
/// `-o json` each is one object on one line. A store that stops answering is said once, and asked on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag watch
  liveops flag watch new_matchmaking battle_pass
  liveops flag watch -o json | jq -c '{flag: .data.flag, by: .data.by}'")]
pub(super) struct WatchArgs {
    /// Only these flags; one that does not exist yet is waited for
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<FlagName>,

    /// Time between two looks, where the store does not tell of changes by itself
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse_interval)]
    interval: Duration,
}

/// One change.
#[derive(Debug, Serialize)]
struct FlagChange {
    flag: String,
    at: String,
    rev: Option<u64>,
    /// `null`: it was made past liveops.
    by: Option<String>,
    reason: Option<String>,
    command: Option<String>,
    changes: Vec<Delta>,
    /// Who is on now, in words.
    audience: String,
    removed: bool,
    #[serde(skip)]
    when: DateTime<Utc>,
    #[serde(skip)]
    words: String,
}

impl Report for FlagChange {
    fn schema(&self) -> &'static str {
        "liveops.flag.watch/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let (mark, who) = match &self.by {
            Some(by) => (Tone::Good, format!("by {by}")),
            None => (Tone::Warn, "past liveops, by nobody knows whom".to_owned()),
        };
        let rev = self.rev.map_or_else(String::new, |rev| format!(" rev {rev}"));
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}"));
        vec![
            Block::Line(vec![
                tone::mark(mark, view),
                span(format!(" {}  ", self.when.format("%H:%M:%SZ")), Tone::Dim),
                span(&self.flag, Tone::Strong),
                plain(format!("{rev}  {who}{}", reason.unwrap_or_default())),
            ]),
            Block::Whole(vec![
                plain(format!("    {}", self.words)),
                span(format!("; on now: {}", self.audience), Tone::Dim),
            ]),
        ]
    }
}

impl FlagChange {
    fn new(cx: &Context, reader: Reader, found: StoreChange) -> Self {
        let (before, after) = (found.before.as_deref(), found.now.as_deref());
        let stored = found.now.clone().map(|raw| StoredFlag::new(found.name.clone(), raw));
        let audience =
            stored.map_or_else(|| "nobody: it is removed".to_owned(), |stored| Summary::new(&stored, reader).audience);
        let when = found.revision.as_ref().map_or_else(|| cx.clock.now(), |revision| revision.at);
        Self {
            at: rfc3339(when),
            when,
            changes: deltas(before, after),
            words: delta::words(before, after),
            audience,
            removed: after.is_none(),
            flag: found.name,
            rev: found.revision.as_ref().map(|revision| revision.rev).filter(|rev| *rev > 0),
            command: found.revision.as_ref().map(|revision| revision.command.clone()),
            by: found.revision.as_ref().map(|revision| revision.by.clone()),
            reason: found.revision.and_then(|revision| revision.reason),
        }
    }
}

pub(super) async fn run(args: WatchArgs, cx: &Context) -> Result<Exit> {
    if matches!(cx.output.format(), Format::Csv | Format::Name) {
        return Err(Error::usage(
            "a stream has no `csv` or `name` form",
            "use `-o json` for one object a line, or `liveops flag history NAME -o csv`",
        ));
    }
    let store = cx.flags()?;
    let reader = cx.config()?.settings.flags.reader;
    let wanted = |flag: &str| args.names.is_empty() || args.names.iter().any(|name| name.as_str() == flag);
    let mut watch = store.watch(args.interval).await?;
    let what = match args.names.as_slice() {
        [] => "all flags".to_owned(),
        [one] => format!("flag `{one}`"),
        some => count(some.len(), "flag"),
    };
    let how =
        if watch.is_told() { String::new() } else { format!(", looking every {}", duration::human(args.interval)) };
    cx.output.note(&format!("watching {what} in {} ({}{how}); Ctrl-C ends", cx.environment()?, store.shown()));
    let mut silent = false;
    while !cx.output.is_closed() {
        let changes = match watch.next().await {
            Ok(changes) => changes,
            Err(error) => {
                if !silent {
                    cx.output.warn(&format!("nothing new is known, asking on: {error}"));
                }
                silent = true;
                sleep(args.interval).await;
                continue;
            }
        };
        if silent {
            cx.output.note("the flags can be read again");
        }
        silent = false;
        for seen in changes.into_iter().filter(|seen| wanted(&seen.name)) {
            let change = FlagChange::new(cx, reader, seen);
            cx.show_line(&change, Meta::default())?;
        }
    }
    Ok(Exit::Good)
}
