//! The rules themselves. Each takes a file and returns findings that name file and line.

use std::collections::{HashMap, HashSet};

use super::source::{Source, Use};

/// The hard limit of a file, in lines.
const LIMIT: usize = 500;

/// The rooms of the engine, from the ground up: each may use those before it, and none behind it.
const ENGINE: &[&str] = &[
    "clock",
    "interrupts",
    "voice",
    "files",
    "change",
    "config",
    "clients",
    "flagstore",
    "session",
    "template",
    "observe",
    "slo",
    "flag",
    "alerts",
    "changes",
    "query",
    "runbook",
    "doctor",
    "init",
    "rollout",
    "incident",
    "status",
    "opening",
    "postmortem",
    "scale",
    "undo",
    "triage",
    "check",
    "document",
    "report",
];

/// The rooms of `src`, from the ground up. `output` knows nothing but the domain.
const SCREEN: &[&str] = &[
    "output", "choice", "context", "gate", "changed", "watch", "person", "globals", "complete", "help", "commands",
    "cli", "usage", "lib", "main",
];

/// What a verb may borrow of another noun: how it draws what both show.
const BORROWED: &[(&str, &str)] = &[
    ("check", "runbook"),
    ("demo", "status"),
    ("flag", "rollout"),
    ("page", "incident"),
    ("report", "slo"),
    ("silence", "alerts"),
    ("status", "incident"),
    ("status", "rollout"),
    ("status", "slo"),
    ("undo", "audit"),
    ("undo", "flag"),
    ("watch", "incident"),
    ("watch", "slo"),
    ("watch", "status"),
];

/// Libraries that know a terminal or a command line: for `src` alone.
const SEEN: [&str; 6] = ["clap", "clap_complete", "comfy_table", "console", "dialoguer", "indicatif"];

/// Libraries that reach out of the process: not for the domain.
const REACHING: [&str; 6] = ["tokio", "reqwest", "redis", "lettre", "rustls", "liveops_engine"];

/// The most that the commands may have of all lines, in percent.
const SHARE_OF_COMMANDS: usize = 27;

/// Half of the files have at most so many lines.
const MEDIAN: usize = 150;

/// Uses of a room that stands higher.
pub(crate) fn imports(source: &Source) -> Vec<String> {
    let rooms = match source.package() {
        "engine" => ENGINE,
        "" if source.path.starts_with("src/") => SCREEN,
        _ => return Vec::new(),
    };
    let Some(room) = source.module().into_iter().next() else {
        return Vec::new();
    };
    let Some(floor) = rooms.iter().position(|name| *name == room) else {
        return vec![format!(
            "{}:1: `{room}` is no room of the architecture; give it its place in the order",
            source.path
        )];
    };
    let forbidden = |used: &Use| {
        let target = used.path.first()?;
        let above = rooms.iter().skip(floor + 1).any(|name| name == target);
        above.then(|| format!("{}:{}: `{room}` uses `{target}`, which stands above it", source.path, used.line))
    };
    source.uses().iter().filter_map(forbidden).collect()
}

/// A crate named where its floor does not know it.
pub(crate) fn libraries(source: &Source) -> Vec<String> {
    let mut forbidden: Vec<&str> = Vec::new();
    match (source.package(), source.path.starts_with("src/output/")) {
        ("domain", _) => forbidden.extend(SEEN.iter().chain(&REACHING)),
        ("engine", _) => forbidden.extend(SEEN),
        ("demo", _) => forbidden.extend(["liveops_domain", "liveops_engine"]),
        (_, true) => forbidden.push("liveops_engine"),
        _ => {}
    }
    let found = source.names(&forbidden);
    found.map(|(name, line)| format!("{}:{line}: `{name}` is not for this floor", source.path)).into_iter().collect()
}

/// Nouns of the commands that use another noun's command, but for what they may borrow.
pub(crate) fn borrowed(source: &Source) -> Vec<String> {
    let module = source.module();
    let [commands, noun, ..] = module.as_slice() else {
        return Vec::new();
    };
    if source.package() != "" || commands != "commands" {
        return Vec::new();
    }
    let other = |used: &Use| match used.path.as_slice() {
        [first, other, ..] if first == "commands" && other != noun => Some((other.clone(), used.line)),
        _ => None,
    };
    let uses = source.uses();
    let found = uses.iter().filter_map(other).filter(|(other, _)| !BORROWED.contains(&(noun.as_str(), other.as_str())));
    found.map(|(other, line)| format!("{}:{line}: `{noun}` uses a command of `{other}`", source.path)).collect()
}

