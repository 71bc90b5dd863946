//! Opens a file of users or stdin, and tells from its name and its first line how it is written.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use crate::flag::users::people::place_of_id;
use crate::flag::users::table::delimiter;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::shell::word;

/// So much of the first line is looked at: more than the header of a table has.
const SEEN: usize = 4096;

/// How users are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One id a line.
    Ids,
    /// A JSON object (or string) a line.
    Jsonl,
    /// With a header line.
    Csv,
}

impl Form {
    /// Every form with its word, and what the word means.
    pub const ALL: &[(&str, &str, Self)] = &[
        ("ids", "One id a line", Self::Ids),
        ("jsonl", "A JSON object (or string) a line", Self::Jsonl),
        ("csv", "With a header line", Self::Csv),
    ];
}

/// Where the users come from.
pub struct Input {
    pub shown: String,
    pub form: Form,
    pub from: Box<dyn Read + Send>,
}

impl Input {
    /// Opens the file, or stdin for `-`; of this form, or of the one that it looks like.
    ///
    /// # Errors
    /// `Io`; `Usage` for a folder, and for JSON that is not one object a line.
    pub async fn open(cx: &Session, path: &Path, form: Option<Form>) -> Result<Self> {
        let (path, place) = (path.to_owned(), cx.dirs.work.join(path));
        // What a terminal or a pipe has not sent yet is waited for elsewhere: here nothing may hold up Ctrl-C.
        tokio::task::spawn_blocking(move || open(&path, &place, form))
            .await
            .map_err(|_| Error::internal("the thread that opens the users ended"))?
    }
}

fn open(path: &Path, place: &Path, form: Option<Form>) -> Result<Input> {
    let is_stdin = path.as_os_str() == "-";
    let shown = if is_stdin { "stdin".to_owned() } else { path.display().to_string() };
    let failed =
        |action: &'static str, source: std::io::Error| Error::Io { action, path: shown.clone().into(), source };
    let mut from: Box<dyn Read + Send> = if is_stdin {
        Box::new(std::io::stdin())
    } else {
        let file = File::open(place).map_err(|source| failed("open", source))?;
        if file.metadata().is_ok_and(|about| about.is_dir()) {
            return Err(Error::usage(format!("{shown} is a folder"), "name a file with one user a line"));
        }
        Box::new(file)
    };
    let ending = path.extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    let form = match (form, ending.as_str()) {
        (Some(form), _) => form,
        (None, "csv" | "tsv") => Form::Csv,
        (None, "jsonl" | "ndjson") => Form::Jsonl,
        (None, _) => {
            let seen = first_line(&mut from).map_err(|source| failed("read", source))?;
            let form = looks_like(&seen);
            if ending == "json" && is_array(&seen) {
                return Err(Error::usage(
                    format!("{shown} is one JSON array, and users are read one a line"),
                    format!("`jq -c '.[]' {}` writes them so", word(&shown)),
                ));
            }
            from = Box::new(Cursor::new(seen).chain(from));
            form
        }
    };
    Ok(Input { shown, form, from })
}

/// What has to be read to see the first line, or its beginning.
fn first_line(from: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut seen = vec![0; SEEN];
    let mut filled = 0;
    while filled < SEEN && !seen[..filled].contains(&b'\n') {
        match from.read(&mut seen[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    seen.truncate(filled);
    Ok(seen)
}

/// Without a byte order mark.
fn content(seen: &[u8]) -> &[u8] {
    seen.strip_prefix(b"\xef\xbb\xbf").unwrap_or(seen)
}

fn is_array(seen: &[u8]) -> bool {
    content(seen).first() == Some(&b'[')
}

/// JSON begins with a bracket; a table's header names the id among other columns.
fn looks_like(seen: &[u8]) -> Form {
    let first = content(seen);
    if first.first() == Some(&b'{') {
        return Form::Jsonl;
    }
    let end = first.iter().position(|byte| *byte == b'\n');
    let header = String::from_utf8_lossy(&first[..end.unwrap_or(first.len())]);
    let header = header.trim_end();
    let cells: Vec<&str> =
        header.split(char::from(delimiter(header))).map(|cell| cell.trim().trim_matches('"')).collect();
    let is_table = cells.len() > 1 && place_of_id(&cells).is_ok();
    if is_table || header.to_lowercase().starts_with("sep=") { Form::Csv } else { Form::Ids }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_form() {
        for (text, form) in [
            ("", Form::Ids),
            ("u1\nu2\n", Form::Ids),
            ("id\nu2\n", Form::Ids),
            ("a,b\nid,c\n", Form::Ids),
            ("{\"id\":1}", Form::Jsonl),
            ("\u{feff}{\"id\":1}", Form::Jsonl),
            ("region,id\r\neu,a\n", Form::Csv),
            ("region;User ID\r\neu;a\n", Form::Csv),
            ("player_id\tlevel\n", Form::Csv),
            ("sep=;\nid;level\n", Form::Csv),
            ("\u{feff}\"userId\",level\n", Form::Csv),
        ] {
            assert_eq!(looks_like(text.as_bytes()), form, "{text}");
        }
    }

    #[test]
    fn what_was_looked_at_is_not_lost() {
        let mut from = Cursor::new("x".repeat(3 * SEEN)).chain(Cursor::new("\ny"));
        let seen = first_line(&mut from).unwrap();
        let mut rest = Vec::new();
        from.read_to_end(&mut rest).unwrap();
        assert_eq!((seen.len(), rest.len()), (SEEN, 2 * SEEN + 2));
    }
}
