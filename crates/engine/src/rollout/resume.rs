//! `rollout resume`: goes on with a rollout that is held, or that nobody watches any more; with the regions too that have
//! not begun.

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::EvidenceCollector;
use crate::rollout::launch::{RunOptions, Stay, acquire, run};
use crate::rollout::regions::run::{PlanSource, RegionalRun};
use crate::rollout::resolve::RolloutSubject;
use crate::rollout::rollback::describe;
use crate::rollout::runner::RolloutRun;
use crate::rollout::steering::{Ask, Scope, Steering, under_way};
use crate::rollout::watch::Watchers;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::{OperatorRequest, RequestKind};

/// What there is to go on with.
pub async fn plan<'s>(cx: &Session, scope: &'s Scope<'_>, action: &'static str) -> Result<Steering<'s>> {
    let (summary, regions) = match scope {
        Scope::Regions(regional) => {
            regional.ensure_unfinished(cx)?;
            let summary = format!("go on with {} of {} in its regions", regional.image(), regional.service);
            (summary, regional.which(|it| !it.phase.is_terminal()))
        }
        Scope::One(subject) => {
            let rollout = under_way(cx, subject).await?.rollout;
            (format!("go on with {} at {}", describe(&rollout), rollout.applied), Vec::new())
        }
    };
    Ok(Steering { action, summary, regions, ask: Ask::Request(RequestKind::Resume, None) })
}

/// Goes on where nobody holds it.
pub async fn carry_on(
    cx: &Session,
    scope: &Scope<'_>,
    steering: &Steering<'_>,
    (stay, watchers): (Stay, &dyn Watchers),
    confirmed: &Confirmed,
) -> Result<Done> {
    let Ask::Request(request, _) = steering.ask else {
        return Err(Error::internal("an approval that goes on"));
    };
    match scope {
        Scope::One(subject) => {
            resume(cx, subject, &RunOptions { stay, watchers, part: None }, request, confirmed).await
        }
        Scope::Regions(regional) => {
            let run = RegionalRun {
                cx,
                fleet: &regional.fleet,
                regions: &regional.contexts,
                service: &regional.service,
                source: PlanSource::Plan(Box::new(regional.plan()?.clone())),
                stay,
                watchers,
                rows: regional.rollouts.values().map(RolloutRow::held_by_us).collect(),
                request,
            };
            run.run(regional.phases(), confirmed).await
        }
    }
}

/// Takes the lock of a rollout that is under way in one place, and goes on with it.
pub async fn resume(
    cx: &Session,
    subject: &RolloutSubject<'_>,
    options: &RunOptions<'_>,
    what: RequestKind,
    confirmed: &Confirmed,
) -> Result<Done> {
    let stored = under_way(cx, subject).await?;
    let evidence = EvidenceCollector::open(cx, &subject.scope, &stored.rollout.plan.rules)?;
    let again = async {
        let stored = under_way(cx, subject).await?;
        subject.target.halt(false, confirmed).await?;
        Ok(stored)
    };
    let (lock, stored) = acquire(cx, subject, options.stay.takeover, again, confirmed).await?;
    let mut rollout = stored.rollout;
    // What was seen before the crash is not known here: each step is observed anew.
    let request = || OperatorRequest { what, by: cx.actor.clone(), at: cx.clock.now(), reason: None };
    rollout.request = rollout.request.or_else(|| Some(request()));
    run(RolloutRun {
        cx,
        subject,
        evidence,
        confirmed,
        lock,
        shown: rollout.transition_count(),
        rollout,
        version: Some(stored.version),
        options: *options,
    })
    .await
}
