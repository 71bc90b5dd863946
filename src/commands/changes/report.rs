//! The report of `liveops changes`: the timeline, the break, the suspects, and who did not answer.

use chrono::{DateTime, Utc};
use liveops_domain::text::count::count;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::change::timeline::breaks::{Break, TooYoung, Uncovered};
use liveops_domain::change::timeline::rank::Suspect;
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::error::{Exit, Result};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::status::source::{Outcome, Recommendation, Source, SourceState, Verdict};
use liveops_domain::text::time::rfc3339;
use liveops_engine::changes::Found;
use liveops_engine::changes::suspects::BreakLook;

/// Suspects that a screen shows.
const SUSPECTS: usize = 5;

/// Changes that a screen shows, the newest; the others are counted.
const SHOWN: usize = 40;

/// What was found around a KPI.
#[derive(Debug, Serialize)]
struct Around {
    kpi: String,
    #[serde(rename = "break")]
    broken: Option<Break>,
    /// The end of the series, of which nothing can be said yet.
    too_young: Option<TooYoung>,
    /// What the series does not cover of the time.
    #[serde(flatten)]
    uncovered: Uncovered,
    /// Why the series is not whole.
    partial: Option<String>,
    /// Why nothing can be said.
    error: Option<String>,
    suspects: Vec<Suspect>,
    #[serde(skip)]
    unit: liveops_domain::metric::quantity::Unit,
}

impl Around {
    /// Since when a break may be there that is too young to tell.
    fn begun(&self) -> Option<DateTime<Utc>> {
        self.too_young.filter(|_| self.broken.is_none())?.may_have_begun
    }

    fn is_unknown(&self) -> bool {
        let is_part = self.broken.is_none() && self.partial.is_some();
        self.error.is_some() || self.begun().is_some() || self.uncovered.ended.is_some() || is_part
    }

    /// Did it break to the better?
    fn is_better(&self) -> bool {
        self.broken.as_ref().is_some_and(|broken| broken.hurts == Some(false))
    }
}

/// What changed.
#[derive(Debug, Serialize)]
pub(crate) struct ChangesReport {
    since: String,
    until: String,
    service: Option<String>,
    /// Oldest first.
    pub(super) changes: Vec<Change>,
    around: Option<Around>,
    /// Who did not answer.
    #[serde(skip)]
    down: Vec<Source>,
}

impl ChangesReport {
    pub(super) fn new(cx: &Context, since: DateTime<Utc>, service: Option<String>, found: Found) -> Self {
        Self {
            since: rfc3339(since),
            until: rfc3339(cx.clock.now()),
            service,
            changes: found.changes,
            around: None,
            down: found.sources.into_iter().filter(|source| source.state == SourceState::Down).collect(),
        }
    }

    /// Adds what was found around a KPI.
    pub(super) fn around(&mut self, kpi: &Kpi, looked: Result<BreakLook>, suspects: Vec<Suspect>) {
        let (kpi, unit) = (kpi.name.clone(), kpi.unit.clone());
        self.around = Some(match looked {
            Ok(BreakLook { broken, young, uncovered, partial }) => {
                Around { kpi, broken, too_young: Some(young), uncovered, partial, error: None, suspects, unit }
            }
            Err(error) => Around {
                kpi,
                broken: None,
                too_young: None,
                uncovered: Uncovered::default(),
                partial: None,
                error: Some(error.to_string()),
                suspects,
                unit,
            },
        });
    }

    /// Nothing is bad about a change; that a break cannot be told is unknown.
    pub(super) fn exit(&self) -> Exit {
        match &self.around {
            Some(around) if around.is_unknown() => Exit::Unknown,
            _ => Exit::Good,
        }
    }

    pub(super) fn meta(&self, sources: Vec<Source>) -> Meta {
        Meta {
            outcome: if self.down.is_empty() { Outcome::Success } else { Outcome::Partial },
            verdict: match &self.around {
                Some(around) if around.is_unknown() => Verdict::Unknown,
                Some(around) if around.broken.is_some() && !around.is_better() => Verdict::Warn,
                _ => Verdict::Pass,
            },
            sources,
            ..Meta::steps(self.next())
        }
    }

    fn next(&self) -> Vec<Recommendation> {
        let suspects = self.around.iter().flat_map(|around| &around.suspects);
        let mut next: Vec<Recommendation> = suspects
            .filter_map(|suspect| suspect.change.revert.clone())
            .take(1)
            .map(|command| Recommendation::new("take the first suspect back", command))
            .collect();
        if self.around.is_none() {
            next.push(Recommendation::new("find what broke a figure", "liveops changes --around error_rate"));
        } else if next.is_empty() {
            next.push(Recommendation::new("look at everything", "liveops status"));
        }
        next
    }

    fn headline(&self) -> String {
        let of = self.service.as_ref().map_or_else(String::new, |service| format!(" of {service}"));
        match self.changes.len() {
            0 => format!("nothing is known to have changed{of}"),
            n => format!("{}{of}", count(n, "change")),
        }
    }

