//! Files of users for `flag eval`: CSV of any spreadsheet, and lines of JSON.
#![no_main]

use liveops_engine::flag::users::people::from_json;
use liveops_engine::flag::users::table::Rows;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(mut rows) = Rows::of(data) {
        while let Ok(Some(_)) = rows.next() {}
    }
    let _ = from_json(&String::from_utf8_lossy(data));
});
