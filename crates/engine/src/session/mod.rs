//! Who acts, where, by which settings: the door to clients, files and stores.

pub(crate) mod lookup;
mod scope;

use std::cell::{Cell, OnceCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::change::ChangeContext;
use crate::change::confirmed::Confirmed;
use crate::change::incident_events::IncidentEvents;
use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::Http;
use crate::clients::http::request::Effort;
use crate::clients::http::target::Target;
use crate::clients::kubectl::Kubectl;
use crate::clients::redis::{Redis, Security};
use crate::clock::Clock;
use crate::config::endpoint::Endpoint;
use crate::config::environment::Dirs;
use crate::config::flags::FlagSettings;
use crate::config::layers::Quick;
use crate::config::trust::Place;
use crate::config::{Config, flags};
use crate::files::cache::Cache;
use crate::files::incidents::Incidents;
use crate::files::journal::Journal;
use crate::files::outbox::Outbox;
use crate::flagstore::Flags;
use crate::flagstore::file::FileFlags;
use crate::flagstore::redis::{RedisFlags, permissions};
use crate::interrupts::Interrupts;
use crate::voice::{Ask, Voice};
use liveops_domain::error::{Error, Problem, Result};
use liveops_domain::text::paste::Repeat;
use liveops_domain::text::redact::redact_url;
use liveops_domain::text::redis_url::RedisUrl;
use liveops_domain::text::secret::remember;

/// What was chosen for the whole of a run.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The configuration file, where one was named.
    pub config: Option<PathBuf>,
    /// The environment, where one was named.
    pub env: Option<String>,
    /// The bound on the whole command.
    pub timeout: Option<Duration>,
    /// Refuse every change.
    pub read_only: bool,
    /// Show what would be done, and do nothing.
    pub dry_run: bool,
    /// Ask for no confirmation.
    pub yes: bool,
    /// The protected environment that is meant.
    pub confirm: Option<String>,
    /// Say nothing but the report and errors.
    pub quiet: bool,
    /// Endpoints that were named, as they were typed.
    pub prometheus: Option<String>,
    pub alertmanager: Option<String>,
    pub health: Vec<String>,
    pub redis: Option<String>,
}

/// Who acts, and how the person is reached.
#[derive(Debug, Clone)]
pub struct Person {
    pub voice: Rc<dyn Voice>,
    pub ask: Rc<dyn Ask>,
    /// Who acts.
    pub actor: String,
    /// What was typed, for the audit log; without secrets.
    pub command_line: String,
    /// The flags that commands to paste carry.
    pub repeat: Repeat,
}

#[cfg(test)]
impl Person {
    /// Hears nothing and answers nothing, for tests.
    pub(crate) fn silent(actor: &str, command_line: String) -> Self {
        let nobody = Rc::new(crate::voice::Nobody);
        let repeat = Repeat::default();
        Self { voice: nobody.clone(), ask: nobody, actor: actor.to_owned(), command_line, repeat }
    }
}

/// What an operation works with. Nothing is read or dialled before it is needed.
#[derive(Debug)]
pub struct Session {
    pub choices: Choices,
    pub clock: Clock,
    pub dirs: Dirs,
    pub voice: Rc<dyn Voice>,
    pub ask: Rc<dyn Ask>,
    /// Who acts.
    pub actor: String,
    /// What was typed, for the audit log; without secrets.
    pub command_line: String,
    repeat: Repeat,
    pub interrupts: Rc<Interrupts>,
    /// The region of the environment that it is about, where it is about one.
    pub region: Option<String>,
    quick: Quick,
    /// A kill switch is thrown: with the option that names its system on the command line.
    kill_switch: Cell<Option<&'static str>>,
    config: OnceCell<Config>,
    http: OnceCell<Http>,
}

impl Session {
    /// A session for one run.
    pub fn new(choices: Choices, quick: Quick, person: Person, clock: Clock, dirs: Dirs) -> Self {
        let Person { voice, ask, actor, command_line, repeat } = person;
        Self {
            choices,
            clock,
            dirs,
            voice,
            ask,
            actor,
            command_line,
            repeat,
            interrupts: Rc::default(),
            region: None,
            quick,
            kill_switch: Cell::default(),
            config: OnceCell::new(),
            http: OnceCell::new(),
        }
    }

