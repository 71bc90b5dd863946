//! A program of the team's own: explicit argv, never a shell; the message as JSON on stdin. It says how it went by its
//! exit code: 0 taken, 75 (`EX_TEMPFAIL` of sysexits.h) later, any other never.

#![expect(clippy::disallowed_methods, reason = "the program stands in the configuration, by the user or by trust")]

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::clients::notify::{Sent, Words};
use liveops_domain::incident::message::Message;
use liveops_domain::text::secret::mask;

/// Characters of a value in an argument; the system takes some 128 KiB.
const VALUE: usize = 2_000;

/// The most of its stderr that is read.
const LONGEST: u64 = 1 << 20;

/// How long its last words may take once it has ended.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// `EX_TEMPFAIL`.
const LATER: i32 = 75;

pub async fn send(command: &[String], message: &Message, words: &Words, limit: Duration) -> Sent {
    let args = args(command, message, words);
    let Some((program, args)) = args.split_first() else {
        return Sent::Refused("no program is named".into());
    };
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let reason = format!("`{program}` cannot be run: {error}");
            // No memory, too many processes or files: that passes.
            let stays = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied);
            return if stays { Sent::Refused(reason) } else { Sent::Later { reason, after: None } };
        }
    };
    let stdin = child.stdin.take();
    let tell = async {
        if let Some(mut stdin) = stdin {
            let text = json!({ "message": message, "subject": words.subject, "body": words.body });
            // A program that does not read is no failure.
            let _ = stdin.write_all(text.to_string().as_bytes()).await;
        }
    };
    let stderr = child.stderr.take();
    let mut said = Vec::new();
    let listen = async {
        if let Some(stderr) = stderr {
            let _ = stderr.take(LONGEST).read_to_end(&mut said).await;
        }
    };
    // At once: a program may say a lot before it reads. What it leaves running behind it may hold the pipes, and is not
    // waited for.
    let run = async {
        let mut pipes = Box::pin(async { tokio::join!(tell, listen) });
        let mut are_over = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                _ = &mut pipes, if !are_over => are_over = true,
            }
        };
        if !are_over {
            let _ = tokio::time::timeout(LAST_WORDS, pipes).await;
        }
        status
    };
    let status = match tokio::time::timeout(limit, run).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            return Sent::Later { reason: format!("`{program}` was lost: {error}"), after: None };
        }
        Err(_) => {
            return Sent::Unanswered(format!(
                "`{program}` did not end within {} s; it may have called somebody",
                limit.as_secs()
            ));
        }
    };
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let reason = match last {
        Some(line) => format!("`{program}` failed: {}", mask(line).chars().take(160).collect::<String>()),
        None => format!("`{program}` failed: {status}"),
    };
    match status.code() {
        Some(0) => Sent::Accepted(format!("`{program}` ended well")),
        Some(LATER) => Sent::Later { reason, after: None },
        _ => Sent::Refused(reason),
    }
}

/// Is it there? It is not run.
pub fn probe(command: &[String], path: &str) -> Sent {
    let Some(program) = command.first() else {
        return Sent::Refused("no program is named".into());
    };
    let is_there = |path: &Path| path.is_file();
    let found = if program.contains('/') {
        is_there(Path::new(program))
    } else {
        path.split(':').any(|folder| is_there(&Path::new(folder).join(program)))
    };
    if found {
        Sent::Accepted(format!("`{program}` is there; it was not run"))
    } else {
        Sent::Refused(format!("`{program}` does not exist"))
    }
}

/// Fills `{severity}` and the like in, each once: what a value holds is no placeholder. A value never becomes an option:
/// it does not begin with `-`. What no argument can hold, NUL and lengths without end, is left out; on stdin the message
/// is whole.
fn args(command: &[String], message: &Message, words: &Words) -> Vec<String> {
    let values = [
        ("{severity}", message.severity.key()),
        ("{incident}", &message.incident),
        ("{title}", &message.title),
        ("{about}", message.about.word()),
        ("{environment}", &message.environment),
        ("{service}", message.service.as_deref().unwrap_or_default()),
        ("{subject}", &words.subject),
        ("{text}", &message.text),
    ];
    let fill = |word: &String| {
        let mut out = String::new();
        let mut rest = word.as_str();
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let named = values.iter().find(|(name, _)| rest.starts_with(name));
            let taken = named.map_or(1, |(name, _)| name.len());
            match named {
                Some((_, value)) => out.extend(plain(value)),
                None => out.push('{'),
            }
            rest = &rest[taken..];
        }
        out + rest
    };
    command.iter().map(fill).collect()
}

fn plain(value: &str) -> impl Iterator<Item = char> {
    let value = value.trim_start_matches(|c: char| c == '-' || c.is_control());
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::notify::example;

    #[test]
    fn values_are_words_and_never_options() {
        let (mut message, words) = example();
        message.title = "--force; rm -rf /".into();
        let command = ["call", "{severity}", "{title}", "x={incident}"].map(ToOwned::to_owned);
        assert_eq!(args(&command, &message, &words), ["call", "p1", "force; rm -rf /", "x=2026-11-22-p1-down"]);
    }

    #[test]
    fn no_value_makes_an_argument_that_no_program_can_be_given() {
        let (mut message, words) = example();
        message.title = format!("\0-Do\0wn {{incident}}\n{}", "é".repeat(200_000));
        let word = args(&["{title}".to_owned()], &message, &words).remove(0);
        assert!(word.starts_with("Do wn {incident} é"), "{}", &word[..20]);
        assert!(word.len() < 10_000);
    }

    #[tokio::test]
    async fn the_exit_code_says_how_it_went() {
        let (message, words) = example();
        let run = async |script: &str| {
            let command = ["sh", "-c", script].map(ToOwned::to_owned);
            send(&command, &message, &words, Duration::from_secs(5)).await
        };
        assert!(matches!(run("grep -q '\"incident\":\"2026-11-22-p1-down\"'").await, Sent::Accepted(_)));
        assert!(matches!(run("exit 75").await, Sent::Later { .. }));
        assert_eq!(run("echo no signal >&2; exit 1").await, Sent::Refused("`sh` failed: no signal".into()));
        let missing = ["liveops-surely-missing".to_owned()];
        assert!(matches!(send(&missing, &message, &words, Duration::from_secs(5)).await, Sent::Refused(_)));
        assert!(matches!(probe(&missing, "/usr/bin:/bin"), Sent::Refused(_)));
        assert!(matches!(probe(&["sh".to_owned()], "/usr/bin:/bin"), Sent::Accepted(_)));
    }
}
