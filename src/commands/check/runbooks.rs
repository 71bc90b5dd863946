//! `liveops check runbooks`: the runbooks as a gate.

use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;

use crate::commands::check::gate::{Extra, GateArgs, finish};
use crate::commands::runbook::check::look_at;
use crate::context::Context;
use liveops_domain::check::finding::{Finding, Findings, Level, RuleInfo};
use liveops_domain::error::{Exit, Result};
use liveops_domain::runbook::check::Weight;
use liveops_engine::check::gate::About;

/// Check that every alert has a runbook, and every runbook works at 3 am
///
/// Both ways: an alert without a runbook, a runbook without an alert. Links must lead somewhere (URLs with --online),
/// sections must be there and filled, and steps must be commands that exist.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check runbooks
  liveops check runbooks --rules alerts/ --strict     in CI, without Prometheus
  liveops check runbooks --online -o github")]
pub(super) struct RunbooksArgs {
    /// Rule file or folder to read instead of asking Prometheus; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    rules: Vec<PathBuf>,

    /// Look at the URLs, too
    #[arg(long)]
    online: bool,

    #[command(flatten)]
    gate: GateArgs,
}

const RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "R01",
        title: "An alert and its runbook do not meet",
        why: "Whoever is paged needs the page that says what to do.",
    },
    RuleInfo { id: "R02", title: "A runbook does not work", why: "At 3 am nobody has time to mend it." },
    RuleInfo { id: "R03", title: "A runbook could be better", why: "It works, and somebody will be slower for it." },
];

const ABOUT: About = About {
    name: "check runbooks",
    rules: RULES,
    nothing: "write one: `liveops runbook new NAME`, or name rules: `liveops check runbooks --rules FOLDER`",
};

pub(super) async fn run(args: RunbooksArgs, cx: &Context) -> Result<Exit> {
    let looked = look_at(None, &args.rules, args.online, cx).await?;
    let mut found = Findings::default();
    found.checked("runbooks", looked.runbooks);
    found.checked("rules", looked.rules.unwrap_or_default());
    if let Some(gap) = &looked.gap {
        found.unknown("R01", "alerting rules", gap);
    }
    for one in looked.findings {
        let (id, level) = match (one.weight, one.file.is_some()) {
            (Weight::Error, false) => ("R01", Level::High),
            (Weight::Error, true) => ("R02", Level::High),
            (Weight::Warning, _) => ("R03", Level::Medium),
        };
        let subject = one.alert.or_else(|| one.file.clone()).unwrap_or_else(|| one.kind.to_owned());
        let mut finding = Finding::new(id, level, subject, one.message).evidence(format!("kind: {}", one.kind));
        if let Some(file) = one.file {
            finding = finding.at(file, one.line.unwrap_or_default());
        }
        if let Some(command) = one.command {
            finding = finding.fix(command);
        }
        found.add(finding);
    }
    let extra = Extra { sources: looked.sources, ..Extra::default() };
    finish(ABOUT, found, &args.gate, extra, cx).await
}
