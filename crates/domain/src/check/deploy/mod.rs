//! `check deploy`: its rules, and the times in which nothing is changed.

pub mod freeze;

use crate::check::finding::{RuleInfo, info};

/// The rules of the gate.
pub const RULES: &[RuleInfo] = &[
    info("D01", "It has no alerts", "Without alerts nobody knows that the deployment broke it."),
    info("D02", "Its alerts reach nobody who can act", "A page that no receiver gets is no page."),
    info("D03", "A critical alert fires", "A change on top of an outage hides its cause."),
    info("D04", "Its error budget is spent", "Users have borne enough: what is left is for repairs."),
    info("D05", "There is no way back", "A deployment that cannot be rolled back is an outage that waits."),
    info("D06", "There is no room for it", "A canary that gets no instances says nothing."),
    info("D07", "An alert of it has no runbook", "Whoever is paged needs the page that says what to do."),
    info("D08", "An incident is open", "Whoever works on it must know what has changed."),
    info("D09", "Changes are frozen", "Somebody has decided that nothing changes now."),
    info("D10", "Something that it needs is not allowed", "A rollout that stops halfway is worse than none."),
];
