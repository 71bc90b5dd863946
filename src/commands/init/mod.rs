//! `liveops init`: writes a commented `liveops.yaml` from flags or answers, and says what it found at the places that
//! it was given. What it finds never stops the writing; an existing file does.

mod ask;
mod report;

use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;

use crate::choice::choice;
use crate::commands::init::report::Init;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::clients::http::Http;
use liveops_engine::config::presets::{Answers, Preset, Service, render};
use liveops_engine::files::file::write_shared;
use liveops_engine::init::given::Given;
use liveops_engine::init::{place, probe, write};

/// Write a commented liveops.yaml
///
/// Asks on a terminal for what no flag names; elsewhere the flags are all. Prometheus, Alertmanager and health
/// APIs that it is given are asked what they have, and KPIs without data are written commented out. An existing file
/// is never overwritten unasked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops init                                             # asks
  liveops init --prometheus localhost:9090 --health game=localhost:5050
  liveops -e prod init --preset http-api --out deploy/liveops.yaml
  liveops init --preset game-server --dry-run              # only shows")]
pub(crate) struct InitArgs {
    /// Kind of service, which decides on the KPIs [default: game-server]
    #[arg(long, value_parser = choice(Preset::ALL))]
    preset: Option<Preset>,

    /// The project's name [default: that of the folder]
    #[arg(long, value_name = "PROJECT")]
    name: Option<String>,

    /// File to write
    #[arg(long, value_name = "FILE", default_value = "liveops.yaml", value_hint = ValueHint::FilePath)]
    out: PathBuf,

    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

/// Gathers answers, looks at the places they name, writes.
pub(crate) async fn run(args: InitArgs, cx: &Context) -> Result<Exit> {
    if cx.choices.read_only {
        return Err(Error::Refused {
            why: "read-only: will not write a file".into(),
            hint: "leave out `--read-only`, or look with `--dry-run`".into(),
        });
    }
    let path = cx.dirs.work.join(&args.out);
    if !cx.choices.dry_run {
        write::may_write(&path, args.force, cx)?;
    }
    // Not the context's client: that reads the configuration, which may be the broken one that is to be replaced.
    let limits = write::limits(cx);
    let http = Http::new(limits.0, limits.1);
    let given = ask::gather(&args, cx, &http).await?;
    let findings = probe::all(&http, &given, cx).await;
    let (answers, variables) = answers(&given, &findings);
    let text = render(given.preset, &answers)?;
    write::check(&text)?;
    if cx.choices.dry_run {
        cx.output.note("dry run: nothing is written; this is the file");
        cx.output.write(&text)?;
        return Ok(Exit::Good);
    }
    write_shared(&path, &text, args.force)?;
    // Every place and variable in it was named by the person who ran this.
    write::trust(&path, cx)?;
    let report = Init::new(&args.out, &given, &answers, findings, variables);
    cx.show_anywhere(&report, report.meta())?;
    Ok(Exit::Good)
}

/// What the file is written from, and the variables that stand in for passwords.
fn answers(given: &Given, findings: &probe::Findings) -> (Answers, Vec<String>) {
    let mut variables = Vec::new();
    let mut safe = |url: &str, name: &str| {
        let (text, used) = place::without_secrets(url, name);
        variables.extend(used);
        text
    };
    let answers = Answers {
        project: given.project.clone(),
        environment: given.environment.clone(),
        prometheus: given.prometheus.as_deref().map(|url| safe(url, "PROMETHEUS")),
        alertmanager: given.alertmanager.as_deref().map(|url| safe(url, "ALERTMANAGER")),
        flags: given.flags.as_deref().map(|url| safe(url, "REDIS")),
        services: given
            .services
            .iter()
            .map(|(name, url)| Service {
                name: name.clone(),
                url: safe(url, "HEALTH"),
                metrics: findings.metrics.get(name).map(|url| safe(url, "HEALTH")),
            })
            .collect(),
        data: findings.data.clone(),
    };
    (answers, variables)
}
