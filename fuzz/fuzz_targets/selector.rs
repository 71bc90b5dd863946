//! A selector of a KPI: what is shown of it reads as the same selector.
#![no_main]

use liveops_domain::metric::selector::Selector;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(read) = Selector::parse(&text) {
        assert_eq!(Selector::parse(&read.show()), Ok(read));
    }
});
