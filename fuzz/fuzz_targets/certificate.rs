//! A certificate, as a server shows it and as a file holds it.
#![no_main]

use liveops_domain::check::security::certificate::Certificate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    Certificate::read(data);
    Certificate::read_pem(&String::from_utf8_lossy(data));
});
