//! Conditions of a guard, windows of objectives, steps of a schedule.
#![no_main]

use liveops_domain::guard::expression::Condition;
use liveops_domain::rollout::schedule;
use liveops_domain::slo::window::Window;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = Condition::parse(&text);
    let _ = Window::parse(&text);
    let _ = schedule::given(&text);
});
