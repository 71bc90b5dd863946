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

/// What is shipped: the three floors, and the demo.
fn shipped() -> Vec<Source> {
    let mut sources = files("src");
    sources.extend(files("crates"));
    assert!(sources.len() > 500, "the test finds the source");
    sources
}

fn all() -> Vec<Source> {
    let mut all = shipped();
    all.extend(files("tests"));
    all
}

#[test]
fn imports_go_one_way() {
    let findings: Vec<_> = shipped().iter().flat_map(rules::imports).collect();
    report("a room uses those below it (the order is in tests/architecture/rules.rs)", &findings);
}

#[test]
fn a_floor_knows_only_its_own_libraries() {
    let findings: Vec<_> = shipped().iter().flat_map(rules::libraries).collect();
    report("the domain reaches nothing, the engine sees no terminal", &findings);
}

#[test]
fn no_noun_uses_the_commands_of_another() {
    let findings: Vec<_> = shipped().iter().flat_map(rules::borrowed).collect();
    report(
        "what two nouns need is an operation of the engine, or a view (BORROWED in tests/architecture/rules.rs)",
        &findings,
    );
}

#[test]
fn the_commands_are_thin_and_files_are_short() {
    report("the house keeps its proportions", &rules::proportions(&shipped()));
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
    let findings: Vec<_> = shipped().iter().flat_map(rules::block_on).collect();
    report("the runtime is made and entered once, in src/main.rs", &findings);
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

#[test]
fn what_is_public_is_used_elsewhere() {
    let mut readers = all();
    readers.extend(files("fuzz"));
    report("`pub` is for other files; make it private, or remove it", &rules::unnamed(&shipped(), &readers));
}

#[test]
fn files_are_opened_at_one_door() {
    let findings: Vec<_> =
        shipped().iter().filter(|source| !source.path.ends_with("tests.rs")).flat_map(rules::opened).collect();
    report("files are opened by crates/engine/src/files/open.rs, which follows no link", &findings);
}

#[test]
fn each_exception_of_the_advisories_has_a_reason_and_an_end() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).expect("it is there");
    report("`reason` ends with `until YYYY-MM-DD`", &rules::excused(&text));
    let told = |line: &str| rules::excused(&format!("[advisories]\nignore = [\n{line}\n]\n[bans]\n")).len();
    assert_eq!(told("{ id = \"RUSTSEC-2024-0001\", reason = \"x; until 2027-03-31\" },"), 0);
    assert_eq!(told("{ id = \"RUSTSEC-2024-0001\", reason = \"x\" },"), 1);
    assert_eq!(told("\"RUSTSEC-2024-0001\","), 1);
}
