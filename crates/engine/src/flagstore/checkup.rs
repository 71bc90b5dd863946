//! What `doctor` asks of a Redis with flags: who we are there and what we may do, and what could make flags vanish.

use redis::Value;

use crate::clients::redis::failure::Failure;
use crate::clients::redis::unexpected;
use crate::flagstore::FlagStore as _;
use crate::flagstore::redis::RedisFlags;
use liveops_domain::error::Result;

/// What liveops cannot do, and what breaks by that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// In Redis' words: the command, or the key or channel.
    pub what: String,
    /// Only comfort is lost.
    pub is_minor: bool,
}

impl RedisFlags {
    /// What this user may not do (`ACL DRYRUN`, Redis 7); `None` where that cannot be asked.
    pub async fn denied(&self) -> Option<Vec<Denied>> {
        let whoami = self.redis.ask(redis::cmd("ACL").arg("WHOAMI")).await.ok()?;
        let Value::BulkString(user) = whoami else {
            return None;
        };
        let keys = &self.keys;
        let sha = "0".repeat(40);
        let asked: [(&[&str], bool); 10] = [
            (&["HGET", &keys.hash, "f"], false),
            (&["HGETALL", &keys.hash], false),
            (&["HSET", &keys.hash, "f", "v"], false),
            (&["HDEL", &keys.hash, "f"], false),
            (&["XADD", &keys.history, "*", "f", "v"], false),
            (&["XREVRANGE", &keys.history, "+", "-"], false),
            (&["EVALSHA", &sha, "2", &keys.hash, &keys.history], true),
            (&["EVAL", "return 1", "2", &keys.hash, &keys.history], true),
            (&["PUBLISH", &keys.channel, "f"], true),
            (&["SUBSCRIBE", &keys.channel], true),
        ];
        let mut denied = Vec::new();
        for (words, is_minor) in asked {
            let mut command = redis::cmd("ACL");
            command.arg("DRYRUN").arg(&user).arg(words);
            match self.redis.ask(&command).await.ok()? {
                Value::Okay => {}
                Value::BulkString(said) => {
                    denied
                        .push(Denied { what: format!("{} ({})", words[0], String::from_utf8_lossy(&said)), is_minor });
                }
                _ => return None,
            }
        }
        Some(denied)
    }

    /// Seconds until the whole hash vanishes, when it does.
    pub async fn expires(&self) -> Option<i64> {
        match self.redis.ask(redis::cmd("TTL").arg(&self.keys.hash)).await {
            Ok(Value::Int(left)) if left >= 0 => Some(left),
            _ => None,
        }
    }

    /// Flags that vanish by themselves: fields may expire from Redis 7.4 on, and a flag that has is off for everybody.
    pub async fn expiring(&self) -> Result<Vec<String>> {
        let names: Vec<String> = self.all().await?.into_iter().map(|(name, _)| name).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HTTL");
        command.arg(&self.keys.hash).arg("FIELDS").arg(names.len()).arg(&names);
        match self.redis.ask(&command).await {
            Ok(Value::Array(left)) => {
                let expires = |left: &Value| matches!(left, Value::Int(left) if *left >= 0);
                let left = names.into_iter().zip(left);
                Ok(left.filter(|(_, left)| expires(left)).map(|(name, _)| name).collect())
            }
            Ok(other) => Err(unexpected(&self.shown(), &other)),
            // Before 7.4, or not allowed to ask.
            Err(Failure::Said(_)) => Ok(Vec::new()),
            Err(failure) => Err(self.redis.explain(failure)),
        }
    }

    /// Is the connection encrypted?
    pub fn has_tls(&self) -> bool {
        self.redis.has_tls()
    }

    /// The ACL rule that would allow everything.
    pub fn rule(&self) -> String {
        crate::flagstore::redis::permissions(&self.keys.hash)
    }
}
