//! What is sent, and how often it may be tried.

use reqwest::Method;

/// How often to try. Only idempotent requests are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// A screen: one quick second try, since the next look is near.
    Quick,
    /// A command: five tries within the deadline.
    Full,
    /// A change: exactly once.
    Once,
    /// One of the looks that follow each other every few seconds: once, and whatever came of those before it. Whoever
    /// answers again is heard at once.
    Look,
}

impl Effort {
    pub fn attempts(self) -> u32 {
        match self {
            Self::Quick => 2,
            Self::Full => 5,
            Self::Once | Self::Look => 1,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Body,
    pub effort: Effort,
    pub accept: &'static str,
    /// The entity tag that the server must still have.
    pub if_match: Option<String>,
    /// Waits for no circuit breaker and no overall deadline.
    pub insistent: bool,
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone)]
pub enum Body {
    Empty,
    Form(Vec<(String, String)>),
    Json(serde_json::Value),
    /// JSON that is written already, byte for byte: a signature holds for it.
    Written(Vec<u8>),
}

impl Request {
    fn new(method: Method, path: impl Into<String>, body: Body, effort: Effort) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body,
            effort,
            accept: "application/json",
            if_match: None,
            insistent: false,
            headers: Vec::new(),
        }
    }

    /// Reads a path.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Body::Empty, Effort::Full)
    }

    /// Asks by a POST form that changes nothing (PromQL queries, which can be longer than a URL may be).
    pub fn ask(path: impl Into<String>, form: Vec<(String, String)>) -> Self {
        Self::new(Method::POST, path, Body::Form(form), Effort::Full)
    }

    /// Sends a change. Only `clients` that hold a `Confirmed` call this.
    pub fn change(method: Method, path: impl Into<String>, body: Option<serde_json::Value>) -> Self {
        Self::new(method, path, body.map_or(Body::Empty, Body::Json), Effort::Once)
    }

    /// Sends a message to somebody, once. Only `clients/notify` calls this, which holds a `Confirmed`.
    pub fn deliver(path: impl Into<String>, json: Vec<u8>) -> Self {
        Self::new(Method::POST, path, Body::Written(json), Effort::Once)
    }

    /// Adds headers that are no secrets.
    pub fn headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Adds query parameters.
    pub fn query(mut self, pairs: Vec<(String, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    /// Sets how often to try; never more than once for a change.
    pub fn effort(mut self, effort: Effort) -> Self {
        if self.effort != Effort::Once {
            self.effort = effort;
        }
        self
    }

    /// Is refused (412) when the server has another entity tag by now.
    pub fn if_match(mut self, tag: &str) -> Self {
        self.if_match = Some(tag.to_owned());
        self
    }

    /// Goes out whatever happened before: the way back of a rollout. Its own deadline is that of a call.
    pub fn insist(mut self) -> Self {
        self.insistent = true;
        self
    }

    /// Asks for text instead of JSON.
    pub fn accept(mut self, media: &'static str) -> Self {
        self.accept = media;
        self
    }
}
