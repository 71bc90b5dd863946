//! Words: durations, quoting, redaction, suggestions.

pub mod cell;
pub mod count;
pub mod duration;
pub mod escape;
pub mod gaps;
pub mod indent;
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

/// What a person says in an argument, without the blanks around it.
///
/// # Errors
/// When it says nothing.
pub fn said(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it says nothing".to_owned()),
        text => Ok(text.to_owned()),
    }
}
