//! Label matchers added to every selector of an expression, on its tree and not on its text.

use crate::metric::labels::Labels;
use crate::metric::promql::ast::{MatchOp, Matcher};
use crate::metric::promql::tree;

/// The expression with these labels demanded of every series that it selects. `None` when it is not understood.
pub fn narrowed(text: &str, labels: &Labels) -> Option<String> {
    let mut tree = tree(text).ok()?;
    tree.for_each_selector(&mut |selector| {
        for group in &mut selector.matchers {
            group.extend(labels.iter().map(|(name, value)| Matcher::new(name, MatchOp::Equal, value)));
        }
    });
    Some(tree.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selector_gets_the_labels() {
        let labels = Labels::from([("track".into(), "canary".into())]);
        for (text, want) in [
            ("up", Some("up{track=\"canary\"}")),
            ("sum(rate(a{x=\"1\"}[5m]))", Some("sum(rate(a{track=\"canary\",x=\"1\"}[5m]))")),
            ("max_over_time(a[1h:1m])", Some("max_over_time(a{track=\"canary\"}[1h:1m])")),
            ("a{x=\"1\" or y=\"\\\"\"}", Some("a{track=\"canary\",x=\"1\" or track=\"canary\",y=\"\\\"\"}")),
            ("vector(1)", Some("vector(1)")),
            ("sum(", None),
        ] {
            assert_eq!(narrowed(text, &labels).as_deref(), want, "{text}");
        }
    }
}
