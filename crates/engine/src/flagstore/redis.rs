//! Flags in Redis: a hash of raw values, a stream of their history, and a channel of change notices, in one slot.

use redis::{Cmd, Value};

use crate::change::confirmed::Confirmed;
use crate::clients::redis::failure::Failure;
use crate::clients::redis::pauses::Pauses;
use crate::clients::redis::session::Notices;
use crate::clients::redis::{Redis, unexpected};
use crate::flagstore::keys::Keys;
use crate::flagstore::{FlagStore, Write, WriteOutcome, transaction, wanted};
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::name::FlagName;
use liveops_domain::text::shell::word;

const SCRIPT: &str = include_str!("write.lua");

/// Of a kill switch, where that cannot be carried out.
const ALONE: &str = include_str!("alone.lua");

/// About how many changes the history keeps.
pub const HISTORY: usize = 10_000;

/// Milliseconds that a write waits for a replica, where one may take the primary's place.
const REPLICA_PATIENCE: usize = 300;

/// Entries of the history that are asked for at once.
const PAGE: usize = 500;

/// The flags of one Redis key.
#[derive(Debug)]
pub struct RedisFlags {
    pub redis: Redis,
    pub keys: Keys,
    script: redis::Script,
}

/// The ACL rule that allows everything that liveops does with the flags of this key.
pub fn permissions(hash: &str) -> String {
    let keys = Keys::of(hash);
    format!(
        "~{} ~{} ~{} &{} +hget +hmget +hgetall +hset +hdel +xadd +xdel +xrevrange +eval +evalsha +time +publish +subscribe +wait +role +ping +info",
        keys.hash, keys.history, keys.ramps, keys.channel
    )
}

impl RedisFlags {
    pub fn new(redis: Redis, hash: &str) -> Self {
        Self { redis, keys: Keys::of(hash), script: redis::Script::new(SCRIPT) }
    }

    /// A section of what the server says about itself.
    pub async fn info(&self, section: &str) -> Result<Vec<(String, String)>> {
        let mut command = redis::cmd("INFO");
        command.arg(section);
        match self.read(&command).await? {
            Value::BulkString(bytes) => Ok(pairs(&bytes)),
            other => Err(unexpected(&self.shown(), &other)),
        }
    }

    /// Notices of changes, unless that is not allowed or not possible.
    pub async fn notices(&self) -> Option<Notices> {
        self.redis.subscribe(&self.keys.channel).await.ok()
    }

    /// Asks, and explains why there is no answer.
    pub async fn read(&self, command: &Cmd) -> Result<Value> {
        match self.redis.read(command).await {
            Ok(value) => Ok(value),
            Err(failure) => Err(self.explain(failure).await),
        }
    }

    /// The error of a failure, with what the server adds to it when it is asked.
    pub async fn explain(&self, failure: Failure) -> Error {
        let adds = if failure.is("WRONGTYPE") {
            self.types().await
        } else if failure.is("READONLY") {
            self.primary().await
        } else {
            None
        };
        match (self.redis.explain(failure), adds) {
            (Error::Declined { system, url, code, hint, .. }, Some(why)) => {
                Error::Declined { system, url, code, why, hint }
            }
            (Error::Refused { why, hint }, Some(primary)) => {
                Error::Refused { why: format!("{why}; its primary is {primary}"), hint }
            }
            (error, _) => error,
        }
    }

    /// Which of the keys is of which wrong type.
    pub async fn types(&self) -> Option<String> {
        for (key, want) in [(&self.keys.hash, "hash"), (&self.keys.history, "stream")] {
            let mut command = redis::cmd("TYPE");
            command.arg(key);
            if let Ok(Value::SimpleString(kind)) = self.redis.ask(&command).await
                && kind != want
                && kind != "none"
            {
                return Some(format!("has a {kind} at `{key}`, where a {want} is meant"));
            }
        }
        None
    }

