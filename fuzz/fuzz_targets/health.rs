//! The answer of a health API.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liveops::fuzzing::health(data));
