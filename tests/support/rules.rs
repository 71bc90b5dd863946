//! The alert rules that a game service is run with, for a real Prometheus, and ways to make them fire sooner.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The rule file `tests/fixtures/rules.yml`.
pub(crate) const ALL: &str = include_str!("../fixtures/rules.yml");

/// `rules` with every `for:` at zero, so that a condition fires at its first evaluation.
pub(crate) fn without_wait(rules: &str) -> String {
    static FOR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^(\s*)for: .*$").expect("a constant pattern"));
    FOR.replace_all(rules, "${1}for: 0s").into_owned()
}

/// `rules` with every range `[…]` of the expressions shortened to `window` (such as `10s`).
pub(crate) fn with_window(rules: &str, window: &str) -> String {
    static RANGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[\d+[smh]\]").expect("a constant pattern"));
    RANGE.replace_all(rules, |_: &Captures<'_>| format!("[{window}]")).into_owned()
}
