//! The templates of documents: shipped with liveops, and overridden by a file of the same path below `templates` of the
//! configuration.

use std::io::{ErrorKind, Write};

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::files::open;
use crate::session::Session;
use liveops_domain::error::{Error, Result};

/// Steps of a template: a document of ten thousand lines takes a tenth of them.
const FUEL: u64 = 1_000_000;

/// Bytes of a document.
const LARGEST: usize = 4 << 20;

/// Calls of macros within each other.
const DEEPEST: usize = 64;

/// Where the templates of a project are read: they may be rendered at night, before a page goes out, so they end, and
/// what they make stays small.
pub fn bounded() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEEPEST);
    // A loop cannot double what it has without it.
    environment.add_function("namespace", || -> Result<minijinja::Value, minijinja::Error> {
        Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, "`namespace` is not to be had here"))
    });
    environment.add_filter("replace", |text: &str, from: &str, to: &str| {
        let grows = text.matches(from).count().saturating_mul(to.len());
        match grows.saturating_add(text.len()) > LARGEST {
            true => {
                Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, "the replaced text is too large"))
            }
            false => Ok(text.replace(from, to)),
        }
    });
    environment
}

/// The document of a template.
///
/// # Errors
/// What is wrong with the template, or that it takes too many steps or makes too much.
pub fn render(
    environment: &Environment<'_>,
    template: &str,
    values: impl Serialize,
) -> Result<String, minijinja::Error> {
    let mut document = Bounded(Vec::new());
    environment.template_from_named_str("template", template)?.render_captured_to(values, &mut document)?;
    Ok(String::from_utf8_lossy(&document.0).into_owned())
}

/// A document that does not grow for ever.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(std::io::Error::other(format!("the document has more than {} MiB", LARGEST >> 20)));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A template's text, and where it came from when it is the user's.
#[derive(Debug)]
pub struct Template {
    pub text: String,
    /// The user's file.
    pub file: Option<String>,
}

impl Template {
    /// The user's file at `path` (such as `runbook/alert.md.j2`) if there is one, else what is shipped.
    pub fn find(cx: &Session, path: &str, shipped: Option<&str>) -> Result<Option<Self>> {
        let config = cx.config()?;
        if let Some(place) = &config.settings.documents.templates {
            let file = config.file_in(place, path)?;
            match open::read_text(&file) {
                Ok(text) => {
                    return Ok(Some(Self { text, file: Some(file.display().to_string()) }));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(Error::Io { action: "read", path: file, source });
                }
            }
        }
        Ok(shipped.map(|text| Self { text: text.to_owned(), file: None }))
    }

    /// The document. A name that does not exist is an error, so that nothing is left out in silence.
    ///
    /// # Errors
    /// `Usage` when the user's template is wrong, with its line.
    pub fn render(&self, values: impl Serialize) -> Result<String> {
        let mut environment = bounded();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        environment.add_filter("q", |text: &str| format!("'{}'", text.replace('\'', "''")));
        render(&environment, &self.text, values).map_err(|error| match &self.file {
            Some(file) => Error::usage(
                format!(
                    "{file}:{}: {}",
                    error.line().unwrap_or(0),
                    error
                        .detail()
                        .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
                ),
                "mend the template, or remove the file to use the shipped one",
            ),
            None => Error::internal(&format!("a template: {error:#}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_or_grows_is_refused() {
        let environment = bounded();
        for template in [
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
            "{{ 'A' * 2000000000 }}".into(),
            "{{ 'A' * 90000000 }}".into(),
            "{% macro m(x) %}{{ m(x+1) }}{% endmacro %}{{ m(1) }}".into(),
            format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
            "{{ ('x' * 100000) | replace('x', 'y' * 100000) }}".into(),
            "{% set n = namespace(a='x') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}".into(),
        ] {
            assert!(render(&environment, &template, ()).is_err(), "{template:.60}");
        }
        assert_eq!(render(&environment, "{{ 'a-b' | replace('-', ' ') }}", ()).expect("sound"), "a b");
    }
}
