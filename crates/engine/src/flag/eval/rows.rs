//! One row for each user, in the format that was asked for; the common case without a second look at any byte.

use std::fmt::Write as _;

use liveops_domain::flag::evaluate::Answer;
use liveops_domain::text::cell::cell;
use liveops_domain::text::escape::{escape, escape_json};

/// What is written for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing: only counted.
    Count,
    /// `user,on`.
    Csv,
    /// `{"user":"u1","on":true}`.
    Json,
    /// The ids that are on.
    Names,
    /// For people.
    Table,
}

/// The word in the column `on`.
pub fn csv_word(answer: Answer) -> &'static str {
    match answer {
        Answer::On => "true",
        Answer::Off => "false",
        Answer::CannotTell => "unknown",
    }
}

impl Shape {
    /// The line before all rows.
    pub fn header(self) -> &'static str {
        match self {
            Self::Csv => "user,on\n",
            Self::Count | Self::Json | Self::Names | Self::Table => "",
        }
    }

    /// Writes a user's row. `tame`: the id is printable ASCII without quotes, commas and backslashes, and does not begin
    /// like a formula.
    #[inline]
    pub fn row(self, out: &mut String, id: &str, answer: Answer, tame: bool) {
        match self {
            Self::Count => {}
            Self::Csv => {
                if tame {
                    out.push_str(id);
                } else {
                    out.push_str(&cell(id));
                }
                out.push_str(match answer {
                    Answer::On => ",true\n",
                    Answer::Off => ",false\n",
                    Answer::CannotTell => ",unknown\n",
                });
            }
            Self::Json => {
                out.push_str("{\"user\":");
                if tame {
                    out.push('"');
                    out.push_str(id);
                    out.push('"');
                } else {
                    out.push_str(&escape_json(&serde_json::Value::from(id).to_string()));
                }
                out.push_str(match answer {
                    Answer::On => ",\"on\":true}\n",
                    Answer::Off => ",\"on\":false}\n",
                    Answer::CannotTell => ",\"on\":null}\n",
                });
            }
            Self::Names => {
                if answer == Answer::On {
                    out.push_str(&escape(id));
                    out.push('\n');
                }
            }
            Self::Table => {
                // A String takes everything.
                let _ = writeln!(out, "{:<7}  {}", answer.word(), escape(id));
            }
        }
    }
}

/// May ids of this text be written as they are, as far as their characters go?
pub fn is_tame(text: &str) -> bool {
    let wild = |byte: u8| {
        !(0x20..0x7f).contains(&byte) && byte != b'\n' && byte != b'\r' || matches!(byte, b'"' | b',' | b'\\')
    };
    // Pieces without an early end, so that the compiler looks at many bytes at once.
    text.as_bytes().chunks(4096).all(|piece| !piece.iter().fold(false, |found, byte| found | wild(*byte)))
}

/// Does it begin like a formula of a spreadsheet?
#[inline]
pub fn is_formula(id: &str) -> bool {
    matches!(id.as_bytes().first(), Some(b'=' | b'@' | b'+' | b'-' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape() {
        let row = |shape: Shape, id: &str, answer: Answer| {
            let mut out = String::new();
            shape.row(&mut out, id, answer, is_tame(id) && !is_formula(id));
            out
        };
        assert_eq!(row(Shape::Csv, "u1", Answer::On), "u1,true\n");
        assert_eq!(row(Shape::Csv, "a,\"b\"", Answer::Off), "\"a,\"\"b\"\"\",false\n");
        assert_eq!(row(Shape::Csv, "=x()", Answer::CannotTell), "'=x(),unknown\n");
        assert_eq!(
            row(Shape::Json, "q\"\\\u{202e}", Answer::CannotTell),
            "{\"user\":\"q\\\"\\\\\\u202e\",\"on\":null}\n"
        );
        assert_eq!(row(Shape::Names, "u1", Answer::On), "u1\n");
        assert_eq!(row(Shape::Names, "u1", Answer::Off), "");
        assert_eq!(row(Shape::Table, "日\x1b", Answer::On), "on       日\\x1b\n");
        assert_eq!(row(Shape::Count, "u1", Answer::On), "");
    }
}
