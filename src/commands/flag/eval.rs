//! `liveops flag eval`: what a flag says of one user, or of millions, as the services' reader decides.

pub(crate) mod bulk;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::choice::choice;
use crate::commands::flag::name;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::evaluate::{Answer, Evaluation, StepName, evaluate};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::flag::rule::Rule;
use liveops_domain::flag::user::User;
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::shell::word;
use liveops_engine::flag::eval::rows;
use liveops_engine::flag::users::input::Form;
use liveops_engine::flagstore::FlagStore;

/// Ask a flag about one user, or about a file of millions
///
/// Answers as the reader that the configuration names (`flags.reader`), from the flag as it is now; services may have the
/// flag of up to 30 seconds ago. A file holds one id a line, JSON lines (`{"id": "u1", "region": "eu"}`) or CSV with a
/// header; the ending of its name or its first line tells which. It is streamed: its size does not matter. Rows are
/// `-o csv` (`user,on`), `-o json` (an object a line), `-o name` (the ids that are on). Exit code 3: some are unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag eval new_matchmaking --user player-42
  liveops flag eval new_matchmaking --user player-42 --attr region=eu --attr client=1.4.2
  liveops flag eval new_matchmaking --users ids.txt --count
  zcat players.jsonl.gz | liveops flag eval new_matchmaking --users - -o csv")]
pub(crate) struct EvalArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,
    /// One user's id
    #[arg(long, value_name = "ID", required_unless_present = "users", conflicts_with = "users")]
    user: Option<String>,
    /// An attribute of that user, for rules (repeat it)
    #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = attribute, conflicts_with = "users")]
    attributes: Vec<(String, String)>,
    /// A file of users; `-` is stdin
    #[arg(long, value_name = "FILE|-")]
    users: Option<PathBuf>,
    /// Only count who is on and off
    #[arg(long, requires = "users")]
    count: bool,
    /// How the file is written, where its name and first line do not tell
    #[arg(long, value_parser = choice(Form::ALL), value_name = "FORMAT", requires = "users")]
    format: Option<Form>,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as region=eu".into()),
    }
}

/// One user's answer.
#[derive(Debug, Serialize)]
struct FlagEvaluation {
    flag: String,
    user: String,
    reader: Reader,
    /// `null` when it is unknown.
    on: Option<bool>,
    rev: Option<u64>,
    #[serde(flatten)]
    evaluation: Evaluation,
}

/// As JSON says it.
fn on(answer: Answer) -> Option<bool> {
    match answer {
        Answer::On => Some(true),
        Answer::Off => Some(false),
        Answer::CannotTell => None,
    }
}

fn tone(answer: Answer) -> Tone {
    match answer {
        Answer::On => Tone::Good,
        Answer::Off => Tone::Dim,
        Answer::CannotTell => Tone::Unknown,
    }
}

impl Report for FlagEvaluation {
    fn schema(&self) -> &'static str {
        "liveops.flag.eval/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let step = self.evaluation.steps.iter().find(|step| step.step == self.evaluation.decided_by);
        let because = step.map_or_else(String::new, |step| match step.step {
            StepName::Rules => step.detail.clone(),
            name => format!("{}: {}", name.word(), step.detail),
        });
        let answer = self.evaluation.answer;
        let mut blocks = vec![Block::Line(vec![
            span(&self.flag, Tone::Strong),
            plain(format!(" for {} ", self.user)),
            span(answer.word(), tone(answer)),
            span(format!("  ({because})"), Tone::Dim),
        ])];
        if let (Answer::Off, Some(from)) = (answer, self.evaluation.on_from) {
            blocks.push(Block::text(format!("would be on from {from} %")));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["user", "on"]);
        table.row(vec![plain(&self.user), plain(rows::csv_word(self.evaluation.answer))]);
        Some(table)
    }

    fn names(&self) -> Option<Vec<String>> {
        let named = self.evaluation.answer == Answer::On;
        Some(named.then(|| self.user.clone()).into_iter().collect())
    }
}

/// The attributes that the flag's rules ask for.
pub(crate) fn asked_for(flag: &Flag) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for rule in flag.rules().list() {
        if let Rule::Known { all, .. } = rule {
            names.extend(all.iter().map(|condition| condition.attribute.as_str()));
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Said where rules ask for what was not given.
fn without_attributes(flag: &Flag, given: &Map<String, Value>) -> Option<String> {
    let missing: Vec<&str> = asked_for(flag).into_iter().filter(|name| !given.contains_key(*name)).collect();
    (!missing.is_empty())
        .then(|| format!("rules ask for {}, which was not given: they were taken for missing", missing.join(", ")))
}

pub(crate) async fn load(name: &FlagName, cx: &Context) -> Result<Flag> {
    let store = cx.flags()?;
    let Some(bytes) = store.get(name).await? else {
        let all = store.all().await?;
        return Err(Error::NotFound {
            what: "flag",
            name: name.to_string(),
            candidates: all.into_iter().map(|(name, _)| name).collect(),
        });
    };
    Flag::read(&bytes).map_err(|error| Error::Declined {
        system: format!("flag `{name}`"),
        url: store.shown(),
        // As `flag lint` calls it.
        code: "E01".into(),
        why: format!("cannot be read: {error}"),
        hint: format!(
            "the services' readers fail on it too; `{}` turns it off",
            cx.command(&format!("flag kill {}", word(name.as_str())))
        ),
    })
}

pub(super) async fn run(args: EvalArgs, cx: &Context) -> Result<Exit> {
    let reader = cx.config()?.settings.flags.reader;
    if let Some(users) = &args.users {
        let request = liveops_engine::flag::eval::bulk::Request { users, count: args.count, form: args.format };
        return bulk::run(&args.name, reader, &request, cx).await;
    }
    let flag = load(&args.name, cx).await?;
    let attributes: Map<String, Value> =
        args.attributes.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
    let user = User { id: args.user.unwrap_or_default(), attributes };
    let evaluation = evaluate(Some(&flag), &args.name, reader, &user);
    let report = FlagEvaluation {
        flag: args.name.to_string(),
        on: on(evaluation.answer),
        reader,
        rev: flag.rev(),
        user: user.id,
        evaluation,
    };
    let verdict = if report.on.is_some() { Verdict::Pass } else { Verdict::Unknown };
    let next = cx.command(&format!("flag explain {} {}", word(&report.user), word(args.name.as_str())));
    let warnings = without_attributes(&flag, &user.attributes).into_iter().collect();
    cx.show(&report, Meta { verdict, warnings, ..Meta::steps(vec![Recommendation::new("every step", next)]) })?;
    Ok(verdict.into())
}
