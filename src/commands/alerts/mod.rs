//! `liveops alerts`: what fires, and why something does or does not page.

mod entry;
mod explain;
pub(crate) mod lines;
mod list;
mod show;
mod watch;

use clap::{Args, Subcommand};

use crate::choice::choice;
use crate::context::Context;
use liveops_domain::alert::filter::{AlertFilter, Wanted};
use liveops_domain::alert::matcher::Matcher;
use liveops_domain::error::{Error, Exit, Result};

/// See what fires, and why something pages or does not
///
/// Asks Alertmanager, which knows what is silenced and inhibited, and Prometheus, which knows what is pending. Where
/// there is no Alertmanager, or it is down, Prometheus' own alerts are shown. Without a verb it lists.
///
/// Exit code: 1 when something critical fires, 0 when nothing or only lesser things do, 3 when that is not known.
#[derive(Debug, Args)]
#[command(subcommand_precedence_over_arg = true)]
#[command(after_help = "Examples:
  liveops alerts                                # everything, the worst on top
  liveops alerts region=eu --severity critical  # by label and by severity
  liveops alerts --state silenced -o json       # what is kept quiet
  liveops alerts explain TickSlow               # why does it (not) page?
  liveops alerts watch                          # redraw every five seconds")]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Explain(explain::ExplainArgs),
    Watch(watch::WatchArgs),
}

/// Which alerts.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FilterArgs {
    /// Condition on a label: NAME=VALUE, NAME!=VALUE, NAME=~REGEX, NAME!~REGEX, or the name of an alert
    #[arg(value_name = "MATCHER")]
    matchers: Vec<String>,

    /// Only alerts of this severity; may be repeated (p1 to p4 mean critical to low)
    #[arg(long, visible_alias = "sev", value_name = "WORD", value_delimiter = ',')]
    severity: Vec<String>,

    /// Only alerts of this service (label `service`, else `job`); may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    service: Vec<String>,

    /// Only alerts in this state [default: all]
    #[arg(long, value_parser = choice(Wanted::ALL), value_name = "STATE", default_value = "all", hide_default_value = true)]
    state: Wanted,
}

impl FilterArgs {
    fn is_empty(&self) -> bool {
        self.matchers.is_empty() && self.severity.is_empty() && self.service.is_empty() && self.state == Wanted::All
    }

    /// These conditions and those that were typed before the verb.
    fn and(mut self, before: Self) -> Self {
        self.matchers.splice(0..0, before.matchers);
        self.severity.extend(before.severity);
        self.service.extend(before.service);
        if self.state == Wanted::All {
            self.state = before.state;
        }
        self
    }

    /// What was meant.
    fn filter(&self) -> Result<AlertFilter> {
        Ok(AlertFilter {
            matchers: matchers(&self.matchers)?,
            severities: self.severity.clone(),
            services: self.service.clone(),
            state: self.state,
        })
    }
}

/// Reads matchers from the command line.
pub(crate) fn matchers(texts: &[String]) -> Result<Vec<Matcher>> {
    Matcher::parse_all(texts).map_err(|error| {
        Error::usage(
            error.to_string(),
            "such as `GameServerDown`, `region=eu`, `instance=~\"game-.*\"` or `severity!=critical`",
        )
    })
}

pub(crate) async fn run(args: AlertsArgs, cx: &Context) -> Result<Exit> {
    let AlertsArgs { verb, filter } = args;
    let stray = || {
        Err(Error::usage(
            "this verb takes no filter before it",
            "write the conditions after the name: `liveops alerts explain NAME region=eu`",
        ))
    };
    match verb {
        None => list::run(filter, cx).await,
        Some(Verb::List(args)) => list::run(args.filter.and(filter), cx).await,
        Some(Verb::Watch(args)) => watch::run(args, filter, cx).await,
        Some(Verb::Show(_) | Verb::Explain(_)) if !filter.is_empty() => stray(),
        Some(Verb::Show(args)) => show::run(args, cx).await,
        Some(Verb::Explain(args)) => explain::run(args, cx).await,
    }
}
