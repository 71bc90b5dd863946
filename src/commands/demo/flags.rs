//! The demo's feature flags: a file with half a year of history, told relative to now, and some players to ask about.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use liveops_domain::error::{Error, Result};
use liveops_domain::flag::history::Revision;
use liveops_domain::text::duration;

/// One change a line, the oldest first; values as liveops writes them, byte for byte.
const STORY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/demo/flags.jsonl"));

/// Players to try `preview` and `overlap` on.
const PLAYERS: u32 = 500;

/// One line of the story.
#[derive(Deserialize)]
struct Step<'a> {
    /// How long before now.
    ago: &'a str,
    flag: String,
    #[serde(borrow)]
    value: &'a RawValue,
    /// Who did it through liveops; nobody knows of what was done past it.
    by: Option<String>,
    reason: Option<String>,
    command: Option<String>,
}

type Flags = BTreeMap<String, Vec<u8>>;

/// The flags as they are now, and the changes that liveops knows of, the oldest first.
fn story(now: DateTime<Utc>) -> Result<(Flags, Vec<Revision>)> {
    let odd = |what: &str| Error::internal(&format!("the demo's flags: {what}"));
    let mut flags = Flags::new();
    let mut history: Vec<Revision> = Vec::new();
    for line in STORY.lines() {
        let step: Step<'_> = serde_json::from_str(line).map_err(|error| odd(&error.to_string()))?;
        let ago = duration::parse_positive(step.ago).map_err(|error| odd(&error.to_string()))?;
        let after = step.value.get().as_bytes().to_vec();
        let before = flags.insert(step.flag.clone(), after.clone());
        let Some(by) = step.by else {
            continue;
        };
        let made = |revision: &&Revision| revision.flag == step.flag;
        history.push(Revision {
            op: format!("demo-{}", history.len() + 1),
            rev: 1 + history.iter().filter(made).count() as u64,
            at: now - TimeDelta::from_std(ago).map_err(|error| odd(&error.to_string()))?,
            by,
            reason: step.reason,
            command: step.command.unwrap_or_default(),
            before,
            after: Some(after),
            flag: step.flag,
        });
    }
    Ok((flags, history))
}

/// Writes the flags, their history and the players into the demo's folder.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn write(folder: &Path, now: DateTime<Utc>) -> Result<()> {
    let (flags, history) = story(now)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let members: Vec<String> =
        flags.iter().map(|(name, value)| format!("  {}: {}", Value::from(name.as_str()), text(value))).collect();
    let line = |revision: &Revision| {
        let fields = revision.to_fields();
        let object: Map<String, Value> =
            fields.into_iter().map(|(field, value)| (field.to_owned(), Value::from(text(&value)))).collect();
        format!("{}\n", Value::from(object))
    };
    let players = (1..=PLAYERS).map(|n| format!("player-{n}\n"));
    for (name, content) in [
        ("flags.json", format!("{{\n{}\n}}\n", members.join(",\n"))),
        ("flags.history.jsonl", history.iter().map(line).collect()),
        ("players.txt", players.collect()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|source| Error::Io { action: "write", path, source })?;
    }
    Ok(())
}