    /// The same person and screen, in another project: what the demo shows its own folder with. The command line's
    /// endpoints and environment stay behind.
    pub fn elsewhere(&self, config: PathBuf, work: PathBuf) -> Self {
        let choices = Choices { config: Some(config), env: None, ..self.choices.clone() };
        let dirs = Dirs { work, config: self.dirs.cache.join("no-user-file"), ..self.dirs.clone() };
        let (quick, repeat) = (Quick::default(), Repeat::default());
        Self { choices, dirs, interrupts: Rc::default(), quick, repeat, ..self.beside(None) }
    }

    /// The same in a region of the environment: its cluster and its backends.
    pub fn in_region(&self, region: &str) -> Self {
        self.beside(Some(region.to_owned()))
    }

    /// The same in another environment of the project; commands to paste go there, too.
    pub fn in_environment(&self, name: &str) -> Self {
        let mut all = self.beside(None);
        all.choices.env = Some(name.to_owned());
        all.quick.env = Some((name.to_owned(), "the incident".to_owned()));
        all.repeat = self.repeat.with("-e", liveops_domain::text::shell::word(name));
        all
    }

    /// The flags that commands to paste carry.
    pub fn repeat(&self) -> &Repeat {
        &self.repeat
    }

    /// Was the environment named on this command line?
    pub fn named_environment(&self) -> Option<&str> {
        self.quick.env.as_ref().filter(|(_, by)| by.starts_with("--")).map(|(name, _)| name.as_str())
    }

    /// The same place and person with another command line: what is chosen on a screen runs as if it had been typed.
    pub fn typed(&self, command_line: &str) -> Self {
        let words = command_line.trim_start_matches("liveops ");
        Self { command_line: self.command(words), ..self.beside(self.region.clone()) }
    }

    /// Another session of the same run: what it interrupts and where it looks are the same.
    fn beside(&self, region: Option<String>) -> Self {
        Self {
            choices: self.choices.clone(),
            clock: self.clock,
            dirs: self.dirs.clone(),
            voice: Rc::clone(&self.voice),
            ask: Rc::clone(&self.ask),
            actor: self.actor.clone(),
            command_line: self.command_line.clone(),
            repeat: self.repeat.clone(),
            interrupts: Rc::clone(&self.interrupts),
            region,
            quick: self.quick.clone(),
            kill_switch: self.kill_switch.clone(),
            config: OnceCell::new(),
            http: OnceCell::new(),
        }
    }

    /// The audit log of this user, or of the demo.
    pub fn audit_log(&self) -> Journal {
        Journal::at(self.state().join("audit.jsonl"))
    }

