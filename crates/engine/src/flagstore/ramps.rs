//! Lock and state of ramps in Redis: one hash in the slot of the flags, so that a step can be written only by whoever
//! holds the lock. What a state says is not known here.

use std::time::Duration;

use redis::Value;

use crate::change::confirmed::Confirmed;
use crate::clients::redis::unexpected;
use crate::flagstore::FlagStore;
use crate::flagstore::lock::{RampLock, bytes};
use crate::flagstore::redis::RedisFlags;
use liveops_domain::error::Result;
use liveops_domain::flag::name::FlagName;

const SCRIPT: &str = include_str!("ramp.lua");

/// What stands about the ramp of one flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampRecord {
    pub lock: Option<RampLock>,
    /// How long ago the lock was renewed, by the server's clock.
    pub age: Duration,
    /// The state, and the version that replacing it takes.
    pub state: Option<(u64, String)>,
}

impl RampRecord {
    fn new(lock: Option<&[u8]>, state: Option<&[u8]>, now: u64) -> Self {
        let lock = lock.and_then(RampLock::read);
        let age = lock.as_ref().map_or(0, |lock| now.saturating_sub(lock.renewed));
        let state = state.and_then(|bytes| {
            let (version, json) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
            Some((version.parse().ok()?, json.to_owned()))
        });
        Self { lock, age: Duration::from_millis(age), state }
    }
}

impl RedisFlags {
    /// What stands about the ramp of this flag.
    pub async fn ramp(&self, name: &FlagName) -> Result<RampRecord> {
        let mut command = redis::cmd("HMGET");
        command.arg(&self.keys.ramps).arg(format!("lock:{name}")).arg(format!("state:{name}"));
        let value = self.read(&command).await?;
        let Value::Array(parts) = &value else {
            return Err(unexpected(&self.shown(), &value));
        };
        let [lock, state] = parts.as_slice() else {
            return Err(unexpected(&self.shown(), &value));
        };
        Ok(RampRecord::new(bytes(lock), bytes(state), self.now().await?))
    }

    /// Every ramp that there is or was.
    pub async fn ramps(&self) -> Result<Vec<RampRecord>> {
        let mut command = redis::cmd("HGETALL");
        command.arg(&self.keys.ramps);
        let value = self.read(&command).await?;
        let Value::Array(parts) = &value else {
            return Err(unexpected(&self.shown(), &value));
        };
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let pairs: Vec<(&[u8], &[u8])> =
            parts.chunks_exact(2).filter_map(|pair| Some((bytes(&pair[0])?, bytes(&pair[1])?))).collect();
        let now = self.now().await?;
        let found = pairs.iter().filter_map(|(field, state)| {
            let name = field.strip_prefix(b"state:")?;
            let lock = [b"lock:", name].concat();
            let lock = pairs.iter().find(|(field, _)| **field == lock);
            Some(RampRecord::new(lock.map(|(_, lock)| *lock), Some(state), now))
        });
        Ok(found.collect())
    }

    /// Takes the lock; gives the new epoch, or who has it. Asking again as the same holder is no harm.
    pub async fn take_ramp(
        &self,
        name: &FlagName,
        holder: &str,
        takeover: bool,
        lease: Duration,
        confirmed: &Confirmed,
    ) -> Result<Result<u64, Option<RampLock>>> {
        let lease = lease.as_millis().to_string();
        let takeover = if takeover { "1" } else { "0" };
        let args = ["take", name.as_str(), holder, takeover, &lease];
        let done = self.script(&args, confirmed).await?;
        Ok(done.map_err(|lock| RampLock::read(&lock)))
    }

    /// Shows that the holder lives, or gives the lock back; false when somebody else has it.
    pub async fn renew_ramp(
        &self,
        name: &FlagName,
        epoch: u64,
        give_back: bool,
        confirmed: &Confirmed,
    ) -> Result<bool> {
        let op = if give_back { "release" } else { "renew" };
        let args = [op, name.as_str(), &epoch.to_string()];
        Ok(self.script(&args, confirmed).await?.is_ok())
    }

    /// Replaces the state of this version (0: there is none); gives the new version, or none when another is there.
    pub async fn save_ramp(
        &self,
        name: &FlagName,
        version: u64,
        state: &str,
        confirmed: &Confirmed,
    ) -> Result<Option<u64>> {
        let args = ["save", name.as_str(), &version.to_string(), state];
        Ok(self.script(&args, confirmed).await?.ok())
    }

    async fn script(&self, args: &[&str], _confirmed: &Confirmed) -> Result<Result<u64, Vec<u8>>> {
        let mut command = redis::cmd("EVAL");
        command.arg(SCRIPT).arg(1).arg(&self.keys.ramps).arg(args);
        let value = match self.redis.ask(&command).await {
            Ok(value) => value,
            Err(failure) => return Err(self.explain(failure).await),
        };
        let Value::Array(parts) = &value else {
            return Err(unexpected(&self.shown(), &value));
        };
        match parts.as_slice() {
            [Value::Int(1), Value::Int(number)] => Ok(Ok(u64::try_from(*number).unwrap_or(0))),
            [Value::Int(0), Value::BulkString(found)] => Ok(Err(found.clone())),
            _ => Err(unexpected(&self.shown(), &value)),
        }
    }

    /// Milliseconds of the server's clock.
    async fn now(&self) -> Result<u64> {
        let value = self.read(&redis::cmd("TIME")).await?;
        let Value::Array(parts) = &value else {
            return Err(unexpected(&self.shown(), &value));
        };
        let number = |value: &Value| -> Option<u64> { std::str::from_utf8(bytes(value)?).ok()?.parse().ok() };
        match parts.as_slice() {
            [seconds, micros] => number(seconds).zip(number(micros)),
            _ => None,
        }
        .map(|(seconds, micros)| seconds * 1000 + micros / 1000)
        .ok_or_else(|| unexpected(&self.shown(), &value))
    }
}
