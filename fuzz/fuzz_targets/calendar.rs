//! The calendar of who is on call.
#![no_main]

use liveops_domain::incident::rota::calendar;
use liveops_domain::zone::Zone;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = calendar::parse(&String::from_utf8_lossy(data), Zone::UTC);
});
