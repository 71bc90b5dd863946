//! A metrics endpoint's body, in both formats.
#![no_main]

use liveops_domain::metric::exposition;
use liveops_domain::metric::exposition::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let body = String::from_utf8_lossy(data);
    for format in [Format::Text, Format::OpenMetrics] {
        if let Ok(found) = exposition::parse(&body, format, |_| true) {
            assert_eq!(found.samples.len() + found.duplicates, found.total);
        }
    }
});
