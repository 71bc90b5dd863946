//! The keys of the flags in Redis.

/// The names that belong to a hash of flags.
#[derive(Debug, Clone)]
pub struct Keys {
    pub hash: String,
    /// In the hash's slot, so that a Cluster takes both in one call.
    pub history: String,
    pub channel: String,
    /// Locks and states of ramps, in the same slot.
    pub ramps: String,
}

impl Keys {
    pub fn of(hash: &str) -> Self {
        let slot = if hash.contains('{') { hash.to_owned() } else { format!("{{{hash}}}") };
        Self {
            hash: hash.to_owned(),
            history: format!("{slot}:history"),
            ramps: format!("{slot}:ramps"),
            channel: format!("{hash}:changes"),
        }
    }
}
