//! Folders of openings that were killed before their incident had a name: they paged nobody, and no command shows them.

use std::fs::{self, DirEntry, File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use crate::files::incidents::Incidents;
use crate::files::open;

/// How a folder is called until its incident has a name; six letters or digits follow.
pub(super) const PREFIX: &str = ".new-";

/// One that nobody holds is left over after this long: between making it and holding it lies a moment.
const YOUNG: Duration = Duration::from_secs(60);

/// Where the file system has no locks, nobody takes that long over an opening.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

impl Incidents {
    /// Those that nobody is at any more, each with the lock that keeps it so.
    fn unnamed(&self) -> Vec<(PathBuf, File)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter(is_ours).filter_map(|entry| Some((entry.path(), left(&entry)?))).collect()
    }

    /// How many openings were killed before their incident had a name.
    pub fn unnamed_count(&self) -> usize {
        self.unnamed().len()
    }

    /// Removes them; what cannot be removed stays, and hinders no opening.
    pub(super) fn remove_unnamed(&self) {
        for (path, _held) in self.unnamed() {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Is it a folder of this user that is called so?
fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    let is_called_so =
        rest.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_called_so && entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_mine(entry)
}

#[cfg(unix)]
fn is_mine(entry: &DirEntry) -> bool {
    use std::os::unix::fs::MetadataExt;
    entry.metadata().is_ok_and(|data| data.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn is_mine(_: &DirEntry) -> bool {
    true
}

/// The lock on it, where nobody holds it and it is not young.
fn left(entry: &DirEntry) -> Option<File> {
    let age = entry.metadata().and_then(|data| data.modified()).ok()?.elapsed().ok()?;
    let folder = open::lock_folder(&entry.path()).ok()?;
    let least = match folder.try_lock() {
        Ok(()) => YOUNG,
        Err(TryLockError::WouldBlock) => return None,
        Err(TryLockError::Error(_)) => OLD,
    };
    (age > least).then_some(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;

    fn aged(path: &Path, age: Duration) {
        File::open(path).and_then(|file| file.set_modified(SystemTime::now() - age)).expect("ours");
    }

    #[test]
    fn only_what_nobody_is_at_and_is_not_young_goes() {
        let dir = tempfile::tempdir().expect("temp dir");
        let at = |name: &str| dir.path().join(name);
        for name in [".new-Abc123", ".new-Young1", ".new-Held12", ".new-mine", "2026-01-01-p1-x"] {
            fs::create_dir(at(name)).expect("create");
            fs::write(at(name).join("journal.jsonl"), "{").expect("write");
            aged(&at(name), if name.contains("Young") { Duration::ZERO } else { YOUNG * 2 });
        }
        symlink(at("2026-01-01-p1-x"), at(".new-Link12")).expect("link");
        let held = open::lock_folder(&at(".new-Held12")).expect("open");
        held.lock().expect("lock");
        let store = Incidents::at(dir.path());
        assert_eq!(store.unnamed_count(), 1);
        store.remove_unnamed();
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).expect("read").map(|one| one.expect("one").file_name()).collect();
        left.sort();
        assert_eq!(left, [".new-Held12", ".new-Link12", ".new-Young1", ".new-mine", "2026-01-01-p1-x"]);
        drop(held);
        assert_eq!(store.unnamed_count(), 1, "its holder is gone");
    }
}
