//! Replaces a file that others own too: it keeps owner, group, mode, ACL, and what links lead to it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::files::durable::sync_folder;
use crate::files::file::{folder_of, sweep};
use crate::files::open;

/// The file that a path stands for, behind all links; a link may lead to what is not there yet.
pub fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => break,
        }
    }
    path
}

/// Replaces it as a whole: temporary file, fsync, rename, fsync of the folder. Where a new file would not be the same to
/// its other users (another owner, a hard link), it is written in place, with all of it in `spare` meanwhile. `false`
/// when it does not hold what was expected any more.
///
/// # Errors
/// When it cannot be written either way.
pub fn replace(path: &Path, bytes: &[u8], expected: Option<&[u8]>, spare: &Path) -> io::Result<bool> {
    let target = behind_links(path);
    let old = fs::metadata(&target).ok();
    let is_expected = || expected.is_none_or(|expected| fs::read(&target).is_ok_and(|found| found == expected));
    let folder = folder_of(&target);
    sweep(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".liveops");
    #[cfg(unix)]
    if old.is_none() {
        // As for every new file, the umask takes away from it.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    let made = match builder.tempfile_in(folder) {
        Ok(file) if old.as_ref().is_none_or(|old| is_alone(old) && keep(&target, old, file.as_file()).is_ok()) => {
            Some(file)
        }
        Err(error) if old.is_none() => return Err(error),
        _ => None,
    };
    let Some(mut file) = made else {
        return match is_expected() {
            true => overwrite(&target, bytes, Some(spare)).map(|()| true),
            false => Ok(false),
        };
    };
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if !is_expected() {
        return Ok(false);
    }
    file.persist(&target).map_err(|error| error.error)?;
    sync_folder(folder)?;
    Ok(true)
}

/// Writes in place. JSON may be longer by blanks: these come first, so that a full disk is found before anything is
/// overwritten, and the rest is one write.
///
/// # Errors
/// When nothing was changed, but for blanks at the end.
pub fn overwrite(path: &Path, bytes: &[u8], spare: Option<&Path>) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut old = Vec::new();
    file.read_to_end(&mut old)?;
    if let Some(spare) = spare {
        // A name of ours beside a file of others: a link there would lead to another file of the user's.
        let mut copy = open::lock(spare, open::SHARED)?;
        copy.set_len(0)?;
        copy.write_all(bytes).and_then(|()| copy.sync_all())?;
    }
    let longer = bytes.len().saturating_sub(old.len());
    if let Err(error) = file.write_all(&vec![b' '; longer]) {
        let _ = file.set_len(old.len() as u64);
        return Err(error);
    }
    let from = old.iter().zip(bytes).take_while(|(old, new)| old == new).count();
    let mut rest = bytes[from..].to_vec();
    rest.resize(rest.len().max(old.len().saturating_sub(from)), b' ');
    write_at(&file, &rest, from as u64)?;
    file.set_len(bytes.len() as u64)?;
    let synced = file.sync_data();
    if let Some(spare) = spare {
        fs::remove_file(spare)?;
    }
    synced
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(at))?;
    file.write_all(bytes)
}

/// Does no other name lead to it?
#[cfg(unix)]
fn is_alone(old: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(old) <= 1
}

#[cfg(not(unix))]
fn is_alone(_: &Metadata) -> bool {
    true
}

/// Gives a new file the owner, the group, the attributes (an ACL is one) and the mode of the old one.
#[cfg(unix)]
fn keep(path: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let now = new.metadata()?;
    if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
        fchown(new, Some(old.uid()), Some(old.gid()))?;
    }
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    keep_attributes(path, new)?;
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    let _ = path;
    new.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn keep(_: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    new.set_permissions(old.permissions())
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn keep_attributes(path: &Path, new: &File) -> io::Result<()> {
    use rustix::fs::{XattrFlags, fsetxattr, getxattr, listxattr};
    // The kernel's own bounds on the list and on one attribute.
    let (mut names, mut value) = (vec![0_u8; 65536], vec![0_u8; 65536]);
    let Ok(length) = listxattr(path, names.as_mut_slice()) else {
        return Ok(());
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = getxattr(path, name, value.as_mut_slice())?;
        let set = fsetxattr(new, name, &value[..length], XattrFlags::empty());
        // What the system keeps itself, such as a label of SELinux, may not be ours to set; who may read is.
        if name.starts_with(b"system.posix_acl") {
            set?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_place_of_the_copy_is_not_written_through() {
        let dir = tempfile::tempdir().expect("temp dir");
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [("mine", "mine"), ("flags.json", "{}")] {
            fs::write(at(name), text).expect("write");
        }
        // Of two names, so that it is written in place.
        fs::hard_link(at("flags.json"), at("second")).expect("link");
        std::os::unix::fs::symlink(at("mine"), at("flags.json.next")).expect("link");
        let spare = at("flags.json.next");
        let why = replace(&at("flags.json"), b"{ }", None, &spare).expect_err("refused").to_string();
        assert!(why.contains("it is a link"), "{why}");
        let text = |name: &str| fs::read_to_string(at(name)).expect("read");
        assert_eq!((text("mine").as_str(), text("second").as_str()), ("mine", "{}"));
        fs::remove_file(&spare).expect("remove");
        fs::write(&spare, "a longer copy of a crash").expect("write");
        assert!(replace(&at("flags.json"), b"{ }", None, &spare).expect("written"));
        assert_eq!((text("second").as_str(), spare.exists()), ("{ }", false));
    }
}
