//! Lock and state of a flag's ramp in Redis, beside the flags: whoever can change the flag can go on or go back. The
//! server's clock alone says whether a holder lives.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};

use crate::change::confirmed::Confirmed;
use crate::flagstore::FlagStore as _;
use crate::flagstore::lock::RampLock;
use crate::flagstore::ramps::RampRecord;
use crate::flagstore::redis::RedisFlags;
use crate::rollout::state_store::{StateStore, StoredRollout};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::name::FlagName;
use liveops_domain::rollout::lock::{Holder, RolloutLock};
use liveops_domain::rollout::state::Rollout;
use liveops_domain::text::shell::word;

/// A holder that has not renewed for this long is gone.
const LEASE: Duration = Duration::from_secs(15);

/// Time between two looks at a holder that may be gone.
const LOOK: Duration = Duration::from_millis(250);

/// The ramp of one flag.
pub struct FlagStateStore<'a> {
    cx: &'a Session,
    store: Box<RedisFlags>,
    name: FlagName,
}

impl<'a> FlagStateStore<'a> {
    pub fn new(cx: &'a Session, store: Box<RedisFlags>, name: FlagName) -> Self {
        Self { cx, store, name }
    }

    fn look(&self) -> String {
        let line = format!("flag ramp status {}", word(self.name.as_str()));
        format!("look at it: `{}`", self.cx.command(&line))
    }

    async fn take(&self, holder: &str, takeover: bool, confirmed: &Confirmed) -> Result<RolloutLock> {
        let began = Instant::now();
        let mut first: Option<RampLock> = None;
        loop {
            let taken = self.store.take_ramp(&self.name, holder, takeover, LEASE, confirmed).await?;
            let found = match taken {
                Ok(epoch) => {
                    return Ok(RolloutLock { holder: holder.to_owned(), epoch });
                }
                Err(found) => found,
            };
            let first = first.get_or_insert_with(|| found.clone().unwrap_or(unknown()));
            let lives = found.as_ref() != Some(first) || began.elapsed() > LEASE * 2;
            if lives {
                return Err(Error::Refused {
                    why: format!("{} holds the ramp of `{}`", first.holder, self.name),
                    hint: format!(
                        "{}; pause and abort work from here; `--takeover` takes it from a holder that hangs",
                        self.look()
                    ),
                });
            }
            sleep(LOOK).await;
        }
    }

    async fn keep(&self, lock: &RolloutLock, give_back: bool, confirmed: &Confirmed) -> Result<()> {
        let ours = self.store.renew_ramp(&self.name, lock.epoch, give_back, confirmed).await?;
        if ours {
            return Ok(());
        }
        Err(Error::Conflict {
            what: format!("the ramp of `{}` was taken over by somebody else", self.name),
            hint: self.look(),
        })
    }
}

fn unknown() -> RampLock {
    RampLock { holder: "another liveops".into(), epoch: 0, renewed: 0, is_free: false }
}

/// Who holds it, of what stands there.
pub fn holder(record: &RampRecord) -> Option<Holder> {
    let lock = record.lock.as_ref().filter(|lock| !lock.is_free)?;
    let millis = i64::try_from(lock.renewed).unwrap_or_default();
    Some(Holder {
        holder: lock.holder.clone(),
        epoch: lock.epoch,
        renewed_at: DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default(),
        alive: record.age < LEASE,
    })
}

/// The state, of what stands there.
pub fn stored(record: &RampRecord, store: &RedisFlags) -> Result<Option<StoredRollout>> {
    let Some((version, json)) = &record.state else {
        return Ok(None);
    };
    let rollout: Rollout = serde_json::from_str(json).map_err(|error| Error::Malformed {
        system: "Redis".into(),
        url: store.shown(),
        what: format!("the state of a ramp that liveops did not write: {error}"),
    })?;
    Ok(Some(StoredRollout { rollout, version: version.to_string() }))
}

#[async_trait(?Send)]
impl StateStore for FlagStateStore<'_> {
    async fn acquire(&self, holder: &str, takeover: bool, confirmed: &Confirmed) -> Result<RolloutLock> {
        self.take(holder, takeover, confirmed).await
    }

    async fn renew(&self, lock: &RolloutLock, confirmed: &Confirmed) -> Result<()> {
        self.keep(lock, false, confirmed).await
    }

    async fn release(&self, lock: &RolloutLock, confirmed: &Confirmed) -> Result<()> {
        self.keep(lock, true, confirmed).await
    }

    async fn holder(&self) -> Result<Option<Holder>> {
        Ok(holder(&self.store.ramp(&self.name).await?))
    }

    async fn load(&self) -> Result<Option<StoredRollout>> {
        stored(&self.store.ramp(&self.name).await?, &self.store)
    }

    async fn save(&self, rollout: &Rollout, version: Option<&str>, confirmed: &Confirmed) -> Result<String> {
        let before = version.map_or(Ok(0), str::parse);
        let before = before.map_err(|_| Error::internal("a version that is no number"))?;
        let json = serde_json::to_string(rollout)?;
        let saved = self.store.save_ramp(&self.name, before, &json, confirmed).await?;
        saved.map(|version| version.to_string()).ok_or_else(|| Error::Conflict {
            what: "the state of the ramp was changed by somebody else".into(),
            hint: self.look(),
        })
    }
}
