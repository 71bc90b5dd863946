//! What you set up: files, environment variables and flags, merged, with the origin of each value.

pub mod backups;
pub mod checklist;
pub mod decode;
pub mod documents;
pub mod endpoint;
pub mod environment;
pub mod flags;
mod freeze;
pub mod incidents;
pub mod keys;
pub mod kpi;
pub mod layers;
pub mod node;
pub mod notify;
pub mod policy;
pub mod presets;
pub mod regions;
pub mod rollout;
pub mod schedule;
pub mod schema;
pub mod secret;
pub mod security;
pub mod service;
pub mod slo;
pub mod trust;
pub mod yaml;

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::backups::Program;
use crate::config::decode::Problems;
use crate::config::endpoint::Endpoint;
use crate::config::environment::Dirs;
use crate::config::flags::FlagSettings;
use crate::config::layers::{Layers, Quick};
use crate::config::node::{Layer, Node, Origin};
use crate::config::notify::Channel;
use crate::config::schema::Settings;
use crate::config::secret::{Secret, Source};
use crate::config::trust::{Place, Trust, Wish};
use crate::files::file::write_private;
use liveops_domain::error::{Error, Problem, Result};
use liveops_domain::text::redact::is_secret_name;
use liveops_domain::text::secret::{Revealed, remember, remember_if_secret, remember_url};

/// The name of the environment when the configuration has none.
const ONLY: &str = "default";

/// What the name of a demo's folder begins with.
pub const DEMO_FOLDER: &str = "liveops-demo-";

/// How long the answer of a secret's command is used.
const KEEP: Duration = Duration::from_secs(60);

/// What a kill switch does without: an error in it must not stand before the switch.
const SPARE: [&str; 9] =
    ["backups", "changes", "dependencies", "freezes", "incidents", "kpis", "notify", "security", "slos"];

