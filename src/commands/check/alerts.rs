//! `liveops check alerts`: the alerting rules as a gate.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::ValueHint;

use crate::context::Context;
use crate::gate::{Extra, GateArgs, call, finish};
use liveops_domain::check::alerts::RULES;
use liveops_domain::check::alerts::set::Setting;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::duration::parse_positive;
use liveops_engine::check::alerts::{AlertCheck, check};
use liveops_engine::check::gate::About;

/// Check that every alert can fire, does not fire always, and reaches somebody
///
/// Reads Prometheus' rule files, PrometheusRule objects, lists of them and ConfigMaps, in files and folders. That an
/// alert fires always or never is proved by a test that promtool runs, where it is installed. With
/// --alertmanager-config each alert is followed through the routes to its receivers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check alerts rules/
  liveops check alerts rules/ --alertmanager-config alertmanager.yml --fail-on medium
  liveops check alerts rules/ --live                 # and against what runs
  liveops check alerts rules/ --evidence proofs/     # keep the tests that prove what it says
  liveops check alerts rules/ -o github              # annotations of a pull request")]
pub(super) struct AlertsArgs {
    /// Rule files or folders; `-` is standard input [default: `runbooks.rules` of liveops.yaml,
    /// else what `liveops new alert-rules` wrote]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,

    /// Alertmanager's configuration: whom does each alert reach? [default: what `liveops new alertmanager` wrote]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    alertmanager_config: Option<PathBuf>,

    /// Ask the running Prometheus and Alertmanager, too: are the series there, what did the alerts do, is it what is
    /// loaded? Without PATH the loaded rules are checked
    #[arg(long)]
    live: bool,

    /// A receiver that wakes somebody, whatever its integrations are; may be repeated
    #[arg(long, value_name = "RECEIVER")]
    paging: Vec<String>,

    /// How often targets are scraped [default: 15s, with --live what Prometheus says]
    #[arg(long, value_name = "DURATION", value_parser = parse_positive)]
    scrape_interval: Option<Duration>,

    /// How long Prometheus keeps samples
    #[arg(long, value_name = "DURATION", value_parser = parse_positive)]
    retention: Option<Duration>,

    /// The words that `severity` may have, instead of the usual ones
    #[arg(long, value_name = "WORD,…", value_delimiter = ',')]
    severities: Vec<String>,

    /// Keep the tests that prove findings in this folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    evidence: Option<PathBuf>,

    #[command(flatten)]
    gate: GateArgs,
}

const ABOUT: About = About {
    name: "check alerts",
    rules: RULES,
    nothing: "name files of rules, or a folder with them: `liveops check alerts rules/`",
};

pub(super) async fn run(args: AlertsArgs, cx: &Context) -> Result<Exit> {
    let mut setting = Setting { retention: args.retention, ..Setting::default() };
    setting.scrape_interval = args.scrape_interval.unwrap_or(setting.scrape_interval);
    if !args.severities.is_empty() {
        setting.severities = args.severities;
    }
    let asked = AlertCheck {
        paths: args.paths,
        alertmanager_config: args.alertmanager_config,
        live: args.live,
        scrape_is_given: args.scrape_interval.is_some(),
        paging: args.paging,
        evidence: args.evidence,
        setting,
    };
    let call = call(ABOUT.name, "", &asked.paths);
    let found = check(cx, asked).await?;
    finish(ABOUT, found, &args.gate, Extra { call, ..Extra::default() }, cx).await
}
