//! `liveops incident timeline`: everything that was written down, in the order in which it happened.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::commands::incident::pick::which;
use crate::commands::incident::view::clock;
use crate::commands::incident::{Which, store};
use crate::context::Context;
use crate::domain::incident::event::kind;
use crate::domain::journal::Event;
use crate::error::{Exit, Result};
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Recommendation, Report, Verdict};
use crate::output::view::{View, rfc3339};

/// Print an incident's journal in the order in which things happened
///
/// With `--notifications` also how each message went.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops incident timeline
  liveops incident timeline matchmaking -o csv > timeline.csv
  liveops incident timeline -o json | jq -r '.data.events[] | [.at, .by, .text] | @tsv'")]
pub(super) struct TimelineArgs {
    /// Incident, or a part of its id [default: the one that is open]
    #[arg(value_name = "ID")]
    id: Option<String>,

    #[command(flatten)]
    which: Which,

    /// Also how each message went
    #[arg(long)]
    notifications: bool,
}

/// An event as people read it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    id: Option<String>,
    #[serde(serialize_with = "time")]
    at: DateTime<Utc>,
    by: String,
    #[serde(rename = "type")]
    kind: String,
    pub(crate) text: String,
    data: Value,
}

fn time<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// The line of an event: its kind in a word, and its text.
pub(crate) fn line(event: &Event) -> Line {
    Line {
        id: event.id.clone(),
        at: event.at,
        by: event.by.clone(),
        kind: event.kind.clone(),
        text: words(event),
        data: event.data.clone(),
    }
}

fn words(event: &Event) -> String {
    let said = |key: &str| event.data.get(key).and_then(Value::as_str);
    let text = said("text");
    let with = |head: String| match text {
        Some(text) => format!("{head}: {text}"),
        None => head,
    };
    let get = |key: &str| said(key).unwrap_or_default().to_owned();
    let happened = said("occurred_at").map_or_else(String::new, |at| format!(" (happened {at})"));
    match event.kind.as_str() {
        kind::OPENED => format!("opened {}: {}", get("severity").to_uppercase(), get("title")),
        kind::ACKED => with("acknowledged".into()),
        kind::MITIGATED => with(format!("mitigated{happened}")),
        kind::RESOLVED => match said("check") {
            Some(check) => format!("{} [{check}]", with(format!("resolved{happened}"))),
            None => with(format!("resolved{happened}")),
        },
        kind::REOPENED => with("reopened".into()),
        kind::SEVERITY => with(format!("severity is {} now", get("severity").to_uppercase())),
        kind::ROLE => format!("{} is {} now", get("person"), get("role")),
        kind::ESCALATED if get("to").is_empty() => with("escalated".into()),
        kind::ESCALATED => with(format!("escalated to {}", get("to"))),
        kind::HANDOFF => with(format!("handed to {}", get("to"))),
        kind::AMENDED => with(format!("{} is {}, was {}", get("field"), get("to"), said("was").unwrap_or("nothing"))),
        kind::EVIDENCE => with(get("name")),
        "journal.repaired" => "a half-written line was set aside".into(),
        _ => text.map_or_else(|| event.kind.clone(), ToOwned::to_owned),
    }
}

impl Line {
    /// `03:12Z ada  opened P1: matchmaking down`.
    pub(super) fn block(&self, view: &View) -> Block {
        let tone = match self.kind.as_str() {
            kind::OPENED | kind::REOPENED | kind::ESCALATED => Tone::Bad,
            kind::ACKED | kind::MITIGATED | kind::SEVERITY => Tone::Warn,
            kind::RESOLVED => Tone::Good,
            kind::NOTIFICATION | kind::EVIDENCE => Tone::Dim,
            _ => Tone::Plain,
        };
        Block::Whole(vec![
            span(clock(self.at, view.now), Tone::Dim),
            plain(format!("  {}  ", self.by)),
            span(self.text.clone(), tone),
        ])
    }
}

/// The whole journal.
#[derive(Debug, Serialize)]
struct Timeline {
    incident: String,
    events: Vec<Line>,
    /// Messages that are not shown.
    left_out: usize,
    faults: Vec<String>,
    #[serde(skip)]
    environment: String,
}

pub(super) fn run(args: &TimelineArgs, cx: &Context) -> Result<Exit> {
    let named = args.id.as_deref().or(args.which.incident.as_deref());
    let id = which(cx, named, "timeline")?;
    let story = store(cx)?.story(&id)?;
    let shown = |event: &&Event| args.notifications || event.kind != kind::NOTIFICATION;
    let events: Vec<Line> = story.events.iter().filter(shown).map(line).collect();
    let report = Timeline {
        left_out: story.events.len() - events.len(),
        events,
        faults: story.faults,
        environment: story.incident.environment,
        incident: id,
    };
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

impl Report for Timeline {
    const SCHEMA: &'static str = "liveops.incident.timeline/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks: Vec<Block> = self.events.iter().map(|line| line.block(view)).collect();
        for fault in &self.faults {
            let text = format!("JOURNAL: {fault}");
            blocks.push(Block::Whole(vec![span(text, Tone::Bad)]));
        }
        if self.left_out > 0 {
            let text = format!("{} messages left out; `--notifications` shows them", self.left_out);
            blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
        }
        blocks.push(Block::Blank);
        let next = format!("liveops incident show {}", self.incident);
        blocks.push(Block::next("next", next));
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["id", "at", "by", "type", "text"]);
        for line in &self.events {
            table.row(vec![
                plain(line.id.clone().unwrap_or_default()),
                plain(rfc3339(line.at)),
                plain(&line.by),
                plain(&line.kind),
                plain(&line.text),
            ]);
        }
        Some(table)
    }

    fn meta(&self) -> Meta {
        let next = format!("liveops incident show {}", self.incident);
        Meta {
            environment: Some(self.environment.clone()),
            verdict: if self.faults.is_empty() { Verdict::Pass } else { Verdict::Warn },
            recommendations: vec![Recommendation::new("next", next)],
            warnings: self.faults.clone(),
            ..Meta::default()
        }
    }
}
