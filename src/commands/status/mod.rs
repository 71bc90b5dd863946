//! `liveops status`: the 3 am screen. Asks everything at once, and says of everything that did not answer that it
//! is unknown.

mod nagios;
pub(crate) mod report;
pub(crate) mod screen;

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::output::progress::waiting;
use crate::watch::{Look, watch};
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::Verdict;
use liveops_domain::text::duration::parse_interval;
use liveops_engine::status as gather;
use liveops_engine::status::answers::Answers;

/// Show what is wrong, and what to do next, on one screen
///
/// Asks the health API of every service, every KPI, the firing alerts, the scrape targets and the feature flags, all at
/// once and under one deadline. Where Prometheus is absent or down, KPIs are computed from the services' own metrics. What cannot
/// be known is shown as unknown, with the reason; one dead backend never blanks the rest.
///
/// Exit code: 0 nothing critical, 1 something critical (see --fail-on), 3 nothing known to be bad but something
/// is unknown.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  liveops status
  liveops status --prometheus http://127.0.0.1:9090        # without any file
  liveops status --service game-backend --watch
  liveops status --at 03:12                                # how it was
  liveops status --fail-on warn -o json | jq .verdict      # in a script
  liveops status --nagios                                  # one line for a monitoring system")]
pub(crate) struct StatusArgs {
    /// Only this service; may be repeated
    #[arg(short, long, value_name = "NAME")]
    pub(crate) service: Vec<String>,

    /// From which level on the exit code is 1
    #[arg(long, value_enum, default_value_t = FailOn::Critical, value_name = "warn|critical|never", hide_possible_values = true)]
    pub(crate) fail_on: FailOn,

    /// Keep looking: on a terminal the screen of `liveops watch`, elsewhere lines
    #[arg(short, long, conflicts_with = "nagios")]
    pub(crate) watch: bool,

    /// Redraw lines, also where the full screen of `liveops watch` could be shown
    #[arg(long, requires = "watch")]
    pub(crate) plain: bool,

    /// Time between two looks of --watch
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_interval)]
    pub(crate) interval: Duration,

    /// How it was then, by what Prometheus and the journals keep: RFC 3339, `03:12`, `-10m`
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["watch", "nagios"])]
    pub(crate) at: Option<String>,

    /// One line and the exit codes 0, 1, 2, 3 of monitoring plugins
    #[arg(long)]
    pub(crate) nagios: bool,
}

impl StatusArgs {
    /// Looks again and again, in lines.
    pub(crate) fn lines(service: Vec<String>, interval: Duration) -> Self {
        Self { service, fail_on: FailOn::Critical, watch: true, plain: true, interval, at: None, nagios: false }
    }
}

/// The level from which on a script fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// On warnings too.
    Warn,
    /// On critical findings.
    Critical,
    /// Never: exit 0 whatever is found.
    Never,
}

pub(crate) async fn run(args: StatusArgs, cx: &Context) -> Result<Exit> {
    cx.services(&args.service)?;
    if args.watch {
        cx.output.refuse_rows()?;
        let mut memory = Answers::default();
        return watch(cx, args.interval, async || {
            let gathered = gather::gather(&args.service, cx, &mut memory).await?;
            let mut report = liveops_engine::status::report::StatusReport::new(gathered, cx)?;
            report.watching = Some(args.interval);
            Ok(Look {
                meta: report::meta(&report),
                exit: exit(&report, args.fail_on),
                report,
                head: Vec::new(),
                is_last: false,
            })
        })
        .await;
    }
    if let Some(at) = &args.at {
        let at = liveops_engine::query::window::time(at, cx.clock.now())?;
        let gathered = gather::past::gather_at(&args.service, cx, at).await?;
        let report = liveops_engine::status::report::StatusReport {
            at: Some(at),
            ..liveops_engine::status::report::StatusReport::new(gathered, cx)?
        };
        cx.show(&report, report::meta(&report))?;
        return Ok(exit(&report, args.fail_on));
    }
    let mut memory = Answers::default();
    let names = || format!("asking {}", liveops_engine::observe::systems(cx));
    let gathered =
        waiting(!cx.choices.quiet && !args.nagios, names, gather::gather(&args.service, cx, &mut memory)).await?;
    let report = liveops_engine::status::report::StatusReport::new(gathered, cx)?;
    if args.nagios {
        cx.output.write(&nagios::line(&report))?;
        return Ok(Exit::Nagios(nagios::code(report.verdict())));
    }
    cx.show(&report, report::meta(&report))?;
    Ok(exit(&report, args.fail_on))
}

/// The exit code that the findings and `--fail-on` make.
fn exit(report: &liveops_engine::status::report::StatusReport, fail_on: FailOn) -> Exit {
    match (fail_on, report.verdict()) {
        (FailOn::Never, _) => Exit::Good,
        (_, Verdict::Fail) => Exit::Bad,
        (FailOn::Warn, _) if report.has_warnings() => Exit::Bad,
        (_, Verdict::Unknown) => Exit::Unknown,
        _ => Exit::Good,
    }
}
