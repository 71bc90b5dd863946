//! `liveops page who`: who is on call, until when, by which channels, and who comes next.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::rota::Shift;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::time::rfc3339;
use liveops_domain::zone::Zone;
use liveops_engine::incident::on_call::{channel_names, on_call, ways};
use liveops_engine::query::window;

/// Show who is on call now, until when, and who comes next
///
/// The schedule stands below `notify.schedule` of liveops.yaml: a calendar file, or people in turn. A page goes to who is on
/// call, then to each who comes after; an escalation begins with the next.
///
/// Exit code 1 when nobody is on call, or nothing reaches who is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops page who
  liveops page who --at \"2026-12-24 20:00\"")]
pub(super) struct WhoArgs {
    /// At this time: `2026-12-24 20:00` (UTC), RFC 3339
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// A person's turn, with the ways to reach them.
struct Turn {
    shift: Shift,
    ways: Vec<String>,
}

/// Who is called at a time.
struct WhoIsCalled {
    at: DateTime<Utc>,
    zone: Zone,
    is_covered: bool,
    turns: Vec<Turn>,
}

pub(super) fn run(args: &WhoArgs, cx: &Context) -> Result<Exit> {
    let now = cx.clock.now();
    let at = args.at.as_deref().map_or(Ok(now), |text| window::time(text, now))?;
    let found = on_call(cx, at)?;
    let (Some(found), Some(schedule)) = (found, &cx.config()?.settings.notify.schedule) else {
        return Err(Error::Unconfigured {
            what: "on-call schedule",
            environment: cx.environment()?.to_owned(),
            hint: "write `schedule: { who: rota.ics }` or a `rotation` below `notify` in liveops.yaml; `liveops page list` shows who is called without one".into(),
        });
    };
    let channels = channel_names(cx);
    let turns = found.line.into_iter().map(|shift| Turn { ways: ways(schedule, &channels, &shift.who), shift });
    let report = WhoIsCalled { at, zone: schedule.rota.zone, is_covered: found.is_covered, turns: turns.collect() };
    let is_good = report.is_covered && report.turns.first().is_some_and(|turn| !turn.ways.is_empty());
    let verdict = if is_good { Verdict::Pass } else { Verdict::Fail };
    let meta = Meta { verdict, warnings: found.odd, ..Meta::next("who hears of what", "liveops page list").dense() };
    cx.show(&report, meta)?;
    Ok(if is_good { Exit::Good } else { Exit::Bad })
}

impl Serialize for WhoIsCalled {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let turn = |turn: &Turn| {
            json!({
                "who": turn.shift.who,
                "from": rfc3339(turn.shift.from),
                "to": rfc3339(turn.shift.to),
                "channels": turn.ways,
            })
        };
        let (now, next) = self.turns.split_at(usize::from(self.is_covered));
        json!({
            "at": rfc3339(self.at),
            "time_zone": self.zone.to_string(),
            "on_call": now.first().map(turn),
            "next": next.iter().map(turn).collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

impl WhoIsCalled {
    fn clock(&self, at: DateTime<Utc>) -> String {
        self.zone.local(at).format("%a %Y-%m-%d %H:%M").to_string()
    }

    fn reached(turn: &Turn) -> String {
        if turn.ways.is_empty() { "nothing reaches them".to_owned() } else { turn.ways.join(", then ") }
    }
}

impl Report for WhoIsCalled {
    fn schema(&self) -> &'static str {
        "liveops.page.who/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let (now, next) = self.turns.split_at(usize::from(self.is_covered));
        let mut blocks = Vec::new();
        match now.first() {
            Some(turn) => {
                let tone = if turn.ways.is_empty() { Tone::Bad } else { Tone::Good };
                blocks.push(Block::Whole(vec![
                    mark(tone, view),
                    plain(" "),
                    span(&turn.shift.who, Tone::Strong),
                    plain(format!(" is on call until {} ({}): ", self.clock(turn.shift.to), self.zone)),
                    span(Self::reached(turn), tone),
                ]));
            }
            None => blocks.push(Block::Whole(vec![
                mark(Tone::Bad, view),
                span(format!(" NOBODY IS ON CALL at {} ({})", self.clock(self.at), self.zone), Tone::Bad),
            ])),
        }
        if !next.is_empty() {
            blocks.push(Block::heading("then"));
            let mut table = Table::new(["who", "from", "to", "reached by"]).fixed(&[0, 1, 2]);
            for turn in next {
                let (from, to) = (self.clock(turn.shift.from), self.clock(turn.shift.to));
                table.row(vec![plain(&turn.shift.who), plain(from), plain(to), plain(Self::reached(turn))]);
            }
            blocks.push(Block::Table(table));
        }
        blocks
    }
}
