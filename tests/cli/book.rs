//! The README and `docs/` as a book: every chapter is listed, every link and anchor leads somewhere, every command parses.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::support::env::TestEnv;
use liveops_domain::text::shell::words;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// README.md first, then what `docs/` holds, each with its path.
pub(super) fn chapters() -> Vec<(String, String)> {
    let mut names: Vec<String> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().to_string_lossy()))
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.sort();
    names.insert(0, "README.md".into());
    names.into_iter().map(|name| (name.clone(), fs::read_to_string(root().join(name)).unwrap())).collect()
}

/// The fenced blocks of a language.
pub(super) fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    text.split(&start).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// The text without its fenced blocks.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The targets of the links of a text.
fn links(text: &str) -> Vec<String> {
    let target = |part: &str| part.split(')').next().unwrap_or_default().to_owned();
    prose(text).split("](").skip(1).map(target).collect()
}

/// What a heading is called in a link, as GitHub and mdBook make it.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).lines().filter_map(|line| line.strip_prefix('#')).map(str::to_owned).collect::<Vec<_>>();
    let slug = |heading: &String| {
        let plain = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = plain.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.iter().map(slug).collect()
}

#[test]
fn every_link_and_anchor_leads_somewhere() {
    let mut seen = 0;
    for (name, text) in chapters() {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() { root().join(&name) } else { folder.join(path) };
            assert!(file.exists(), "{name}: `{link}` does not exist");
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(&file).unwrap());
                assert!(known.contains(anchor), "{name}: `{link}`: {known:?}");
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} links were found");
}

#[test]
fn every_chapter_is_in_the_summary() {
    let chapters = chapters();
    let (_, summary) = chapters.iter().find(|(name, _)| name == "docs/SUMMARY.md").unwrap();
    let listed: BTreeSet<String> = links(summary).into_iter().map(|link| format!("docs/{link}")).collect();
    let there = chapters.iter().map(|(name, _)| name.clone());
    let there = there.filter(|name| name.starts_with("docs/") && name != "docs/SUMMARY.md").collect();
    assert_eq!(listed, there);
    assert!(Path::new(&root().join("docs/book.toml")).exists());
}

/// The commands that a text shows: in blocks behind `$`, and inline; without what a shell does with them.
fn commands(text: &str) -> Vec<String> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("$ "));
    let plain = text.split("\n```").skip(1).step_by(2).flat_map(str::lines).filter(|line| line.starts_with("liveops "));
    let prose = prose(text);
    let inline = prose.split('`').skip(1).step_by(2);
    let lines = typed.chain(plain).chain(inline).filter(|line| line.starts_with("liveops "));
    let bare = |line: &str| {
        let ends = [" #", "  ", " > ", " | ", " && ", "; ", " …"];
        let end = ends.iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
        line[..end].to_owned()
    };
    lines.map(bare).collect()
}

#[test]
fn every_command_of_the_chapters_parses() {
    let env = TestEnv::new();
    let mut done = BTreeSet::new();
    for (name, text) in chapters() {
        for line in commands(&text) {
            // `COMMAND` and `KIND` stand for any; `help` takes no `--help` behind its words.
            if line.contains("COMMAND")
                || line.contains("new KIND")
                || line.starts_with("liveops help")
                || !done.insert(line.clone())
            {
                continue;
            }
            let mut words = words(&line);
            words.remove(0);
            let run = env.run(words.iter().map(String::as_str).chain(["--help"]));
            assert_eq!(run.code, 0, "{name}: `{line}`: {}", run.stderr);
        }
    }
    assert!(done.len() > 60, "only {} commands were found", done.len());
}

#[test]
fn the_command_table_of_the_readme_has_every_command() {
    let env = TestEnv::new();
    env.run(["man", "--out", "pages"]).expect_code(0);
    let pages = fs::read_dir(env.path().join("pages")).unwrap();
    let (_, readme) = chapters().remove(0);
    let table = readme.split("## Commands").nth(1).unwrap().split("\n## ").next().unwrap();
    for page in pages.map(|page| page.unwrap().file_name().to_string_lossy().into_owned()) {
        let Some(noun) = page.strip_prefix("liveops-").and_then(|page| page.strip_suffix(".1")) else {
            continue;
        };
        assert!(noun.contains('-') || table.contains(&format!("`{noun}`")), "`{noun}` is not in the README's table");
    }
}
