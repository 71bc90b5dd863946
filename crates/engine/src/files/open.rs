//! How files that liveops owns are opened: by their folder's handle, never through a link, never a pipe or a device,
//! and nothing is truncated. In a folder that somebody else wrote, any name may be a link to a file of the user's.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Read,
    /// Read and append; made when it is not there, with these permissions before the umask.
    Append(u32),
    /// Write a file that must not be there yet.
    New(u32),
    /// Hold a lock; made as for appending, and never written to.
    Lock(u32),
}

/// Only its owner may read it.
pub const PRIVATE: u32 = 0o600;

/// As readable as the umask lets it.
pub const SHARED: u32 = 0o666;

/// The content of a file of ours.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    whole(open(path)?)
}

/// The content of a file that people may have made a link of: the flags, a template, a runbook. A pipe or a device is
/// none.
pub fn read_through(path: &Path) -> io::Result<Vec<u8>> {
    read(&path.canonicalize()?)
}

/// As [`read_through`], as text.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_through(path)?).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// A file of ours, to be read.
pub fn open(path: &Path) -> io::Result<File> {
    open_for(path, Purpose::Read)
}

/// A file of ours, to be read and appended to.
pub fn append(path: &Path, mode: u32) -> io::Result<File> {
    open_for(path, Purpose::Append(mode))
}

/// A file that is not there yet.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    open_for(path, Purpose::New(mode))
}

/// A file of ours that is there to be locked.
pub fn lock(path: &Path, mode: u32) -> io::Result<File> {
    open_for(path, Purpose::Lock(mode))
}

/// A folder of ours that is there to be locked as long as it is held.
#[cfg(unix)]
pub fn lock_folder(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(CWD, path, flags, Mode::empty())?))
}

/// A folder of ours that is there to be locked as long as it is held.
#[cfg(not(unix))]
pub fn lock_folder(path: &Path) -> io::Result<File> {
    refuse_link(path)?;
    File::open(path)
}

/// A folder, to wait until what was done in it survives a power cut: nothing is read from it.
pub fn folder(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Is it a file, and no link to one?
pub fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_file())
}

/// Refuses to write where a link stands.
pub fn refuse_link(path: &Path) -> io::Result<()> {
    if path.is_symlink() { Err(link()) } else { Ok(()) }
}

fn whole(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn link() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is a link, and liveops follows none here; put the file itself there")
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
}

#[cfg(unix)]
fn open_for(path: &Path, purpose: Purpose) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use rustix::io::Errno;
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it has no name"))?;
    let folder = openat(CWD, super::file::folder_of(path), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let (flags, mode) = match purpose {
        Purpose::Read => (OFlags::RDONLY, 0),
        Purpose::Append(mode) => (OFlags::RDWR | OFlags::APPEND | OFlags::CREATE, mode),
        Purpose::New(mode) => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, mode),
        Purpose::Lock(mode) => (OFlags::RDWR | OFlags::CREATE, mode),
    };
    // Not blocking: a pipe that nobody writes to would hold us for ever. For files it means nothing.
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(&folder, name, flags, Mode::from_raw_mode(mode as _)) {
        Ok(file) => regular(File::from(file)),
        Err(Errno::LOOP | Errno::MLINK) => Err(link()),
        Err(Errno::NXIO) => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn open_for(path: &Path, purpose: Purpose) -> io::Result<File> {
    refuse_link(path)?;
    let mut options = std::fs::OpenOptions::new();
    let options = match purpose {
        Purpose::Read => options.read(true),
        Purpose::Append(_) => options.read(true).append(true).create(true),
        Purpose::New(_) => options.write(true).create_new(true),
        Purpose::Lock(_) => options.read(true).write(true).create(true).truncate(false),
    };
    regular(options.open(path)?)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_is_followed_and_nothing_is_truncated() {
        let dir = tempfile::tempdir().expect("temp dir");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("mine"), "mine").expect("write");
        symlink(at("mine"), at("link")).expect("link");
        symlink(at("nowhere"), at("dangling")).expect("link");
        for name in ["link", "dangling"] {
            for done in [open(&at(name)), append(&at(name), PRIVATE), lock(&at(name), PRIVATE)] {
                let why = done.expect_err(name).to_string();
                assert!(why.contains("it is a link"), "{name}: {why}");
            }
        }
        assert!(!at("nowhere").exists());
        assert_eq!(read_through(&at("link")).expect("read"), b"mine");
        lock(&at("mine"), PRIVATE).expect("lock");
        append(&at("mine"), PRIVATE).expect("append");
        assert_eq!(read(&at("mine")).expect("read"), b"mine");
        assert!(is_file(&at("mine")) && !is_file(&at("link")));
        assert!(refuse_link(&at("mine")).is_ok() && refuse_link(&at("dangling")).is_err());
    }

    #[test]
    fn pipes_and_devices_are_no_files() {
        let dir = tempfile::tempdir().expect("temp dir");
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("a pipe");
        let zero = dir.path().join("zero");
        symlink("/dev/zero", &zero).expect("link");
        for path in [&pipe, &zero] {
            for done in [open(path), append(path, PRIVATE), lock(path, PRIVATE)] {
                done.expect_err("refused");
            }
            read_through(path).expect_err("refused");
        }
    }
}
