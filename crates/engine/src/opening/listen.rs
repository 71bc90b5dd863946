//! `incident receive --listen`: takes deliveries of Alertmanager, on loopback only. An answer of 200 means that it is in
//! the journal and that its pages are in the outbox; until then Alertmanager tries again. What could not be delivered is
//! tried again by a timer of its own.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};

use crate::files::durable::together;
use crate::files::incident_index::LiveIndex;
use crate::incident::flush::deliver_due;
use crate::incident::unsent_pages::queue_forgotten;
use crate::opening::intake::{Delivery, serve};
use crate::opening::receive::{Journalled, ReceiveReport, Turns, follow_up, journal};
use crate::session::{Session, store};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::state::Incident;

/// How often it looks whether a message is due.
const TICK: Duration = Duration::from_secs(1);

/// Deliveries that wait for their turn.
const WAITING: usize = 64;

/// Deliveries that are written together, and how often it is looked for one more.
const BATCH: usize = 32;
const LOOKS: usize = 4;

/// Takes deliveries until it is interrupted.
pub async fn run(cx: &Session, address: SocketAddr, show: impl Fn(&ReceiveReport) -> Result<()>) -> Result<Exit> {
    if !address.ip().is_loopback() {
        return Err(Error::usage(
            format!("will not listen on {address}: nobody is asked who they are"),
            "listen on loopback, such as `--listen 127.0.0.1:9095`, and put a proxy that asks before it",
        ));
    }
    let Some(confirmed) = cx.unasked("take deliveries of Alertmanager")? else {
        cx.voice.note(&format!("dry run: would listen on {address}"));
        return Ok(Exit::Good);
    };
    let io = |source| Error::Io { action: "listen on", path: address.to_string().into(), source };
    let listener = TcpListener::bind(address).await.map_err(io)?;
    let bound = listener.local_addr().map_err(io)?;
    let (intake, mut deliveries) = mpsc::channel::<Delivery>(WAITING);
    let server = tokio::spawn(serve(listener, intake));
    cx.voice.note(&format!("listening on http://{bound}/"));
    let store = store(cx)?;
    let environment = cx.environment()?;
    let (mut index, turns) = (LiveIndex::default(), Turns::default());
    let mut under_way: FuturesUnordered<LocalBoxFuture<'_, Result<Option<ReceiveReport>>>> = FuturesUnordered::new();
    let mut is_flushing = false;
    let mut timer = interval(TICK);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            delivery = deliveries.recv() => {
                let Some(first) = delivery else {
                    return Err(Error::internal("the listener ended"));
                };
                let batch = with_others(first, &mut deliveries).await;
                for (journalled, answer) in take(cx, &mut index, batch) {
                    match journalled {
                        Ok((journalled, safe)) => {
                            // Who does not wait for the answer delivers again, and that is no news.
                            let _ = answer.send(safe);
                            under_way.push(follow_up(cx, journalled, &turns, &confirmed).map(|done| done.map(Some)).boxed_local());
                        }
                        Err(error) => {
                            cx.voice.warn(&error.to_string());
                            let _ = answer.send(Err(error.to_string()));
                        }
                    }
                }
            }
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                match done {
                    // Whoever is to be paged is paged, whether or not somebody can read what is said of it here.
                    Ok(Some(report)) => if let Err(error) = show(&report) {
                        cx.voice.warn(&error.to_string());
                    },
                    Ok(None) => is_flushing = false,
                    Err(error) => cx.voice.warn(&error.to_string()),
                }
                if cx.voice.is_closed() {
                    server.abort();
                    return Ok(Exit::Good);
                }
            }
            _ = timer.tick(), if !is_flushing => {
                is_flushing = true;
                if let Err(error) = index.refresh(&store) {
                    cx.voice.warn(&error.to_string());
                }
                let is_here = |one: &&Incident| one.environment == environment;
                if let Err(error) = queue_forgotten(cx, cx.clock.now(), index.incidents().filter(is_here)) {
                    cx.voice.warn(&format!("whether a page was forgotten is not known: {error}"));
                }
                under_way.push(async {
                    let flushed = deliver_due(cx, false, &confirmed).await;
                    if let Err(error) = flushed {
                        cx.voice.warn(&error.to_string());
                    }
                    Ok(None)
                }.boxed_local());
            }
        }
    }
}

/// The deliveries that came at the same time: in a storm they share one wait for the disk.
async fn with_others(first: Delivery, deliveries: &mut mpsc::Receiver<Delivery>) -> Vec<Delivery> {
    let mut batch = vec![first];
    // Whoever sends several at once has them on the way: each turn, the server reads what has come.
    for _ in 0..LOOKS {
        yield_now().await;
        while batch.len() < BATCH
            && let Ok(next) = deliveries.try_recv()
        {
            batch.push(next);
        }
    }
    batch
}

/// What became of a delivery, and whether the disk has it.
type Taken = (Result<(Journalled, std::result::Result<(), String>)>, oneshot::Sender<std::result::Result<(), String>>);

/// Puts deliveries into the journals, and waits for the disk once.
fn take(cx: &Session, index: &mut LiveIndex, batch: Vec<Delivery>) -> Vec<Taken> {
    let is_alone = batch.len() == 1;
    let each = || -> Vec<_> { batch.into_iter().map(|one| (journal(cx, index, &one.webhook), one.answer)).collect() };
    let (done, synced) = if is_alone { (each(), Ok(())) } else { together(each) };
    let synced = synced.map_err(|error| error.to_string());
    done.into_iter().map(|(done, answer)| (done.map(|done| (done, synced.clone())), answer)).collect()
}
