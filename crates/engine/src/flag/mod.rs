//! Feature flags: reading, previewing and changing them.

pub mod catalog;
pub mod change;
pub mod eval;
pub mod findings;
pub mod impact;
pub mod reason;
pub mod refuse;
pub mod restore;
pub mod stale;
pub mod store_access;
pub mod summary;
pub mod user_attributes;
pub mod users;
