//! Which files and flags make up the configuration, and in which order they win.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::config::DEMO_FOLDER;
use crate::config::environment::{Dirs, home, users};
use crate::config::node::{Key, Layer, Node, Origin, Value};
use crate::config::yaml::{Document, MAX_BYTES, parse};
use crate::files::cache::Cache;
use liveops_domain::error::{Error, Problem, Result};

/// The project file's name.
pub const FILE_NAME: &str = "liveops.yaml";

/// What the command line or `LIVEOPS_…` sets, each with where it was said.
#[derive(Debug, Clone, Default)]
pub struct Quick {
    pub prometheus: Option<(String, String)>,
    pub alertmanager: Option<(String, String)>,
    pub redis: Option<(String, String)>,
    /// `URL` or `NAME=URL`.
    pub health: Vec<(String, String)>,
    /// The bound on the whole command.
    pub timeout: Option<(String, String)>,
    /// `true`, when every change is refused.
    pub read_only: Option<(String, String)>,
    /// The environment's name.
    pub env: Option<(String, String)>,
}

/// The files and flags that were read, merged.
#[derive(Debug)]
pub struct Layers {
    /// The merged tree.
    pub root: Node,
    /// The project file, when there is one.
    pub project: Option<PathBuf>,
    /// The project file as it was named, when it was.
    pub named: Option<PathBuf>,
    /// The user's file, when there is one.
    pub user: Option<PathBuf>,
    /// The command line.
    pub quick: Quick,
    /// What is wrong with files that could be read nevertheless.
    pub problems: Vec<Problem>,
    /// Files that cannot be read, and what a kill switch takes in their place.
    pub replaced: Vec<Problem>,
    /// Each file with its text.
    pub texts: Vec<(PathBuf, String)>,
}

/// Looks for `liveops.yaml` in the working directory and above it.
pub fn discover(work: &Path) -> Option<PathBuf> {
    work.ancestors().map(|dir| dir.join(FILE_NAME)).find(|path| path.is_file())
}

/// Reads user file and project file and lays them over each other.
///
/// In place of a file that cannot be parsed a kill switch takes what it was when it was last without an error; where the
/// address is typed, it does without.
///
/// # Errors
/// A file that was named but is not there; syntax problems of all files at once.
pub fn load(dirs: &Dirs, named: Option<&Path>, quick: Quick, for_kill_switch: bool) -> Result<Layers> {
    let project = match named {
        Some(path) => Some(existing(dirs.work.join(path), path)?),
        None => discover(&dirs.work).map(|path| ours(path, dirs)).transpose()?,
    };
    let user = Some(user_file(dirs)).filter(|path| path.is_file());
    let mut layers = Layers {
        root: Node { value: Value::Map(Vec::new()), origin: Origin::of(Layer::Default) },
        project: project.clone(),
        named: named.map(Path::to_owned),
        user: user.clone(),
        quick,
        problems: Vec::new(),
        replaced: Vec::new(),
        texts: Vec::new(),
    };
    let mut broken = Vec::new();
    let files = [(user, Layer::User as fn(String) -> Layer), (project, Layer::Project)];
    for (path, layer) in files {
        let Some(path) = path else { continue };
        let text = read(&path)?;
        let layer = Rc::new(layer(show(&path, dirs)));
        let document = match parsed(&text, &layer) {
            Ok(document) => document,
            Err(mut problem) if for_kill_switch => {
                let good = kept(dirs, &path).load::<String>(FILE_NAME).and_then(|text| parsed(&text, &layer).ok());
                let instead = match &good {
                    Some(_) => "the file serves as it was when it last had no error",
                    None if layers.quick.redis.is_some() || layers.quick.alertmanager.is_some() => {
                        "the file is left out, since the address is typed"
                    }
                    None => {
                        broken.push(problem);
                        continue;
                    }
                };
                problem.message = format!("{}; {instead}", problem.message);
                layers.replaced.push(problem);
                let Some(good) = good else { continue };
                good
            }
            Err(problem) => {
                broken.push(problem);
                continue;
            }
        };
        layers.problems.extend(document.problems);
        layers.root.merge(document.root);
        layers.texts.push((path, text));
    }
    if broken.is_empty() {
        Ok(layers)
    } else {
        broken.splice(0..0, layers.problems);
        Err(Error::Config { problems: broken })
    }
}

