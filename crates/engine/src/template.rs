//! The templates of documents: shipped with liveops, and overridden by a file of the same path below `templates` of the
//! configuration.

use std::fs;
use std::io::ErrorKind;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::session::Session;
use liveops_domain::error::{Error, Result};

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
        if let Some(folder) = &config.settings.documents.templates {
            let file = config.folder().join(folder).join(path);
            match fs::read_to_string(&file) {
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
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_keep_trailing_newline(true);
        environment.render_named_str("template", &self.text, values).map_err(|error| match &self.file {
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
