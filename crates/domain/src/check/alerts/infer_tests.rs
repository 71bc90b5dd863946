//! What the text of an expression tells of its series.

use crate::check::alerts::infer::*;
use crate::check::alerts::shape::{Known, Shape};
use crate::metric::promql::tree;

fn only(text: &str) -> Shape {
    let mut all = shapes(&tree(text).unwrap(), &|_| None);
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

#[test]
fn labels_are_followed() {
    for (text, label, want) in [
        ("x", "a", Known::Open),
        ("x{a=\"1\"}", "a", Known::Is("1".into())),
        ("x{a=\"\"}", "a", Known::Missing),
        ("x", "job", Known::Some),
        ("x:y", "job", Known::Open),
        ("sum(x)", "a", Known::Missing),
        ("sum by (a) (x)", "a", Known::Open),
        ("sum by (a) (x{a=\"1\"})", "a", Known::Is("1".into())),
        ("sum by (b) (sum by (a) (x))", "b", Known::Missing),
        ("sum without (a) (x)", "a", Known::Missing),
        ("sum without (a) (x)", "b", Known::Open),
        ("topk(3, x{a=\"1\"})", "a", Known::Is("1".into())),
        ("count_values(\"v\", x)", "v", Known::Open),
        ("absent(x{a=\"1\",b=~\"c\"})", "a", Known::Is("1".into())),
        ("absent(x{a=\"1\",b=~\"c\"})", "b", Known::Missing),
        ("absent(sum by (a) (x))", "a", Known::Missing),
        ("histogram_quantile(0.9, sum by (le, a) (rate(x_bucket[5m])))", "le", Known::Missing),
        ("label_replace(sum(x), \"a\", \"1\", \"\", \"\")", "a", Known::Is("1".into())),
        ("label_replace(sum(x), \"a\", \"$1\", \"b\", \"(.*)\")", "a", Known::Open),
        ("x / on (a) group_left (b) y", "b", Known::Open),
        ("x / on (a) group_left (b) y{b=\"1\"}", "b", Known::Is("1".into())),
        ("x / on (a) y", "c", Known::Missing),
        ("x / ignoring (a) y", "a", Known::Missing),
        ("sum by (a) (x) / y", "c", Known::Missing),
        ("x and on (a) y", "c", Known::Open),
        ("x > on (a) y", "c", Known::Missing),
        ("vector(1)", "a", Known::Missing),
        ("1 - x", "a", Known::Open),
    ] {
        assert_eq!(only(text).label(label), want, "{text}");
    }
}

#[test]
fn values_have_bounds() {
    for (text, want) in [
        ("up", "between 0 and 1"),
        ("1 - avg(up)", "between 0 and 1"),
        ("sum(up)", "0 or more"),
        ("count(x)", "1 or more"),
        ("rate(x_total[5m])", "0 or more"),
        ("sum(rate(x_total{code=\"5\"}[5m])) / sum(rate(x_total[5m]))", "between 0 and 1"),
        (
            "100 * (sum by (a) (rate(x_total{code=~\"5.*\",a=\"b\"}[5m])) / sum by (a) (rate(x_total{a=\"b\"}[5m])))",
            "between 0 and 100",
        ),
        ("sum(rate(x_total{code=\"5\"}[5m])) / sum(rate(y_total[5m]))", "0 or more"),
        ("sum(rate(x_total[5m])) / sum(rate(x_total{code=\"5\"}[5m]))", "0 or more"),
        ("x == bool 1", "between 0 and 1"),
        ("14.4 * (1 - 0.9)", "1.44"),
        ("hour()", "between 0 and 23"),
        ("clamp_max(up, 0.5)", "between 0 and 0.5"),
        ("x", "anything"),
        ("delta(x[5m])", "anything"),
    ] {
        let shown = only(text).bounds.show();
        assert!(shown == want || shown.starts_with(want), "{text}: {shown}");
    }
}