/// Where the user's own file is, or would be.
pub fn user_file(dirs: &Dirs) -> PathBuf {
    dirs.config.join("config.yaml")
}

/// A path as a person would type it from here: relative below the working directory, `~/…` below the home folder.
pub fn show(path: &Path, dirs: &Dirs) -> String {
    if let Ok(below) = path.strip_prefix(&dirs.work) {
        return below.display().to_string();
    }
    match home().map(|home| path.strip_prefix(home).map(Path::to_owned)) {
        Some(Ok(below)) => format!("~/{}", below.display()),
        _ => path.display().to_string(),
    }
}

/// A file that was not named, but found, must be of this user or of root: in `/tmp` and on shared machines anybody can
/// put one above the working directory (as CVE-2022-24765 of git).
#[cfg(unix)]
fn ours(path: PathBuf, dirs: &Dirs) -> Result<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let io = |source| Error::Io { action: "read", path: path.clone(), source };
    let owners = [fs::symlink_metadata(&path).map_err(io)?.uid(), fs::metadata(&path).map_err(io)?.uid()];
    let Some(stranger) = owners.into_iter().find(|uid| *uid != 0 && !users().contains(uid)) else {
        return Ok(path);
    };
    let named = show(&path, dirs);
    Err(Error::Refused {
        why: format!("{} belongs to another user (uid {stranger}), and was not named", path.display()),
        hint: format!(
            "look at it; if that is right, name it: `--config {}`",
            liveops_domain::text::shell::word(&named)
        ),
    })
}

#[cfg(not(unix))]
fn ours(path: PathBuf, _: &Dirs) -> Result<PathBuf> {
    Ok(path)
}

fn existing(path: PathBuf, named: &Path) -> Result<PathBuf> {
    let wrong = if path.is_file() {
        return Ok(path);
    } else if path.is_dir() {
        "is a folder"
    } else if path.exists() {
        // A pipe, such as `--config <(generate)`.
        return Ok(path);
    } else {
        "does not exist"
    };
    Err(Error::usage(
        format!("the configuration file `{}` {wrong}", named.display()),
        "it was named by `--config` or `LIVEOPS_CONFIG`; correct that, leave it out, or write the file with `liveops init --out FILE`",
    ))
}

/// Where the text of a file is kept that had no error.
fn kept(dirs: &Dirs, path: &Path) -> Cache {
    Cache::new(&dirs.cache, &["configuration", &path.display().to_string()])
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    fs::File::open(path)
        // One byte more than it may have, so that it is found to have too many.
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text))
        .map_err(|source| Error::Io { action: "read", path: path.to_owned(), source })?;
    Ok(text)
}

fn parsed(text: &str, layer: &Rc<Layer>) -> Result<Document, Problem> {
    let document = parse(text, layer)?;
    if matches!(document.root.value, Value::Map(_) | Value::Null) {
        return Ok(document);
    }
    Err(Problem {
        source: layer.name().to_owned(),
        line: document.root.origin.line,
        key: String::new(),
        message: "the file must be a mapping of keys, such as `version: 1`".into(),
    })
}

impl Layers {
    /// Keeps the files as they are: nothing in them is wrong.
    pub fn keep(&self, dirs: &Dirs) {
        let is_demo = |path: &Path| {
            path.parent()
                .and_then(Path::file_name)
                .is_some_and(|folder| folder.to_string_lossy().starts_with(DEMO_FOLDER))
        };
        for (path, text) in self.texts.iter().filter(|(path, _)| path.is_file() && !is_demo(path)) {
            let cache = kept(dirs, path);
            if cache.load::<String>(FILE_NAME).as_ref() != Some(text) {
                cache.save(FILE_NAME, text);
            }
        }
    }

    /// A command line that reads the same file: `config trust` becomes `liveops --config x.yaml config trust`.
    pub fn command(&self, verb: &str) -> String {
        match &self.named {
            Some(path) => format!("liveops --config {} {verb}", path.display()),
            None => format!("liveops {verb}"),
        }
    }

    /// The project file's absolute path, as the trust remembers it.
    pub fn project_key(&self) -> String {
        let path = self.project.as_deref().unwrap_or_else(|| Path::new(FILE_NAME));
        path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
    }

