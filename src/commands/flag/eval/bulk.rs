//! Users from a file or a pipe: one thread reads, one a core decides, and what they write comes out in order.
//!
//! Everything in between is bounded, so that memory does not grow with the input. The threads work on their own while
//! the command stays open for signals.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use serde::Serialize;
use tokio::sync::mpsc as tokio_mpsc;

use crate::commands::flag::eval::lines::{Piece, Question};
use crate::commands::flag::eval::rows::Shape;
use crate::commands::flag::eval::{asked_for, load, table};
use crate::commands::flag::users::{Block, Blocks, Form, Input};
use crate::context::Context;
use crate::domain::flag::audience::Counts;
use crate::domain::flag::bulk::Bulk;
use crate::domain::flag::name::FlagName;
use crate::domain::flag::reader::Reader;
use crate::domain::shell::word;
use crate::error::{Error, Exit, Result};
use crate::output::block::{Block as Shown, Tone, plain, span};
use crate::output::format::Format;
use crate::output::report::{Meta, Recommendation, Report, Verdict};
use crate::output::view::View;

/// Blocks under way for each thread: one that is looked at, one that waits.
const QUEUE: usize = 2;
/// More threads than this wait for the one that reads.
const MOST_THREADS: usize = 16;

/// What was asked for.
pub(super) struct Request<'a> {
    pub(super) users: &'a Path,
    pub(super) count: bool,
    pub(super) form: Option<Form>,
}

/// How many are on.
#[derive(Debug, Serialize)]
struct Counted {
    flag: String,
    reader: Reader,
    users: u64,
    #[serde(flatten)]
    counts: Counts,
    /// Lines without a user.
    empty_lines: u64,
    #[serde(skip)]
    environment: String,
    #[serde(skip)]
    warnings: Vec<String>,
    #[serde(skip)]
    next: String,
}

impl Counted {
    fn summary(&self) -> Shown {
        let Counts { on, off, unknown } = self.counts;
        let share = if self.users == 0 { 0.0 } else { on as f64 * 100.0 / self.users as f64 };
        let mut line = vec![
            span(&self.flag, Tone::Strong),
            plain(format!(" is on for {on} of {} users ({share:.2} %), off for {off}", self.users)),
        ];
        if unknown > 0 {
            line.push(span(format!(", unknown for {unknown}"), Tone::Unknown));
        }
        if self.empty_lines > 0 {
            line.push(span(format!("; {} empty lines", self.empty_lines), Tone::Dim));
        }
        Shown::Line(line)
    }
}

impl Report for Counted {
    const SCHEMA: &'static str = "liveops.flag.eval-count/1";

    fn blocks(&self, _view: &View) -> Vec<Shown> {
        vec![self.summary(), Shown::Blank, Shown::next("who it can reach at all", &self.next)]
    }

    fn meta(&self) -> Meta {
        Meta {
            environment: Some(self.environment.clone()),
            verdict: if self.counts.unknown == 0 { Verdict::Pass } else { Verdict::Unknown },
            recommendations: vec![Recommendation::new("who it can reach at all", &self.next)],
            warnings: self.warnings.clone(),
            ..Meta::default()
        }
    }
}

