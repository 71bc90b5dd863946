//! Which files and flags make up the configuration, and in which order they win.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::config::environment::Dirs;
use crate::config::node::{Key, Layer, Node, Origin, Value, parse};
use crate::error::{Error, Problem, Result};

/// The project file's name.
pub(crate) const FILE_NAME: &str = "liveops.yaml";

/// Endpoints given on the command line or by `LIVEOPS_…`, each with where it was said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quick {
    pub(crate) prometheus: Option<(String, String)>,
    pub(crate) alertmanager: Option<(String, String)>,
    pub(crate) redis: Option<(String, String)>,
    /// `URL` or `NAME=URL`.
    pub(crate) health: Vec<(String, String)>,
}

/// The files and flags that were read, merged.
#[derive(Debug)]
pub(crate) struct Layers {
    /// The merged tree.
    pub(crate) root: Node,
    /// The project file, when there is one.
    pub(crate) project: Option<PathBuf>,
    /// The user's file, when there is one.
    pub(crate) user: Option<PathBuf>,
    /// The endpoints of the command line.
    pub(crate) quick: Quick,
}

/// Looks for `liveops.yaml` in the working directory and above it.
pub(crate) fn discover(work: &Path) -> Option<PathBuf> {
    work.ancestors()
        .map(|dir| dir.join(FILE_NAME))
        .find(|path| path.is_file())
}

/// Reads user file and project file and lays them over each other.
///
/// # Errors
/// A file that was named but cannot be read; syntax problems of all files at once.
pub(crate) fn load(dirs: &Dirs, named: Option<&Path>, quick: Quick) -> Result<Layers> {
    let project = match named {
        Some(path) => Some(dirs.work.join(path)),
        None => discover(&dirs.work),
    };
    let user = Some(dirs.config.join("config.yaml")).filter(|path| path.is_file());
    let mut root = Node {
        value: Value::Map(Vec::new()),
        origin: Origin::of(Layer::Default),
    };
    let mut problems = Vec::new();
    let show = |path: &Path| {
        path.strip_prefix(&dirs.work)
            .unwrap_or(path)
            .display()
            .to_string()
    };
    let files = [
        (&user, Layer::User as fn(String) -> Layer),
        (&project, Layer::Project),
    ];
    for (path, layer) in files
        .iter()
        .filter_map(|(path, layer)| Some((path.as_ref()?, layer)))
    {
        let text = fs::read_to_string(path).map_err(|source| Error::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        match parse(&text, &Rc::new(layer(show(path)))) {
            Ok(node) if matches!(node.value, Value::Map(_) | Value::Null) => root.merge(node),
            Ok(node) => problems.push(Problem {
                source: show(path),
                line: node.origin.line,
                key: String::new(),
                message: "the file must be a mapping of keys, such as `version: 1`".into(),
            }),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(Layers {
            root,
            project,
            user,
            quick,
        })
    } else {
        Err(Error::Config { problems })
    }
}

impl Layers {
    /// The tree with the command line's endpoints laid over one environment.
    ///
    /// # Errors
    /// A `--health` that names no URL.
    pub(crate) fn with_quick(&self, environment: &str) -> Result<Node> {
        let mut root = self.root.clone();
        let mut systems = Vec::new();
        for (key, said) in [
            ("prometheus", &self.quick.prometheus),
            ("alertmanager", &self.quick.alertmanager),
            ("flags", &self.quick.redis),
        ] {
            if let Some((url, by)) = said {
                let origin = Origin::of(Layer::Flag(by.clone()));
                // Headers of a file belong to the URL of that file, so the whole endpoint is replaced.
                if let Some(known) = member(&mut root, &["environments", environment]) {
                    remove(known, key);
                }
                systems.push((
                    key,
                    Node::map(
                        vec![("url", Node::scalar(with_scheme(url, key), &origin))],
                        &origin,
                    ),
                ));
            }
        }
        if !systems.is_empty() {
            let origin = Origin::of(Layer::Flag("the command line".into()));
            let environment_node =
                Node::map(vec![(environment, Node::map(systems, &origin))], &origin);
            root.merge(Node::map(vec![("environments", environment_node)], &origin));
        }
        if !self.quick.health.is_empty() {
            remove(&mut root, "services");
            let items = self
                .quick
                .health
                .iter()
                .map(|(text, by)| service(text, by))
                .collect::<Vec<_>>();
            let origin = items[0].origin.clone();
            root.merge(Node::map(
                vec![(
                    "services",
                    Node {
                        value: Value::List(items),
                        origin: origin.clone(),
                    },
                )],
                &origin,
            ));
        }
        Ok(root)
    }
}

/// `game=http://host:5050` or `http://host:5050`, which is then named `host:5050`.
fn service(text: &str, by: &str) -> Node {
    let origin = Origin::of(Layer::Flag(by.to_owned()));
    let named = text
        .split_once('=')
        .filter(|(name, _)| !name.contains([':', '/']));
    let (name, url) =
        named.map_or_else(|| (None, text), |(name, url)| (Some(name.to_owned()), url));
    let url = with_scheme(url, "health");
    let host = || {
        url::Url::parse(&url).ok().and_then(|parsed| {
            let host = parsed.host_str()?.to_owned();
            Some(
                parsed
                    .port()
                    .map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
            )
        })
    };
    let name = name.or_else(host).unwrap_or_else(|| url.clone());
    Node::map(
        vec![
            ("name", Node::scalar(name, &origin)),
            (
                "health",
                Node::map(vec![("url", Node::scalar(url.clone(), &origin))], &origin),
            ),
        ],
        &origin,
    )
}

/// On the command line `localhost:9090` is as good as `http://localhost:9090`.
fn with_scheme(url: &str, system: &str) -> String {
    if url.contains("://") || url.starts_with("file:") {
        url.to_owned()
    } else if system == "flags" {
        format!("redis://{url}")
    } else {
        format!("http://{url}")
    }
}

fn member<'a>(node: &'a mut Node, path: &[&str]) -> Option<&'a mut Node> {
    path.iter()
        .try_fold(node, |node, name| match &mut node.value {
            Value::Map(entries) => entries
                .iter_mut()
                .find(|(key, _): &&mut (Key, Node)| key.name == *name)
                .map(|(_, node)| node),
            Value::Null | Value::Scalar { .. } | Value::List(_) => None,
        })
}

fn remove(node: &mut Node, name: &str) {
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|(key, _)| key.name != name);
    }
}
