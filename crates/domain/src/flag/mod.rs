//! Feature flags: what services read in one field of the hash, what it means for a user, and how it is edited without
//! touching a byte that was not meant. Pure: no store, no clock.
//!
//! The services' reader is JavaScript, so what it sees ([`definition`], [`js`]) follows the coercions of that language,
//! and the bytes ([`document`]) are never written anew as a whole.

pub mod audience;
pub mod bucket;
pub mod bulk;
pub mod definition;
pub mod delta;
pub mod diff;
pub mod document;
pub mod edit;
pub mod evaluate;
pub mod exposure;
pub mod flagd;
pub mod history;
pub mod js;
mod layout;
pub mod lint;
pub mod list;
pub mod name;
pub mod percent;
pub mod promote;
pub mod reader;
pub mod rule;
pub mod rule_text;
pub mod stale;
pub mod user;