/// Is this the key of such a part, or of one within it?
fn is_spare(key: &str) -> bool {
    SPARE.iter().any(|part| key.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
}

/// The configuration as one command sees it.
#[derive(Debug)]
pub struct Config {
    /// What was read.
    pub layers: Layers,
    /// The tree with the command line laid over it.
    pub root: Node,
    /// The settings of the chosen environment.
    pub settings: Settings,
    /// Things that work but will surprise.
    pub warnings: Vec<Problem>,
    /// Errors in parts that a kill switch does without.
    pub passed_over: Vec<Problem>,
    trust: Trust,
    work: PathBuf,
    revealed: RefCell<Vec<Kept>>,
    /// The project's key: two hundred endpoints ask for it.
    key: OnceCell<String>,
}

/// What a secret's command printed.
#[derive(Debug)]
struct Kept {
    source: Source,
    base: PathBuf,
    value: Revealed,
    at: Instant,
}

/// A program with its arguments, and what it finds in its environment.
pub type CommandLine = (Vec<String>, Vec<(String, Revealed)>);

impl Config {
    /// Reads, merges, chooses the environment (as it is in a region, where one is named) and decodes it.
    ///
    /// For a kill switch, errors in parts that it does without are passed over.
    ///
    /// # Errors
    /// Every problem of every file at once; an environment that does not exist.
    pub fn load(
        dirs: &Dirs,
        named: Option<&Path>,
        environment: Option<&str>,
        region: Option<&str>,
        quick: Quick,
        for_kill_switch: bool,
    ) -> Result<Self> {
        let mut layers = layers::load(dirs, named, quick, for_kill_switch)?;
        let environment = choose(&layers.root, environment)?;
        if let Some(region) = region
            && !regions::overlay(&mut layers.root, &environment, region)
        {
            return Err(Error::NotFound {
                what: "region",
                name: region.to_owned(),
                candidates: regions::names(&layers.root, &environment),
            });
        }
        let root = layers.with_quick(&environment);
        let mut problems = Problems { errors: layers.problems.clone(), ..Problems::default() };
        let settings = schema::decode(&root, &environment, &mut problems);
        problems.sort();
        let mut passed_over = layers.replaced.clone();
        if for_kill_switch {
            passed_over.extend(problems.errors.extract_if(.., |problem| is_spare(&problem.key)));
        }
        if !problems.errors.is_empty() {
            return Err(Error::Config { problems: problems.errors });
        }
        if passed_over.is_empty() {
            layers.keep(dirs);
        }
        let trust = Trust::load(&dirs.state);
        Ok(Self {
            layers,
            root,
            settings,
            warnings: problems.warnings,
            passed_over,
            trust,
            work: dirs.work.clone(),
            revealed: RefCell::default(),
            key: OnceCell::new(),
        })
    }

    /// The folder that relative paths of a value start from: that of the file that holds it, and for the command
    /// line the working directory. A project can thus never put its own file in the place of one of the user's.
    pub fn base(&self, origin: &Origin) -> PathBuf {
        let file = match *origin.layer {
            Layer::Project(_) => self.layers.project.as_deref(),
            Layer::User(_) => self.layers.user.as_deref(),
            Layer::Default | Layer::Flag(_) => None,
        };
        file.and_then(Path::parent).unwrap_or(&self.work).to_owned()
    }

    /// The project's folder: that of its file, or the working directory. Documents are kept below it.
    pub fn folder(&self) -> PathBuf {
        let file = self.layers.project.as_deref();
        let folder = file.and_then(Path::parent).unwrap_or(&self.work);
        self.work.join(folder)
    }

    /// The URL and headers of an endpoint, with their secrets.
    ///
    /// # Errors
    /// A secret that cannot be had, or that a project file may not use without `liveops config trust`.
    pub fn reveal(&self, name: &str, endpoint: &Endpoint) -> Result<(Revealed, Vec<(String, Revealed)>)> {
        let url = self.reveal_url(name, endpoint)?;
        let headers = endpoint.headers.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?)));
        let headers: Vec<(String, Revealed)> = headers.collect::<Result<_>>()?;
        // From here on, whatever echoes them is masked.
        for ((name, secret), (_, value)) in endpoint.headers.iter().zip(&headers) {
            remember_header(name, secret, value);
        }
        Ok((url, headers))
    }

    /// The URL of an endpoint alone.
    ///
    /// # Errors
    /// As [`Config::reveal`].
    pub fn reveal_url(&self, name: &str, endpoint: &Endpoint) -> Result<Revealed> {
        self.permit(trust::of_endpoint(name, endpoint, &self.folder()))?;
        let url = match endpoint.url.source {
            Source::Command(_) => self.value(&endpoint.url)?,
            _ => endpoint.url.reveal_url(&self.base(&endpoint.url.origin))?,
        };
        remember_url(url.expose());
        remember_parts(&endpoint.url, url.expose());
        Ok(url)
    }

    /// The flags of another environment, as the files have them: the command line speaks of the chosen one alone.
    ///
    /// # Errors
    /// An environment that does not exist, and everything that is wrong in it.
    pub fn flags_of(&self, environment: &str) -> Result<FlagSettings> {
        if environment == self.settings.environment {
            return Ok(self.settings.flags.clone());
        }
        let environment = choose(&self.layers.root, Some(environment))?;
        let mut problems = Problems::default();
        let settings = schema::decode(&self.layers.root, &environment, &mut problems);
        problems.sort();
        if problems.errors.is_empty() { Ok(settings.flags) } else { Err(Error::Config { problems: problems.errors }) }
    }

    /// Where something of the project is kept.
    ///
    /// # Errors
    /// `Secret`, when a project file, or a link in the project, leads out of it without `liveops config trust`.
    pub fn place(&self, place: &Place) -> Result<PathBuf> {
        let folder = self.folder();
        self.permit(trust::of_place(place, &folder))?;
        Ok(folder.join(&place.path))
    }

    /// A file in such a place, which no link takes out of it.
    ///
    /// # Errors
    /// As [`Config::place`], which here no trust mends.
    pub fn file_in(&self, place: &Place, name: &str) -> Result<PathBuf> {
        let folder = self.place(place)?;
        self.found_in(place, &folder, folder.join(name))
    }

    /// A file that was found in the folder of such a place.
    ///
    /// # Errors
    /// As [`Config::file_in`].
    pub fn found_in(&self, place: &Place, folder: &Path, path: PathBuf) -> Result<PathBuf> {
        if place.origin.is_of_user() || trust::lies_below(&path, &[folder, &self.folder()]) {
            return Ok(path);
        }
        Err(Error::Secret {
            what: format!("{} cannot be used", path.display()),
            reason: "it is a link that leads out of the project".into(),
            hint: "put the file itself there".into(),
        })
    }

    /// The file of flags at a path that somebody said, or the usual one.
    ///
    /// # Errors
    /// As [`Config::place`].
    pub fn flag_file(&self, path: &str, said: Option<&Origin>) -> Result<PathBuf> {
        let place = Place::usual(flags::FILE, path.trim_start_matches("//"));
        match said {
            Some(origin) => self.place_as_said(&Place { origin: origin.clone(), ..place }),
            None => self.place(&place),
        }
    }

    /// A path that is meant from where it was said: beside the file that says it.
    ///
    /// # Errors
    /// As [`Config::place`].
    pub fn place_as_said(&self, place: &Place) -> Result<PathBuf> {
        self.place(&Place { path: self.base(&place.origin).join(&place.path), ..place.clone() })
    }

    /// The program of a channel may be run.
    ///
    /// # Errors
    /// As [`Config::place`].
    pub fn permit_channel(&self, channel: &Channel) -> Result<()> {
        self.permit(trust::of_channel(channel, &self.folder()))
    }

    /// A program that knows backups may be run, with what it finds in its environment.
    ///
    /// # Errors
    /// As [`Config::place`]; a secret that cannot be had.
    pub fn program(&self, program: &Program) -> Result<CommandLine> {
        self.permit(trust::of_program(program, &self.folder()))?;
        let env = program.env.headers.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?)));
        let env: Vec<(String, Revealed)> = env.collect::<Result<_>>()?;
        for ((name, secret), (_, value)) in program.env.headers.iter().zip(&env) {
            remember_header(name, secret, value);
        }
        Ok((program.command.clone(), env))
    }

    fn permit(&self, wishes: impl IntoIterator<Item = Wish>) -> Result<()> {
        let file = self.project_key();
        match wishes.into_iter().find(|wish| !self.trust.allows(file, wish)) {
            Some(wish) => Err(self.untrusted(&wish.text)),
            None => Ok(()),
        }
    }

    fn untrusted(&self, wish: &str) -> Error {
        Error::Secret {
            what: format!("{} is not trusted", self.shown_project()),
            reason: format!("it wants to {wish}"),
            hint: format!("look at the file; if that is right, run `{}`", self.layers.command("config trust")),
        }
    }

    fn shown_project(&self) -> String {
        let path = self.layers.project.as_deref().unwrap_or(Path::new(layers::FILE_NAME));
        path.strip_prefix(&self.work).unwrap_or(path).display().to_string()
    }

    /// The value of a secret. A program's answer is kept for a minute: `--watch` asks each frame, and one token
    /// may stand at several systems.
    fn value(&self, secret: &Secret) -> Result<Revealed> {
        let base = self.base(&secret.origin);
        if !matches!(secret.source, Source::Command(_)) {
            return secret.reveal(&base);
        }
        let known = |known: &&Kept| known.source == secret.source && known.base == base;
        if let Some(kept) = self.revealed.borrow().iter().find(known)
            && kept.at.elapsed() < KEEP
        {
            return Ok(kept.value.clone());
        }
        let kept = Kept {
            source: secret.source.clone(),
            value: secret.reveal(&base)?,
            base: base.clone(),
            at: Instant::now(),
        };
        let value = kept.value.clone();
        let mut all = self.revealed.borrow_mut();
        all.retain(|known| known.source != kept.source || known.base != kept.base);
        all.push(kept);
        Ok(value)
    }

    /// The project as records name it: by its name, or by the path of its file; none without a file.
    pub fn project(&self) -> Option<String> {
        let named = self.settings.project.clone();
        named.or_else(|| self.layers.project.as_ref().map(|_| self.project_key().to_owned()))
    }

    /// The state of a demo lies in its own throw-away folder. Nothing that a file says leads there: a project must not
    /// be able to keep its changes out of the user's audit log.
    pub fn demo_state(&self) -> Option<PathBuf> {
        let folder = self.folder().canonicalize().ok()?;
        let is_demo = folder.file_name()?.to_str()?.starts_with(DEMO_FOLDER);
        let temporary = std::env::temp_dir().canonicalize().ok()?;
        (is_demo && folder.parent() == Some(&temporary)).then(|| folder.join("state"))
    }

    /// The project file's absolute path, as the trust remembers it.
    pub fn project_key(&self) -> &str {
        self.key.get_or_init(|| self.layers.project_key())
    }
}

