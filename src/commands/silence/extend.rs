//! `liveops silence extend`: a later end, counted from the present end.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde::Serialize;

use crate::changed::ChangeReport;
use crate::commands::silence::over;
use crate::context::Context;
use crate::output::block::Block;
use liveops_domain::alert::matcher::show;
use liveops_domain::alert::silence::{Draft, SilenceState};
use liveops_domain::change::undo::Undo;
use liveops_domain::change::undo::silence::SilenceUndo;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::text::duration;
use liveops_domain::text::duration::human;
use liveops_engine::change::{Done, Plan};
use liveops_engine::session::alertmanager;

/// Make a silence last longer
///
/// The time is added to the present end of the silence. What then remains may not exceed the cap of the
/// configuration, unless with `--force`. A silence that has expired cannot be extended; make it anew.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops silence extend 1a2b3c4d --for 1h
  liveops silence extend 1a2b3c4d --for 8h --force --yes")]
pub(crate) struct ExtendArgs {
    /// Its id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,

    /// How much longer, such as 1h
    #[arg(long = "for", alias = "by", value_name = "DURATION", value_parser = duration::parse_positive)]
    longer: Duration,

    /// Allow more than the cap of the configuration
    #[arg(long)]
    force: bool,
}

/// What came of it.
#[derive(Serialize)]
struct Extended {
    /// Its id; Alertmanager may have made a new one.
    silence: String,
    ends_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
}

pub(super) async fn run(args: ExtendArgs, cx: &Context) -> Result<Exit> {
    let client = alertmanager(cx)?;
    let silence = client.silence(&args.id).await?;
    if silence.state == SilenceState::Expired {
        return Err(over(cx, &silence));
    }
    let now = cx.clock.now();
    let old = silence.draft.ends_at;
    let too_long = |what: String| {
        let hint = "extend it by less, or pass `--force`; the cap is `silences.max` of the configuration";
        Error::usage(what, hint)
    };
    let new = TimeDelta::from_std(args.longer)
        .ok()
        .and_then(|by| old.checked_add_signed(by))
        .ok_or_else(|| too_long(format!("`{}` is too long for a silence", human(args.longer))))?;
    let left = (new - now).to_std().unwrap_or_default();
    let cap = cx.config()?.settings.max_silence;
    if left > cap && !args.force {
        return Err(too_long(format!(
            "silence {} would last another {}, and the cap is {}",
            silence.id,
            human(left),
            human(cap)
        )));
    }
    let draft = Draft { ends_at: new, ..silence.draft.clone() };
    let id = silence.id.clone();
    let summary = format!(
        "extend silence {} {} by {}, until {}",
        short(&id),
        show(&draft.matchers),
        human(args.longer),
        new.format("%FT%TZ")
    );
    let undo = |id: String| Undo::from(SilenceUndo::SetSilenceEnd { id, ends_at: old, expected: new });
    let preview = vec![Block::text(format!(
        "silence {id} of {}, until {}: {}",
        draft.created_by,
        old.format("%FT%TZ"),
        draft.comment
    ))];
    let plan =
        Plan { action: "silence.extend", summary, undo: Some(undo(id.clone())), kill_switch: false, undoes: None };
    let result = |silence: &str| Extended { silence: silence.to_owned(), ends_at: new, ended_at: old };
    let mut report = ChangeReport::of(cx, plan, preview, result(&id), async |confirmed| {
        // The answer to the question may have taken a while.
        let present = client.silence(&id).await?;
        if present.state == SilenceState::Expired {
            return Err(over(cx, &present));
        }
        if present.draft.ends_at != old {
            return Err(Error::Conflict {
                what: format!(
                    "somebody has just changed silence {id}: it ended at {}, and now ends at {}",
                    old.format("%FT%TZ"),
                    present.draft.ends_at.format("%FT%TZ")
                ),
                hint: format!("look at it: `{}`", cx.command("silence list")),
            });
        }
        let kept = client.set_silence(&draft, Some(&id), confirmed).await?;
        Ok(Done { result: result(&kept), undo: Some(undo(kept)) })
    })
    .await?;
    let kept = &report.result().silence;
    if *kept != id {
        let note = format!("Alertmanager made a new silence of it: {kept}");
        report = report.detail(note);
    }
    report.show(cx)?;
    Ok(Exit::Good)
}

/// The beginning of an id: enough to tell it, and short enough for a line.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
