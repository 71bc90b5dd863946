//! `liveops scale SERVICE --replicas N` or `--min N --max N`.

use crate::changed::ChangeReport;
use crate::commands::scale::{ScaleArgs, choose};
use crate::context::Context;
use crate::output::block::Block;
use liveops_domain::change::undo::Undo;
use liveops_domain::change::undo::scale::ScaleUndo;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::kubernetes::autoscaler::Bounds;
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_engine::change::{Done, Plan};
use liveops_engine::config::service::Service;
use liveops_engine::rollout::state_store::StateStore as _;
use liveops_engine::rollout::target::open;
use liveops_engine::scale::fleet::{Fleet, Scaled, Size};

pub(super) async fn run(args: &ScaleArgs, cx: &Context) -> Result<Exit> {
    let service = choose(cx, args.service.as_deref())?;
    let fleet = Fleet::of(cx)?;
    if args.replicas.is_none() && args.min.is_none() && args.max.is_none() {
        return Err(Error::usage(
            format!("what is the new size of `{}`?", service.name),
            format!(
                "pass `--replicas N`, or `--min N --max N` where an autoscaler decides; what is there: `{}`",
                cx.command("scale status")
            ),
        ));
    }
    let size = fleet.size(service).await?;
    let change = decide(cx, args, service, &fleet, &size)?;
    let summary = summary(&change, &size);
    let action = "scale.set";
    if change == change.inverse() {
        let result = Scaled { scale: change };
        let report = ChangeReport::nothing(cx, action, summary, result)?;
        report.show(cx)?;
        return Ok(Exit::Good);
    }
    refuse_during_rollout(cx, service).await?;
    let undo = Undo::from(change.inverse());
    let preview = vec![Block::text(format!(
        "{} has {}, {} available",
        size.deployment,
        replica_count(size.replicas),
        size.available
    ))];
    let plan = Plan { action, summary, undo: Some(undo.clone()), kill_switch: false, undoes: None };
    let result = Scaled { scale: change.clone() };
    let mut report = ChangeReport::of(cx, plan, preview, result.clone(), async |confirmed| {
        fleet.apply(&change, confirmed).await?;
        Ok(Done { result, undo: Some(undo) })
    })
    .await?;
    if report.changed {
        let look = cx.command("scale status");
        report = report.detail(format!("how many answer already: `{look}`"));
    }
    report.show(cx)?;
    Ok(Exit::Good)
}

/// The change that is meant, as what it sets and what it expects.
fn decide(cx: &Context, args: &ScaleArgs, service: &Service, fleet: &Fleet<'_>, size: &Size) -> Result<ScaleUndo> {
    let name = service.name.clone();
    let Some(replicas) = args.replicas else {
        let Some(now) = &size.autoscaler else {
            return Err(Error::usage(
                format!("`{}` has no autoscaler, so it has no bounds", size.deployment),
                format!("pass `--replicas N`; it has {}", size.replicas),
            ));
        };
        let bounds =
            Bounds { name: now.name.clone(), min: args.min.unwrap_or(now.min), max: args.max.unwrap_or(now.max) };
        if bounds.min == 0 || bounds.min > bounds.max {
            return Err(Error::usage(
                format!("{} to {} are no bounds", bounds.min, bounds.max),
                "the lower one is at least 1, and not above the upper one",
            ));
        }
        return Ok(ScaleUndo::SetBounds { service: name, bounds, expected: now.clone() });
    };
    if let Some(bounds) = &size.autoscaler {
        return Err(Error::Refused {
            why: format!(
                "the autoscaler `{}` decides the size of `{}` ({} to {}), and would take it back",
                bounds.name, size.deployment, bounds.min, bounds.max
            ),
            hint: format!(
                "set its bounds: `{}`",
                cx.command(&format!(
                    "scale {} --min {replicas} --max {}",
                    word(&service.name),
                    bounds.max.max(replicas)
                ))
            ),
        });
    }
    if replicas == 0 {
        return Err(Error::Refused {
            why: format!("0 replicas would take `{}` out of service", service.name),
            hint: format!(
                "to do that all the same: `{}`",
                fleet.by_hand(&format!("scale deployment {} --replicas=0", size.deployment))
            ),
        });
    }
    Ok(ScaleUndo::SetReplicas { service: name, deployment: size.deployment.clone(), replicas, expected: size.replicas })
}

/// `1 replica`, `6 replicas`.
fn replica_count(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "replica")
}

fn summary(change: &ScaleUndo, size: &Size) -> String {
    match change {
        ScaleUndo::SetReplicas { service, replicas, .. } => {
            format!("scale {service} from {} to {}", size.replicas, replica_count(*replicas))
        }
        ScaleUndo::SetBounds { service, bounds, expected } => format!(
            "set the autoscaler of {service} from {}-{} to {}-{}",
            expected.min, expected.max, bounds.min, bounds.max
        ),
    }
}

/// A rollout keeps the sizes that it found; nobody else may change them under it.
async fn refuse_during_rollout(cx: &Context, service: &Service) -> Result<()> {
    if service.rollout.is_none() {
        return Ok(());
    }
    let Some(memory) = open::cluster_store(cx, service)? else {
        return Ok(());
    };
    match memory.load().await? {
        Some(stored) if !stored.rollout.phase.is_terminal() => Err(Error::Refused {
            why: format!(
                "a rollout of `{}` is under way ({}), and keeps the size that it found",
                service.name, stored.rollout.id
            ),
            hint: format!("look at it: `{}`", cx.command(&format!("rollout status {}", word(&service.name)))),
        }),
        _ => Ok(()),
    }
}
