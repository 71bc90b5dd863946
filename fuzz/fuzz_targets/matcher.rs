//! A matcher of a silence: what is shown of it reads as the same matcher.
#![no_main]

use liveops_domain::alert::matcher::Matcher;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(read) = Matcher::parse(&text) {
        let _ = read.is_broad();
        assert_eq!(Matcher::parse(&read.show()).ok(), Some(read));
    }
});
