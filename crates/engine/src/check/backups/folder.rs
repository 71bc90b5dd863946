//! A folder of backups: files, or folders of files, whose names match.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use chrono::{DateTime, NaiveTime, Utc};
use sha2::{Digest, Sha256};

use crate::check::backups::matches;
use crate::files::open;
use liveops_domain::check::backups::formats::{is_partial, time_in_name};
use liveops_domain::check::backups::{Backup, Inventory, Kind, Run};

/// A file beyond this is not read to compare its digest.
const LARGEST: u64 = 8 << 30;

/// What lies there. A folder that does not exist holds no backup, and that is known.
pub(super) fn look(folder: &Path, pattern: &str) -> Result<Inventory, String> {
    let unreadable = |error: &std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Inventory::default()),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut all = Inventory::default();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let bare = ["tmp", "part", "partial", "incomplete"]
            .iter()
            .find_map(|end| name.strip_suffix(&format!(".{end}")))
            .unwrap_or(&name);
        let is_sidecar = [".sha256", ".md5", ".sha1", ".asc", ".sig"].iter().any(|end| name.ends_with(end));
        if !matches(pattern, bare) || is_sidecar {
            continue;
        }
        let data = fs::metadata(entry.path()).map_err(|error| unreadable(&error))?;
        let (bytes, modified) = match data.is_dir() {
            true => inside(&entry.path(), 0).map_err(|error| unreadable(&error))?,
            false => (data.len(), data.modified().ok().map(DateTime::<Utc>::from)),
        };
        // A copy has the time of its copying, and the name that of its making; a day alone says no hour.
        let named = time_in_name(&name);
        let is_day = |at: DateTime<Utc>| at.time() == NaiveTime::MIN;
        let of_day = |at| modified.filter(|file| is_day(at) && file.date_naive() == at.date_naive()).unwrap_or(at);
        let Some(finished) = named.map(of_day).or(modified) else { continue };
        let broken = is_partial(&name).then(|| "it is still being written, or its run was broken off".to_owned());
        all.backups.push(Backup { id: name, finished, bytes: Some(bytes), kind: Kind::Full, broken });
    }
    compare_newest(folder, &mut all);
    let newest = all.backups.iter().max_by_key(|backup| backup.finished);
    all.last_run = newest.map(|backup| Run { at: backup.finished, failed: backup.broken.clone() });
    Ok(all)
}

/// The size of all files below, and the time of the newest.
fn inside(folder: &Path, depth: usize) -> std::io::Result<(u64, Option<DateTime<Utc>>)> {
    let (mut bytes, mut newest) = (0, None);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let data = fs::symlink_metadata(entry.path())?;
        if data.is_dir() && depth < 16 {
            let (more, time) = inside(&entry.path(), depth + 1)?;
            bytes += more;
            newest = newest.max(time);
        } else if data.is_file() {
            bytes += data.len();
            newest = newest.max(data.modified().ok().map(DateTime::<Utc>::from));
        }
    }
    Ok((bytes, newest))
}

/// The newest file against the digest that lies beside it.
fn compare_newest(folder: &Path, all: &mut Inventory) {
    let Some(newest) =
        all.backups.iter_mut().filter(|backup| backup.broken.is_none()).max_by_key(|backup| backup.finished)
    else {
        return;
    };
    let Ok(said) = open::read_text(&folder.join(format!("{}.sha256", newest.id))) else { return };
    let Some(said) = said.split_whitespace().next().filter(|word| word.len() == 64) else { return };
    if newest.bytes.is_none_or(|bytes| bytes > LARGEST) {
        return;
    }
    newest.broken = match digest(&folder.join(&newest.id)) {
        Ok(digest) if digest.eq_ignore_ascii_case(said) => None,
        Ok(_) => Some(format!("its content is not that of {}.sha256", newest.id)),
        Err(error) => Some(format!("it cannot be read: {error}")),
    };
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = open::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