    fn around_blocks(&self, around: &Around, view: &View) -> Vec<Block> {
        if let Some(error) = &around.error {
            return vec![
                Block::Whole(vec![
                    tone::mark(Tone::Unknown, view),
                    span(format!(" whether {} broke is unknown: {error}", around.kpi), Tone::Unknown),
                ]),
                Block::Blank,
            ];
        }
        let unknown = |text: String| vec![tone::mark(Tone::Unknown, view), span(format!(" {text}"), Tone::Unknown)];
        let kpi = &around.kpi;
        let mut blocks = Vec::new();
        if let Some(at) = around.uncovered.ended {
            let time = view.time(at);
            blocks.push(Block::Whole(unknown(format!(
                "{kpi} has no value after {time}: whether it broke then is unknown"
            ))));
        }
        if let Some(why) = &around.partial {
            blocks.push(Block::Whole(unknown(format!("only a part of {kpi} was looked at: {why}"))));
        }
        let Some(broken) = &around.broken else {
            let seconds = around.too_young.map_or(0, |young| young.seconds);
            let young = format!("the last {seconds} s are too young to tell");
            let begins = around.uncovered.begins.map(|at| format!("; it has no value before {}", view.time(at)));
            match (around.begun(), blocks.is_empty()) {
                (Some(at), _) => {
                    let time = view.time(at);
                    blocks
                        .push(Block::Whole(unknown(format!("{kpi} may have broken {time}: {young}; look again then"))));
                }
                (None, true) => blocks.push(Block::Whole(vec![
                    tone::mark(Tone::Good, view),
                    plain(format!(" {kpi} has no break; {young}{}", begins.unwrap_or_default())),
                ])),
                (None, false) => {}
            }
            blocks.push(Block::Blank);
            return blocks;
        };
        let when = match broken.is_in_a_gap() {
            true => {
                format!("between {} and {}, without a value in between", view.time(broken.after), view.time(broken.at))
            }
            false => view.time(broken.at),
        };
        let (from, to) = (around.unit.show(broken.from), around.unit.show(broken.to));
        let mark = if around.is_better() { Tone::Good } else { Tone::Bad };
        blocks.push(Block::Line(vec![
            tone::mark(mark, view),
            span(format!(" {kpi} went from {from} to {to} {when}"), Tone::Strong),
        ]));
        if around.suspects.is_empty() {
            blocks.push(Block::text("  no change before it is a suspect"));
        }
        for (index, suspect) in around.suspects.iter().take(SUSPECTS).enumerate() {
            blocks.push(Block::Line(vec![
                span(format!("  {}. ", index + 1), Tone::Strong),
                plain(suspect.change.what.clone()),
            ]));
            let by = suspect.change.by.as_ref().map_or_else(String::new, |by| format!("; by {by}"));
            blocks.push(Block::Line(vec![span(format!("     {}{by}", suspect.reasons.join("; ")), Tone::Dim)]));
        }
        blocks.push(Block::Blank);
        blocks
    }
}

fn of_kind(kind: Kind) -> Span {
    let tone = match kind {
        Kind::Deploy | Kind::Migration | Kind::Config => Tone::Warn,
        Kind::Flag | Kind::Scale => Tone::Strong,
        Kind::Incident => Tone::Bad,
        _ => Tone::Dim,
    };
    span(kind.word(), tone)
}

impl Report for ChangesReport {
    fn schema(&self) -> &'static str {
        "liveops.changes/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        if let Some(around) = &self.around {
            blocks.extend(self.around_blocks(around, view));
        }
        blocks.push(Block::heading(format!("{} since {}", self.headline(), self.since)));
        let hidden = self.changes.len().saturating_sub(SHOWN);
        if hidden > 0 {
            blocks.push(Block::Line(vec![span(
                format!("  {hidden} older ones are in `-o json` and `-o csv`"),
                Tone::Dim,
            )]));
        }
        if !self.changes.is_empty() {
            let mut table = Table::new(["", "", "", ""]).fixed(&[0, 1]).indent(2);
            for change in &self.changes[hidden..] {
                table.row(vec![
                    span(view.time(change.at), Tone::Dim),
                    of_kind(change.kind),
                    plain(&change.what),
                    span(change.by.as_deref().unwrap_or_default(), Tone::Dim),
                ]);
            }
            blocks.push(Block::Table(table));
        }
        if !self.down.is_empty() {
            blocks.push(Block::Blank);
        }
        for source in &self.down {
            blocks.push(Block::Whole(vec![
                tone::mark(Tone::Unknown, view),
                span(format!(" {}: ", source.name), Tone::Unknown),
                plain(source.error.as_deref().unwrap_or("no answer")),
            ]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["time", "kind", "source", "service", "what", "by", "revert"]);
        let text = |text: &Option<String>| plain(text.clone().unwrap_or_default());
        for change in &self.changes {
            table.row(vec![
                plain(rfc3339(change.at)),
                plain(change.kind.word()),
                plain(change.source),
                text(&change.service),
                plain(&change.what),
                text(&change.by),
                text(&change.revert),
            ]);
        }
        Some(table)
    }
}
