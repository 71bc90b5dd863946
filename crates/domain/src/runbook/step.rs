//! The grammar of an executable step: the words after the language of a fenced code block.
//!
//! ```text
//! info    = shell SP "liveops" { SP word }
//! shell   = "sh" | "bash"
//! word    = "confirm" | key "=" value
//! key     = "step" | "check" | "rollback" | "timeout" | "needs"
//! value   = '"' { any | '\"' | '\\' } '"'  |  text without spaces
//! ```
//! `step` names the step and must be there; `check` is a command that proves its effect; `rollback` takes it back;
//! `confirm` marks a step that changes something; `needs` lists variables (`VERSION,REGION`) that must be given;
//! `timeout` bounds it, 5 minutes by default.

use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::text::duration;
use crate::text::suggest::nearest;

/// How long a step may take when it does not say.
const TIMEOUT: Duration = Duration::from_secs(300);

const KEYS: [&str; 6] = ["step", "check", "rollback", "timeout", "needs", "confirm"];

/// Something to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What a person calls it.
    pub name: String,
    /// `sh` or `bash`.
    pub shell: &'static str,
    /// The text of the block.
    pub command: String,
    /// Proves that it worked: exit code 0.
    pub check: Option<String>,
    /// Takes it back.
    pub rollback: Option<String>,
    /// Changes something, so that it is asked for with full weight.
    pub confirm: bool,
    /// Variables that it needs.
    pub needs: Vec<String>,
    #[serde(serialize_with = "seconds")]
    pub timeout: Duration,
    /// The heading that it stands under.
    pub section: String,
    pub line: usize,
}

fn seconds<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(value.as_secs())
}

impl Step {
    /// What identifies the step's content: a run is resumed only while it is the same.
    pub fn digest(&self) -> String {
        let text = [
            self.name.as_str(),
            self.shell,
            self.command.as_str(),
            self.check.as_deref().unwrap_or_default(),
            self.rollback.as_deref().unwrap_or_default(),
        ];
        Sha256::digest(text.join("\0").as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads the info string of a block. `None`: it is not marked to run.
pub(super) fn read(info: &str, body: &str, section: &str, line: usize) -> Option<Result<Step, String>> {
    let (shell, rest) = info.trim().split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let words = rest.strip_prefix("liveops")?;
    if !(words.is_empty() || words.starts_with(char::is_whitespace)) {
        return None;
    }
    Some(step(shell, words, body, section, line))
}

fn step(shell: &str, words: &str, body: &str, section: &str, line: usize) -> Result<Step, String> {
    let shell = match shell {
        "sh" | "shell" => "sh",
        "bash" => "bash",
        other => return Err(format!("a step is run by `sh` or `bash`, not by `{other}`")),
    };
    let mut step = Step {
        name: String::new(),
        shell,
        command: body.trim_end().to_owned(),
        check: None,
        rollback: None,
        confirm: false,
        needs: Vec::new(),
        timeout: TIMEOUT,
        section: section.to_owned(),
        line,
    };
    let mut seen: Vec<String> = Vec::new();
    for (key, value) in pairs(words)? {
        if seen.contains(&key) {
            return Err(format!("`{key}` is said twice"));
        }
        match (key.as_str(), value) {
            ("confirm", None) => step.confirm = true,
            ("confirm", Some(_)) => return Err("`confirm` takes no value".into()),
            ("step", Some(value)) => step.name = value,
            ("check", Some(value)) => step.check = Some(value),
            ("rollback", Some(value)) => step.rollback = Some(value),
            ("needs", Some(value)) => step.needs = variables(&value)?,
            ("timeout", Some(value)) => {
                step.timeout = duration::parse_positive(&value).map_err(|e| e.to_string())?;
            }
            (key, None) if KEYS.contains(&key) => {
                return Err(format!("`{key}` needs a value: `{key}=\"…\"`"));
            }
            (key, _) => {
                let help = nearest(key, KEYS)
                    .map_or_else(|| format!("known are {}", KEYS.join(", ")), |near| format!("did you mean `{near}`?"));
                return Err(format!("`{key}` is unknown; {help}"));
            }
        }
        seen.push(key);
    }
    if step.name.trim().is_empty() {
        return Err("the step has no name: `step=\"…\"`".into());
    }
    if step.command.trim().is_empty() {
        return Err(format!("step `{}` has no command", step.name));
    }
    Ok(step)
}

fn variables(text: &str) -> Result<Vec<String>, String> {
    let names = text.split([',', ' ']).filter(|name| !name.is_empty());
    names
        .map(|name| {
            if is_variable(name) {
                Ok(name.to_owned())
            } else {
                Err(format!("`{name}` in `needs` is no name of a variable"))
            }
        })
        .collect()
}

/// A name that a shell takes for a variable (POSIX.1-2024, XBD 3.216).
pub fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `key="value"` and `key` words.
fn pairs(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let key = rest[..end].to_owned();
        if key.is_empty() {
            return Err("a value without a key".into());
        }
        rest = &rest[end..];
        let value = match rest.strip_prefix('=') {
            None => None,
            Some(after) => {
                let (value, left) = value(after)?;
                rest = left;
                Some(value)
            }
        };
        found.push((key, value));
        rest = rest.trim_start();
    }
    Ok(found)
}

fn value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return Ok((value, &quoted[at + 1..])),
            '\\' if !escaped => escaped = true,
            c => {
                // Only `\"` and `\\` are escapes; any other backslash is the command's own.
                if escaped && !matches!(c, '"' | '\\') {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
        }
    }
    Err("a quote is not closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(info: &str) -> Option<Result<Step, String>> {
        read(info, "echo hi\n", "Fix", 7)
    }

    #[test]
    fn only_marked_blocks_are_steps() {
        for info in ["sh", "", "sh copy", "liveops", "sh liveopsx step=a"] {
            assert_eq!(one(info), None, "{info}");
        }
    }

    #[test]
    fn every_part_is_read() {
        let step = one(
            r#"bash liveops step="Say \"hi\"" check="grep -E 'a\.b' x" confirm rollback=true timeout=90s needs="A,B""#,
        )
        .expect("marked")
        .expect("sound");
        assert_eq!(step.name, "Say \"hi\"");
        assert_eq!(step.shell, "bash");
        assert_eq!(step.command, "echo hi");
        assert_eq!(step.check.as_deref(), Some("grep -E 'a\\.b' x"));
        assert_eq!(step.rollback.as_deref(), Some("true"));
        assert!(step.confirm);
        assert_eq!(step.needs, ["A", "B"]);
        assert_eq!((step.timeout.as_secs(), step.line), (90, 7));
        let digest = step.digest();
        let other = Step { command: "x".into(), ..step };
        assert_ne!(digest, other.digest());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (info, want) in [
            ("python liveops step=a", "not by `python`"),
            ("sh liveops", "no name"),
            ("sh liveops step=a chek=b", "did you mean `check`?"),
            ("sh liveops step=a check", "needs a value"),
            ("sh liveops step=\"a", "not closed"),
            ("sh liveops step=a step=b", "said twice"),
            ("sh liveops step=a confirm=yes", "takes no value"),
            ("sh liveops step=a timeout=5", "has no unit"),
            ("sh liveops step=a needs=a-b", "no name of a variable"),
            ("sh liveops =a", "without a key"),
        ] {
            let error = one(info).expect(info).expect_err(info);
            assert!(error.contains(want), "{info}: {error}");
        }
    }
}
