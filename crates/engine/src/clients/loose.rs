//! Members as servers and the proxies before them really send them: `null` where something is empty, numbers as text and
//! text as numbers, times that are none. What can be used is used.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::number;

/// Labels or annotations: a value that is no text is shown as it is written, and one that is `null` is not there.
pub fn labels<'de, D: Deserializer<'de>>(from: D) -> Result<Labels, D::Error> {
    Ok(Option::<Map<String, Value>>::deserialize(from)?.map(labels_of).unwrap_or_default())
}

/// The same of an object.
pub fn labels_of(entries: Map<String, Value>) -> Labels {
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    entries.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
}

/// Text; empty where it is another thing.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    })
}

/// A number, or text that is one; 0 where it is another thing.
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Number(number) => number.as_f64().unwrap_or_default(),
        Value::String(text) => number::parse(&text).unwrap_or_default(),
        _ => 0.0,
    })
}

/// A time; none where it is another thing. Go's zero time means that it is not known.
pub fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let time: Option<DateTime<Utc>> = Value::deserialize(from)?.as_str().and_then(|text| text.parse().ok());
    Ok(time.filter(|at| at.timestamp() > 0))
}

/// The entries of a list as they came: trees of all of them at once would take ten times their memory.
pub type Entries = Vec<Box<RawValue>>;

/// A list, entry by entry: `null` is none, and no entry. Of another thing nobody knows what is in it.
pub fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Entries, D::Error> {
    let entries = Option::<Entries>::deserialize(from)?.unwrap_or_default();
    Ok(entries.into_iter().filter(|entry| entry.get() != "null").collect())
}

/// The names in a list, each as text or as an object with a `name`.
pub fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let name = |entry: &Value| entry.as_str().or_else(|| entry.get("name")?.as_str()).map(ToOwned::to_owned);
    let entries = Value::deserialize(from)?;
    Ok(entries.as_array().into_iter().flatten().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Odd {
        #[serde(default, deserialize_with = "labels")]
        labels: Labels,
        #[serde(default, deserialize_with = "number")]
        number: f64,
        #[serde(default, deserialize_with = "time")]
        time: Option<DateTime<Utc>>,
        #[serde(default, deserialize_with = "list")]
        list: Entries,
        #[serde(default, deserialize_with = "names")]
        names: Vec<String>,
        #[serde(default, deserialize_with = "text")]
        text: String,
    }

    #[test]
    fn what_can_be_used_is_used() {
        let read = |text: &str| serde_json::from_str::<Odd>(text).expect("read");
        let odd = read(
            r#"{"labels": {"a": "x", "port": 80, "on": true, "no": null}, "number": "60", "time": 5, "list": [null, 1],
                "names": ["a", {"name": "b"}, {"name": null}, 7, null], "text": 7}"#,
        );
        let labels = [("a", "x"), ("on", "true"), ("port", "80")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(odd.labels, Labels::from(labels));
        assert_eq!((odd.number, odd.time, odd.list.len(), odd.text.as_str()), (60.0, None, 1, "7"));
        assert_eq!(odd.names, ["a", "b"]);
        let null = read(r#"{"labels": null, "number": null, "time": null, "list": null, "names": {}, "text": null}"#);
        assert!(null.labels.is_empty() && null.list.is_empty() && null.names.is_empty() && null.text.is_empty());
        assert!(serde_json::from_str::<Odd>(r#"{"list": "no"}"#).is_err(), "what is no list is not an empty one");
        assert_eq!(read(r#"{"time": "0001-01-01T00:00:00Z"}"#).time, None);
        assert!(read(r#"{"time": "2026-01-15T10:20:00Z"}"#).time.is_some());
    }
}
