//! Numbers and values as cells of a table.

use serde_json::Value;

use crate::text::escape::escape;

/// A number for JSON: finite ones as they are, the others as Prometheus spells them.
pub fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(
        || {
            Value::String(
                if value.is_nan() {
                    "NaN"
                } else if value > 0.0 {
                    "+Inf"
                } else {
                    "-Inf"
                }
                .into(),
            )
        },
        Value::Number,
    )
}

/// One cell of CSV.
pub fn cell(text: &str) -> String {
    // As on a terminal: a row stays one line, and obeys nobody.
    let text = &*escape(text);
    let formula =
        text.starts_with(['=', '@', '\t', '\r']) || (text.starts_with(['+', '-']) && text.parse::<f64>().is_err());
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_json_cannot_say() {
        assert_eq!(number(1.5), serde_json::json!(1.5));
        assert_eq!(number(f64::NAN), serde_json::json!("NaN"));
        assert_eq!(number(f64::NEG_INFINITY), serde_json::json!("-Inf"));
    }
}
