//! How everything that was looked at becomes one level: nothing that is unknown may make the whole look good.

use crate::alert::{Alert, AlertState, Urgency, urgency};
use crate::metric::level::Level;
use crate::status::health::ServiceState;

impl From<ServiceState> for Level {
    fn from(state: ServiceState) -> Self {
        match state {
            ServiceState::Healthy => Self::Ok,
            ServiceState::Degraded => Self::Warn,
            ServiceState::Down => Self::Critical,
            ServiceState::Unknown => Self::Unknown,
        }
    }
}

/// The level that an alert makes; quiet and informational ones make none.
pub fn of_alert(alert: &Alert) -> Option<Level> {
    match (alert.state, urgency(alert.severity.as_deref())) {
        _ if alert.is_undelivered() => Some(Level::Critical),
        (AlertState::Firing, Urgency::Page) => Some(Level::Critical),
        (AlertState::Firing, Urgency::Notice) => Some(Level::Warn),
        (AlertState::Unknown, _) => Some(Level::Unknown),
        _ => None,
    }
}

/// The worst of all; nothing at all to look at is unknown, not good.
pub fn of_all(levels: impl IntoIterator<Item = Level>) -> Level {
    Level::worst(levels).unwrap_or(Level::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_at_nothing_is_not_green() {
        assert_eq!(of_all([]), Level::Unknown);
        assert_eq!(of_all([Level::Ok]), Level::Ok);
        assert_eq!(of_all([Level::Ok, ServiceState::Unknown.into(), Level::Warn]), Level::Unknown);
        assert_eq!(of_all([Level::Unknown, ServiceState::Down.into()]), Level::Critical);
    }
}
