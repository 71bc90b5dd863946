//! The lock of a ramp beside the flags.

use redis::Value;

/// Who may move a ramp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampLock {
    pub holder: String,
    /// Counted up by each new holder.
    pub epoch: u64,
    /// When its holder last showed that it lives, in milliseconds of the server's clock.
    pub renewed: u64,
    /// Was it given back?
    pub is_free: bool,
}

impl RampLock {
    /// Reads what the script has written.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut parts = text.splitn(4, ' ');
        Some(Self {
            epoch: parts.next()?.parse().ok()?,
            renewed: parts.next()?.parse().ok()?,
            is_free: parts.next()? == "1",
            holder: parts.next()?.to_owned(),
        })
    }
}

pub fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}
