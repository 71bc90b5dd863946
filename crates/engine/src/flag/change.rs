//! The way of every writing verb: read → preview → confirm → compare-and-set → say when every reader has it.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::flag::impact::{ChangeImpact, FlagImpact};
use crate::flag::reason::ChangeReason;
use crate::flag::refuse::{missing, refused};
use crate::flag::store_access::{AppliedUpdate, FlagStoreAccess, FlagUpdate};
use crate::flagstore::FlagStore;
use crate::session::Session;
use liveops_domain::change::undo::Undo;
use liveops_domain::change::undo::flag::FlagUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::edit::{Edit, EditError, apply};
use liveops_domain::flag::name::FlagName;
use liveops_domain::text::shell::word;
use liveops_domain::text::suggest::mistaken;

/// Writes that are on their way at once.
const AT_ONCE: usize = 128;

/// What a verb wants.
pub struct Request {
    /// Such as `flag.set`.
    pub action: &'static str,
    pub edits: Vec<(FlagName, Edit)>,
    pub why: ChangeReason,
    /// Takes effect on the safe side: asks little, and each flag by itself.
    pub kill_switch: bool,
    /// A flag may come to be whose name is near that of another.
    pub create: bool,
}

/// Looks at what was asked for, and plans it.
pub async fn plan(access: &FlagStoreAccess<'_>, request: Request) -> Result<Change> {
    let mut failed = Vec::new();
    let mut targets = Vec::new();
    let mut to_do_it = None;
    for (name, edit) in request.edits {
        let creates = matches!(edit, Edit::Set(_)) && !request.create;
        match target(access, &request.why, (name, edit)).await {
            Ok(mut target) if creates && target.before.is_none() => {
                if let Some(slip) = slip(access, &target.name).await? {
                    target.said.push(slip);
                    to_do_it = Some(format!("{} --create", access.cx.command_line.replace(" --dry-run", "")));
                }
                targets.push(target);
            }
            Ok(target) => targets.push(target),
            // Of several that are to be killed, one that cannot be must not hold the others up.
            Err(error) if request.kill_switch => failed.push(error),
            Err(error) => return Err(error),
        }
    }
    if targets.is_empty() && !failed.is_empty() {
        return Err(failed.remove(0));
    }
    if !request.kill_switch && targets.iter().any(FlagUpdate::changes) {
        request.why.check(access.cx)?;
    }
    Ok(Change {
        action: request.action,
        kill_switch: request.kill_switch,
        undoes: None,
        failed,
        planned: Planned::of(access, request.action, targets, request.why).await?,
        to_do_it,
    })
}

/// What to say of a new name that is near one in use: probably it is mistyped, and nobody is there to see it.
async fn slip(access: &FlagStoreAccess<'_>, name: &FlagName) -> Result<Option<String>> {
    let all = access.store.all().await?;
    let Some(near) = mistaken(name.as_str(), all.iter().map(|(name, _)| name.as_str())) else {
        return Ok(None);
    };
    let said = format!("there is no flag `{name}` yet, so this creates it; did you mean `{near}`?");
    let cx = access.cx;
    if cx.choices.dry_run || (cx.ask.can_ask() && !cx.choices.yes) {
        return Ok(Some(said));
    }
    Err(Error::usage(
        format!("there is no flag `{name}`; did you mean `{near}`?"),
        format!("to make a flag of this name all the same: `{} --create`", cx.command_line),
    ))
}

async fn target(
    access: &FlagStoreAccess<'_>,
    why: &ChangeReason,
    (name, edit): (FlagName, Edit),
) -> Result<FlagUpdate> {
    let before = access.store.get(&name).await?;
    why.at_revision(access.cx, &name, before.as_deref())?;
    let after = match apply(before.as_deref(), &edit, access.reader) {
        Ok(after) => after,
        Err(EditError::NoSuchFlag) => return Err(missing(&access.store, &name).await),
        Err(error) => return Err(refused(access.cx, &name, before.as_deref(), &error)),
    };
    Ok(FlagUpdate { name, edit, before, after, strict: why.expect_rev.is_some(), said: Vec::new() })
}

/// Flags that are to be written in one change, and what that does.
pub struct Planned {
    /// Those where there is something to write.
    targets: Vec<FlagUpdate>,
    reason: Option<String>,
    pub preview: ChangeImpact,
    pub summary: String,
}

/// What a change of flags did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct FlagsWritten {
    pub flags: Vec<FlagWritten>,
    pub reason: Option<String>,
    /// When every reader has it; none where it is only planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers_by: Option<String>,
}

/// One flag of it.
#[derive(Debug, Clone, Serialize)]
pub struct FlagWritten {
    #[serde(flatten)]
    pub impact: FlagImpact,
    #[serde(flatten)]
    pub writing: Option<Writing>,
}

