//! The pictures of the README and the chapters show what liveops prints today: they are drawn anew, and the words of both
//! are the same. Numbers and times differ from run to run and are masked; so are the bars.

#![cfg(feature = "demo")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::support::TestEnv;
use crate::support::process::free_port;

/// The words of a picture, a line each, from the left to the right.
fn words(svg: &str) -> Vec<String> {
    let text = Regex::new(r#"<text x="([\d.]+)" y="([\d.]+)" textLength[^>]*>([^<]*)</text>"#).unwrap();
    let number = Regex::new(r"[\d.,:+-]*\d[\d.,:]*").unwrap();
    let mut lines: BTreeMap<u32, BTreeMap<u32, String>> = BTreeMap::new();
    // Tenths of a pixel.
    let place = |text: &str| (text.parse::<f64>().unwrap() * 10.0) as u32;
    for found in text.captures_iter(svg) {
        lines.entry(place(&found[2])).or_default().insert(place(&found[1]), found[3].to_owned());
    }
    let line = |line: BTreeMap<u32, String>| {
        let joined = line.into_values().collect::<Vec<_>>().join(" ");
        // Parts of a figure stand by their size, which differs from minute to minute.
        let text = number.replace_all(&joined, "N").into_owned();
        let mut words: Vec<&str> = text.split_whitespace().collect();
        words.sort_unstable();
        words.join(" ")
    };
    lines.into_values().map(line).collect()
}

/// Lines of which the other has none.
fn missing(from: &[String], other: &[String]) -> Vec<String> {
    from.iter().filter(|line| !other.contains(line)).cloned().collect()
}

#[test]
fn each_shows_what_is_printed_today() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let env = TestEnv::new();
    let out = env.path().join("pictures");
    fs::create_dir(&out).unwrap();
    let script = root.join("scripts/picture");
    let line = format!("{} {} {} >&2", script.display(), out.display(), free_port());
    let env = env.var("LIVEOPS_BINARY", env!("CARGO_BIN_EXE_liveops"));
    let run = env.shell(&line);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in ["status", "explain", "canary", "triage", "postmortem", "watch"] {
        let file = format!("{name}.svg");
        // Without tmux there is no full screen to draw.
        let Ok(drawn) = fs::read_to_string(out.join(&file)) else {
            assert_eq!(name, "watch", "{}", run.stderr);
            continue;
        };
        let (drawn, kept) = (words(&drawn), words(&fs::read_to_string(root.join("docs").join(&file)).unwrap()));
        assert!(kept.len() > 8, "{name}: {kept:?}");
        // Who is suspected, and which values are beyond a threshold, depends on the simulated hour.
        let allowed = if ["triage", "status", "watch"].contains(&name) { kept.len() / 3 } else { 2 };
        let (new, old) = (missing(&drawn, &kept), missing(&kept, &drawn));
        assert!(
            new.len() <= allowed && old.len() <= allowed,
            "docs/{file} is old: `scripts/picture` draws it anew\nnow: {new:#?}\nthere: {old:#?}"
        );
    }
}
