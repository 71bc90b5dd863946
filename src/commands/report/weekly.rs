//! `liveops report weekly`: the week of operations on one page, with what is not known of it.

mod sections;

use std::time::Duration;

use clap::Args;
use serde::{Serialize, Serializer};

use crate::commands::report::view::page;
use crate::commands::report::{OutArgs, period, show};
use crate::context::Context;
use crate::output::block::Block;
use crate::output::format::Format;
use crate::output::page::Page;
use crate::output::progress::waiting;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::{Outcome, SourceState};
use liveops_domain::text::duration::parse_positive;
use liveops_engine::observe::systems;
use liveops_engine::report::weekly::{WeeklyReport, weekly};

/// Report on the week: SLOs, incidents, changes, flags, capacity, action items
///
/// One page for those who were not there. Each part names who said so; what did not answer leaves its part unknown, with
/// the reason, and is listed again at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops report weekly
  liveops report weekly --out week.html
  liveops report weekly -o markdown
  liveops report weekly --since 30d -o json")]
pub(super) struct WeeklyArgs {
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = parse_positive)]
    since: Duration,

    #[command(flatten)]
    pub(super) out: OutArgs,
}

struct Weekly {
    report: WeeklyReport,
    page: Page,
}

pub(super) async fn run(args: &WeeklyArgs, cx: &Context) -> Result<Exit> {
    let period = period(cx, args.since)?;
    let report = waiting(!cx.choices.quiet, || format!("asking {}", systems(cx)), weekly(cx, period)).await?;
    let week = Duration::from_secs(7 * 86_400);
    let title = if args.since == week { "Weekly operations report" } else { "Operations report" };
    let page = sections::draw(page(cx, title, "weekly", &period)?, &report);
    let lost =
        |one: &liveops_domain::status::source::Source| matches!(one.state, SourceState::Down | SourceState::Degraded);
    let meta = Meta {
        outcome: if report.sources.iter().any(lost) { Outcome::Partial } else { Outcome::Success },
        verdict: sections::verdict(&report),
        sources: report.sources.clone(),
        warnings: report.warnings.clone(),
        ..Meta::next("to forward it", "liveops report weekly --out week.html")
    };
    show(cx, &Weekly { report, page }, meta, &args.out)?;
    Ok(Exit::Good)
}

impl Serialize for Weekly {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.report.serialize(serializer)
    }
}

impl Report for Weekly {
    fn schema(&self) -> &'static str {
        "liveops.report.weekly/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        self.page.blocks(view)
    }

    fn document(&self, format: Format) -> Option<String> {
        self.page.document(format)
    }
}
