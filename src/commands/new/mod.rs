//! `liveops new`: documents and configuration, written from what is configured and kept up to date.

mod check;
mod list;
mod write;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueHint};
use clap::{Args, ValueEnum};

use crate::context::Context;
use liveops_domain::document::kind::{Dashboard, Discovery, Grafana, Kind, Options, RuleForm, grafana};
use liveops_domain::error::{Exit, Result};

/// Write a document or a configuration from what is known, and keep it up to date
///
/// Documents: monitoring-plan, incident-response, hotfix, deployment-plan, backup-strategy, infrastructure,
/// capacity-plan, operations-review, slo-document, maintenance-plan. Configuration: prometheus, alert-rules,
/// alertmanager, grafana, ci-github, ci-gitlab. What the configuration says is filled in, with the key that says it; what
/// only you know is a question, marked `TODO(…)`. What stands between liveops' marks is written anew by the same command;
/// everything else in the file is yours and is never touched.
///
/// Exit code of `--check`: 0 up to date, 1 not. Writing over a managed part that was edited by hand is refused with 4.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops new --list                                # what there is, what is stale, which questions are open
  liveops new monitoring-plan
  liveops new deployment-plan --service game-backend
  liveops new alert-rules                           # rules, and the runbooks that their alerts lack
  liveops new alert-rules --format operator         # a PrometheusRule
  liveops new grafana --dashboard game --grafana 11.0
  liveops new prometheus --discovery kubernetes --out prometheus.yml
  liveops new --check                               # in CI: are all of them up to date?")]
pub(crate) struct NewArgs {
    /// What to write [default: list the kinds]
    #[arg(value_name = "KIND", value_parser = kinds(), conflicts_with_all = ["list", "check"], hide_possible_values = true)]
    kind: Option<Kind>,

    /// Only about this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// File to write it to [default: its usual place below the project's folder]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with_all = ["list", "check"])]
    out: Option<PathBuf>,

    /// Overwrite what was edited by hand or written by somebody else; a copy is kept
    #[arg(long, conflicts_with_all = ["list", "check"])]
    force: bool,

    /// Which dashboard
    #[arg(long, value_name = "NAME", value_enum, default_value_t = DashboardArg::Game)]
    dashboard: DashboardArg,

    /// Version of Grafana that reads it, such as 11.0 or 12
    #[arg(long, value_name = "VERSION", default_value = "12", value_parser = version)]
    grafana: Grafana,

    /// How Prometheus finds the services
    #[arg(long, value_name = "static|file|kubernetes", value_enum, default_value_t = DiscoveryArg::Static, hide_possible_values = true)]
    discovery: DiscoveryArg,

    /// Alert rules for Prometheus, or for its operator
    #[arg(long, value_name = "prometheus|operator", value_enum, default_value_t = FormArg::Prometheus, hide_possible_values = true)]
    format: FormArg,

    /// List all kinds: what exists, what is stale, how many questions are open
    #[arg(long, conflicts_with = "check")]
    list: bool,

    /// Compare files with what would be written now [default: all in the project]
    #[arg(long, value_name = "PATH", num_args = 0.., value_hint = ValueHint::AnyPath)]
    check: Option<Vec<PathBuf>>,
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name))
        .try_map(|name| Kind::of(&name).ok_or_else(|| "no such kind".to_owned()))
}

fn version(text: &str) -> std::result::Result<Grafana, String> {
    grafana(text).ok_or_else(|| format!("`{text}` is no version of Grafana that reads these dashboards: 10.4 or later"))
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DashboardArg {
    Game,
    Backend,
    Business,
    Performance,
    Resources,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DiscoveryArg {
    Static,
    File,
    Kubernetes,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormArg {
    Prometheus,
    Operator,
}

impl NewArgs {
    fn options(&self, cx: &Context) -> Options {
        Options {
            service: self.service.clone(),
            environment: cx.named_environment().map(ToOwned::to_owned),
            dashboard: match self.dashboard {
                DashboardArg::Game => Dashboard::Game,
                DashboardArg::Backend => Dashboard::Backend,
                DashboardArg::Business => Dashboard::Business,
                DashboardArg::Performance => Dashboard::Performance,
                DashboardArg::Resources => Dashboard::Resources,
            },
            grafana: self.grafana,
            discovery: match self.discovery {
                DiscoveryArg::Static => Discovery::Static,
                DiscoveryArg::File => Discovery::File,
                DiscoveryArg::Kubernetes => Discovery::Kubernetes,
            },
            form: match self.format {
                FormArg::Prometheus => RuleForm::Prometheus,
                FormArg::Operator => RuleForm::Operator,
            },
        }
    }
}

pub(crate) async fn run(args: NewArgs, cx: &Context) -> Result<Exit> {
    if let Some(paths) = &args.check {
        return check::run(paths, cx);
    }
    let Some(kind) = args.kind.filter(|_| !args.list) else { return list::run(cx) };
    write::run(kind, &args.options(cx), args.out.as_deref(), args.force, cx)
}
