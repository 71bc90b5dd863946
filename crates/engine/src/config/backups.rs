//! `backups`: what is backed up, how old it may be, where copies are, and who knows.

use std::time::Duration;

use crate::config::decode::{Problems, Section};
use crate::config::endpoint::{self, Endpoint, HTTP};
use crate::config::node::{Node, Origin};
use crate::config::secret::Secret;
use crate::config::trust::Place as Path;
use liveops_domain::check::backups::formats::Tool;
use liveops_domain::check::backups::{Demand, Place};
use liveops_domain::check::manifest::quantity::quantity;
use liveops_domain::text::duration::parse_positive;

/// How old a backup may be where nothing is said: a nightly one, with two hours to run.
const RPO: Duration = Duration::from_secs(26 * 3600);

/// How old the last restore test may be where nothing is said.
const RESTORE: Duration = Duration::from_secs(30 * 86_400);

/// How often they are looked at where nothing is said.
const LOOK: Duration = Duration::from_secs(86_400);

/// One thing that is backed up.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupItem {
    pub demand: Demand,
    /// The service whose data it is.
    pub service: Option<String>,
    pub source: BackupSource,
}

/// Who knows the backups.
#[derive(Debug, Clone, PartialEq)]
pub enum BackupSource {
    /// Files whose names match.
    Folder { place: Path, pattern: String },
    /// Objects of a bucket.
    S3 { endpoint: Endpoint, bucket: String, region: String, prefix: String, pattern: String },
    /// A program that prints JSON.
    Program(Program),
    /// Prometheus.
    Metrics { last_success: String, size: Option<String>, last_run_failed: Option<String> },
}

/// A program that is run, without a shell.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub tool: Tool,
    pub command: Vec<String>,
    /// pgBackRest's stanza, Barman's server.
    pub stanza: Option<String>,
    /// What stands in its environment.
    pub env: Endpoint,
    pub origin: Origin,
}

/// The kinds of sources, as they are written.
const KINDS: [&str; 9] = ["folder", "s3", "metrics", "restic", "pgbackrest", "barman", "wal-g", "borg", "command"];

/// Reads `backups`.
pub fn decode(top: &mut Section<'_>, problems: &mut Problems) -> Vec<BackupItem> {
    let mut items: Vec<BackupItem> = Vec::new();
    for (index, node) in top.list("backups", problems).iter().enumerate() {
        let name = node.get("name").and_then(Node::text);
        let path = name.map_or_else(|| format!("backups[{index}]"), |name| format!("backups.{name}"));
        let Some(item) = item(node, &path, problems) else { continue };
        if items.iter().any(|known| known.demand.name == item.demand.name) {
            problems.error(&node.origin, &path, "a backup of this name exists already");
        }
        items.push(item);
    }
    items
}

fn item(node: &Node, path: &str, problems: &mut Problems) -> Option<BackupItem> {
    let mut section = Section::open(node, path, problems);
    let name = section.text("name", problems);
    section.require("name", name.is_some(), problems);
    let service = section.text("service", problems);
    let whole = |text: &str| text.parse::<usize>().map_err(|_| format!("`{text}` is not a whole number"));
    let bytes = |text: &str| match quantity(text.trim_end_matches('B')) {
        Some(bytes) if bytes >= 0.0 => Ok(bytes as u64),
        _ => Err(format!("`{text}` is no size such as 10MiB")),
    };
    let mut demand = Demand {
        name: name.clone().unwrap_or_default(),
        rpo: section.parse("rpo", problems, parse_positive).unwrap_or(RPO),
        rto: section.parse("rto", problems, parse_positive),
        restore_every: Some(RESTORE),
        keep: section.parse("keep", problems, whole),
        reach: section.parse("reach", problems, parse_positive),
        look_every: Some(section.parse("checked_every", problems, parse_positive).unwrap_or(LOOK)),
        least_bytes: section.parse("min_size", problems, bytes),
        steady: section.boolean("steady", problems).unwrap_or(false),
        encrypted: section.boolean("encrypted", problems),
        places: Vec::new(),
        archived: section.boolean("archived", problems).unwrap_or(false),
    };
    if let Some(every) = section.text("restore_test", problems) {
        demand.restore_every = match every.as_str() {
            "never" => None,
            _ => section.parse("restore_test", problems, parse_positive),
        };
    }
    for (at, node) in section.list("copies", problems).iter().enumerate() {
        let mut copy = Section::open(node, format!("{path}.copies[{at}]"), problems);
        let name = copy.text("place", problems);
        copy.require("place", name.is_some(), problems);
        let off_site = copy.boolean("off_site", problems).unwrap_or(false);
        let immutable = copy.boolean("immutable", problems).unwrap_or(false);
        copy.finish(problems);
        demand.places.extend(name.map(|name| Place { name, off_site, immutable }));
    }
    let source = section.get("source").and_then(|node| source(node, &format!("{path}.source"), problems));
    section.require("source", source.is_some(), problems);
    section.finish(problems);
    name.map(|_| ())?;
    Some(BackupItem { demand, service, source: source? })
}

