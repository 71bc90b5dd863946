//! The facts and checks of the on-call checklist.

pub mod checks;
pub mod facts;
pub mod figures;
pub mod log;
pub mod scheduler;
