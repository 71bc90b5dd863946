//! Waiting for the disk: file by file, or once for many of them, since a disk takes fifty in the time of one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;

use crate::files::open;

/// Threads that wait at once.
const AT_ONCE: usize = 16;

#[derive(Debug, Default)]
struct PutOff {
    files: Vec<File>,
    /// Held open: a folder may get another name meanwhile.
    folders: BTreeMap<(u64, u64), File>,
}

thread_local! {
    static PUT_OFF: RefCell<Option<PutOff>> = const { RefCell::new(None) };
}

/// The content of a file survives a power cut; within [`together`], from its end on.
pub fn sync(file: &File) -> io::Result<()> {
    let put_off = PUT_OFF.with_borrow_mut(|put_off| {
        let Some(put_off) = put_off else { return Ok(false) };
        put_off.files.push(file.try_clone()?);
        io::Result::Ok(true)
    })?;
    if put_off { Ok(()) } else { file.sync_all() }
}

/// A rename or a new file in the folder survives a power cut; within [`together`], from its end on.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let folder = open::folder(folder)?;
    let data = folder.metadata()?;
    PUT_OFF.with_borrow_mut(|put_off| match put_off {
        Some(put_off) => {
            put_off.folders.entry((data.dev(), data.ino())).or_insert(folder);
            Ok(())
        }
        None => folder.sync_all(),
    })
}

#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Does several things of which each would wait for the disk, and waits once: what they wrote is safe when this returns
/// without an error. A process that is killed meanwhile loses nothing; a power cut may leave half of what nobody was
/// promised yet.
pub fn together<T>(act: impl FnOnce() -> T) -> (T, io::Result<()>) {
    PUT_OFF.set(Some(PutOff::default()));
    let done = act();
    let PutOff { files, folders } = PUT_OFF.take().unwrap_or_default();
    let folders: Vec<File> = folders.into_values().collect();
    // The content first, then the names that lead to it.
    (done, sync_all(&files).and_then(|()| sync_all(&folders)))
}

fn sync_all(files: &[File]) -> io::Result<()> {
    let share = files.len().div_ceil(AT_ONCE).max(1);
    thread::scope(|scope| {
        let each = |files: &[File]| files.iter().try_for_each(File::sync_all);
        let waiting: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || each(files))).collect();
        waiting.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::file::write_private;

    #[test]
    fn what_is_put_off_is_waited_for_at_the_end_and_nothing_after_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let waiting = || PUT_OFF.with_borrow(|all| all.as_ref().map(|all| (all.files.len(), all.folders.len())));
        let (before, synced) = together(|| {
            for n in 0..40 {
                write_private(&dir.path().join(n.to_string()), b"x").expect("written");
            }
            waiting()
        });
        assert_eq!((before, waiting()), (Some((40, 1)), None));
        synced.expect("synced");
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 40);
        write_private(&dir.path().join("one"), b"x").expect("at once");
    }
}