    /// The configuration, read at the first call.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let switch = self.kill_switch.get();
        let config = Config::load(
            &self.dirs,
            self.choices.config.as_deref(),
            self.choices.env.as_deref(),
            self.region.as_deref(),
            self.quick.clone(),
            switch.is_some(),
        );
        if let (Err(Error::Config { .. }), Some(option)) = (&config, switch.filter(|option| !option.is_empty())) {
            self.voice.note(&format!("without the file: {} {option} URL", self.command_line));
        }
        let config = config?;
        // What is odd in a file is said by `config validate` and `doctor`, not at every look.
        let typed = |warning: &&Problem| warning.source.starts_with("--");
        for warning in config.warnings.iter().filter(typed) {
            self.voice.note(&format!("note: {warning}"));
        }
        for problem in &config.passed_over {
            self.voice.warn(&format!("an error that this does without: {problem}"));
        }
        Ok(self.config.get_or_init(|| config))
    }

    /// What is thrown now is a kill switch: errors of the configuration elsewhere do not stand before it. `option` names
    /// its system without a file, where there is one.
    pub fn throw_kill_switch(&self, option: &'static str) {
        self.kill_switch.set(Some(option));
    }

    /// The environment's name.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn environment(&self) -> Result<&str> {
        Ok(&self.config()?.settings.environment)
    }

    /// May nothing be changed?
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn is_read_only(&self) -> Result<bool> {
        Ok(self.choices.read_only || self.config()?.settings.read_only)
    }

    /// What a change needs of this session.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn change_context(&self) -> Result<ChangeContext<'_>> {
        let incidents = match store(self) {
            Err(error) if self.kill_switch.get().is_none() => return Err(error),
            found => found,
        };
        Ok(ChangeContext {
            dry_run: self.choices.dry_run,
            yes: self.choices.yes,
            named: self.choices.confirm.as_deref(),
            read_only: self.is_read_only()?,
            environment: self.environment()?,
            scope: self.change_scope()?,
            protected: self.config()?.settings.protected,
            actor: &self.actor,
            command_line: &self.command_line,
            repeat: &self.repeat,
            clock: self.clock,
            voice: &*self.voice,
            ask: &*self.ask,
            interrupts: &self.interrupts,
            audit_log: self.audit_log(),
            incidents: IncidentEvents::new(incidents, cache(self)?, self.environment()?),
        })
    }

    /// As [`crate::change::unasked`].
    ///
    /// # Errors
    /// `Refused` with `--read-only`.
    pub fn unasked(&self, summary: &str) -> Result<Option<Confirmed>> {
        crate::change::unasked(&self.change_context()?, summary)
    }

    /// The HTTP client, with the configured timeouts.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn http(&self) -> Result<&Http> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let (call, command) = self.timeouts()?;
        Ok(self.http.get_or_init(|| Http::new(call, command)))
    }

    /// The bounds on one call and on a whole command.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn timeouts(&self) -> Result<(Duration, Duration)> {
        let settings = &self.config()?.settings;
        // Who says how long to wait means each answer too.
        Ok(match self.choices.timeout {
            Some(timeout) => (timeout, timeout),
            None => (settings.call_timeout, settings.timeout),
        })
    }

    /// An endpoint with its secrets.
    ///
    /// # Errors
    /// A secret that cannot be had or is not trusted, a URL that is none.
    pub fn target(&self, name: &str, endpoint: &Endpoint) -> Result<Target> {
        let (url, headers) = self.config()?.reveal(name, endpoint)?;
        let headers: Vec<(String, &str)> = headers.iter().map(|(name, value)| (name.clone(), value.expose())).collect();
        Target::new(name, url.expose(), &headers)
    }

    /// Where Prometheus is.
    ///
    /// # Errors
    /// `Unconfigured`, with what to do about it.
    pub fn prometheus(&self) -> Result<Target> {
        let endpoint = self.config()?.settings.prometheus.as_ref();
        self.target("prometheus", endpoint.ok_or_else(|| self.unconfigured("prometheus", "Prometheus"))?)
    }

    /// Where Alertmanager is.
    ///
    /// # Errors
    /// `Unconfigured`, with what to do about it.
    pub fn alertmanager(&self) -> Result<Target> {
        let endpoint = self.config()?.settings.alertmanager.as_ref();
        self.target("alertmanager", endpoint.ok_or_else(|| self.unconfigured("alertmanager", "Alertmanager"))?)
    }

    /// Where the flags are kept.
    ///
    /// # Errors
    /// As [`Session::target`].
    pub fn flags(&self) -> Result<Flags> {
        self.flag_store(&self.config()?.settings.flags)
    }

    /// Where the flags of another environment are kept.
    ///
    /// # Errors
    /// As [`Session::flags`]; an environment that does not exist.
    pub fn flags_of(&self, environment: &str) -> Result<Flags> {
        self.flag_store(&self.config()?.flags_of(environment)?)
    }

    fn flag_store(&self, settings: &FlagSettings) -> Result<Flags> {
        let config = self.config()?;
        let Some(endpoint) = &settings.endpoint else {
            return Ok(Flags::File(FileFlags::at(config.flag_file("flags.json", None)?)));
        };
        let (url, credentials) = config.reveal("flags", endpoint)?;
        let url = url.expose();
        if let Some(path) = url.strip_prefix("file:") {
            return Ok(Flags::File(FileFlags::at(config.flag_file(path, Some(&endpoint.url.origin))?)));
        }
        let mut parsed = RedisUrl::parse(url).map_err(|why| {
            Error::usage(
                format!("`{}` is not a URL of Redis: {why}", redact_url(url)),
                "`liveops config show --origin` says where `flags.url` was set",
            )
        })?;
        let file = |file: &Option<Place>| file.as_ref().map(|place| config.place_as_said(place)).transpose();
        let mut security = Security {
            ca: file(&settings.ca)?,
            identity: file(&settings.cert)?.zip(file(&settings.key_file)?),
            ..Security::default()
        };
        for (name, value) in &credentials {
            let value = Some(value.expose().to_owned());
            match name.as_str() {
                flags::USERNAME => parsed.user = value,
                flags::SENTINEL_USERNAME => security.sentinel_user = value,
                flags::SENTINEL_PASSWORD => security.sentinel_password = value,
                _ => parsed.password = value,
            }
        }
        parsed.password.iter().for_each(|password| remember(password));
        let needs = permissions(&settings.key);
        let redis = Redis::new(parsed, security, self.timeouts()?, needs);
        Ok(Flags::Redis(Box::new(RedisFlags::new(redis, &settings.key))))
    }

    /// A command to paste in the middle of a sentence. On a screen, the output does this by itself.
    pub fn command(&self, words: &str) -> String {
        self.repeat.apply(&format!("liveops {words}"))
    }

    fn unconfigured(&self, key: &str, what: &'static str) -> Error {
        Error::Unconfigured {
            what,
            environment: self.environment().unwrap_or("default").to_owned(),
            hint: format!("pass `--{key} URL`, or set `{key}.url` in liveops.yaml; `liveops init` writes one"),
        }
    }
}

