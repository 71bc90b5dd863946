//! `liveops flag overlap`: how many of one flag's users are another's too.

use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;
use serde::Serialize;

use crate::commands::flag::{labels, name};
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::audience::{Overlap, asks_attributes, overlap};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::evaluate::{Answer, answer};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::shell::word;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag};
use liveops_engine::flag::users;

/// Show how much two flags hit the same users
///
/// Under reader `legacy-v1` the bucket depends on the user alone, so the users of the smaller percentage are all among
/// those of the larger one: two experiments at 10 % run on the same tenth. The shares are those of percentage and
/// default; with --users lists and rules count too, and each user is asked.
///
/// Exit code: 0 all known, 3 some users are unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag overlap new_matchmaking battle_pass
  liveops flag overlap new_matchmaking battle_pass --users players.txt")]
pub(super) struct OverlapArgs {
    /// One flag
    #[arg(value_name = "A", value_parser = name)]
    a: FlagName,

    /// The other
    #[arg(value_name = "B", value_parser = name)]
    b: FlagName,

    /// Users to ask about: one id a line, JSON lines, or CSV with a header; - is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    users: Option<PathBuf>,
}

/// Exact counts.
#[derive(Debug, Default, Serialize)]
struct OverlapCounts {
    pub(crate) users: u64,
    only_a: u64,
    only_b: u64,
    both: u64,
    neither: u64,
    unknown: u64,
}

impl OverlapCounts {
    fn add(&mut self, a: Answer, b: Answer) {
        self.users += 1;
        let count = match (a, b) {
            (Answer::CannotTell, _) | (_, Answer::CannotTell) => &mut self.unknown,
            (Answer::On, Answer::On) => &mut self.both,
            (Answer::On, Answer::Off) => &mut self.only_a,
            (Answer::Off, Answer::On) => &mut self.only_b,
            (Answer::Off, Answer::Off) => &mut self.neither,
        };
        *count += 1;
    }
}

/// Two flags.
#[derive(Debug, Serialize)]
struct OverlapReport {
    a: String,
    b: String,
    reader: Reader,
    expected: Overlap,
    /// `null` where no users were given.
    counted: Option<OverlapCounts>,
    #[serde(skip)]
    environment: String,
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 100_000.0).round() / 1000.0)
}

impl OverlapReport {
    fn verdict(&self) -> Verdict {
        match &self.counted {
            Some(counted) if counted.unknown > 0 => Verdict::Unknown,
            _ => Verdict::Pass,
        }
    }

    /// What the numbers mean.
    fn meaning(&self) -> String {
        let Overlap { a, b, both, independent } = self.expected;
        let (small, large) = if a <= b { (&self.a, &self.b) } else { (&self.b, &self.a) };
        if both == 0.0 {
            "by percentage and default they share nobody".into()
        } else if independent {
            "they sort users independently: as many share them as chance makes".into()
        } else if (a - b).abs() < f64::EPSILON {
            "the very same users have both: their effects cannot be separated".into()
        } else {
            format!("everybody who has {small} has {large} too: their effects cannot be separated")
        }
    }
}

impl Report for OverlapReport {
    fn schema(&self) -> &'static str {
        "liveops.flag.overlap/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let Overlap { a, b, both, .. } = self.expected;
        let mut blocks = vec![
            Block::Whole(vec![
                span(&self.a, Tone::Strong),
                plain(format!(" {}, ", percent(a))),
                span(&self.b, Tone::Strong),
                plain(format!(" {}, both {} of all users in {}", percent(b), percent(both), self.environment)),
            ]),
            Block::Whole(vec![plain(format!("  {}", self.meaning()))]),
        ];
        if let Some(counted) = &self.counted {
            blocks.push(Block::Whole(vec![plain(format!(
                "  of {} users: {} both, {} only {}, {} only {}, {} neither",
                counted.users, counted.both, counted.only_a, self.a, counted.only_b, self.b, counted.neither
            ))]));
            if counted.unknown > 0 {
                let text = format!("  {} unknown", counted.unknown);
                blocks.push(Block::Line(vec![span(text, Tone::Unknown)]));
            }
        }
        blocks
    }
}

fn readable(stored: &StoredFlag) -> Result<&Flag> {
    stored.read.as_ref().map_err(|error| {
        Error::usage(
            format!("flag `{}` cannot be read: {error}", stored.name),
            "`liveops flag lint` says what is wrong with it",
        )
    })
}

pub(super) async fn run(args: OverlapArgs, cx: &Context) -> Result<Exit> {
    cx.output.refuse_rows()?;
    if args.a == args.b {
        return Err(Error::usage(format!("`{}` overlaps with itself wholly", args.a), "name two flags"));
    }
    let store = cx.flags()?;
    let catalog = FlagCatalog::of(cx, &store).await?.only(&[args.a.clone(), args.b.clone()])?;
    let [stored_a, stored_b] = catalog.flags.as_slice() else {
        return Err(Error::internal("two names, and not two flags"));
    };
    let (a, b) = (readable(stored_a)?, readable(stored_b)?);
    let reader = catalog.reader;
    let mut counted = OverlapCounts::default();
    if let Some(path) = &args.users {
        users::each(cx, path, |user| {
            let on = |name, flag| answer(Some(flag), name, reader, &user);
            counted.add(on(&args.a, a), on(&args.b, b));
        })
        .await?;
    }
    let asks = [(&args.a, a), (&args.b, b)].into_iter().filter(|(_, flag)| asks_attributes(flag));
    let notes =
        asks.map(|(name, _)| format!("`{name}` has rules: whom they turn on or off is not in its share")).collect();
    let report = OverlapReport {
        expected: overlap((&args.a, a), (&args.b, b), reader),
        a: args.a.to_string(),
        b: args.b.to_string(),
        reader,
        counted: args.users.is_some().then_some(counted),
        environment: catalog.environment,
    };
    let explain = format!("flag explain USER {} {}", word(args.a.as_str()), word(args.b.as_str()));
    let next = labels::command(cx, "one user's way through both", &explain);
    cx.show(&report, Meta { verdict: report.verdict(), notes, ..labels::frame(next, catalog.source) })?;
    Ok(report.verdict().into())
}
