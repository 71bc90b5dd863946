//! A metrics endpoint's body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liveops::fuzzing::exposition(data));