/// The incidents of this project: beside its file; without one, with the user's state.
///
/// # Errors
/// Those of the configuration.
pub fn store(cx: &Session) -> Result<Incidents> {
    let config = cx.config()?;
    let place = &config.settings.incidents.folder;
    let folder = match config.layers.project {
        Some(_) => config.place(place)?,
        None => cx.state().join(&place.path),
    };
    Ok(Incidents::at(folder))
}

/// The messages of this project that are on their way.
///
/// # Errors
/// Those of the configuration.
pub fn outbox(cx: &Session) -> Result<Outbox> {
    let key = crate::files::cache::name(cx.config()?.project_key());
    Ok(Outbox::at(cx.state().join("outbox").join(key)))
}

/// `kubectl` for changes: the context and the namespace must be said, so that none meets the wrong cluster.
///
/// # Errors
/// `Unconfigured`.
pub fn kubectl(cx: &Session) -> Result<Kubectl<'_>> {
    let configured = cx.config()?.settings.kubernetes.as_ref();
    let names =
        configured.and_then(|kubernetes| Some((kubernetes.context.as_deref()?, kubernetes.namespace.as_deref()?)));
    let (context, namespace) = names.ok_or_else(|| Error::Unconfigured {
        what: "Kubernetes context and namespace",
        environment: cx.environment().unwrap_or("default").to_owned(),
        hint:
            "set `kubernetes: { context: …, namespace: … }` in liveops.yaml; `kubectl config get-contexts` lists them"
                .into(),
    })?;
    let limit = cx.http()?.call_timeout();
    Ok(Kubectl::new(Some(context), Some(namespace), limit))
}

/// The Alertmanager of this environment.
///
/// # Errors
/// `Unconfigured`.
pub fn alertmanager(cx: &Session) -> Result<Alertmanager<'_>> {
    Ok(Alertmanager::new(cx.http()?, cx.alertmanager()?, Effort::Full))
}

/// The cache of this project and environment.
pub fn cache(cx: &Session) -> Result<Cache> {
    let config = cx.config()?;
    Ok(Cache::new(&cx.dirs.cache, &[config.project_key(), &config.settings.environment]))
}
