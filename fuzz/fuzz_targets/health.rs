//! The answer of a health API; the first byte makes the status.
#![no_main]

use liveops_domain::status::health;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((first, body)) = data.split_first() {
        let _ = health::read(200 + 2 * u16::from(*first), body);
    }
});
