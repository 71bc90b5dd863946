//! `/`: does a line match what was typed? Letters in their order, anywhere.

/// Do the characters of `typed` stand in `text` in this order, whatever their case and what lies between?
pub(crate) fn matches(typed: &str, text: &str) -> bool {
    let mut rest = text.chars().flat_map(char::to_lowercase);
    typed.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).all(|want| rest.any(|c| c == want))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn letters_in_order_are_found_and_others_are_not() {
        for (typed, text, found) in
            [("", "x", true), ("gmus", "game-us down", true), ("TICK p", "tick p99", true), ("su", "us", false)]
        {
            assert_eq!(matches(typed, text), found, "{typed} in {text}");
        }
    }
}
