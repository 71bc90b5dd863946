//! Secrets by reference: what stands in a file is where to find a secret, never the secret itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::config::decode::Problems;
use crate::config::environment::variable;
use crate::config::node::{Layer, Node, Origin, Value};
use crate::domain::redact::redact_url;
use crate::error::{Error, Result};

/// A value that may be or contain a secret: text with `${VAR}`, a file, or a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) source: Source,
    pub(crate) origin: Origin,
}

/// Where the value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Text in which `${VAR}` stands for an environment variable.
    Template(String),
    /// The content of a file, without the last newline.
    File(PathBuf),
    /// What a program prints, without the last newline. Run without a shell.
    Command(Vec<String>),
}

/// A value that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Revealed(String);

impl Revealed {
    /// The value, to put on the wire.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// Reads `"text ${VAR}"`, `{file: path}` or `{command: [program, argument]}`.
    pub(crate) fn decode(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        let made = |source| {
            Some(Self {
                source,
                origin: node.origin.clone(),
            })
        };
        match &node.value {
            Value::Scalar { text, .. } => made(Source::Template(text.clone())),
            Value::Map(entries) if entries.len() == 1 => {
                match (entries[0].0.name.as_str(), &entries[0].1.value) {
                    ("file", Value::Scalar { text, .. }) => made(Source::File(text.into())),
                    ("command", Value::List(items))
                        if !items.is_empty() && items.iter().all(|item| item.text().is_some()) =>
                    {
                        made(Source::Command(
                            items
                                .iter()
                                .filter_map(Node::text)
                                .map(ToOwned::to_owned)
                                .collect(),
                        ))
                    }
                    _ => {
                        problems.error(
                            &node.origin,
                            key,
                            "must be `{file: PATH}` or `{command: [PROGRAM, ARGUMENT…]}`",
                        );
                        None
                    }
                }
            }
            _ => {
                problems.error(
                    &node.origin,
                    key,
                    "must be text with `${VARIABLE}`, `{file: PATH}` or `{command: […]}`",
                );
                None
            }
        }
    }

    /// Is the whole value written in the file, with no reference in it?
    pub(crate) fn is_literal(&self) -> bool {
        matches!(&self.source, Source::Template(text) if !text.contains("${"))
    }

    /// Does reading it run a program or open a file, and did a project's file ask for that?
    pub(crate) fn needs_trust(&self) -> bool {
        matches!(*self.origin.layer, Layer::Project(_))
            && !matches!(self.source, Source::Template(_))
    }

    /// How to show it: the reference, never the value.
    pub(crate) fn show(&self) -> String {
        match &self.source {
            Source::Template(text) => redact_url(text),
            Source::File(path) => format!("{{file: {}}}", path.display()),
            Source::Command(argv) => format!("{{command: [{}]}}", argv.join(", ")),
        }
    }

    /// The value. Relative files are read below `base`.
    ///
    /// # Errors
    /// A variable that is not set, a file that cannot be read, a command that fails.
    pub(crate) fn reveal(&self, base: &Path) -> Result<Revealed> {
        match &self.source {
            Source::Template(text) => self.expand(text).map(Revealed),
            Source::File(path) => {
                let path = base.join(path);
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    self.error(
                        format!("cannot read {}: {error}", path.display()),
                        "check the path and its permissions",
                    )
                })?;
                Ok(Revealed(text.trim_end_matches(['\n', '\r']).to_owned()))
            }
            Source::Command(argv) => self.run(argv, base),
        }
    }

    fn expand(&self, text: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').ok_or_else(|| {
                self.error("`${` without `}`".into(), "write it as `${VARIABLE}`")
            })?;
            let value = variable(name).ok_or_else(|| {
                self.error(
                    format!("the variable `{name}` is not set"),
                    &format!("set it: `export {name}=…`"),
                )
            })?;
            out.push_str(before);
            out.push_str(&value);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a secret's command is the user's own; explicit argv, no shell"
    )]
    fn run(&self, argv: &[String], base: &Path) -> Result<Revealed> {
        let failed =
            |reason: String| self.error(reason, &format!("run it yourself: `{}`", argv.join(" ")));
        let done = Command::new(&argv[0])
            .args(&argv[1..])
            .current_dir(base)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|error| failed(format!("`{}` cannot be run: {error}", argv[0])))?;
        if !done.status.success() {
            return Err(failed(format!("`{}` failed: {}", argv[0], done.status)));
        }
        let text = String::from_utf8(done.stdout)
            .map_err(|_| failed(format!("`{}` printed no text", argv[0])))?;
        Ok(Revealed(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn error(&self, reason: String, hint: &str) -> Error {
        Error::Secret {
            what: format!("secret at {}", self.origin.show()),
            reason,
            hint: hint.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(source: Source) -> Secret {
        Secret {
            source,
            origin: Origin::of(Layer::Project("liveops.yaml".into())),
        }
    }

    #[test]
    fn revealed_values_do_not_show() {
        assert_eq!(format!("{:?}", Revealed("x".into())), "***");
    }

    #[test]
    fn files_and_commands_lose_their_newline() {
        let dir = tempfile::tempdir().expect("temp dir");
        std::fs::write(dir.path().join("token"), "abc\n").expect("write");
        let file = secret(Source::File("token".into()));
        assert_eq!(file.reveal(dir.path()).expect("readable").expose(), "abc");
        let command = secret(Source::Command(vec!["echo".into(), "x y".into()]));
        assert_eq!(command.reveal(dir.path()).expect("runs").expose(), "x y");
        let broken = secret(Source::Template(
            "Bearer ${LIVEOPS_TEST_SURELY_UNSET}".into(),
        ));
        let error = broken.reveal(dir.path()).expect_err("unset").to_string();
        assert!(error.contains("LIVEOPS_TEST_SURELY_UNSET"), "{error}");
    }
}
