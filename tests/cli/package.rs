//! What `scripts/package` and cargo-deb's metadata put into packages is in the tree, before anybody builds a release.

use std::fs;
use std::path::Path;

const CARGO: &str = include_str!("../../Cargo.toml");
const SCRIPT: &str = include_str!("../../scripts/package");

/// The text between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("`{start}` is not there"));
    rest.split_once(end).unwrap_or_else(|| panic!("`{end}` does not follow `{start}`")).0
}

/// Whether a path of the tree exists; of `folder/*.end`, whether any file has that end.
fn exists(path: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match path.split_once('*') {
        Some((folder, end)) => fs::read_dir(root.join(folder))
            .is_ok_and(|mut entries| entries.any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(end))),
        None => root.join(path).exists(),
    }
}

#[test]
fn the_archive_is_made_of_files_that_exist() {
    let listed: Vec<&str> = between(SCRIPT, "\nfiles=(", ")").split_whitespace().collect();
    for path in ["completions", "man", "LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
        assert!(listed.contains(&path), "{path} is not in the archive");
    }
    let missing: Vec<_> = listed.into_iter().filter(|path| !exists(path)).collect();
    assert!(missing.is_empty(), "scripts/package lists what is not there: {missing:?}");
}

#[test]
fn the_debian_package_is_made_of_files_that_exist() {
    let assets: Vec<Vec<&str>> = between(CARGO, "\nassets = [\n", "\n]")
        .lines()
        .map(|line| line.split('"').skip(1).step_by(2).collect())
        .collect();
    let missing: Vec<_> =
        assets.iter().map(|asset| asset[0]).filter(|path| !path.starts_with("target/") && !exists(path)).collect();
    assert!(missing.is_empty(), "Cargo.toml lists what is not there: {missing:?}");
    for (path, place) in [
        ("completions/liveops.bash", "usr/share/bash-completion/completions/liveops"),
        ("completions/_liveops", "usr/share/zsh/vendor-completions/"),
        ("completions/liveops.fish", "usr/share/fish/vendor_completions.d/"),
        ("man/*.1", "usr/share/man/man1/"),
    ] {
        assert!(assets.iter().any(|asset| asset[..2] == [path, place]), "{path} does not go to {place}");
    }
}

/// cargo-deb reads them from where `scripts/package` writes them.
#[test]
fn what_the_script_writes_is_what_the_metadata_names() {
    let written: Vec<&str> = CARGO.split('"').filter(|word| word.starts_with("target/package/")).collect();
    assert_eq!(written, ["target/package/parts/changelog", "target/package/parts/THIRD-PARTY-LICENSES"]);
    for path in written {
        let name = path.rsplit('/').next().unwrap_or_default();
        assert!(SCRIPT.contains(&format!(">\"$parts/{name}\"")), "scripts/package does not write {path}");
    }
}
