//! What lint finds, as a screen shows it.

use crate::output::block::{Block, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::flag::lint::{Finding, Severity};

/// How a finding looks.
pub(super) fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Warn,
    }
}

pub(crate) fn worst(findings: &[Finding]) -> Option<Tone> {
    let severities = findings.iter().map(|finding| finding.severity);
    severities.min().map(tone)
}

/// A finding on a line of its own.
pub(super) fn block(finding: &Finding, view: &View) -> Block {
    let tone = tone(finding.severity);
    Block::Whole(vec![
        plain("  "),
        tone::mark(tone, view),
        span(format!(" {}  ", finding.code), tone),
        plain(&finding.message),
    ])
}
