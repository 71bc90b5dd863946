//! What backup tools print as JSON.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use crate::check::backups::{Archive, Backup, Inventory, Kind, Run};

/// A tool whose lists are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Restic,
    Pgbackrest,
    Barman,
    WalG,
    Borg,
    /// Anything that prints `[{id, time, size, kind, ok, error}]`, alone or as `backups`.
    Own,
}

impl Tool {
    /// As the configuration names it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "restic" => Self::Restic,
            "pgbackrest" => Self::Pgbackrest,
            "barman" => Self::Barman,
            "wal-g" => Self::WalG,
            "borg" => Self::Borg,
            "command" => Self::Own,
            _ => return None,
        })
    }

    /// The program, where none is said.
    pub fn program(self) -> &'static str {
        match self {
            Self::Restic => "restic",
            Self::Pgbackrest => "pgbackrest",
            Self::Barman => "barman",
            Self::WalG => "wal-g",
            Self::Borg => "borg",
            Self::Own => "",
        }
    }

    /// What is added to its command to have the list; `stanza` is pgBackRest's stanza or Barman's server.
    pub fn list(self, stanza: Option<&str>) -> Vec<String> {
        let words: Vec<&str> = match self {
            Self::Restic => vec!["snapshots", "--json"],
            Self::Pgbackrest => vec!["info", "--output=json"],
            Self::Barman => vec!["-f", "json", "list-backups", stanza.unwrap_or("all")],
            Self::WalG => vec!["backup-list", "--detail", "--json"],
            Self::Borg => vec!["info", "--json", "--last", "30"],
            Self::Own => Vec::new(),
        };
        let mut words: Vec<String> = words.into_iter().map(ToOwned::to_owned).collect();
        if let (Self::Pgbackrest, Some(stanza)) = (self, stanza) {
            words.push(format!("--stanza={stanza}"));
        }
        words
    }

    /// Reads the list.
    ///
    /// # Errors
    /// What is not as the tool prints it.
    pub fn read(self, text: &str) -> Result<Inventory, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it printed no JSON: {error}"))?;
        let read = match self {
            Self::Restic => restic(&value),
            Self::Pgbackrest => pgbackrest(&value),
            Self::Barman => barman(&value),
            Self::WalG => wal_g(&value),
            Self::Borg => borg(&value),
            Self::Own => own(&value),
        };
        read.ok_or_else(|| "it printed JSON of another shape".to_owned())
    }
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(seconds) = value.as_i64() {
        return DateTime::from_timestamp(seconds, 0);
    }
    let text = value.as_str()?;
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%a %b %e %H:%M:%S %Y"];
    let plain = text.trim_end_matches(" UTC").trim_end_matches("+00:00");
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(plain, form).ok()).map(|at| at.and_utc())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn backup(id: String, finished: DateTime<Utc>, bytes: Option<u64>) -> Backup {
    Backup { id, finished, bytes, kind: Kind::Full, broken: None }
}

fn restic(value: &Value) -> Option<Inventory> {
    let one = |snapshot: &Value| {
        let id =
            text(&snapshot["short_id"]).or_else(|| text(&snapshot["id"]).map(|id| id.chars().take(8).collect()))?;
        // Since 0.17 a snapshot says how it went.
        let summary = &snapshot["summary"];
        let finished = time(&summary["backup_end"]).or_else(|| time(&snapshot["time"]))?;
        Some(backup(id, finished, summary["total_bytes_processed"].as_u64()))
    };
    // A repository without a snapshot prints `null`.
    let backups =
        if value.is_null() { Vec::new() } else { value.as_array()?.iter().map(one).collect::<Option<_>>()? };
    Some(Inventory { backups, encrypted: Some(true), ..Inventory::default() })
}

fn pgbackrest(value: &Value) -> Option<Inventory> {
    let mut all = Inventory { archive: Some(Archive::default()), ..Inventory::default() };
    for stanza in value.as_array()? {
        let name = stanza["name"].as_str()?;
        let status = &stanza["status"];
        let code = status["code"].as_i64()?;
        // 2: no valid backup, which the list says itself.
        if code != 0 && code != 2 {
            let message = status["message"].as_str().unwrap_or("its status is not ok");
            all.faults.push(format!("stanza {name}: {message}"));
        }
        all.encrypted = text(&stanza["cipher"]).map(|cipher| cipher != "none").or(all.encrypted);
        for one in stanza["backup"].as_array().into_iter().flatten() {
            let mut found =
                backup(text(&one["label"])?, time(&one["timestamp"]["stop"])?, one["info"]["size"].as_u64());
            found.kind = match one["type"].as_str() {
                Some("diff") => Kind::Differential,
                Some("incr") => Kind::Incremental,
                _ => Kind::Full,
            };
            found.broken = (one["error"] == true).then(|| "pgBackRest found page checksum errors in it".into());
            if one["archive"]["start"].is_null() {
                all.archive.get_or_insert_default().gaps.push(format!("backup {} has no archived WAL", found.id));
            }
            all.backups.push(found);
        }
    }
    Some(all)
}