/// What the project file asks for in all environments and regions. A file with problems is not trusted: it may ask for
/// more once they are mended.
///
/// # Errors
/// Its problems.
pub fn wishes_of(layers: &Layers) -> Result<Vec<Wish>> {
    let mut problems = Problems { errors: layers.problems.clone(), ..Problems::default() };
    let folder = layers.project.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let mut wishes = Vec::new();
    each(layers, &mut problems, |settings| wishes.extend(trust::wishes(settings, folder)));
    if !problems.errors.is_empty() {
        problems.sort();
        return Err(Error::Config { problems: problems.errors });
    }
    wishes.sort();
    wishes.dedup();
    Ok(wishes)
}

/// Remembers that the user agreed to exactly these wishes of a project file.
///
/// # Errors
/// `Io`.
pub fn trust_in(trust: &Trust, file: &str, wishes: &[Wish]) -> Result<()> {
    write_private(trust.path(), trust.with(file, wishes)?.as_bytes()).map_err(|source| Error::Io {
        action: "write",
        path: trust.path().to_owned(),
        source,
    })
}

/// The settings of every environment and region.
fn each(layers: &Layers, problems: &mut Problems, mut look: impl FnMut(&schema::Settings)) {
    for name in environments(&layers.root) {
        look(&schema::decode(&layers.root, &name, problems));
        for region in regions::names(&layers.root, &name) {
            let mut root = layers.root.clone();
            if regions::overlay(&mut root, &name, &region) {
                look(&schema::decode(&root, &name, problems));
            }
        }
    }
}

