//! kill -9 at the k-th change of the file system of a run, for every k: a library that is loaded into the process stops
//! it there, in the middle of the write where it is one.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::preload::library;

/// More changes than this in one run are a loop.
const MOST: usize = 2_000;

/// Calls `each` with the environment of a run that dies at its first, second, … change, until one lives: `each` says
/// whether it did. Returns how often one died.
///
/// # Panics
/// When no run ever lives, or when the first one does: then nothing was killed, and nothing proven.
#[track_caller]
pub(crate) fn kill_everywhere(mut each: impl FnMut(&[(&str, String)]) -> bool) -> usize {
    for at in 1..MOST {
        let vars = [("LD_PRELOAD", shim().display().to_string()), ("KILL_AT", at.to_string())];
        if each(&vars) {
            assert!(at > 1, "no change of the file system was seen");
            return at - 1;
        }
    }
    panic!("{MOST} changes of the file system, and no end");
}

/// Compiled once a test process.
fn shim() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| library("killer"))
}
