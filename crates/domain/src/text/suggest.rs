//! The nearest known name to a mistyped one, for "did you mean".

/// The candidate nearest to `name`, when it is near enough to be a slip of the fingers: at most one
/// edit in four characters plus one (Damerau-Levenshtein, without case), or the only one that
/// begins with what was typed (three characters or more).
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = name.to_lowercase();
    let allowed = 1 + typed.chars().count() / 4;
    let mut best: Option<(usize, &str)> = None;
    let mut prefixed: Vec<&str> = Vec::new();
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        if typed.chars().count() >= 3 && lower.starts_with(&typed) {
            prefixed.push(candidate);
        }
        let edits = strsim::damerau_levenshtein(&typed, &lower);
        // A name of two characters is not "near" to another by changing both of them.
        let near = edits <= allowed && edits < lower.chars().count().max(2);
        if near && best.is_none_or(|(fewest, _)| edits < fewest) {
            best = Some((edits, candidate));
        }
    }
    match (best, prefixed.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_far() {
        let known = ["prometheus", "alertmanager", "flags", "kpis", "services", "project"];
        for (typed, want) in [
            ("promethues", Some("prometheus")),
            ("Prometheus", Some("prometheus")),
            ("alertmanger", Some("alertmanager")),
            ("kpi", Some("kpis")),
            ("service", Some("services")),
            ("prom", Some("prometheus")),
            ("alert", Some("alertmanager")),
            ("pro", None),
            ("redis", None),
            ("", None),
            ("zzz", None),
        ] {
            assert_eq!(nearest(typed, known), want, "{typed}");
        }
        assert_eq!(nearest("a", []), None);
        assert_eq!(nearest("p1", ["p2", "p4"]), Some("p2"));
    }
}
