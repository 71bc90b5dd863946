//! Small files written so that a crash, or a second writer, never leaves half of one.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::{fs, io};

use crate::files;
use crate::files::replace::behind_links;
use liveops_domain::error::{Error, Result};

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
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// As [`write_private`], for what may be lost: no fsync.
pub fn write_cache(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    private_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
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
    let target = behind_links(path);
    let folder = folder_of(&target);
    fs::create_dir_all(folder).map_err(io)?;
    if replace || target.exists() {
        let spare = target.with_added_extension("next");
        return files::replace::replace(path, text.as_bytes(), None, &spare).map(|_| ()).map_err(io);
    }
    let mut builder = tempfile::Builder::new();
    // Shared with the team, and without secrets: as readable as any file of a project.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.prefix(".liveops").tempfile_in(folder).map_err(io)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    match file.persist_noclobber(&target) {
        Ok(_) => sync_folder(folder).map_err(io),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Err(Error::Refused {
            why: format!("{} was written by somebody else just now", path.display()),
            hint: "look at it; `--force` overwrites it".into(),
        }),
        Err(error) => Err(io(error.error)),
    }
}

/// The folder of a file; that of a bare name is the one that we are in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes a rename or a new file in the folder survive a power cut.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
