//! `liveops check readiness`: is a service ready for production?

use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;

use crate::context::Context;
use crate::gate::{Extra, GateArgs, call, finish};
use crate::output::block::{Block, Tone, plain, span};
use crate::output::prompt::can_prompt;
use liveops_domain::check::finding::RuleInfo;
use liveops_domain::check::readiness::RULES;
use liveops_domain::check::readiness::score::{Band, Score};
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_engine::check::gate::About;
use liveops_engine::check::readiness::{Request, check, write};

/// Check that a service is ready for production
///
/// Its manifests (health checks, resources, graceful shutdown, replicas, disruption budgets, rollback, references), and
/// what liveops knows beside them: alerts that reach a person, runbooks that were run, an SLO, a rollback plan, flags,
/// backups that were restored. Without --manifests the cluster of the environment is asked. The score is an interval:
/// what nobody knows may be good or bad. A BLOCKER cannot be averaged away.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check readiness --manifests deploy/
  kustomize build overlays/prod | liveops check readiness --manifests -
  liveops check readiness game-backend --write docs/readiness.md
  liveops check readiness --manifests deploy/ -o sarif > readiness.sarif")]
pub(super) struct ReadinessArgs {
    /// Only this service; without it, every workload
    #[arg(value_name = "SERVICE")]
    service: Option<String>,

    /// File or folder of manifests, or - for standard input; may be repeated
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath, num_args = 1..)]
    manifests: Vec<PathBuf>,

    /// Minor version of Kubernetes that they are for, such as 1.31 [default: the cluster's, else 1.34]
    #[arg(long, value_name = "1.N", value_parser = minor)]
    kubernetes: Option<u32>,

    /// Write the document of the review to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    write: Option<PathBuf>,

    /// Ask nothing at the terminal; what only people know stays unknown
    #[arg(long)]
    no_questions: bool,

    #[command(flatten)]
    gate: GateArgs,
}

fn minor(text: &str) -> std::result::Result<u32, String> {
    let number = text.trim_start_matches('v').strip_prefix("1.").unwrap_or(text);
    number.parse().map_err(|_| format!("`{text}` is no version of Kubernetes such as 1.31"))
}

const INFOS: [RuleInfo; RULES.len()] = {
    let mut all = [RULES[0].info; RULES.len()];
    let mut at = 0;
    while at < RULES.len() {
        all[at] = RULES[at].info;
        at += 1;
    }
    all
};

const ABOUT: About = About {
    name: "check readiness",
    rules: &INFOS,
    nothing: "name manifests: `liveops check readiness --manifests FOLDER`, or set `kubernetes` in liveops.yaml",
};

pub(super) async fn run(args: ReadinessArgs, cx: &Context) -> Result<Exit> {
    let is_table = !cx.output.format().is_machine();
    let call = call(ABOUT.name, "--manifests ", &args.manifests);
    let is_all = args.service.is_none();
    let request = Request {
        ask: args.service.is_some() && !args.no_questions && is_table && can_prompt() && !cx.choices.yes,
        service: args.service,
        manifests: args.manifests,
        minor: args.kubernetes,
        ignore_annotations: args.gate.is_from_ref(),
    };
    let readiness = check(cx, &request).await?;
    if let Some(path) = &args.write {
        if cx.choices.dry_run {
            cx.voice.note(&format!("would write {}", path.display()));
        } else {
            write(cx, &readiness, path)?;
            cx.voice.note(&format!("wrote {}", path.display()));
        }
    }
    // What only people know is asked at a terminal, of one service.
    let asks = readiness.outcomes.found.unknown.iter().find(|one| one.id.starts_with('Q')).filter(|_| is_all);
    let next = asks.filter(|_| readiness.outcomes.found.findings.is_empty()).map(|one| {
        let command = format!("liveops {} {}", ABOUT.name, word(&one.subject));
        Recommendation::new("answer what only people know", command)
    });
    let mut extra = Extra { next, call, sources: readiness.sources, ..Extra::default() };
    if let Some(score) = &readiness.score {
        extra.data.insert("score".into(), serde_json::to_value(score)?);
        extra.blocks.push(line(score));
    }
    finish(ABOUT, readiness.outcomes.found, &args.gate, extra, cx).await
}

fn line(score: &Score) -> Block {
    let tone = match score.band {
        Band::Excellent => Tone::Good,
        Band::MinorGaps | Band::Concerns => Tone::Warn,
        Band::MajorRisks | Band::Unacceptable => Tone::Bad,
    };
    Block::Whole(vec![plain("  score "), span(score.text(), tone)])
}
