//! Numbers as Prometheus and JSON write them: JSON has no `NaN` and no infinity, so these are
//! the strings `"NaN"`, `"+Inf"`, `"-Inf"`. Use as `#[serde(with = "crate::number")]`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// `NaN`, `+Inf` or `-Inf`; `None` for a finite number.
pub fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// Reads a number as Prometheus' text formats and its HTTP API write it, in any of Go's spellings
/// of infinity; `None` for anything else, including what does not fit a 64-bit float.
pub fn parse(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let digits = text.trim_start_matches(['+', '-']);
    let spelled = digits.starts_with(|c: char| c.is_ascii_alphabetic());
    let signed_nan = value.is_nan() && digits.len() != text.len();
    if signed_nan || (value.is_infinite() && !spelled) {
        return None;
    }
    Some(value)
}

/// Writes a finite number as a number, the others as strings.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    match special(*value) {
        Some(name) => to.serialize_str(name),
        None => to.serialize_f64(*value),
    }
}

/// Reads what [`serialize`] writes.
///
/// # Errors
/// When it is neither a number nor a string that holds one.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Number(value) => Ok(value),
        Written::Text(text) => parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    #[derive(Serialize, Deserialize)]
    struct Held(#[serde(with = "super")] f64);

    #[test]
    fn json_round_trip() {
        for (value, json) in [
            (1.5, "1.5"),
            (-0.25, "-0.25"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"+Inf\""),
            (f64::NEG_INFINITY, "\"-Inf\""),
        ] {
            assert_eq!(serde_json::to_string(&Held(value)).unwrap(), json);
            let back: Held = serde_json::from_str(json).unwrap();
            assert_eq!(back.0.to_string(), value.to_string());
        }
        assert!(serde_json::from_str::<Held>("\"soon\"").is_err());
        assert!(serde_json::from_str::<Held>("null").is_err());
    }

    #[test]
    fn reads_what_go_reads() {
        for (text, want) in [
            ("1", Some(1.0)),
            ("+1.5e3", Some(1500.0)),
            (".5", Some(0.5)),
            ("Inf", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("1e999", None),
            ("1_000", None),
            ("0x1p-2", None),
            ("+NaN", None),
            ("", None),
            ("1,5", None),
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
    }
}
