//! Which pods a selector means.

use crate::check::manifest::node::Node;

/// Does a `LabelSelector` (`matchLabels`, `matchExpressions`) mean these labels? An empty one means all.
pub fn selects(selector: &Node, labels: &Node) -> bool {
    let has = |key: &str| labels.pairs().find(|(known, _)| *known == key).map(|(_, value)| value);
    let exact = selector["matchLabels"].pairs().all(|(key, value)| has(key) == Some(value));
    exact
        && selector["matchExpressions"].items().iter().all(|one| {
            let value = has(one["key"].text().unwrap_or_default());
            let is_in =
                || value.is_some_and(|value| one["values"].items().iter().any(|item| item.text() == Some(value)));
            match one["operator"].text() {
                Some("In") => is_in(),
                Some("NotIn") => !is_in(),
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            }
        })
}

/// Does a plain map of labels, such as a Service's, mean these? An empty one means none.
pub fn names(selector: &Node, labels: &Node) -> bool {
    let mut pairs = selector.pairs().peekable();
    let has = |key: &str, value: &str| labels.pairs().any(|(known, own)| known == key && own == value);
    pairs.peek().is_some() && pairs.all(|(key, value)| has(key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::manifest::node::parse;

    #[test]
    fn selectors_mean_what_kubernetes_says() {
        let labels = &parse("{ app: game, tier: web }").expect("valid")[0];
        for (selector, want) in [
            ("{}", true),
            ("{ matchLabels: { app: game } }", true),
            ("{ matchLabels: { app: game, x: y } }", false),
            ("{ matchExpressions: [{ key: app, operator: In, values: [a, game] }] }", true),
            ("{ matchExpressions: [{ key: app, operator: NotIn, values: [a] }] }", true),
            ("{ matchExpressions: [{ key: x, operator: Exists }] }", false),
            ("{ matchExpressions: [{ key: x, operator: DoesNotExist }] }", true),
        ] {
            assert_eq!(selects(&parse(selector).expect("valid")[0], labels), want, "{selector}");
        }
        for (selector, want) in [("{ app: game }", true), ("{ app: x }", false), ("{}", false)] {
            assert_eq!(names(&parse(selector).expect("valid")[0], labels), want, "{selector}");
        }
    }
}
