//! Where an outside system is, and what it wants to be sent along. Its secrets never print.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use liveops_domain::error::{Error, Result};
use liveops_domain::text::redact::redact_url;

/// An outside system: where it is, and what it wants to be sent along. Secrets are already in it; it never prints them.
#[derive(Clone)]
pub struct Target {
    /// Name for messages: `prometheus`, or the service's.
    pub system: String,
    pub base: Url,
    pub headers: HeaderMap,
    /// The path is a password, as those of chat webhooks are.
    hidden: bool,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.system, self.url())
    }
}

impl Target {
    /// Checks URL and headers.
    ///
    /// # Errors
    /// A URL or header that cannot be sent; the message never holds their values.
    pub fn new(system: &str, url: &str, headers: &[(String, &str)]) -> Result<Self> {
        let invalid = |what: String| {
            Error::usage(
                format!("{what} of {system} is not valid"),
                "`liveops config show --origin` says where it was set",
            )
        };
        let base = Url::parse(url).map_err(|_| invalid("the URL".into()))?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let bad = || invalid(format!("header `{name}`"));
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            map.insert(key, value);
        }
        Ok(Self { system: system.to_owned(), base, headers: map, hidden: false })
    }

    /// The same, of which no more than the host is ever shown.
    pub fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// The base URL, without password.
    pub fn url(&self) -> String {
        self.show(&self.base)
    }

    /// One of its URLs, for messages and logs.
    pub fn show(&self, url: &Url) -> String {
        if self.hidden { format!("{}/…", url.origin().ascii_serialization()) } else { show(url) }
    }

    /// The base URL with a path below it; an empty path is the base itself.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if !path.is_empty() {
            let joined = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
            url.set_path(&joined);
        }
        url
    }
}

/// A URL for messages and logs: no password, no query values that look like keys.
fn show(url: &Url) -> String {
    let mut url = url.clone();
    // Who asks is nobody's business but the server's; neither fails for a URL that has been dialled.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    let text = redact_url(url.as_str());
    text.strip_suffix('/').filter(|_| url.path() == "/").unwrap_or(&text).to_owned()
}
