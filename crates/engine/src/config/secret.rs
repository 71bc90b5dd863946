//! Secrets by reference: what stands in a file is where to find a secret, never the secret itself.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::config::decode::Problems;
use crate::config::environment::{home, variable};
use crate::config::node::{Layer, Node, Origin, Value};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::redact::redact_url;
use liveops_domain::text::secret::Revealed;

/// How long a secret's command may take; it may have to ask an agent or a vault.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most bytes that are read of what a secret's command prints.
const MAX_SECRET: u64 = 64 * 1024;

/// A value that may be or contain a secret: text with `${VAR}`, a file, or a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub source: Source,
    pub origin: Origin,
}

/// Where the value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Text in which `${VAR}` stands for an environment variable.
    Template(String),
    /// The content of a file, without the last newline.
    File(PathBuf),
    /// What a program prints, without the last newline. Run without a shell.
    Command(Vec<String>),
}

impl Secret {
    /// Reads `"text ${VAR}"`, `{file: path}` or `{command: [program, argument]}`.
    pub fn decode(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        let source = match read(&node.value) {
            Ok(source) => source,
            Err(what) => {
                problems.error(&node.origin, key, what);
                return None;
            }
        };
        Some(Self { source, origin: node.origin.clone() })
    }

    /// Is the whole value written in the file, with no reference in it?
    pub fn is_literal(&self) -> bool {
        matches!(&self.source, Source::Template(text) if !text.contains("${"))
    }

    /// The text with each `${VARIABLE}` replaced by `word`; `None` for files and commands.
    pub fn with_references_as(&self, word: &str) -> Option<String> {
        let Source::Template(text) = &self.source else {
            return None;
        };
        let mut out = String::new();
        // The syntax was checked when it was decoded; what is not a reference stays as it is.
        for part in parts(text).unwrap_or_else(|_| vec![Part::Text(text)]) {
            out.push_str(match part {
                Part::Text(text) => text,
                Part::Variable(_) => word,
            });
        }
        Some(out)
    }

    /// Did a project's file say it?
    pub fn is_of_project(&self) -> bool {
        matches!(*self.origin.layer, Layer::Project(_))
    }

    /// The variables that its text holds.
    pub fn variables(&self) -> Vec<&str> {
        let Source::Template(text) = &self.source else {
            return Vec::new();
        };
        let parts = parts(text).unwrap_or_default().into_iter();
        parts.filter_map(|part| if let Part::Variable(name) = part { Some(name) } else { None }).collect()
    }

    /// What its variables hold, as it comes into their places.
    pub fn values(&self) -> Vec<(&str, String)> {
        let held = |name| Some((name, bare(&variable(name)?).to_owned()));
        self.variables().into_iter().filter_map(held).collect()
    }

    /// How to show it: the reference, never the value.
    pub fn show(&self) -> String {
        match &self.source {
            Source::Template(text) => redact_url(text),
            Source::File(path) => format!("{{file: {}}}", path.display()),
            Source::Command(argv) => shown_command(argv),
        }
    }

