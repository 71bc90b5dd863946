//! The facts of a postmortem, from the journal and the metrics.

pub mod facts;
pub mod source;
