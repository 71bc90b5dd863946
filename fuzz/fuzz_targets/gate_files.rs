//! The files beside the gates: waivers, baselines, answers; and what git says of commits.
#![no_main]

use liveops_domain::check::baseline::Baseline;
use liveops_domain::check::readiness::answers::Answers;
use liveops_domain::check::waiver;
use liveops_domain::report::commits::CommitLog;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = waiver::read("liveops.waivers.yaml", &text);
    let _ = Baseline::read(&text);
    if let Ok(answers) = Answers::read(&text) {
        assert_eq!(Answers::read(&answers.write("game")), Ok(answers));
    }
    CommitLog::read(&text);
});
