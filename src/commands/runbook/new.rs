//! `liveops runbook new`: a runbook from its template, filled with what the rule, the KPIs and the configuration say.

use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::prompt;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::runbook::rule::AlertRule;
use liveops_domain::runbook::{Purpose, Runbook};
use liveops_domain::status::source::{Outcome, Recommendation};
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_engine::files::file::write_shared;
use liveops_engine::runbook::library::RunbookLibrary;
use liveops_engine::runbook::rules::Rules;
use liveops_engine::runbook::scenario::ALERT;
use liveops_engine::runbook::{filled, rules, scenario};
use liveops_engine::template::Template;

/// Write the runbook of an alert, or of a scenario
///
/// An alert's is filled in from its rule (expression, duration, severity, links) as Prometheus or `--rules` has it, and
/// from the KPIs. Scenarios: rollback, hotfix, service-degradation, data-corruption, full-outage, credential-rotation,
/// backup-restore, failover, circuit-breaker-open, load-shedding. What only you know is marked `[fill in: …]`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops runbook new GameServerDown
  liveops runbook new TickSlow --service game-backend --rules alerts.yml
  liveops runbook new full-outage --service game-backend
  liveops runbook new GameServerDown --dry-run         # only shows it")]
pub(crate) struct NewArgs {
    /// Alert or scenario
    #[arg(value_name = "NAME")]
    name: String,

    /// Service that it is about [default: what the rule's labels say, or the only one]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Rule file or folder to read instead of asking Prometheus; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    rules: Vec<PathBuf>,

