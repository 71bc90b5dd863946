//! The way of every writing verb: read → preview → confirm → compare-and-set → say when every reader has it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::change::{Confirmed, Done, Plan};
use crate::commands::changed::ChangeReport;
use crate::commands::flag::preview::{self, Preview};
use crate::commands::flag::refuse::{missing, refused};
use crate::commands::flag::site::{Effect, Site, Target};
use crate::commands::flag::why::Why;
use crate::context::Context;
use crate::domain::flag::edit::{Edit, EditError, apply};
use crate::domain::flag::name::FlagName;
use crate::domain::undo::{FlagUndo, Undo};
use crate::error::{Error, Exit, Result};
use crate::stores::flags::FlagStore;

/// What a verb wants.
pub(super) struct Request {
    /// Such as `flag.set`.
    pub(super) action: &'static str,
    pub(super) edits: Vec<(FlagName, Edit)>,
    pub(super) why: Why,
    /// Takes effect on the safe side: asks little, and each flag by itself.
    pub(super) kill_switch: bool,
}

/// Carries the request out and shows what came of it.
///
/// # Errors
/// Those of the store and of `change`; `Usage` for what would not do what it says; `NotFound`; `Conflict`; `HalfDone`
/// when only some of several flags could be written.
pub(super) async fn carry_out(cx: &Context, request: Request) -> Result<Exit> {
    let site = Site::of(cx)?;
    let mut failed = Vec::new();
    let mut targets = Vec::new();
    for (name, edit) in request.edits {
        match target(&site, &request.why, (name, edit)).await {
            Ok(target) => targets.push(target),
            // Of several that are to be killed, one that cannot be must not hold the others up.
            Err(error) if request.kill_switch => failed.push(error),
            Err(error) => return Err(error),
        }
    }
    if targets.is_empty() && !failed.is_empty() {
        return Err(failed.remove(0));
    }
    if !request.kill_switch && targets.iter().any(Target::changes) {
        request.why.check(cx)?;
    }
    let change = Change {
        action: request.action,
        kill_switch: request.kill_switch,
        undoes: None,
        failed,
        planned: Planned::of(&site, request.action, targets, request.why).await?,
        to_do_it: None,
    };
    change.carry_out(&site).await
}

async fn target(site: &Site<'_>, why: &Why, (name, edit): (FlagName, Edit)) -> Result<Target> {
    let before = site.store.get(&name).await?;
    why.at_revision(site.cx, &name, before.as_deref())?;
    let after = match apply(before.as_deref(), &edit, site.reader) {
        Ok(after) => after,
        Err(EditError::NoSuchFlag) => return Err(missing(&site.store, &name).await),
        Err(error) => return Err(refused(site.cx, &name, before.as_deref(), &error)),
    };
    Ok(Target { name, edit, before, after, strict: why.expect_rev.is_some(), said: Vec::new() })
}

/// Flags that are to be written in one change, and what that does.
pub(crate) struct Planned {
    /// Those where there is something to write.
    targets: Vec<Target>,
    reason: Option<String>,
    pub(crate) preview: Preview,
    pub(crate) summary: String,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) done: Done,
    /// What could not be written.
    errors: Vec<Error>,
}

impl Planned {
    /// Looks at what the change does.
    pub(crate) async fn of(site: &Site<'_>, action: &str, mut targets: Vec<Target>, why: Why) -> Result<Self> {
        let preview = Preview::of(site, &targets, why.users.as_deref()).await?;
        targets.retain(Target::changes);
        Ok(Self { summary: preview::summary(action, &targets), targets, reason: why.reason, preview })
    }

    /// Is there nothing to write?
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The undo, as far as it is known before the act.
    pub(crate) fn undo(&self) -> Undo {
        let flags = self.targets.iter().map(|target| target.name.to_string());
        Undo::from(FlagUndo::RestoreFlags { flags: flags.collect() })
    }

    /// Does it take flags away from users only?
    pub(crate) fn only_takes_away(&self, site: &Site<'_>) -> bool {
        self.targets.iter().all(|target| target.only_takes_away(site.reader))
    }

    /// What is known of it beforehand, for programs.
    fn result(&self) -> Value {
        json!({ "flags": self.preview.planned(), "reason": self.reason })
    }

