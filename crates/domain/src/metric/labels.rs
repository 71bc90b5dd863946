//! Label sets of Prometheus series, and how names and values are quoted in PromQL.

use std::collections::BTreeMap;

/// The labels of one series, without the metric name. An empty value means the same as no label.
pub type Labels = BTreeMap<String, String>;

/// Shows labels as Prometheus does: `{a="b",c="d"}`; `{}` when there are none.
pub fn show(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}={}", show_name(name), quote(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// A double-quoted PromQL string literal with this meaning.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A label name as PromQL wants it: bare, or quoted (Prometheus ≥ 3) when it has other characters.
pub fn show_name(name: &str) -> String {
    if is_bare_label(name) { name.to_owned() } else { quote(name) }
}

/// Whether the label name matches `[a-zA-Z_][a-zA-Z0-9_]*`.
fn is_bare_label(name: &str) -> bool {
    is_bare_metric(name) && !name.contains(':')
}

/// Whether the metric name matches `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_bare_metric(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_sorted_and_quoted() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[], "{}"),
            (&[("b", "2"), ("a", "1")], r#"{a="1",b="2"}"#),
            (&[("path", "C:\\x\n\"y\"")], r#"{path="C:\\x\n\"y\""}"#),
            (&[("k8s.pod", "é")], r#"{"k8s.pod"="é"}"#),
        ];
        for (pairs, want) in cases {
            let labels: Labels = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(show(&labels), want);
        }
    }

    #[test]
    fn bare_names() {
        for name in ["a", "_a", "a1", "job"] {
            assert!(is_bare_label(name), "{name}");
        }
        for name in ["", "1a", "a.b", "a b", "é", "a:b"] {
            assert!(!is_bare_label(name), "{name}");
        }
        assert!(is_bare_metric("job:errors:rate5m"));
    }
}
