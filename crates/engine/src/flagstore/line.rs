//! A revision as a line of JSON. Values are text where they are UTF-8, which a value in a file always is.

use serde_json::{Map, Value};

use liveops_domain::error::Result;
use liveops_domain::flag::history::Revision;

/// The line, with its end.
pub fn write(revision: &Revision) -> Result<Vec<u8>> {
    let mut object = Map::new();
    for (name, bytes) in revision.to_fields() {
        let text = String::from_utf8(bytes).map_err(|_| {
            liveops_domain::error::Error::usage(
                format!("the {name} of `{}` is not UTF-8", revision.flag),
                "only Redis keeps bytes that are no text",
            )
        })?;
        object.insert(name.into(), Value::String(text));
    }
    let mut line = serde_json::to_vec(&object)?;
    line.push(b'\n');
    Ok(line)
}

/// The revision of a line; `None` when it is torn or somebody else wrote it.
pub fn read(line: &[u8]) -> Option<Revision> {
    let object: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let fields = object.iter();
    let fields: Vec<(&[u8], &[u8])> =
        fields.map(|(name, value)| Some((name.as_bytes(), value.as_str()?.as_bytes()))).collect::<Option<_>>()?;
    Revision::from_fields(fields).ok()
}
