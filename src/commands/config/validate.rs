//! `liveops config validate`: every problem of every layer and environment at once.

use liveops_domain::text::count::count;
use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Problem, Result};
use liveops_domain::status::source::Verdict;
use liveops_engine::config::decode::Problems;
use liveops_engine::config::layers::{Layers, Quick};
use liveops_engine::config::{environments, layers, schema, validate};
use liveops_engine::slo::load;

/// Check the configuration, every environment of it
///
/// Reports every problem at once, each with file, line, key, and the nearest name where one is misspelt. Asks no
/// system: that is `liveops doctor`. Exit code 2 when something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops config validate
  liveops config validate --config deploy/liveops.yaml
  liveops config validate -o json")]
pub(crate) struct ValidateArgs {}

/// A place where something will surprise.
#[derive(Debug, Serialize)]
struct Warning {
    source: String,
    line: usize,
    key: String,
    message: String,
}

/// What was checked, and found sound.
#[derive(Debug, Serialize)]
struct ConfigValidate {
    files: Vec<String>,
    environments: Vec<String>,
    services: Vec<String>,
    kpis: Vec<String>,
    warnings: Vec<Warning>,
}

pub(crate) fn run(_args: &ValidateArgs, cx: &Context) -> Result<Exit> {
    let layers = layers::load(&cx.dirs, cx.choices.config.as_deref(), Quick::default(), false)?;
    let files: Vec<String> =
        [&layers.user, &layers.project].into_iter().flatten().map(|path| layers::show(path, &cx.dirs)).collect();
    if files.is_empty() {
        return Err(Error::usage(
            "there is no configuration to check: no liveops.yaml here or above, and no file of your own",
            "`liveops init` writes one; `liveops config path` says where liveops looks",
        ));
    }
    let found = validate(&layers);
    if !found.errors.is_empty() {
        return Err(Error::Config { problems: found.errors });
    }
    // The files that `slos` names are part of it.
    if cx.config().is_ok() {
        load::all(cx)?;
    }
    let report = ConfigValidate::new(&layers, files, found.warnings);
    let verdict = if report.warnings.is_empty() { Verdict::Pass } else { Verdict::Warn };
    cx.show_anywhere(&report, Meta { verdict, ..Meta::next("ask every system", "liveops doctor") })?;
    Ok(Exit::Good)
}

impl ConfigValidate {
    fn new(layers: &Layers, files: Vec<String>, warnings: Vec<Problem>) -> Self {
        let environments = environments(&layers.root);
        let mut services = BTreeSet::new();
        let mut kpis = BTreeSet::new();
        for name in &environments {
            let settings = schema::decode(&layers.root, name, &mut Problems::default());
            services.extend(settings.services.into_iter().map(|service| service.name));
            kpis.extend(settings.kpis.into_iter().map(|kpi| kpi.name));
        }
        let warning = |problem: Problem| Warning {
            source: problem.source,
            line: problem.line,
            key: problem.key,
            message: problem.message,
        };
        Self {
            files,
            environments,
            services: services.into_iter().collect(),
            kpis: kpis.into_iter().collect(),
            warnings: warnings.into_iter().map(warning).collect(),
        }
    }

    fn sentence(&self) -> String {
        let (environments, services, kpis) = (self.environments.len(), self.services.len(), self.kpis.len());
        let verb = if environments + services + kpis == 1 { "is" } else { "are" };
        format!(
            "{}, {} and {} {verb} sound",
            count(environments, "environment"),
            count(services, "service"),
            count(kpis, "KPI"),
        )
    }
}

impl Report for ConfigValidate {
    fn schema(&self) -> &'static str {
        "liveops.config.validate/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let mut blocks = vec![
            Block::Whole(vec![span(self.sentence(), Tone::Good)]),
            Block::Whole(vec![span(format!("read from {}", self.files.join(", then ")), Tone::Dim)]),
        ];
        for warning in &self.warnings {
            let problem = Problem {
                source: warning.source.clone(),
                line: warning.line,
                key: warning.key.clone(),
                message: warning.message.clone(),
            };
            blocks.push(Block::Whole(vec![span("warning: ", Tone::Warn), plain(problem.to_string())]));
        }
        blocks
    }
}
