//! The file: may it be written, is it sound, and on the disk as a whole or not at all.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::config::layers::{Layers, Quick};
use crate::config::node::Layer;
use crate::config::{validate, yaml};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::prompt;

/// Bounds on one call and on all of them together.
pub(crate) fn limits(cx: &Context) -> (Duration, Duration) {
    (Duration::from_secs(5), cx.global.timeout.unwrap_or(Duration::from_secs(30)))
}

/// Asks before an existing file is overwritten.
///
/// # Errors
/// `Refused`, when it is not to be, or nobody can be asked.
pub(crate) fn may_write(path: &Path, force: bool, cx: &Context) -> Result<()> {
    if path.is_dir() {
        return Err(Error::usage(
            format!("{} is a folder", path.display()),
            "name a file: `--out FOLDER/liveops.yaml`",
        ));
    }
    if force || cx.global.yes || !path.exists() {
        return Ok(());
    }
    let refused = |hint: &str| Error::Refused {
        why: format!("{} exists already; nothing was written", path.display()),
        hint: hint.into(),
    };
    if !prompt::can_prompt() {
        return Err(refused("pass `--force` to overwrite it, or `--out FILE` to write another one"));
    }
    if prompt::confirm(&format!("{} exists already; overwrite it?", path.display()))? {
        Ok(())
    } else {
        Err(refused("`liveops config validate` checks the one that is there"))
    }
}

/// Would `config validate` accept the text?
///
/// # Errors
/// Its problems. They come from an answer, such as an environment's name that no environment can have.
pub(crate) fn check(text: &str) -> Result<()> {
    let layer = Rc::new(Layer::Project("the new file".into()));
    let document = yaml::parse(text, &layer).map_err(|problem| Error::Config { problems: vec![problem] })?;
    let problems = validate(&Layers {
        root: document.root,
        project: None,
        named: None,
        user: None,
        quick: Quick::default(),
        problems: document.problems,
    });
    if problems.errors.is_empty() { Ok(()) } else { Err(Error::Config { problems: problems.errors }) }
}
