//! Managed blocks: what liveops wrote in a file, with a digest that says whether somebody changed it. What stands
//! outside of them is a person's, and stays as it is, byte for byte.

use sha2::{Digest as _, Sha256};

use crate::document::kind::{Kind, Options, Syntax};
use crate::text::shell::{word, words};

const DOCUMENT: &str = "liveops:document ";
const BEGIN: &str = "liveops:begin ";
const END: &str = "liveops:end ";
const SHA: &str = "sha256:";

/// Hexadecimal digits of a digest: enough against a slip, and short enough to read over.
const DIGITS: usize = 16;

/// A piece of a file, with its line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Which document it is.
    Header(String),
    /// A person's.
    Outside(String),
    Block(Block),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    id: String,
    /// All of it, with both marks.
    text: String,
    /// Its digest is that of its text.
    sound: bool,
}

/// How a file stands against what liveops would write now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    UpToDate,
    /// Nobody touched it, and the facts have changed.
    Stale,
    /// Blocks that somebody edited, or whose marks are damaged.
    Edited(Vec<String>),
    /// Not one mark of liveops.
    Foreign,
}

/// A file against its fresh text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    pub state: State,
    /// With every block made new, and everything else as it was.
    pub text: String,
}

/// Which document a file says that it is.
pub fn header(text: &str) -> Option<(Kind, Options)> {
    let name = DOCUMENT.trim_end();
    let line = match is_json(text) {
        true => text[text.find(DOCUMENT)? + DOCUMENT.len()..].lines().next()?,
        false => text.lines().find_map(|line| mark(line, name))?,
    };
    let words = words(line.split(SHA).next().unwrap_or_default());
    let (kind, options) = words.split_first()?;
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Some((Kind::of(kind)?, Options::read(&options)?))
}

fn is_json(text: &str) -> bool {
    text.starts_with('{')
}

/// Is there any mark of liveops in it? What only speaks of marks has none.
pub fn is_marked(text: &str) -> bool {
    if is_json(text) {
        return text.contains(DOCUMENT);
    }
    text.lines().any(|line| [DOCUMENT.trim_end(), BEGIN, END].iter().any(|name| mark(line, name).is_some()))
}

/// The line that says which document it is.
pub fn header_line(kind: Kind, options: &Options) -> String {
    let words: Vec<String> =
        std::iter::once(kind.name().to_owned()).chain(options.words(kind).iter().map(|one| word(one))).collect();
    comment(kind.syntax(), &format!("{DOCUMENT}{}", words.join(" ")))
}

fn comment(syntax: Syntax, text: &str) -> String {
    match syntax {
        Syntax::Markdown => format!("<!-- {text} -->"),
        Syntax::Yaml => format!("# {text}"),
        Syntax::Json => text.to_owned(),
    }
}

/// Puts the digests into a fresh text, whose marks have none.
pub fn seal(text: &str, syntax: Syntax) -> String {
    if syntax == Syntax::Json {
        return match slot(text) {
            Some(at) => format!("{}{}{}", &text[..at], digest(&blanked(text, at)), &text[at + DIGITS..]),
            None => text.to_owned(),
        };
    }
    let mut out = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Header(text) | Piece::Outside(text) => out.push_str(&text),
            Piece::Block(block) => {
                let (first, rest) = split_line(&block.text);
                let margin = &first[..first.len() - first.trim_start().len()];
                let mark = format!("{BEGIN}{} {SHA}{}", block.id, digest(&body(&block.text)));
                out.push_str(&format!("{margin}{}\n{rest}", comment(syntax, &mark)));
            }
        }
    }
    out
}

/// The digest's place in a file that is managed as a whole.
fn slot(text: &str) -> Option<usize> {
    let at = text.find(DOCUMENT)?;
    let at = at + text[at..].find(SHA)? + SHA.len();
    let digits = text.get(at..at + DIGITS)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(at)
}

fn blanked(text: &str, at: usize) -> String {
    format!("{}{}{}", &text[..at], "0".repeat(DIGITS), &text[at + DIGITS..])
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.replace("\r\n", "\n").as_bytes());
    hash.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

