//! Incidents in Redis: a stream each, whose entries are events, and a set of the ids that it has, so that an event is
//! added once whoever adds it. Keys share one hash tag, and with it one slot of a Cluster.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use redis::{Cmd, Value, cmd};
use serde::{Deserialize, Serialize};

use crate::change::confirmed::Confirmed;
use crate::clients::redis::{Redis, Security, unexpected};
use liveops_domain::change::journal::Event;
use liveops_domain::error::Result;
use liveops_domain::incident::name::is_sound;
use liveops_domain::text::redis_url::RedisUrl;

/// Events of one request.
const BATCH: usize = 500;

/// Adds each event that is not there yet: `KEYS` are stream, ids, incidents; `ARGV` the incident, then id and event in
/// turn. Returns how many were new.
const ADD: &str = "
local new = 0
for i = 2, #ARGV, 2 do
  if redis.call('SADD', KEYS[2], ARGV[i]) == 1 then
    redis.call('XADD', KEYS[1], '*', 'event', ARGV[i + 1])
    new = new + 1
  end
end
redis.call('SADD', KEYS[3], ARGV[1])
return new";

/// The streams of a project.
#[derive(Debug)]
pub struct Streams {
    redis: Redis,
    key: String,
}

/// An event without its place in a file.
#[derive(Debug, Serialize, Deserialize)]
struct Wire {
    id: String,
    at: String,
    by: String,
    #[serde(rename = "type")]
    kind: String,
    data: serde_json::Value,
}

impl Streams {
    /// The streams below this key. Nothing is dialled yet.
    pub fn new(url: RedisUrl, key: String, limits: (Duration, Duration)) -> Self {
        let needs = format!("~{{{key}}}* +xadd +xrange +sadd +smembers +eval");
        Self { redis: Redis::new(url, Security::default(), limits, needs), key }
    }

    /// Its URL, without credentials.
    pub fn url(&self) -> String {
        self.redis.shown()
    }

    /// The ids of all incidents there; what could be none is left out.
    pub async fn ids(&self) -> Result<Vec<String>> {
        let answer = self.ask(cmd("SMEMBERS").arg(self.incidents())).await?;
        let Some(ids) = texts(&answer) else {
            return Err(unexpected(&self.url(), &answer));
        };
        Ok(ids.into_iter().filter(|id| is_sound(id)).collect())
    }

    /// Every event of an incident, as the stream has them. An entry of another shape is left out.
    pub async fn events(&self, id: &str) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut from = "-".to_owned();
        loop {
            let mut ask = cmd("XRANGE");
            ask.arg(self.stream(id)).arg(&from).arg("+").arg("COUNT").arg(BATCH);
            let answer = self.ask(&ask).await?;
            let Value::Array(entries) = &answer else {
                return Err(unexpected(&self.url(), &answer));
            };
            events.extend(entries.iter().filter_map(event));
            let last = entries.last().and_then(|entry| match entry {
                Value::Array(parts) => text(parts.first()?),
                _ => None,
            });
            match last {
                Some(last) if entries.len() == BATCH => from = format!("({last}"),
                _ => return Ok(events),
            }
        }
    }

    /// Adds events, each once, and returns how many were new there.
    /// What was added before a failure stays added, and is not added again.
    pub async fn add(&self, id: &str, events: &[&Event], _: &Confirmed) -> Result<usize> {
        let mut new = 0;
        for batch in events.chunks(BATCH) {
            let mut ask: Cmd = cmd("EVAL");
            ask.arg(ADD)
                .arg(3)
                .arg(self.stream(id))
                .arg(format!("{}:ids", self.stream(id)))
                .arg(self.incidents())
                .arg(id);
            for event in batch {
                let Some(id) = &event.id else {
                    continue;
                };
                ask.arg(id).arg(serde_json::to_string(&Wire {
                    id: id.clone(),
                    at: event.at.to_rfc3339_opts(SecondsFormat::Millis, true),
                    by: event.by.clone(),
                    kind: event.kind.clone(),
                    data: event.data.clone(),
                })?);
            }
            // It may be asked twice: what is there is not added again.
            let answer = self.ask(&ask).await?;
            let Value::Int(count) = answer else {
                return Err(unexpected(&self.url(), &answer));
            };
            new += usize::try_from(count).unwrap_or(0);
        }
        Ok(new)
    }

    async fn ask(&self, command: &Cmd) -> Result<Value> {
        match self.redis.read(command).await {
            Ok(value) => Ok(value),
            Err(failure) => Err(self.redis.explain(failure)),
        }
    }

    fn stream(&self, id: &str) -> String {
        format!("{{{}}}:{id}", self.key)
    }

    fn incidents(&self) -> String {
        format!("{{{}}}", self.key)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) | Value::Set(items) => items.iter().map(text).collect(),
        _ => None,
    }
}

/// `[entry id, [field, value, …]]`.
fn event(entry: &Value) -> Option<Event> {
    let Value::Array(parts) = entry else {
        return None;
    };
    let Value::Array(fields) = parts.get(1)? else {
        return None;
    };
    let place = fields.iter().position(|field| text(field).as_deref() == Some("event"))?;
    let wire: Wire = serde_json::from_str(&text(fields.get(place + 1)?)?).ok()?;
    Some(Event {
        seq: 0,
        id: Some(wire.id),
        at: DateTime::parse_from_rfc3339(&wire.at).ok()?.with_timezone(&Utc),
        by: wire.by,
        kind: wire.kind,
        data: wire.data,
        hash: String::new(),
    })
}