    /// Where the primary of this replica is.
    async fn primary(&self) -> Option<String> {
        let mut command = redis::cmd("INFO");
        command.arg("replication");
        let Ok(Value::BulkString(bytes)) = self.redis.ask(&command).await else {
            return None;
        };
        let info = pairs(&bytes);
        let said = |name: &str| info.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        Some(format!("{}:{}", said("master_host")?, said("master_port")?))
    }

    /// How many replicas have what was written, after a short wait for one of them.
    pub async fn replicas(&self) -> Option<u64> {
        if !self.redis.has_several() {
            return None;
        }
        let mut command = redis::cmd("WAIT");
        command.arg(1).arg(REPLICA_PATIENCE);
        match self.redis.ask(&command).await {
            Ok(Value::Int(count)) => u64::try_from(count).ok(),
            _ => None,
        }
    }

    /// One compare-and-set, once.
    async fn attempt(&self, write: &Write) -> Result<WriteOutcome, Failure> {
        let mut sent = self.redis.ask(&self.call("EVALSHA", self.script.get_hash(), write)).await;
        if sent.as_ref().is_err_and(is_about_evalsha) {
            // Redis was started anew, or somebody flushed its scripts; or only whole scripts are allowed.
            sent = self.redis.ask(&self.call("EVAL", SCRIPT, write)).await;
        }
        if sent.as_ref().is_err_and(is_about_evalsha) {
            return transaction::write(&self.redis, &self.keys, write, true).await;
        }
        self.outcome(sent?)
    }

    /// What a script says of a write.
    #[allow(clippy::needless_pass_by_value, reason = "an answer is used up by its reading")]
    fn outcome(&self, value: Value) -> Result<WriteOutcome, Failure> {
        let Value::Array(parts) = &value else {
            return Err(Failure::NoReply(unexpected(&self.shown(), &value)));
        };
        match parts.as_slice() {
            [Value::Int(1), Value::Int(told)] => Ok(WriteOutcome::applied(*told == 1)),
            [Value::Int(2)] => Ok(WriteOutcome::Fenced),
            [Value::Int(0), Value::Nil] => Ok(WriteOutcome::Conflict { found: None }),
            [Value::Int(0), Value::BulkString(found)] => Ok(WriteOutcome::Conflict { found: Some(found.clone()) }),
            _ => Err(Failure::NoReply(unexpected(&self.shown(), &value))),
        }
    }

    fn call(&self, how: &str, script: &str, write: &Write) -> Cmd {
        let given = |value: &Option<Vec<u8>>| (u8::from(value.is_some()), value.clone().unwrap_or_default());
        let ((was_there, expected), (is_kept, value)) = (given(&write.expected), given(&write.revision.after));
        let mut command = redis::cmd(how);
        command
            .arg(script)
            .arg(2 + usize::from(write.epoch.is_some()))
            .arg(&self.keys.hash)
            .arg(&self.keys.history)
            .arg(write.epoch.map(|_| &self.keys.ramps))
            .arg(write.name.as_str())
            .arg(was_there)
            .arg(expected)
            .arg(is_kept)
            .arg(value)
            .arg(&self.keys.channel)
            .arg(HISTORY)
            .arg(write.epoch.map_or_else(String::new, |epoch| epoch.to_string()));
        for (field, value) in write.revision.to_fields() {
            command.arg(field).arg(value);
        }
        command
    }

