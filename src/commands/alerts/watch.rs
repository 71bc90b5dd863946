//! `liveops alerts watch`: the list, again and again. What was good last stays on the screen, marked with its age.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::commands::alerts::FilterArgs;
use crate::commands::alerts::list::AlertList;
use crate::context::Context;
use crate::output::block::{Block, Tone, span};
use crate::output::format::Format;
use crate::output::report::Meta;
use crate::watch::{Look, watch};
use liveops_domain::alert::filter::AlertFilter;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::status::source::{Outcome, Source, SourceState};
use liveops_domain::text::duration;
use liveops_domain::text::time::rfc3339;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::observe::alerts::{Alerts, Backends, backends};

/// Redraw the list until Ctrl-C
///
/// When the backends stop answering, the last good list stays, marked with its age. With `-o json` each round is one
/// object on one line, for a program that reads along.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops alerts watch
  liveops alerts watch --interval 30s --severity critical
  liveops alerts watch -o json | jq -c .verdict")]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// Time between two rounds, such as 5s
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse_interval)]
    interval: Duration,
}

/// The last good answer.
struct Last {
    gathered: Alerts,
    at: DateTime<Utc>,
}

pub(super) async fn run(args: WatchArgs, before: FilterArgs, cx: &Context) -> Result<Exit> {
    let filter = args.filter.and(before).filter()?;
    if matches!(cx.output.format(), Format::Csv | Format::Name) {
        return Err(Error::usage(
            "a stream has no `csv` or `name` form",
            "use `-o json` for one object a line, or `liveops alerts list`",
        ));
    }
    let backends = backends(cx, Effort::Quick)?;
    let mut last = None;
    watch(cx, args.interval, async || {
        let (report, meta) = round(cx, &backends, &filter, &mut last).await?;
        let (at, interval) = (rfc3339(cx.clock.now()), duration::human(args.interval));
        let title = format!("alerts in {} at {at}, every {interval}", cx.environment()?);
        let mut head = vec![Block::Line(vec![span(title, Tone::Dim)])];
        for warning in &meta.warnings {
            head.push(Block::Line(vec![span("warning: ", Tone::Warn), span(warning, Tone::Plain)]));
        }
        Ok(Look { head, report, meta, exit: Exit::Good, is_last: false })
    })
    .await
}

/// Asks once. Without any answer so far there is nothing to show, and that is an error.
async fn round(
    cx: &Context,
    backends: &Backends<'_>,
    filter: &AlertFilter,
    last: &mut Option<Last>,
) -> Result<(AlertList, Meta)> {
    let now = cx.clock.now();
    match (backends.ask(now).await, last.as_ref()) {
        (Ok(gathered), _) => {
            filter.check(&gathered.severities(), &gathered.services(cx)?)?;
            let framed = AlertList::new(cx, &gathered, filter);
            *last = Some(Last { gathered, at: now });
            Ok(framed)
        }
        (Err(error), None) => Err(error),
        (Err(error), Some(good)) => {
            let down = |source: &Source| match source.state {
                SourceState::Unconfigured => source.clone(),
                _ => Source {
                    state: SourceState::Down,
                    latency_ms: None,
                    error: Some(error.to_string()),
                    ..source.clone()
                },
            };
            let (report, meta) = AlertList::new(cx, &good.gathered, filter);
            let report = report.stale((now - good.at).num_seconds().unsigned_abs());
            let meta = Meta {
                outcome: Outcome::Error,
                verdict: report.verdict(),
                sources: good.gathered.sources.iter().map(down).collect(),
                warnings: vec![format!("nothing new is known: {error}")],
                ..meta
            };
            Ok((report, meta))
        }
    }
}
