//! Thresholds in every unit, and durations, which come back as they were.
#![no_main]

use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::threshold::Threshold;
use liveops_domain::text::duration;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for unit in ["", "ratio", "percent", "s", "ms", "bytes", "coins"] {
        if let Ok(read) = Threshold::parse(&text, &Unit::from_name(unit)) {
            let _ = read.is_breached(1.0);
        }
    }
    if let Ok(read) = duration::parse(&text) {
        assert_eq!(duration::parse(&duration::to_promql(read)), Ok(read));
        let _ = duration::human(read);
    }
});
