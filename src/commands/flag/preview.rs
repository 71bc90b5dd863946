//! `liveops flag preview`: who would be switched on, and who off, before anything is changed.

use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;
use serde::Serialize;
use tokio::time::Instant;

use crate::commands::flag::{labels, name};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::format::Format;
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::audience::{Flip, flip};
use liveops_domain::flag::edit::{Edit, EditError, SetEdit, apply};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::percent::Percent;
use liveops_domain::flag::reader::Reader;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::shell::word;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag, answered};
use liveops_engine::flag::summary::Summary;
use liveops_engine::flag::users;
use liveops_engine::flagstore::FlagStore as _;

/// Show who would be switched on and off by another percentage
///
/// Nothing is changed. With --users each of them is asked before and after, as the services' reader would; without, the
/// expected share is shown. Lists and rules count as they do in production, so the percentage may do less than it says.
///
/// Exit code: 0 all known, 3 some users are unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag preview new_matchmaking --pct 25
  liveops flag preview new_matchmaking --pct 25 --users players.txt
  liveops flag preview new_matchmaking --pct 25 --users players.csv -o name    # the ids that flip

A file of users has one id a line, one JSON object with an `id` a line, or is CSV with a header (the file's name
ends in .csv, or a column is called `id`); - is stdin.")]
pub(crate) struct PreviewArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    /// The percentage to try
    #[arg(long, value_name = "N")]
    pct: Percent,

    /// Users to ask about
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    users: Option<PathBuf>,

    /// How many ids to show of each kind; -o name and -o csv list all that flip
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

/// Users of one kind: how many, and some of them.
#[derive(Debug, Default, Serialize)]
struct Group {
    count: u64,
    ids: Vec<String>,
}

/// What would become of the users that were given.
#[derive(Debug, Default, Serialize)]
struct Flips {
    turns_on: Group,
    turns_off: Group,
    stays_on: u64,
    stays_off: u64,
    unknown: Group,
}

impl Flips {
    fn add(&mut self, flip: Flip, id: String, limit: usize) {
        let group = match flip {
            Flip::TurnsOn => &mut self.turns_on,
            Flip::TurnsOff => &mut self.turns_off,
            Flip::CannotTell => &mut self.unknown,
            Flip::StaysOn => return self.stays_on += 1,
            Flip::StaysOff => return self.stays_off += 1,
        };
        group.count += 1;
        if group.ids.len() < limit {
            group.ids.push(id);
        }
    }

    fn all(&self) -> u64 {
        self.turns_on.count + self.turns_off.count + self.unknown.count + self.stays_on + self.stays_off
    }
}

/// A change that is only thought of.
#[derive(Debug, Serialize)]
struct Preview {
    flag: String,
    reader: Reader,
    percentage: Percent,
    now: Summary,
    then: Summary,
    /// `null` where no users were given.
    users: Option<Flips>,
    #[serde(skip)]
    environment: String,
}

impl Preview {
    fn verdict(&self) -> Verdict {
        match &self.users {
            Some(users) if users.unknown.count > 0 => Verdict::Unknown,
            _ => Verdict::Pass,
        }
    }

    fn draw(&self, users: &Flips, view: &View) -> Vec<Block> {
        let on = |more: u64, stays: u64| format!("{} of {} users", more + stays, users.all());
        let mut blocks = vec![Block::Line(vec![plain(format!(
            "  {} are on now, {} then",
            on(users.turns_off.count, users.stays_on),
            users.turns_on.count + users.stays_on
        ))])];
        for (group, tone, what) in [
            (&users.turns_on, Tone::Good, "switched on"),
            (&users.turns_off, Tone::Bad, "switched off"),
            (&users.unknown, Tone::Unknown, "unknown"),
        ] {
            if group.count == 0 {
                continue;
            }
            let more = group.count - group.ids.len() as u64;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            blocks.push(Block::Whole(vec![
                plain("  "),
                tone::mark(tone, view),
                span(format!(" {} {what}", group.count), tone),
                plain(format!(": {}{more}", group.ids.join(", "))),
            ]));
        }
        if users.turns_on.count + users.turns_off.count + users.unknown.count == 0 {
            blocks.push(Block::text("  nobody of them is switched"));
        }
        blocks
    }
}

impl Report for Preview {
    fn schema(&self) -> &'static str {
        "liveops.flag.preview/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = vec![
            Block::Line(vec![
                span(&self.flag, Tone::Strong),
                plain(format!(" in {} at {} %, not done yet", self.environment, self.percentage)),
            ]),
            Block::Whole(vec![plain(format!("  now   {}", self.now.audience))]),
            Block::Whole(vec![plain(format!("  then  {}", self.then.audience))]),
        ];
        match &self.users {
            Some(users) => {
                blocks.push(Block::Blank);
                blocks.extend(self.draw(users, view));
            }
            None => {
                blocks.push(Block::Line(vec![span("  with `--users FILE` each of your users is asked", Tone::Dim)]));
            }
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let users = self.users.as_ref()?;
        let mut table = Table::new(["user", "flip"]);
        for (group, what) in
            [(&users.turns_on, "turns_on"), (&users.turns_off, "turns_off"), (&users.unknown, "unknown")]
        {
            for id in &group.ids {
                table.row(vec![plain(id), plain(what)]);
            }
        }
        Some(table)
    }
}

pub(crate) async fn run(args: PreviewArgs, cx: &Context) -> Result<Exit> {
    if args.users.is_none() {
        cx.output.refuse_rows()?;
    }
    let store = cx.flags()?;
    let reader = cx.config()?.settings.flags.reader;
    let began = Instant::now();
    let before = store.get(&args.name).await?;
    let source = answered(began);
    let edit = Edit::Set(SetEdit { percentage: Some(args.pct), ..SetEdit::default() });
    let Some(raw) = before else {
        return Err(FlagCatalog::of(cx, &store).await?.no_such(&args.name));
    };
    let named = word(args.name.as_str());
    let after = apply(Some(&raw), &edit, reader).map_err(|error| {
        let hint = match error {
            EditError::NobodyOn(_) => format!(
                "what would be meant: `{}`",
                cx.command(&format!("flag set {named} --pct {} --default true --dry-run", args.pct))
            ),
            _ => format!("look at it: `{}`", cx.command(&format!("flag get {named}"))),
        };
        Error::usage(error.to_string(), hint)
    })?;
    let after = after.unwrap_or_default();
    let [now, then] = [raw, after].map(|raw| StoredFlag::new(args.name.to_string(), raw));
    let limit = match cx.output.format() {
        Format::Csv | Format::Name => usize::MAX,
        _ => args.limit,
    };
    let mut flips = Flips::default();
    if let Some(path) = &args.users {
        users::each(cx, path, |user| {
            let (before, after) = (now.read.as_ref().ok(), then.read.as_ref().ok());
            let flip = flip(before, after, &args.name, reader, &user);
            flips.add(flip, user.id, limit);
        })
        .await?;
    }
    let report = Preview {
        flag: args.name.to_string(),
        reader,
        percentage: args.pct,
        now: Summary::new(&now, reader),
        then: Summary::new(&then, reader),
        users: args.users.is_some().then_some(flips),
        environment: cx.environment()?.to_owned(),
    };
    let next = labels::command(cx, "to do it", &format!("flag set {named} --pct {}", args.pct));
    cx.show(&report, Meta { verdict: report.verdict(), ..labels::frame(next, source) })?;
    Ok(report.verdict().into())
}
