//! What several checks rest on, asked once and at once: the status of everything, and what changed with its suspects.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared, join_all};

use crate::changes::{gather as gather_changes, series};
use crate::observe::last_good::LastGood;
use crate::session::Session;
use crate::status::{Gathered, gather};
use liveops_domain::change::timeline::breaks::{Break, find};
use liveops_domain::change::timeline::rank::{Suspect, rank};
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::error::Result;
use liveops_domain::incident::state::Incident;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::status::source::Source;

/// How far back changes are looked for.
const BACK: TimeDelta = TimeDelta::hours(2);

/// Fewer points have no break.
const LEAST: usize = 10;

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
            async move { Rc::new(gather(&[], cx, &mut LastGood::default()).await) }.boxed_local().shared();
        let known = status.clone();
        let history = async move { Rc::new(history(cx, incident, known).await) }.boxed_local().shared();
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
async fn history<'a>(cx: &Session, incident: Option<&Incident>, status: SharedAnswer<'a, Gathered>) -> Result<History> {
    let now = cx.clock.now();
    let started = incident.and_then(|one| one.started.at()).unwrap_or(now);
    let since = started - BACK;
    let (found, broken) = tokio::join!(gather_changes(cx, since), clearest(cx, (since, now), status));
    let found = found?;
    let suspects = broken.map_or_else(Vec::new, |(broken, service)| {
        let service = incident.and_then(|one| one.service.clone()).or(service);
        rank(&found.changes, &broken, service.as_deref())
    });
    Ok(History { since, changes: found.changes, suspects, sources: found.sources })
}

/// The clearest break, and the service of its KPI. From Prometheus, or else from what the status knows of the last hour.
async fn clearest<'a>(
    cx: &Session,
    (since, now): (DateTime<Utc>, DateTime<Utc>),
    status: SharedAnswer<'a, Gathered>,
) -> Option<(Break, Option<String>)> {
    let kpis = cx.kpis().ok()?;
    let judged: Vec<&Kpi> = kpis.iter().filter(|kpi| kpi.critical.is_some() || kpi.warn.is_some()).collect();
    let asked = judged.iter().map(async |kpi| {
        let points = series(cx, kpi, since, now).await.unwrap_or_default();
        (points.len() >= LEAST).then(|| (find(&points), kpi.service.clone()))
    });
    let mut found: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    if found.is_empty()
        && let Ok(gathered) = &*status.await
    {
        let trends = gathered.readings.kpis.iter();
        let trends = trends.filter(|one| one.kpi.critical.is_some() || one.kpi.warn.is_some());
        found.extend(trends.map(|one| (find(&one.points(now)), one.kpi.service.clone())));
    }
    let broken = found.into_iter().filter_map(|(broken, service)| Some((broken?, service)));
    broken.max_by(|a, b| a.0.sigmas.total_cmp(&b.0.sigmas))
}
