//! Files of OpenSLO, and checklists.
#![no_main]

use liveops_engine::config::checklist;
use liveops_engine::config::decode::Problems;
use liveops_engine::config::slo::openslo;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    openslo::read(&text, "slo.yaml", &mut Problems::default());
    let _ = checklist::read(&text, "checklist.yaml");
});
