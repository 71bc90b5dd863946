//! Small files written so that a crash, or a second writer, never leaves half of one.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use crate::files;
use crate::files::durable::{sync, sync_folder};
use crate::files::open::refuse_link;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::secret::mask_bytes;

/// How old a temporary file is that nobody writes any more.
const LEFT_OVER: Duration = Duration::from_secs(24 * 3600);

/// Creates a folder that only its owner can enter.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a file as a whole, readable only by its owner: temporary file, fsync, rename, fsync of the folder.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    private_folder(folder)?;
    // `NamedTempFile` creates with 0600.
    sweep(folder);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&mask_bytes(bytes))?;
    sync(file.as_file())?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// As [`write_private`], for what may be lost: no fsync.
pub fn write_cache(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    private_folder(folder)?;
    sweep(folder);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&mask_bytes(bytes))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes a file of the project as a whole, readable by all: a temporary one beside it, synced, then renamed. Without
/// `replace`, a file that somebody else wrote in the meantime stays.
///
/// # Errors
/// `Io`; `Refused` when somebody else wrote one in the meantime.
pub fn write_shared(path: &Path, text: &str, replace: bool) -> Result<()> {
    let io = |source| Error::Io { action: "write", path: path.to_owned(), source };
    refuse_link(path).map_err(io)?;
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(io)?;
    if replace || path.exists() {
        let mut spare = path.as_os_str().to_owned();
        spare.push(".next");
        return files::replace::replace(path, &mask_bytes(text.as_bytes()), None, Path::new(&spare))
            .map(|_| ())
            .map_err(io);
    }
    let mut builder = tempfile::Builder::new();
    // Shared with the team, and without secrets: as readable as any file of a project.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.prefix(".liveops").tempfile_in(folder).map_err(io)?;
    file.write_all(&mask_bytes(text.as_bytes())).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_folder(folder).map_err(io),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Err(Error::Refused {
            why: format!("{} was written by somebody else just now", path.display()),
            hint: "look at it; `--force` overwrites it".into(),
        }),
        Err(error) => Err(io(error.error)),
    }
}

/// Replaces a file of the project that holds this text, with its owner, mode and links as they are.
///
/// # Errors
/// `Io`; `Refused` when somebody else wrote it in the meantime.
pub fn update_shared(path: &Path, old: &str, new: &str) -> Result<()> {
    let io = |source| Error::Io { action: "write", path: path.to_owned(), source };
    refuse_link(path).map_err(io)?;
    let mut spare = path.as_os_str().to_owned();
    spare.push(".next");
    let new = mask_bytes(new.as_bytes());
    match files::replace::replace(path, &new, Some(old.as_bytes()), Path::new(&spare)).map_err(io)? {
        true => Ok(()),
        false => Err(Error::Refused {
            why: format!("{} was written by somebody else just now; nothing was written", path.display()),
            hint: "run the command again".into(),
        }),
    }
}

/// A file's name that says this text, whatever is in it: what a name may not hold is `%2f`.
pub fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    // `.` within a name is one, `..` is none.
    let is_dot = |at: usize, byte: u8| byte == b'.' && at > 0;
    let byte = |(at, byte): (usize, u8)| match is_plain(byte) || is_dot(at, byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    };
    text.bytes().enumerate().map(byte).collect()
}

/// The folder of a file; that of a bare name is the one that we are in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A temporary file that somebody was killed over, and that will never get its name, goes when it is a day old.
pub fn sweep(folder: &Path) {
    let is_ours = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(".tmp").or(name.strip_prefix(".liveops")));
        name.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let is_old = |entry: &fs::DirEntry| {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        age.is_some_and(|age| age > LEFT_OVER) && entry.file_type().is_ok_and(|kind| kind.is_file())
    };
    // By name first: a folder may hold thousands of files, and each age is a call.
    let is_left = |entry: &fs::DirEntry| is_ours(entry) && is_old(entry);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(is_left) {
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn every_text_is_a_name_and_no_two_are_the_same() {
        for (text, want) in [
            ("prod", "prod"),
            ("eu.west-1_a", "eu.west-1_a"),
            ("x/../../evil", "x%2f..%2f..%2fevil"),
            ("..", "%2e."),
            (".hidden", "%2ehidden"),
            ("a%2fb", "a%252fb"),
            ("é", "%c3%a9"),
        ] {
            assert_eq!(encoded(text), want);
        }
    }

    #[test]
    fn left_over_temporary_files_go_and_others_stay() {
        let dir = tempfile::tempdir().expect("temp dir");
        let old = SystemTime::now() - LEFT_OVER * 2;
        for (name, age) in
            [(".tmpAbc123", Some(old)), (".liveopsAbc123", Some(old)), (".tmpNew123", None), (".tmp-mine", Some(old))]
        {
            let file = fs::File::create(dir.path().join(name)).expect("create");
            age.map(|at| file.set_modified(at)).transpose().expect("set");
        }
        sweep(dir.path());
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).expect("read").map(|one| one.expect("one").file_name()).collect();
        left.sort();
        assert_eq!(left, [".tmp-mine", ".tmpNew123"]);
    }
}
