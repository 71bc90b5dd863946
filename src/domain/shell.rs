//! Text as one word of a POSIX shell, so that every command that liveops prints can be pasted.

/// The word, in single quotes where it needs them (POSIX.1-2024, XCU 2.2.2).
pub(crate) fn word(text: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || "_-.,:/@%+=".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_what_a_shell_would_change() {
        for (text, want) in [
            ("GameServerDown", "GameServerDown"),
            ("region=eu", "region=eu"),
            ("a=\"x\"", "'a=\"x\"'"),
            ("job=~a|b", "'job=~a|b'"),
            ("a!=b", "'a!=b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(word(text), want, "{text}");
        }
    }
}
