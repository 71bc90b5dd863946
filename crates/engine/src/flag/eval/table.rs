//! The answers for the rows of a CSV file, in pieces.

use std::io::Read;

use crate::flag::eval::lines::{Piece, Question};
use crate::flag::users::table::Rows;

/// So many users make a piece: enough that handing it on costs nothing, few enough to stay small.
const ROWS: u64 = 4096;

/// Reads the table and hands out pieces; ends early when nobody takes them.
pub fn read(from: impl Read, question: &Question, mut take: impl FnMut(Piece) -> bool) {
    let mut piece = Piece::default();
    // Lines of the header and of what was handed out.
    let mut before = 0;
    let mut rows = match Rows::of(from) {
        Ok(rows) => rows,
        Err(fault) => {
            piece.fault = Some(fault);
            take(piece);
            return;
        }
    };
    loop {
        let user = match rows.next() {
            Ok(Some(user)) => user,
            Ok(None) => break,
            Err((line, why)) => {
                piece.fault = Some((line.saturating_sub(before).max(1), why));
                break;
            }
        };
        let answer = question.bulk.user(&user);
        piece.counts.add(answer);
        question.shape.row(&mut piece.out, &user.id, answer, false);
        if piece.counts.total() == ROWS {
            let line = rows.line();
            piece.lines = line.saturating_sub(before + 1);
            before = line.saturating_sub(1);
            if !take(std::mem::take(&mut piece)) {
                return;
            }
        }
    }
    take(piece);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::eval::rows::Shape;
    use liveops_domain::flag::bulk::Bulk;
    use liveops_domain::flag::definition::Flag;
    use liveops_domain::flag::reader::Reader;

    fn pieces(text: &str) -> Vec<Piece> {
        let flag = br#"{"enabled":true,"percentage":100,"rules":[{"attribute":"level","operator":"gte","value":10,"enabled":true}],"defaultValue":false}"#;
        let question = Question {
            bulk: Bulk::new(Flag::read(flag).unwrap(), "f".parse().unwrap(), Reader::LegacyV1),
            shape: Shape::Csv,
            json: false,
        };
        let mut found = Vec::new();
        read(text.as_bytes(), &question, |piece| {
            found.push(piece);
            true
        });
        found
    }

    #[test]
    fn cells_are_attributes_and_one_is_the_id() {
        let found = pieces("\u{feff}level,id\n12,a\n9,\"b,c\"\n,d\n");
        assert_eq!(found[0].out, "a,true\n\"b,c\",false\nd,false\n");
        assert_eq!(pieces("Player;level\na;10\n")[0].out, "a,true\n");
        assert!(pieces("who,level\na,10\n")[0].fault.as_ref().unwrap().1.starts_with("has no id among who, level"));
    }

    #[test]
    fn a_bad_row_is_named() {
        let mut text = "id,level\n".to_owned();
        for n in 0..5000 {
            text.push_str(&format!("u{n},1\n"));
        }
        text.push_str("x\n");
        let found = pieces(&text);
        assert_eq!(found.iter().map(|piece| piece.counts.off).sum::<u64>(), 5000);
        let (line, why) = found[1].fault.clone().unwrap();
        assert_eq!((found[0].lines + line, why.as_str()), (5002, "has 1 cell, and the header 2"));
    }
}
