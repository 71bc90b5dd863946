//! The one thing that a command receives: configuration, output, clock, and clients that are made when first used.

use std::cell::{Cell, OnceCell, RefCell};
#[cfg(feature = "demo")]
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::cli::GlobalArgs;
use crate::clients::http::{Http, Target};
use crate::clients::redis::Redis;
use crate::config::environment::Dirs;
use crate::config::layers::Quick;
use crate::config::schema::{Endpoint, FlagSettings};
use crate::config::{Config, flags};
use crate::domain::redact::redact_url;
use crate::domain::redis_url::RedisUrl;
use crate::error::{Error, Problem, Result};
use crate::output::Output;
use crate::stores::flags::{FileFlags, Flags, RedisFlags, permissions};

/// The time. Fixed in tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    fixed: Option<DateTime<Utc>>,
}

impl Clock {
    /// The system's clock, or one that stands still.
    pub(crate) fn new(fixed: Option<DateTime<Utc>>) -> Self {
        Self { fixed }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.fixed.unwrap_or_else(Utc::now)
    }
}

/// Lets a change that has begun come to its end before an interrupt takes effect.
#[derive(Debug, Default)]
pub(crate) struct Interrupts {
    held: Cell<usize>,
    released: Notify,
    /// What to say at a second interrupt, while somebody takes the first one to himself.
    claimed: RefCell<Option<String>>,
    code: Cell<Option<u8>>,
    arrived: Notify,
}

impl Interrupts {
    /// A change begins.
    pub(crate) fn hold(&self) {
        self.held.set(self.held.get() + 1);
    }

    /// It is over.
    pub(crate) fn release(&self) {
        self.held.set(self.held.get().saturating_sub(1));
        self.released.notify_waiters();
    }

    /// The change under way decides itself what an interrupt means; at the second one, these are its last words.
    pub(crate) fn claim(&self, last_words: String) {
        self.claimed.replace(Some(last_words));
    }

    /// It no longer does.
    pub(crate) fn unclaim(&self) {
        self.claimed.take();
    }

    /// Hands an interrupt to whoever has claimed it. False when nobody has.
    pub(crate) fn deliver(&self, code: u8) -> bool {
        let claimed = self.claimed.borrow().is_some();
        if claimed {
            self.code.set(Some(code));
            self.arrived.notify_waiters();
        }
        claimed
    }

    /// What to say when it is to end at once.
    pub(crate) fn last_words(&self) -> Option<String> {
        self.claimed.borrow().clone()
    }

    /// Waits for an interrupt that was claimed; 130 for Ctrl-C, 128 + signal otherwise.
    pub(crate) async fn delivered(&self) -> u8 {
        loop {
            if let Some(code) = self.code.take() {
                return code;
            }
            self.arrived.notified().await;
        }
    }

    /// Is a change under way?
    pub(crate) fn is_held(&self) -> bool {
        self.held.get() > 0
    }

    /// Waits until none is.
    pub(crate) async fn free(&self) {
        while self.is_held() {
            self.released.notified().await;
        }
    }
}

/// What a command works with. Nothing is read or dialled before it is needed.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: GlobalArgs,
    pub(crate) output: Output,
    pub(crate) clock: Clock,
    pub(crate) dirs: Dirs,
    /// Who acts.
    pub(crate) actor: String,
    /// What was typed, for the audit log; without secrets.
    pub(crate) command_line: String,
    pub(crate) interrupts: Rc<Interrupts>,
    /// The region of the environment that it is about, where it is about one.
    pub(crate) region: Option<String>,
    quick: Quick,
    config: OnceCell<Config>,
    http: OnceCell<Http>,
}

impl Context {
    /// A context for one run.
    pub(crate) fn new(
        global: GlobalArgs,
        quick: Quick,
        output: Output,
        clock: Clock,
        dirs: Dirs,
        actor: String,
        command_line: String,
    ) -> Self {
        Self {
            global,
            output,
            clock,
            dirs,
            actor,
            command_line,
            interrupts: Rc::default(),
            region: None,
            quick,
            config: OnceCell::new(),
            http: OnceCell::new(),
        }
    }

    /// The same person and screen, in another project: what the demo shows its own folder with. The command line's
    /// endpoints and environment stay behind.
    #[cfg(feature = "demo")]
    pub(crate) fn elsewhere(&self, config: PathBuf, work: PathBuf) -> Self {
        let global = GlobalArgs { config: Some(config), env: None, ..self.global.clone() };
        Self {
            global,
            output: self.output.again(),
            clock: self.clock,
            dirs: Dirs { work, config: self.dirs.cache.join("no-user-file"), ..self.dirs.clone() },
            actor: self.actor.clone(),
            command_line: self.command_line.clone(),
            interrupts: Rc::default(),
            region: None,
            quick: Quick::default(),
            config: OnceCell::new(),
            http: OnceCell::new(),
        }
    }