/// How much of all lines the commands have, and how long the middle file is.
pub(crate) fn proportions(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let all: usize = sources.iter().map(lines).sum();
    let commands: usize = sources.iter().filter(|source| source.path.starts_with("src/commands/")).map(lines).sum();
    let mut sizes: Vec<usize> = sources.iter().map(lines).collect();
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    let mut findings = Vec::new();
    if commands * 100 > all * SHARE_OF_COMMANDS {
        findings.push(format!("src/commands has {commands} of {all} lines, more than {SHARE_OF_COMMANDS} %"));
    }
    if median > MEDIAN {
        findings.push(format!("the middle file has {median} lines, more than {MEDIAN}"));
    }
    findings
}

/// A file over the limit.
pub(crate) fn length(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > LIMIT).then(|| format!("{}:{lines}: {lines} lines, the limit is {LIMIT}", source.path))
}

/// A file that does not open with `//!`.
pub(crate) fn opening(source: &Source) -> Option<String> {
    let first = source.text.lines().next().unwrap_or_default();
    let said = first.strip_prefix("//!").is_some_and(|text| !text.trim().is_empty());
    (!said).then(|| format!("{}:1: opens with `{first}`", source.path))
}

/// A runtime entered outside `src/main.rs`; tests that need several threads enter one in each.
pub(crate) fn block_on(source: &Source) -> Vec<String> {
    if source.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let place = |line: usize| format!("{}:{line}: `block_on`", source.path);
    let found = source.tokens.iter().filter(|token| token.text == "block_on").map(|token| token.line);
    if source.path == "src/main.rs" {
        // The first is the one that is meant.
        return found.skip(1).map(place).collect();
    }
    found.map(place).collect()
}

/// `#[ignore]`, with or without a reason.
pub(crate) fn ignored(source: &Source) -> Vec<String> {
    let attribute = |window: &&[super::source::Token]| matches!(window, [a, b, c] if a.text == "#" && b.text == "[" && c.text == "ignore");
    source
        .tokens
        .windows(3)
        .filter(attribute)
        .map(|window| format!("{}:{}: `#[ignore]`", source.path, window[0].line))
        .collect()
}

/// Files that no module declares.
pub(crate) fn undeclared(sources: &[Source]) -> Vec<String> {
    let declared: HashSet<String> = sources.iter().flat_map(declarations).collect();
    sources
        .iter()
        .filter(|source| !is_root(&source.path) && !declared.contains(&source.path))
        .map(|source| format!("{}:1: no `mod` declares it", source.path))
        .collect()
}

/// `src/lib.rs`, `src/main.rs` (also below `crates/NAME`), `tests/NAME.rs`, `tests/NAME/main.rs`: cargo finds these by itself.
fn is_root(path: &str) -> bool {
    let path = path.strip_prefix("crates/").and_then(|rest| rest.split_once('/')).map_or(path, |(_, inner)| inner);
    let parts: Vec<_> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        ["src", "lib.rs" | "main.rs"] | ["src", "bin", ..] | ["examples", _] | ["tests", _] | ["tests", _, "main.rs"]
    )
}