pub(super) async fn run(name: &FlagName, reader: Reader, request: &Request<'_>, cx: &Context) -> Result<Exit> {
    let shape = match (request.count, cx.output.format()) {
        (true, _) => {
            cx.output.refuse_rows()?;
            Shape::Count
        }
        (false, Format::Csv) => Shape::Csv,
        (false, Format::Json) => Shape::Json,
        (false, Format::Name) => Shape::Names,
        (false, Format::Table) => Shape::Table,
        (false, Format::Yaml) => {
            return Err(Error::usage(
                "a row for each user has no YAML form",
                "use `-o json`, `-o csv` or `-o name`, or only `--count`",
            ));
        }
    };
    let input = Input::open(cx, request.users, request.form).await?;
    let flag = load(name, cx).await?;
    let asked = asked_for(&flag);
    let mut warnings = Vec::new();
    if input.form == Form::Ids && !asked.is_empty() {
        let asked = asked.join(", ");
        warnings.push(format!("rules ask for {asked}, and ids alone were given: they were taken for missing; JSON lines or CSV can hold them"));
    }
    let question =
        Arc::new(Question { bulk: Bulk::new(flag, name.clone(), reader), shape, json: input.form == Form::Jsonl });
    cx.output.write(shape.header())?;
    let mut report = Counted {
        flag: name.to_string(),
        reader,
        users: 0,
        counts: Counts::default(),
        empty_lines: 0,
        environment: cx.environment()?.to_owned(),
        warnings,
        next: cx.command(&format!("flag get {}", word(name.as_str()))),
    };
    stream(input, question, cx, &mut report).await?;
    let now = cx.clock.now();
    match shape {
        Shape::Count => cx.output.show(&report, now)?,
        Shape::Table => {
            let view = cx.output.view(now);
            for warning in &report.warnings {
                cx.output.warn(warning);
            }
            cx.output
                .write(&cx.output.lines(&[vec![Shown::Blank], report.blocks(&view)].concat(), &view).join("\n"))?;
        }
        Shape::Csv | Shape::Json | Shape::Names => {
            for warning in &report.warnings {
                cx.output.warn(warning);
            }
        }
    }
    Ok(if report.counts.unknown == 0 { Exit::Good } else { Exit::Unknown })
}

/// What the threads hand over.
type Pieces = tokio_mpsc::Receiver<Piece>;

/// Takes the pieces in order, writes their rows, adds up.
async fn stream(input: Input, question: Arc<Question>, cx: &Context, report: &mut Counted) -> Result<()> {
    let shown = input.shown.clone();
    let (give_back, spent) = mpsc::channel();
    let mut pieces = if input.form == Form::Csv {
        vec![one_reader(input.from, question)]
    } else {
        workers(input.from, &question, spent)
    };
    let mut lines = 0;
    let mut turn = 0;
    // The blocks were dealt out in turn, so they are taken in turn; the first queue that ends is the end.
    while let Some(piece) = pieces[turn].recv().await {
        turn = (turn + 1) % pieces.len();
        report.counts.on += piece.counts.on;
        report.counts.off += piece.counts.off;
        report.counts.unknown += piece.counts.unknown;
        report.empty_lines += piece.empty;
        cx.output.write(&piece.out)?;
        if let Some((line, why)) = piece.fault {
            let at = lines + line;
            return Err(Error::usage(
                format!("{shown}: line {at} {why}"),
                format!(
                    "the {} users before it were answered; correct the line, or say with `--format` how the file is written",
                    report.counts.total()
                ),
            ));
        }
        lines += piece.lines;
        if cx.output.is_closed() {
            break;
        }
        // The reader may be done already.
        let _ = give_back.send(piece.spent);
    }
    report.users = report.counts.total();
    Ok(())
}

/// A table is read in one piece: its rows may hold line ends.
fn one_reader(from: Box<dyn Read + Send>, question: Arc<Question>) -> Pieces {
    let (send, pieces) = tokio_mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        table::read(from, &question, |piece| send.blocking_send(piece).is_ok());
    });
    pieces
}

/// Starts the threads: the one that reads deals blocks out in turn.
fn workers(from: Box<dyn Read + Send>, question: &Arc<Question>, spent: mpsc::Receiver<Block>) -> Vec<Pieces> {
    let count = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let mut dealt = Vec::with_capacity(count);
    let mut pieces = Vec::with_capacity(count);
    for _ in 0..count {
        let (deal, hand) = mpsc::sync_channel::<Result<Block, Piece>>(QUEUE);
        let (send, receive) = tokio_mpsc::channel(QUEUE);
        let question = Arc::clone(question);
        std::thread::spawn(move || {
            for block in hand {
                let piece = block.map_or_else(|fault| fault, |block| question.answer(block));
                if send.blocking_send(piece).is_err() {
                    return;
                }
            }
        });
        dealt.push(deal);
        pieces.push(receive);
    }
    std::thread::spawn(move || {
        let mut blocks = Blocks::new(from);
        for turn in (0..count).cycle() {
            let next = match blocks.next(spent.try_recv().unwrap_or_default()) {
                Ok(Some(block)) => Ok(block),
                Ok(None) => return,
                Err(stop) => Err(Piece { fault: Some((1, stop.to_string())), ..Piece::default() }),
            };
            let last = next.is_err();
            if dealt[turn].send(next).is_err() || last {
                return;
            }
        }
    });
    pieces
}
