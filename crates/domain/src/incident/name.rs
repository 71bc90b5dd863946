//! The incident's id: day, severity and a few words, such as `2026-11-22-p1-matchmaking-down`. It is also the name of
//! the incident's folder, so it can never leave the folder it stands in.

use chrono::{DateTime, Utc};

use crate::incident::severity::Severity;

/// Longest slug, so that an id fits a line of 80 columns with room for the rest.
const LONGEST: usize = 40;

/// The id that an incident would like; a number is added where it is taken: [`numbered`].
pub fn name(at: DateTime<Utc>, severity: Severity, title: &str) -> String {
    format!("{}-{}-{}", at.format("%Y-%m-%d"), severity.key(), slug(title))
}

/// The n-th wish for a name; the first is the name itself.
pub fn numbered(name: &str, n: u32) -> String {
    if n < 2 { name.to_owned() } else { format!("{name}-{n}") }
}

/// Could this be an incident's id? What is none is never looked for in the file system.
pub fn is_sound(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Is it, to the last letter, what [`name`] makes? Text that a person writes is none.
pub fn is_made(text: &str) -> bool {
    let mut parts = text.splitn(5, '-');
    let mut digits = |long: usize| {
        parts.next().is_some_and(|part| part.len() == long && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_day = digits(4) && digits(2) && digits(2);
    let is_severity = parts.next().is_some_and(|part| Severity::ALL.iter().any(|one| one.key() == part));
    is_day && is_severity && parts.next().is_some() && is_sound(text)
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    // A word that is cut is worse than one that is missing.
    if slug.len() > LONGEST {
        let end = slug[..=LONGEST].rfind('-').unwrap_or(LONGEST);
        slug.truncate(end);
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "incident".into() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_days_severities_and_words() {
        let at = "2026-11-22T03:12:00Z".parse().expect("a time");
        for (title, want) in [
            ("Matchmaking down", "2026-11-22-p1-matchmaking-down"),
            ("  5xx > 5 % in EU! ", "2026-11-22-p1-5xx-5-in-eu"),
            ("../../etc", "2026-11-22-p1-etc"),
            ("障害", "2026-11-22-p1-incident"),
            (
                "a very long title that goes on and on without end",
                "2026-11-22-p1-a-very-long-title-that-goes-on-and-on",
            ),
        ] {
            let name = name(at, Severity::P1, title);
            assert_eq!(name, want);
            assert!(is_sound(&name) && is_made(&name));
        }
        let unbroken = name(at, Severity::P1, &"x".repeat(200));
        assert_eq!(unbroken.len(), "2026-11-22-p1-".len() + LONGEST);
        assert_eq!(numbered("a", 1), "a");
        assert_eq!(numbered("a", 2), "a-2");
        for bad in ["", "..", ".new", "a/b", "-x", "a b"] {
            assert!(!is_sound(bad), "{bad}");
        }
        for text in ["2026-11-22-p1-x is the same", "2026-11-22", "p1-x", "2026-11-22-p9-x", "2026-11-22-p1"] {
            assert!(!is_made(text), "{text}");
        }
    }
}
