//! The answers for one block of lines. Runs on several cores at once; knows neither the stream nor the screen.

use crate::flag::eval::rows::{Shape, is_formula, is_tame};
use crate::flag::users::blocks::Block;
use crate::flag::users::people::from_json;
use liveops_domain::flag::audience::Counts;
use liveops_domain::flag::bulk::Bulk;

/// What came of one block.
#[derive(Debug, Default)]
pub struct Piece {
    pub counts: Counts,
    /// Lines, the empty ones among them.
    pub lines: u64,
    /// Lines without a user.
    pub empty: u64,
    /// The rows.
    pub out: String,
    /// The line (of this block, from 1) at which it ended, and why.
    pub fault: Option<(u64, String)>,
    /// The block, to be filled again.
    pub spent: Block,
}

/// What is asked of every line.
#[derive(Debug)]
pub struct Question {
    pub bulk: Bulk,
    pub shape: Shape,
    /// JSON lines, not bare ids.
    pub json: bool,
}

impl Question {
    /// Answers a block.
    pub fn answer(&self, block: Block) -> Piece {
        let mut piece = Piece::default();
        let bytes = block.lines();
        let (text, broken) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, false),
            // What stands before the first bad byte is still good.
            Err(error) => (std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), true),
        };
        let whole = if broken { text.rfind('\n').map_or("", |end| &text[..=end]) } else { text };
        if self.json {
            self.objects(whole, &mut piece);
        } else {
            self.ids(whole, &mut piece);
        }
        if broken && piece.fault.is_none() {
            piece.fault = Some((piece.lines + 1, "is not UTF-8".into()));
        }
        piece.spent = block;
        piece
    }

    fn ids(&self, text: &str, piece: &mut Piece) {
        let ascii = text.is_ascii();
        let tame = self.shape != Shape::Count && ascii && is_tame(text);
        for line in Lines::of(text) {
            piece.lines += 1;
            if line.is_empty() {
                piece.empty += 1;
                continue;
            }
            let answer = if ascii { self.bulk.ascii(line.as_bytes()) } else { self.bulk.id(line) };
            piece.counts.add(answer);
            self.shape.row(&mut piece.out, line, answer, tame && !is_formula(line));
        }
    }

    fn objects(&self, text: &str, piece: &mut Piece) {
        for line in Lines::of(text) {
            piece.lines += 1;
            if line.trim().is_empty() {
                piece.empty += 1;
                continue;
            }
            match from_json(line) {
                Ok(user) => {
                    let answer = self.bulk.user(&user);
                    piece.counts.add(answer);
                    self.shape.row(&mut piece.out, &user.id, answer, false);
                }
                Err(error) => {
                    piece.fault = Some((piece.lines, error));
                    return;
                }
            }
        }
    }
}

/// The lines of a text, without their ends (`\n` or `\r\n`).
struct Lines<'a> {
    text: &'a str,
    ends: memchr::Memchr<'a>,
    start: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, ends: memchr::memchr_iter(b'\n', text.as_bytes()), start: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let line = match self.ends.next() {
            Some(end) => {
                let line = &self.text[self.start..end];
                self.start = end + 1;
                line
            }
            None if self.start < self.text.len() => {
                let line = &self.text[self.start..];
                self.start = self.text.len();
                line
            }
            None => return None,
        };
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::users::blocks::Blocks;
    use liveops_domain::flag::definition::Flag;
    use liveops_domain::flag::reader::Reader;

    fn answered(bytes: &[u8], shape: Shape, json: bool) -> Piece {
        let flag = br#"{"enabled":true,"percentage":50,"allowlist":["user_123"],"rules":[{"attribute":"region","operator":"eq","value":"eu","enabled":false}],"defaultValue":true}"#;
        let question = Question {
            bulk: Bulk::new(Flag::read(flag).unwrap(), "f".parse().unwrap(), Reader::LegacyV1),
            shape,
            json,
        };
        let mut blocks = Blocks::new(bytes);
        let mut all = Piece::default();
        while let Some(block) = blocks.next(Block::default()).ok().flatten() {
            let piece = question.answer(block);
            all.out += &piece.out;
            all.counts.on += piece.counts.on;
            all.counts.off += piece.counts.off;
            all.empty += piece.empty;
            all.fault = all.fault.or(piece.fault.map(|(line, why)| (all.lines + line, why)));
            all.lines += piece.lines;
        }
        all
    }

    #[test]
    fn lines_end_as_files_end_them() {
        let piece = answered("user_1\r\n\n日本\nuser_123".as_bytes(), Shape::Csv, false);
        assert_eq!(piece.out, "user_1,false\n日本,true\nuser_123,true\n");
        assert_eq!((piece.lines, piece.empty, piece.fault), (4, 1, None));
        assert_eq!(piece.counts, Counts { on: 2, off: 1, unknown: 0 });
    }

    #[test]
    fn a_bad_line_is_named_and_the_ones_before_it_count() {
        let piece = answered(b"a\nuser_123\nb\xff\nc\n", Shape::Csv, false);
        assert_eq!(piece.out, "a,false\nuser_123,true\n");
        assert_eq!(piece.fault, Some((3, "is not UTF-8".into())));
        let piece = answered(b"{\"id\":\"user_123\"}\n\n{x\n", Shape::Count, true);
        assert_eq!(piece.counts.on, 1);
        assert_eq!(piece.fault.map(|(line, _)| line), Some(3));
    }

    #[test]
    fn attributes_reach_the_rules() {
        let piece =
            answered(b"{\"id\":\"admin_user_1\",\"region\":\"eu\"}\n{\"id\":\"admin_user_1\"}\n", Shape::Json, true);
        assert_eq!(piece.out, "{\"user\":\"admin_user_1\",\"on\":false}\n{\"user\":\"admin_user_1\",\"on\":true}\n");
    }
}
