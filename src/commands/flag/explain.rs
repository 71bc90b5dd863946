//! `liveops flag explain`: why a user has a flag, or has not; every step with its values, those not reached too.

use clap::Args;
use serde::Serialize;

use crate::commands::flag::{labels, name};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::evaluate::{Answer, Evaluation, evaluate};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::percent::Percent;
use liveops_domain::flag::reader::Reader;
use liveops_domain::flag::user::User;
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::shell::word;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag};
use liveops_engine::flag::user_attributes::{Attribute, attribute};

/// Say why a user has a flag or has not: each step, with its values
///
/// Asks as the services' reader does, step by step in its order. Steps that it does not come to are shown with what
/// they would have said, and the flag with the percentage from which this user is on. Without a name all flags are
/// asked.
///
/// Exit code: 0 all known (on or off), 3 some flag is unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag explain player-42 new_matchmaking
  liveops flag explain player-42                               # all flags, one line each
  liveops flag explain player-42 winter_event --attr region=eu
  liveops flag explain '' new_matchmaking                      # somebody who is not logged in")]
pub(super) struct ExplainArgs {
    /// The id that the services pass; '' is a user without an id
    #[arg(value_name = "USER")]
    user: String,

    /// Flags to ask; all of them when none is named
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<FlagName>,

    /// What rules ask about the user, such as region=eu; may be repeated
    #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = attribute)]
    attributes: Vec<Attribute>,
}

/// One flag for one user.
#[derive(Debug, Serialize)]
struct FlagExplanation {
    flag: String,
    answer: Answer,
    /// The step that decides.
    decided_by: Option<&'static str>,
    /// Why it cannot be told at all: bytes that are no flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
    /// What reader `v2` would say, where that is not the reader in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    v2: Option<Answer>,
    rev: Option<u64>,
    #[serde(flatten)]
    evaluation: Option<Steps>,
}

/// The part of an evaluation that there is only for a flag that can be read.
#[derive(Debug, Serialize)]
struct Steps {
    bucket: u32,
    on_from: Option<Percent>,
    steps: Vec<liveops_domain::flag::evaluate::Step>,
}

/// All that was asked.
#[derive(Debug, Serialize)]
struct Explanation {
    user: String,
    reader: Reader,
    flags: Vec<FlagExplanation>,
    #[serde(skip)]
    environment: String,
    #[serde(skip)]
    cache_seconds: u64,
}

impl FlagExplanation {
    fn new(stored: &StoredFlag, reader: Reader, user: &User) -> Self {
        let (name, flag) = match (stored.name.parse::<FlagName>(), &stored.read) {
            (Ok(name), Ok(flag)) => (name, flag),
            (Err(error), _) => return Self::unreadable(stored, error.to_string()),
            (_, Err(error)) => return Self::unreadable(stored, error.to_string()),
        };
        let Evaluation { answer, decided_by, steps, bucket, on_from } = evaluate(Some(flag), &name, reader, user);
        let other = (reader != Reader::V2).then(|| evaluate(Some(flag), &name, Reader::V2, user).answer);
        Self {
            flag: stored.name.clone(),
            answer,
            decided_by: Some(decided_by.word()),
            malformed: None,
            v2: other,
            rev: flag.rev(),
            evaluation: Some(Steps { bucket, on_from, steps }),
        }
    }

    fn unreadable(stored: &StoredFlag, why: String) -> Self {
        Self {
            flag: stored.name.clone(),
            answer: Answer::CannotTell,
            decided_by: None,
            malformed: Some(why),
            v2: None,
            rev: None,
            evaluation: None,
        }
    }

    fn on_from(&self) -> Option<Percent> {
        self.evaluation.as_ref().and_then(|known| known.on_from)
    }

    /// From which percentage on, in words.
    fn turning(&self) -> String {
        match (self.answer, self.on_from()) {
            (_, Some(Percent::NOBODY)) => "on at any percentage".into(),
            (Answer::On, Some(from)) => format!("on from {from} % up; off below"),
            (_, Some(from)) => format!("on from {from} % up, everything else as it is"),
            (Answer::CannotTell, None) => "at which percentage is unknown".into(),
            (_, None) => "off at every percentage, everything else as it is".into(),
        }
    }

    /// The line of a list.
    fn row(&self, view: &View) -> Vec<crate::output::block::Span> {
        let tone = labels::answer(self.answer);
        let decided = self.evaluation.as_ref().and_then(|known| {
            let step = known.steps.iter().find(|step| Some(step.step.word()) == self.decided_by)?;
            Some(format!("{}: {}", step.step.word(), step.detail))
        });
        let why = decided.or_else(|| self.malformed.clone()).unwrap_or_default();
        let from = match self.on_from() {
            Some(Percent::NOBODY) => "at any %".to_owned(),
            Some(from) => format!("from {from} %"),
            None => String::new(),
        };
        vec![
            labels::answer_mark(self.answer, view),
            plain(&self.flag),
            span(self.answer.word(), tone),
            plain(why),
            span(from, Tone::Dim),
        ]
    }

