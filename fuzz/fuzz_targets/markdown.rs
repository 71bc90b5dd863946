//! Markdown of a repository: as a postmortem and as a runbook.
#![no_main]

use liveops_domain::postmortem::document;
use liveops_domain::runbook::Runbook;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    document::read(&text);
    Runbook::parse(&text);
});
