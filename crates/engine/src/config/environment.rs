//! The process environment, read once: terminal hints, directories, the test clock. Nothing else reads it.

#![expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]

use std::env;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use liveops_domain::error::{Error, Result};

/// What the environment says about the terminal (no-color.org, bixense.com/clicolors).
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`.
    pub force_color: bool,
    /// `TERM=dumb`.
    pub dumb: bool,
    /// The locale speaks UTF-8.
    pub utf8: bool,
    /// `COLUMNS`, for pipes and tests.
    pub columns: Option<usize>,
}

/// Colour, characters and width, as the environment has them.
pub fn hints() -> Hints {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_lowercase();
    Hints {
        no_color: set("NO_COLOR").is_some(),
        force_color: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
        dumb: set("TERM").is_some_and(|value| value == "dumb"),
        utf8: locale.contains("utf-8") || locale.contains("utf8"),
        columns: set("COLUMNS").and_then(|value| value.parse().ok()).filter(|columns| *columns >= 20),
    }
}

/// Where files are kept (XDG Base Directory Specification).
#[derive(Debug, Clone)]
pub struct Dirs {
    /// The working directory.
    pub work: PathBuf,
    /// The user's own configuration.
    pub config: PathBuf,
    /// What must not be lost: audit log, trust.
    pub state: PathBuf,
    /// What may be lost: previous scrapes.
    pub cache: PathBuf,
}

impl Dirs {
    /// From the environment.
    ///
    /// # Errors
    /// Without `HOME` and `XDG_…` there is no place to write to.
    pub fn from_environment() -> Result<Self> {
        let home = home();
        let base = |variable: &str, below: &str| {
            // The specification says that relative paths are invalid and ignored.
            let given = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            given.or_else(|| home.as_deref().map(|home| home.join(below))).map(|base| base.join("liveops"))
        };
        let missing = |what: &str| {
            Error::usage(
                format!("no place for {what}: neither HOME nor the XDG variable is set"),
                "set HOME, or XDG_CONFIG_HOME, XDG_STATE_HOME and XDG_CACHE_HOME",
            )
        };
        Ok(Self {
            work: env::current_dir().unwrap_or_else(|_| Path::new(".").into()),
            config: base("XDG_CONFIG_HOME", ".config").ok_or_else(|| missing("the configuration"))?,
            state: base("XDG_STATE_HOME", ".local/state").ok_or_else(|| missing("the audit log"))?,
            cache: base("XDG_CACHE_HOME", ".cache").ok_or_else(|| missing("the cache"))?,
        })
    }
}

/// `LIVEOPS_NOW`: a fixed time for tests and screenshots.
///
/// # Errors
/// When it is not RFC 3339.
pub fn fixed_now() -> Result<Option<DateTime<Utc>>> {
    let Some(text) = env::var("LIVEOPS_NOW").ok().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    DateTime::parse_from_rfc3339(&text).map(|at| Some(at.to_utc())).map_err(|_| {
        Error::usage(format!("LIVEOPS_NOW is `{text}`"), "set it to a time such as 2026-01-15T10:30:00Z, or unset it")
    })
}

/// Is this variable set to nothing, as CI and compose files do for one that they do not know?
pub fn is_empty(name: &std::ffi::OsStr) -> bool {
    env::var_os(name).is_some_and(|value| value.is_empty())
}

/// What liveops reads beside the variables of its options.
pub const OTHERS: [&str; 2] = ["LIVEOPS_ACTOR", "LIVEOPS_NOW"];

/// The names of all variables that begin as ours do and are not empty, in order.
pub fn liveops_variables() -> Vec<String> {
    let names = env::vars_os().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("LIVEOPS_")).collect();
    names.sort();
    names
}

/// The value of a variable that a secret names.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The user's home folder: `HOME`, or where that is not set, as under cron or in a container, the user database's.
pub fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// Who acts, for the audit log: `$LIVEOPS_ACTOR`, else whoever called sudo, else the user of the session or process.
pub fn actor() -> String {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    set("LIVEOPS_ACTOR")
        .or_else(|| set("SUDO_USER"))
        .or_else(|| set("USER"))
        .or_else(|| set("LOGNAME"))
        .or_else(process_owner)
        .unwrap_or_else(|| "unknown".into())
}

/// Who runs this process: its user, and under sudo the one who called it.
#[cfg(unix)]
pub fn users() -> Vec<u32> {
    let user = rustix::process::geteuid();
    let caller = env::var("SUDO_UID").ok().filter(|_| user.is_root()).and_then(|uid| uid.parse().ok());
    std::iter::once(user.as_raw()).chain(caller).collect()
}

/// The owner of this process, where cron or a container sets no variable: its name, or `uid 1000`.
#[cfg(unix)]
fn process_owner() -> Option<String> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    // name:password:uid:…
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    Some(name.unwrap_or_else(|| format!("uid {uid}")))
}

#[cfg(not(unix))]
fn process_owner() -> Option<String> {
    None
}
