//! Evaluating flags for many users.

pub mod bulk;
pub mod lines;
pub mod rows;
pub mod table;
