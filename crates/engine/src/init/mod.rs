//! Writing a first `liveops.yaml` from what answers.

pub mod given;
pub mod place;
pub mod probe;
pub mod write;
