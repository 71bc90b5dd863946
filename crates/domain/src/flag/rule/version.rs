//! `semver_lt` and `semver_gte`: precedence of versions by semver.org, with the shortenings that game clients send.

use std::cmp::Ordering;

use semver::Version;

/// The order of two versions by precedence (build metadata does not count); none when one is no version.
pub(super) fn order(left: &str, right: &str) -> Option<Ordering> {
    Some(read(left)?.cmp_precedence(&read(right)?))
}

/// The version with all three numbers, as semver.org has it; none when it is no version.
pub fn full(text: &str) -> Option<String> {
    read(text).map(|version| version.to_string())
}

/// `1.4.2`, `v1.4.2`, `1.4` (= 1.4.0), `1` (= 1.0.0), each also with `-pre` and `+build`.
fn read(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    let zeros = match core.split('.').count() {
        1 => ".0.0",
        2 => ".0",
        3 => "",
        _ => return None,
    };
    Version::parse(&format!("{core}{zeros}{rest}")).ok()
}
