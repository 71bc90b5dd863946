//! `liveops postmortem done`: checks once more, and writes into the journal that the postmortem is done.

use clap::Args;
use serde_json::json;

use crate::commands::postmortem::check::{ABOUT, look};
use crate::context::Context;
use crate::gate::GateArgs;
use crate::output::block::{Block, Tone, plain};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::incident::event::{Note, kind};
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_engine::check::gate::weigh;
use liveops_engine::session::store;

/// Say that a postmortem is done: its check must pass, and its deadline is met
///
/// It is written into the incident's journal, which ends the 48 hours. What is late can be closed, and stays late. Exit
/// code 1, and nothing is written, while the check finds something.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops postmortem done
  liveops postmortem done matchmaking-down")]
pub(crate) struct DoneArgs {
    /// Incident, or a part of its id [default: the last without a postmortem]
    #[arg(value_name = "ID")]
    pub(super) id: Option<String>,
}

#[derive(Debug, serde::Serialize)]
struct PostmortemDone {
    incident: String,
    dry_run: bool,
}

pub(super) async fn run(args: &DoneArgs, cx: &Context) -> Result<Exit> {
    if cx.is_read_only()? && !cx.choices.dry_run {
        return Err(Error::Refused {
            why: "read-only: will not write into the journal".into(),
            hint: "leave out `--read-only`".into(),
        });
    }
    let mut checked = look(args.id.as_deref(), cx)?;
    // That it is late is why it is closed now.
    checked.found.findings.retain(|finding| finding.id != "P11");
    let gate = GateArgs::default();
    if weigh(cx, ABOUT, checked.found.clone(), &gate.options()).await?.verdict() != Verdict::Pass {
        return checked.show(&gate, cx).await;
    }
    if !cx.choices.dry_run {
        let said = Note { text: "the postmortem is done".into() };
        let store = store(cx)?;
        store.append(&checked.incident, cx.clock.now(), &cx.actor, kind::POSTMORTEM, &json!(said))?;
    }
    let report = PostmortemDone { incident: checked.incident, dry_run: cx.choices.dry_run };
    let next = Recommendation::new("see all incidents", "liveops incident list");
    cx.show_anywhere(&report, Meta::steps(vec![next]).dense())?;
    Ok(Exit::Good)
}

impl Report for PostmortemDone {
    fn schema(&self) -> &'static str {
        "liveops.postmortem.done/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.incident.clone()])
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let head = if self.dry_run { "would be done" } else { "is done" };
        vec![Block::Whole(vec![
            crate::output::tone::mark(Tone::Good, view),
            plain(format!(" the postmortem of {} {head}", self.incident)),
        ])]
    }
}