fn split_line(text: &str) -> (&str, &str) {
    match text.find('\n') {
        Some(at) => text.split_at(at + 1),
        None => (text, ""),
    }
}

/// What stands between the marks.
fn body(block: &str) -> String {
    let lines: Vec<&str> = block.split_inclusive('\n').collect();
    lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default().concat()
}

/// The mark of a line, which holds nothing else.
fn mark<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let line = line.trim();
    let inside = match line.strip_prefix("<!--") {
        Some(rest) => rest.strip_suffix("-->")?.trim(),
        None => line.strip_prefix('#')?.trim(),
    };
    Some(inside.strip_prefix(name)?.trim())
}

/// A file in its pieces. A block without its end, or in another one, is broken: its marks are a part of it.
fn pieces(text: &str) -> Vec<Piece> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if mark(line, DOCUMENT.trim_end()).is_some() {
            pieces.push(Piece::Header(line.to_owned()));
            at += 1;
        } else if let Some(opening) = mark(line, BEGIN) {
            let (id, wanted) = match opening.split_once(' ') {
                Some((id, rest)) => (id, rest.trim().strip_prefix(SHA).unwrap_or("?")),
                None => (opening, ""),
            };
            let stop = |line: &&&str| mark(line, END).is_some() || mark(line, BEGIN).is_some();
            let length = lines[at + 1..].iter().take_while(|line| !stop(line)).count();
            let closes = lines.get(at + 1 + length).is_some_and(|line| mark(line, END) == Some(id));
            // Without its end it is a line alone: what follows may be a person's.
            let last = if closes { at + 1 + length } else { at };
            let text = lines[at..=last].concat();
            let sound = closes && wanted == digest(&body(&text));
            pieces.push(Piece::Block(Block { id: id.to_owned(), text, sound }));
            at = last + 1;
        } else if let Some(id) = mark(line, END) {
            pieces.push(Piece::Block(Block { id: id.to_owned(), text: line.to_owned(), sound: false }));
            at += 1;
        } else {
            match pieces.last_mut() {
                Some(Piece::Outside(text)) => text.push_str(line),
                _ => pieces.push(Piece::Outside(line.to_owned())),
            }
            at += 1;
        }
    }
    pieces
}

/// The lines outside of blocks that still ask something.
pub fn open_questions(text: &str) -> usize {
    let outside = pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Outside(text) => Some(text),
        Piece::Header(_) | Piece::Block(_) => None,
    });
    outside.map(|text| text.lines().filter(|line| line.contains("TODO(")).count()).sum()
}

/// A file with its blocks made new. What is outside stays; a block that is missing comes behind the one that it follows
/// in the fresh text, with what the fresh text has between it and the next.
pub fn refresh(old: &str, fresh: &str, syntax: Syntax) -> Refreshed {
    if old == fresh {
        return Refreshed { state: State::UpToDate, text: fresh.to_owned() };
    }
    if !is_marked(old) {
        return Refreshed { state: State::Foreign, text: fresh.to_owned() };
    }
    if syntax == Syntax::Json {
        let sound = slot(old).is_some_and(|at| digest(&blanked(old, at)) == old[at..at + DIGITS]);
        let state = if sound { State::Stale } else { State::Edited(vec!["the dashboard".into()]) };
        return Refreshed { state, text: fresh.to_owned() };
    }
    let (old_pieces, fresh_pieces) = (pieces(old), pieces(fresh));
    let edited = edited(&old_pieces);
    let text = merge(old_pieces, &fresh_pieces, old.contains("\r\n"));
    let state = match (edited.is_empty(), text == old) {
        (false, _) => State::Edited(edited),
        (true, true) => State::UpToDate,
        (true, false) => State::Stale,
    };
    Refreshed { state, text }
}

/// Blocks that do not hold what was written, or that stand there twice.
fn edited(pieces: &[Piece]) -> Vec<String> {
    let blocks: Vec<&Block> = pieces.iter().filter_map(block_of).collect();
    let is_twin = |at: usize, block: &Block| blocks[..at].iter().any(|other| other.id == block.id);
    let found = blocks.iter().enumerate().filter(|(at, block)| !block.sound || is_twin(*at, block));
    let mut names: Vec<String> = found.map(|(_, block)| block.id.clone()).collect();
    names.dedup();
    names
}

