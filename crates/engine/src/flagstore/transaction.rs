//! The compare-and-set where scripts are not allowed: `WATCH`, compare, `MULTI`, `EXEC`, on a connection of its own.

use redis::Value;

use crate::clients::redis::failure::Failure;
use crate::clients::redis::pauses::Pauses;
use crate::clients::redis::{Redis, unexpected};
use crate::flagstore::keys::Keys;
use crate::flagstore::lock::RampLock;
use crate::flagstore::redis::HISTORY;
use crate::flagstore::{Write, WriteOutcome};

/// Carries out a write, with its history or without. `WATCH` is about the whole hash, so a change of another flag makes it begin anew.
pub async fn write(redis: &Redis, keys: &Keys, write: &Write, history: bool) -> Result<WriteOutcome, Failure> {
    let mut session = redis.session().await?;
    let mut pauses = Pauses::until(redis.patience());
    let name = write.name.as_str();
    loop {
        let mut look = redis::pipe();
        look.cmd("WATCH").arg(&keys.hash).ignore();
        if write.epoch.is_some() {
            look.cmd("WATCH").arg(&keys.ramps).ignore();
            look.cmd("HGET").arg(&keys.ramps).arg(format!("lock:{name}"));
        }
        look.cmd("HGET").arg(&keys.hash).arg(name);
        let mut answer = session.ask(&look).await?;
        if let (Some(epoch), Value::Array(values)) = (write.epoch, &mut answer)
            && values.len() == 2
        {
            let lock = match values.remove(0) {
                Value::BulkString(lock) => RampLock::read(&lock),
                _ => None,
            };
            if lock.is_none_or(|lock| lock.epoch != epoch) {
                return Ok(WriteOutcome::Fenced);
            }
        }
        let found = match answer {
            Value::Array(mut values) if values.len() == 1 => match values.remove(0) {
                Value::Nil => None,
                Value::BulkString(bytes) => Some(bytes),
                other => return Err(Failure::NoReply(unexpected(&redis.shown(), &other))),
            },
            other => return Err(Failure::NoReply(unexpected(&redis.shown(), &other))),
        };
        if found != write.expected {
            return Ok(WriteOutcome::Conflict { found });
        }
        let mut act = redis::pipe();
        act.atomic();
        if history {
            act.cmd("XADD").arg(&keys.history).arg("MAXLEN").arg("~").arg(HISTORY).arg("*");
            for (field, value) in write.revision.to_fields() {
                act.arg(field).arg(value);
            }
        }
        match &write.revision.after {
            Some(value) => act.cmd("HSET").arg(&keys.hash).arg(name).arg(value),
            None => act.cmd("HDEL").arg(&keys.hash).arg(name),
        };
        if session.ask(&act).await? == Value::Nil {
            if pauses.next().await {
                continue;
            }
            return Ok(WriteOutcome::Conflict { found });
        }
        let mut tell = redis::pipe();
        tell.cmd("PUBLISH").arg(&keys.channel).arg(name);
        return Ok(WriteOutcome::applied(session.ask(&tell).await.is_ok()));
    }
}
