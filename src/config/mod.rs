//! What you set up: files, environment variables and flags, merged, with the origin of each value.

pub(crate) mod decode;
pub(crate) mod environment;
pub(crate) mod kpi;
pub(crate) mod layers;
pub(crate) mod node;
pub(crate) mod presets;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod trust;

use std::path::{Path, PathBuf};

use crate::config::decode::Problems;
use crate::config::environment::Dirs;
use crate::config::layers::{Layers, Quick};
use crate::config::node::Node;
use crate::config::schema::{Endpoint, Settings};
use crate::config::secret::Revealed;
use crate::config::trust::Trust;
use crate::error::{Error, Problem, Result};

/// The name of the environment when the configuration has none.
const ONLY: &str = "default";

/// The configuration as one command sees it.
#[derive(Debug)]
pub(crate) struct Config {
    /// What was read.
    pub(crate) layers: Layers,
    /// The tree with the command line laid over it.
    pub(crate) root: Node,
    /// The settings of the chosen environment.
    pub(crate) settings: Settings,
    /// Things that work but will surprise.
    pub(crate) warnings: Vec<Problem>,
    trust: Trust,
}

impl Config {
    /// Reads, merges, chooses the environment and decodes it.
    ///
    /// # Errors
    /// Every problem of every file at once; an environment that does not exist.
    pub(crate) fn load(
        dirs: &Dirs,
        named: Option<&Path>,
        environment: Option<&str>,
        quick: Quick,
    ) -> Result<Self> {
        let layers = layers::load(dirs, named, quick)?;
        let environment = choose(&layers.root, environment)?;
        let root = layers.with_quick(&environment)?;
        let mut problems = Problems::default();
        let settings = schema::decode(&root, &environment, &mut problems);
        if !problems.errors.is_empty() {
            return Err(Error::Config {
                problems: problems.errors,
            });
        }
        let trust = Trust::load(&dirs.state);
        Ok(Self {
            layers,
            root,
            settings,
            warnings: problems.warnings,
            trust,
        })
    }

    /// The folder that relative paths of the configuration start from.
    pub(crate) fn base(&self) -> PathBuf {
        self.layers
            .project
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or_else(|| Path::new("."))
            .to_owned()
    }

    /// The URL and headers of an endpoint, with their secrets.
    ///
    /// # Errors
    /// A secret that cannot be had, or that a project file may not use without `liveops config trust`.
    pub(crate) fn reveal(
        &self,
        name: &str,
        endpoint: &Endpoint,
    ) -> Result<(Revealed, Vec<(String, Revealed)>)> {
        for wish in trust::of(name, endpoint) {
            if !self.trust.allows(&self.project_key(), &wish) {
                return Err(Error::Secret {
                    what: format!("{} is not trusted", self.project_key()),
                    reason: format!("it wants to {wish}"),
                    hint: "look at the file; if that is right, run `liveops config trust`".into(),
                });
            }
        }
        let base = self.base();
        let headers = endpoint
            .headers
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.reveal(&base)?)));
        Ok((endpoint.url.reveal(&base)?, headers.collect::<Result<_>>()?))
    }

    /// The project file's absolute path, as the trust remembers it.
    pub(crate) fn project_key(&self) -> String {
        let path = self
            .layers
            .project
            .as_deref()
            .unwrap_or_else(|| Path::new(layers::FILE_NAME));
        path.canonicalize()
            .unwrap_or_else(|_| path.to_owned())
            .display()
            .to_string()
    }
}

/// Checks every environment of the files, and returns all problems, sorted by place.
pub(crate) fn validate(root: &Node) -> Problems {
    let mut names = schema::environments(root);
    if names.is_empty() {
        names.push(ONLY.into());
    }
    let mut all = Problems::default();
    for name in names {
        schema::decode(root, &name, &mut all);
    }
    for list in [&mut all.errors, &mut all.warnings] {
        list.sort_by(|a, b| (&a.source, a.line, &a.key).cmp(&(&b.source, b.line, &b.key)));
        list.dedup();
    }
    all
}

/// `--env`, else `default_env`, else the only one there is.
fn choose(root: &Node, asked: Option<&str>) -> Result<String> {
    let names = schema::environments(root);
    if let Some(name) = asked {
        return match names.is_empty() || names.iter().any(|known| known == name) {
            true => Ok(name.to_owned()),
            false => Err(Error::NotFound {
                what: "environment",
                name: name.to_owned(),
                candidates: names,
            }),
        };
    }
    if let Some(name) = root.get("default_env").and_then(Node::text) {
        // A name that does not exist is reported by the schema, with its line.
        return Ok(name.to_owned());
    }
    match names.as_slice() {
        [] => Ok(ONLY.into()),
        [only] => Ok(only.clone()),
        several => Err(Error::usage(
            format!(
                "the configuration has several environments: {}",
                several.join(", ")
            ),
            format!("choose one with `-e {}`, or set `default_env`", several[0]),
        )),
    }
}