fn barman(value: &Value) -> Option<Inventory> {
    let mut all = Inventory::default();
    for (server, backups) in value.as_object()?.iter().filter(|(name, _)| !name.starts_with('_')) {
        let backups = backups.as_array()?;
        let stamp = |one: &Value, key: &str| {
            let seconds = one[key].as_str().and_then(|text| text.parse().ok()).or_else(|| one[key].as_i64());
            DateTime::from_timestamp(seconds?, 0)
        };
        // Its ids and texts are of its own clock, and without a zone: how far that is from UTC, those that ended say.
        let ahead = |one: &Value| Some(time(&one["end_time"])? - stamp(one, "end_time_timestamp")?);
        let ahead = backups.iter().find_map(ahead).unwrap_or_default();
        for one in backups {
            let id = text(&one["backup_id"])?;
            // What still runs is neither good nor bad; barman itself calls what was cut off FAILED.
            let status = one["status"].as_str();
            if matches!(status, Some("EMPTY" | "STARTED" | "SYNCING")) {
                continue;
            }
            let ended = stamp(one, "end_time_timestamp").or_else(|| Some(time(&one["end_time"])? - ahead));
            // `20261130T020000` is when it began.
            let began = || Some(NaiveDateTime::parse_from_str(&id, "%Y%m%dT%H%M%S").ok()?.and_utc() - ahead);
            let finished = ended.or_else(began)?;
            let bytes = one["size_bytes"].as_u64().or_else(|| one["size"].as_u64());
            let mut found = backup(id, finished, bytes);
            if one["backup_type"] == "incremental" {
                found.kind = Kind::Incremental;
            }
            found.broken = status
                .filter(|status| !matches!(*status, "DONE" | "WAITING_FOR_WALS"))
                .map(|status| format!("{server}: {status}"));
            all.backups.push(found);
        }
    }
    failed_last(&mut all);
    Some(all)
}

/// What `barman -f json check` has against a server.
pub fn barman_check(text: &str) -> Vec<String> {
    let Ok(Value::Object(servers)) = serde_json::from_str(text) else { return Vec::new() };
    let mut faults = Vec::new();
    for (server, checks) in servers.iter().filter(|(name, _)| !name.starts_with('_')) {
        for (check, answer) in checks.as_object().into_iter().flatten() {
            if answer["status"] == "FAILED" {
                let hint = answer["hint"].as_str().unwrap_or_default();
                faults.push(format!(
                    "{server}: {} failed{}{hint}",
                    check.replace('_', " "),
                    if hint.is_empty() { "" } else { ": " }
                ));
            }
        }
    }
    faults
}

fn wal_g(value: &Value) -> Option<Inventory> {
    let one = |one: &Value| {
        let finished = ["finish_time", "time", "modified", "last_modified"].iter().find_map(|key| time(&one[*key]))?;
        let bytes = one["compressed_size"].as_u64().or_else(|| one["uncompressed_size"].as_u64());
        let id = text(&one["backup_name"])?;
        let kind = if id.contains("_D_") { Kind::Incremental } else { Kind::Full };
        Some(Backup { kind, ..backup(id, finished, bytes) })
    };
    let backups =
        if value.is_null() { Vec::new() } else { value.as_array()?.iter().map(one).collect::<Option<_>>()? };
    Some(Inventory { backups, ..Inventory::default() })
}

/// What `wal-g wal-verify integrity timeline --json` has against the archive.
pub fn wal_verify(text: &str) -> Option<Archive> {
    let value: Value = serde_json::from_str(text).ok()?;
    let mut archive = Archive::default();
    let integrity = value.get("integrity")?;
    for part in integrity["details"].as_array().into_iter().flatten() {
        if part["status"].as_str().is_some_and(|status| status.contains("MISSING_LOST")) {
            let (start, end) = (part["start_segment"].as_str()?, part["end_segment"].as_str()?);
            archive.gaps.push(format!("WAL {start} to {end} is missing"));
        }
    }
    if archive.gaps.is_empty() && integrity["status"] == "FAILURE" {
        archive.gaps.push("wal-verify finds the archive broken".into());
    }
    // Two servers archive to one place: what is restored may be of either.
    let timeline = &value["timeline"];
    if timeline["status"] == "FAILURE" {
        let of = |key: &str| timeline["details"][key].as_u64().map_or("?".to_owned(), |id| id.to_string());
        let (current, highest) = (of("current_timeline_id"), of("highest_storage_timeline_id"));
        archive.gaps.push(format!("the server is on timeline {current}, the archive on {highest}"));
    }
    Some(archive)
}

