//! Connections that hold a state: a session for `WATCH`, and subscriptions.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::Value;
use redis::aio::{MultiplexedConnection, PubSub};
use tokio::time::timeout;

use crate::clients::redis::SYSTEM;
use crate::clients::redis::failure::Failure;
use liveops_domain::error::Error;

/// A connection that nobody else uses.
#[derive(Debug)]
pub struct Session {
    wire: MultiplexedConnection,
    address: String,
    call: Duration,
}

impl Session {
    /// Of a connection to this address; each request is bounded by `call`.
    pub fn new(wire: MultiplexedConnection, address: String, call: Duration) -> Self {
        Self { wire, address, call }
    }

    /// Sends several requests at once, and waits for all replies. With an `atomic` pipeline the answer is that of
    /// `EXEC`: nothing, when what is watched has changed.
    ///
    /// # Errors
    /// As for one request; the first of several.
    pub async fn ask(&mut self, pipeline: &redis::Pipeline) -> Result<Value, Failure> {
        match timeout(self.call, pipeline.query_async::<Value>(&mut self.wire)).await {
            Ok(answer) => answer.map_err(|error| Failure::of(&error, &self.address)),
            Err(_) => Err(Failure::NoReply(Error::Timeout {
                system: SYSTEM.into(),
                url: self.address.clone(),
                after: self.call,
            })),
        }
    }
}

/// Messages of a channel, as they come.
pub struct Notices(PubSub);

impl Notices {
    /// Of a connection that has subscribed.
    pub fn of(channels: PubSub) -> Self {
        Self(channels)
    }

    /// The next message; `None` when the connection is gone.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let message = self.0.on_message().next().await?;
        Some(message.get_payload_bytes().to_vec())
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}
