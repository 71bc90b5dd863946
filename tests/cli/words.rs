//! The words of every screen: none of those that sound translated, and no plural made by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use crate::support::TestEnv;

/// What is not said, and what is said in its place.
const BANNED: [(&str, &str); 20] = [
    (r"\bSO\b|\bnot so\b", "BREACHED, ok"),
    (r"\bdoes not say\b|\bdo not say\b", "does not answer, is unknown"),
    (r"\bcannot (tell|say)\b|\bcannot be told\b", "unknown"),
    (r"\bwent back\b|\bgoes back\b|\btaken back\b", "rolled back, rolls back"),
    (r"\bgiven all\b|\blet go\b|\bis to wait\b", "promoted, resumed, paused"),
    (r"\bnobody who knows\b", "does not answer"),
    (r"\b(is|are) not there\b|\bis nobody\b", "does not exist, is not set"),
    (r"\bdoes not lie\b", "out of range: 0 to 100"),
    (r"\bby its enabled\b", "the flag is disabled"),
    (r"\blets? in\b", "turned on by"),
    (r"\b(nobody|people|who|they) (is|are|was|were) told\b", "delivered to, paged"),
    (r"\bsomebody has it\b|NOBODY HAS IT", "acknowledged by, not acknowledged"),
    (r"\bwhat came of it\b", "change, rollout"),
    (r"\bcome to be\b", "are created"),
    (r"\bnothing else decides\b", "the default"),
    (r"\bthe cluster knows\b|\bmonitoring knows\b", "a fact"),
    (r"\bplease\b|\bsorry\b|\boops\b", "a fact"),
    (r"\bsuccessfully\b", "the fact alone"),
    (r"\bin order to\b", "to"),
    (r"\butili[sz]e", "use"),
];

/// Words that others define: Prometheus' own message, which is compared with it.
const THEIRS: [&str; 1] = ["expected {bound} argument(s)"];

/// The string literals of a source, line by line, without its tests and comments.
fn literals(source: &str) -> impl Iterator<Item = (usize, String, &str)> {
    static LITERAL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap());
    let body = source.split("#[cfg(test)]\nmod tests").next().unwrap_or(source);
    let lines = body.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.flat_map(|(at, line)| {
        let found = LITERAL.captures_iter(line).map(|found| found[1].to_owned()).collect::<Vec<_>>();
        // A literal over several lines: its lines have no quotes of their own.
        let bare = !line.contains(['"', ';', '=', '{', '(']) && line.contains(' ');
        let found = if bare { vec![line.trim().to_owned()] } else { found };
        found.into_iter().map(move |text| (at + 1, text, line))
    })
}

fn sources(folder: &Path, end: &[&str], into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, end, into);
        } else if end.iter().any(|end| path.to_string_lossy().ends_with(end)) && !path.ends_with("tests.rs") {
            into.push(path);
        }
    }
}

/// Place and text of everything that a person may read.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "crates/engine/src", "crates/domain/src", "crates/demo/src"] {
        sources(&root.join(folder), &[".rs"], &mut files);
    }
    let mut all = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let program =
            |line: &str| line.contains("tracing::") || line.contains("expect(\"") || line.contains("reason = ");
        let shown = literals(&source).filter(|(_, _, line)| !program(line));
        all.extend(shown.map(|(line, text, _)| (format!("{name}:{line}"), text)));
    }
    let mut files = Vec::new();
    sources(&root.join("templates"), &[".j2", ".yaml", ".md"], &mut files);
    for file in files {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        all.extend(text.lines().enumerate().map(|(at, line)| (format!("{name}:{}", at + 1), line.to_owned())));
    }
    // All of the help stands in the manual pages.
    let env = TestEnv::new();
    env.run(["man", "--out", "pages"]).expect_code(0);
    let pages = fs::read_dir(env.path().join("pages")).unwrap().map(|page| page.unwrap().path());
    for page in pages {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&page).unwrap().replace('\\', "");
        all.extend(text.lines().map(|line| (format!("the help: {name}"), line.to_owned())));
    }
    all
}

#[test]
fn no_text_has_a_banned_word() {
    let banned: Vec<(Regex, &str)> =
        BANNED.iter().map(|(pattern, instead)| (Regex::new(pattern).unwrap(), *instead)).collect();
    let mut found = BTreeMap::new();
    for (place, text) in texts() {
        for (pattern, instead) in &banned {
            if pattern.is_match(&text) && !THEIRS.iter().any(|known| text.contains(known)) {
                found.insert(place.clone(), format!("{text}\n      say: {instead}"));
            }
        }
    }
    let lines: Vec<String> = found.into_iter().map(|(place, text)| format!("{place}: {text}")).collect();
    assert!(lines.is_empty(), "{} texts\n{}", lines.len(), lines.join("\n"));
}

/// A number and a plural beside it are wrong for one; `count` makes both. An arm of a match, which has another for
/// one, is right, and so is a part of something: `3 of {} users`.
#[test]
fn no_plural_is_made_by_hand() {
    const NOUNS: &str = "targets|KPIs|services|alerts|flags|suspects|plots|incidents|events|silences|rollouts|errors|warnings|lines|notes|messages|runbooks|SLOs|channels|findings|revisions|replicas|files|rules|changes|groups|regions|steps|values|sources|objectives|statements|records|people|players|deployments|backups|buckets|users|panels|documents|receivers|labels|pods|hosts|keys|names|rows|columns|variables|days|times|bytes";
    let pattern = Regex::new(&format!(
        r"(of |all |[Tt]he )?\{{[a-z_.]*\}} (?:more |raw |old |other |earlier |alert |histogram )?({NOUNS})\b( (?:its|the|too)\b)?"
    ))
    .unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "crates/engine/src", "crates/domain/src"] {
        sources(&root.join(folder), &[".rs"], &mut files);
    }
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for (line, text, whole) in literals(&source) {
            // `14.4 times the budget` is a factor.
            let is_factor = |found: &regex::Captures<'_>| &found[2] == "times" && found.get(3).is_some();
            let by_hand = pattern.captures_iter(&text).any(|found| found.get(1).is_none() && !is_factor(&found));
            if by_hand && !whole.contains("tracing::") {
                found.push(format!("{}:{line}: {text}", file.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