/// How it was written.
#[derive(Debug, Clone, Serialize)]
pub struct Writing {
    pub rev: Option<u64>,
    pub written: bool,
    pub notified: bool,
    /// Replicas that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u64>,
    /// Of a kill switch: why it is not in the flag's history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrecorded: Option<String>,
}

impl FlagsWritten {
    /// Of each flag that was switched off and could not be kept: why, and how to have it back.
    pub fn unrecorded(&self, cx: &Session) -> Vec<String> {
        let said = |flag: &FlagWritten| {
            let (name, why) = (&flag.impact.flag, flag.writing.as_ref()?.unrecorded.as_ref()?);
            Some(format!(
                "flag `{name}` is off, and this change is not in its history: {why}; `{}` takes it back",
                cx.command(&format!("flag enable {}", word(name.as_str())))
            ))
        };
        self.flags.iter().filter_map(said).collect()
    }
}

/// What came of it.
pub struct Outcome {
    pub done: Done<FlagsWritten>,
    /// What could not be written.
    errors: Vec<Error>,
}

impl Planned {
    /// Looks at what the change does.
    pub async fn of(
        access: &FlagStoreAccess<'_>,
        action: &str,
        mut targets: Vec<FlagUpdate>,
        why: ChangeReason,
    ) -> Result<Self> {
        let preview = ChangeImpact::of(access, &targets, why.users.as_deref()).await?;
        targets.retain(FlagUpdate::changes);
        Ok(Self { summary: crate::flag::impact::summary(action, &targets), targets, reason: why.reason, preview })
    }

    /// Is there nothing to write?
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The undo, as far as it is known before the act.
    pub fn undo(&self) -> Undo {
        let flags = self.targets.iter().map(|target| target.name.to_string());
        Undo::from(FlagUndo::RestoreFlags { flags: flags.collect() })
    }

    /// Does it take flags away from users only?
    pub fn only_takes_away(&self, access: &FlagStoreAccess<'_>) -> bool {
        self.targets.iter().all(|target| target.only_takes_away(access.reader))
    }

    /// What is known of it beforehand, for programs.
    pub fn result(&self) -> FlagsWritten {
        let flags = self.preview.impacts.iter().cloned().map(|impact| FlagWritten { impact, writing: None });
        FlagsWritten { flags: flags.collect(), reason: self.reason.clone(), readers_by: None }
    }

    /// Writes every flag: that one could not be written says nothing about the next.
    pub async fn write(&self, access: &FlagStoreAccess<'_>, confirmed: &Confirmed) -> Outcome {
        let (mut effects, mut errors) = (Vec::new(), Vec::new());
        let write = |target| access.write(target, self.reason.as_deref(), confirmed);
        // Many are on their way at once, so that a slow link costs its latency a few times and not once a flag.
        let mut writes = stream::iter(self.targets.iter().map(write)).buffered(AT_ONCE);
        while let Some(written) = writes.next().await {
            match written {
                Ok(effect) => effects.push(effect),
                Err(error) => errors.push(error),
            }
        }
        let replicas = if effects.is_empty() { None } else { access.store.replicas().await };
        let written = |effect: &&AppliedUpdate| effect.revision.is_some() && effect.unrecorded.is_none();
        let flags = effects.iter().filter(written).map(|effect| effect.name.to_string());
        let undo = FlagUndo::RestoreFlags { flags: flags.collect() };
        let result = FlagsWritten {
            flags: self.preview.effects(&effects, replicas),
            reason: self.reason.clone(),
            readers_by: Some(seen_by(access.cx.clock.now(), access.cache_ttl)),
        };
        Outcome { done: Done { result, undo: (!undo.flags().is_empty()).then(|| undo.into()) }, errors }
    }
}

impl Outcome {
    /// What was done, if all of it was. `finish` is the command for what is left.
    pub fn whole(mut self, others: Vec<Error>, finish: String) -> Result<Done<FlagsWritten>> {
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
pub struct Change {
    pub action: &'static str,
    pub kill_switch: bool,
    /// The change that this one reverts.
    pub undoes: Option<String>,
    /// What could not even be planned.
    pub failed: Vec<Error>,
    pub planned: Planned,
    /// What to type after a dry run, where that is not the same line without `--dry-run`.
    pub to_do_it: Option<String>,
}

/// When the last reader has asked again, rounded up so that it is never promised too early.
fn seen_by(now: DateTime<Utc>, ttl: std::time::Duration) -> String {
    let ttl = TimeDelta::from_std(ttl).unwrap_or_default() + TimeDelta::milliseconds(999);
    let by = now.checked_add_signed(ttl).unwrap_or(now);
    by.format("%FT%TZ").to_string()
}
