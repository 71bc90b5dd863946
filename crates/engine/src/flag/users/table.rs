//! Users in a CSV file with a header: one column is the id, the others are attributes.

use std::io::Read;

use serde_json::{Map, Value};

use crate::flag::users::Fault;
use crate::flag::users::people::ID_NAMES;
use liveops_domain::flag::user::User;

/// The rows after the header.
pub struct Rows<R> {
    reader: csv::Reader<R>,
    record: csv::StringRecord,
    names: Vec<String>,
    /// The column with a name of an id, or the first.
    id: usize,
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    pub fn of(from: R) -> Result<Self, Fault> {
        let mut reader = csv::ReaderBuilder::new().buffer_capacity(256 * 1024).from_reader(from);
        let header = reader.headers().map_err(|error| fault(&error))?;
        let names = header.iter().map(|name| name.trim_start_matches('\u{feff}'));
        let names: Vec<String> = names.map(ToOwned::to_owned).collect();
        let place = |id: &str| names.iter().position(|name| name == id);
        Ok(Self {
            id: ID_NAMES.into_iter().find_map(place).unwrap_or(0),
            names,
            reader,
            record: csv::StringRecord::new(),
        })
    }

    /// The next user. An empty cell is an attribute that the user does not have.
    pub fn next(&mut self) -> Result<Option<User>, Fault> {
        let read = self.reader.read_record(&mut self.record);
        if !read.map_err(|error| fault(&error))? {
            return Ok(None);
        }
        let mut attributes = Map::new();
        for (place, (name, cell)) in self.names.iter().zip(&self.record).enumerate() {
            if place != self.id && !cell.is_empty() {
                attributes.insert(name.clone(), Value::from(cell));
            }
        }
        Ok(Some(User { id: self.record.get(self.id).unwrap_or_default().to_owned(), attributes }))
    }

    /// The line after the last row; a quoted cell may hold several.
    pub fn line(&self) -> u64 {
        self.reader.position().line()
    }
}

fn fault(error: &csv::Error) -> Fault {
    let why = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} cells, and the header {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".into(),
        _ => error.to_string(),
    };
    (error.position().map_or(1, csv::Position::line), why)
}