    /// The value. Relative files are read below `base`.
    ///
    /// # Errors
    /// A variable that is not set, a file that cannot be read, a command that fails.
    pub fn reveal(&self, base: &Path) -> Result<Revealed> {
        match &self.source {
            Source::Template(text) => self.expand(text).map(Revealed::new),
            Source::File(path) => {
                let path = base.join(from_home(path));
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    self.error(format!("cannot read {}: {error}", path.display()), "check the path and its permissions")
                })?;
                match bare(&text) {
                    "" => Err(self.error(format!("{} is empty", path.display()), "write the secret into it")),
                    text => Ok(Revealed::new(text.to_owned())),
                }
            }
            Source::Command(argv) => self.run(argv, base),
        }
    }

    /// The value as a URL. What a variable holds is a part of it and stays one: whatever its characters, it is no other
    /// host, path or parameter. A variable that is all of the URL is taken as it is.
    ///
    /// # Errors
    /// As [`Secret::reveal`]; a host that is none.
    pub fn reveal_url(&self, base: &Path) -> Result<Revealed> {
        match &self.source {
            Source::Template(text) if text.contains("://") && !text.starts_with("file:") => {
                self.expand_as(text, |at, value| part_of_url(text, at, value)).map(Revealed::new)
            }
            _ => self.reveal(base),
        }
    }

    fn expand(&self, text: &str) -> Result<String> {
        self.expand_as(text, |_, value| Ok(value))
    }

    /// Puts the variables' values in their places; `write` is told where each stands in the text.
    fn expand_as(
        &self,
        text: &str,
        write: impl Fn(usize, String) -> std::result::Result<String, &'static str>,
    ) -> Result<String> {
        let mut out = String::new();
        let mut at = 0;
        let parts = parts(text).map_err(|what| self.error(what.into(), "write it as `${VARIABLE}`"))?;
        for part in parts {
            match part {
                Part::Text(text) => {
                    out.push_str(text);
                    at += text.len();
                }
                Part::Variable(name) => {
                    let value = write(at, self.variable(name)?)
                        .map_err(|what| self.error(format!("the variable `{name}` {what}"), "look at its value"))?;
                    out.push_str(&value);
                    at += name.len() + "${}".len();
                }
            }
        }
        Ok(out)
    }

    fn variable(&self, name: &str) -> Result<String> {
        let hint = format!("set it: `export {name}=…`");
        match variable(name) {
            None => Err(self.error(format!("the variable `{name}` is not set"), &hint)),
            Some(value) => match bare(&value) {
                "" => Err(self.error(format!("the variable `{name}` is empty"), &hint)),
                value => Ok(value.to_owned()),
            },
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a secret's command is the user's own; explicit argv, no shell")]
    fn run(&self, argv: &[String], base: &Path) -> Result<Revealed> {
        let failed = |reason: String| self.error(reason, &format!("run it yourself: `{}`", argv.join(" ")));
        let mut child = Command::new(&argv[0])
            .args(&argv[1..])
            .current_dir(base)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(format!("`{}` cannot be run: {error}", argv[0])))?;
        let (sender, answer) = mpsc::channel();
        let stdout = child.stdout.take();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.map(|pipe| pipe.take(MAX_SECRET).read_to_end(&mut bytes));
            // Nobody waits any more when it was too slow.
            let _ = sender.send(read.transpose().map(|_| bytes));
        });
        let Ok(answer) = answer.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(format!("`{}` did not end within {} s", argv[0], PATIENCE.as_secs())));
        };
        let bytes = answer.map_err(|error| failed(format!("`{}` cannot be read: {error}", argv[0])))?;
        let status = child.wait().map_err(|error| failed(format!("`{}` was lost: {error}", argv[0])))?;
        if !status.success() {
            return Err(failed(format!("`{}` failed: {status}", argv[0])));
        }
        let text = String::from_utf8(bytes).map_err(|_| failed(format!("`{}` printed no text", argv[0])))?;
        match bare(&text) {
            "" => Err(failed(format!("`{}` printed nothing", argv[0]))),
            text => Ok(Revealed::new(text.to_owned())),
        }
    }

    fn error(&self, reason: String, hint: &str) -> Error {
        Error::Secret { what: format!("secret at {}", self.origin.show()), reason, hint: hint.into() }
    }
}

/// A secret without what editors and shells leave around it: a byte order mark, line ends.
fn bare(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r'])
}

/// What a variable at this place of a URL's template is written as.
fn part_of_url(template: &str, at: usize, value: String) -> std::result::Result<String, &'static str> {
    let start = template.find("://").map_or(0, |scheme| scheme + 3);
    let end = template[start..].find(['/', '?', '#']).map_or(template.len(), |length| start + length);
    let host = template[start..end].rfind('@').map_or(start, |user| start + user);
    if at < start {
        return Ok(value);
    }
    if (host..end).contains(&at) {
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\');
        return if value.contains(is_odd) { Err("stands for a host, and holds what no host has") } else { Ok(value) };
    }
    let mut out = String::new();
    for byte in value.bytes() {
        // RFC 3986, 2.3: what is never anything but itself.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    match out.as_str() {
        "." | ".." => Err("is a path of its own, not a part of one"),
        _ => Ok(out),
    }
}

/// `{command: [PROGRAM, ARGUMENT]}`, in which no two command lines look alike.
pub fn shown_command(argv: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=~".contains(c);
    let word = |word: &String| match !word.is_empty() && word.chars().all(is_plain) {
        true => word.clone(),
        false => format!("{word:?}"),
    };
    format!("{{command: [{}]}}", argv.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// A piece of a template.
enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// Splits `text ${VAR} text`.
fn parts(text: &str) -> Result<Vec<Part<'_>>, &'static str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').ok_or("has `${` without `}`; write `${VARIABLE}`")?;
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err("has `${…}` around something that is not the name of a variable");
        }
        found.extend([Part::Text(before), Part::Variable(name)]);
        rest = tail;
    }
    found.push(Part::Text(rest));
    Ok(found)
}

fn read(value: &Value) -> Result<Source, &'static str> {
    const FORMS: &str = "must be text with `${VARIABLE}`, `{file: PATH}` or `{command: [PROGRAM, ARGUMENT…]}`";
    match value {
        Value::Scalar { text, .. } => {
            parts(text)?;
            Ok(Source::Template(text.clone()))
        }
        Value::Map(entries) if entries.len() == 1 => match (entries[0].0.name.as_str(), &entries[0].1.value) {
            ("file", Value::Scalar { text, .. }) => Ok(Source::File(text.into())),
            ("command", Value::List(items)) if !items.is_empty() => {
                let words = items.iter().map(|item| item.text().map(ToOwned::to_owned)).collect::<Option<Vec<_>>>();
                words.map(Source::Command).ok_or(FORMS)
            }
            _ => Err(FORMS),
        },
        Value::Null | Value::List(_) | Value::Map(_) => Err(FORMS),
    }
}

