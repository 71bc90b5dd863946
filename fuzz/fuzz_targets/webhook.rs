//! A delivery of Alertmanager's, as the listener takes it from the network: refused, or an incident with a page.
#![no_main]

use chrono::DateTime;
use liveops_domain::incident::webhook::Webhook;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(delivery) = Webhook::parse(data) {
        assert!(!delivery.alerts.is_empty());
        delivery.meaning([], "prod", DateTime::UNIX_EPOCH);
    }
});
