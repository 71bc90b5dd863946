//! Users from a file or stdin, one by one: ids a line, JSON lines, or CSV with attributes. However many they are, only a
//! few are held at a time, and waiting for them holds up no signal.

pub mod blocks;
pub mod input;
pub mod people;
pub mod table;

use std::path::Path;

use tokio::sync::mpsc;

use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::user::User;

pub(super) use crate::flag::users::blocks::{Block, Blocks};
pub(super) use crate::flag::users::input::{Form, Input};
pub(super) use crate::flag::users::people::from_json;
pub(super) use crate::flag::users::table::Rows;

/// So many users are handed over at once: enough that it costs nothing, few enough to stay small.
const BATCH: usize = 1000;

/// Batches that wait.
const QUEUE: usize = 4;

/// A line, from 1, and what is wrong with it: `is not UTF-8`.
pub type Fault = (u64, String);

/// Calls `each` for every user of the file; `-` is stdin.
///
/// # Errors
/// `Io`; `Usage` for a line that is no user, with its number.
pub async fn each(cx: &Session, path: &Path, mut each: impl FnMut(User)) -> Result<()> {
    let input = Input::open(cx, path, None).await?;
    let shown = input.shown.clone();
    let (send, mut batches) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut batch = Vec::new();
        let read = read(input, |user| {
            batch.push(user);
            batch.len() < BATCH || send.blocking_send(Ok(std::mem::take(&mut batch))).is_ok()
        });
        // Nobody may be left to take them.
        let _ = send.blocking_send(Ok(batch));
        if let Err(fault) = read {
            let _ = send.blocking_send(Err(fault));
        }
    });
    while let Some(batch) = batches.recv().await {
        let users = batch.map_err(|(line, why)| {
            Error::usage(
                format!("{shown}: line {line} {why}"),
                "give one id a line, one JSON object a line such as `{\"id\": \"u1\", \"region\": \"eu\"}`, or CSV with a header",
            )
        })?;
        users.into_iter().for_each(&mut each);
    }
    Ok(())
}

/// Hands out the users until one is not taken.
fn read(input: Input, mut take: impl FnMut(User) -> bool) -> Result<(), Fault> {
    if input.form == Form::Csv {
        let mut rows = Rows::of(input.from)?;
        while let Some(user) = rows.next()? {
            if !take(user) {
                break;
            }
        }
        return Ok(());
    }
    let mut blocks = Blocks::new(input.from);
    let mut block = Block::default();
    let mut number = 0;
    loop {
        block = match blocks.next(block) {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(()),
            Err(stop) => return Err((number + 1, stop.to_string())),
        };
        for line in block.lines().split_inclusive(|byte| *byte == b'\n') {
            number += 1;
            let line = std::str::from_utf8(line).map_err(|_| (number, "is not UTF-8".into()))?;
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            let user = match input.form {
                _ if line.is_empty() => continue,
                Form::Jsonl if line.trim().is_empty() => continue,
                Form::Jsonl => from_json(line).map_err(|why| (number, why))?,
                Form::Ids | Form::Csv => User::new(line),
            };
            if !take(user) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(form: Form, text: &str) -> Result<Vec<(String, Value)>, Fault> {
        let mut users = Vec::new();
        let input = Input { shown: "users".into(), form, from: Box::new(std::io::Cursor::new(text.to_owned())) };
        read(input, |user| {
            users.push((user.id, Value::from(user.attributes)));
            true
        })?;
        Ok(users)
    }

    #[test]
    fn three_forms_of_users() {
        let none = json!({});
        assert_eq!(
            told(Form::Ids, "\u{feff}a\n\nplayer 2\r\n").unwrap(),
            [("a".to_owned(), none.clone()), ("player 2".to_owned(), none.clone())]
        );
        assert_eq!(
            told(Form::Jsonl, "{\"userId\": 7, \"region\": \"eu\"}\n \n{\"id\":\"b\"}\n\"c\"").unwrap(),
            [("7".to_owned(), json!({"region": "eu"})), ("b".to_owned(), none.clone()), ("c".to_owned(), none.clone())]
        );
        assert_eq!(
            told(Form::Csv, "region,id,level\neu,\"a,b\",30\n,c,\n").unwrap(),
            [("a,b".to_owned(), json!({"region": "eu", "level": "30"})), ("c".to_owned(), none)]
        );
        assert!(told(Form::Ids, "").unwrap().is_empty());
        let spreadsheets = [
            "\u{feff}region;userId;score\r\neu;user_123;1,5\r\n",
            "sep=;\nregion;User ID;score\neu;user_123;1,5\n",
            "region\tUSER_ID\tscore\neu\tuser_123\t1.5\n",
            "\"region\",\"user id\",\"score\"\n\"eu\",=\"user_123\",\"1.5\"\n",
            "score|region|playerId\n1.5|eu|user_123\n",
        ];
        for text in spreadsheets {
            let users = told(Form::Csv, text).unwrap();
            assert_eq!(users.len(), 1, "{text}");
            assert_eq!(
                (users[0].0.as_str(), &users[0].1["region"], &users[0].1["score"]),
                ("user_123", &json!("eu"), &json!("1.5")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_line_that_is_no_user_is_named() {
        for (form, text, line, said) in [
            (Form::Jsonl, "{\"id\":1}\n\n{\"region\":1}\n", 3, "has no id"),
            (Form::Csv, "id,level\na,1\nb\n", 3, "has 1 cell,"),
            (Form::Csv, "id,level\n\"a\nb\",1\nb\n", 4, "has 1 cell,"),
            (Form::Csv, "sep=;\nid;level\na;1\nb\n", 4, "has 1 cell,"),
            (Form::Csv, "a,b\nx,user_123\n", 1, "has no id among a, b"),
            (Form::Csv, "user_1\nuser_2\n", 1, "has no id among user_1"),
            (Form::Csv, "id,user_id\n1,u1\n", 1, "has two ids"),
            (Form::Csv, "id,level\n1.23457E+12,1\n", 2, "has the id 1.23457E+12"),
            (Form::Csv, "\u{ff}\u{0}i\u{0}d\u{0}\n", 1, "is UTF-16"),
        ] {
            let (at, why) = told(form, text).unwrap_err();
            assert!(at == line && why.starts_with(said), "{at} {why}");
        }
    }
}
