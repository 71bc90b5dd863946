//! Libraries in C that are loaded into a run, to do to it what the world does.

use std::path::PathBuf;
use std::process::Command;

/// The library of this source in `tests/support`, compiled by the C compiler that links Rust.
///
/// # Panics
/// When it does not compile.
#[allow(clippy::disallowed_methods, reason = "a test compiles its tool")]
pub(crate) fn library(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = format!("{}/tests/support/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let made = folder.join(format!("{name}-{}.so", std::process::id()));
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&made)
        .args([source.as_str(), "-ldl"])
        .output()
        .expect("`cc` is there: Rust links with it");
    assert!(output.status.success(), "{output:?}");
    let path = folder.join(format!("{name}.so"));
    std::fs::rename(&made, &path).expect("the folder of the tests is writable");
    path
}
