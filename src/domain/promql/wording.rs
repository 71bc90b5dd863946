//! The parser crate's complaints in words that say what to write.

/// The crate's words in ours, and what to do about it.
pub(super) fn reword(said: &str) -> (String, Option<String>) {
    if let Some((expected, found)) = said.strip_prefix("expected type ").and_then(|rest| rest.split_once(", got "))
        && let Some((expected, place)) = expected.split_once(" in ")
    {
        let place = place
            .strip_prefix("call to function ")
            .map_or_else(|| "an aggregation".to_owned(), |name| name.replace('\'', "`"));
        let message = format!("{place} takes {} here, not {}", type_name(expected), type_name(found));
        let hint = match (expected, found) {
            ("matrix", "vector") => Some("give it a window: `…[5m]`".to_owned()),
            ("vector", "matrix") => Some("leave out `[…]`, or put it into `rate(…)` or `…_over_time(…)`".to_owned()),
            ("vector", "scalar") => Some("`vector(…)` makes an instant vector of a number".to_owned()),
            ("scalar", "vector") => Some("`scalar(…)` makes a number of a vector of one series".to_owned()),
            _ => None,
        };
        return (message, hint);
    }
    if said.starts_with("comparisons") {
        return (
            "a comparison of two numbers needs `bool`".into(),
            Some("write `1 == bool 2`, which gives 0 or 1".into()),
        );
    }
    if said.starts_with("vector selector must") {
        return (
            "this would select every series: no matcher refuses the empty value".into(),
            Some("name the metric, or give a matcher such as `{job=\"game\"}`".into()),
        );
    }
    if said.starts_with("binary expression must") {
        return (
            "operators work on numbers and instant vectors only".into(),
            Some("leave out `[…]`, or put it into `rate(…)` or `…_over_time(…)`".into()),
        );
    }
    if let Some(counts) = said.strip_prefix("wrong number of arguments for aggregate expression provided, ") {
        return (format!("wrong number of arguments: {counts}"), None);
    }
    (said.replace('\'', "`"), None)
}

fn type_name(name: &str) -> &str {
    match name {
        "matrix" => "a range vector",
        "vector" => "an instant vector",
        "scalar" => "a number",
        "string" => "a string",
        _ => "nothing",
    }
}
