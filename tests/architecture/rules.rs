//! The rules themselves. Each takes a file and returns findings that name file and line.

use std::collections::HashSet;

use super::source::{Source, Use};

/// The hard limit of a file, in lines.
const LIMIT: usize = 500;

/// What a room may use of ours: its own files and those named. `*` is everything.
/// The order is the direction: what stands lower may use what stands higher, never the other way.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("demo", &[]),
    ("error", &["domain"]),
    ("output", &["error"]),
    // Of `output` only what the environment says about the terminal; of `stores` only how a private file is written.
    ("config", &["domain", "error", "output", "stores"]),
    // Of `change` only the token, see `TOKEN`.
    ("clients", &["domain", "error", "change"]),
    // A store of flags is a client of Redis; and of `change` only the token.
    ("stores", &["domain", "error", "clients", "change"]),
    // Of `cli` the global flags, which it is made from.
    ("context", &["cli", "domain", "error", "output", "config", "stores", "clients"]),
    ("change", &["domain", "error", "output", "stores", "context"]),
    ("commands", &["*"]),
    ("cli", &["*"]),
    ("fuzzing", &["*"]),
    ("lib", &["*"]),
    ("main", &["*"]),
];

/// The rooms that may use of `change` only one name: proof that a change was confirmed.
const TOKEN_ROOMS: [&str; 2] = ["clients", "stores"];
/// That name.
const TOKEN: [&str; 2] = ["change", "Confirmed"];

/// Uses that the table does not allow.
pub(crate) fn imports(source: &Source) -> Vec<String> {
    let room = room(source);
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{}:1: `{room}` is no room of the architecture; put the file into one, or give the room a rule",
            source.path
        )];
    };
    let forbidden = |used: &Use| {
        let target = used.path.first()?.as_str();
        let known = ROOMS.iter().any(|(name, _)| *name == target);
        let fine = !known || target == room || allowed.contains(&"*") || allowed.contains(&target);
        if fine && !(TOKEN_ROOMS.contains(&room) && target == TOKEN[0] && used.path != TOKEN) {
            return None;
        }
        let (path, line, used) = (&source.path, used.line, used.path.join("::"));
        let may = match allowed {
            [] => "nothing else of ours".to_owned(),
            names => format!("only {}", names.join(", ")),
        };
        let except = if TOKEN_ROOMS.contains(&room) { " (of change only `Confirmed`)" } else { "" };
        Some(format!("{path}:{line}: `{room}` uses `crate::{used}`; it may use {may}{except}"))
    };
    source.uses().iter().filter_map(forbidden).collect()
}

/// The room that a file of `src` belongs to: its first folder, or its own name.
fn room(source: &Source) -> &str {
    let inner = source.path.strip_prefix("src/").unwrap_or(&source.path);
    inner.split('/').next().unwrap_or_default().trim_end_matches(".rs")
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

/// A runtime entered outside `src/lib.rs`; tests that need several threads enter one in each.
pub(crate) fn block_on(source: &Source) -> Vec<String> {
    if source.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let place = |line: usize| format!("{}:{line}: `block_on`", source.path);
    let found = source.tokens.iter().filter(|token| token.text == "block_on").map(|token| token.line);
    if source.path == "src/lib.rs" {
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

/// `src/lib.rs`, `src/main.rs`, `tests/NAME.rs`, `tests/NAME/main.rs`: cargo finds these by itself.
fn is_root(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        ["src", "lib.rs" | "main.rs"] | ["src", "bin", ..] | ["tests", _] | ["tests", _, "main.rs"]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.to_owned(), text.to_owned())
    }

    #[test]
    fn a_use_against_the_direction_is_found_with_its_line() {
        let cases = [
            (
                "src/domain/kpi.rs",
                "use crate::output::Report;",
                "src/domain/kpi.rs:1: `domain` uses `crate::output::Report`",
            ),
            (
                "src/output/table.rs",
                "//! x\nuse super::super::config::Config;",
                "src/output/table.rs:2: `output` uses `crate::config::Config`",
            ),
            ("src/clients/kubectl.rs", "use crate::change::Plan;", "(of change only `Confirmed`)"),
            ("src/clients/kubectl.rs", "use crate::change;", "(of change only `Confirmed`)"),
            ("src/change.rs", "use crate::commands::flag;", "`change` uses `crate::commands::flag`"),
            ("src/helpers.rs", "", "src/helpers.rs:1: `helpers` is no room"),
        ];
        for (path, text, finding) in cases {
            let found = imports(&source(path, text));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(finding), "{}", found[0]);
        }
    }

    #[test]
    fn a_use_along_the_direction_is_fine() {
        let cases = [
            ("src/domain/kpi.rs", "use crate::domain::slo; use super::slo; use serde::Serialize;"),
            ("src/output/table.rs", "use crate::error::Error;"),
            ("src/clients/kubectl.rs", "use crate::change::Confirmed; use crate::{domain::x, error::Error};"),
            ("src/commands/flag/set.rs", "use crate::{change, clients, stores};"),
            ("src/lib.rs", "use crate::commands;"),
            ("src/context.rs", "use crate::output::Output; use crate::clients::Prometheus;"),
        ];
        for (path, text) in cases {
            assert_eq!(imports(&source(path, text)), Vec::<String>::new(), "{text}");
        }
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
        assert!(block_on(&source("src/lib.rs", "x.block_on(y)")).is_empty());
        assert_eq!(ignored(&source("tests/a.rs", "#[test]\n#[ignore = \"slow\"]")), ["tests/a.rs:2: `#[ignore]`"]);
        assert!(ignored(&source("tests/a.rs", "\"#[ignore]\" // #[ignore]")).is_empty());
    }

    #[test]
    fn a_file_without_declaration_is_found() {
        let sources = [
            source("src/lib.rs", "mod domain; mod error;"),
            source("src/error.rs", ""),
            source("src/domain/mod.rs", "pub(crate) mod kpi;"),
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
