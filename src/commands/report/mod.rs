//! `liveops report`: what a period came to, for those who were not there.

mod dora;
mod incidents;
mod view;
mod weekly;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::globals::GlobalArgs;
use crate::output::format::Format;
use crate::output::report::{Meta, Report};
use liveops_domain::error::{Exit, Result};
use liveops_domain::report::Period;
use liveops_domain::text::shell::word;
use liveops_engine::changes::back;
use liveops_engine::report::write;

/// Report on deliveries, incidents and the week, also as Markdown or HTML
///
/// Every number stands with what it rests on, and one that nothing is known of is unknown, with the reason: never a good
/// grade. A backend that does not answer leaves its own part unknown and blanks nothing else. The HTML page is one file
/// that loads nothing from anywhere.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops report weekly
  liveops report weekly --out week.html
  liveops report dora --since 90d --explain
  liveops report incidents -o markdown")]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Dora(dora::DoraArgs),
    Incidents(incidents::IncidentsArgs),
    Weekly(weekly::WeeklyArgs),
}

/// Where a report goes.
#[derive(Debug, Args)]
struct OutArgs {
    /// File to write it to; its ending (.html, .md, .json, .csv) is the format, where `-o` names none
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl ReportArgs {
    /// The ending of the file says the format.
    pub(crate) fn settle(&self, global: &mut GlobalArgs) {
        let out = match &self.verb {
            Verb::Dora(args) => &args.out,
            Verb::Incidents(args) => &args.out,
            Verb::Weekly(args) => &args.out,
        };
        let ending = out.out.as_ref().and_then(|path| path.extension()).and_then(|ending| ending.to_str());
        if global.output == Format::Table {
            global.output = match ending {
                Some("html" | "htm") => Format::Html,
                Some("md" | "markdown") => Format::Markdown,
                Some("json") => Format::Json,
                Some("yaml" | "yml") => Format::Yaml,
                Some("csv") => Format::Csv,
                _ => Format::Table,
            };
        }
    }
}

pub(crate) async fn run(args: ReportArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::Dora(args) => dora::run(args, cx).await,
        Verb::Incidents(args) => incidents::run(&args, cx),
        Verb::Weekly(args) => weekly::run(&args, cx).await,
    }
}

/// So long a time, up to now.
fn period(cx: &Context, since: Duration) -> Result<Period> {
    let until = cx.clock.now();
    Ok(Period { since: back(until, since)?, until })
}

/// Prints a report, or writes it to its file.
fn show(cx: &Context, report: &dyn Report, meta: Meta, out: &OutArgs) -> Result<()> {
    let Some(path) = &out.out else {
        return cx.show(report, meta);
    };
    let meta = Meta { environment: Some(cx.environment()?.to_owned()), ..meta };
    for warning in &meta.warnings {
        cx.output.warn(warning);
    }
    let mut text = cx.output.rendered(report, meta, cx.clock.now())?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let dry_run = cx.choices.dry_run;
    if !dry_run {
        write(cx, path, &text)?;
    }
    let shown = path.display().to_string();
    cx.output.note(&format!("{} {}", if dry_run { "would write" } else { "wrote" }, word(&shown)));
    Ok(())
}
