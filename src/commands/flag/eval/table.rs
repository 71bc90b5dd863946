//! Users in a CSV file with a header: one column is the id, the others are attributes.

use std::io::Read;

use serde_json::{Map, Value};

use crate::commands::flag::eval::lines::{Piece, Question};
use crate::commands::flag::eval::people::ID_NAMES;
use crate::domain::flag::user::User;

/// So many users make a piece: enough that handing it on costs nothing, few enough to stay small.
const ROWS: u64 = 4096;

/// Reads the table and hands out pieces; ends early when nobody takes them.
pub(super) fn read(from: impl Read, question: &Question, mut take: impl FnMut(Piece) -> bool) {
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(256 * 1024)
        .from_reader(from);
    let fault = |line: u64, why: String| Piece {
        fault: Some((line, why)),
        ..Piece::default()
    };
    let columns = match reader.headers() {
        Ok(header) => Columns::of(header),
        Err(error) => {
            take(fault(1, said(&error)));
            return;
        }
    };
    let mut piece = Piece::default();
    let mut record = csv::StringRecord::new();
    // Lines of the header and of what was handed out; a quoted cell may hold several.
    let mut before = 0;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                piece.fault = Some((line.saturating_sub(before).max(1), said(&error)));
                take(piece);
                return;
            }
        }
        let user = columns.user(&record);
        let answer = question.bulk.user(&user);
        piece.counts.add(answer);
        question.shape.row(&mut piece.out, &user.id, answer, false);
        if piece.counts.total() == ROWS {
            let line = reader.position().line();
            piece.lines = line.saturating_sub(before + 1);
            before = line.saturating_sub(1);
            if !take(std::mem::take(&mut piece)) {
                return;
            }
        }
    }
    take(piece);
}

fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("has {len} cells, and the header {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".into(),
        _ => error.to_string(),
    }
}

/// Which column is what.
struct Columns {
    names: Vec<String>,
    id: usize,
}

impl Columns {
    /// The column with a name of an id, or the first.
    fn of(header: &csv::StringRecord) -> Self {
        let names: Vec<String> = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        let id = ID_NAMES
            .into_iter()
            .find_map(|id| names.iter().position(|name| name == id))
            .unwrap_or(0);
        Self { names, id }
    }

    /// An empty cell is an attribute that the user does not have.
    fn user(&self, record: &csv::StringRecord) -> User {
        let mut attributes = Map::new();
        for (place, (name, cell)) in self.names.iter().zip(record).enumerate() {
            if place != self.id && !cell.is_empty() {
                attributes.insert(name.clone(), Value::from(cell));
            }
        }
        User {
            id: record.get(self.id).unwrap_or_default().to_owned(),
            attributes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::flag::eval::rows::Shape;
    use crate::domain::flag::bulk::Bulk;
    use crate::domain::flag::definition::Flag;
    use crate::domain::flag::reader::Reader;

    fn pieces(text: &str) -> Vec<Piece> {
        let flag = br#"{"enabled":true,"percentage":100,"rules":[{"attribute":"level","operator":"gte","value":10,"enabled":true}],"defaultValue":false}"#;
        let question = Question {
            bulk: Bulk::new(
                Flag::read(flag).unwrap(),
                "f".parse().unwrap(),
                Reader::LegacyV1,
            ),
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
        assert_eq!(pieces("who,level\na,10\n")[0].out, "a,true\n");
    }

    #[test]
    fn a_bad_row_is_named() {
        let mut text = "id,level\n".to_owned();
        for n in 0..5000 {
            text.push_str(&format!("u{n},1\n"));
        }
        text.push_str("x\n");
        let found = pieces(&text);
        assert_eq!(
            found.iter().map(|piece| piece.counts.off).sum::<u64>(),
            5000
        );
        let (line, why) = found[1].fault.clone().unwrap();
        assert_eq!(
            (found[0].lines + line, why.as_str()),
            (5002, "has 1 cells, and the header 2")
        );
    }
}