fn block_of(piece: &Piece) -> Option<&Block> {
    match piece {
        Piece::Block(block) => Some(block),
        Piece::Header(_) | Piece::Outside(_) => None,
    }
}

fn merge(old: Vec<Piece>, fresh: &[Piece], crlf: bool) -> String {
    let ends = |text: &str| if crlf { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text.to_owned() };
    let wanted: Vec<&Block> = fresh.iter().filter_map(block_of).collect();
    let mut out: Vec<(Option<String>, String)> = Vec::new();
    let has = |out: &[(Option<String>, String)], id: &str| out.iter().any(|(known, _)| known.as_deref() == Some(id));
    let header = fresh.iter().find_map(|piece| if let Piece::Header(text) = piece { Some(text) } else { None });
    let mut headed = false;
    for piece in old {
        match piece {
            Piece::Outside(text) => out.push((None, text)),
            Piece::Header(_) if headed => {}
            Piece::Header(_) => {
                headed = true;
                out.extend(header.map(|line| (None, ends(line))));
            }
            Piece::Block(block) => {
                if let Some(new) = wanted.iter().find(|one| one.id == block.id).filter(|one| !has(&out, &one.id)) {
                    out.push((Some(block.id), ends(&new.text)));
                }
            }
        }
    }
    if let Some(line) = header.filter(|_| !headed) {
        out.insert(0, (None, ends(line)));
    }
    for (place, block) in wanted.iter().enumerate() {
        if has(&out, &block.id) {
            continue;
        }
        let before = wanted[..place].iter().rev().find_map(|one| {
            out.iter().position(|(known, _)| known.as_deref() == Some(one.id.as_str())).map(|at| at + 1)
        });
        let at = before.unwrap_or(usize::from(header.is_some()).min(out.len()));
        let mut text = block.text.clone();
        let follows = fresh.iter().skip_while(|piece| block_of(piece).is_none_or(|one| one.id != block.id)).nth(1);
        match follows {
            Some(Piece::Outside(outside)) => text.push_str(outside),
            _ => text.push('\n'),
        }
        if at > 0 && !out[at - 1].1.ends_with('\n') {
            text.insert(0, '\n');
        }
        out.insert(at, (Some(block.id.clone()), ends(&text)));
    }
    out.into_iter().map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: &str = "<!-- liveops:document hotfix -->\n# T\n<!-- liveops:begin a -->\nx 1\n<!-- liveops:end a -->\n\n> **TODO(a):** why\n\n<!-- liveops:begin b -->\ny\n<!-- liveops:end b -->\nend\n";

    fn fresh() -> String {
        seal(FRESH, Syntax::Markdown)
    }

    #[test]
    fn a_sealed_text_is_up_to_date_and_says_what_it_is() {
        let text = fresh();
        assert_eq!(refresh(&text, &text, Syntax::Markdown).state, State::UpToDate);
        assert_eq!(header(&text), Some((Kind::Hotfix, Options::default())));
        assert_eq!(open_questions(&text), 1);
        assert_eq!(refresh("mine\n", &text, Syntax::Markdown).state, State::Foreign);
    }

    #[test]
    fn new_facts_replace_blocks_and_nothing_else() {
        let old = format!("{}my own words", fresh().replace("end\n", "mine\n"));
        let new = seal(&FRESH.replace("x 1", "x 2"), Syntax::Markdown);
        let refreshed = refresh(&old, &new, Syntax::Markdown);
        assert_eq!(refreshed.state, State::Stale);
        assert!(refreshed.text.contains("x 2") && refreshed.text.ends_with("mine\nmy own words"));
        let again = refresh(&refreshed.text, &new, Syntax::Markdown);
        assert_eq!((again.state, &again.text), (State::UpToDate, &refreshed.text));
        // As an editor on Windows writes it.
        let dos = old.replace('\n', "\r\n");
        let refreshed = refresh(&dos, &new, Syntax::Markdown);
        assert_eq!(refreshed.state, State::Stale);
        assert!(!refreshed.text.replace("\r\n", "").contains('\n'));
    }

    #[test]
    fn an_edited_block_a_lost_mark_and_a_twin_are_named() {
        let text = fresh();
        let end = "<!-- liveops:end a -->\n";
        let twin = format!("{text}<!-- liveops:begin b -->\n<!-- liveops:end b -->\n");
        for (old, want) in [
            (text.replace("x 1", "x 3"), "a"),
            (text.replace(end, ""), "a"),
            (text.replace("begin a", "begin c"), "c"),
            (twin, "b"),
        ] {
            match refresh(&old, &text, Syntax::Markdown).state {
                State::Edited(names) => assert!(names.contains(&want.to_owned()), "{names:?}"),
                state => panic!("{state:?} {old}"),
            }
        }
        // A block that somebody took out comes back where it was.
        let without = text.split("<!-- liveops:begin b").next().expect("a part").to_owned() + "end\n";
        let refreshed = refresh(&without, &text, Syntax::Markdown);
        assert_eq!(refreshed.state, State::Stale);
        assert!(refreshed.text.contains("\ny\n") && refreshed.text.contains("end\n"));
    }

    #[test]
    fn a_file_that_is_managed_as_a_whole() {
        let make = |value: u8| {
            seal(
                &format!(
                    "{{\"description\": \"liveops:document grafana --dashboard game sha256:0000000000000000\", \"v\": {value}}}"
                ),
                Syntax::Json,
            )
        };
        let (old, new) = (make(1), make(2));
        assert!(!old.contains("sha256:0000000000000000"));
        assert_eq!(header(&old).map(|(kind, _)| kind), Some(Kind::Grafana));
        assert_eq!(refresh(&old, &old, Syntax::Json).state, State::UpToDate);
        assert_eq!(refresh(&old, &new, Syntax::Json).state, State::Stale);
        assert!(matches!(refresh(&old.replace("\"v\": 1", "\"v\": 7"), &new, Syntax::Json).state, State::Edited(_)));
    }

    #[test]
    fn what_people_wrote_survives_a_thousand_random_regenerations() {
        let mut random = fastrand::Rng::with_seed(20_261_130);
        let words =
            ["note\n", "\n", "| a | b |\n", "é 🚀\r\n", "<!-- mine -->\n", "# liveops is fine\n", "  > x\n", "no end"];
        for round in 0..1000 {
            let count = random.usize(1..6);
            let make = |random: &mut fastrand::Rng| {
                let block = |n: usize, random: &mut fastrand::Rng| {
                    format!("<!-- liveops:begin b{n} -->\nvalue {}\n<!-- liveops:end b{n} -->\n", random.u32(..))
                };
                let blocks: Vec<String> = (0..count).map(|n| block(n, random)).collect();
                seal(&format!("<!-- liveops:document hotfix -->\n{}", blocks.join("\n")), Syntax::Markdown)
            };
            let first = make(&mut random);
            let mut mine = Vec::new();
            let mut old = String::new();
            for piece in pieces(&first) {
                let (Piece::Header(text) | Piece::Outside(text) | Piece::Block(Block { text, .. })) = piece;
                old.push_str(&text);
                let mut own: String = (0..random.usize(..4)).map(|_| words[random.usize(..words.len())]).collect();
                if !own.is_empty() && !own.ends_with('\n') {
                    own.push('\n');
                }
                old.push_str(&own);
                mine.push(own);
            }
            let outside = |text: &str| -> String {
                let only = |piece| if let Piece::Outside(text) = piece { Some(text) } else { None };
                pieces(text).into_iter().filter_map(only).collect()
            };
            let next = make(&mut random);
            let refreshed = refresh(&old, &next, Syntax::Markdown);
            assert_eq!(outside(&old), outside(&refreshed.text), "round {round}");
            assert_eq!(refreshed.state, State::Stale, "round {round}: {old}");
            assert_eq!(refresh(&refreshed.text, &next, Syntax::Markdown).state, State::UpToDate, "round {round}");
        }
    }
}