    /// Write it though no rule has this name, or over a file that is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Serialize)]
struct NewRunbook {
    name: String,
    purpose: Purpose,
    path: String,
    service: String,
    /// Rules that it was filled in from.
    rules: usize,
    /// The template of the project that was used.
    template: Option<String>,
    dry_run: bool,
    /// What is left to do in it.
    to_fill_in: usize,
    markdown: String,
}

pub(super) async fn run(args: NewArgs, cx: &Context) -> Result<Exit> {
    if cx.is_read_only()? && !cx.choices.dry_run {
        return Err(Error::Refused {
            why: "read-only: will not write a runbook".into(),
            hint: "leave out `--read-only`, or look with `--dry-run`".into(),
        });
    }
    let library = RunbookLibrary::open(cx)?;
    let scenario = scenario::find(&args.name);
    let purpose = if scenario.is_some() { Purpose::Scenario } else { Purpose::Alert };
    let (shown, path) = library.place(&args.name, purpose)?;
    if !cx.choices.dry_run && !args.force && path.exists() {
        return Err(Error::Refused {
            why: format!("{shown} exists already; nothing was written"),
            hint: format!(
                "read it with `{}`, or pass `--force` to write it anew",
                cx.command(&format!("runbook show {}", word(&args.name)))
            ),
        });
    }
    let mut warnings = Vec::new();
    let known = match purpose {
        Purpose::Alert => rules::gather(cx, &args.rules).await?,
        Purpose::Scenario => Rules { rules: None, source: None, is_complete: false },
    };
    let found = match purpose {
        Purpose::Alert => matching(&args, &known, &mut warnings)?,
        Purpose::Scenario => Vec::new(),
    };
    let service = service(&args, &found, cx)?;
    let file = format!("runbook/{}.md.j2", scenario.map_or("alert", |s| s.name));
    let template = Template::find(cx, &file, Some(scenario.map_or(ALERT, |s| s.text)))?
        .ok_or_else(|| Error::internal("a shipped template is missing"))?;
    let markdown = filled::render(&template, &args.name, &service, &found, cx)?;
    let report = NewRunbook {
        to_fill_in: Runbook::parse(&markdown).unfilled.len(),
        name: args.name,
        purpose,
        path: shown,
        service,
        rules: found.len(),
        template: template.file,
        dry_run: cx.choices.dry_run,
        markdown,
    };
    if !cx.choices.dry_run {
        write_shared(&path, &report.markdown, args.force)?;
    }
    let meta = Meta {
        outcome: if warnings.is_empty() { Outcome::Success } else { Outcome::Partial },
        sources: known.source.into_iter().collect(),
        warnings,
        ..Meta::steps(report.next()).dense()
    };
    cx.show_anywhere(&report, meta)?;
    Ok(Exit::Good)
}

/// The rules of this name. That there are none is an error only where it is known.
fn matching(args: &NewArgs, known: &Rules, warnings: &mut Vec<String>) -> Result<Vec<AlertRule>> {
    let Some(rules) = &known.rules else {
        let why = known.gap().unwrap_or_default();
        warnings.push(format!("the rule is not known, so it is not filled in: {why}"));
        return Ok(Vec::new());
    };
    let found: Vec<AlertRule> = rules.iter().filter(|rule| rule.name == args.name).cloned().collect();
    if found.is_empty() && !args.force {
        let mut candidates: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        candidates.extend(scenario::SCENARIOS.iter().map(|s| s.name.to_owned()));
        candidates.dedup();
        return Err(Error::NotFound { what: "alert or scenario", name: args.name.clone(), candidates });
    }
    if found.is_empty() {
        warnings.push(format!("no rule makes an alert `{}` yet", args.name));
    }
    Ok(found)
}

/// The service that was named, that the rule names, or the only one.
fn service(args: &NewArgs, rules: &[AlertRule], cx: &Context) -> Result<String> {
    let services = &cx.config()?.settings.services;
    let names: Vec<String> = services.iter().map(|s| s.name.clone()).collect();
    if let Some(name) = &args.service {
        cx.check_service(name)?;
        return Ok(name.clone());
    }
    let said = rules.iter().find_map(AlertRule::service);
    Ok(match (said, names.as_slice()) {
        (Some(said), _) if names.iter().any(|name| name == said) => said.to_owned(),
        (_, [only]) => only.clone(),
        (Some(said), _) => said.to_owned(),
        (None, []) => filled::USUAL.into(),
        (None, several) if prompt::can_prompt() => {
            several[prompt::search("which service is it for?", several)?].clone()
        }
        (None, several) => {
            return Err(Error::usage(
                format!("`{}` may be for any of {}", args.name, several.join(", ")),
                format!("name it: `liveops runbook new {} --service {}`", word(&args.name), word(&several[0])),
            ));
        }
    })
}

impl NewRunbook {
    fn next(&self) -> Vec<Recommendation> {
        if self.dry_run {
            return Vec::new();
        }
        let name = word(&self.name);
        vec![
            Recommendation::new("read it", format!("liveops runbook show {name}")),
            Recommendation::new("check it", "liveops runbook check"),
        ]
    }
}

impl Report for NewRunbook {
    fn schema(&self) -> &'static str {
        "liveops.runbook.new/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.path.clone()])
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        if self.dry_run {
            blocks.extend(self.markdown.lines().map(|line| Block::Whole(vec![plain(line)])));
            blocks.push(Block::Line(vec![span(
                format!("dry run, nothing is written: this would be {}", self.path),
                Tone::Dim,
            )]));
            return blocks;
        }
        blocks.push(Block::Whole(vec![
            crate::output::tone::mark(Tone::Good, view),
            plain(format!(" {} is written", self.path)),
        ]));
        let from = match (self.purpose, self.rules) {
            (Purpose::Scenario, _) => format!("  for {}", self.service),
            (Purpose::Alert, 0) => "  without its rule".into(),
            (Purpose::Alert, 1) => format!("  from its rule, for {}", self.service),
            (Purpose::Alert, n) => format!("  from its {}, for {}", count(n, "rule"), self.service),
        };
        blocks.push(Block::text(from));
        if self.to_fill_in > 0 {
            blocks.push(Block::text(format!(
                "  {} only you can fill in: look for `[fill in`",
                count(self.to_fill_in, "line")
            )));
        }
        blocks
    }
}
