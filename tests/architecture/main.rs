//! The architecture as a test: imports go one way, files stay small, rooms say what they are for.
//! Reads the source as text, so that it holds for code behind every feature and on every platform.

mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// Every Rust file below `folder` of the crate, by path.
fn files(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths);
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a source file is readable UTF-8");
            let name = path.strip_prefix(root).expect("it was found below the root");
            Source::new(name.to_string_lossy().replace('\\', "/"), text)
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a folder of the crate can be listed").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Fails with every finding, not only the first.
#[track_caller]
fn report(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

fn all() -> Vec<Source> {
    let mut all = files("src");
    all.extend(files("tests"));
    all
}

#[test]
fn imports_go_one_way() {
    let sources = files("src");
    assert!(!sources.is_empty(), "the test finds the source");
    let findings: Vec<_> = sources.iter().flat_map(rules::imports).collect();
    report("imports go one way (the table is in tests/architecture/rules.rs)", &findings);
}

#[test]
fn no_file_is_longer_than_the_limit() {
    let findings: Vec<_> = all().iter().filter_map(rules::length).collect();
    report("a file has one responsibility and is split at about 300 lines", &findings);
}

#[test]
fn every_module_says_what_it_is_for() {
    let findings: Vec<_> = all().iter().filter_map(rules::opening).collect();
    report("a module opens with `//!`: its one responsibility and its constraint", &findings);
}

#[test]
fn there_is_one_block_on() {
    let findings: Vec<_> = files("src").iter().flat_map(rules::block_on).collect();
    report("the runtime is made and entered once, in src/lib.rs", &findings);
}

#[test]
fn no_test_is_ignored() {
    let findings: Vec<_> = all().iter().flat_map(rules::ignored).collect();
    report("a test runs, or it is deleted", &findings);
}

#[test]
fn every_file_is_part_of_a_crate() {
    let findings = rules::undeclared(&all());
    report("a file that no `mod` declares is never compiled", &findings);
}
