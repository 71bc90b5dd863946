//! The time. Fixed in tests.

use chrono::{DateTime, Utc};

/// The time. Fixed in tests.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    fixed: Option<DateTime<Utc>>,
}

impl Clock {
    /// The system's clock, or one that stands still.
    pub fn new(fixed: Option<DateTime<Utc>>) -> Self {
        Self { fixed }
    }

    /// Does it stand still?
    pub fn is_fixed(&self) -> bool {
        self.fixed.is_some()
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        self.fixed.unwrap_or_else(Utc::now)
    }
}
