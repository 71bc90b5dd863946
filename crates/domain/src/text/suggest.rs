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

/// The name among those in use that a new one is probably meant to be: the same but for case and `- _ .`, or at most
/// two edits away, one in three characters. Names that differ in a number alone (`exp_1`, `exp_2`) are a series.
pub fn mistaken<'a>(new: &str, in_use: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['-', '_', '.'], "").to_lowercase();
    let series = |name: &str| {
        name.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
    };
    let (folded, words) = (plain(new), series(new));
    let allowed = 2.min(new.chars().count() / 3);
    let mut best: Option<(usize, &str)> = None;
    for name in in_use.into_iter().filter(|name| *name != new) {
        let edits = if plain(name) == folded {
            0
        } else if series(name) == words || name.chars().count().abs_diff(new.chars().count()) > allowed {
            continue;
        } else {
            strsim::damerau_levenshtein(new, name)
        };
        if edits <= allowed && best.is_none_or(|(fewest, _)| edits < fewest) {
            best = Some((edits, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_near_one_in_use_is_a_slip_and_a_series_is_not() {
        let in_use = ["shop_v2", "new_matchmaking", "exp_1", "eu", "lobby.chat"];
        for (new, want) in [
            ("shop-v2", Some("shop_v2")),
            ("ShopV2", Some("shop_v2")),
            ("lobby_chat", Some("lobby.chat")),
            ("new_matchmakin", Some("new_matchmaking")),
            ("new_matchamking", Some("new_matchmaking")),
            ("old_matchmaking", None),
            ("exp_2", None),
            ("exp_12", None),
            ("shop_v3", None),
            ("us", None),
            ("payments", None),
            ("eu", None),
        ] {
            assert_eq!(mistaken(new, in_use), want, "{new}");
        }
    }

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