/// A header's value is a secret where its name says so, or where it was kept out of the file as one.
fn remember_header(name: &str, secret: &Secret, value: &Revealed) {
    let named = is_secret_name(name) || ["routing_key", "X-ClickHouse-Key"].contains(&name);
    match &secret.source {
        Source::File(_) | Source::Command(_) => remember(value.expose()),
        Source::Template(_) => {
            for (_, value) in secret.values() {
                if named { remember(&value) } else { remember_if_secret(&value) }
            }
        }
    }
}

/// A variable in a URL is a secret where its name says so, whatever it looks like; the host is none.
fn remember_parts(secret: &Secret, url: &str) {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default();
    let is_part = |value: &str| !value.contains("://") && !host.contains(value);
    for (_, value) in secret.values().into_iter().filter(|(name, value)| is_secret_name(name) && is_part(value)) {
        remember(&value);
    }
}

/// Checks every environment of the files, and returns all problems, sorted by place.
pub fn validate(layers: &Layers) -> Problems {
    let mut all = Problems { errors: layers.problems.clone(), ..Problems::default() };
    each(layers, &mut all, |_| ());
    // What is wrong with an environment is wrong in each of its regions: each problem once.
    all.sort();
    all
}

/// The environments of the files, or the name of the only one when they have none.
pub fn environments(root: &Node) -> Vec<String> {
    let names = schema::environments(root);
    if names.is_empty() { vec![ONLY.into()] } else { names }
}

/// `--env`, else `default_env`, else the only one there is.
fn choose(root: &Node, asked: Option<&str>) -> Result<String> {
    let names = schema::environments(root);
    if let Some(name) = asked {
        if names.is_empty() && !decode::is_place_name(name) {
            return Err(Error::usage(format!("`{name}` cannot be the name of an environment"), decode::PLACE_NAMES));
        }
        return match names.is_empty() || names.iter().any(|known| known == name) {
            true => Ok(name.to_owned()),
            false => Err(Error::NotFound { what: "environment", name: name.to_owned(), candidates: names }),
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
            format!("the configuration has several environments: {}", several.join(", ")),
            format!("choose one with `-e {}`, or set `default_env`", several[0]),
        )),
    }
}
