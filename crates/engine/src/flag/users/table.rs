//! Users in a table with a header, as spreadsheets write them: one column is the id, the others are attributes. Commas,
//! semicolons and tabs part the cells; what cannot be read as it is meant is refused.

use std::io::{BufRead, BufReader, Cursor, Read};

use serde_json::{Map, Value};

use crate::flag::users::Fault;
use crate::flag::users::people::place_of_id;
use liveops_domain::flag::user::User;
use liveops_domain::text::count::count;

/// What parts cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The longest header.
const HEADER: u64 = 1 << 20;

/// The rows after the header.
pub struct Rows<R> {
    reader: csv::Reader<std::io::Chain<Cursor<Vec<u8>>, BufReader<R>>>,
    record: csv::StringRecord,
    names: Vec<String>,
    id: usize,
    /// Where a semicolon parts cells, a comma is that of decimals.
    decimal_comma: bool,
    /// Lines before the header.
    before: u64,
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    pub fn of(from: R) -> Result<Self, Fault> {
        let mut from = BufReader::with_capacity(256 * 1024, from);
        let mut first = line(&mut from)?;
        if first.starts_with(b"\xef\xbb\xbf") {
            first.drain(..3);
        }
        if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) || first.contains(&0) {
            return Err((1, "is UTF-16: save the file as `CSV UTF-8`".into()));
        }
        // Excel's own word for the delimiter.
        let said = match first.trim_ascii_end() {
            [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', one] => Some(*one),
            _ => None,
        };
        if said.is_some() {
            first = line(&mut from)?;
        }
        let header =
            std::str::from_utf8(&first).map_err(|_| (1, "is not UTF-8: save the file as `CSV UTF-8`".into()))?;
        let delimiter = said.unwrap_or_else(|| delimiter(header));
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(Cursor::new(first).chain(from));
        let names: Vec<String> =
            reader.headers().map_err(|error| fault(&error, 0))?.iter().map(|name| name.trim().to_owned()).collect();
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let before = u64::from(said.is_some());
        let id = place_of_id(&borrowed).map_err(|why| (before + 1, why))?;
        if let Some(twice) = borrowed.iter().enumerate().find(|(place, name)| borrowed[..*place].contains(name)) {
            return Err((before + 1, format!("names `{}` twice", twice.1)));
        }
        Ok(Self { id, names, reader, record: csv::StringRecord::new(), decimal_comma: delimiter == b';', before })
    }

    /// The next user. An empty cell is an attribute that the user does not have.
    pub fn next(&mut self) -> Result<Option<User>, Fault> {
        let read = self.reader.read_record(&mut self.record);
        if !read.map_err(|error| fault(&error, self.before))? {
            return Ok(None);
        }
        let mut attributes = Map::new();
        for (place, (name, cell)) in self.names.iter().zip(&self.record).enumerate() {
            if place == self.id || cell.is_empty() {
                continue;
            }
            let cell = formula(cell);
            let value = match cell.split_once(',') {
                Some((whole, part)) if self.decimal_comma && is_decimal(whole, part) => {
                    format!("{whole}.{part}").into()
                }
                _ => Value::from(cell),
            };
            attributes.insert(name.clone(), value);
        }
        let id = formula(self.record.get(self.id).unwrap_or_default());
        if is_rounded(id) {
            let line = self.record.position().map_or(1, csv::Position::line) + self.before;
            return Err((line, format!("has the id {id}, which a spreadsheet has rounded: format the column as text")));
        }
        Ok(Some(User { id: id.to_owned(), attributes }))
    }

    /// The line after the last row; a quoted cell may hold several.
    pub fn line(&self) -> u64 {
        self.reader.position().line() + self.before
    }
}

/// A line with its end. The header may hold a line end within quotes.
fn line(from: &mut impl BufRead) -> Result<Vec<u8>, Fault> {
    let mut line = Vec::new();
    loop {
        let read = from.by_ref().take(HEADER).read_until(b'\n', &mut line);
        let read = read.map_err(|error| (1, format!("cannot be read: {error}")))?;
        let is_open = line.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        if read == 0 || !is_open || line.len() as u64 > HEADER {
            return Ok(line);
        }
    }
}

/// What parts the cells of this header: the delimiter that shows an id, or else the one that makes the most of them.
pub fn delimiter(header: &str) -> u8 {
    let cells = |delimiter: u8| {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(header.as_bytes());
        let cells = reader.records().next().and_then(Result::ok).unwrap_or_default();
        let names: Vec<&str> = cells.iter().collect();
        (place_of_id(&names).is_ok(), names.len())
    };
    // Of several that are as good, the first.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| cells(*delimiter)).unwrap_or(b',')
}

/// `="00123"` is how spreadsheets are told to leave a number alone.
fn formula(cell: &str) -> &str {
    cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).unwrap_or(cell)
}

fn is_decimal(whole: &str, part: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(part)
}

/// `1.23457E+12`: what spreadsheets make of long numbers.
fn is_rounded(id: &str) -> bool {
    let Some((digits, exponent)) = id.split_once("E+") else {
        return false;
    };
    let numeric = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || more.contains(&byte))
    };
    numeric(digits, b".,") && numeric(exponent, b"")
}

fn fault(error: &csv::Error, before: u64) -> Fault {
    let why = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {}, and the header {expected_len}", count(usize::try_from(*len).unwrap_or(usize::MAX), "cell"))
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8: save the file as `CSV UTF-8`".into(),
        _ => error.to_string(),
    };
    (error.position().map_or(1, csv::Position::line) + before, why)
}
