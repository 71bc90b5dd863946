//! Users from a file or stdin, one by one: ids a line, JSON lines, or CSV with attributes.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use serde_json::{Map, Value};

use crate::context::Context;
use crate::domain::flag::user::User;
use crate::error::{Error, Result};

/// The columns and members that may hold the id; of CSV the first column does when none is there.
const IDS: [&str; 5] = ["id", "user", "user_id", "userId", "player_id"];

/// Calls `each` for every user of the file; `-` is stdin. Only one line is held at a time.
///
/// # Errors
/// `Io`; `Usage` for a line that is no user, with its number.
pub(super) fn each(cx: &Context, path: &Path, each: impl FnMut(User)) -> Result<()> {
    if path == Path::new("-") {
        return read(Box::new(stdin().lock()), path, each);
    }
    let path = cx.dirs.work.join(path);
    let file = File::open(&path).map_err(|source| Error::Io {
        action: "read",
        path: path.clone(),
        source,
    })?;
    read(
        Box::new(BufReader::with_capacity(1 << 16, file)),
        &path,
        each,
    )
}

fn read(mut input: Box<dyn BufRead>, path: &Path, mut each: impl FnMut(User)) -> Result<()> {
    let failed = |source| Error::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let start = input.fill_buf().map_err(failed)?;
    let first = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    if first.trim_ascii_start().first() != Some(&b'{') && first.contains(&b',') {
        return table(input, path, each);
    }
    let mut line = String::new();
    let mut number = 0;
    while input.read_line(&mut line).map_err(failed)? > 0 {
        number += 1;
        let text = line.trim_end_matches(['\n', '\r']);
        if text.starts_with('{') {
            let object = serde_json::from_str(text);
            each(
                object
                    .ok()
                    .and_then(of_object)
                    .ok_or_else(|| odd(path, number, "no JSON object with an `id`"))?,
            );
        } else if !text.is_empty() {
            each(User::new(text));
        }
        line.clear();
    }
    Ok(())
}

fn odd(path: &Path, number: u64, what: &str) -> Error {
    Error::usage(
        format!("{}: line {number} is {what}", path.display()),
        "give one id a line, one JSON object a line such as `{\"id\": \"u1\", \"region\": \"eu\"}`, or CSV with a header",
    )
}

fn of_object(mut attributes: Map<String, Value>) -> Option<User> {
    let key = IDS.into_iter().find(|key| attributes.contains_key(*key))?;
    let id = match attributes.get(key)? {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    attributes.remove(key);
    Some(User { id, attributes })
}

fn table(input: Box<dyn BufRead>, path: &Path, mut each: impl FnMut(User)) -> Result<()> {
    let mut reader = csv::Reader::from_reader(input);
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        odd(path, line, &format!("no row of the table: {error}"))
    };
    let titles: Vec<String> = reader
        .headers()
        .map_err(broken)?
        .iter()
        .map(ToOwned::to_owned)
        .collect();
    let id = titles
        .iter()
        .position(|title| IDS.contains(&title.as_str()))
        .unwrap_or(0);
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let cells = titles.iter().zip(record.iter()).enumerate();
        let attributes = cells.filter(|(place, (_, cell))| *place != id && !cell.is_empty());
        each(User {
            id: record.get(id).unwrap_or_default().to_owned(),
            // A number is one: rules compare it as such.
            attributes: attributes
                .map(|(_, (title, cell))| {
                    let number = serde_json::from_str::<serde_json::Number>(cell).map(Value::from);
                    (title.clone(), number.unwrap_or_else(|_| Value::from(cell)))
                })
                .collect(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(text: &str) -> Result<Vec<(String, Value)>> {
        let mut users = Vec::new();
        let input = Box::new(std::io::Cursor::new(text.to_owned()));
        read(input, Path::new("users"), |user| {
            users.push((user.id, Value::from(user.attributes)));
        })?;
        Ok(users)
    }

    #[test]
    fn three_forms_of_users() {
        let none = json!({});
        assert_eq!(
            told("a\n\nplayer 2\r\n").expect("ids"),
            [
                ("a".to_owned(), none.clone()),
                ("player 2".to_owned(), none.clone())
            ]
        );
        assert_eq!(
            told("{\"userId\": 7, \"region\": \"eu\"}\n{\"id\":\"b\"}").expect("objects"),
            [
                ("7".to_owned(), json!({"region": "eu"})),
                ("b".to_owned(), none.clone())
            ]
        );
        assert_eq!(
            told("region,id,level\neu,\"a,b\",30\n,c,\n").expect("a table"),
            [
                ("a,b".to_owned(), json!({"region": "eu", "level": 30})),
                ("c".to_owned(), none)
            ]
        );
        assert!(told("").expect("nothing").is_empty());
        let error = told("a\n{\"region\":1}\n").expect_err("no id").to_string();
        assert!(
            error.contains("line 2 is no JSON object with an `id`"),
            "{error}"
        );
    }
}
