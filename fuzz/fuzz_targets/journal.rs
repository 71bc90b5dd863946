//! Lines of the audit log.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liveops::fuzzing::journal(data));