/// `~/token` is below the home folder, as a shell would have it.
pub(super) fn from_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(source: Source) -> Secret {
        Secret { source, origin: Origin::of(Layer::Project("liveops.yaml".into())) }
    }

    #[test]
    fn revealed_values_do_not_show() {
        assert_eq!(format!("{:?}", Revealed::new("x".into())), "***");
    }

    #[test]
    fn files_and_commands_lose_their_newline() {
        let dir = tempfile::tempdir().expect("temp dir");
        std::fs::write(dir.path().join("token"), "abc\n").expect("write");
        let file = secret(Source::File("token".into()));
        assert_eq!(file.reveal(dir.path()).expect("readable").expose(), "abc");
        let command = secret(Source::Command(vec!["echo".into(), "x y".into()]));
        assert_eq!(command.reveal(dir.path()).expect("runs").expose(), "x y");
        let broken = secret(Source::Template("Bearer ${LIVEOPS_TEST_SURELY_UNSET}".into()));
        let error = broken.reveal(dir.path()).expect_err("unset").to_string();
        assert!(error.contains("LIVEOPS_TEST_SURELY_UNSET"), "{error}");
    }

    #[test]
    fn references_are_checked_when_they_are_read() {
        for (text, sound) in [
            ("plain", true),
            ("Bearer ${TOKEN}", true),
            ("${A}-${_B1}", true),
            ("${", false),
            ("${TOKEN", false),
            ("${}", false),
            ("${TOKEN:-x}", false),
            ("${1A}", false),
        ] {
            let value = Value::Scalar { text: text.into(), quoted: true };
            assert_eq!(read(&value).is_ok(), sound, "{text}");
        }
    }

    #[test]
    fn a_secret_stays_the_part_of_a_url_that_it_is() {
        for (template, value, want) in [
            ("smtp://u:${P}@h:587", "p/s?s#s@x:1%2F", Ok("p%2Fs%3Fs%23s%40x%3A1%252F")),
            ("smtp://${P}@h", "a b", Ok("a%20b")),
            ("https://${P}/x", "h.example:9090", Ok("h.example:9090")),
            ("https://${P}", "h/prom", Ok("h/prom")),
            ("https://${P}/x", "evil.example?", Err(())),
            ("https://u@${P}/x", "u@evil", Err(())),
            ("https://h/a/${P}/b", "x/../y?z", Ok("x%2F..%2Fy%3Fz")),
            ("https://h/a/${P}", "..", Err(())),
            ("https://h/?t=${P}", "a&b=c", Ok("a%26b%3Dc")),
            ("redis://:${P}@h:1,i:2/0", "@:/", Ok("%40%3A%2F")),
        ] {
            let at = template.find("${").expect("a reference");
            let got = part_of_url(template, at, value.to_owned());
            assert_eq!(got.as_deref().map_err(|_| ()), want, "{template} {value}");
        }
    }

    #[test]
    fn what_surrounds_a_secret_is_no_part_of_it_and_nothing_is_no_secret() {
        let dir = tempfile::tempdir().expect("temp dir");
        for (text, want) in [("\u{feff}abc\r\n", Some("abc")), ("abc", Some("abc")), ("\u{feff}\n", None), ("", None)] {
            std::fs::write(dir.path().join("token"), text).expect("write");
            let file = secret(Source::File("token".into())).reveal(dir.path());
            assert_eq!(file.ok().map(|value| value.expose().to_owned()).as_deref(), want, "{text:?}");
        }
        assert!(secret(Source::Command(vec!["true".into()])).reveal(dir.path()).is_err());
    }

    #[test]
    fn references_can_be_replaced() {
        let url = secret(Source::Template("redis://:${PW}@${HOST}:1".into()));
        assert_eq!(url.with_references_as("x").as_deref(), Some("redis://:x@x:1"));
        assert_eq!(secret(Source::File("f".into())).with_references_as("x"), None);
    }

    #[test]
    fn a_command_that_fails_is_named_and_what_it_printed_is_not() {
        let dir = tempfile::tempdir().expect("temp dir");
        for argv in [vec!["sh", "-c", "echo hunter2; exit 3"], vec!["liveops-surely-missing"]] {
            let failing = secret(Source::Command(argv.iter().map(ToString::to_string).collect()));
            let error = failing.reveal(dir.path()).expect_err("fails").to_string();
            assert!(error.contains(argv[0]), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
