//! The way of every writing verb: plan → preview → question → compare-and-set → say when every reader has it.

use crate::changed::ChangeReport;
use crate::commands::flag::impact::blocks;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_engine::change::Plan;
use liveops_engine::flag::change::{self, Change, Request};
use liveops_engine::flag::store_access::FlagStoreAccess;

/// Plans the request, carries it out and shows what came of it.
pub(crate) async fn request(cx: &Context, request: Request) -> Result<Exit> {
    let access = FlagStoreAccess::of(cx)?;
    let change = change::plan(&access, request).await?;
    carry_out(cx, &access, change).await
}

/// Question, writing, report.
///
/// # Errors
/// `HalfDone` when only some of several flags could be written.
pub(crate) async fn carry_out(cx: &Context, access: &FlagStoreAccess<'_>, change: Change) -> Result<Exit> {
    let (planned, action) = (change.planned, change.action);
    if planned.is_empty() && change.failed.is_empty() {
        let summary = planned.preview.as_it_is();
        let report = ChangeReport::nothing(cx, action, summary, planned.result())?;
        report.show(cx)?;
        return Ok(Exit::Good);
    }
    let plan = Plan {
        action,
        summary: planned.summary.clone(),
        undo: Some(planned.undo()),
        kill_switch: change.kill_switch,
        undoes: change.undoes,
    };
    let result = planned.result();
    let mut report = ChangeReport::of(cx, plan, blocks(&planned.preview), result, async |confirmed| {
        let outcome = planned.write(access, confirmed).await;
        let finish = match change.kill_switch {
            true => "flag list".to_owned(),
            false => format!("undo {}", confirmed.id()),
        };
        outcome.whole(change.failed, cx.command(&finish))
    })
    .await?;
    if let Some(line) = access.everybody(report.result()) {
        report = report.detail(line);
    }
    if let Some(line) = change.to_do_it {
        report = report.repeated_by(line);
    }
    // A person has read them in the preview, unless there was none.
    if cx.choices.yes || cx.output.format().is_machine() {
        report = report.warnings(planned.preview.warnings());
    }
    let unrecorded = report.result().unrecorded(cx);
    report = report.warnings(unrecorded);
    report.show(cx)?;
    Ok(Exit::Good)
}
