//! A rollout over several regions as it is shown: live, and as a table.

pub(crate) mod live_view;
pub(crate) mod report;
