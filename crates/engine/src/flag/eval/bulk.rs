//! Millions of users through one flag.

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, mpsc};

use serde::Serialize;
use tokio::sync::mpsc as tokio_mpsc;

use crate::flag::eval::lines::{Piece, Question};
use crate::flag::eval::table;
use crate::flag::users::blocks::{Block, Blocks};
use crate::flag::users::input::{Form, Input};
use crate::voice::Voice;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::audience::Counts;
use liveops_domain::text::count::count;

/// Blocks under way for each thread: one that is looked at, one that waits.
const QUEUE: usize = 2;

/// More threads than this wait for the one that reads.
const MOST_THREADS: usize = 16;

/// What was asked for.
pub struct Request<'a> {
    pub users: &'a Path,
    pub count: bool,
    pub form: Option<Form>,
}

/// How many are on.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    pub users: u64,
    #[serde(flatten)]
    pub counts: Counts,
    /// Lines without a user.
    pub empty_lines: u64,
}

/// What the threads hand over.
pub type Pieces = tokio_mpsc::Receiver<Piece>;

/// Takes the pieces in order, has their rows written, adds up.
///
/// # Errors
/// `Usage` for a line that cannot be read; those of `write`.
pub async fn stream(
    input: Input,
    question: Arc<Question>,
    voice: &dyn Voice,
    write: impl Fn(&str) -> Result<()>,
) -> Result<Tally> {
    let mut tally = Tally::default();
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
        tally.counts.on += piece.counts.on;
        tally.counts.off += piece.counts.off;
        tally.counts.unknown += piece.counts.unknown;
        tally.empty_lines += piece.empty;
        write(&piece.out)?;
        if let Some((line, why)) = piece.fault {
            let at = lines + line;
            return Err(Error::usage(
                format!("{shown}: line {at} {why}"),
                format!(
                    "correct the line, or say with `--format` how the file is written{}",
                    match tally.counts.total() {
                        0 => String::new(),
                        before => format!(
                            "; the answers for {} before it are right",
                            count(usize::try_from(before).unwrap_or(usize::MAX), "user")
                        ),
                    }
                ),
            ));
        }
        lines += piece.lines;
        if voice.is_closed() {
            break;
        }
        // The reader may be done already.
        let _ = give_back.send(piece.spent);
    }
    tally.users = tally.counts.total();
    Ok(tally)
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
