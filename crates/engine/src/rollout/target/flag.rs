//! The percentage of a feature flag as a target. A step replaces exactly the bytes that the ramp knows, under the epoch
//! of its lock; the way back changes the percentage alone, only downwards, and leaves a flag that is off alone.

use std::cell::RefCell;

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::Object;
use crate::flag::store_access::FlagStoreAccess;
use crate::flagstore::{FlagStore as _, Write, WriteOutcome};
use crate::rollout::target::{Finish, Release, TrafficTarget};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::delta;
use liveops_domain::flag::edit::{Edit, SetEdit, apply};
use liveops_domain::flag::name::FlagName;
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Percent, Readiness, Reading};
use liveops_domain::rollout::plan::FLAG;
use liveops_domain::text::shell::word;

/// How often the way back begins anew when others write at the same time.
const TRIES: u32 = 50;

/// The target.
pub struct FlagTarget<'a> {
    site: FlagStoreAccess<'a>,
    name: FlagName,
    /// Why the next write is made; the person's own reason goes before it.
    because: RefCell<String>,
    reason: Option<String>,
    /// The version that was seen last, and who made it.
    seen: RefCell<Option<(String, String)>>,
}

impl<'a> FlagTarget<'a> {
    /// Of this flag; `reason` is the person's for all of the ramp.
    pub fn new(cx: &'a Session, name: FlagName, reason: Option<String>) -> Result<Self> {
        Ok(Self { site: FlagStoreAccess::of(cx)?, name, because: RefCell::default(), reason, seen: RefCell::default() })
    }