    /// The same in a region of the environment: its cluster and its backends.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        self.beside(Some(region.to_owned()), self.command_line.clone())
    }

    /// The same place and person with another command line: what is chosen on a screen runs as if it had been typed.
    pub(crate) fn typed(&self, command_line: &str) -> Self {
        let words = command_line.trim_start_matches("liveops ");
        self.beside(self.region.clone(), self.command(words))
    }

    /// Another context of the same run: what it interrupts and where it looks are the same.
    fn beside(&self, region: Option<String>, command_line: String) -> Self {
        Self {
            global: self.global.clone(),
            output: self.output.again().repeating(self.output.repeat().clone()),
            clock: self.clock,
            dirs: self.dirs.clone(),
            actor: self.actor.clone(),
            command_line,
            interrupts: Rc::clone(&self.interrupts),
            region,
            quick: self.quick.clone(),
            config: OnceCell::new(),
            http: OnceCell::new(),
        }
    }

    /// The configuration, read at the first call.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub(crate) fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = Config::load(
            &self.dirs,
            self.global.config.as_deref(),
            self.global.env.as_deref(),
            self.region.as_deref(),
            self.quick.clone(),
        )?;
        // What is odd in a file is said by `config validate` and `doctor`, not at every look.
        let typed = |warning: &&Problem| warning.source.starts_with("--");
        for warning in config.warnings.iter().filter(typed) {
            self.output.note(&format!("note: {warning}"));
        }
        Ok(self.config.get_or_init(|| config))
    }

    /// The environment's name.
    ///
    /// # Errors
    /// As [`Context::config`].
    pub(crate) fn environment(&self) -> Result<&str> {
        Ok(&self.config()?.settings.environment)
    }

    /// May nothing be changed?
    ///
    /// # Errors
    /// As [`Context::config`].
    pub(crate) fn is_read_only(&self) -> Result<bool> {
        Ok(self.global.read_only || self.config()?.settings.read_only)
    }

    /// The HTTP client, with the configured timeouts.
    ///
    /// # Errors
    /// As [`Context::config`].
    pub(crate) fn http(&self) -> Result<&Http> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let (call, command) = self.timeouts()?;
        Ok(self.http.get_or_init(|| Http::new(call, command)))
    }

    /// The bounds on one call and on a whole command.
    ///
    /// # Errors
    /// As [`Context::config`].
    pub(crate) fn timeouts(&self) -> Result<(Duration, Duration)> {
        let settings = &self.config()?.settings;
        // Who says how long to wait means each answer too.
        Ok(match self.global.timeout {
            Some(timeout) => (timeout, timeout),
            None => (settings.call_timeout, settings.timeout),
        })
    }

    /// An endpoint with its secrets.
    ///
    /// # Errors
    /// A secret that cannot be had or is not trusted, a URL that is none.
    pub(crate) fn target(&self, name: &str, endpoint: &Endpoint) -> Result<Target> {
        let (url, headers) = self.config()?.reveal(name, endpoint)?;
        let headers: Vec<(String, &str)> = headers.iter().map(|(name, value)| (name.clone(), value.expose())).collect();
        Target::new(name, url.expose(), &headers)
    }

    /// Where Prometheus is.
    ///
    /// # Errors
    /// `Unconfigured`, with what to do about it.
    pub(crate) fn prometheus(&self) -> Result<Target> {
        let endpoint = self.config()?.settings.prometheus.as_ref();
        self.target("prometheus", endpoint.ok_or_else(|| self.unconfigured("prometheus", "Prometheus"))?)
    }

    /// Where Alertmanager is.
    ///
    /// # Errors
    /// `Unconfigured`, with what to do about it.
    pub(crate) fn alertmanager(&self) -> Result<Target> {
        let endpoint = self.config()?.settings.alertmanager.as_ref();
        self.target("alertmanager", endpoint.ok_or_else(|| self.unconfigured("alertmanager", "Alertmanager"))?)
    }

    /// Where the flags are kept.
    ///
    /// # Errors
    /// As [`Context::target`].
    pub(crate) fn flags(&self) -> Result<Flags> {
        self.flag_store(&self.config()?.settings.flags)
    }

    /// Where the flags of another environment are kept.
    ///
    /// # Errors
    /// As [`Context::flags`]; an environment that does not exist.
    pub(crate) fn flags_of(&self, environment: &str) -> Result<Flags> {
        self.flag_store(&self.config()?.flags_of(environment)?)
    }

    fn flag_store(&self, settings: &FlagSettings) -> Result<Flags> {
        let config = self.config()?;
        let Some(endpoint) = &settings.endpoint else {
            return Ok(Flags::File(FileFlags::at(config.flag_file())));
        };
        let (url, credentials) = config.reveal("flags", endpoint)?;
        let url = url.expose();
        if let Some(path) = url.strip_prefix("file:") {
            let path = config.base(&endpoint.url.origin).join(path.trim_start_matches("//"));
            return Ok(Flags::File(FileFlags::at(path)));
        }
        let mut parsed = RedisUrl::parse(url).map_err(|why| {
            Error::usage(
                format!("`{}` is not a URL of Redis: {why}", redact_url(url)),
                "`liveops config show --origin` says where `flags.url` was set",
            )
        })?;
        for (name, value) in &credentials {
            match name.as_str() {
                flags::USERNAME => parsed.user = Some(value.expose().to_owned()),
                _ => parsed.password = Some(value.expose().to_owned()),
            }
        }
        let ca = settings.ca.as_ref();
        let ca = ca.map(|(path, origin)| config.base(origin).join(path));
        let needs = permissions(&settings.key);
        let redis = Redis::new(parsed, ca, self.timeouts()?, needs);
        Ok(Flags::Redis(Box::new(RedisFlags::new(redis, &settings.key))))
    }

    /// A command to paste in the middle of a sentence. On a screen, `Output` does this by itself.
    pub(crate) fn command(&self, words: &str) -> String {
        self.output.repeat().apply(&format!("liveops {words}"))
    }

    fn unconfigured(&self, key: &str, what: &'static str) -> Error {
        Error::Unconfigured {
            what,
            environment: self.environment().unwrap_or("default").to_owned(),
            hint: format!("pass `--{key} URL`, or set `{key}.url` in liveops.yaml; `liveops init` writes one"),
        }
    }
}
