//! How many there are, in words.

/// `1 flag`, `2 flags`, `2 series`.
pub fn count(n: usize, what: &str) -> String {
    let ending = if n == 1 || what.ends_with("series") { "" } else { "s" };
    format!("{n} {what}{ending}")
}
