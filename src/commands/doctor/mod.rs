//! `liveops doctor`: asks everything that is configured, all at once under one deadline, and says what is wrong with
//! it and how to fix that. Changes nothing.

mod report;

use clap::Args;
use tokio::join;

use crate::commands::doctor::report::extra;
use crate::context::Context;
use crate::gate::{GateArgs, finish};
use liveops_domain::error::{Exit, Result};
use liveops_engine::check::gate::About;
use liveops_engine::doctor::finding::System;
use liveops_engine::doctor::{
    alertmanager, flags, gate, kpis, kubernetes, prometheus, self_check, services, slos, stores,
};

/// Find out what is wrong with the systems that liveops asks
///
/// Asks each configured system whether it is reachable, accepts the credentials and has the right time; Prometheus
/// whether targets are down, scrapes slow, rules broken, and each KPI has data; the services whether their health API
/// and metrics make sense; and looks after liveops' own files. Each finding comes with its fix. What is broken is HIGH,
/// what works and will hurt MEDIUM. Exit code 1 when something is broken, 3 when something is unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops doctor
  liveops doctor --prometheus localhost:9090        # without any file
  liveops -e prod doctor --all                      # also what is fine
  liveops doctor -o csv | grep ,HIGH,")]
pub(crate) struct DoctorArgs {
    /// Show each check that is fine, too
    #[arg(short, long)]
    all: bool,

    #[command(flatten)]
    gate: GateArgs,
}

const ABOUT: About = About { name: "doctor", rules: gate::RULES, nothing: "name a system: `--prometheus URL`" };

/// Asks everything at once.
pub(crate) async fn run(args: DoctorArgs, cx: &Context) -> Result<Exit> {
    let (prometheus, alertmanager, (services, samples), flags, clickhouse, kubernetes, slos) = join!(
        prometheus::check(cx),
        alertmanager::check(cx),
        services::check(cx),
        flags::check(cx),
        stores::clickhouse(cx),
        kubernetes::check(cx),
        slos::check(cx),
    );
    let mut systems: Vec<System> = prometheus
        .into_iter()
        .chain(alertmanager)
        .chain(services)
        .chain(flags)
        .chain(clickhouse)
        .chain(kubernetes)
        .collect();
    let is_empty = systems.is_empty();
    // Without Prometheus the KPIs are computed from the services' own metrics.
    if cx.config()?.settings.prometheus.is_none() {
        systems.extend(kpis::scraped(cx, &samples)?);
    }
    systems.extend(slos?);
    systems.push(self_check::check(cx, is_empty)?);
    let found = gate::findings(&systems);
    let extra = extra(systems, args.all, &cx.output.view(cx.clock.now()))?;
    finish(ABOUT, found, &args.gate, extra, cx).await
}
