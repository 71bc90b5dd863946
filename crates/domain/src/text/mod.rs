//! Words: durations, quoting, redaction, suggestions.

pub mod cell;
pub mod count;
pub mod duration;
pub mod escape;
pub mod gaps;
pub mod markdown;
pub mod paste;
pub mod redact;
pub mod redis_url;
pub mod secret;
pub mod shell;
pub mod sparkline;
pub mod suggest;
pub mod svg;
pub mod time;
pub mod yaml;
