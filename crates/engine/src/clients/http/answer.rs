//! What came back, whatever its status, and how to read it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use liveops_domain::error::{Error, Result, capped};
use liveops_domain::text::count::count;
use liveops_domain::text::secret::mask;

/// What is said of a compressed body.
pub const COMPRESSED: &str = "a body in gzip, which was not asked for; turn compression off in the proxy before it";

/// From this size on a body is decoded beside the loop.
const LARGE: usize = 64 << 10;

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    /// The server's clock, from its `Date` header.
    pub date: Option<DateTime<Utc>>,
    /// The entity tag, where the server gives one.
    pub etag: Option<String>,
    /// How long to wait, where it said so in seconds.
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
    /// Held while a large body is in memory.
    pub large: Option<Arc<OwnedSemaphorePermit>>,
    pub elapsed: Duration,
    pub system: String,
    pub url: String,
}

impl Answer {
    /// Turns a status of 400 and above into an error with the server's own words.
    ///
    /// # Errors
    /// `Rejected`.
    pub fn ok(self) -> Result<Self> {
        if self.status < 400 { Ok(self) } else { Err(self.rejected(&self.excerpt())) }
    }

    /// The error for this status.
    pub fn rejected(&self, message: &str) -> Error {
        // Many may be kept at the same time.
        let message = capped(message).into_owned();
        Error::Rejected { system: self.system.clone(), url: self.url.clone(), status: self.status, message }
    }

    /// The error for a body that makes no sense.
    pub fn malformed(&self, what: impl Into<String>) -> Error {
        Error::Malformed { system: self.system.clone(), url: self.url.clone(), what: what.into() }
    }

    /// The body as JSON of this type.
    ///
    /// # Errors
    /// `Malformed`, saying what came instead.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| self.malformed(self.not_json(&error)))
    }

    /// What `decode` makes of it; of a large one on another thread, so that a screen answers to keys meanwhile.
    ///
    /// # Errors
    /// Those of `decode`.
    pub async fn decoded<T: Send + 'static>(
        self,
        decode: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.body.len() < LARGE {
            return decode(&self);
        }
        let done = tokio::task::spawn_blocking(move || decode(&self)).await;
        done.unwrap_or_else(|error| Err(Error::internal(&error.to_string())))
    }

    fn not_json(&self, error: &serde_json::Error) -> String {
        if self.is_compressed() {
            return COMPRESSED.into();
        }
        let start = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        match start {
            None => "an empty body instead of JSON".into(),
            Some(b'<') => "a web page instead of JSON".into(),
            Some(b'{' | b'[') if error.is_eof() => {
                format!("JSON that breaks off after {}", count(self.body.len(), "byte"))
            }
            Some(b'{' | b'[') => format!("JSON of another shape: {error}"),
            Some(_) => format!("`{}` instead of JSON", self.excerpt()),
        }
    }

    /// Did it come compressed, though nobody asked for that?
    pub fn is_compressed(&self) -> bool {
        self.body.starts_with(&[0x1f, 0x8b])
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The beginning of a short text body, for messages; nothing of a web page.
    pub fn excerpt(&self) -> String {
        let text = self.text();
        let line = text.trim().lines().next().unwrap_or_default();
        if line.starts_with('<') { String::new() } else { mask(line).chars().take(160).collect() }
    }
}
