//! An expression in PromQL: what is written of it reads back as the same.
#![no_main]

use liveops_domain::metric::promql::{check, tree};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = check(&text);
    if let Ok(read) = tree(&text) {
        let written = read.to_string();
        assert_eq!(tree(&written).map(|read| read.to_string()), Ok(written));
    }
});
