//! A silence's matcher.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liveops::fuzzing::matcher(data));
