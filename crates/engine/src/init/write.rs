//! The file: may it be written, is it sound, and on the disk as a whole or not at all.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::config::layers::{self, Layers, Quick};
use crate::config::node::Layer;
use crate::config::trust::Trust;
use crate::config::{trust_in, validate, wishes_of, yaml};
use crate::session::Session;
use liveops_domain::error::{Error, Result};

/// Bounds on one call and on all of them together.
pub fn limits(cx: &Session) -> (Duration, Duration) {
    (Duration::from_secs(5), cx.choices.timeout.unwrap_or(Duration::from_secs(30)))
}

/// Asks before an existing file is overwritten.
///
/// # Errors
/// `Refused`, when it is not to be, or nobody can be asked.
pub fn may_write(path: &Path, force: bool, cx: &Session) -> Result<()> {
    if path.is_dir() {
        return Err(Error::usage(
            format!("{} is a folder", path.display()),
            "name a file: `--out FOLDER/liveops.yaml`",
        ));
    }
    if force || cx.choices.yes || !path.exists() {
        return Ok(());
    }
    let refused = |hint: &str| Error::Refused {
        why: format!("{} exists already; nothing was written", path.display()),
        hint: hint.into(),
    };
    if !cx.ask.can_ask() {
        return Err(refused("pass `--force` to overwrite it, or `--out FILE` to write another one"));
    }
    if cx.ask.confirm(&format!("{} exists already; overwrite it?", path.display()))? {
        Ok(())
    } else {
        Err(refused("`liveops config validate` checks the one that is there"))
    }
}

/// What the new file asks for is agreed to: the person named all of it.
///
/// # Errors
/// `Io`.
pub fn trust(path: &Path, cx: &Session) -> Result<()> {
    let layers = layers::load(&cx.dirs, Some(path), Quick::default(), false)?;
    let wishes = wishes_of(&layers)?;
    if wishes.is_empty() {
        return Ok(());
    }
    trust_in(&Trust::load(&cx.dirs.state), &layers.project_key(), &wishes)
}

/// Would `config validate` accept the text?
///
/// # Errors
/// Its problems. They come from an answer, such as an environment's name that no environment can have.
pub fn check(text: &str) -> Result<()> {
    let layer = Rc::new(Layer::Project("the new file".into()));
    let document = yaml::parse(text, &layer).map_err(|problem| Error::Config { problems: vec![problem] })?;
    let problems = validate(&Layers {
        root: document.root,
        project: None,
        named: None,
        user: None,
        quick: Quick::default(),
        problems: document.problems,
        replaced: Vec::new(),
        texts: Vec::new(),
    });
    if problems.errors.is_empty() { Ok(()) } else { Err(Error::Config { problems: problems.errors }) }
}