fn source(node: &Node, path: &str, problems: &mut Problems) -> Option<BackupSource> {
    let mut section = Section::open(node, path, problems);
    let kind = section.parse("kind", problems, |kind| match KINDS.contains(&kind) {
        true => Ok(kind.to_owned()),
        false => Err(format!("`{kind}` is no kind of source; there is {}", KINDS.join(", "))),
    });
    section.require("kind", kind.is_some(), problems);
    let found = match kind.as_deref()? {
        "folder" => {
            let place = section.place("path", "backups", problems);
            section.require("path", place.is_some(), problems);
            let pattern = section.text("files", problems).unwrap_or_else(|| "*".into());
            place.map(|place| BackupSource::Folder { place, pattern })
        }
        "s3" => s3(&mut section, path, problems),
        "metrics" => {
            let last_success = section.text("last_success", problems);
            section.require("last_success", last_success.is_some(), problems);
            let size = section.text("size", problems);
            let last_run_failed = section.text("last_run_failed", problems);
            last_success.map(|last_success| BackupSource::Metrics { last_success, size, last_run_failed })
        }
        kind => {
            Tool::named(kind).and_then(|tool| program(&mut section, tool, path, problems)).map(BackupSource::Program)
        }
    };
    section.finish(problems);
    found
}

fn s3(section: &mut Section<'_>, path: &str, problems: &mut Problems) -> Option<BackupSource> {
    let bucket = section.text("bucket", problems);
    section.require("bucket", bucket.is_some(), problems);
    let region = section.text("region", problems).unwrap_or_else(|| "us-east-1".into());
    let mut headers = Vec::new();
    for key in ["access_key", "secret_key"] {
        if let Some(node) = section.get(key) {
            let value = endpoint::header(key, node, &format!("{path}.{key}"), problems);
            headers.extend(value.map(|value| (key.to_owned(), value)));
        }
        section.require(key, headers.iter().any(|(name, _)| name == key), problems);
    }
    let url = match section.get("endpoint") {
        Some(node) => endpoint::checked_url(node, &format!("{path}.endpoint"), HTTP, problems)?,
        None => Secret {
            source: crate::config::secret::Source::Template(format!("https://s3.{region}.amazonaws.com")),
            origin: section.origin().clone(),
        },
    };
    let prefix = section.text("prefix", problems).unwrap_or_default();
    let pattern = section.text("files", problems).unwrap_or_else(|| "*".into());
    let endpoint = Endpoint { url, headers, is_channel: false };
    Some(BackupSource::S3 { endpoint, bucket: bucket?, region, prefix, pattern })
}

fn program(section: &mut Section<'_>, tool: Tool, path: &str, problems: &mut Problems) -> Option<Program> {
    let words = section.list("command", problems);
    let mut command: Vec<String> = words.iter().filter_map(Node::text).map(ToOwned::to_owned).collect();
    if command.len() != words.len() {
        problems.error(section.origin(), &format!("{path}.command"), "must be a list of words");
        return None;
    }
    if command.is_empty() && tool == Tool::Own {
        section.require("command", false, problems);
        return None;
    }
    if command.is_empty() {
        command.push(tool.program().to_owned());
    }
    let stanza = section.parse("stanza", problems, crate::config::decode::argument);
    let mut env = Vec::new();
    for (name, node) in section.entries("env", problems) {
        let key = format!("{path}.env.{name}");
        env.extend(endpoint::header(name, node, &key, problems).map(|value| (name.to_owned(), value)));
    }
    let url = Secret {
        source: crate::config::secret::Source::Template(command[0].clone()),
        origin: section.origin().clone(),
    };
    let env = Endpoint { url, headers: env, is_channel: false };
    Some(Program { tool, command, stanza, env, origin: section.origin().clone() })
}