    /// The tree with the command line laid over it and over one environment.
    pub fn with_quick(&self, environment: &str) -> Node {
        let mut root = self.root.clone();
        for (key, said) in [("timeout", &self.quick.timeout), ("read_only", &self.quick.read_only)] {
            if let Some((value, by)) = said {
                let origin = Origin::of(Layer::Flag(by.clone()));
                root.merge(Node::map(vec![(key, Node::scalar(value.clone(), &origin))], &origin));
            }
        }
        let mut systems = Vec::new();
        for (key, said) in [
            ("prometheus", &self.quick.prometheus),
            ("alertmanager", &self.quick.alertmanager),
            ("flags", &self.quick.redis),
        ] {
            if let Some((url, by)) = said {
                let origin = Origin::of(Layer::Flag(by.clone()));
                // Headers of a file belong to the URL of that file, so the whole endpoint is replaced; how the
                // services read their flags is no matter of where those are.
                let path = ["environments", environment, key];
                match member(&mut root, &path).map(|node| &mut node.value) {
                    Some(Value::Map(entries)) if key == "flags" => {
                        entries.retain(|(name, _)| ["key", "reader", "cache_ttl"].contains(&&*name.name));
                    }
                    Some(_) => {
                        if let Some(known) = member(&mut root, &path[..2]) {
                            remove(known, key);
                        }
                    }
                    None => {}
                }
                systems.push((key, Node::map(vec![("url", Node::scalar(with_scheme(url, key), &origin))], &origin)));
            }
        }
        if !systems.is_empty() {
            let origin = Origin::of(Layer::Flag("the command line".into()));
            let environment_node = Node::map(vec![(environment, Node::map(systems, &origin))], &origin);
            root.merge(Node::map(vec![("environments", environment_node)], &origin));
        }
        if !self.quick.health.is_empty() {
            remove(&mut root, "services");
            if let Some(known) = member(&mut root, &["environments", environment]) {
                // Overrides of services that are not asked.
                remove(known, "services");
            }
            let items = self.quick.health.iter().map(|(text, by)| service(text, by)).collect::<Vec<_>>();
            let origin = items[0].origin.clone();
            root.merge(Node::map(
                vec![("services", Node { value: Value::List(items), origin: origin.clone() })],
                &origin,
            ));
        }
        root
    }
}

fn service(text: &str, by: &str) -> Node {
    let origin = Origin::of(Layer::Flag(by.to_owned()));
    let (name, url) = named_url(text);
    Node::map(
        vec![
            ("name", Node::scalar(name, &origin)),
            ("health", Node::map(vec![("url", Node::scalar(url, &origin))], &origin)),
        ],
        &origin,
    )
}

/// `game=http://host:5050`, or `http://host:5050`, which is then named `host:5050`: name and URL.
pub fn named_url(text: &str) -> (String, String) {
    let named = text.split_once('=').filter(|(name, _)| !name.contains([':', '/']));
    let (name, url) = named.map_or_else(|| (None, text), |(name, url)| (Some(name.to_owned()), url));
    let url = with_scheme(url, "health");
    let host = || {
        let parsed = url::Url::parse(&url).ok()?;
        let host = parsed.host_str()?.to_owned();
        Some(match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        })
    };
    let name = name.or_else(host).unwrap_or_else(|| url.clone());
    (name, url)
}

/// On the command line `localhost:9090` is as good as `http://localhost:9090`.
pub fn with_scheme(url: &str, system: &str) -> String {
    if url.contains("://") || url.starts_with("file:") {
        url.to_owned()
    } else if system == "flags" {
        format!("redis://{url}")
    } else {
        format!("http://{url}")
    }
}

fn member<'a>(node: &'a mut Node, path: &[&str]) -> Option<&'a mut Node> {
    path.iter().try_fold(node, |node, name| match &mut node.value {
        Value::Map(entries) => {
            entries.iter_mut().find(|(key, _): &&mut (Key, Node)| key.name == *name).map(|(_, node)| node)
        }
        Value::Null | Value::Scalar { .. } | Value::List(_) => None,
    })
}

fn remove(node: &mut Node, name: &str) {
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|(key, _)| key.name != name);
    }
}
