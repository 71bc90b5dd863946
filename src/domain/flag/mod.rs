//! Feature flags: what services read in one field of the hash, what it means for a user, and how it is edited without
//! touching a byte that was not meant. Pure: no store, no clock.
//!
//! The services' reader is JavaScript, so what it sees ([`definition`], [`js`]) follows the coercions of that language,
//! and the bytes ([`document`]) are never written anew as a whole.

pub(crate) mod audience;
pub(crate) mod bucket;
pub(crate) mod bulk;
pub(crate) mod definition;
pub(crate) mod delta;
pub(crate) mod diff;
pub(crate) mod document;
pub(crate) mod edit;
pub(crate) mod evaluate;
pub(crate) mod exposure;
pub(crate) mod flagd;
pub(crate) mod history;
pub(crate) mod js;
mod layout;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod name;
pub(crate) mod percent;
pub(crate) mod promote;
pub(crate) mod reader;
pub(crate) mod rule;
pub(crate) mod rule_text;
pub(crate) mod stale;
pub(crate) mod user;
