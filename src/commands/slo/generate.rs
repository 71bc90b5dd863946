//! `liveops slo generate`: rules, a test of them, the inhibition of tickets, OpenSLO.

use std::path::PathBuf;

use clap::builder::ValueHint;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::error::{Exit, Result};
use liveops_domain::runbook::Purpose;
use liveops_domain::runbook::rule::AlertRule;
use liveops_domain::slo::rules;
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_engine::document::runbooks::write_missing;
use liveops_engine::runbook::library::RunbookLibrary;
use liveops_engine::slo::generate::{Generated, Request, generate, write};
use liveops_engine::slo::load;

/// Write Prometheus rules for objectives, and a test of them
///
/// Counts are recorded, not ratios. Alerts look at two windows each, so that they fire soon and end soon: two that page
/// and two that open a ticket. Fewer bad events than `min_bad` (default 3) page nobody, a young series alerts on no
/// window that it does not have, and an alert of its own says when nothing is measured. The test beside the rules claims
/// the second at which each alert fires, and that it does not fire one sample before. Alerts whose objective names no
/// runbook link one of their own, which is written where it is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops slo generate --out rules/slo.yml && promtool test rules rules/slo_test.yml
  liveops slo generate slo/api.yaml --out rules/api.yml
  liveops slo generate --out slo.yaml --format operator     # a PrometheusRule
  liveops slo generate --out slo.yml --openslo slo/all.yaml the same objectives as OpenSLO")]
pub(crate) struct GenerateArgs {
    /// Files of OpenSLO, or names of SLOs [default: all of the configuration]
    #[arg(value_name = "FILE")]
    wanted: Vec<String>,

    /// File to write the rules to
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: PathBuf,

    /// File to write their test to [default: beside the rules, with `_test`]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tests: Option<PathBuf>,

    /// For Prometheus, or for its operator
    #[arg(long, value_enum, default_value_t = FormatArg::Prometheus, value_name = "prometheus|operator", hide_possible_values = true)]
    format: FormatArg,

    /// File to write the inhibition rules of Alertmanager to
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    inhibit: Option<PathBuf>,

    /// File to write the objectives to, as OpenSLO v1
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    openslo: Option<PathBuf>,

    /// Overwrite files that this command did not write
    #[arg(long)]
    force: bool,
}

/// Who reads the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Prometheus,
    Operator,
}

/// What was written.
#[derive(Debug, Serialize)]
struct GenerateReport {
    files: Vec<WrittenFile>,
    slos: usize,
    alerts: usize,
    recorded: usize,
    tests: usize,
    dry_run: bool,
}

#[derive(Debug, Serialize)]
struct WrittenFile {
    path: String,
    what: String,
    /// With `--dry-run`, what would be in it.
    text: Option<String>,
}

pub(super) fn run(args: GenerateArgs, cx: &Context) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let slos = load::chosen(cx, &args.wanted)?;
    let format = match args.format {
        FormatArg::Prometheus => rules::Format::Prometheus,
        FormatArg::Operator => rules::Format::Operator,
    };
    let runbooks = RunbookLibrary::open(cx)?.shown(Purpose::Alert);
    let GenerateArgs { out, tests, inhibit, openslo, force, .. } = args;
    let services = &cx.config()?.settings.services;
    let owners = services.iter().filter_map(|one| Some((one.name.clone(), one.owner.clone()?))).collect();
    let request = Request { out, tests, format, inhibit, openslo, runbooks, owners };
    let made = generate(&slos, &request)?;
    let dry_run = cx.choices.dry_run;
    if !dry_run {
        write(cx, &made, force)?;
    }
    let runbooks = if dry_run { Vec::new() } else { missing_runbooks(cx, &made, &request)? };
    let Generated { files, slos, alerts, recorded, tests, warnings } = made;
    let next = match files.get(1).filter(|_| tests > 0) {
        Some(file) => format!("promtool test rules {}", word(&file.path.display().to_string())),
        None => "liveops slo status".into(),
    };
    let files = files.into_iter().map(|file| WrittenFile {
        path: file.path.display().to_string(),
        what: file.what,
        text: dry_run.then_some(file.text),
    });
    let books = runbooks.into_iter().map(|path| WrittenFile { path, what: "a runbook to fill in".into(), text: None });
    let files = files.chain(books);
    let report = GenerateReport { files: files.collect(), slos, alerts, recorded, tests, dry_run };
    let mut meta = if dry_run { Meta::default() } else { Meta::next("prove that they fire when they should", next) };
    meta.notes = warnings;
    cx.show(&report, meta)?;
    Ok(Exit::Good)
}

/// Writes the runbooks that the alerts link and that are not there; what is there is left as it is.
fn missing_runbooks(cx: &Context, made: &Generated, request: &Request) -> Result<Vec<String>> {
    let Some(rules) = made.files.first() else { return Ok(Vec::new()) };
    let place = rules.path.display().to_string();
    let file = RuleFile::read(&rules.text, &place);
    let own = |rule: &AlertRule| rule.runbook().is_some_and(|link| link.starts_with(&request.runbooks));
    let linked = file.alerts().map(AlertRule::written).filter(own);
    let alerts: Vec<_> = linked.map(|rule| (rule.name.clone(), rule.service().map(ToOwned::to_owned))).collect();
    write_missing(cx, &alerts, &rules.text, &place)
}

impl Report for GenerateReport {
    fn schema(&self) -> &'static str {
        "liveops.slo.generate/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        for file in &self.files {
            if let Some(text) = &file.text {
                blocks.extend(text.lines().map(|line| Block::Whole(vec![plain(line)])));
                let note = format!("dry run, nothing is written: this would be {}", file.path);
                blocks.push(Block::Line(vec![span(note, Tone::Dim)]));
                continue;
            }
            blocks.push(Block::Whole(vec![
                tone::mark(Tone::Good, view),
                plain(format!(" {} ", file.path)),
                span(file.what.clone(), Tone::Dim),
            ]));
        }
        if !self.dry_run {
            blocks.push(Block::text(format!("  for {}", count(self.slos, "SLO"))));
        }
        blocks
    }
}