    /// Switches off, whatever else does not work: first as every write, then the flag alone. What could not be kept is
    /// said.
    async fn kill(&self, write: &Write) -> Result<WriteOutcome> {
        let mut why = match self.attempt(write).await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let mut pauses = Pauses::until(self.redis.patience());
        loop {
            if !matches!(why, Failure::Said(_)) {
                self.redis.forget();
            }
            let failure = match self.alone(write).await {
                // After a lost reply, what is there may be our own.
                Ok(WriteOutcome::Conflict { found }) if found != write.revision.after => {
                    return Ok(WriteOutcome::Conflict { found });
                }
                Ok(_) => break,
                Err(failure) => failure,
            };
            if !self.redis.may_pass(&failure) || !pauses.next().await {
                return Err(self.explain(failure).await);
            }
            why = failure;
        }
        let mut tell = redis::cmd("PUBLISH");
        tell.arg(&self.keys.channel).arg(write.name.as_str());
        let notified = self.redis.ask(&tell).await.is_ok();
        let mut record = redis::cmd("XADD");
        record.arg(&self.keys.history).arg("MAXLEN").arg("~").arg(HISTORY).arg("*");
        for (field, value) in write.revision.to_fields() {
            record.arg(field).arg(value);
        }
        let unrecorded = match self.is_done(&write.revision).await {
            Ok(true) => None,
            _ => match self.redis.ask(&record).await {
                Ok(_) => None,
                Err(failure) => Some(self.explain(failure).await.to_string().replace(": nothing was changed", "")),
            },
        };
        Ok(WriteOutcome::Applied { notified, unrecorded })
    }

    /// The compare-and-set of the flag alone.
    async fn alone(&self, write: &Write) -> Result<WriteOutcome, Failure> {
        let (name, value) = (write.name.as_str(), write.revision.after.clone().unwrap_or_default());
        let mut script = redis::cmd("EVAL");
        script.arg(ALONE).arg(1).arg(&self.keys.hash).arg(name);
        script.arg(u8::from(write.expected.is_some())).arg(write.expected.clone().unwrap_or_default()).arg(&value);
        let sent = self.redis.ask(&script).await;
        if !sent.as_ref().is_err_and(is_about_evalsha) {
            return self.outcome(sent?);
        }
        match transaction::write(&self.redis, &self.keys, write, false).await {
            Err(Failure::Said(said)) if said.code == "NOPERM" => {}
            done => return done,
        }
        let mut look = redis::cmd("HGET");
        look.arg(&self.keys.hash).arg(name);
        let found = match self.redis.ask(&look).await? {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        };
        if found != write.expected {
            return Ok(WriteOutcome::Conflict { found });
        }
        let mut set = redis::cmd("HSET");
        set.arg(&self.keys.hash).arg(name).arg(value);
        self.redis.ask(&set).await.map(|_| WriteOutcome::applied(false))
    }

    /// Is this operation in the history? Looks at the newest entries, among which it would be.
    async fn is_done(&self, wanted: &Revision) -> Result<bool> {
        let page = self.page("+").await?;
        let mut found = page.iter().filter_map(|(_, revision)| revision.as_ref());
        Ok(found.any(|revision| revision.is_same(wanted)))
    }

    /// Entries of the history from this id on, the newest first, with their ids.
    async fn page(&self, from: &str) -> Result<Vec<(String, Option<Revision>)>> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(&self.keys.history).arg(from).arg("-").arg("COUNT").arg(PAGE);
        let value = self.read(&command).await?;
        entries(&value).ok_or_else(|| unexpected(&self.shown(), &value))
    }
}