    /// Writes every flag: that one could not be written says nothing about the next.
    pub(crate) async fn write(&self, site: &Site<'_>, confirmed: &Confirmed) -> Outcome {
        let (mut effects, mut errors) = (Vec::new(), Vec::new());
        for target in &self.targets {
            match site.write(target, self.reason.as_deref(), confirmed).await {
                Ok(effect) => effects.push(effect),
                Err(error) => errors.push(error),
            }
        }
        let written = |effect: &&Effect| effect.revision.is_some();
        let flags = effects.iter().filter(written).map(|effect| effect.name.to_string());
        let undo = FlagUndo::RestoreFlags { flags: flags.collect() };
        let result = json!({
            "flags": self.preview.effects(&effects),
            "reason": self.reason,
            "readers_by": seen_by(site.cx.clock.now(), site.cache_ttl),
        });
        Outcome { done: Done { result, undo: (!undo.flags().is_empty()).then(|| undo.into()) }, errors }
    }
}

impl Outcome {
    /// What was done, if all of it was. `finish` is the command for what is left.
    ///
    /// # Errors
    /// The only one that there was; `HalfDone` where some flags were written.
    pub(crate) fn whole(mut self, others: Vec<Error>, finish: String) -> Result<Done> {
        self.errors.splice(0..0, others);
        let Some(Undo::Flag(written)) = &self.done.undo else {
            return match self.errors.is_empty() {
                true => Ok(self.done),
                false => Err(self.errors.remove(0)),
            };
        };
        if self.errors.is_empty() {
            return Ok(self.done);
        }
        let left: Vec<String> = self
            .errors
            .iter()
            .map(|error| match error.hint() {
                Some(hint) if matches!(error, Error::NotFound { .. }) => {
                    format!("{error} ({hint})")
                }
                _ => error.to_string(),
            })
            .collect();
        Err(Error::HalfDone {
            done: format!("changed {}", written.flags().join(", ")),
            left: left.join("; "),
            command: finish,
        })
    }
}

/// A planned change with what `change` wants to know of it.
pub(super) struct Change {
    pub(super) action: &'static str,
    pub(super) kill_switch: bool,
    /// The change that this one reverts.
    pub(super) undoes: Option<String>,
    /// What could not even be planned.
    pub(super) failed: Vec<Error>,
    pub(super) planned: Planned,
    /// What to type after a dry run, where that is not the same line without `--dry-run`.
    pub(super) to_do_it: Option<String>,
}

impl Change {
    /// Question, writing, report.
    ///
    /// # Errors
    /// As [`carry_out`].
    pub(super) async fn carry_out(self, site: &Site<'_>) -> Result<Exit> {
        let (cx, planned, action) = (site.cx, self.planned, self.action);
        if planned.is_empty() && self.failed.is_empty() {
            let summary = planned.preview.as_it_is();
            let report = ChangeReport::nothing(cx, action, summary, planned.result())?;
            cx.output.show(&report, cx.clock.now())?;
            return Ok(Exit::Good);
        }
        let plan = Plan {
            action,
            summary: planned.summary.clone(),
            preview: planned.preview.blocks(),
            undo: Some(planned.undo()),
            kill_switch: self.kill_switch,
            undoes: self.undoes,
        };
        let changed = plan
            .carry_out(cx, async |confirmed| {
                let outcome = planned.write(site, confirmed).await;
                let finish = match self.kill_switch {
                    true => "flag list".to_owned(),
                    false => format!("undo {}", confirmed.id()),
                };
                outcome.whole(self.failed, cx.command(&finish))
            })
            .await?;
        let summary = planned.summary.clone();
        let mut report = ChangeReport::new(cx, action, summary, changed, planned.result())?;
        if let Some(line) = site.everybody(report.outcome()) {
            report = report.detail(line);
        }
        if let Some(line) = self.to_do_it {
            report = report.repeated_by(line);
        }
        // A person has read them in the preview, unless there was none.
        if cx.global.yes || cx.output.format().is_machine() {
            report = planned.preview.onto(report);
        }
        cx.output.show(&report, cx.clock.now())?;
        Ok(Exit::Good)
    }
}

/// When the last reader has asked again, rounded up so that it is never promised too early.
fn seen_by(now: DateTime<Utc>, ttl: std::time::Duration) -> String {
    let ttl = TimeDelta::from_std(ttl).unwrap_or_default() + TimeDelta::milliseconds(999);
    let by = now.checked_add_signed(ttl).unwrap_or(now);
    by.format("%FT%TZ").to_string()
}
