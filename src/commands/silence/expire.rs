//! `liveops silence expire`: its alerts page again at once. A kill switch: nothing but `--yes` stands before it.

use clap::Args;
use serde::Serialize;

use crate::changed::ChangeReport;
use crate::commands::alerts::lines;
use crate::commands::silence::add::alerts;
use crate::commands::silence::extend::short;
use crate::context::Context;
use crate::output::block::Block;
use liveops_domain::alert::matcher::show;
use liveops_domain::alert::silence::{Draft, SilenceState};
use liveops_domain::alert::{Alert, group};
use liveops_domain::change::undo::Undo;
use liveops_domain::change::undo::silence::SilenceUndo;
use liveops_domain::error::{Exit, Result};
use liveops_engine::change::{Done, Plan};
use liveops_engine::session::alertmanager;

/// Groups that a preview lists; the others are counted.
const PREVIEW: usize = 8;

/// End a silence now
///
/// Its alerts page again at once. With `--yes` it asks nothing and waits for nothing that it does not need. Expiring
/// what has expired is no error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops silence expire 1a2b3c4d
  liveops silence expire 1a2b3c4d --yes")]
pub(crate) struct ExpireArgs {
    /// Its id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,
}

/// What came of it.
#[derive(Clone, Serialize)]
struct Expired {
    silence: String,
    draft: Draft,
    /// How many alerts it kept quiet; `null` where nobody was asked, and so nobody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    keeps_quiet: Option<Option<usize>>,
}

pub(super) async fn run(args: ExpireArgs, cx: &Context) -> Result<Exit> {
    cx.throw_kill_switch("--alertmanager");
    let client = alertmanager(cx)?;
    let silence = client.silence(&args.id).await?;
    let (id, draft) = (silence.id, silence.draft);
    if silence.state == SilenceState::Expired {
        let summary = format!("silence {id} has expired already, at {}", draft.ends_at.format("%FT%TZ"));
        let result = Expired { silence: id, draft, keeps_quiet: None };
        let report = ChangeReport::nothing(cx, "silence.expire", summary, result)?;
        report.show(cx)?;
        return Ok(Exit::Good);
    }
    // Only for the person who is asked.
    let mut preview = Vec::new();
    let mut hidden = None;
    if !cx.choices.yes
        && let Ok(all) = client.alerts(&draft.matchers).await
    {
        let held: Vec<Alert> = all.into_iter().filter(|alert| alert.silenced_by.contains(&id)).collect();
        let view = cx.output.view(cx.clock.now());
        if !held.is_empty() {
            preview.push(Block::heading("it keeps quiet now:"));
            preview.extend(lines::groups(&group(&held), PREVIEW, &view));
            preview.push(Block::Blank);
        }
        hidden = Some(held.len());
    }
    let mut summary = format!("expire silence {} {}", short(&id), show(&draft.matchers));
    if let Some(count) = hidden {
        summary.push_str(&format!("; it keeps {} quiet", alerts(count)));
    }
    let undo = Undo::from(SilenceUndo::AddSilence { id: id.clone(), silence: draft.clone() });
    let plan = Plan { action: "silence.expire", summary, undo: Some(undo.clone()), kill_switch: true, undoes: None };
    let result = Expired { silence: id.clone(), draft, keeps_quiet: Some(hidden) };
    let report = ChangeReport::of(cx, plan, preview, result.clone(), async |confirmed| {
        client.expire_silence(&id, confirmed).await?;
        Ok(Done { result, undo: Some(undo) })
    });
    report.await?.show(cx)?;
    Ok(Exit::Good)
}