fn borg(value: &Value) -> Option<Inventory> {
    let one = |one: &Value| {
        let finished = time(&one["end"]).or_else(|| time(&one["start"]))?;
        Some(backup(text(&one["name"])?, finished, one["stats"]["original_size"].as_u64()))
    };
    let backups = value["archives"].as_array()?.iter().map(one).collect::<Option<_>>()?;
    let encrypted = value["encryption"]["mode"].as_str().map(|mode| mode != "none");
    Some(Inventory { backups, encrypted, ..Inventory::default() })
}

fn own(value: &Value) -> Option<Inventory> {
    let list = value.get("backups").unwrap_or(value).as_array()?;
    let one = |one: &Value| {
        let id = text(&one["id"]).or_else(|| one["id"].as_i64().map(|id| id.to_string()))?;
        let mut found = backup(id, time(&one["time"])?, one["size"].as_u64());
        found.kind = match one["kind"].as_str() {
            Some("differential" | "diff") => Kind::Differential,
            Some("incremental" | "incr") => Kind::Incremental,
            _ => Kind::Full,
        };
        let error = text(&one["error"]);
        found.broken = error.or_else(|| (one["ok"] == false).then(|| "its own list says so".into()));
        Some(found)
    };
    let mut all = Inventory { backups: list.iter().map(one).collect::<Option<_>>()?, ..Inventory::default() };
    if let Some(at) = time(&value["last_run"]["time"]) {
        let failed = text(&value["last_run"]["error"]);
        let failed = failed.or_else(|| (value["last_run"]["ok"] == false).then(|| "it says no more".into()));
        all.last_run = Some(Run { at, failed });
    }
    if let Some(archive) = value.get("archive") {
        let gaps = archive["gaps"].as_array().into_iter().flatten().filter_map(text).collect();
        all.archive = Some(Archive { newest: time(&archive["newest"]), gaps });
    }
    all.encrypted = value["encrypted"].as_bool();
    failed_last(&mut all);
    Some(all)
}

/// The newest entry is the last run.
fn failed_last(all: &mut Inventory) {
    let newest = all.backups.iter().max_by_key(|backup| backup.finished);
    if all.last_run.is_none() {
        all.last_run = newest.map(|backup| Run { at: backup.finished, failed: backup.broken.clone() });
    }
}

/// The time that a file's name says: `orders-2026-11-30.sql.gz`, `dump_20261130T0200.tar`, `db-2026-11-30_02-15-00`.
pub fn time_in_name(name: &str) -> Option<DateTime<Utc>> {
    let digits: Vec<char> = name.chars().collect();
    for start in 0..digits.len() {
        if start > 0 && digits[start - 1].is_ascii_digit() {
            continue;
        }
        let mut found = String::new();
        for digit in &digits[start..] {
            match *digit {
                c if c.is_ascii_digit() => found.push(c),
                // A separator stands between parts, and never before the year is whole.
                '-' | '_' | ':' | 'T' | 't' | ' ' if found.len() >= 4 && found.len() < 14 => {}
                _ => break,
            }
            if found.len() == 14 {
                break;
            }
        }
        let year: i32 = found.get(..4).and_then(|year| year.parse().ok()).unwrap_or(0);
        if found.len() < 8 || !(1990..2200).contains(&year) {
            continue;
        }
        let two = |at: usize| found.get(at..at + 2).and_then(|part| part.parse::<u32>().ok());
        let date = chrono::NaiveDate::from_ymd_opt(year, two(4)?, two(6)?);
        let time =
            date.and_then(|date| date.and_hms_opt(two(8).unwrap_or(0), two(10).unwrap_or(0), two(12).unwrap_or(0)));
        if let Some(time) = time {
            return Some(time.and_utc());
        }
    }
    None
}

/// Does the name say that the file is still being written?
pub fn is_partial(name: &str) -> bool {
    [".tmp", ".part", ".partial", ".incomplete", ".filepart", ".crdownload", "~"].iter().any(|end| name.ends_with(end))
}