/// The lines `key:value` of `INFO`.
fn pairs(info: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(info);
    let lines = text.lines().filter_map(|line| line.trim_end().split_once(':'));
    lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Is it the script as such that the server does not have, know or allow, rather than a command in it?
fn is_about_evalsha(failure: &Failure) -> bool {
    let Failure::Said(said) = failure else {
        return false;
    };
    let text = said.text.to_lowercase();
    match said.code.as_str() {
        "NOSCRIPT" => true,
        "NOPERM" => text.contains("'eval"),
        "ERR" => text.contains("unknown command") && text.contains("eval"),
        _ => false,
    }
}

/// Ids and revisions of what `XREVRANGE` answers.
fn entries(value: &Value) -> Option<Vec<(String, Option<Revision>)>> {
    let Value::Array(entries) = value else {
        return None;
    };
    let bytes = |value: &Value| match value {
        Value::BulkString(bytes) => Some(bytes.clone()),
        _ => None,
    };
    let entry = |entry: &Value| {
        let Value::Array(parts) = entry else {
            return None;
        };
        let [id, Value::Array(fields)] = parts.as_slice() else {
            return None;
        };
        let fields: Vec<Vec<u8>> = fields.iter().map(bytes).collect::<Option<_>>()?;
        let pairs = fields.chunks_exact(2).map(|pair| (&*pair[0], &*pair[1]));
        let id = String::from_utf8(bytes(id)?).ok()?;
        Some((id, Revision::from_fields(pairs).ok()))
    };
    entries.iter().map(entry).collect()
}

impl FlagStore for RedisFlags {
    async fn get(&self, name: &FlagName) -> Result<Option<Vec<u8>>> {
        let mut command = redis::cmd("HGET");
        command.arg(&self.keys.hash).arg(name.as_str());
        match self.read(&command).await? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            other => Err(unexpected(&self.shown(), &other)),
        }
    }

    async fn all(&self) -> Result<Vec<(String, Vec<u8>)>> {
        // In one answer, so that no change is half in it.
        let mut command = redis::cmd("HGETALL");
        command.arg(&self.keys.hash);
        let value = self.read(&command).await?;
        let Value::Array(parts) = value else {
            return Err(unexpected(&self.shown(), &value));
        };
        let mut flags = Vec::with_capacity(parts.len() / 2);
        let mut parts = parts.into_iter();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            match (name, value) {
                (Value::BulkString(name), Value::BulkString(value)) => {
                    flags.push((String::from_utf8_lossy(&name).into_owned(), value));
                }
                (other, _) => return Err(unexpected(&self.shown(), &other)),
            }
        }
        flags.sort_unstable();
        Ok(flags)
    }

    async fn write(&self, write: &Write, _: &Confirmed) -> Result<WriteOutcome> {
        if write.kill_switch {
            return self.kill(write).await;
        }
        let mut pauses = Pauses::until(self.redis.patience());
        let wanted = &write.revision;
        let mut lost = false;
        loop {
            let failure = match self.attempt(write).await {
                // After a lost reply, what is in the way may be our own write, or what somebody made of it since.
                Ok(WriteOutcome::Conflict { .. }) if lost && self.is_done(wanted).await? => {
                    return Ok(WriteOutcome::applied(true));
                }
                Ok(written) => return Ok(written),
                Err(failure) => failure,
            };
            let may_pass = self.redis.may_pass(&failure);
            lost |= matches!(failure, Failure::NoReply(_));
            if !lost {
                if may_pass && pauses.next().await {
                    self.redis.forget();
                    continue;
                }
                return Err(self.explain(failure).await);
            }
            self.redis.forget();
            match self.is_done(wanted).await {
                Ok(true) => {
                    return Ok(WriteOutcome::applied(true));
                }
                Ok(false) if pauses.next().await => {}
                looked => {
                    let error = match looked {
                        Err(error) => error,
                        Ok(_) => self.explain(failure).await,
                    };
                    return Err(Error::HalfDone {
                        done: format!("the change of `{}` was sent to {}", write.name, self.shown()),
                        left: format!("whether it took place is not known: {error}"),
                        command: format!("liveops flag history {}", word(write.name.as_str())),
                    });
                }
            }
        }
    }

    async fn visit(&self, names: &[&FlagName], mut each: impl FnMut(Revision) -> bool) -> Result<()> {
        let is_wanted = wanted(names);
        let mut from = "+".to_owned();
        loop {
            let page = self.page(&from).await?;
            let is_last = page.len() < PAGE;
            if let Some((id, _)) = page.last() {
                from = format!("({id}");
            }
            let mut revisions = page.into_iter().filter_map(|(_, revision)| revision).filter(&is_wanted);
            if revisions.any(&mut each) || is_last {
                return Ok(());
            }
        }
    }

    fn shown(&self) -> String {
        self.redis.shown()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_lies_in_the_slot_of_the_flags() {
        let keys = Keys::of("feature_flags");
        assert_eq!(keys.history, "{feature_flags}:history");
        assert_eq!(keys.channel, "feature_flags:changes");
        assert_eq!(Keys::of("{game}:flags").history, "{game}:flags:history");
    }
}
