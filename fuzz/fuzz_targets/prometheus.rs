//! Prometheus' answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liveops::fuzzing::prometheus(data));
