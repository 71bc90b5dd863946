//! Text from outside on its way to a terminal.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liveops::fuzzing::terminal(data));