    /// The version of these bytes.
    pub fn version(bytes: &[u8]) -> String {
        let digest = Sha256::digest(bytes);
        digest[..12].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    async fn get(&self) -> Result<Option<Vec<u8>>> {
        self.site.store.get(&self.name).await
    }

    /// Who has made the flag what it is, in words: by, when, why, what.
    async fn writer(&self, bytes: Option<&[u8]>, version: &str) -> String {
        if let Some((known, writer)) = self.seen.borrow().as_ref()
            && known == version
        {
            return writer.clone();
        }
        let newest = self.site.store.history(Some(&self.name), Some(1)).await;
        let newest = newest.ok().and_then(|mut newest| newest.pop());
        let text = match newest.filter(|newest| newest.after.as_deref() == bytes) {
            Some(newest) => format!(
                "{} at {} ({}): {}",
                newest.by,
                newest.at.format("%FT%TZ"),
                newest.reason.as_deref().unwrap_or("no reason given"),
                delta::words(newest.before.as_deref(), newest.after.as_deref())
            ),
            None => "somebody outside liveops".into(),
        };
        *self.seen.borrow_mut() = Some((version.to_owned(), text.clone()));
        text
    }

    async fn reading(&self, bytes: Option<&[u8]>) -> Reading {
        let version = Self::version(bytes.unwrap_or_default());
        let by = self.writer(bytes, &version).await;
        let failed = |what: &str| Readiness::Failed { available: 0, why: format!("the flag {what} by {by}") };
        let (live, canary) = match bytes.map(Flag::read) {
            None => (Percent::ZERO, failed("was removed")),
            Some(Err(error)) => (Percent::ZERO, failed(&format!("was made unreadable ({error})"))),
            Some(Ok(flag)) if !flag.enabled() => (Percent::ZERO, failed("was switched off")),
            Some(Ok(flag)) => (Percent::new(flag.gate()).unwrap_or(Percent::FULL), Readiness::Ready { available: 1 }),
        };
        Reading {
            live,
            settled: true,
            stable: Readiness::Ready { available: 1 },
            canary,
            version: bytes.map(|_| version),
            epoch: None,
            writer: Some(by),
            stable_image: None,
            canary_image: None,
            digests: Digests::default(),
            broken: None,
        }
    }

    /// What the flag is with this percentage.
    fn with(&self, bytes: &[u8], percent: Percent) -> Result<Vec<u8>> {
        let edit = Edit::Set(SetEdit { percentage: percent.get().to_string().parse().ok(), ..SetEdit::default() });
        let after = apply(Some(bytes), &edit, self.site.reader);
        after
            .map_err(|error| Error::Refused { why: format!("flag `{}`: {error}", self.name), hint: self.look() })?
            .ok_or_else(|| Error::internal("a percentage that removes the flag"))
    }

    fn look(&self) -> String {
        let line = format!("flag get {}", word(self.name.as_str()));
        format!("look at it: `{}`", self.site.cx.command(&line))
    }

    /// Replaces exactly these bytes; none when somebody was faster.
    async fn put(
        &self,
        (before, after): (Vec<u8>, Vec<u8>),
        epoch: Option<u64>,
        confirmed: &Confirmed,
    ) -> Result<Option<WriteOutcome>> {
        let both = (Some(before), Some(after));
        let mut revision = self.site.revision(&self.name, confirmed, (&both.0, &both.1));
        let because = self.because.borrow().clone();
        revision.reason = Some(match &self.reason {
            Some(reason) => format!("{reason}; ramp, {because}"),
            None => format!("ramp, {because}"),
        });
        // A step needs the ramp's lock; what takes the flag away from users needs nothing.
        let kill_switch = epoch.is_none();
        let write = Write { name: self.name.clone(), expected: both.0, revision, epoch, kill_switch };
        match self.site.store.write(&write, confirmed).await? {
            WriteOutcome::Conflict { .. } => Ok(None),
            written => {
                let version = Self::version(write.revision.after.as_deref().unwrap_or_default());
                *self.seen.borrow_mut() = Some((version, "this ramp".into()));
                Ok(Some(written))
            }
        }
    }

    fn faster(&self) -> Error {
        Error::Conflict { what: format!("flag `{}` was changed by somebody else", self.name), hint: self.look() }
    }

    async fn step(&self, percent: Percent, fence: &Fence, confirmed: &Confirmed) -> Result<Reading> {
        let bytes = self.get().await?.ok_or_else(|| self.faster())?;
        if fence.version.as_deref() != Some(&Self::version(&bytes)) {
            return Err(self.faster());
        }
        let after = self.with(&bytes, percent)?;
        if after != bytes {
            let both = (bytes, after.clone());
            match self.put(both, Some(fence.epoch), confirmed).await? {
                Some(WriteOutcome::Fenced) => {
                    return Err(Error::Conflict {
                        what: format!("the ramp of `{}` was taken over", self.name),
                        hint: self.look(),
                    });
                }
                Some(_) => {}
                None => return Err(self.faster()),
            }
        }
        Ok(self.reading(Some(&after)).await)
    }

    async fn back(&self, goal: Percent, confirmed: &Confirmed) -> Result<Reading> {
        for _ in 0..TRIES {
            let Some(bytes) = self.get().await? else {
                return Ok(self.reading(None).await);
            };
            let reading = self.reading(Some(&bytes)).await;
            // What is off stays off, and what is lower stays lower.
            if !reading.live.exceeds(goal) {
                return Ok(reading);
            }
            let after = self.with(&bytes, goal)?;
            if self.put((bytes, after.clone()), None, confirmed).await?.is_some() {
                return Ok(self.reading(Some(&after)).await);
            }
        }
        Err(self.faster())
    }
}

#[async_trait(?Send)]
impl TrafficTarget for FlagTarget<'_> {
    fn kind(&self) -> &'static str {
        FLAG
    }

    fn location(&self) -> String {
        self.site.store.shown()
    }

    async fn read_beside(&self, _beside: &[Object]) -> Result<(Reading, Option<Vec<Value>>)> {
        let bytes = self.get().await?;
        Ok((self.reading(bytes.as_deref()).await, None))
    }

    async fn originals(&self) -> Result<Originals> {
        let reading = self.read().await?;
        Ok(Originals {
            weight: reading.live,
            stable_available: 1,
            stable_image: None,
            release: None,
            canary_image: None,
            stable_digest: None,
            stable_revision: reading.version,
            detail: Value::Null,
        })
    }

    async fn prepare(&self, _release: Release<'_>, _confirmed: &Confirmed) -> Result<Reading> {
        self.read().await
    }

    async fn set_exposure(&self, percent: Percent, fence: &Fence, confirmed: &Confirmed) -> Result<Reading> {
        self.step(percent, fence, confirmed).await
    }

    async fn restore(&self, originals: Option<&Originals>, confirmed: &Confirmed) -> Result<Reading> {
        let goal = originals.map_or(Percent::ZERO, |was| was.weight);
        self.back(goal, confirmed).await
    }

    async fn promote(&self, _release: Release<'_>, _confirmed: &Confirmed) -> Result<Reading> {
        self.read().await
    }

    async fn finish(&self, _release: Release<'_>, _confirmed: &Confirmed) -> Result<Finish> {
        Ok(Finish::Done)
    }

    fn undo_by_hand(&self, originals: Option<&Originals>) -> String {
        let goal = originals.map_or(Percent::ZERO, |was| was.weight).get();
        let name = word(self.name.as_str());
        self.site.cx.command(&format!("flag set {name} --pct {goal}"))
    }

    fn because(&self, reason: String) {
        *self.because.borrow_mut() = reason;
    }
}
