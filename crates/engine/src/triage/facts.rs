//! What several checks rest on, asked once and at once: the status of everything, and what changed with its suspects.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};

use crate::changes::gather as gather_changes;
use crate::changes::suspects::{clearest, suspects};
use crate::session::Session;
use crate::status::answers::Answers;
use crate::status::{Gathered, gather};
use liveops_domain::change::timeline::rank::Suspect;
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::error::Result;
use liveops_domain::incident::state::Incident;
use liveops_domain::status::source::Source;

/// How far back changes are looked for.
const BACK: TimeDelta = TimeDelta::hours(2);

/// One answer for all who wait for it.
type SharedAnswer<'a, T> = Shared<LocalBoxFuture<'a, Rc<Result<T>>>>;

/// What changed, and who is suspected.
#[derive(Debug, Default)]
pub struct History {
    pub since: DateTime<Utc>,
    pub changes: Vec<Change>,
    pub suspects: Vec<Suspect>,
    pub sources: Vec<Source>,
}

/// The answers, as they come.
#[derive(Clone)]
pub struct TriageFacts<'a> {
    pub cx: &'a Session,
    pub incident: Option<&'a Incident>,
    pub status: SharedAnswer<'a, Gathered>,
    pub history: SharedAnswer<'a, History>,
}

impl<'a> TriageFacts<'a> {
    /// Nothing is asked before somebody waits for it.
    pub fn new(cx: &'a Session, incident: Option<&'a Incident>) -> Self {
        let status: SharedAnswer<'a, Gathered> =
            async move { Rc::new(gather(&[], cx, &mut Answers::default()).await) }.boxed_local().shared();
        let history = async move { Rc::new(history(cx, incident).await) }.boxed_local().shared();
        Self { cx, incident, status, history }
    }
}

impl History {
    /// The suspects of these kinds, and the other changes of them; the newest first.
    pub fn of(&self, kinds: &[Kind]) -> (Vec<&Suspect>, Vec<&Change>) {
        let suspects: Vec<&Suspect> = self.suspects.iter().filter(|one| kinds.contains(&one.change.kind)).collect();
        let others = self
            .changes
            .iter()
            .rev()
            .filter(|change| kinds.contains(&change.kind) && suspects.iter().all(|one| one.change != **change));
        let others = others.collect();
        (suspects, others)
    }
}

/// The changes, and the suspects of the clearest break among the KPIs that have thresholds.
async fn history(cx: &Session, incident: Option<&Incident>) -> Result<History> {
    let now = cx.clock.now();
    let started = incident.and_then(|one| one.started.at()).unwrap_or(now);
    let since = started - BACK;
    let (found, broken) = tokio::join!(gather_changes(cx, since, false), clearest(cx, (since, now)));
    let found = found?;
    let suspects = broken.map_or_else(Vec::new, |(kpi, broken)| {
        suspects(&found.changes, &kpi, &broken, incident.and_then(|one| one.service.as_deref()))
    });
    Ok(History { since, changes: found.changes, suspects, sources: found.sources })
}
