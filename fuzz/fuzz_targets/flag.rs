//! The bytes of a flag, and every edit of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liveops::fuzzing::flag(data));
