//! For Alertmanager: while a page of an objective fires, its tickets are quiet.

use crate::slo::rules::BURN;

/// The members of `inhibit_rules`.
pub fn inhibition() -> String {
    let alert = format!("alertname = \"{BURN}\"");
    format!(
        "# Members of `inhibit_rules` in the configuration of Alertmanager: a page of an objective quiets its tickets.\n\
         inhibit_rules:\n  - source_matchers: ['{alert}', 'severity = \"page\"']\n    target_matchers: ['{alert}', 'severity = \"ticket\"']\n    equal: [slo]\n"
    )
}