/// The files that the `mod name;` of this file may mean, `#[path = "…"]` included.
fn declarations(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let below = match file {
        "mod.rs" | "main.rs" | "lib.rs" => folder.to_owned(),
        _ if is_root(&source.path) => folder.to_owned(),
        name => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    let mut files = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        if token.text == "mod" && source.text_at(at + 2) == ";" {
            let name = source.text_at(at + 1);
            files.extend([format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")]);
        }
    }
    // Literals are no tokens; a path attribute is a line of its own.
    for line in source.text.lines() {
        let path = line.trim().strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]"));
        files.extend(path.map(|path| join(folder, path)));
    }
    files
}

/// `folder/path` with `..` resolved.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Functions, constants and statics that are `pub` and that no other file names: `pub` hides from the compiler that they
/// are dead, or private. Types may stand in a signature alone, so they are left out.
pub(crate) fn unnamed(shipped: &[Source], all: &[Source]) -> Vec<String> {
    let mut users: HashMap<&str, HashSet<&str>> = HashMap::new();
    for source in all {
        for token in &source.tokens {
            users.entry(&token.text).or_default().insert(&source.path);
        }
    }
    let mut findings = Vec::new();
    for source in shipped {
        for (at, token) in source.tokens.iter().enumerate().filter(|(_, token)| token.text == "pub") {
            let ahead = source.tokens[at + 1..].iter().take(4).map(|token| token.text.as_str());
            let mut words = ahead.skip_while(|word| matches!(*word, "async" | "const"));
            let name = match (source.text_at(at + 1), words.next(), words.next()) {
                (_, Some("fn" | "static"), Some(name)) => name,
                ("const", Some(name), _) => name,
                _ => continue,
            };
            if users.get(name).is_some_and(|files| files.len() < 2) {
                findings.push(format!("{}:{}: no other file names `{name}`", source.path, token.line));
            }
        }
    }
    findings
}

/// Calls that open a file by its path, and would follow a link that somebody put there.
const OPENING: [&str; 7] = [
    "fs::read(",
    "fs::read_to_string(",
    "fs::write(",
    "fs::copy(",
    "File::create(",
    "File::open(",
    "OpenOptions::new(",
];

/// Files that may: the door itself, what the person named, what the system made, and the demo's own folder.
const MAY_OPEN: [&str; 12] = [
    "crates/engine/src/files/open.rs",
    "crates/engine/src/files/replace.rs",
    "crates/engine/src/files/file.rs",
    "crates/engine/src/config/environment.rs",
    "crates/engine/src/config/layers.rs",
    "crates/engine/src/config/secret.rs",
    "crates/engine/src/clients/redis/wire.rs",
    "crates/engine/src/flag/users/input.rs",
    "src/commands/flag/import.rs",
    "src/commands/man.rs",
    "src/commands/demo/mod.rs",
    "src/commands/demo/flags.rs",
];

/// Files that are opened elsewhere than in `files/open.rs`.
pub(crate) fn opened(source: &Source) -> Vec<String> {
    if !["", "engine"].contains(&source.package()) || MAY_OPEN.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let shipped = source.text.lines().take_while(|line| *line != "mod tests {");
    let found = shipped.enumerate().filter(|(_, line)| OPENING.iter().any(|call| line.contains(call)));
    found.map(|(at, line)| format!("{}:{}: `{}`", source.path, at + 1, line.trim())).collect()
}

/// Advisories that are left out in `deny.toml` without a reason, or without an end.
pub(crate) fn excused(text: &str) -> Vec<String> {
    let section = text.split("[advisories]").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let has_end = |line: &str| {
        let end = line.split("until ").nth(1).and_then(|rest| rest.get(..10));
        end.is_some_and(|end| chrono::NaiveDate::parse_from_str(end, "%Y-%m-%d").is_ok())
    };
    let lines = section.lines().filter(|line| !line.trim_start().starts_with('#') && line.contains("RUSTSEC-"));
    lines.filter(|line| !line.contains("reason") || !has_end(line)).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.to_owned(), text.to_owned())
    }

    #[test]
    fn a_use_of_what_stands_above_is_found_with_its_line() {
        let cases = [
            (
                "crates/engine/src/clients/redis.rs",
                "use crate::session::Session;",
                "redis.rs:1: `clients` uses `session`",
            ),
            ("crates/engine/src/observe/mod.rs", "//! x\nuse super::status;", "mod.rs:2: `observe` uses `status`"),
            ("crates/engine/src/helpers.rs", "", "helpers.rs:1: `helpers` is no room"),
            ("src/output/table.rs", "use crate::context::Context;", "table.rs:1: `output` uses `context`"),
            ("src/commands/man.rs", "fn f() { crate::lib::command() }", "man.rs:1: `commands` uses `lib`"),
        ];
        for (path, text, finding) in cases {
            let found = imports(&source(path, text));
            assert_eq!(found.len(), 1, "{path}: {found:?}");
            assert!(found[0].contains(finding), "{}", found[0]);
        }
        for (path, text) in [
            ("crates/engine/src/triage/facts.rs", "use crate::status::gather; use super::scheduler;"),
            ("crates/engine/src/lib.rs", "pub mod triage;"),
            ("crates/domain/src/metric/kpi.rs", "use crate::text::duration;"),
            ("src/main.rs", "use crate::commands;"),
        ] {
            assert_eq!(imports(&source(path, text)), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_library_of_another_floor_is_found() {
        for (path, text) in [
            ("crates/domain/src/a.rs", "use tokio::time;"),
            ("crates/engine/src/a.rs", "#[derive(clap::Args)] struct A;"),
            ("crates/demo/src/a.rs", "use liveops_domain::x;"),
            ("src/output/a.rs", "use liveops_engine::session::Session;"),
        ] {
            assert_eq!(libraries(&source(path, text)).len(), 1, "{path}");
        }
        for (path, text) in [
            ("crates/engine/src/a.rs", "use tokio::time; // clap"),
            ("src/commands/a.rs", "use liveops_engine::x; use clap::Args;"),
        ] {
            assert_eq!(libraries(&source(path, text)), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_noun_that_uses_another_nouns_command_is_found() {
        let found = borrowed(&source("src/commands/flag/set.rs", "use crate::commands::alerts::list;"));
        assert_eq!(found, ["src/commands/flag/set.rs:1: `flag` uses a command of `alerts`"]);
        let own =
            source("src/commands/flag/set.rs", "use crate::commands::flag::get; use crate::commands::rollout::x;");
        assert_eq!(borrowed(&own), Vec::<String>::new());
        assert_eq!(borrowed(&source("src/main.rs", "use crate::commands::flag;")), Vec::<String>::new());
    }

    #[test]
    fn proportions_are_held() {
        let lines = |count: usize| "x\n".repeat(count);
        let fat = [source("src/commands/a.rs", &lines(40)), source("crates/engine/src/a.rs", &lines(60))];
        assert_eq!(proportions(&fat), ["src/commands has 40 of 100 lines, more than 27 %"]);
        let long = [source("crates/engine/src/a.rs", &lines(300)), source("crates/engine/src/b.rs", &lines(200))];
        assert_eq!(proportions(&long), ["the middle file has 300 lines, more than 150"]);
        let fine = [source("src/commands/a.rs", &lines(20)), source("crates/engine/src/a.rs", &lines(80))];
        assert_eq!(proportions(&fine), Vec::<String>::new());
    }

    #[test]
    fn length_opening_block_on_and_ignore_are_found() {
        let long = format!("//! x\n{}", "\n".repeat(LIMIT));
        assert!(length(&source("src/a.rs", &long)).is_some());
        assert!(length(&source("src/a.rs", "//! x\n")).is_none());
        assert!(opening(&source("src/a.rs", "use std::fs;")).is_some());
        assert!(opening(&source("src/a.rs", "//!\n")).is_some());
        assert!(opening(&source("src/a.rs", "//! What.\n")).is_none());
        assert_eq!(block_on(&source("src/a.rs", "\nx.block_on(y)")), ["src/a.rs:2: `block_on`"]);
        assert!(block_on(&source("src/main.rs", "x.block_on(y)")).is_empty());
        assert_eq!(ignored(&source("tests/a.rs", "#[test]\n#[ignore = \"slow\"]")), ["tests/a.rs:2: `#[ignore]`"]);
        assert!(ignored(&source("tests/a.rs", "\"#[ignore]\" // #[ignore]")).is_empty());
    }

    #[test]
    fn what_only_its_own_file_names_is_found() {
        let text = "pub fn used() {}\npub const fn unused() {}\npub const ALONE: u8 = 1;\npub(crate) fn inner() {}\npub struct Part;";
        let sources = [source("src/a.rs", text), source("src/b.rs", "a::used()")];
        let found = unnamed(&sources, &sources);
        assert_eq!(found, ["src/a.rs:2: no other file names `unused`", "src/a.rs:3: no other file names `ALONE`"]);
    }

    #[test]
    fn a_file_without_declaration_is_found() {
        let sources = [
            source("src/main.rs", "mod domain; mod error;"),
            source("src/error.rs", ""),
            source("src/domain/mod.rs", "pub(crate) mod kpi;"),
            source("crates/engine/src/lib.rs", "pub mod clock;"),
            source("crates/engine/src/clock.rs", ""),
            source("src/domain/kpi.rs", "mod window;"),
            source("src/domain/kpi/window.rs", ""),
            source("src/domain/lost.rs", ""),
            source("tests/cli/main.rs", "#[path = \"../support/mod.rs\"]\nmod support;\nmod status;"),
            source("tests/cli/status.rs", ""),
            source("tests/cli/silence.rs", ""),
            source("tests/support/mod.rs", ""),
        ];
        assert_eq!(
            undeclared(&sources),
            ["src/domain/lost.rs:1: no `mod` declares it", "tests/cli/silence.rs:1: no `mod` declares it",]
        );
    }
}
