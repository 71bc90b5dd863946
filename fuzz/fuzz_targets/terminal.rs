//! Text from outside on its way to a terminal: nothing that steers it comes through.
#![no_main]

use liveops_domain::text::escape::escape;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    assert!(!escape(&text).contains(|c: char| c.is_control()));
});