    /// The whole way, step by step.
    fn story(&self, user: &str, view: &View) -> Vec<Block> {
        let tone = labels::answer(self.answer);
        let by = self.decided_by.map_or_else(String::new, |step| format!(", by its {step}"));
        let mut blocks = vec![Block::Whole(vec![
            labels::answer_mark(self.answer, view),
            span(format!(" {}", self.flag), Tone::Strong),
            plain(format!(" for {user}: ")),
            span(self.answer.word(), tone),
            plain(by),
        ])];
        if let Some(why) = &self.malformed {
            blocks.push(Block::Whole(vec![span(format!("    it cannot be read: {why}"), Tone::Bad)]));
        }
        let mut table = Table::new(["", "", "", ""]).indent(2).fixed(&[0, 1]);
        let steps = self.evaluation.iter().flat_map(|known| &known.steps);
        for (number, step) in steps.enumerate() {
            let decides = step.reached && step.answer.is_some();
            let (tone, says) = match (step.reached, step.answer) {
                (true, Some(answer)) => (labels::answer(answer), answer.word().to_owned()),
                (true, None) => (Tone::Plain, "goes on".to_owned()),
                (false, Some(answer)) => (Tone::Dim, format!("not reached ({})", answer.word())),
                (false, None) => (Tone::Dim, "not reached".to_owned()),
            };
            let text = if decides {
                tone
            } else if step.reached {
                Tone::Plain
            } else {
                Tone::Dim
            };
            table.row(vec![
                span(format!("{}", number + 1), Tone::Dim),
                span(step.step.word(), text),
                span(&step.detail, text),
                span(says, tone),
            ]);
        }
        blocks.push(Block::Table(table));
        if self.evaluation.is_some() {
            let v2 = self.v2.map_or_else(String::new, |answer| format!("; reader v2 would say {}", answer.word()));
            blocks.push(Block::Whole(vec![plain(format!("  {}{v2}", self.turning()))]));
        }
        blocks
    }
}

impl Explanation {
    fn verdict(&self) -> Verdict {
        let unknown = |one: &FlagExplanation| one.answer == Answer::CannotTell;
        if self.flags.iter().any(unknown) { Verdict::Unknown } else { Verdict::Pass }
    }

    fn whom(&self) -> String {
        if self.user.is_empty() { "somebody without an id (anonymous)".into() } else { self.user.clone() }
    }
}

impl Report for Explanation {
    fn schema(&self) -> &'static str {
        "liveops.flag.explain/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        match self.flags.as_slice() {
            [] => blocks.push(Block::text("there are no flags")),
            [one] => blocks.extend(one.story(&self.whom(), view)),
            many => {
                let on = many.iter().filter(|one| one.answer == Answer::On).count();
                blocks.push(Block::Whole(vec![
                    span(self.whom(), Tone::Strong),
                    plain(format!(": {on} of {} flags on in {}", many.len(), self.environment)),
                ]));
                let mut table = Table::new(["", "flag", "is", "why", "on"]).fixed(&[0, 2, 4]);
                for one in many {
                    table.row(one.row(view));
                }
                blocks.push(Block::Table(table));
            }
        }
        blocks.push(Block::Line(vec![span(
            format!(
                "  by reader {}; servers may still hold what was there {} s ago",
                self.reader.word(),
                self.cache_seconds
            ),
            Tone::Dim,
        )]));
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["flag", "user", "answer", "decided_by", "bucket", "on_from", "v2"]);
        for one in &self.flags {
            let known = one.evaluation.as_ref();
            table.row(vec![
                plain(&one.flag),
                plain(&self.user),
                plain(one.answer.word()),
                plain(one.decided_by.unwrap_or("malformed")),
                plain(known.map(|known| known.bucket.to_string()).unwrap_or_default()),
                plain(one.on_from().map(|from| from.to_string()).unwrap_or_default()),
                plain(one.v2.map(Answer::word).unwrap_or_default()),
            ]);
        }
        Some(table)
    }
}

/// What to type next: with one flag what would change the answer, with many the first that is not told.
fn next(user: &str, asked: &[FlagExplanation], cx: &Context) -> Recommendation {
    let (text, command) = match asked {
        [one] => match (one.answer, one.on_from()) {
            (_, Some(from)) if one.answer == Answer::Off && from > Percent::NOBODY => (
                "to switch this user on, and everybody before",
                format!("flag set {} --pct {} --dry-run", word(&one.flag), from),
            ),
            (Answer::CannotTell, _) if one.malformed.is_none() => {
                ("say what the rules ask about", format!("flag get {}", word(&one.flag)))
            }
            _ => ("the whole flag", format!("flag get {}", word(&one.flag))),
        },
        many => {
            let first = many
                .iter()
                .find(|one| one.answer == Answer::CannotTell)
                .or_else(|| many.iter().find(|one| one.answer == Answer::Off))
                .or(many.first());
            match first {
                Some(first) => ("step by step", format!("flag explain {} {}", word(user), word(&first.flag))),
                None => ("the flags", "flag list".to_owned()),
            }
        }
    };
    Recommendation::new(text, cx.command(&command))
}

pub(super) async fn run(args: ExplainArgs, cx: &Context) -> Result<Exit> {
    let store = cx.flags()?;
    let catalog = FlagCatalog::of(cx, &store).await?.only(&args.names)?;
    let mut user = User::new(args.user);
    user.attributes.extend(args.attributes.into_iter().map(Attribute::into_pair));
    let flags: Vec<FlagExplanation> =
        catalog.flags.iter().map(|stored| FlagExplanation::new(stored, catalog.reader, &user)).collect();
    let next = next(&user.id, &flags, cx);
    let report = Explanation {
        user: user.id,
        reader: catalog.reader,
        flags,
        environment: catalog.environment,
        cache_seconds: cx.config()?.settings.flags.cache_ttl.as_secs(),
    };
    cx.show(&report, Meta { verdict: report.verdict(), ..labels::frame(next, catalog.source) })?;
    Ok(report.verdict().into())
}
