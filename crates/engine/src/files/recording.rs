//! What a screen showed, a JSON object a line: appended as it is seen, read back whole.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::files::open::{self, PRIVATE};
use liveops_domain::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A recording is not read beyond this size.
const LIMIT: u64 = 256 * 1024 * 1024;

/// A recording that is being written.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: File,
}

impl Recording {
    /// Begins a new file.
    ///
    /// # Errors
    /// `Usage` where the file exists: an earlier recording is never overwritten.
    pub fn begin(path: &Path) -> Result<Self> {
        let file = open::create_new(path, PRIVATE).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => Error::usage(
                format!("`{}` exists", path.display()),
                "name a new file; a recording is never overwritten",
            ),
            _ => Error::Io { action: "write", path: path.to_owned(), source },
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds an object, in one write.
    pub fn append<T: Serialize>(&mut self, object: &T) -> Result<()> {
        let mut line = serde_json::to_vec(object).map_err(|error| Error::internal(&error.to_string()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|source| Error::Io { action: "write", path: self.path.clone(), source })
    }
}

/// The objects of a recording. A last line without its end is what was being written when the recorder died: it is left
/// out.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > LIMIT {
        return Err(Error::usage(format!("`{}` is larger than 256 MiB", path.display()), "replay a shorter recording"));
    }
    let text = String::from_utf8_lossy(&open::read_through(path).map_err(io)?).into_owned();
    let mut objects = Vec::new();
    for (at, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str(line) {
            Ok(object) => objects.push(object),
            Err(_) if !line.ends_with('\n') => {}
            Err(error) => {
                let what = format!("`{}`, line {}: not a recording: {error}", path.display(), at + 1);
                return Err(Error::usage(what, "`liveops watch --record FILE` makes one"));
            }
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_being_written_at_the_end_is_left_out() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("seen.jsonl");
        let mut recording = Recording::begin(&path).expect("a new file");
        for n in 0..3 {
            recording.append(&n).expect("written");
        }
        assert_eq!(read::<u8>(&path).expect("read"), [0, 1, 2]);
        std::fs::write(&path, "0\n1\n{\"a").expect("torn");
        assert_eq!(read::<u8>(&path).expect("read"), [0, 1]);
        std::fs::write(&path, "0\nx\n1\n").expect("broken");
        assert!(read::<u8>(&path).is_err_and(|error| error.to_string().contains('2')));
        assert!(Recording::begin(&path).is_err(), "nothing is overwritten");
    }
}
